//! Tokens that are bound to a key (RFC 9449).

use grantor::client::Notice;
use grantor::error::{PeerIncompatible, PeerMisbehaved, PeerText, Refused};
use grantor::jose::{Algorithm, SigningKey};
use grantor::{ApiMisuse, DpopPolicy, Error, Key};
use grantor_world::Player;
use grantor_world::grants::signing_key;
use grantor_world::player::config;

pub(crate) fn bound(policy: DpopPolicy) -> Player {
    let mut player = Player::new(config().dpop(policy));
    player.world.server().offers.dpop = true;
    player
}

#[test]
fn rfc9449_5_and_7_token_and_requests_carry_proofs() {
    let mut player = bound(DpopPolicy::WhenSupported);
    assert_eq!(player.call("read").delivered().status(), 200);
    assert_eq!(player.call("read").delivered().status(), 200, "each with a proof of its own");
    assert!(player.said.iter().all(|said| !said.contains("planted-access")));
}

#[test]
fn rfc9449_5_refresh_and_restart_use_the_same_key() {
    let mut player = bound(DpopPolicy::Required);
    player.call("ping").delivered();
    player.wait_s(3601);
    assert_eq!(player.call("ping").delivered().status(), 200, "the server compares the keys");
    player.restart();
    player.wait_s(3601);
    assert_eq!(player.call("ping").delivered().status(), 200, "the key is stored with the tokens");
    assert_eq!(player.count("/authorize"), 1);
}

#[test]
fn off_by_itself() {
    let mut player = Player::new(config());
    player.world.server().offers.dpop = true;
    player.call("ping").delivered();
    assert!(!player.store.dump().contains("\"dpop\""));
}

#[test]
fn required_of_a_server_that_ignores_it() {
    let required = || Player::new(config().dpop(DpopPolicy::Required));
    let mut player = required();
    let issuer = PeerText::new("https://as.example.com");
    assert_eq!(player.call("ping").failed(), PeerIncompatible::NoDpop { issuer }.into(), "it never said so");
    let mut player = required();
    player.world.server().metadata = serde_json::json!({ "dpop_signing_alg_values_supported": ["ES256"] });
    assert_eq!(player.call("ping").failed(), PeerMisbehaved::NotBound.into());
    let mut player = Player::new(config().dpop(DpopPolicy::WhenSupported));
    assert_eq!(player.call("ping").delivered().status(), 200, "a bearer token, then");
}

#[test]
fn rfc9449_5_1_algorithms_of_the_server() {
    let only = |name: &str| serde_json::json!({ "dpop_signing_alg_values_supported": [name] });
    let mut player = bound(DpopPolicy::Required);
    player.world.server().metadata = only("RS256");
    let issuer = PeerText::new("https://as.example.com");
    assert_eq!(player.call("ping").failed(), PeerIncompatible::NoDpop { issuer }.into());
    let mut player = bound(DpopPolicy::Required);
    player.world.server().metadata = only("EdDSA");
    assert_eq!(player.call("ping").delivered().status(), 200, "a key for that algorithm is made");
    let own = Key::local(SigningKey::generate(Algorithm::Es256, &[7; 32]).unwrap());
    let mut player = Player::new(config().dpop(DpopPolicy::Required).dpop_key(own));
    player.world.server().metadata = only("EdDSA");
    let expected = PeerIncompatible::NoAlgorithm { algorithm: Algorithm::Es256 };
    assert_eq!(player.call("ping").failed(), expected.into());
}

#[test]
fn a_key_held_elsewhere_signs_every_proof() {
    let key = Key::external("kms/1", Algorithm::EdDsa, signing_key().public().clone());
    let mut player = Player::new(config().dpop(DpopPolicy::Required).dpop_key(key));
    player.world.server().offers.dpop = true;
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(player.signatures, 2, "the token request and the call");
    assert!(!player.store.dump().contains("\"d\\\""), "no private key is stored");
    player.wait_s(3601);
    assert_eq!(player.call("ping").delivered().status(), 200);
}

#[test]
fn a_lost_key_is_said_and_leads_to_a_new_login() {
    let key = || Key::local(SigningKey::generate(Algorithm::Es256, &[7; 32]).unwrap());
    let mut player = Player::new(config().dpop(DpopPolicy::Required).dpop_key(key()));
    player.world.server().offers.dpop = true;
    player.call("ping").delivered();
    let other = Key::local(SigningKey::generate(Algorithm::Es256, &[8; 32]).unwrap());
    player.restart_with(config().dpop(DpopPolicy::Required).dpop_key(other));
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert!(player.notices.contains(&Notice::KeyLost));
    assert_eq!(player.count("/authorize"), 2);
}

#[test]
fn rfc9449_8_and_9_nonces_of_each_server_are_kept_apart() {
    let mut player = bound(DpopPolicy::Required);
    player.world.server().offers.dpop_nonce = Some("of-the-as".into());
    player.world.mcp.dpop_nonce = Some("of-the-rs".into());
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(player.count("/token"), 2, "once more with the nonce");
    let asked = player.world.asked.len();
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(player.world.asked.len() - asked, 1, "the nonce is known now");
    player.world.mcp.dpop_nonce = Some("another".into());
    assert_eq!(player.call("ping").delivered().status(), 200, "nonces change");
    player.wait_s(3601);
    player.world.server().offers.dpop_nonce = Some("another".into());
    assert_eq!(player.call("ping").delivered().status(), 200, "during a refresh, too");
}

#[test]
fn rfc9449_8_nonces_that_change_every_time_are_bounded() {
    let mut player = bound(DpopPolicy::Required);
    let mut n = 0;
    player.world.intercept = Some(Box::new(move |asked| {
        n += 1;
        let body = serde_json::json!({ "error": "use_dpop_nonce" });
        let answer = grantor_world::json(http::StatusCode::BAD_REQUEST, &body);
        (asked.uri().path() == "/token")
            .then(|| grantor_world::with(answer, "dpop-nonce", &format!("nonce-{n}")))
    }));
    assert_eq!(player.call("ping").failed(), PeerMisbehaved::DpopNonce.into());
    assert_eq!(player.count("/token"), 2);

    let mut player = bound(DpopPolicy::Required);
    player.call("ping").delivered();
    let mut n = 0;
    player.world.intercept = Some(Box::new(move |asked| {
        n += 1;
        let answer = grantor_world::text(http::StatusCode::UNAUTHORIZED, "");
        let answer = grantor_world::with(answer, "www-authenticate", "DPoP error=\"use_dpop_nonce\"");
        (asked.uri().path() == "/mcp")
            .then(|| grantor_world::with(answer, "dpop-nonce", &format!("nonce-{n}")))
    }));
    let asked = player.world.asked.len();
    assert_eq!(player.call("ping").failed(), PeerMisbehaved::DpopNonce.into());
    assert_eq!(player.world.asked.len() - asked, 2);
}

#[test]
fn rfc9449_8_nonces_of_pushed_requests_are_bounded() {
    let mut player = bound(DpopPolicy::Required);
    player.world.server().offers.pushed_only = true;
    let mut n = 0;
    player.world.intercept = Some(Box::new(move |asked| {
        n += 1;
        let body = serde_json::json!({ "error": "use_dpop_nonce" });
        let answer = grantor_world::json(http::StatusCode::BAD_REQUEST, &body);
        (asked.uri().path() == "/par")
            .then(|| grantor_world::with(answer, "dpop-nonce", &format!("nonce-{n}")))
    }));
    assert_eq!(player.call("ping").failed(), PeerMisbehaved::DpopNonce.into());
    assert_eq!(player.count("/par"), 2);
}

#[test]
fn a_stored_bearer_token_is_not_used_where_the_policy_demands_bound_ones() {
    let mut player = Player::new(config());
    player.world.server().offers.dpop = true;
    player.call("ping").delivered();
    assert!(!player.store.dump().contains("\"dpop\""));
    player.restart_with(config().dpop(DpopPolicy::Required));
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert!(player.store.dump().contains("\"dpop\""));
    assert_eq!(player.count("/authorize"), 2);
}

#[test]
fn rfc9449_7_1_a_bearer_token_is_never_taken_for_a_bound_one() {
    let mut player = Player::new(config());
    player.world.intercept = Some(Box::new(|asked| {
        let body = serde_json::json!({ "access_token": "planted-a", "token_type": "DPoP", "expires_in": 60 });
        (asked.uri().path() == "/token").then(|| grantor_world::json(http::StatusCode::OK, &body))
    }));
    let expected = PeerIncompatible::TokenType { got: PeerText::new("DPoP") };
    assert_eq!(player.call("ping").failed(), expected.into(), "no proof was sent");
}

#[test]
fn rfc9449_10_1_pushed_requests_carry_a_proof() {
    let mut player = bound(DpopPolicy::Required);
    player.world.server().offers.pushed_only = true;
    player.world.server().offers.dpop_nonce = Some("n".into());
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(player.count("/par"), 2, "once more with the nonce");
}

#[test]
fn a_method_that_is_none() {
    let mut player = bound(DpopPolicy::Required);
    let head = grantor::client::RequestHead::new("GE T", "https://mcp.example.com/mcp");
    assert_eq!(player.engine.authorize(player.now, head).err(), Some(ApiMisuse::Method));
}

#[test]
fn a_rejected_bound_token_is_renewed_like_any_other() {
    let mut player = bound(DpopPolicy::Required);
    player.call("ping").delivered();
    player.world.server().expire_access_tokens();
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(player.count("/authorize"), 1);
    player.world.mcp.rejects_all = true;
    let error = player.call("ping").failed();
    assert!(matches!(error, Error::Refused(Refused::TokenRejected)), "{error}");
}
