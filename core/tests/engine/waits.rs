//! Servers that are busy for a moment (RFC 9110 10.2.3): told, waited for once, and asked the same again.

use grantor::client::{CallId, Flow, Notice};
use grantor::error::{Exchange, Refused};
use grantor::{Error, limits};
use grantor_world::player::{Player, config};
use grantor_world::{Outcome, json, text, with};
use http::StatusCode;

/// Requests for this path are answered so, as often as `times` says.
fn busy(player: &mut Player, path: &'static str, status: StatusCode, after: u32, times: usize) {
    let mut left = times;
    player.world.intercept = Some(Box::new(move |request| {
        let hit = request.uri().path() == path && left > 0;
        left -= usize::from(hit);
        hit.then(|| with(text(status, "busy"), "retry-after", &after.to_string()))
    }));
}

fn is_told(player: &Player, exchange: Exchange, seconds: u32) -> usize {
    let waiting = Notice::Waiting { exchange, seconds };
    player.notices.iter().filter(|notice| **notice == waiting).count()
}

/// The exchanges of a first call with their paths.
const FIRST: [(Exchange, &str); 4] = [
    (Exchange::ResourceMetadata, "/.well-known/oauth-protected-resource/mcp"),
    (Exchange::ServerMetadata, "/.well-known/oauth-authorization-server"),
    (Exchange::Registration, "/register"),
    (Exchange::CodeToken, "/token"),
];

fn wait(player: &mut Player, call: CallId, after: u32) -> Outcome {
    assert!(player.outcome(call).is_none(), "it waits");
    assert_eq!(player.engine.poll_timeout(), Some(player.now.mono_ms + u64::from(after) * 1000));
    player.wait_s(after.into());
    player.outcome(call).expect("it has ended")
}

#[test]
fn rfc9110_10_2_3_in_every_exchange_of_a_first_call() {
    for (exchange, path) in FIRST {
        for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
            for after in [0, 1, limits::RETRY_AFTER_S] {
                let mut player = Player::new(config());
                busy(&mut player, path, status, after, 1);
                let call = player.begin("ping");
                player.run();
                wait(&mut player, call, after).delivered();
                assert_eq!(player.count(path), 2, "{path}: the same again");
                assert_eq!(is_told(&player, exchange, after), 1, "{path}");
                assert_eq!(
                    (player.count("/authorize"), player.count("/register")),
                    (1, if path == "/register" { 2 } else { 1 })
                );
            }
        }
    }
}

/// Whether nobody else could have the answer, as with metadata.
fn is_last_word(exchange: Exchange) -> bool {
    matches!(exchange, Exchange::Registration | Exchange::CodeToken)
}

#[test]
fn rfc9110_10_2_3_longer_or_more_often_is_the_error() {
    for (exchange, path) in FIRST {
        for (after, times, asked) in [(limits::RETRY_AFTER_S + 1, 1, 1), (1, 9, 2)] {
            let mut player = Player::new(config());
            busy(&mut player, path, StatusCode::TOO_MANY_REQUESTS, after, times);
            let call = player.begin("ping");
            player.run();
            player.wait_s(1);
            if let Some(Outcome::Failed(error)) = player.outcome(call) {
                let tells = match error.error {
                    Error::Refused(Refused::Unavailable { status: 429, retry_after_s, .. }) => {
                        retry_after_s == Some(after) && error.to_string().contains(&after.to_string())
                    }
                    _ => false,
                };
                assert!(tells || !is_last_word(exchange), "{exchange}: {error}");
            } else if is_last_word(exchange) {
                panic!("{exchange}: it goes on");
            }
            assert!(player.count(path) <= asked + 1, "{path}: {}", player.count(path));
            player.world.intercept = None;
            player.wait_s(60);
            player.call("ping").delivered();
        }
    }
}

#[test]
fn rfc9110_10_2_3_in_a_refresh_a_log_out_and_a_device_authorization() {
    let mut player = Player::new(config());
    player.world.server().offers.revocation = true;
    player.call("ping").delivered();
    player.wait_s(3600);
    busy(&mut player, "/token", StatusCode::TOO_MANY_REQUESTS, 7, 1);
    let call = player.begin("ping");
    player.run();
    wait(&mut player, call, 7).delivered();
    assert_eq!(is_told(&player, Exchange::RefreshToken, 7), 1);

    busy(&mut player, "/revoke", StatusCode::SERVICE_UNAVAILABLE, 2, 1);
    let log_out = player.engine.log_out(player.now);
    player.run();
    assert!(matches!(wait(&mut player, log_out, 2), Outcome::Done));
    assert_eq!((is_told(&player, Exchange::Revocation, 2), player.count("/revoke")), (1, 3));

    let mut player = Player::new(config().flow(Flow::Device));
    player.world.server().devices = true;
    busy(&mut player, "/device", StatusCode::TOO_MANY_REQUESTS, 3, 1);
    let call = player.begin("ping");
    player.run();
    player.wait_s(3);
    player.wait_s(5);
    player.outcome(call).unwrap().delivered();
    assert_eq!(is_told(&player, Exchange::DeviceAuthorization, 3), 1);
}

#[test]
fn rfc9110_10_2_3_an_exchange_that_comes_again_is_not_waited_for_again() {
    let mut player = Player::new(config());
    player.world.server().refresh_tokens = false;
    player.call("ping").delivered();
    player.wait_s(3600);
    let busy = || with(text(StatusCode::TOO_MANY_REQUESTS, "busy"), "retry-after", "2");
    let (mut tokens, mut registrations) = (0, 0);
    player.world.intercept = Some(Box::new(move |request| match request.uri().path() {
        "/token" => {
            tokens += 1;
            let unknown = serde_json::json!({ "error": "invalid_client" });
            Some(if tokens == 2 { json(StatusCode::UNAUTHORIZED, &unknown) } else { busy() })
        }
        "/register" => {
            registrations += 1;
            (registrations == 1).then(busy)
        }
        _ => None,
    }));
    let call = player.begin("ping");
    player.run();
    player.wait_s(2);
    assert_eq!(
        (is_told(&player, Exchange::CodeToken, 2), is_told(&player, Exchange::Registration, 2)),
        (1, 1)
    );
    let Outcome::Failed(report) = wait(&mut player, call, 2) else { panic!("it was waited for before") };
    assert!(matches!(report.error, Error::Refused(Refused::Unavailable { status: 429, .. })), "{report}");
    assert_eq!(is_told(&player, Exchange::CodeToken, 2), 1, "once");
    player.world.intercept = None;
    player.wait_s(60);
    player.call("ping").delivered();
}

#[test]
fn nobody_waits_for_nobody() {
    for (_, path) in FIRST {
        let mut player = Player::new(config());
        busy(&mut player, path, StatusCode::TOO_MANY_REQUESTS, 5, 1);
        let call = player.begin("ping");
        player.run();
        player.engine.cancel(call);
        player.wait_s(5);
        // A code in hand is exchanged all the same: nobody else has it.
        assert_eq!(player.count(path), if path == "/token" { 2 } else { 1 }, "{path}");
        player.call("ping").delivered();
    }
}
