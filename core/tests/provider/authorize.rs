//! The authorization endpoint: whom an error is told, and which.

use crate::world::*;
use grantor::server::{PageContent, ProtectedResource, User};

#[test]
fn rfc6749_4_1_2_1_errors_before_the_redirect_uri_is_known_are_shown() {
    let world = World::plain();
    for (changes, expected) in [
        (&[("client_id", "")][..], (400, "invalid_request")),
        (&[("client_id", "nobody")], (400, "invalid_client")),
        (&[("redirect_uri", "https://evil.example/")], (400, "invalid_request")),
        (&[("redirect_uri", "http://localhost:7000/callback")], (400, "invalid_request")),
        (&[("redirect_uri", "http://127.0.0.1:7000/callback/../x")], (400, "invalid_request")),
        (&[("client_id", "https://app.example.com")], (400, "invalid_client")),
    ] {
        let outcome = world.authorize(&asking(changes), Some(alice()));
        assert_eq!(shown_error(outcome), (expected.0, expected.1.into()), "{changes:?}");
    }
    let mut twice = asking(&[]);
    twice.push(("redirect_uri", "https://evil.example/"));
    assert_eq!(shown_error(world.authorize(&twice, None)).0, 400);
    twice.pop();
    twice.push(("client_id", "web"));
    assert_eq!(shown_error(world.authorize(&twice, None)).0, 400);
}

#[test]
fn rfc6749_4_1_2_1_all_others_go_back_with_state_and_iss() {
    let world = World::plain();
    for (changes, expected) in [
        (&[("response_type", "")][..], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_mode", "form_post")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("scope", "unknown")], "invalid_scope"),
        (&[("scope", "a\"b")], "invalid_scope"),
        (&[("resource", "https://other.example.com/")], "invalid_target"),
        (&[("resource", "not absolute")], "invalid_target"),
        (&[("resource", "https://mcp.example.com/mcp#x")], "invalid_target"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("max_age", "soon")], "invalid_request"),
        (&[("request", "eyJhbGciOiJub25lIn0.e30.")], "invalid_request"),
        (&[("prompt", "none")], "consent_required"),
    ] {
        let outcome = world.authorize(&asking(changes), Some(alice()));
        assert_eq!(redirected_error(outcome), expected, "{changes:?}");
    }
    let mut twice = asking(&[]);
    twice.push(("scope", "files:write"));
    assert_eq!(redirected_error(world.authorize(&twice, None)), "invalid_request", "RFC 6749 3.1");
    assert_eq!(redirected_error(world.authorize(&asking(&[("prompt", "none")]), None)), "login_required");
    assert_eq!(
        redirected_error(world.authorize(&asking(&[("prompt", "none"), ("max_age", "10")]), Some(alice()))),
        "login_required",
        "signed in a minute ago"
    );
}

#[test]
fn rfc6749_3_1_an_empty_parameter_is_none() {
    let world = World::plain();
    let mut parameters = asking(&[("redirect_uri", "")]);
    parameters.push(("redirect_uri", ""));
    parameters.push(("scope", ""));
    let code = world.code(&parameters);
    assert!(!code.is_empty(), "a client with one redirect URI may leave it out");
}

#[test]
fn rfc9207_2_success_carries_code_state_and_iss() {
    let world = World::plain();
    let (request, cookies) = world.consent_page(&asking(&[]));
    let answer = answered(world.decide(&request, &cookies, grantor::server::UserDecision::Allow));
    let location = answer.header("location");
    assert_eq!(parameter(location, "state").as_deref(), Some("xyz"));
    assert_eq!(parameter(location, "iss").as_deref(), Some(ISSUER));
    assert_eq!(answer.header("cache-control"), "no-store");
    let (request, cookies) = world.consent_page(&asking(&[("response_mode", "fragment"), ("state", "")]));
    let answer = answered(world.decide(&request, &cookies, grantor::server::UserDecision::Allow));
    let location = answer.header("location");
    assert!(location.starts_with(&format!("{REDIRECT}#code=")), "{location}");
    assert!(!location.contains("state"));
}

#[test]
fn oidc_core_3_1_2_1_prompt_login_and_max_age_ask_again() {
    let world = World::plain();
    for changes in [("prompt", "login"), ("prompt", "select_account"), ("max_age", "30"), ("max_age", "0")] {
        let (page, _) = page(world.authorize(&asking(&[changes]), Some(alice())));
        assert!(matches!(page.content, PageContent::SignIn(_)), "{changes:?}");
    }
    let fresh = User::new("alice", START - 10);
    let (page, _) = page(world.authorize(&asking(&[("max_age", "30")]), Some(fresh)));
    assert!(matches!(page.content, PageContent::Consent(_)));
}

#[test]
fn rfc8707_2_the_only_resource_is_the_default() {
    let world = World::plain();
    let (request, _) = world.consent_page(&asking(&[("resource", ""), ("scope", "")]));
    assert_eq!(request.resources, ["Files".into()]);
    let tokens: Vec<&str> = request.scopes.iter().map(|scope| &*scope.token).collect();
    assert_eq!(tokens, ["files:read", "files:write"]);

    let other =
        ProtectedResource::new("https://mail.example.com").scope("mail:read", "Read your mail").unwrap();
    let world = World::new(config().resource(other));
    let outcome = world.authorize(&asking(&[("resource", ""), ("scope", "")]), Some(alice()));
    assert_eq!(redirected_error(outcome), "invalid_target");
    let (request, _) = world.consent_page(&asking(&[("resource", ""), ("scope", "mail:read")]));
    assert_eq!(request.resources, ["https://mail.example.com".into()], "the one that has the scope");
}

#[test]
fn rfc9126_a_pushed_request_stands_for_its_parameters() {
    let world = World::new(config().pushed_requests_required());
    assert_eq!(redirected_error(world.authorize(&asking(&[]), Some(alice()))), "invalid_request");
    for trick in [" pushed", "pushed", "request"] {
        let outcome = world.authorize(&asking(&[(trick, "1")]), Some(alice()));
        assert_eq!(redirected_error(outcome), "invalid_request", "{trick:?}");
    }
    let pushed = world.post("/par", &asking(&[]));
    assert_eq!(pushed.status, 201);
    let request_uri = json(&pushed)["request_uri"].as_str().unwrap().to_owned();
    assert_eq!(json(&pushed)["expires_in"], 60);
    let code = world.code(&[("client_id", "app"), ("request_uri", &request_uri)]);
    assert_eq!(world.token(&exchanging(&code)).status, 200);

    for other in [
        &request_uri[..request_uri.len() - 1],
        "urn:ietf:params:oauth:request_uri:x",
        "https://evil.example/",
    ] {
        let outcome = world.authorize(&[("client_id", "app"), ("request_uri", other)], None);
        assert_eq!(shown_error(outcome).1, "invalid_request_uri");
    }
    let outcome = world.authorize(&[("client_id", "web"), ("request_uri", &request_uri)], None);
    assert_eq!(shown_error(outcome).1, "invalid_request_uri", "RFC 9126 7.2: of another client");
    world.pass(61);
    let outcome = world.authorize(&[("client_id", "app"), ("request_uri", &request_uri)], None);
    assert_eq!(shown_error(outcome).1, "invalid_request_uri", "expired");
}

#[test]
fn rfc9126_2_3_a_bad_request_is_refused_when_it_is_pushed() {
    let world = World::plain();
    for (changes, expected) in [
        (&[("redirect_uri", "https://evil.example/")][..], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("resource", "https://other.example.com/")], "invalid_target"),
        (&[("request_uri", "urn:x")], "invalid_request"),
        (&[("client_id", "nobody")], "invalid_client"),
        (&[("client_id", "web")], "invalid_client"),
    ] {
        let (status, code) = error(&world.post("/par", &asking(changes)));
        assert_eq!(
            (status, &*code),
            (if expected == "invalid_client" { 401 } else { 400 }, expected),
            "{changes:?}"
        );
    }
}
