//! Enterprise-managed authorization: the user's assertion from the host, or by sign-on with the provider; and what
//! is bound to one server.

use std::collections::BTreeSet;

use grantor::client::{Enterprise, Flow, Preregistered};
use grantor::error::{Exchange, PeerIncompatible, PeerMisbehaved, PeerText};
use grantor::finding::Problem;
use grantor::jose::ClaimsError;
use grantor::wire::token::TokenTypeUri;
use grantor::{AssertionKind, Error, Interaction, Secret};
use grantor_world::authorization_server::RegisteredClient;
use grantor_world::grants::jwt;
use grantor_world::player::{User, config};
use grantor_world::{AuthorizationServer, Outcome, Player};
use serde_json::json;

use crate::grants::{AS, opened_a_browser};

const IDP: &str = "https://idp.example.com";

pub(crate) fn enterprise() -> Player {
    let flow = Enterprise::new(IDP, Preregistered::new(IDP, "at-idp"));
    let flow = Flow::Enterprise(Box::new(flow));
    let mut player = Player::new(config().flow(flow).preregistered(Preregistered::new(AS, "at-as")));
    player.world.server().clients.insert("at-as".into(), RegisteredClient::default());
    player.world.server().offers.jag_client = "at-as".into();
    let mut provider = AuthorizationServer::new(IDP);
    provider.clients.insert("at-idp".into(), RegisteredClient::default());
    provider.offers.signed_on = BTreeSet::from(["planted-id-token".to_owned()]);
    provider.offers.jag_client = "at-as".into();
    player.world.add(provider);
    player.assertion = Some(("planted-id-token".into(), TokenTypeUri::IdToken));
    player
}

#[test]
fn ext_enterprise_managed_authorization_without_the_user() {
    let mut player = enterprise();
    assert_eq!(player.call("read").delivered().status(), 200);
    let asked = &player.assertions_asked[0];
    assert_eq!((asked.kind, &*asked.audience), (AssertionKind::User, "at-idp"));
    assert!(!opened_a_browser(&player));
    player.wait_s(3601);
    assert_eq!(player.call("read").delivered().status(), 200, "renewed without the user");
    assert_eq!(player.count("GET https://idp.example.com"), 1, "the provider was discovered once");
    assert!(!player.said.iter().any(|said| said.contains("planted-id-token")));
}

/// A player whose client signs the user on with the provider.
pub(crate) fn with_sign_on() -> Player {
    let flow = Enterprise::new(IDP, Preregistered::new(IDP, "at-idp")).sign_on();
    let flow = Flow::Enterprise(Box::new(flow));
    let mut player = Player::new(config().flow(flow).preregistered(Preregistered::new(AS, "at-as")));
    player.world.server().clients.insert("at-as".into(), RegisteredClient::default());
    player.world.server().offers.jag_client = "at-as".into();
    let mut provider = AuthorizationServer::new(IDP);
    let redirect_uris = vec![player.redirect_uri.clone()];
    provider
        .clients
        .insert("at-idp".into(), RegisteredClient { redirect_uris, ..RegisteredClient::default() });
    provider.offers.id_tokens = true;
    provider.offers.jag_client = "at-as".into();
    player.world.add(provider);
    player
}

#[test]
fn ext_enterprise_sign_on_with_the_provider_once() {
    let mut player = with_sign_on();
    assert_eq!(player.call("ping").delivered().status(), 200);
    let Some(Interaction::Authorize(prompt)) = player.prompts.last() else { panic!() };
    assert!(prompt.url.as_str().starts_with("https://idp.example.com/authorize?"));
    assert!(!prompt.url.as_str().contains("resource="));
    assert!(prompt.url.as_str().contains("scope=openid&nonce="), "{}", prompt.url.as_str());
    assert_eq!(player.engine.account_label().unwrap().to_string(), "ada");
    assert!(player.assertions_asked.is_empty());
    for _ in 0..3 {
        player.wait_s(3601);
        assert_eq!(player.call("ping").delivered().status(), 200);
        player.restart();
    }
    assert_eq!(player.count("/authorize"), 1, "what the sign-on brought is kept with the tokens");
}

#[test]
fn ext_enterprise_a_sign_on_that_has_run_out() {
    let mut player = with_sign_on();
    player.call("ping").delivered();
    player.world.authorization.get_mut(IDP).unwrap().revoke_all();
    player.wait_s(3601);
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(player.count("/authorize"), 2, "the user signs on again");
}

#[test]
fn ext_enterprise_a_restart_during_the_sign_on() {
    let mut player = with_sign_on();
    player.user = User::Leaves;
    player.begin("ping");
    player.run();
    let (_, page) = player.open.remove(0);
    let back = player.visit(&page).unwrap();
    player.restart();
    assert!(matches!(player.callback(&back), Outcome::Done));
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(player.count("/authorize"), 1);
}

#[test]
fn openid_3_1_3_3_a_sign_on_without_an_id_token() {
    let mut player = with_sign_on();
    let provider = player.world.authorization.get_mut(IDP).unwrap();
    provider.offers.id_tokens = false;
    provider.offers.signed_on.insert("other".into());
    let expected = PeerMisbehaved::MissingField { exchange: Exchange::CodeToken, field: "id_token" };
    assert_eq!(player.call("ping").failed(), expected.into());
}

/// A provider that answers the exchange with an ID-JAG with these claims replaced.
fn jag_with(player: &mut Player, typ: &'static str, claims: serde_json::Value) {
    player.world.intercept = Some(Box::new(move |asked| {
        if asked.uri().host() != Some("idp.example.com") || asked.uri().path() != "/token" {
            return None;
        }
        let mut jag = json!({
            "iss": IDP, "sub": "ada", "aud": AS, "resource": "https://mcp.example.com/mcp",
            "client_id": "at-as", "jti": "1", "iat": 1_800_000_000, "exp": 1_800_000_300,
        });
        for (name, value) in claims.as_object().unwrap() {
            jag[name] = value.clone();
        }
        let body = json!({
            "access_token": jwt(typ, &jag), "token_type": "N_A",
            "issued_token_type": "urn:ietf:params:oauth:token-type:id-jag",
        });
        Some(grantor_world::json(http::StatusCode::OK, &body))
    }));
}

#[test]
fn id_jag_for_another_client_audience_resource_or_time() {
    for (typ, claims, problem) in [
        ("oauth-id-jag+jwt", json!({ "client_id": "other" }), ClaimsError::ClientId),
        ("oauth-id-jag+jwt", json!({ "aud": "https://other" }), ClaimsError::Audience),
        ("oauth-id-jag+jwt", json!({ "iss": "https://other" }), ClaimsError::Issuer),
        ("oauth-id-jag+jwt", json!({ "resource": "https://other" }), ClaimsError::Resource),
        ("oauth-id-jag+jwt", json!({ "exp": 1 }), ClaimsError::Expired),
        ("JWT", json!({}), ClaimsError::Type),
    ] {
        let mut player = enterprise();
        jag_with(&mut player, typ, claims);
        assert_eq!(player.call("read").failed(), PeerMisbehaved::IdJag(problem).into());
        assert_eq!(player.count("https://as.example.com/token"), 0, "it goes no further");
    }
}

#[test]
fn rfc8693_2_2_1_another_kind_of_token_or_no_jwt() {
    for (kind, token) in [
        ("urn:ietf:params:oauth:token-type:access_token", "x.y.z"),
        ("urn:ietf:params:oauth:token-type:id-jag", "opaque"),
    ] {
        let mut player = enterprise();
        player.world.intercept = Some(Box::new(move |asked| {
            (asked.uri().host() == Some("idp.example.com") && asked.uri().path() == "/token").then(|| {
                let body = json!({ "access_token": token, "token_type": "N_A", "issued_token_type": kind });
                grantor_world::json(http::StatusCode::OK, &body)
            })
        }));
        let error = player.call("read").failed();
        match token {
            "opaque" => assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IdJagSyntax(_)))),
            _ => assert_eq!(error, PeerMisbehaved::IssuedTokenType { got: PeerText::new(kind) }.into()),
        }
    }
}

#[test]
fn ext_enterprise_what_one_provider_issued_no_other_sees() {
    let mut player = with_sign_on();
    player.call("ping").delivered();
    let other = "https://idp2.example.com";
    let flow = Enterprise::new(other, Preregistered::new(other, "at-idp")).sign_on();
    let flow = Flow::Enterprise(Box::new(flow));
    let mut provider = AuthorizationServer::new(other);
    let redirect_uris = vec![player.redirect_uri.clone()];
    provider
        .clients
        .insert("at-idp".into(), RegisteredClient { redirect_uris, ..RegisteredClient::default() });
    provider.offers.id_tokens = true;
    provider.offers.jag_client = "at-as".into();
    player.world.add(provider);
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sees = std::sync::Arc::clone(&seen);
    player.world.intercept = Some(Box::new(move |asked| {
        if asked.uri().host() == Some("idp2.example.com") {
            sees.lock().unwrap().push(String::from_utf8_lossy(asked.body()).into_owned());
        }
        None
    }));
    player.restart_with(config().flow(flow).preregistered(Preregistered::new(AS, "at-as")));
    player.wait_s(3601);
    assert_eq!(player.call("ping").delivered().status(), 200);
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|body| !body.contains("of-idp.example.com")), "{seen:?}");
}

#[test]
fn openid_3_1_3_7_a_sign_on_is_only_as_good_as_its_id_token() {
    let mut player = with_sign_on();
    player.world.intercept = Some(Box::new(|asked| {
        let body = json!({
            "access_token": "planted-a", "token_type": "Bearer", "expires_in": 60,
            "id_token": "eyJhbGciOiJub25lIn0.e30.",
        });
        (asked.uri().host() == Some("idp.example.com") && asked.uri().path() == "/token")
            .then(|| grantor_world::json(http::StatusCode::OK, &body))
    }));
    let error = player.call("ping").failed();
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IdTokenSyntax(_))), "{error}");
}

#[test]
fn mcp_authorization_server_binding_an_id_that_another_server_chose() {
    // The configured client's secret belongs to one server; another one gives its client the same id.
    let good = Preregistered::new("https://good.example.com", "c1").secret(Secret::from("planted-good"));
    let mut player = Player::new(config().preregistered(good));
    player.world.server().auth_method = "client_secret_post".into();
    player.world.intercept = Some(Box::new(|asked| {
        let body = json!({
            "client_id": "c1", "client_secret": "dummy", "token_endpoint_auth_method": "client_secret_post",
        });
        assert!(!String::from_utf8_lossy(asked.body()).contains("planted-good"));
        (asked.uri().path() == "/register").then(|| grantor_world::json(http::StatusCode::CREATED, &body))
    }));
    player.user = User::Leaves;
    player.begin("ping");
    player.run();
    let state = player.open.remove(0).1.split_once("state=").unwrap().1[..43].to_owned();
    let back = format!("/callback?code=x&state={state}&iss=https%3A%2F%2Fas.example.com");
    player.engine.callback(player.now, &back);
    player.run();
    assert_eq!(player.count("POST https://as.example.com/token"), 1, "asked with its own secret");
}

#[test]
fn rfc7591_3_2_1_a_method_that_needs_a_key_that_was_never_registered() {
    let mut player = Player::new(config());
    player.world.intercept = Some(Box::new(|asked| {
        let body = json!({ "client_id": "c1", "token_endpoint_auth_method": "private_key_jwt" });
        (asked.uri().path() == "/register").then(|| grantor_world::json(http::StatusCode::CREATED, &body))
    }));
    let field = "token_endpoint_auth_method";
    let expected =
        PeerMisbehaved::Unusable { exchange: Exchange::Registration, field, problem: Problem::Unasked };
    assert_eq!(player.call("ping").failed(), expected.into());
}

#[test]
fn id_jag_authorization_grant_profiles_supported() {
    const ID_JAG: &str = "urn:ietf:params:oauth:grant-profile:id-jag";
    const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    for (metadata, good) in [
        (json!({}), true),
        (json!({ "authorization_grant_profiles_supported": [] }), true),
        (json!({ "authorization_grant_profiles_supported": [ID_JAG] }), true),
        (json!({ "authorization_grant_profiles_supported": ["urn:x", ID_JAG] }), true),
        (json!({ "authorization_grant_profiles_supported": ["urn:x"] }), false),
        (
            json!({ "authorization_grant_profiles_supported": ["urn:x"], "grant_types_supported": [BEARER] }),
            false,
        ),
        // The profile implies the grant that it is a profile of.
        (
            json!({ "authorization_grant_profiles_supported": [ID_JAG],
                "grant_types_supported": ["authorization_code"] }),
            true,
        ),
    ] {
        let mut player = enterprise();
        player.world.server().metadata = metadata.clone();
        match player.call("read") {
            Outcome::Delivered(_) => assert!(good, "{metadata}"),
            outcome => {
                let issuer = PeerText::new(AS);
                let expected = PeerIncompatible::NoIdentityAssertions { issuer };
                assert_eq!(outcome.failed(), expected.into());
                assert!(!good, "{metadata}");
                assert!(player.assertions_asked.is_empty(), "nobody is asked for nothing");
                player.world.server().metadata = json!({});
                player.call("read").delivered();
            }
        }
    }
    // To a browser, profiles mean nothing.
    let mut player = Player::new(config());
    player.world.server().metadata = json!({ "authorization_grant_profiles_supported": ["urn:x"] });
    player.call("ping").delivered();
}

#[test]
fn mcp_authorization_code_protection_a_sign_on_looks_for_pkce_too() {
    let mut player = with_sign_on();
    for methods in [json!(null), json!([]), json!(["plain"])] {
        provider_says(&mut player, &methods);
        let error = player.call("ping").failed();
        let expected = PeerIncompatible::NoPkce { issuer: PeerText::new(IDP) };
        assert_eq!(error, expected.into(), "{methods}");
        assert_eq!(player.count("idp.example.com/authorize"), 0, "no page is opened");
    }
    provider_says(&mut player, &json!(["S256"]));
    player.call("ping").delivered();
    // Where the host provides the assertion, no code is asked for.
    let mut player = enterprise();
    provider_says(&mut player, &json!(null));
    player.call("ping").delivered();
}

fn provider_says(player: &mut Player, methods: &serde_json::Value) {
    let provider = player.world.authorization.get_mut(IDP).unwrap();
    provider.metadata = json!({ "code_challenge_methods_supported": methods });
}
