//! Tokens that the authorization server, or the host, is asked about.

use crate::bench::*;
use grantor::jose::ClaimsError;
use grantor::resource::*;
use grantor::wire::client_auth::{Client, ClientAuthMethod};
use serde_json::{Value, json};

fn asking() -> GuardConfig {
    let client = Client::confidential("mcp", "s3cr3t".into(), ClientAuthMethod::SecretBasic);
    GuardConfig::new(RESOURCE, policy()).server(AuthorizationServer::introspection(ISSUER, client))
}

fn bench(config: GuardConfig, says: Value) -> Bench {
    let mut bench = Bench::with(config);
    bench.peer = Box::new(move |request| match request.url.path() {
        "/introspect" => {
            assert!(request.headers["authorization"].is_sensitive());
            assert_eq!(request.body.expose(), "token=opaque&token_type_hint=access_token");
            ok(says.to_string())
        }
        _ => usual_peer(request),
    });
    bench
}

fn facts(changes: Value) -> Value {
    let mut facts = claims(json!({ "active": true }));
    facts.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    facts
}

fn request() -> Request {
    Request::list().bearer("opaque")
}

#[test]
fn rfc7662_2_2_active() {
    let mut bench = bench(asking(), facts(json!({ "username": "al" })));
    let grant = bench.allow(&request()).unwrap();
    assert_eq!((grant.subject.as_deref(), &*grant.issuer), (Some("alice"), ISSUER));
    assert_eq!(grant.claims().unwrap().raw("username"), Some("\"al\""));
    assert_eq!(bench.asked.len(), 2, "metadata and introspection");
    bench.allow(&request()).unwrap();
    assert_eq!(bench.asked.len(), 2, "it is remembered");
    bench.pass_s(60);
    bench.allow(&request()).unwrap();
    assert_eq!(bench.asked.len(), 3, "for a bounded time");
}

#[test]
fn rfc7662_2_2_inactive() {
    let mut bench = bench(asking(), json!({ "active": false }));
    for _ in 0..10 {
        assert_eq!(bench.why(&request()), (401, Refusal::Token(TokenProblem::Inactive)));
    }
    assert_eq!(bench.asked.len(), 2);
}

#[test]
fn rfc7662_4_what_active_tokens_must_be() {
    for (changes, error) in [
        (json!({ "aud": "https://other" }), ClaimsError::Audience),
        (json!({ "aud": null }), ClaimsError::Missing { claim: "aud" }),
        (json!({ "iss": "https://other" }), ClaimsError::Issuer),
        (json!({ "exp": START - 60 }), ClaimsError::Expired),
        (json!({ "nbf": START + 61 }), ClaimsError::NotYetValid),
        (json!({ "exp": "soon" }), ClaimsError::WrongType { claim: "exp" }),
        (json!({ "cnf": { "x": "y" } }), ClaimsError::Confirmation),
        (json!({ "iat": START + 61 }), ClaimsError::IssuedInFuture),
        (json!({ "token_type": "refresh_token" }), ClaimsError::WrongType { claim: "token_type" }),
        (json!({ "token_type": "DPoP" }), ClaimsError::Missing { claim: "cnf" }),
    ] {
        let why = bench(asking(), facts(changes)).why(&request());
        assert_eq!(why, (401, Refusal::Token(error.into())));
    }
    for good in [json!({ "iss": null, "exp": null }), json!({ "token_type": "bearer" })] {
        bench(asking(), facts(good)).allow(&request()).unwrap();
    }
}

#[test]
fn audience_by_option() {
    let mut config = asking();
    let Tokens::Introspection { audience_demanded, .. } = &mut config.servers[0].tokens else { panic!() };
    *audience_demanded = false;
    bench(config, facts(json!({ "aud": null }))).allow(&request()).unwrap();
}

#[test]
fn errors_of_the_introspection_server_are_503() {
    for reply in
        [Err(()), Ok((500, Vec::new(), String::new())), Ok((401, Vec::new(), String::new())), ok("{}")]
    {
        let mut bench = Bench::with(asking());
        bench.peer = Box::new(move |request| match request.url.path() {
            "/introspect" => reply.clone(),
            _ => usual_peer(request),
        });
        assert_eq!(bench.why(&request()), (503, Refusal::Unavailable));
        assert!(!format!("{:?}", bench.notices).contains("s3cr3t"));
    }
}

#[test]
fn what_a_server_cannot_take_of_one_token_is_no_failure_of_the_server() {
    for status in [400, 413, 414, 422] {
        let mut bench = bench(asking(), facts(json!({})));
        bench.peer = Box::new(move |request| match request.url.path() {
            "/introspect" if request.body.expose().contains("hostile") => {
                Ok((status, Vec::new(), String::new()))
            }
            "/introspect" => ok(facts(json!({})).to_string()),
            _ => usual_peer(request),
        });
        let hostile = Request::list().bearer("hostile");
        for _ in 0..10 {
            assert_eq!(bench.why(&hostile), (503, Refusal::Unavailable));
        }
        assert_eq!(bench.asked.len(), 2, "once, and not again at once");
        bench.allow(&request()).unwrap();
    }
}

#[test]
fn tokens_that_are_too_large_to_ask_about() {
    let mut bench = bench(asking(), facts(json!({})));
    let large = "/".repeat(grantor::limits::TOKEN_ASKED + 1);
    let why = bench.why(&Request::list().bearer(&large));
    assert_eq!(why, (401, Refusal::Token(TokenProblem::TooLarge)));
    assert!(bench.asked.is_empty());
}

#[test]
fn one_question_for_many_waiting_requests() {
    let mut bench = bench(asking(), facts(json!({})));
    bench.allow(&request()).unwrap();
    bench.pass_s(61);
    let request = request();
    let head = RequestHead::new(&request.method, &request.uri, &request.headers);
    for _ in 0..1000 {
        assert!(matches!(bench.guard.check(bench.now, &head, None), Decision::Wait(_)));
    }
    bench.perform();
    assert_eq!(bench.asked.len(), 3);
    bench.allow(&request).unwrap();
}

#[test]
fn questions_that_are_open_are_bounded() {
    let mut bench = bench(asking(), facts(json!({})));
    bench.allow(&request()).unwrap();
    let mut busy = 0;
    for n in 0..10_000 {
        let request = Request::list().bearer(&format!("t{n}"));
        let head = RequestHead::new(&request.method, &request.uri, &request.headers);
        match bench.guard.check(bench.now, &head, None) {
            Decision::Wait(_) => {}
            Decision::Answer(answer) => {
                assert_eq!(answer.status, 503);
                busy += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(busy, 10_000 - grantor::limits::CHECKS_ASKED);
}

#[test]
fn jwt_and_opaque_tokens_side_by_side() {
    const OTHER: &str = "https://other.example.com";
    let mut config = asking();
    config = config.server(AuthorizationServer::jwt(OTHER));
    let mut bench = bench(config, facts(json!({})));
    let before = std::mem::replace(&mut bench.peer, Box::new(|_| Err(())));
    let mut before = before;
    bench.peer = Box::new(move |request| match request.url.as_str() {
        "https://other.example.com/.well-known/oauth-authorization-server" => {
            ok(json!({ "issuer": OTHER, "jwks_uri": "https://other.example.com/jwks" }).to_string())
        }
        "https://other.example.com/jwks" => ok(jwks(&[&key(2)])),
        _ => before(request),
    });
    assert_eq!(&*bench.allow(&request()).unwrap().issuer, ISSUER);
    let jwt = token_by(&key(2), json!({ "iss": OTHER }));
    assert_eq!(&*bench.allow(&Request::list().bearer(&jwt)).unwrap().issuer, OTHER);
}

#[test]
fn the_next_is_asked_when_one_does_not_know() {
    let mut config = asking();
    config = config.server(AuthorizationServer::verified_by_host("https://host.example.com"));
    let mut bench = bench(config, json!({ "active": false }));
    bench.host = Box::new(|token| {
        assert_eq!(token, "opaque");
        Some(json!({ "sub": "bob", "scope": "mcp:use", "aud": RESOURCE }).to_string())
    });
    let grant = bench.allow(&request()).unwrap();
    assert_eq!((grant.subject.as_deref(), &*grant.issuer), (Some("bob"), "https://host.example.com"));
}

#[test]
fn where_the_next_is_asked_is_found_out_before_the_first_is_asked() {
    let first = AuthorizationServer::verified_by_host("https://host.example.com");
    let mut config = GuardConfig::new(RESOURCE, policy()).server(first);
    config.servers.extend(asking().servers);
    let mut bench = bench(config, facts(json!({ "exp": null })));
    let (asked, count) = std::sync::mpsc::channel();
    bench.host = Box::new(move |_| {
        asked.send(()).unwrap();
        None
    });
    for round in 1..=3 {
        assert_eq!(&*bench.allow(&request()).unwrap().issuer, ISSUER);
        assert_eq!(count.try_iter().count(), 1, "round {round}");
        bench.pass_s(3 * 3600);
    }
}

#[test]
fn a_host_that_checks_tokens_itself() {
    let config = GuardConfig::new(RESOURCE, policy()).server(AuthorizationServer::verified_by_host(ISSUER));
    let mut bench = Bench::with(config);
    assert_eq!(bench.why(&request()), (401, Refusal::Token(TokenProblem::Inactive)));
    bench.pass_s(11);
    bench.host = Box::new(|_| Some(r#"{"scope":"mcp:use"}"#.into()));
    let missing = ClaimsError::Missing { claim: "aud" };
    assert_eq!(bench.why(&request()), (401, Refusal::Token(missing.into())));
    assert!(bench.asked.is_empty());
}

#[test]
fn the_log_names_both_audiences_of_a_token_that_was_asked_about() {
    let mut bench = bench(asking(), facts(json!({ "aud": "https://other.example.com" })));
    for _ in 0..2 {
        assert_eq!(bench.why(&request()), (401, Refusal::Token(ClaimsError::Audience.into())));
    }
    let told = bench.notices.iter().filter_map(|notice| match notice {
        Notice::TokenMismatch { issuer, mismatch } => Some((issuer.to_string(), mismatch.to_string())),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let shown = "`aud` is https://other.example.com; it should be https://mcp.example.com/mcp";
    assert_eq!(told, [(ISSUER.to_owned(), shown.to_owned())], "once");
}

#[test]
fn a_server_that_fails_is_named_with_its_words() {
    let mut bench = Bench::with(asking());
    bench.peer = Box::new(move |request| match request.url.path() {
        "/introspect" => {
            let answer =
                json!({ "error": "access_denied", "message": "token opaque, secret s3cr3t: no such client" });
            Ok((403, vec![("content-type", "application/json".into())], answer.to_string()))
        }
        _ => usual_peer(request),
    });
    assert_eq!(bench.refuse(&request()).status, 503);
    let Some(Notice::ServerFailed { error, .. }) = bench.notices.last() else {
        panic!("{:?}", bench.notices)
    };
    let shown = error.to_string();
    assert!(shown.starts_with("token introspection at https://as.example.com/introspect: "), "{shown}");
    assert!(shown.contains("no such client") && shown.contains("403"), "{shown}");
    assert!(!shown.contains("opaque") && !shown.contains("s3cr3t"), "{shown}");
}
