//! The token endpoint, introspection and revocation.

use crate::world::*;
use grantor::jose::{Algorithm, Jws, KeySet, SigningKey};
use grantor::server::{ProviderConfig, RegisteredClient, Request, TokenFormat};
use std::time::Duration;

#[test]
fn rfc6749_5_1_the_answer() {
    let world = World::plain();
    let code = world.code(&asking(&[]));
    let answer = world.token(&exchanging(&code));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    let body = json(&answer);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 600);
    assert_eq!(body["scope"], "files:read");
    assert!(body["refresh_token"].is_string() && body["id_token"].is_null());
}

#[test]
fn rfc9068_2_the_access_token() {
    let world = World::plain();
    let token = world.tokens()["access_token"].as_str().unwrap().to_owned();
    let keys = KeySet::parse(world.answer(Request::get("/jwks")).body.expose().as_bytes()).unwrap();
    let trusted = Jws::parse(&token).unwrap().verify_with(&keys, &[Algorithm::EdDsa]).unwrap();
    assert!(trusted.header().is_type("at+jwt"));
    let claims = claims(&token);
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["aud"], RESOURCE);
    assert_eq!(claims["client_id"], "app");
    assert_eq!(claims["scope"], "files:read");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 600);
    assert_eq!(claims["auth_time"], START - 60);
    assert!(claims["jti"].is_string());
}

#[test]
fn rfc6749_5_2_errors() {
    let world = World::plain();
    let code = world.code(&asking(&[]));
    let change = |name: &str, value: &'static str| {
        let mut form = exchanging(&code).to_vec();
        form.retain(|(own, _)| *own != name);
        if !value.is_empty() {
            form.push((if name == "code" { "code" } else { form_name(name) }, value));
        }
        error(&world.token(&form))
    };
    for (name, value, expected) in [
        ("grant_type", "", (400, "invalid_request")),
        ("grant_type", "password", (400, "unsupported_grant_type")),
        ("grant_type", "client_credentials", (400, "unauthorized_client")),
        ("code", "", (400, "invalid_request")),
        ("code", "x", (400, "invalid_grant")),
        ("code_verifier", "", (400, "invalid_request")),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXj", (400, "invalid_grant")),
        ("code_verifier", CHALLENGE, (400, "invalid_grant")),
        ("redirect_uri", "http://127.0.0.1:7001/callback", (400, "invalid_grant")),
        ("client_id", "nobody", (401, "invalid_client")),
        ("client_id", "", (401, "invalid_client")),
        ("client_id", "web", (401, "invalid_client")),
    ] {
        assert_eq!(change(name, value), (expected.0, expected.1.into()), "{name}={value}");
    }
    let mut form = exchanging(&code).to_vec();
    form.push(("resource", "https://other.example.com/"));
    assert_eq!(error(&world.token(&form)), (400, "invalid_target".into()));
    form.pop();
    form.push(("code", &code));
    assert_eq!(error(&world.token(&form)), (400, "invalid_request".into()), "RFC 6749 3.2: repeated");
    form.pop();
    assert_eq!(world.token(&form).status, 200, "none of it used the code up");
    assert_eq!(error(&world.answer(Request::get("/token"))).0, 405);
    let no_form = with(Request::get("/x"), http::header::ACCEPT, "a/b");
    assert_eq!(world.answer(no_form).status, 404);
}

fn form_name(name: &str) -> &'static str {
    ["grant_type", "code_verifier", "redirect_uri", "client_id"].into_iter().find(|own| *own == name).unwrap()
}

#[test]
fn rfc6749_5_2_a_challenge_only_for_who_used_the_header() {
    let world = World::plain();
    let form = [("grant_type", "client_credentials")];
    let answer = world.answer(with_basic(post("/token", &form), "web", "wrong"));
    assert_eq!(error(&answer), (401, "invalid_client".into()));
    assert!(answer.header("www-authenticate").starts_with("Basic "), "{answer:?}");
    let form = [("grant_type", "client_credentials"), ("client_id", "web"), ("client_secret", "wrong")];
    let answer = world.token(&form);
    assert_eq!(error(&answer), (401, "invalid_client".into()));
    assert_eq!(answer.header("www-authenticate"), "");
    let twice = with_basic(post("/token", &[form[0], form[1], ("client_secret", "s3cret")]), "web", "s3cret");
    assert_eq!(error(&world.answer(twice)), (400, "invalid_request".into()), "RFC 6749 2.3");
    let good = world.answer(with_basic(post("/token", &[form[0]]), "web", "s3cret"));
    assert_eq!(good.status, 200);
    let body = json(&good);
    assert!(body["refresh_token"].is_null(), "RFC 6749 4.4.3");
    assert_eq!(claims(body["access_token"].as_str().unwrap())["sub"], "web", "RFC 9068 2.2");
}

#[test]
fn rfc6749_4_1_2_a_code_is_used_once_and_again_revokes() {
    let world = World::plain();
    let code = world.code(&asking(&[]));
    let tokens = json(&world.token(&exchanging(&code)));
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(world.introspect(access)["active"], true);
    assert_eq!(error(&world.token(&exchanging(&code))), (400, "invalid_grant".into()));
    assert_eq!(world.introspect(access)["active"], false);
    assert_eq!(error(&world.refresh(tokens["refresh_token"].as_str().unwrap())).1, "invalid_grant");
    world.pass(61);
    let late = world.code(&asking(&[]));
    world.pass(61);
    assert_eq!(error(&world.token(&exchanging(&late))).1, "invalid_grant", "expired");
}

#[test]
fn oauth21_4_3_1_refresh_tokens_rotate_and_reuse_revokes() {
    let world = World::plain();
    let first = world.tokens();
    let first = first["refresh_token"].as_str().unwrap();
    let second = json(&world.refresh(first));
    let second = second["refresh_token"].as_str().unwrap();
    let third = json(&world.refresh(second));
    let third = third["refresh_token"].as_str().unwrap();
    assert!(first != second && second != third);
    assert_eq!(error(&world.refresh(first)).1, "invalid_grant", "two generations old");
    assert_eq!(error(&world.refresh(third)).1, "invalid_grant", "the grant is gone");
    assert_eq!(error(&world.refresh("x")).1, "invalid_grant");
}

#[test]
fn a_lost_answer_is_given_again_for_a_while() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new(
            config().token_format(format).key(SigningKey::generate(Algorithm::Es256, &[4; 32]).unwrap()),
        );
        let first = world.tokens();
        let first = first["refresh_token"].as_str().unwrap();
        let lost = json(&world.refresh(first));
        world.pass(29);
        let again = json(&world.refresh(first));
        assert_eq!(again["access_token"], lost["access_token"], "{format:?}");
        assert_eq!(again["refresh_token"], lost["refresh_token"]);
        assert_eq!(again["expires_in"], 600 - 29);
        world.pass(2);
        assert_eq!(error(&world.refresh(first)).1, "invalid_grant", "later it is reuse");
        assert_eq!(error(&world.refresh(lost["refresh_token"].as_str().unwrap())).1, "invalid_grant");
    }
    let world = World::new(config().lifetimes(|lifetimes| lifetimes.retry = Duration::ZERO));
    let first = world.tokens();
    let first = first["refresh_token"].as_str().unwrap();
    assert_eq!(world.refresh(first).status, 200);
    assert_eq!(error(&world.refresh(first)).1, "invalid_grant");
}

#[test]
fn es256_answers_are_the_same_again_though_no_signature_is() {
    let key = || SigningKey::generate(Algorithm::Es256, &[9; 32]).unwrap();
    let config = ProviderConfig::new(ISSUER, &[7; 32])
        .key(key())
        .resource(files())
        .client(RegisteredClient::public("app").redirect_uri(REDIRECT));
    let world = World::new(config);
    let first = world.tokens();
    let first = first["refresh_token"].as_str().unwrap();
    let lost = json(&world.refresh(first));
    assert_eq!(json(&world.refresh(first))["access_token"], lost["access_token"]);
}

#[test]
fn rfc6749_6_scope_and_resource_never_widen() {
    let world = World::plain();
    let code = world.code(&asking(&[("scope", "files:read files:write")]));
    let tokens = json(&world.token(&exchanging(&code)));
    let refresh = |token: &str, name: &'static str, value: &'static str| {
        world.token(&[
            ("grant_type", "refresh_token"),
            ("client_id", "app"),
            ("refresh_token", token),
            (name, value),
        ])
    };
    let token = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(error(&refresh(token, "scope", "files:read admin")).1, "invalid_scope");
    assert_eq!(error(&refresh(token, "resource", "https://other.example.com/")).1, "invalid_target");
    let narrowed = json(&refresh(token, "scope", "files:read"));
    assert_eq!(narrowed["scope"], "files:read");
    let next = narrowed["refresh_token"].as_str().unwrap();
    assert_eq!(
        json(&refresh(next, "resource", RESOURCE))["scope"],
        "files:read files:write",
        "the grant is whole"
    );
}

#[test]
fn rfc6749_10_4_tokens_of_one_client_are_nothing_to_another() {
    let world = World::plain();
    let tokens = world.tokens();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "web"),
        ("client_secret", "s3cret"),
        ("refresh_token", refresh),
    ];
    assert_eq!(error(&world.token(&form)).1, "invalid_grant");
    let form = [("token", refresh), ("client_id", "web"), ("client_secret", "s3cret")];
    assert_eq!(json(&world.post("/introspect", &form))["active"], false, "RFC 7662 2.2");
    assert_eq!(error(&world.post("/revoke", &form)).1, "unauthorized_client", "RFC 7009 2.1");
    assert_eq!(world.refresh(refresh).status, 200, "and it is good still");
}

#[test]
fn rfc7662_introspection() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new(config().token_format(format));
        let tokens = world.tokens();
        let access = tokens["access_token"].as_str().unwrap();
        let found = world.introspect(access);
        assert_eq!(found["active"], true, "{format:?}");
        assert_eq!(found["sub"], "alice");
        assert_eq!(found["client_id"], "app");
        assert_eq!(found["scope"], "files:read");
        assert_eq!(found["aud"], serde_json::json!([RESOURCE]));
        assert_eq!(found["token_type"], "Bearer");
        assert_eq!(found["exp"], START + 600);
        assert_eq!(world.introspect("x"), serde_json::json!({"active": false}));
        let public = [("token", access), ("client_id", "app")];
        assert_eq!(error(&world.post("/introspect", &public)), (401, "invalid_client".into()));
        world.pass(600);
        assert_eq!(world.introspect(access), serde_json::json!({"active": false}), "expired");
    }
}

#[test]
fn tokens_of_a_key_without_a_name_are_known_again() {
    let unnamed = SigningKey::generate(Algorithm::Es256, &[9; 32]).unwrap();
    let config = ProviderConfig::new(ISSUER, &[7; 32])
        .key(unnamed)
        .resource(files())
        .client(RegisteredClient::public("app").name("App").redirect_uri(REDIRECT))
        .client(RegisteredClient::with_secret("resource", "r3source").introspects());
    let world = World::new(config);
    let tokens = world.tokens();
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(world.introspect(access)["active"], true);
    assert_eq!(world.post("/revoke", &[("token", access), ("client_id", "app")]).status, 200);
    assert_eq!(world.introspect(access)["active"], false);
    assert_eq!(error(&world.refresh(tokens["refresh_token"].as_str().unwrap())).1, "invalid_grant");
}

#[test]
fn rfc7009_revocation_takes_the_whole_grant() {
    for which in ["access_token", "refresh_token"] {
        let world = World::plain();
        let tokens = world.tokens();
        let token = tokens[which].as_str().unwrap();
        let revoke = |token: &str| world.post("/revoke", &[("token", token), ("client_id", "app")]);
        assert_eq!(revoke(token).status, 200);
        assert_eq!(revoke(token).status, 200, "RFC 7009 2.2");
        assert_eq!(revoke("x").status, 200);
        assert_eq!(error(&world.refresh(tokens["refresh_token"].as_str().unwrap())).1, "invalid_grant");
        assert_eq!(world.introspect(tokens["access_token"].as_str().unwrap())["active"], false);
        assert_eq!(error(&world.post("/revoke", &[("client_id", "app")])).1, "invalid_request");
    }
}

#[test]
fn refresh_tokens_end_by_idleness_and_in_the_end() {
    let day = 24 * 60 * 60;
    let world = World::plain();
    let tokens = world.tokens();
    world.pass(30 * day);
    assert_eq!(error(&world.refresh(tokens["refresh_token"].as_str().unwrap())).1, "invalid_grant", "idle");
    let mut token = world.tokens()["refresh_token"].as_str().unwrap().to_owned();
    for _ in 0..18 {
        world.pass(20 * day);
        token = json(&world.refresh(&token))["refresh_token"].as_str().expect("a token").to_owned();
    }
    world.pass(20 * day);
    assert_eq!(error(&world.refresh(&token)).1, "invalid_grant", "a year");
}

#[test]
fn oidc_core_3_1_3_3_an_id_token_when_openid_is_asked() {
    let world = World::plain();
    let code = world.code(&asking(&[("scope", "openid files:read"), ("nonce", "n-0S6")]));
    let tokens = json(&world.token(&exchanging(&code)));
    let id = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(id["aud"], "app");
    assert_eq!(id["nonce"], "n-0S6");
    assert_eq!(id["sub"], "alice");
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["scope"], "files:read");
}

#[test]
fn keys_rotate_and_the_host_secret_too() {
    let world = World::plain();
    let tokens = world.tokens();
    let next = SigningKey::generate(Algorithm::EdDsa, &[5; 32]).unwrap().with_kid("k2");
    let config = ProviderConfig::new(ISSUER, &[8; 32])
        .former_secret(&[7; 32])
        .key(next)
        .key(key())
        .resource(files())
        .client(RegisteredClient::public("app").redirect_uri(REDIRECT))
        .client(RegisteredClient::with_secret("resource", "r3source").introspects());
    *world.provider.borrow_mut() = grantor::server::Provider::new(config).unwrap();
    assert_eq!(
        world.introspect(tokens["access_token"].as_str().unwrap())["active"],
        true,
        "of the key before"
    );
    let refreshed = json(&world.refresh(tokens["refresh_token"].as_str().unwrap()));
    assert!(refreshed["access_token"].is_string(), "{refreshed}");
    let jwks: serde_json::Value = json(&world.answer(Request::get("/jwks")));
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn the_store_fails_and_nothing_is_issued() {
    let world = World::plain();
    let tokens = world.tokens();
    world.broken_store.set(true);
    let answer = world.refresh(tokens["refresh_token"].as_str().unwrap());
    assert_eq!(error(&answer), (503, "temporarily_unavailable".into()));
    assert_eq!(answer.header("retry-after"), "5");
    world.broken_store.set(false);
    assert_eq!(world.refresh(tokens["refresh_token"].as_str().unwrap()).status, 200);
}
