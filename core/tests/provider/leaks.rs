//! What a copy of the store gives an attacker, and what the provider's own words give away.

use crate::world::*;
use grantor::server::{Outcome, Provider, ProviderConfig, RegisteredClient, Request};

#[test]
fn a_copy_of_the_store_gives_nothing_usable() {
    let world = World::plain();
    let tokens = world.tokens();
    let lost = json(&world.refresh(tokens["refresh_token"].as_str().unwrap()));
    let unused = world.code(&asking(&[]));
    let device = json(&world.post(
        "/device_authorization",
        &[("client_id", "web"), ("client_secret", "s3cret"), ("scope", "files:read")],
    ));
    let pushed = json(&world.post("/par", &asking(&[])));
    let (page, _) = world.consent_page(&asking(&[]));
    let dump = world.dump();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut secrets = vec![unused, page.interaction.expose().to_owned(), text(&device["device_code"])];
    secrets.push(text(&device["user_code"]).replace('-', ""));
    secrets.push(text(&pushed["request_uri"]).rsplit(':').next().unwrap().to_owned());
    for answer in [&tokens, &lost] {
        secrets.push(text(&answer["refresh_token"]));
        secrets.push(text(&answer["access_token"]));
        secrets.push(text(&answer["access_token"]).rsplit('.').next().unwrap().to_owned());
    }
    for secret in &secrets {
        assert!(!dump.contains(secret.as_str()), "{secret}");
    }
    // All that the store has, tried as each kind of credential: whole, and by its parts.
    let words: Vec<&str> =
        dump.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))).collect();
    let ids: Vec<&str> = words.iter().copied().filter(|word| word.len() == 22).collect();
    let mut tried = 0;
    let pairs =
        ids.iter().flat_map(|a| ids.iter().map(move |b| format!("{a}{b}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")));
    for word in words.iter().map(|word| (*word).to_owned()).chain(pairs) {
        for length in [70, word.len().min(70)] {
            let Some(guess) = word.get(..length) else { continue };
            assert_ne!(world.refresh(guess).status, 200);
            assert_ne!(world.token(&exchanging(guess)).status, 200);
            assert_ne!(world.introspect(guess)["active"], true);
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried}");
}

#[test]
fn without_the_host_secret_no_token_can_be_made() {
    let world = World::plain();
    let tokens = world.tokens();
    let stolen = ProviderConfig::new(ISSUER, &[9; 32])
        .key(key())
        .resource(files())
        .client(RegisteredClient::public("app").redirect_uri(REDIRECT));
    *world.provider.borrow_mut() = Provider::new(stolen).unwrap();
    assert_eq!(error(&world.refresh(tokens["refresh_token"].as_str().unwrap())).1, "invalid_grant");
}

#[test]
fn debug_shows_no_secret() {
    let world = World::plain();
    let code = world.code(&asking(&[]));
    let request = post("/token", &[("client_secret", "planted"), ("code", &code)]);
    assert!(!format!("{request:?}").contains("planted"));
    let outcome = world.handle(post("/token", &exchanging(&code)), None);
    let shown = format!("{outcome:?}");
    let Outcome::Answer(answer) = outcome else { panic!() };
    assert!(!shown.contains(json(&answer)["refresh_token"].as_str().unwrap()));
    let config = config();
    let shown = format!("{config:?} {:?}", world.provider.borrow());
    assert!(!shown.contains("s3cret") && !shown.contains(&"07".repeat(32)));
    let (request, _) = world.consent_page(&asking(&[]));
    assert!(!format!("{request:?}").contains(request.interaction.expose()));
}

#[test]
fn errors_echo_nothing_and_keep_to_the_character_set() {
    let world = World::plain();
    let planted = "pl\"anted<script>";
    let code = world.code(&asking(&[]));
    for name in ["grant_type", "code", "code_verifier", "redirect_uri", "client_id", "scope", "resource"] {
        let mut form = exchanging(&code).to_vec();
        form.retain(|(own, _)| *own != name);
        form.push((name, planted));
        let answer = world.token(&form);
        assert!(answer.status >= 400, "{name}");
        assert!(!answer.body.expose().contains("anted"), "{name}");
        let description = json(&answer)["error_description"].as_str().unwrap().to_owned();
        // RFC 6749 5.2: %x20-21 / %x23-5B / %x5D-7E
        let allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
        assert!(description.chars().all(allowed), "{description}");
    }
    for name in ["response_type", "code_challenge", "scope", "resource", "prompt", "max_age"] {
        let Outcome::Answer(answer) = world.authorize(&asking(&[(name, planted)]), None) else { continue };
        assert!(!answer.header("location").contains("anted"), "{name}");
    }
}

#[test]
fn rfc8414_3_metadata_at_every_place() {
    let config = |issuer: &str| ProviderConfig::new(issuer, &[7; 32]).key(key()).resource(files());
    for (issuer, paths) in [
        (
            "https://as.example.com",
            &["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"][..],
        ),
        (
            "https://as.example.com/tenant",
            &[
                "/.well-known/oauth-authorization-server/tenant",
                "/.well-known/openid-configuration/tenant",
                "/tenant/.well-known/openid-configuration",
            ],
        ),
    ] {
        let world = World::new(config(issuer));
        for path in paths {
            let answer = world.answer(Request::get(path));
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), "*");
            let body = json(&answer);
            assert_eq!(body["issuer"], issuer);
            assert_eq!(body["token_endpoint"], format!("{issuer}/token"));
            assert_eq!(body["code_challenge_methods_supported"], serde_json::json!(["S256"]));
            assert_eq!(body["authorization_response_iss_parameter_supported"], true);
            assert_eq!(body["client_id_metadata_document_supported"], true);
            assert!(body["registration_endpoint"].is_null());
        }
        assert_eq!(world.answer(Request::get("/other")).status, 404);
    }
}

#[test]
fn cors_on_everything_but_the_authorization_endpoint() {
    let world = World::plain();
    for path in ["/token", "/register", "/revoke", "/introspect", "/par", "/device_authorization", "/jwks"] {
        let mut request = Request::get(path);
        request.method = http::Method::OPTIONS;
        let answer = world.answer(request);
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(answer.header("access-control-allow-headers").contains("dpop"));
    }
    let mut request = Request::get("/authorize");
    request.method = http::Method::OPTIONS;
    let Outcome::Page(page) = world.handle(request, None) else { panic!() };
    assert!(!page.headers.contains_key("access-control-allow-origin"));
}
