//! Who is asked about a token, and what becomes of servers that cannot answer.

use std::collections::BTreeSet;

use crate::bench::*;
use grantor::jose::JwsError;
use grantor::resource::*;
use grantor::wire::HttpRequest;
use grantor::wire::client_auth::{Client, ClientAuthMethod};
use serde_json::{Value, json};

const OTHER: &str = "https://bs.example.com";

fn client() -> Client {
    Client::confidential("mcp", "s3cr3t".into(), ClientAuthMethod::SecretBasic)
}

/// One server with keys, one that is asked.
fn both() -> GuardConfig {
    config().server(asked_at(OTHER))
}

fn asked_at(issuer: &str) -> AuthorizationServer {
    let mut server = AuthorizationServer::introspection(issuer, client());
    let Tokens::Introspection { endpoint, .. } = &mut server.tokens else { panic!() };
    *endpoint = Some(format!("{issuer}/introspect").parse().unwrap());
    server
}

fn asked_only() -> GuardConfig {
    GuardConfig::new(RESOURCE, policy()).server(asked_at(ISSUER))
}

/// The token that a request for introspection shows.
fn shown(request: &HttpRequest) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(request.body.expose().as_bytes());
    pairs.find(|(name, _)| name == "token").map(|(_, token)| token.into_owned())
}

fn active(issuer: &str) -> String {
    let mut facts = claims(json!({ "active": true, "iss": issuer }));
    facts["exp"] = Value::Null;
    facts.to_string()
}

/// Any three parts; nobody looks at the signature.
fn jwt(header: &Value, claims: &Value) -> String {
    format!("{}.{}.{}", b64(header.to_string()), b64(claims.to_string()), b64("signature"))
}

fn request(token: &str) -> Request {
    Request::list().bearer(token)
}

/// JWTs that no server with keys can have made.
fn unclaimed() -> Vec<String> {
    let es256 = json!({ "alg": "ES256", "typ": "JWT" });
    let with_keys = claims(json!({}));
    let no_issuer = claims(json!({ "iss": null }));
    let mut all = Vec::new();
    for alg in ["HS256", "HS512", "ES256K", "PS512", "X"] {
        let header = json!({ "alg": alg, "typ": "JWT", "kid": "k1" });
        all.push(jwt(&header, &no_issuer));
        all.push(jwt(&header, &claims(json!({ "iss": "https://nobody.example.com" }))));
        all.push(jwt(&header, &with_keys));
        all.push(jwt(&header, &claims(json!({ "iss": OTHER }))));
    }
    all.push(jwt(&es256, &no_issuer));
    all.push(jwt(&es256, &claims(json!({ "iss": OTHER }))));
    all.push(jwt(&es256, &claims(json!({ "iss": "https://nobody.example.com" }))));
    all.push(jwt(&es256, &claims(json!({ "iss": 7 }))));
    all.push(jwt(&es256, &json!(["no", "claims"])));
    all.push(jwt(&json!({ "typ": "JWT" }), &with_keys));
    all.push(jwt(&json!({ "alg": "ES256", "crit": ["x"], "x": 1 }), &no_issuer));
    all.push(format!("{}.e30.", b64("no header")));
    all.push(format!("{}.{}.x", b64(es256.to_string()), "!"));
    all.retain(|token| !token.contains('!'));
    all
}

#[test]
fn jwts_that_no_server_with_keys_can_claim_are_asked_about() {
    for (config, host) in
        [(both(), false), (config().server(AuthorizationServer::verified_by_host(OTHER)), true)]
    {
        let mut bench = Bench::with(config);
        bench.peer = Box::new(|request| match shown(request) {
            Some(_) => ok(active(OTHER)),
            None => usual_peer(request),
        });
        bench.host = Box::new(|_| Some(active(OTHER)));
        for token in unclaimed() {
            let grant = bench.allow(&request(&token)).unwrap();
            assert_eq!(&*grant.issuer, OTHER, "{token}");
        }
        assert_eq!(bench.asked.is_empty(), host, "no keys were fetched for them");
        // The others are not shown around.
        let asked = bench.asked.len();
        bench.allow(&request(&token(json!({})))).unwrap();
        assert_eq!(bench.asked.iter().skip(asked).filter(|asked| asked.contains("introspect")).count(), 0);
    }
}

#[test]
fn what_nobody_may_accept_is_not_asked_about() {
    let mut bench = Bench::with(both());
    bench.peer = Box::new(|request| match shown(request) {
        Some(token) => panic!("{token} was shown"),
        None => usual_peer(request),
    });
    let jwk: Value = serde_json::from_str(&key(3).public().to_jwk()).unwrap();
    for (header, error) in [
        (json!({ "alg": "none" }), JwsError::AlgorithmNone),
        (json!({ "alg": "ES256", "jwk": jwk }), JwsError::EmbeddedKey),
    ] {
        for issuer in [json!(null), json!(ISSUER), json!(OTHER)] {
            let token = jwt(&header, &claims(json!({ "iss": issuer })));
            assert_eq!(bench.why(&request(&token)), (401, Refusal::Token(error.into())));
        }
    }
    // A server with keys has made it, or nobody has.
    let forged = jwt(&json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" }), &claims(json!({})));
    assert_eq!(bench.refuse(&request(&forged)).status, 401);
    let typed = token(json!({ "exp": START - 100 }));
    assert_eq!(bench.refuse(&request(&typed)).status, 401);
}

#[test]
fn the_one_that_the_token_names_is_asked_alone() {
    let config = GuardConfig::new(RESOURCE, policy()).server(asked_at(ISSUER)).server(asked_at(OTHER));
    let mut bench = Bench::with(config);
    bench.peer = Box::new(|request| match request.url.host_str() {
        Some("bs.example.com") => ok(active(OTHER)),
        _ => panic!("it is not this one's"),
    });
    for alg in ["HS256", "ES256"] {
        let token = jwt(&json!({ "alg": alg }), &claims(json!({ "iss": OTHER })));
        assert_eq!(&*bench.allow(&request(&token)).unwrap().issuer, OTHER);
    }
}

#[test]
fn an_issuer_with_keys_that_is_asked_too() {
    let mut bench = Bench::with(config().server(AuthorizationServer::verified_by_host(ISSUER)));
    bench.host =
        Box::new(|_| Some(json!({ "sub": "by-host", "aud": RESOURCE, "scope": "mcp:use" }).to_string()));
    let symmetric = jwt(&json!({ "alg": "HS256", "typ": "JWT" }), &claims(json!({})));
    assert_eq!(bench.allow(&request(&symmetric)).unwrap().subject.as_deref(), Some("by-host"));
    assert_eq!(bench.allow(&request(&token(json!({})))).unwrap().subject.as_deref(), Some("alice"));
    let document = bench.refuse(&Request::get("/.well-known/oauth-protected-resource/mcp")).json();
    assert_eq!(document["authorization_servers"], json!([ISSUER]), "named once");
}

/// A server that answers so to tokens that begin with `odd`.
fn odd_at(status: u16, retry_after: Option<&'static str>) -> impl FnMut(&HttpRequest) -> Reply {
    move |request| match shown(request) {
        Some(token) if token.starts_with("odd") => {
            let lines = retry_after.map(|seconds| ("retry-after", seconds.to_owned()));
            Ok((status, lines.into_iter().collect(), String::new()))
        }
        Some(_) => ok(active(ISSUER)),
        None => usual_peer(request),
    }
}

#[test]
fn one_odd_token_a_second_shuts_out_nobody() {
    for status in [302, 401, 403, 404, 429, 500, 502, 503, 504] {
        for different in [false, true] {
            let mut bench = Bench::with(asked_only());
            bench.peer = Box::new(odd_at(status, None));
            for n in 0..60 {
                let odd = if different { format!("odd-{n}") } else { "odd".to_owned() };
                assert_eq!(bench.why(&request(&odd)), (503, Refusal::Unavailable), "{status}");
                if n % 7 == 0 {
                    bench.allow(&request(&format!("good-{n}"))).unwrap_or_else(|| panic!("{status}"));
                }
                bench.pass_s(1);
            }
        }
    }
    // The same where a connection breaks at it.
    let mut bench = Bench::with(asked_only());
    bench.peer = Box::new(|request| match shown(request) {
        Some(token) if token.starts_with("odd") => Err(()),
        _ => ok(active(ISSUER)),
    });
    for n in 0..60 {
        assert_eq!(bench.why(&request(&format!("odd-{n}"))).0, 503);
    }
    bench.allow(&request("good")).unwrap();
}

#[test]
fn one_odd_token_is_not_asked_about_again_and_again() {
    let mut bench = Bench::with(asked_only());
    bench.peer = Box::new(odd_at(500, None));
    for _ in 0..100 {
        assert_eq!(bench.why(&request("odd")), (503, Refusal::Unavailable));
    }
    assert_eq!(bench.asked.len(), 1);
    bench.pass_s(5);
    bench.why(&request("odd"));
    assert_eq!(bench.asked.len(), 2);
}

/// Only several tokens tell that a server means itself.
#[test]
fn rfc9110_10_2_3_retry_after_counts_once_several_tokens_failed() {
    let mut bench = Bench::with(asked_only());
    bench.peer = Box::new(odd_at(429, Some("60")));
    for _ in 0..20 {
        assert_eq!(bench.refuse(&request("odd")).status, 503);
        bench.pass_s(6);
    }
    bench.allow(&request("good-1")).unwrap();
    for n in 0..grantor::limits::SERVER_FAILURES {
        let _ = bench.refuse(&request(&format!("odd-{n}")));
    }
    let asked = bench.asked.len();
    let answer = bench.refuse(&request("good-2"));
    assert_eq!((answer.status, answer.headers["retry-after"].to_str().unwrap()), (503, "60"));
    assert_eq!(bench.asked.len(), asked, "it is left alone");
    bench.allow(&request("good-1")).unwrap_or_else(|| panic!("what is known counts"));
    bench.pass_s(60);
    let _ = bench.refuse(&request("odd-again"));
    bench.allow(&request("good-2")).unwrap_or_else(|| panic!("after the pause it takes several again"));
}

#[test]
fn a_server_that_fails_is_asked_about_few_tokens_at_once() {
    let mut bench = Bench::with(asked_only());
    bench.peer = Box::new(odd_at(500, None));
    for n in 0..grantor::limits::SERVER_FAILURES {
        let _ = bench.refuse(&request(&format!("odd-{n}")));
    }
    let (mut waits, mut turned_away) = (0, 0);
    for n in 0..100 {
        let request = request(&format!("good-{n}"));
        let head = RequestHead::new(&request.method, &request.uri, &request.headers);
        match bench.guard.check(bench.now, &head, None) {
            Decision::Wait(_) => waits += 1,
            Decision::Answer(answer) => {
                assert_eq!(answer.status, 503);
                turned_away += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((waits, turned_away), (grantor::limits::FAILING_ASKED, 100 - grantor::limits::FAILING_ASKED));
    bench.perform();
    for n in 0..100 {
        bench.allow(&request(&format!("good-{n}"))).unwrap();
    }
}

#[test]
fn where_one_server_fails_others_are_asked() {
    let config = GuardConfig::new(RESOURCE, policy()).server(asked_at(ISSUER)).server(asked_at(OTHER));
    for failure in
        [Err(()), Ok((500, Vec::new(), String::new())), Ok((400, Vec::new(), String::new())), ok("{}")]
    {
        let own = || {
            let config =
                GuardConfig::new(RESOURCE, policy()).server(asked_at(ISSUER)).server(asked_at(OTHER));
            Bench::with(config)
        };
        let mut bench = own();
        let reply = failure.clone();
        bench.peer = Box::new(move |request| match (request.url.host_str(), shown(request).as_deref()) {
            (Some("as.example.com"), _) => reply.clone(),
            (_, Some("unknown")) => ok(r#"{"active":false}"#),
            _ => ok(active(OTHER)),
        });
        for n in 0..50 {
            let grant = bench.allow(&request(&format!("token-{n}"))).unwrap();
            assert_eq!(&*grant.issuer, OTHER, "{failure:?}");
        }
        // The first may know it: who cannot know sends nobody into a login.
        assert_eq!(bench.why(&request("unknown")), (503, Refusal::Unavailable), "{failure:?}");
    }
    drop(config);
}

#[test]
fn a_paused_server_pauses_no_other() {
    let first = AuthorizationServer::introspection(ISSUER, client()); // its metadata is to be found
    let config = GuardConfig::new(RESOURCE, policy()).server(first).server(asked_at(OTHER));
    let mut bench = Bench::with(config);
    let (tell, told) = std::sync::mpsc::channel();
    bench.peer = Box::new(move |request| match (request.url.host_str(), shown(request)) {
        (Some("bs.example.com"), Some(token)) => {
            tell.send(token.clone()).unwrap();
            if token == "unknown" { ok(r#"{"active":false}"#) } else { ok(active(OTHER)) }
        }
        _ => Err(()),
    });
    for n in 0..10 {
        assert_eq!(&*bench.allow(&request(&format!("token-{n}"))).unwrap().issuer, OTHER);
        assert_eq!(bench.why(&request("unknown")), (503, Refusal::Unavailable));
    }
    let asked: BTreeSet<String> = told.try_iter().collect();
    assert_eq!(asked.len(), 11);
    // Once it is there, it is asked.
    bench.pass_s(6);
    bench.peer = Box::new(|request| match (request.url.path(), shown(request)) {
        (_, Some(_)) => ok(r#"{"active":false}"#),
        _ => usual_peer(request),
    });
    assert_eq!(bench.why(&request("unknown")), (401, Refusal::Token(TokenProblem::Inactive)));
}

#[test]
fn a_verifier_that_fails_at_one_token_shuts_out_no_other() {
    use grantor::error::{Failure, FailureKind};
    let config = GuardConfig::new(RESOURCE, policy()).server(AuthorizationServer::verified_by_host(ISSUER));
    let mut bench = Bench::with(config);
    bench.host = Box::new(|_| Some(active(ISSUER)));
    for n in 0..50 {
        let odd = request(&format!("odd-{n}"));
        let head = RequestHead::new(&odd.method, &odd.uri, &odd.headers);
        assert!(matches!(bench.guard.check(bench.now, &head, None), Decision::Wait(_)));
        while let Some(output) = bench.guard.poll_output() {
            if let Output::Perform { op, .. } = output {
                let failed = grantor::Completion::Failed(Failure::new(FailureKind::Other, "a bug"));
                bench.guard.complete(bench.now, op, failed).unwrap();
            }
        }
        assert_eq!(bench.why(&odd), (503, Refusal::Unavailable));
    }
    bench.allow(&request("good")).unwrap();
}

/// A host passes on what a server said.
#[test]
fn rfc7662_2_2_a_host_that_says_inactive() {
    let good = json!({ "sub": "alice", "aud": RESOURCE, "scope": "mcp:use" });
    for no in [
        json!({ "active": false }),
        json!({ "active": "false" }),
        json!({ "active": "true" }),
        json!({ "active": 0 }),
        json!({ "active": null }),
        json!({ "active": [] }),
        json!({ "error": "invalid_token" }),
        json!({ "error": { "code": 401 } }),
    ] {
        for demanded in [true, false] {
            let mut server = AuthorizationServer::verified_by_host(ISSUER);
            let Tokens::Host { audience_demanded, .. } = &mut server.tokens else { panic!() };
            *audience_demanded = demanded;
            let mut bench = Bench::with(GuardConfig::new(RESOURCE, policy()).server(server));
            let mut said = good.clone();
            said.as_object_mut().unwrap().extend(no.as_object().unwrap().clone());
            for facts in [no.to_string(), said.to_string()] {
                let facts = facts.clone();
                bench.host = Box::new(move |_| Some(facts.clone()));
                assert_eq!(bench.why(&request("t")), (401, Refusal::Token(TokenProblem::Inactive)), "{no}");
                bench.pass_s(11);
            }
            let twice = r#"{"active":true,"active":false}"#;
            bench.host = Box::new(move |_| Some(twice.into()));
            assert_eq!(bench.refuse(&request("t")).status, 401);
            bench.pass_s(11);
            let mut said = good.clone();
            said["active"] = json!(true);
            said["error"] = json!(null);
            bench.host = Box::new(move |_| Some(said.to_string()));
            bench.allow(&request("t")).unwrap();
        }
    }
}
