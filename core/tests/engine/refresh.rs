//! Renewing tokens.

use grantor::client::Notice;
use grantor::error::{EffectError, Failure, FailureKind, Refused, Work};
use grantor::{Completion, Effect, Error};
use grantor_world::player::{Player, User, config};
use http::StatusCode;

fn authorized() -> Player {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player
}

fn is_token_request(effect: &Effect) -> bool {
    matches!(effect, Effect::Http { request, .. } if request.url.path() == "/token")
}

#[test]
fn before_expiry() {
    let mut player = authorized();
    player.wait_s(3600 - 61);
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 1, "not yet");
    player.wait_s(2);
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2);
    assert_eq!(player.count("/authorize"), 1, "without the user");
    assert_eq!(player.count("POST https://mcp.example.com/mcp"), 4, "and without a rejected request");
}

#[test]
fn after_a_401() {
    let mut player = authorized();
    player.world.server().expire_access_tokens();
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2);
    assert_eq!(player.count("/authorize"), 1);
    assert_eq!(player.count("oauth-protected-resource"), 1, "nothing is discovered anew");
}

#[test]
fn a_thousand_calls_one_refresh() {
    let mut player = authorized();
    player.wait_s(3600);
    player.holding = Some(is_token_request);
    let calls: Vec<_> = (0..1000).map(|_| player.begin("ping")).collect();
    player.run();
    assert_eq!(player.held.len(), 1);
    player.release();
    for call in calls {
        player.outcome(call).unwrap().delivered();
    }
    assert_eq!(player.count("/token"), 2);
}

#[test]
fn a_thousand_rejected_calls_one_refresh() {
    let mut player = authorized();
    player.world.server().expire_access_tokens();
    player.holding = Some(is_token_request);
    let calls: Vec<_> = (0..1000).map(|_| player.begin("ping")).collect();
    player.run();
    player.release();
    for call in calls {
        player.outcome(call).unwrap().delivered();
    }
    assert_eq!(player.count("/token"), 2);
}

#[test]
fn cancelling_does_not_cancel_the_refresh() {
    let mut player = authorized();
    player.wait_s(3600);
    player.holding = Some(is_token_request);
    let call = player.begin("ping");
    player.run();
    player.engine.cancel(call);
    player.release();
    assert!(player.outcome(call).is_none());
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2, "its token is used");
}

#[test]
fn a_late_answer_is_not_lost() {
    let mut player = authorized();
    player.wait_s(3600);
    player.holding = Some(is_token_request);
    let call = player.begin("ping");
    player.run();
    player.wait_s(50);
    let timed_out = player.outcome(call).unwrap().failed();
    assert!(
        matches!(&timed_out, Error::Effect(EffectError { kind: FailureKind::TimedOut, .. })),
        "{timed_out}"
    );
    let impatient = player.begin("ping");
    player.run();
    assert!(player.outcome(impatient).is_some(), "nobody else waits for it either");
    player.wait_s(300);
    player.release();
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2, "the late token is used");
    assert_eq!(player.world.server().reuses, 0);
}

#[test]
fn rfc6749_6_the_old_refresh_token_stays() {
    let mut player = authorized();
    player.world.server().refresh_tokens = false;
    player.world.server().rotation = false;
    for _ in 0..3 {
        player.wait_s(3600);
        player.call("ping").delivered();
    }
    assert_eq!(player.count("/token"), 4);
    assert_eq!(player.count("/authorize"), 1);
}

#[test]
fn invalid_grant_leads_to_the_user() {
    let mut player = authorized();
    player.world.server().revoke_all();
    player.call("ping").delivered();
    assert_eq!(player.count("/authorize"), 2);
    assert!(player.notices.contains(&Notice::Forgotten));
    player.call("ping").delivered();
    assert_eq!(player.count("/authorize"), 2);
}

#[test]
fn what_was_asked_for_before_is_asked_for_again() {
    let mut player = authorized();
    player.call("write").delivered();
    player.world.server().revoke_all();
    player.call("ping").delivered();
    let last = player.world.asked.iter().rfind(|asked| asked.contains("/authorize")).unwrap();
    assert!(last.contains("scope=mcp%3Ause+files%3Awrite"), "{last}");
}

#[test]
fn a_failing_server_does_not_cost_a_valid_token() {
    let mut player = authorized();
    player.wait_s(3600 - 30);
    player.world.intercept = Some(Box::new(|request| {
        (request.uri().path() == "/token").then(|| grantor_world::text(StatusCode::BAD_GATEWAY, "<html>"))
    }));
    player.call("ping").delivered();
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2, "and is not asked again at once");
    player.wait_s(30);
    let error = player.call("ping").failed();
    assert!(matches!(error, Error::Refused(Refused::Unavailable { status: 502, .. })), "{error}");
    player.world.intercept = None;
    player.call("ping").delivered();
    assert_eq!(player.count("/authorize"), 1, "the refresh token was kept");
}

#[test]
fn persist_first() {
    let mut player = authorized();
    player.wait_s(3600);
    player.holding = Some(|effect| matches!(effect, Effect::Save { .. }));
    let call = player.begin("ping");
    player.run();
    assert_eq!(player.count("/token"), 1, "the claim comes before the request");
    player.holding = Some(|effect| matches!(effect, Effect::Save { .. }));
    let (op, claim) = player.held.remove(0);
    player.perform(op, claim);
    player.run();
    assert_eq!(player.count("/token"), 2);
    assert!(player.outcome(call).is_none(), "the token is there but not stored");
    player.release();
    player.outcome(call).unwrap().delivered();
}

#[test]
fn tokens_that_cannot_be_stored_are_kept_and_stored_later() {
    let mut player = authorized();
    player.wait_s(3600);
    player.holding = Some(is_token_request);
    let call = player.begin("ping");
    player.run();
    player.store.broken = true;
    player.release();
    let error = player.outcome(call).unwrap().failed();
    assert!(matches!(&error, Error::Effect(EffectError { what: Work::Store, .. })), "{error}");
    let error = player.call("ping").failed();
    assert!(matches!(&error, Error::Effect(EffectError { what: Work::Store, .. })), "{error}");
    assert_eq!(player.count("/token"), 2, "no refresh token is used twice");
    player.store.broken = false;
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2);
    player.restart();
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2, "it is in the store now");
}

#[test]
fn a_call_that_waited_for_its_authorization_is_not_sent_with_tokens_that_are_not_stored() {
    let mut player = Player::new(config());
    player.holding = Some(|effect| matches!(effect, Effect::Delete { .. }));
    let waiting = player.begin("ping");
    player.run();
    let (delete, effect) = player.held.pop().expect("the authorization is being removed");
    player.world.server().expire_access_tokens();
    player.holding = Some(is_token_request);
    let rejected = player.begin("ping");
    player.run();
    let refreshing = player.begin("ping");
    player.run();
    player.store.broken = true;
    player.release();
    player.outcome(refreshing).unwrap().failed();
    player.perform(delete, effect);
    player.run();
    for call in [waiting, rejected] {
        let error = player.outcome(call).unwrap().failed();
        assert!(matches!(&error, Error::Effect(EffectError { what: Work::Store, .. })), "{error}");
    }
    player.store.broken = false;
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2, "the tokens of the refresh were kept");
}

/// Two processes on one store and one server; `f` gets the two, and the world travels between them.
struct Two {
    a: Player,
    b: Player,
}

impl Two {
    fn authorized() -> Self {
        let a = authorized();
        let mut b = Player::new(config());
        b.now = a.now;
        Self { a, b }
    }

    /// Lets `b` act in the world of `a`.
    fn b<T>(&mut self, act: impl FnOnce(&mut Player) -> T) -> T {
        std::mem::swap(&mut self.a.world, &mut self.b.world);
        std::mem::swap(&mut self.a.store, &mut self.b.store);
        self.b.now = self.a.now;
        let result = act(&mut self.b);
        std::mem::swap(&mut self.a.world, &mut self.b.world);
        std::mem::swap(&mut self.a.store, &mut self.b.store);
        result
    }

    /// Time passes for both.
    fn seconds_pass(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.a.wait_s(1);
            self.b(|b| b.wait_s(0));
        }
    }
}

#[test]
fn rust_sdk_1232_two_processes_do_not_use_a_refresh_token_twice() {
    let mut two = Two::authorized();
    two.b(|b| b.call("ping").delivered());
    two.a.wait_s(3600);
    two.a.holding = Some(is_token_request);
    let first = two.a.begin("ping");
    two.a.run();
    // While the answer of the first is on its way, the second wants to refresh too.
    let second = two.b(|b| {
        let call = b.begin("ping");
        b.run();
        assert!(b.outcome(call).is_none(), "it waits for the claim of the other");
        call
    });
    two.a.release();
    two.a.outcome(first).unwrap().delivered();
    two.b(|b| {
        b.wait_s(1);
        b.outcome(second).unwrap().delivered();
        assert!(b.notices.contains(&Notice::TokensAdopted));
    });
    assert_eq!(two.a.count("/token"), 2);
    assert_eq!(two.a.world.server().reuses, 0);
}

#[test]
fn claude_code_84440_the_loser_does_not_wipe_the_winners_tokens() {
    let mut two = Two::authorized();
    two.b(|b| b.call("ping").delivered());
    two.a.wait_s(3600);
    two.a.call("ping").delivered();
    // The second still holds the tokens of before, and its clock says that they are valid.
    two.b(|b| {
        b.wait_s(0);
        b.call("ping").delivered();
    });
    assert_eq!(two.a.count("/token"), 2, "it found the new ones in the store");
    assert_eq!(two.a.count("/authorize"), 1);
}

/// Two processes; the first is sending a refresh request.
fn while_the_first_refreshes() -> (Two, grantor::client::CallId) {
    let mut two = Two::authorized();
    two.b(|b| b.call("ping").delivered());
    two.a.wait_s(3600);
    two.a.holding = Some(is_token_request);
    let call = two.a.begin("ping");
    two.a.run();
    (two, call)
}

#[test]
fn a_claim_of_a_dead_process_ends() {
    let (mut two, _) = while_the_first_refreshes();
    two.a.restart(); // the request was never sent
    let call = two.b(|b| {
        let call = b.begin("ping");
        b.run();
        call
    });
    two.seconds_pass(8);
    assert!(two.b(|b| b.outcome(call)).is_none());
    let told = two.b(|b| b.notices.iter().filter(|notice| **notice == Notice::RefreshElsewhere).count());
    assert_eq!(told, 1, "the host is told why nothing happens");
    two.seconds_pass(3);
    two.b(|b| b.outcome(call).unwrap().delivered());
    assert_eq!(two.a.count("/token"), 2);
}

#[test]
fn a_claim_of_a_living_process_holds() {
    let (mut two, first) = while_the_first_refreshes();
    let second = two.b(|b| {
        let call = b.begin("ping");
        b.run();
        call
    });
    // The answer takes 40 seconds.
    two.seconds_pass(40);
    assert!(two.b(|b| b.outcome(second)).is_none(), "it waits still");
    two.a.release();
    two.a.outcome(first).unwrap().delivered();
    two.seconds_pass(1);
    two.b(|b| b.outcome(second).unwrap().delivered());
    assert_eq!((two.a.count("/token"), two.a.world.server().reuses), (2, 0));
}

#[test]
fn a_process_that_starts_meanwhile_waits_too() {
    let (mut two, first) = while_the_first_refreshes();
    let second = two.b(|b| {
        b.restart();
        let call = b.begin("ping");
        b.run();
        assert!(b.outcome(call).is_none());
        call
    });
    two.a.release();
    two.a.outcome(first).unwrap().delivered();
    two.seconds_pass(1);
    two.b(|b| b.outcome(second).unwrap().delivered());
    assert_eq!((two.a.count("/token"), two.a.world.server().reuses), (2, 0));
}

#[test]
fn a_server_that_rejects_what_it_has_just_issued() {
    let mut player = authorized();
    player.world.mcp.rejects_all = true;
    let error = player.call("ping").failed();
    assert_eq!(error, Refused::TokenRejected.into());
    assert_eq!(player.count("/token"), 3, "once refreshed, once authorized anew");
    for _ in 0..5 {
        assert_eq!(player.call("ping").failed(), Refused::TokenRejected.into());
    }
    assert_eq!(player.count("/authorize"), 2, "no browser opens for each call");
    player.wait_s(31);
    player.world.mcp.rejects_all = false;
    player.call("ping").delivered();
}

#[test]
fn transport_failures_are_told_and_harmless() {
    let mut player = authorized();
    player.wait_s(3600);
    for kind in
        [FailureKind::Unreachable, FailureKind::Broken, FailureKind::TimedOut, FailureKind::BodyTooLarge]
    {
        player.holding = Some(is_token_request);
        let call = player.begin("ping");
        player.run();
        let (op, _) = player.held.remove(0);
        let failed = Completion::Failed(Failure::new(kind, "reset by peer"));
        player.engine.complete(player.now, op, failed).unwrap();
        player.run();
        let error = player.outcome(call).unwrap().failed();
        assert!(matches!(&error, Error::Effect(effect) if effect.kind == kind), "{error}");
        assert!(error.to_string().contains("reset by peer"));
    }
    player.holding = None;
    player.call("ping").delivered();
}

#[test]
fn clocks_that_jump() {
    let mut player = authorized();
    // The wall clock is set back by a year: the monotonic one still knows.
    player.now.unix_s -= 365 * 24 * 3600;
    player.call("ping").delivered();
    player.now.mono_ms += 3_600_000;
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2);
    // It is set forward by two years: the token counts as expired and is renewed.
    player.now.unix_s += 2 * 365 * 24 * 3600;
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 3);
    // To the end of time and back to its beginning.
    player.now.unix_s = u64::MAX - 7200;
    player.now.mono_ms = u64::MAX - 7_200_000;
    player.call("ping").delivered();
    player.now = grantor::Now::new(0, 0);
    player.engine.handle_timeout(player.now);
    player.call("ping").delivered();
    assert_eq!(player.count("/authorize"), 1);
}

#[test]
fn python_sdk_1318_expiry_survives_a_restart() {
    let mut player = authorized();
    player.wait_s(1800);
    player.restart();
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 1, "valid for another half hour");
    player.wait_s(1800);
    player.restart();
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2, "it has expired meanwhile");
    assert_eq!(player.count("/authorize"), 1);
}

#[test]
fn an_expired_token_without_refresh_token_leads_to_the_user() {
    let mut player = Player::new(config());
    player.world.server().refresh_tokens = false;
    player.call("ping").delivered();
    player.wait_s(3600);
    player.call("ping").delivered();
    assert_eq!(player.count("/authorize"), 2);
}

#[test]
fn a_user_who_declines() {
    let mut player = Player::new(config());
    player.user = User::Declines;
    assert_eq!(player.call("ping").failed(), Refused::Declined.into());
    player.user = User::Agrees;
    player.call("ping").delivered();
}

#[test]
fn a_user_is_not_asked_twice_for_two_processes() {
    let mut two = Two { a: Player::new(config()), b: Player::new(config()) };
    // The second has started, and waits for the resource's first answer.
    let call = two.b(|b| {
        b.world.intercept =
            Some(Box::new(|_| Some(grantor_world::text(StatusCode::OK, "not protected yet"))));
        b.call("ping").delivered();
        b.world.intercept = None;
        b.begin("ping")
    });
    two.a.wait_s(2);
    two.a.call("ping").delivered();
    two.b(|b| {
        b.run();
        b.outcome(call).unwrap().delivered();
        assert!(b.notices.contains(&Notice::TokensAdopted));
    });
    assert_eq!(two.a.count("/authorize"), 1);
}

type Headers = &'static [(&'static str, &'static str)];

/// The token endpoint answers 503 so many times, with these headers.
fn busy(player: &mut Player, times: usize, headers: Headers) {
    let mut left = times;
    player.world.intercept = Some(Box::new(move |request| {
        if request.uri().path() != "/token" || left == 0 {
            return None;
        }
        left -= 1;
        let answer = grantor_world::text(StatusCode::SERVICE_UNAVAILABLE, "");
        Some(headers.iter().fold(answer, |answer, (name, value)| grantor_world::with(answer, name, value)))
    }));
}

#[test]
fn rfc9110_10_2_3_a_server_that_is_busy_for_a_moment_is_waited_for() {
    for headers in [
        &[("retry-after", "3")] as &[_],
        &[("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")],
    ] {
        let mut player = authorized();
        player.wait_s(3600);
        busy(&mut player, 1, headers);
        let call = player.begin("ping");
        player.run();
        assert_eq!(player.engine.poll_timeout(), Some(player.now.mono_ms + 3_000));
        assert!(player.outcome(call).is_none());
        player.wait_s(3);
        player.outcome(call).unwrap().delivered();
        assert_eq!(player.count("/token"), 3);
    }
}

#[test]
fn rfc9110_10_2_3_but_once_and_not_for_long() {
    let cases: [(usize, Headers, Option<u32>, usize); 3] = [
        (9, &[("retry-after", "3")], Some(3), 3),
        (1, &[("retry-after", "31")], Some(31), 2),
        (1, &[("retry-after", "soon")], None, 2),
    ];
    for (times, headers, expected, asked) in cases {
        let mut player = authorized();
        player.wait_s(3600);
        busy(&mut player, times, headers);
        let call = player.begin("ping");
        player.run();
        player.wait_s(3);
        match player.outcome(call).unwrap().failed() {
            Error::Refused(Refused::Unavailable { retry_after_s, .. }) => assert_eq!(retry_after_s, expected),
            other => panic!("{other}"),
        }
        assert_eq!(player.count("/token"), asked);
        player.world.intercept = None;
        player.call("ping").delivered();
        assert_eq!(player.count("/authorize"), 1);
    }
}

#[test]
fn rfc9110_10_2_3_a_valid_token_is_used_until_the_server_wants_to_be_asked_again() {
    let mut player = authorized();
    player.wait_s(3600 - 59);
    busy(&mut player, usize::MAX, &[("retry-after", "40")]);
    for (wait_s, asked) in [(0, 2), (39, 2), (2, 3)] {
        player.wait_s(wait_s);
        player.call("ping").delivered();
        assert_eq!(player.count("/token"), asked, "{wait_s}");
    }
}

/// An answer of the token endpoint.
type Refusal = fn() -> grantor_world::Answered;

/// Answers that are the server's last word on a refresh token, whatever their shape.
const DEFINITIVE: [Refusal; 16] = [
    || grantor_world::json(StatusCode::BAD_REQUEST, &serde_json::json!({ "error": "invalid_request" })),
    || {
        grantor_world::json(
            StatusCode::BAD_REQUEST,
            &serde_json::json!({ "error": "unsupported_grant_type" }),
        )
    },
    || grantor_world::json(StatusCode::BAD_REQUEST, &serde_json::json!({ "error": "invalid_scope" })),
    || grantor_world::json(StatusCode::FORBIDDEN, &serde_json::json!({ "error": "access_denied" })),
    || grantor_world::json(StatusCode::BAD_REQUEST, &serde_json::json!({ "error": { "code": 7 } })),
    || {
        grantor_world::json(
            StatusCode::BAD_REQUEST,
            &serde_json::json!({ "message": "Token has been revoked" }),
        )
    },
    || grantor_world::json(StatusCode::UNPROCESSABLE_ENTITY, &serde_json::json!([])),
    || grantor_world::text(StatusCode::BAD_REQUEST, "no"),
    || grantor_world::respond(StatusCode::UNAUTHORIZED, "text/html", "<html>".into()),
    || grantor_world::json(StatusCode::OK, &serde_json::json!({ "error": "bad_refresh_token" })),
    || {
        grantor_world::json(
            StatusCode::OK,
            &serde_json::json!({ "error": "invalid_grant", "error_description": "x" }),
        )
    },
    || grantor_world::json(StatusCode::OK, &serde_json::json!({ "message": "Token has been revoked" })),
    || grantor_world::json(StatusCode::OK, &serde_json::json!({ "errors": [{ "message": "expired" }] })),
    || grantor_world::json(StatusCode::OK, &serde_json::json!({ "error": { "code": 7, "message": "no" } })),
    || grantor_world::json(StatusCode::OK, &serde_json::json!({ "status": 401, "detail": "no such grant" })),
    || grantor_world::text(StatusCode::METHOD_NOT_ALLOWED, ""),
];

#[test]
fn any_definitive_refusal_leads_to_the_user() {
    for (index, refusal) in DEFINITIVE.into_iter().enumerate() {
        for logs_in in [false, true] {
            let mut player = authorized();
            player.wait_s(3600);
            player.world.intercept = Some(Box::new(move |request| {
                let refreshes = String::from_utf8_lossy(request.body()).contains("grant_type=refresh_token");
                (request.uri().path() == "/token" && refreshes).then(refusal)
            }));
            if logs_in {
                let outcome = player.log_in();
                assert!(matches!(outcome, grantor_world::Outcome::Done), "{index}: {outcome:?}");
            }
            player.call("ping").delivered();
            assert_eq!(player.count("/authorize"), 2, "{index}: the user was asked");
            player.world.intercept = None;
            player.wait_s(3600);
            player.call("ping").delivered();
            assert_eq!(player.count("/authorize"), 2, "{index}: the new refresh token is good");
        }
    }
}

#[test]
fn refusals_for_now_cost_no_refresh_token_and_a_log_in_reaches_the_user() {
    let for_now: [Refusal; 9] = [
        || grantor_world::json(StatusCode::REQUEST_TIMEOUT, &serde_json::json!({ "error": "timeout" })),
        || {
            grantor_world::json(
                StatusCode::TOO_MANY_REQUESTS,
                &serde_json::json!({ "error": "invalid_grant" }),
            )
        },
        || grantor_world::json(StatusCode::OK, &serde_json::json!({ "error": "temporarily_unavailable" })),
        || grantor_world::text(StatusCode::REQUEST_TIMEOUT, ""),
        || grantor_world::text(StatusCode::TOO_MANY_REQUESTS, ""),
        || grantor_world::text(StatusCode::INTERNAL_SERVER_ERROR, ""),
        || grantor_world::respond(StatusCode::OK, "text/html", "<html>".into()),
        || grantor_world::json(StatusCode::OK, &serde_json::json!({})),
        || grantor_world::with(grantor_world::text(StatusCode::FOUND, ""), "location", "https://hotel/"),
    ];
    for (index, refusal) in for_now.into_iter().enumerate() {
        let mut player = authorized();
        player.wait_s(3600);
        player.world.intercept = Some(Box::new(move |request| {
            let refreshes = String::from_utf8_lossy(request.body()).contains("grant_type=refresh_token");
            (request.uri().path() == "/token" && refreshes).then(refusal)
        }));
        player.call("ping").failed();
        player.world.intercept = None;
        player.call("ping").delivered();
        assert_eq!(player.count("/authorize"), 1, "{index}: the refresh token was kept");
        player.wait_s(3600);
        player.world.intercept = Some(Box::new(move |request| {
            let refreshes = String::from_utf8_lossy(request.body()).contains("grant_type=refresh_token");
            (request.uri().path() == "/token" && refreshes).then(refusal)
        }));
        assert!(matches!(player.log_in(), grantor_world::Outcome::Done));
        assert_eq!(player.count("/authorize"), 2, "{index}");
    }
}

#[test]
fn rfc8414_a_token_endpoint_that_moved_is_looked_up() {
    for status in [StatusCode::NOT_FOUND, StatusCode::GONE] {
        let mut player = authorized();
        player.wait_s(3600);
        player.world.server().metadata =
            serde_json::json!({ "token_endpoint": "https://as.example.com/v2/token" });
        player.world.server().token_path = "/v2/token".into();
        player.world.intercept = Some(Box::new(move |request| {
            (request.uri().path() == "/token").then(|| grantor_world::text(status, "<html>"))
        }));
        player.call("ping").delivered();
        assert_eq!((player.count("/authorize"), player.count("/v2/token")), (1, 1), "without the user");
        player.restart();
        player.wait_s(3600);
        player.call("ping").delivered();
        assert_eq!(player.count("as.example.com/token"), 2, "the record names the new one");
    }
}

#[test]
fn rfc8414_a_token_endpoint_that_is_gone_for_good() {
    // The server itself says so still, or is gone altogether.
    for all in [false, true] {
        let mut player = authorized();
        player.wait_s(3600);
        player.world.intercept = Some(Box::new(move |request| {
            let refreshes = String::from_utf8_lossy(request.body()).contains("grant_type=refresh_token");
            let gone = match all {
                true => request.uri().host() == Some("as.example.com"),
                false => request.uri().path() == "/token" && refreshes,
            };
            gone.then(|| grantor_world::text(StatusCode::NOT_FOUND, ""))
        }));
        if all {
            let error = player.call("ping").failed();
            assert!(error.to_string().contains("as.example.com"), "{error}");
            player.world.intercept = None;
        }
        player.call("ping").delivered();
        assert_eq!(player.count("/authorize"), if all { 1 } else { 2 });
    }
}
