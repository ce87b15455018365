//! Clients: registered by themselves, by documents, and how they authenticate.

use crate::world::*;
use grantor::jose::{Algorithm, ClientAssertion, KeySet, SigningKey};
use grantor::server::{RegisteredClient, Registration};
use http::header::AUTHORIZATION;

const METADATA: &str = r#"{"client_name":"Editor","redirect_uris":["http://127.0.0.1:7000/callback"],
    "grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"none"}"#;

#[test]
fn rfc7591_3_2_1_a_registered_client_works() {
    let world = World::plain();
    let answer = world.answer(register(METADATA));
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = json(&answer);
    assert_eq!(body["client_name"], "Editor");
    assert_eq!(body["token_endpoint_auth_method"], "none");
    assert!(body["client_secret"].is_null());
    let id = body["client_id"].as_str().unwrap();
    let code = world.code(&asking(&[("client_id", id)]));
    let mut form = exchanging(&code);
    form[1] = ("client_id", id);
    assert_eq!(world.token(&form).status, 200);
    assert_eq!(json(&world.answer(register(METADATA)))["client_id"], id, "identical ones are one");
    let other = METADATA.replace("Editor", "Other");
    assert_ne!(json(&world.answer(register(&other)))["client_id"], id);
}

/// The clients of MCP's SDKs register the scopes of their first challenge, and keep their id when they step up.
#[test]
fn rfc7591_2_registered_scopes_are_no_end() {
    let world = World::plain();
    let metadata = METADATA.replace('{', r#"{"scope":"files:read","#);
    let body = json(&world.answer(register(&metadata)));
    assert!(body["scope"].is_null(), "RFC 7591 3.2.1: the answer says what is registered");
    let id = body["client_id"].as_str().unwrap();
    let code = world.code(&asking(&[("client_id", id), ("scope", "files:read files:write")]));
    let mut form = exchanging(&code);
    form[1] = ("client_id", id);
    assert_eq!(json(&world.token(&form))["scope"], "files:read files:write");
    assert_eq!(json(&world.answer(register(METADATA)))["client_id"], id, "and no other client");
}

#[test]
fn rfc7591_2_a_client_with_a_secret() {
    let world = World::plain();
    let metadata = METADATA.replace("\"none\"", "\"client_secret_post\"");
    let body = json(&world.answer(register(&metadata)));
    let (id, secret) = (body["client_id"].as_str().unwrap(), body["client_secret"].as_str().unwrap());
    assert_eq!(body["client_secret_expires_at"], 0);
    let code = world.code(&asking(&[("client_id", id)]));
    let mut form = exchanging(&code).to_vec();
    form[1] = ("client_id", id);
    assert_eq!(error(&world.token(&form)), (401, "invalid_client".into()), "without its secret");
    form.push(("client_secret", "wrong"));
    assert_eq!(error(&world.token(&form)), (401, "invalid_client".into()));
    form.pop();
    form.push(("client_secret", secret));
    assert_eq!(world.token(&form).status, 200);
    assert!(!world.dump().contains(secret));
    assert_ne!(json(&world.answer(register(&metadata)))["client_id"], id, "a secret is nobody else's");
}

#[test]
fn rfc7591_3_2_2_errors() {
    let world = World::plain();
    for (metadata, expected) in [
        ("", "invalid_client_metadata"),
        ("[]", "invalid_client_metadata"),
        ("{}", "invalid_redirect_uri"),
        (r#"{"redirect_uris":"http://127.0.0.1/"}"#, "invalid_client_metadata"),
        (r#"{"redirect_uris":["http://evil.example/"]}"#, "invalid_redirect_uri"),
        (r#"{"redirect_uris":["javascript:alert(1)"]}"#, "invalid_redirect_uri"),
        (r#"{"redirect_uris":["https://a.example/#x"]}"#, "invalid_redirect_uri"),
        (r#"{"redirect_uris":["https://a.example/"],"grant_types":["implicit"]}"#, "invalid_client_metadata"),
        (
            r#"{"redirect_uris":["https://a.example/"],"grant_types":["client_credentials"]}"#,
            "invalid_client_metadata",
        ),
        (
            r#"{"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"tls_client_auth"}"#,
            "invalid_client_metadata",
        ),
        (
            r#"{"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"private_key_jwt"}"#,
            "invalid_client_metadata",
        ),
        (r#"{"redirect_uris":["https://a.example/"],"jwks":{"keys":[]}}"#, "invalid_client_metadata"),
        (r#"{"redirect_uris":["https://a.example/"],"client_name":7}"#, "invalid_client_metadata"),
    ] {
        assert_eq!(error(&world.answer(register(metadata))), (400, expected.into()), "{metadata}");
    }
    let large = format!(r#"{{"client_name":"{}"}}"#, "x".repeat(6000));
    assert_eq!(error(&world.answer(register(&large))).1, "invalid_client_metadata");
    assert!(world.records.borrow().is_empty(), "nothing was kept");
    let closed =
        World::new(grantor::server::ProviderConfig::new(ISSUER, &[7; 32]).key(key()).resource(files()));
    assert_eq!(closed.answer(register(METADATA)).status, 404);
}

#[test]
fn rfc7591_3_an_initial_access_token() {
    let world = World::new(config().registration(Registration::with_initial_access_token("t0k3n")));
    let refused = world.answer(register(METADATA));
    assert_eq!(error(&refused), (401, "invalid_token".into()));
    assert!(refused.header("www-authenticate").starts_with("Bearer "));
    let wrong = with(register(METADATA), AUTHORIZATION, "Bearer t0k3m");
    assert_eq!(world.answer(wrong).status, 401);
    assert_eq!(world.answer(with(register(METADATA), AUTHORIZATION, "Bearer t0k3n")).status, 201);
}

#[test]
fn registrations_that_nobody_uses_are_forgotten_and_use_renews() {
    let day = 24 * 60 * 60;
    let world = World::plain();
    let id = json(&world.answer(register(METADATA)))["client_id"].as_str().unwrap().to_owned();
    world.code(&asking(&[("client_id", &id)]));
    for _ in 0..4 {
        world.pass(60 * day);
        world.code(&asking(&[("client_id", &id)]));
    }
    world.pass(91 * day);
    let outcome = world.authorize(&asking(&[("client_id", &id)]), None);
    assert_eq!(shown_error(outcome).1, "invalid_client");
    let flood = World::plain();
    for _ in 0..1000 {
        let _ = flood.answer(register(METADATA));
    }
    assert_eq!(flood.records.borrow().len(), 2, "a flood of copies is one client, counted once");
}

const CLIENT: &str = "https://app.example.com/client.json";

fn with_document(document: &str) -> World {
    let world = World::plain();
    world.documents.borrow_mut().insert(CLIENT.into(), (200, document.into()));
    world
}

fn document() -> String {
    format!(
        r#"{{"client_id":"{CLIENT}","client_name":"App","redirect_uris":["{REDIRECT}"],
            "grant_types":["authorization_code","refresh_token"]}}"#
    )
}

#[test]
fn cimd_a_client_known_by_its_document() {
    let world = with_document(&document());
    let (request, _) = world.consent_page(&asking(&[("client_id", CLIENT)]));
    assert_eq!(request.client.known, grantor::server::Known::Host("app.example.com".into()));
    let code = world.code(&asking(&[("client_id", CLIENT)]));
    let mut form = exchanging(&code);
    form[1] = ("client_id", CLIENT);
    assert_eq!(world.token(&form).status, 200);
    assert_eq!(world.fetched.borrow().len(), 1, "fetched once while it is fresh");
    world.pass(11 * 60);
    world.code(&asking(&[("client_id", CLIENT)]));
    assert_eq!(world.fetched.borrow().len(), 2);
}

#[test]
fn cimd_4_1_what_is_no_document() {
    let other = document().replace("app.example.com/client.json", "app.example.com/other.json");
    let secret = document()
        .replace("\"client_name\"", "\"token_endpoint_auth_method\":\"client_secret_post\",\"client_name\"");
    let large = document().replace("App", &"x".repeat(6000));
    for bad in ["", "[]", "{}", "<html>", &other, &secret, &large] {
        let outcome = with_document(bad).authorize(&asking(&[("client_id", CLIENT)]), None);
        assert_eq!(shown_error(outcome).1, "invalid_client", "{}", &bad[..bad.len().min(40)]);
    }
    let world = World::plain();
    world.documents.borrow_mut().insert(CLIENT.into(), (302, document()));
    assert_eq!(shown_error(world.authorize(&asking(&[("client_id", CLIENT)]), None)).1, "invalid_client");
    world.documents.borrow_mut().insert(CLIENT.into(), (503, document()));
    let outcome = world.authorize(&asking(&[("client_id", CLIENT)]), None);
    assert_eq!(shown_error(outcome), (503, "temporarily_unavailable".into()));
}

#[test]
fn cimd_6_5_no_address_of_the_inner_network_is_fetched() {
    let world = World::plain();
    for id in [
        "https://127.0.0.1/client.json",
        "https://localhost/client.json",
        "https://10.0.0.1/client.json",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/client.json",
        "https://metadata.google.internal/client.json",
        "http://app.example.com/client.json",
        "https://app.example.com/",
        "https://app.example.com/a/../client.json",
        "https://user@app.example.com/client.json",
        "https://app.example.com/client.json#x",
        "ftp://app.example.com/client.json",
    ] {
        assert_eq!(
            shown_error(world.authorize(&asking(&[("client_id", id)]), None)).1,
            "invalid_client",
            "{id}"
        );
    }
    assert!(world.fetched.borrow().is_empty());
}

fn assertion(key: &SigningKey, client: &str, audience: &str, now: u64, entropy: u8) -> String {
    let made = ClientAssertion::new(client, audience).unsigned(key.algorithm(), None, now, &[entropy; 16]);
    made.sign(key).unwrap().expose().to_owned()
}

#[test]
fn rfc7523_3_private_key_jwt() {
    let own = SigningKey::generate(Algorithm::Es256, &[11; 32]).unwrap();
    let keys = KeySet::of([own.public().clone()]);
    let client = RegisteredClient::with_keys("signer", keys).grant("client_credentials");
    let world = World::new(config().client(client));
    let send = |assertion: &str| {
        world.token(&[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ClientAssertion::TYPE),
            ("client_assertion", assertion),
        ])
    };
    let good = assertion(&own, "signer", ISSUER, START, 1);
    assert_eq!(send(&good).status, 200);
    assert_eq!(error(&send(&good)), (401, "invalid_client".into()), "used once");
    assert_eq!(send(&assertion(&own, "signer", "https://as.example.com/token", START, 2)).status, 200);
    let other = SigningKey::generate(Algorithm::Es256, &[12; 32]).unwrap();
    for bad in [
        assertion(&other, "signer", ISSUER, START, 3),
        assertion(&own, "signer", "https://evil.example/", START, 4),
        assertion(&own, "web", ISSUER, START, 5),
        assertion(&own, "signer", ISSUER, START - 3600, 6),
        assertion(&own, "signer", ISSUER, START + 7200, 7),
        "x".into(),
    ] {
        assert_eq!(error(&send(&bad)), (401, "invalid_client".into()));
    }
}

#[test]
fn cimd_6_2_private_key_jwt_with_keys_of_the_document() {
    let own = SigningKey::generate(Algorithm::Es256, &[11; 32]).unwrap();
    let jwks = format!(r#"{{"keys":[{}]}}"#, own.public().to_jwk());
    let keyed = document().replace(
        "\"client_name\"",
        &format!(
            "\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\"],\"jwks\":{jwks},\"client_name\""
        ),
    );
    let world = with_document(&keyed);
    let code = world.code(&asking(&[("client_id", CLIENT)]));
    let mut form = exchanging(&code).to_vec();
    form[1] = ("client_id", CLIENT);
    assert_eq!(error(&world.token(&form)), (401, "invalid_client".into()), "it has keys");
    let signed = assertion(&own, CLIENT, ISSUER, START, 1);
    form.push(("client_assertion_type", ClientAssertion::TYPE));
    form.push(("client_assertion", &signed));
    assert_eq!(world.token(&form).status, 200);
}
