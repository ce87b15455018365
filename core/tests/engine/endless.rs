//! Nothing goes on for ever: whatever the peers answer, a call ends, and says what kept happening.

use std::fmt::Write as _;

use grantor::client::{Engine, Notice, Output, RequestHead};
use grantor::error::{Failure, FailureKind, PeerMisbehaved, Refused, Work};
use grantor::{Completion, Effect, Error, Interaction, Now, ScopeSet, limits};
use grantor_world::player::{Player, User, config};
use grantor_world::{Answered, World, text, with};
use http::StatusCode;

fn intercepted(answer: impl FnMut(&grantor_world::Asked) -> Option<Answered> + Send + 'static) -> Player {
    let mut world = World::new();
    world.intercept = Some(Box::new(answer));
    Player::in_world(world, config()).unwrap()
}

#[test]
fn registrations_whose_secret_has_expired_already() {
    for expires_at in [1, 1_799_999_999, 1_800_000_000] {
        for method in ["client_secret_basic", "client_secret_post"] {
            let mut player = Player::new(config());
            player.world.server().auth_method = method.into();
            player.world.server().secret_expires_at = expires_at;
            player.world.server().refresh_tokens = false;
            player.call("ping").delivered();
            assert_eq!(player.count("/register"), 1, "it is used: who knows whose clock is right");
            player.restart();
            player.wait_s(3600);
            player.call("ping").delivered();
            assert_eq!(player.count("/register"), 2, "once for each authorization");
        }
    }
}

#[test]
fn refreshed_tokens_that_expire_at_once_serve_their_call() {
    for expires_in in [0, 1] {
        let mut player = Player::new(config());
        player.call("ping").delivered();
        player.world.server().expires_in = Some(expires_in);
        player.wait_s(3600);
        for n in 1..=3 {
            player.call("ping").delivered();
            assert_eq!(player.count("/token"), 1 + n, "one refresh for each call");
            player.wait_s(1);
        }
        assert_eq!(player.count("/authorize"), 1);
        let log_in = player.log_in();
        assert!(matches!(log_in, grantor_world::Outcome::Done), "{log_in:?}");
        player.world.server().expires_in = None;
        player.call("ping").delivered();
    }
}

#[test]
fn more_scopes_than_fit_are_told() {
    let mut many = String::new();
    for n in 0..limits::SCOPES {
        let _ = write!(many, "s{n} ");
    }
    let granted = many.clone();
    let mut player = intercepted(move |request| {
        if request.uri().path() != "/mcp" {
            return None;
        }
        let (status, challenge) = match request.headers().get("authorization") {
            None => (StatusCode::UNAUTHORIZED, format!("Bearer scope=\"{many}\"")),
            Some(_) => {
                (StatusCode::FORBIDDEN, "Bearer error=\"insufficient_scope\", scope=\"one-more\"".into())
            }
        };
        Some(with(text(status, ""), "www-authenticate", &challenge))
    });
    for _ in 0..10 {
        let demanded = ScopeSet::parse("one-more").unwrap();
        assert_eq!(player.call("ping").failed(), Refused::InsufficientScope { demanded }.into());
    }
    assert_eq!((player.count("/authorize"), player.count("/token")), (2, 2), "it is asked for once");
    assert!(player.notices.contains(&Notice::ScopesLost));
    let asked = player.prompts.iter().any(|prompt| matches!(prompt, Interaction::Approve(_)));
    assert!(asked, "the host is asked whether it may");
    player.world.intercept = None;
    player.world.mcp.base_scope = granted.split(' ').next().unwrap().into();
    player.call("ping").delivered();
}

#[test]
fn mcp_step_up_limits_count_the_operation() {
    for named in [true, false] {
        let mut n = 0;
        let mut player = intercepted(move |request| {
            (request.uri().path() == "/mcp" && request.headers().get("authorization").is_some()).then(|| {
                n += 1;
                let challenge = format!(r#"Bearer error="insufficient_scope", scope="s{n}""#);
                with(text(StatusCode::FORBIDDEN, ""), "www-authenticate", &challenge)
            })
        });
        for _ in 0..10 {
            let error = match named {
                true => player.call("ping").failed(),
                false => player.call_unnamed("ping").failed(),
            };
            assert!(matches!(error, Error::Refused(Refused::InsufficientScope { .. })), "{error}");
        }
        assert_eq!(player.count("/authorize"), 1 + usize::from(limits::STEP_UPS_PER_OPERATION));
        player.world.intercept = None;
        player.call("ping").delivered();
    }
}

#[test]
fn mcp_step_up_limits_hold_for_calls_at_once() {
    let mut n = 0;
    let mut player = intercepted(move |request| {
        (request.uri().path() == "/mcp" && request.headers().get("authorization").is_some()).then(|| {
            n += 1;
            let challenge = format!(r#"Bearer error="insufficient_scope", scope="s{n}""#);
            with(text(StatusCode::FORBIDDEN, ""), "www-authenticate", &challenge)
        })
    });
    let calls: Vec<_> = (0..10).map(|_| player.begin("ping")).collect();
    player.run();
    for call in calls {
        let error = player.outcome(call).unwrap().failed();
        assert!(matches!(error, Error::Refused(Refused::InsufficientScope { .. })), "{error}");
    }
    let pages = player.count("/authorize");
    assert!(pages <= 1 + usize::from(limits::STEP_UPS_PER_OPERATION), "{pages} pages");
}

#[test]
fn step_ups_that_serve_are_not_held_against_others_of_the_same_url() {
    let mut world = World::new();
    world.mcp.tools = (0..8).map(|n| (format!("tool{n}"), format!("scope{n}"))).collect();
    let mut player = Player::in_world(world, config()).unwrap();
    for n in 0..8 {
        player.call_unnamed(&format!("tool{n}")).delivered();
    }
    assert_eq!(player.count("/authorize"), 9);
}

#[test]
fn another_process_that_claims_the_tokens_for_ever() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.wait_s(3600);
    let claim = |player: &mut Player| {
        let until = player.now.unix_s + 9;
        player.store.claim(until);
    };
    claim(&mut player);
    player.restart();
    let call = player.begin("ping");
    player.run();
    let mut rounds = 0;
    let error = loop {
        claim(&mut player);
        player.now = player.now.plus_ms(limits::LEASE_POLL_MS);
        player.engine.handle_timeout(player.now);
        player.run();
        rounds += 1;
        assert!(rounds < 10_000, "it does not end");
        if let Some(outcome) = player.outcome(call) {
            break outcome.failed();
        }
    };
    let times = limits::STORE_OPERATIONS_PER_CALL.into();
    assert_eq!(error, PeerMisbehaved::Endless { what: Work::Store, times }.into());
    assert!(error.to_string().contains("credential store, 1024 times"), "{error}");
    player.wait_s(20);
    player.call("ping").delivered();
    assert_eq!(player.count("/authorize"), 1, "the tokens are whole");
}

/// What may be asked of anybody after the last call was cancelled: that is for the store, and tokens.
fn is_for_nobody(effect: &Effect) -> bool {
    match effect {
        Effect::Http { request, .. } => request.url.path() != "/token",
        Effect::Interact(_) => true,
        _ => false,
    }
}

#[test]
fn cancelling_the_last_call_stops_all_but_token_requests() {
    // After each effect of a whole flow in turn.
    for cancelled_after in 0..60 {
        let mut player = Player::new(config());
        player.holding = Some(|_| true);
        let call = player.begin("ping");
        player.run();
        for _ in 0..cancelled_after {
            if !player.held.is_empty() {
                let (op, effect) = player.held.remove(0);
                player.perform(op, effect);
                player.run();
            }
        }
        if player.outcome(call).is_some() {
            return;
        }
        let open = player
            .held
            .iter()
            .any(|(_, effect)| matches!(effect, Effect::Interact(Interaction::Authorize(_))));
        player.engine.cancel(call);
        let before = player.held.len();
        player.run();
        for _ in 0..50 {
            assert!(
                player.held.iter().skip(before).all(|(_, effect)| !is_for_nobody(effect)),
                "{:?}",
                player.held
            );
            if player.held.is_empty() || open {
                break;
            }
            let (op, effect) = player.held.remove(0);
            player.perform(op, effect);
            player.run();
            assert!(player.held.iter().all(|(_, effect)| !is_for_nobody(effect)), "{:?}", player.held);
        }
        player.holding = None;
        player.held.clear();
        player.restart();
        player.call("ping").delivered();
    }
    panic!("the flow does not end");
}

#[test]
fn a_page_that_is_open_may_be_answered_when_nobody_waits_any_more() {
    let mut player = Player::new(config());
    player.user = User::Leaves;
    let call = player.begin("ping");
    player.run();
    let (op, url) = player.open.remove(0);
    player.engine.cancel(call);
    player.run();
    let back = player.visit(&url).unwrap();
    player.engine.complete(player.now, op, Completion::Callback { url: &back }).unwrap();
    player.run();
    player.call("ping").delivered();
    assert_eq!((player.count("/authorize"), player.count("/token")), (1, 1));
}

#[test]
fn nobody_waits_for_a_claim_that_nobody_needs() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.wait_s(3600);
    let until = player.now.unix_s + 9;
    player.store.claim(until);
    player.restart();
    let head = RequestHead::new("POST", "https://mcp.example.com/mcp");
    let call = player.engine.authorize(player.now, head).unwrap();
    player.run();
    assert!(player.engine.poll_timeout().is_some(), "it waits for the claim");
    player.engine.cancel(call);
    player.run();
    assert_eq!(player.engine.poll_timeout(), None);
    player.wait_s(20);
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2);
}

/// How many effects an engine asks for when all of them fail.
fn effects_when_all_fail(begin: impl FnOnce(&mut Engine, Now)) -> usize {
    let mut engine = Engine::new(config()).unwrap();
    let (mut now, mut effects) = (Now::new(1_000, 1_800_000_000), 0);
    begin(&mut engine, now);
    while effects < 10_000 {
        match engine.poll_output() {
            Some(Output::Perform { op, .. }) => {
                effects += 1;
                let failed = Completion::Failed(Failure::new(FailureKind::Other, ""));
                engine.complete(now, op, failed).unwrap();
            }
            Some(Output::NeedEntropy { len }) => engine.add_entropy(now, &vec![7; len]),
            Some(_) => {}
            None => match engine.poll_timeout() {
                Some(at_ms) => {
                    now.mono_ms = now.mono_ms.max(at_ms);
                    engine.handle_timeout(now);
                }
                None => break,
            },
        }
    }
    effects
}

#[test]
fn callbacks_that_come_while_nothing_works_end() {
    let effects = effects_when_all_fail(|engine, now| {
        for n in 0..5 {
            let _ = engine.callback(now, &format!("http://127.0.0.1:7000/?code={n}&state=s{n}"));
        }
    });
    assert!(effects < 200, "{effects}");
    // One that is over its budget begins no other for the callbacks that wait.
    let effects = effects_when_all_fail(|engine, now| {
        for n in 0..200 {
            let _ = engine.log_in(now);
            let _ = engine.callback(now, &format!("http://127.0.0.1:7000/?code={n}&state=s{n}"));
        }
    });
    assert!(effects < 5_000, "{effects}");
}
