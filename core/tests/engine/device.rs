//! Device authorization (RFC 8628).

use grantor::client::Flow;
use grantor::error::{Failure, FailureKind, PeerIncompatible, PeerMisbehaved, PeerText, Refused};
use grantor::wire::token::GrantType;
use grantor::{Completion, Effect, Error, Interaction, UrlProblem};
use grantor_world::Player;
use grantor_world::grants::Device;
use grantor_world::player::config;

use crate::grants::AS;

pub(crate) fn device() -> Player {
    let mut player = Player::new(config().flow(Flow::Device));
    player.world.server().devices = true;
    player
}

fn waiting(player: &mut Player) -> grantor::client::CallId {
    let call = player.begin("ping");
    player.run();
    assert!(player.outcome(call).is_none(), "it waits for the user");
    call
}

#[test]
fn rfc8628_3_the_code_is_shown_and_the_engine_polls() {
    let mut player = device();
    let call = waiting(&mut player);
    let Some(Interaction::Device(prompt)) = player.prompts.last().cloned() else { panic!() };
    assert!(prompt.user_code.starts_with("WXYZ-"));
    assert_eq!(prompt.verification_uri.as_str(), "https://as.example.com/activate");
    player.wait_s(5);
    assert_eq!(player.outcome(call).unwrap().delivered().status(), 200);
    assert_eq!(player.count("/authorize"), 0);
}

#[test]
fn rfc8628_3_5_pending_slow_down_and_the_interval() {
    let mut player = device();
    player.world.server().offers.device = Device::Ignored;
    let call = waiting(&mut player);
    for second in 1..=20 {
        player.wait_s(1);
        assert_eq!(player.world.server().offers.polls, second / 5, "every five seconds");
    }
    player.world.server().offers.device = Device::TooFast;
    player.wait_s(5);
    assert_eq!(player.world.server().offers.polls, 5);
    player.world.server().offers.device = Device::Agreed;
    player.wait_s(9);
    assert!(player.outcome(call).is_none(), "ten seconds from now on");
    player.wait_s(1);
    assert_eq!(player.outcome(call).unwrap().delivered().status(), 200);
}

#[test]
fn rfc8628_3_5_denied_and_codes_that_never_complete() {
    let mut player = device();
    player.world.server().offers.device = Device::Denied;
    let call = waiting(&mut player);
    player.wait_s(5);
    let Error::Refused(Refused::Token { code, .. }) = player.outcome(call).unwrap().failed() else {
        panic!()
    };
    assert_eq!(code, "access_denied");

    let mut player = device();
    player.world.server().offers.device = Device::Ignored;
    let call = waiting(&mut player);
    for _ in 0..130 {
        player.wait_s(5);
    }
    assert_eq!(player.outcome(call).unwrap().failed(), Refused::DeviceCodeExpired.into());
    assert!(player.world.server().offers.polls <= 121, "and it stops polling");
}

#[test]
fn rfc8628_3_5_polls_without_an_answer_are_tried_again_more_slowly() {
    let mut player = device();
    let call = waiting(&mut player);
    let is_poll =
        |effect: &Effect| matches!(effect, Effect::Http { request, .. } if request.url.path() == "/token");
    for (kind, wait_s) in
        [(FailureKind::Broken, 5), (FailureKind::Unreachable, 10), (FailureKind::TimedOut, 20)]
    {
        player.holding = Some(is_poll);
        player.wait_s(wait_s - 1);
        assert!(player.held.is_empty(), "{kind:?}");
        player.wait_s(1);
        let (op, _) = player.held.pop().unwrap();
        player.complete(op, Completion::Failed(Failure::new(kind, "")));
    }
    player.holding = None;
    player.wait_s(40);
    assert_eq!(player.outcome(call).unwrap().delivered().status(), 200);
    // What is no matter of the network does not get better.
    let mut player = device();
    let call = waiting(&mut player);
    player.holding = Some(is_poll);
    player.wait_s(5);
    let (op, _) = player.held.pop().unwrap();
    player.complete(op, Completion::Failed(Failure::new(FailureKind::Other, "")));
    player.run();
    assert!(matches!(player.outcome(call).unwrap().failed(), Error::Effect(_)));
}

#[test]
fn rfc8628_3_5_a_token_on_its_way_outlives_the_code() {
    let mut player = device();
    let call = waiting(&mut player);
    player.holding =
        Some(|effect| matches!(effect, Effect::Http { request, .. } if request.url.path() == "/token"));
    player.wait_s(5);
    player.wait_s(596);
    assert!(player.outcome(call).is_none(), "the answer decides");
    player.release();
    assert_eq!(player.outcome(call).unwrap().delivered().status(), 200);
}

#[test]
fn rfc8628_3_5_a_server_that_is_busy_is_polled_more_slowly() {
    let mut player = device();
    let call = waiting(&mut player);
    player.world.intercept = Some(Box::new(|asked| {
        let busy = grantor_world::text(http::StatusCode::SERVICE_UNAVAILABLE, "");
        (asked.uri().path() == "/token").then_some(busy)
    }));
    player.wait_s(5);
    player.world.intercept = None;
    player.wait_s(9);
    assert!(player.outcome(call).is_none());
    player.wait_s(1);
    assert_eq!(player.outcome(call).unwrap().delivered().status(), 200);
}

#[test]
fn forgotten_clients_are_registered_again_before_the_browser_too() {
    let mut player = device();
    waiting(&mut player);
    player.wait_s(5);
    player.world.server().forget_clients();
    player.world.server().revoke_all();
    let call = waiting(&mut player);
    player.wait_s(5);
    assert_eq!(player.outcome(call).unwrap().delivered().status(), 200);

    let mut player = Player::new(config());
    player.world.server().offers.pushed_only = true;
    player.call("ping").delivered();
    player.world.server().forget_clients();
    player.world.server().revoke_all();
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(player.count("/register"), 2);
}

#[test]
fn rfc8628_a_server_without_devices() {
    let mut player = Player::new(config().flow(Flow::Device));
    let expected = PeerIncompatible::NoGrant { issuer: PeerText::new(AS), grant: GrantType::DeviceCode };
    assert_eq!(player.call("ping").failed(), expected.into());
}

#[test]
fn a_cancelled_device_authorization_stops_polling() {
    let mut player = device();
    player.world.server().offers.device = Device::Ignored;
    let call = waiting(&mut player);
    player.engine.cancel(call);
    player.wait_s(60);
    assert!(player.world.server().offers.polls <= 1);
    let again = waiting(&mut player);
    player.world.server().offers.device = Device::Agreed;
    player.wait_s(5);
    assert_eq!(player.outcome(again).unwrap().delivered().status(), 200);
}

#[test]
fn rfc8628_3_3_the_page_for_the_user_passes_the_policy_for_urls() {
    for (page, problem) in [
        ("http://as.example.com/activate", UrlProblem::Insecure),
        ("https://10.0.0.1/activate", UrlProblem::PrivateHost),
        ("https://router.local/activate", UrlProblem::PrivateHost),
        ("https://as.example.com@evil.example/activate", UrlProblem::UserInfo),
        ("https://as.example.com/activate#x", UrlProblem::Fragment),
    ] {
        for complete in [false, true] {
            let mut player = device();
            player.world.intercept = Some(Box::new(move |asked| {
                (asked.uri().path() == "/device").then(|| {
                    let good = "https://as.example.com/activate";
                    let body = serde_json::json!({
                        "device_code": "planted-device", "user_code": "ABCD", "expires_in": 600,
                        "verification_uri": if complete { good } else { page },
                        "verification_uri_complete": if complete { page } else { good },
                    });
                    grantor_world::json(http::StatusCode::OK, &body)
                })
            }));
            let call = player.begin("ping");
            player.run();
            if complete {
                // What is optional and unusable is as if it was not there.
                let Some(Interaction::Device(prompt)) = player.prompts.last() else { panic!("{page}") };
                assert_eq!(prompt.verification_uri_complete, None, "{page}");
                continue;
            }
            let error = PeerMisbehaved::Url { field: "verification_uri", problem };
            assert_eq!(player.outcome(call).unwrap().failed(), error.into(), "{page}");
            assert!(!player.prompts.iter().any(|prompt| matches!(prompt, Interaction::Device(_))));
            player.world.intercept = None;
            let call = waiting(&mut player);
            player.wait_s(5);
            player.outcome(call).unwrap().delivered();
        }
    }
}
