//! Diagnosis: a test for each rule, on a server that breaks it and keeps all others.

use std::collections::BTreeSet;

use grantor::UrlPolicy;
use grantor::diagnosis::{Check, Examination, Outcome, RULES, Rule, Severity};
use grantor::wire::{HttpRequest, HttpResponse};
use grantor_world::{Answered, World, asked};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

const RESOURCE: &str = "https://mcp.example.com/mcp";
const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";
const SERVER: &str = "/.well-known/oauth-authorization-server";

/// What a server answers otherwise than a good one.
type Change = fn(&HttpRequest, &mut Answered);

/// The answers of a server that keeps every rule.
fn good(world: &mut World, request: &HttpRequest) -> Answered {
    let mut answer = match request.method.as_str() {
        "OPTIONS" => grantor_world::text(StatusCode::NO_CONTENT, ""),
        _ => world.answer(1_800_000_000, &asked(request)),
    };
    let headers = answer.headers_mut();
    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    headers.insert(
        "access-control-expose-headers",
        HeaderValue::from_static("WWW-Authenticate, Mcp-Session-Id"),
    );
    let allowed = HeaderValue::from_static("authorization, content-type, mcp-protocol-version");
    headers.insert("access-control-allow-headers", allowed);
    if request.url.path() == SERVER {
        edit(&mut answer, |document| {
            document["client_id_metadata_document_supported"] = true.into();
            document["revocation_endpoint"] = "https://as.example.com/revoke".into();
        });
    }
    answer
}

fn edit(answer: &mut Answered, change: impl FnOnce(&mut Value)) {
    let mut document: Value = serde_json::from_slice(answer.body()).unwrap();
    change(&mut document);
    *answer.body_mut() = document.to_string().into_bytes();
}

/// Examines a server; what fails, with what was seen.
fn examine(change: impl Fn(&HttpRequest, &mut Answered)) -> Vec<Check> {
    let mut world = World::new();
    let mut examination = Examination::new(RESOURCE, UrlPolicy::default()).unwrap();
    let mut requests = 0;
    while let Some(request) = examination.next_request() {
        requests += 1;
        assert!(requests < 30, "it does not end");
        let mut answer = good(&mut world, &request);
        change(&request, &mut answer);
        let (status, headers, body) = (answer.status().as_u16(), answer.headers(), answer.body());
        examination.answer(Ok(HttpResponse { status, headers, body }));
    }
    examination.checks().to_vec()
}

fn failed(checks: &[Check]) -> BTreeSet<&'static str> {
    checks.iter().filter(|check| check.outcome == Outcome::Failed).map(|check| check.rule.code).collect()
}

/// What failed, in words.
fn told(checks: &[Check]) -> String {
    let failed = checks.iter().filter(|check| check.outcome == Outcome::Failed);
    failed.map(|check| format!("{} at {}: {}\n", check.rule.code, check.at, check.seen)).collect()
}

#[test]
fn a_good_server_keeps_every_rule() {
    let checks = examine(|_, _| {});
    assert_eq!(failed(&checks), BTreeSet::new(), "{}", told(&checks));
    let looked_at: BTreeSet<&str> = checks.iter().map(|check| check.rule.code).collect();
    assert_eq!(
        looked_at.len(),
        RULES.len(),
        "{:?}",
        RULES.iter().find(|rule| !looked_at.contains(rule.code))
    );
}

fn at(request: &HttpRequest, path: &str) -> bool {
    request.url.path() == path
}

fn is_hello(request: &HttpRequest) -> bool {
    at(request, "/mcp") && request.method == "POST"
}

fn challenge(answer: &mut Answered, value: &'static str) {
    if answer.status() == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert("www-authenticate", HeaderValue::from_static(value));
    }
}

fn gone(answer: &mut Answered) {
    *answer = grantor_world::text(StatusCode::NOT_FOUND, "");
}

/// For each rule a server that breaks it, and what breaks with it.
const BROKEN: &[(&[&str], Change)] = &[
    (&["endpoint"], |request, answer| {
        if is_hello(request) {
            gone(answer);
        }
    }),
    (&["protected"], |request, answer| {
        if is_hello(request) {
            *answer =
                grantor_world::json(StatusCode::OK, &json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
        }
    }),
    (&["challenge", "invalid-token"], |_, answer| drop(answer.headers_mut().remove("www-authenticate"))),
    (&["challenge-syntax"], |request, answer| {
        if !request.headers.contains_key("authorization") {
            challenge(
                answer,
                "Bearer resource_metadata='https://mcp.example.com/.well-known/oauth-protected-resource/mcp', scope='a'",
            );
        }
    }),
    (&["challenge-metadata", "challenge-scope", "invalid-token"], |_, answer| {
        challenge(answer, "Bearer realm=\"x\"");
    }),
    (&["challenge-metadata"], |_, answer| {
        challenge(
            answer,
            "Bearer resource_metadata=\"http://mcp.example.com/x\", scope=\"a\", error=\"invalid_token\"",
        );
    }),
    (&["bad-token", "query-token"], |request, answer| {
        if request.headers.contains_key("authorization") || request.url.query().is_some() {
            *answer =
                grantor_world::json(StatusCode::OK, &json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
        }
    }),
    (&["cors"], |request, answer| {
        if request.method == "OPTIONS" {
            *answer = grantor_world::text(StatusCode::METHOD_NOT_ALLOWED, "");
        }
    }),
    (&["cors"], |_, answer| {
        answer.headers_mut().insert("access-control-allow-headers", HeaderValue::from_static("*"));
    }),
    (&["cors", "cors-challenge", "resource-cors", "server-cors"], |_, answer| {
        answer.headers_mut().remove("access-control-allow-origin");
    }),
    (&["resource-metadata", "well-known"], |request, answer| {
        if request.url.path().contains("oauth-protected-resource") {
            gone(answer);
        }
    }),
    (&["resource-identity", "resource-metadata", "well-known"], |request, answer| {
        if at(request, METADATA) {
            edit(answer, |document| document["resource"] = "https://mcp.example.com/other".into());
        }
    }),
    (&["authorization-servers", "resource-metadata", "well-known"], |request, answer| {
        if at(request, METADATA) {
            edit(answer, |document| document["authorization_servers"] = json!([]));
        }
    }),
    (&["resource-document"], |request, answer| {
        if at(request, METADATA) {
            edit(answer, |document| document["resource_name"] = 7.into());
        }
    }),
    (&["server-metadata"], |request, answer| {
        if request.url.path().contains("oauth-authorization-server") || request.url.path().contains("openid")
        {
            gone(answer);
        }
    }),
    (&["server-metadata"], |request, answer| {
        if at(request, METADATA) {
            edit(answer, |document| document["authorization_servers"] = json!(["http://as.example.com"]));
        }
    }),
    (&["server-identity"], |request, answer| {
        if at(request, SERVER) {
            edit(answer, |document| document["issuer"] = "https://other.example.com".into());
        }
    }),
    (&["server-usable"], |request, answer| {
        if at(request, SERVER) {
            edit(answer, |document| document["response_types_supported"] = json!(["token"]));
        }
    }),
    (&["pkce"], |request, answer| {
        if at(request, SERVER) {
            edit(answer, |document| {
                drop(document.as_object_mut().unwrap().remove("code_challenge_methods_supported"));
            });
        }
    }),
    (&["server-document"], |request, answer| {
        if at(request, SERVER) {
            edit(answer, |document| document["scopes_supported"] = "a b".into());
        }
    }),
    (&["iss"], |request, answer| {
        if at(request, SERVER) {
            edit(answer, |document| {
                document["authorization_response_iss_parameter_supported"] = false.into();
            });
        }
    }),
    (&["client-document", "registration"], |request, answer| {
        if at(request, SERVER) {
            edit(answer, |document| {
                document["client_id_metadata_document_supported"] = false.into();
                document.as_object_mut().unwrap().remove("registration_endpoint");
            });
        }
    }),
    (&["refresh"], |request, answer| {
        if at(request, SERVER) {
            edit(answer, |document| document["grant_types_supported"] = json!(["authorization_code"]));
        }
    }),
    (&["revocation"], |request, answer| {
        if at(request, SERVER) {
            edit(answer, |document| drop(document.as_object_mut().unwrap().remove("revocation_endpoint")));
        }
    }),
    (&["token-error"], |request, answer| {
        if at(request, "/token") {
            *answer = grantor_world::text(StatusCode::INTERNAL_SERVER_ERROR, "<html>");
        }
    }),
];

#[test]
fn each_rule_is_broken_alone() {
    let mut broken = BTreeSet::from(["reachable", "https"]); // below
    for (codes, change) in BROKEN {
        let checks = examine(change);
        assert_eq!(failed(&checks), codes.iter().copied().collect(), "{}", told(&checks));
        broken.extend(*codes);
    }
    let never: Vec<&str> = RULES.iter().map(|rule| rule.code).filter(|code| !broken.contains(code)).collect();
    assert_eq!(never, [""; 0], "no server breaks these");
}

#[test]
fn a_failed_search_tells_its_own_places_and_what_their_servers_said() {
    let checks = examine(|request, answer| {
        let path = request.url.path();
        if path == METADATA {
            edit(answer, |document| {
                document["authorization_servers"] =
                    json!(["https://gone.example.com/a", "https://as.example.com"]);
            });
        }
        if request.url.host_str() == Some("gone.example.com") {
            *answer = grantor_world::json(StatusCode::FORBIDDEN, &json!({ "message": "ask the operator" }));
        }
    });
    assert_eq!(failed(&checks), BTreeSet::from(["server-metadata"]), "{}", told(&checks));
    let seen = told(&checks);
    assert!(seen.contains("gone.example.com") && seen.contains("ask the operator"), "{seen}");
    assert!(!seen.contains("mcp.example.com") && !seen.contains("as.example.com"), "{seen}");
    assert!(checks.iter().any(|check| check.rule.code == "pkce"), "the other server is looked at");
}

#[test]
fn a_document_that_only_the_challenge_leads_to() {
    let checks = examine(|request, answer| {
        let path = request.url.path();
        if is_hello(request) {
            challenge(
                answer,
                "Bearer resource_metadata=\"https://mcp.example.com/own\", scope=\"a\", error=\"invalid_token\"",
            );
        }
        if path == "/own" {
            let document =
                json!({ "resource": RESOURCE, "authorization_servers": ["https://as.example.com"] });
            *answer = grantor_world::with(
                grantor_world::json(StatusCode::OK, &document),
                "access-control-allow-origin",
                "*",
            );
        }
        if path == METADATA {
            gone(answer);
        }
    });
    assert_eq!(failed(&checks), BTreeSet::from(["well-known"]), "{}", told(&checks));
}

#[test]
fn what_cannot_be_reached_is_told() {
    let mut examination = Examination::new(RESOURCE, UrlPolicy::default()).unwrap();
    examination.next_request().unwrap();
    examination.answer(Err("connection refused\u{1b}[2J"));
    assert!(examination.next_request().is_none());
    let [check] = examination.checks() else { panic!("{:?}", examination.checks()) };
    assert_eq!((check.rule.code, check.outcome, &*check.at), ("reachable", Outcome::Failed, RESOURCE));
    assert!(check.seen.starts_with("connection refused") && !check.seen.contains('\u{1b}'), "{}", check.seen);
}

#[test]
fn plain_http_is_told() {
    let mut examination = Examination::new("http://mcp.example.com/mcp", UrlPolicy::default()).unwrap();
    examination.next_request().unwrap();
    let headers = HeaderMap::new();
    examination.answer(Ok(HttpResponse { status: 401, headers: &headers, body: b"" }));
    assert!(failed(examination.checks()).contains("https"));
}

#[test]
fn what_is_no_url_is_refused() {
    for bad in ["", "mcp.example.com", "mailto:a@example.com"] {
        assert!(Examination::new(bad, UrlPolicy::default()).is_err(), "{bad}");
    }
}

#[test]
fn servers_that_answer_anything_end_it() {
    for (status, body) in [(200, "{}"), (200, "[]"), (302, ""), (401, ""), (500, "<html>"), (204, "")] {
        let mut examination = Examination::new(RESOURCE, UrlPolicy::default()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static("/again"));
        headers.insert("www-authenticate", HeaderValue::from_static("Bearer"));
        let mut requests = 0;
        while examination.next_request().is_some() {
            requests += 1;
            assert!(requests < 40, "{status} leads to no end");
            examination.answer(Ok(HttpResponse { status, headers: &headers, body: body.as_bytes() }));
        }
        assert!(!failed(examination.checks()).is_empty());
    }
}

#[test]
fn no_token_that_is_one_is_sent() {
    let mut world = World::new();
    let mut examination = Examination::new(RESOURCE, UrlPolicy::default()).unwrap();
    while let Some(request) = examination.next_request() {
        assert!(["GET", "POST", "OPTIONS"].contains(&request.method.as_str()));
        assert_ne!(request.url.path(), "/register", "nobody is registered");
        let answer = good(&mut world, &request);
        let (status, headers, body) = (answer.status().as_u16(), answer.headers(), answer.body());
        examination.answer(Ok(HttpResponse { status, headers, body }));
    }
    assert_eq!(world.server().issued, 0);
}

#[test]
fn rules_say_what_to_do() {
    let codes: BTreeSet<&str> = RULES.iter().map(|rule| rule.code).collect();
    assert_eq!(codes.len(), RULES.len(), "codes are unique");
    for rule in RULES {
        assert_eq!(Rule::find(rule.code), Some(*rule));
        for text in [rule.title, rule.section, rule.who, rule.mend] {
            assert!(!text.is_empty(), "{}", rule.code);
        }
        assert!(rule.mend.ends_with('.') && rule.who.len() > 5, "{}", rule.code);
    }
    assert!(Rule::find("nothing").is_none());
    assert!(Severity::Note < Severity::Warning && Severity::Warning < Severity::Error);
}
