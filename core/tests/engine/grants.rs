//! Grants other than the code: client credentials, assertions, device codes; pushed requests; what the user
//! has to prove.

use std::collections::BTreeSet;

use grantor::client::{Config, ConfigError, Engine, Flow, Preregistered};
use grantor::error::{
    EffectError, Failure, FailureKind, PeerIncompatible, PeerMisbehaved, PeerText, Refused, Work,
};
use grantor::jose::{Algorithm, ClaimsError};
use grantor::wire::challenge::Challenges;
use grantor::wire::client_auth::ClientAuthMethod;
use grantor::wire::token::{GrantType, TokenTypeUri};
use grantor::{
    AssertionAudience, AssertionKind, Completion, Effect, Error, Interaction, Key, ScopeSet, Secret,
    StepUpPolicy,
};
use grantor_world::authorization_server::RegisteredClient;
use grantor_world::grants::{jwt, signing_key};
use grantor_world::player::{User, config};
use grantor_world::{Outcome, Player};
use serde_json::json;

pub(crate) const AS: &str = "https://as.example.com";

pub(crate) fn by_itself(client: Preregistered) -> Config {
    config().flow(Flow::ClientCredentials).preregistered(client)
}

/// A player whose client is registered for itself, with this secret or key.
pub(crate) fn machine(config: Config, secret: Option<&str>, method: &str) -> Player {
    let mut player = Player::new(config);
    let server = player.world.server();
    server.auth_method = method.into();
    let registered = RegisteredClient {
        secret: secret.map(Into::into),
        key: (method == "private_key_jwt").then(|| signing_key().public().clone()),
        for_itself: true,
        ..RegisteredClient::default()
    };
    server.clients.insert("machine".into(), registered);
    player
}

pub(crate) fn opened_a_browser(player: &Player) -> bool {
    player.prompts.iter().any(|prompt| !matches!(prompt, Interaction::Approve(_)))
}

pub(crate) fn with_secret() -> Preregistered {
    Preregistered::new(AS, "machine").secret(Secret::from("planted-secret"))
}

#[test]
fn ext_client_credentials_with_each_way_of_authentication() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let mut player = machine(by_itself(with_secret()), Some("planted-secret"), method);
        assert_eq!(player.call("read").delivered().status(), 200, "{method}");
        assert!(!opened_a_browser(&player));
        assert_eq!(player.count("/register"), 0, "registered by hand");
    }
    let client = Preregistered::new(AS, "machine").key(Key::local(signing_key()));
    let mut player = machine(by_itself(client), None, "private_key_jwt");
    assert_eq!(player.call("read").delivered().status(), 200);
}

#[test]
fn rfc7523_2_2_a_key_held_elsewhere_signs_the_assertion() {
    let key = Key::external("kms/1", Algorithm::EdDsa, signing_key().public().clone());
    let client = Preregistered::new(AS, "machine").key(key);
    let mut player = machine(by_itself(client), None, "private_key_jwt");
    assert_eq!(player.call("read").delivered().status(), 200);
    assert!(player.signatures > 0);
}

#[test]
fn rfc7523_3_the_audience_can_be_the_token_endpoint_by_name_only() {
    let client = Preregistered::new(AS, "machine").key(Key::local(signing_key()));
    let config = by_itself(client).assertion_audience(AssertionAudience::TokenEndpoint);
    let mut player = machine(config, None, "private_key_jwt");
    // This server wants its issuer identifier, as draft-ietf-oauth-rfc7523bis has it.
    let Error::Refused(Refused::Token { code, .. }) = player.call("read").failed() else { panic!() };
    assert_eq!(code, "invalid_client");
}

#[test]
fn a_key_whose_algorithm_the_server_does_not_take() {
    let client = Preregistered::new(AS, "machine").key(Key::local(signing_key()));
    let mut player = machine(by_itself(client), None, "private_key_jwt");
    player.world.server().metadata = json!({ "token_endpoint_auth_signing_alg_values_supported": ["RS256"] });
    let expected = PeerIncompatible::NoAlgorithm { algorithm: Algorithm::EdDsa };
    assert_eq!(player.call("read").failed(), expected.into());
}

#[test]
fn client_secret_jwt_only_when_it_is_set_and_long_enough() {
    let short = with_secret().method(ClientAuthMethod::SecretJwt);
    assert_eq!(Engine::new(by_itself(short)).err(), Some(ConfigError::ShortSecret));
    let mut player = machine(by_itself(with_secret()), Some("planted-secret"), "client_secret_jwt");
    let expected = PeerIncompatible::NoClientAuthentication;
    assert_eq!(player.call("read").failed(), expected.into(), "never by itself");
}

#[test]
fn a_public_client_cannot_stand_for_itself() {
    let mut player = machine(by_itself(Preregistered::new(AS, "machine")), None, "none");
    assert_eq!(player.call("read").failed(), PeerIncompatible::NoClientAuthentication.into());
}

#[test]
fn rfc6749_4_4_tokens_are_renewed_without_a_challenge() {
    let mut player = machine(by_itself(with_secret()), Some("planted-secret"), "client_secret_basic");
    player.call("read").delivered();
    let asked = player.world.asked.len();
    player.wait_s(3601);
    assert_eq!(player.call("read").delivered().status(), 200);
    assert_eq!(
        player.world.asked.len() - asked,
        2,
        "the token request and the call: {:?}",
        player.world.asked
    );
}

#[test]
fn step_up_or_abort_by_policy() {
    let mut player = machine(by_itself(with_secret()), Some("planted-secret"), "client_secret_basic");
    player.call("read").delivered();
    assert_eq!(player.call("write").delivered().status(), 200, "by itself it asks for more");
    let config = by_itself(with_secret()).step_up(StepUpPolicy::Abort);
    let mut player = machine(config, Some("planted-secret"), "client_secret_basic");
    let demanded = ScopeSet::parse("files:read").unwrap();
    assert_eq!(player.call("read").failed(), Refused::InsufficientScope { demanded }.into());
}

#[test]
fn a_server_without_the_grant() {
    let mut player = machine(by_itself(with_secret()), Some("planted-secret"), "client_secret_basic");
    player.world.server().metadata = json!({ "grant_types_supported": ["authorization_code"] });
    let expected =
        PeerIncompatible::NoGrant { issuer: PeerText::new(AS), grant: GrantType::ClientCredentials };
    assert_eq!(player.call("read").failed(), expected.into());
}

// Workload identity.

pub(crate) fn workload() -> Player {
    let mut player =
        Player::new(config().flow(Flow::Workload).preregistered(Preregistered::new(AS, "workload")));
    let server = player.world.server();
    server.clients.insert("workload".into(), RegisteredClient::default());
    server.offers.assertions = BTreeSet::from(["planted-jwt".to_owned()]);
    player.assertion = Some(("planted-jwt".into(), TokenTypeUri::Jwt));
    player
}

#[test]
fn sep_1933_the_workloads_assertion_comes_fresh_each_time() {
    let mut player = workload();
    assert_eq!(player.call("ping").delivered().status(), 200);
    let asked = &player.assertions_asked[0];
    assert_eq!((asked.kind, &*asked.audience), (AssertionKind::Workload, AS));
    assert_eq!(&*asked.resource, "https://mcp.example.com/mcp");
    player.wait_s(3601);
    player.world.server().offers.assertions.insert("planted-jwt-2".into());
    player.assertion = Some(("planted-jwt-2".into(), TokenTypeUri::Jwt));
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(player.assertions_asked.len(), 2);
}

#[test]
fn sep_1933_a_rejected_assertion_is_not_tried_again_and_no_other_grant_is() {
    let mut player = workload();
    player.assertion = Some(("planted-other".into(), TokenTypeUri::Jwt));
    let Error::Refused(Refused::Token { code, .. }) = player.call("ping").failed() else { panic!() };
    assert_eq!(code, "invalid_grant");
    assert_eq!(player.count("/token"), 1);
    assert!(!opened_a_browser(&player));
}

#[test]
fn a_host_without_an_assertion() {
    let mut player = workload();
    player.assertion = None;
    assert_eq!(player.call("ping").failed(), Refused::Declined.into());
}

// Pushed authorization requests.

#[test]
fn rfc9126_pushed_where_the_server_demands_it() {
    let mut player = Player::new(config());
    player.world.server().offers.pushed_only = true;
    assert_eq!(player.call("read").delivered().status(), 200);
    assert_eq!(player.count("/par"), 2, "for the authorization and for the step-up");
    let Some(Interaction::Authorize(prompt)) = player.prompts.last() else { panic!() };
    let page = prompt.url.as_str();
    assert!(page.contains("request_uri=") && !page.contains("state=") && !page.contains("scope="), "{page}");
}

#[test]
fn rfc9126_2_3_a_refused_push() {
    let mut player = Player::new(config());
    player.world.server().offers.pushed_only = true;
    player.world.intercept = Some(Box::new(|asked| {
        let body = json!({ "error": "invalid_scope" });
        (asked.uri().path() == "/par").then(|| grantor_world::json(http::StatusCode::BAD_REQUEST, &body))
    }));
    let Error::Refused(Refused::Token { code, .. }) = player.call("read").failed() else { panic!() };
    assert_eq!(code, "invalid_scope");
}

// Who the user is, and what they proved.

fn with_openid() -> Player {
    let config = config().scopes(ScopeSet::parse("openid").unwrap());
    let mut player = Player::new(config);
    player.world.server().offers.id_tokens = true;
    player
}

#[test]
fn openid_the_account_has_a_label_and_keeps_it() {
    let mut player = with_openid();
    assert!(player.engine.account_label().is_none());
    player.call("ping").delivered();
    assert_eq!(player.engine.account_label().unwrap().to_string(), "ada");
    player.restart();
    player.call("ping").delivered();
    assert_eq!(player.engine.account_label().unwrap().to_string(), "ada");
}

#[test]
fn openid_3_1_3_7_an_id_token_for_somebody_else() {
    for (claim, value, problem) in [
        ("aud", "other", ClaimsError::Audience),
        ("iss", "https://other", ClaimsError::Issuer),
        ("nonce", "other", ClaimsError::Nonce),
    ] {
        let mut player = with_openid();
        player.world.intercept = Some(id_token_with(claim, value));
        assert_eq!(player.call("ping").failed(), PeerMisbehaved::IdToken(problem).into());
    }
}

fn id_token_with(claim: &'static str, value: &'static str) -> grantor_world::Intercept {
    Box::new(move |asked| {
        (asked.uri().path() == "/token").then(|| {
            let mut claims = json!({
                "iss": AS, "sub": "1", "aud": "client-1-of-as.example.com", "iat": 1_800_000_000,
                "exp": 1_800_000_300,
            });
            claims[claim] = json!(value);
            let body = json!({
                "access_token": "planted-a", "token_type": "Bearer", "expires_in": 60,
                "id_token": jwt("JWT", &claims),
            });
            grantor_world::json(http::StatusCode::OK, &body)
        })
    })
}

#[test]
fn rfc9470_3_the_user_proves_themselves_as_demanded() {
    let mut player = with_openid();
    player.call("ping").delivered();
    player.world.mcp.acr = Some("gold".into());
    assert_eq!(player.call("ping").delivered().status(), 200);
    let Some(Interaction::Authorize(prompt)) = player.prompts.last() else { panic!() };
    assert!(prompt.url.as_str().contains("acr_values=gold&max_age=60"), "{}", prompt.url.as_str());
    assert_eq!(player.count("/token"), 2, "a refresh would be of no use");
}

#[test]
fn rfc9470_5_an_id_token_with_another_acr() {
    let mut player = with_openid();
    player.call("ping").delivered();
    player.world.mcp.acr = Some("gold".into());
    // The user's page asks for less than the engine did.
    let location = {
        let call = player.begin("ping");
        player.user = User::Leaves;
        player.run();
        assert!(player.outcome(call).is_none());
        let (_, page) = player.open.remove(0);
        player.visit(&page.replace("acr_values=gold", "acr_values=tin")).unwrap()
    };
    let outcome = player.callback(&location);
    assert_eq!(outcome.failed(), PeerMisbehaved::IdToken(ClaimsError::Acr).into());
}

#[test]
fn rfc9470_5_an_id_token_that_says_nothing() {
    let opaque: fn() -> grantor_world::Intercept = || {
        Box::new(|asked| {
            let body = json!({
                "access_token": "planted-a", "token_type": "Bearer", "expires_in": 60, "id_token": "opaque",
            });
            (asked.uri().path() == "/token").then(|| grantor_world::json(http::StatusCode::OK, &body))
        })
    };
    let mut player = with_openid();
    player.call("ping").delivered();
    player.world.mcp.acr = Some("gold".into());
    player.world.intercept = Some(opaque());
    let error = player.call("ping").failed();
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IdTokenSyntax(_))), "{error}");
    // Where nothing hangs on it, there is only no label.
    let mut player = with_openid();
    player.world.intercept = Some(opaque());
    player.call("ping").failed(); // the world's server did not issue that token
    let findings: Vec<String> = player.engine.findings().iter().map(ToString::to_string).collect();
    assert_eq!(
        findings,
        [
            "token request (authorization code): `id_token` cannot be read: the token is not made of three parts; \
          treated as absent (OpenID Connect Core section 3.1.3.7)"
        ]
    );
}

#[test]
fn rfc9470_a_server_that_is_never_satisfied() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.world.mcp.acr = Some("gold".into());
    // The token never says how the user proved themselves.
    let call = player.begin("ping");
    player.user = User::Leaves;
    player.run();
    let (_, page) = player.open.remove(0);
    let location = player.visit(&page.replace("acr_values=gold", "x=y")).unwrap();
    assert!(matches!(player.callback(&location), Outcome::Done));
    assert_eq!(player.outcome(call).unwrap().failed(), Refused::InsufficientAuthentication.into());
}

#[test]
fn rfc9396_2_authorization_details_are_carried_through() {
    let details = r#"[{"type":"files","actions":["read"]}]"#;
    let mut player = Player::new(config().authorization_details(details).unwrap());
    player.call("ping").delivered();
    let Some(Interaction::Authorize(prompt)) = player.prompts.last() else { panic!() };
    assert!(prompt.url.as_str().contains("&authorization_details=%5B%7B%22type%22%3A%22files%22"));
    for bad in ["{}", "[1]", r#"[{"type":1}]"#, r#"[{"actions":[]}]"#] {
        assert_eq!(config().authorization_details(bad).err(), Some(ConfigError::AuthorizationDetails));
    }
}

// Without a request, and challenges that come another way.

#[test]
fn logging_in_ahead_of_time() {
    let mut player = Player::new(config());
    assert!(matches!(player.log_in(), Outcome::Done));
    let asked = player.world.asked.len();
    assert!(matches!(player.log_in(), Outcome::Done));
    assert_eq!(player.world.asked.len(), asked, "there is a token already");
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(player.world.asked.len(), asked + 1);
}

#[test]
fn mcp_challenges_in_the_meta_of_a_result() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    let body = r#"{"jsonrpc":"2.0","id":1,"result":{"isError":true,"_meta":{"mcp/www_authenticate":
        "Bearer error=\"insufficient_scope\", scope=\"files:write\""}}}"#;
    let challenges = Challenges::of_result(body.as_bytes()).unwrap();
    let url = player.world.mcp.resource.clone();
    let head = grantor::client::RequestHead::new("POST", &url);
    let call = player.engine.step_up(player.now, head, &challenges);
    player.run();
    assert!(matches!(player.outcome(call), Some(Outcome::Done)));
    assert_eq!(player.call("write").delivered().status(), 200);
    // The same again leads nowhere: the token has the scope.
    let call = player.engine.step_up(player.now, head, &challenges);
    player.run();
    let demanded = ScopeSet::parse("files:write").unwrap();
    assert_eq!(player.outcome(call).unwrap().failed(), Refused::InsufficientScope { demanded }.into());
    let none = Challenges::of_result(br#"{"result":{"content":[]}}"#).unwrap();
    assert!(none.is_empty());
    let (call, asked) = (player.engine.step_up(player.now, head, &none), player.world.asked.len());
    player.run();
    assert!(matches!(player.outcome(call), Some(Outcome::Done)), "nothing is demanded");
    assert_eq!(player.world.asked.len(), asked);
    assert!(Challenges::of_result(b"not JSON").unwrap().is_empty());
}

#[test]
fn a_signer_that_fails() {
    let key = Key::external("kms/1", Algorithm::EdDsa, signing_key().public().clone());
    let mut player = machine(by_itself(Preregistered::new(AS, "machine").key(key)), None, "private_key_jwt");
    player.holding = Some(|effect| matches!(effect, Effect::Sign { .. }));
    let call = player.begin("ping");
    player.run();
    let (op, _) = player.held.remove(0);
    let failure = Failure::new(FailureKind::Other, "the HSM is locked");
    player.engine.complete(player.now, op, Completion::Failed(failure)).unwrap();
    player.run();
    let Error::Effect(EffectError { what, .. }) = player.outcome(call).unwrap().failed() else { panic!() };
    assert_eq!(what, Work::Signing);
    player.holding = None;
    assert_eq!(player.call("ping").delivered().status(), 200, "the next call may succeed");
}

#[test]
fn a_signature_of_the_wrong_size() {
    let key = Key::external("kms/1", Algorithm::EdDsa, signing_key().public().clone());
    let mut player = machine(by_itself(Preregistered::new(AS, "machine").key(key)), None, "private_key_jwt");
    player.holding = Some(|effect| matches!(effect, Effect::Sign { .. }));
    let call = player.begin("ping");
    player.run();
    let (op, _) = player.held.remove(0);
    player.engine.complete(player.now, op, Completion::Signed { signature: b"short" }).unwrap();
    player.run();
    let Error::Effect(EffectError { what, .. }) = player.outcome(call).unwrap().failed() else { panic!() };
    assert_eq!(what, Work::Signing);
}
