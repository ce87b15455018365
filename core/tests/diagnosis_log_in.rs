//! Diagnosis of a log-in: a test for each rule, on a server that breaks it and keeps all others.

use std::collections::BTreeSet;

use grantor::UrlPolicy;
use grantor::diagnosis::{Examination, LOG_IN_RULES, LogInExamination, LogInStep, Outcome, Rule};
use grantor::error::Exchange;
use grantor::wire::HttpResponse;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use url::Url;

const RESOURCE: &str = "https://mcp.example.com/mcp";
const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

/// A log-in examination of a server that names these scopes in its metadata.
fn begun(scopes: &Value) -> LogInExamination {
    let mut examination = Examination::new(RESOURCE, UrlPolicy::default()).unwrap();
    let document = json!({ "resource": RESOURCE, "authorization_servers": ["https://as.example.com"], "scopes_supported": scopes });
    while let Some(request) = examination.next_request() {
        let (status, body) = match request.url.path() {
            "/mcp" => (401, Value::Null),
            METADATA => (200, document.clone()),
            _ => (404, Value::Null),
        };
        let (mut headers, body) = (HeaderMap::new(), body.to_string());
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        examination.answer(Ok(HttpResponse { status, headers: &headers, body: body.as_bytes() }));
    }
    examination.log_in().expect("the server is protected")
}

/// What a server does.
#[derive(Clone)]
struct Server {
    log_in: Result<(), &'static str>,
    cache: &'static str,
    token: Value,
    asked: (u16, &'static str),
    refresh: Result<Value, &'static str>,
    step_up: Result<Value, &'static str>,
    revocation: (u16, Value),
}

/// A token for this audience, signed by nobody.
fn jwt(audience: &str) -> String {
    let claims = match audience {
        RESOURCE => "eyJhdWQiOlsiaHR0cHM6Ly9tY3AuZXhhbXBsZS5jb20vbWNwIl19",
        "" => "eyJzdWIiOiJhIn0",
        other => panic!("{other} is not encoded here"),
    };
    format!("eyJhbGciOiJub25lIn0.{claims}.c2ln")
}

fn token(refresh: &str, scope: &str) -> Value {
    json!({ "access_token": jwt(RESOURCE), "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh,
        "scope": scope })
}

/// A server that keeps every rule.
fn good() -> Server {
    Server {
        log_in: Ok(()),
        cache: "no-store",
        token: token("r1", "a"),
        asked: (200, ""),
        refresh: Ok(token("r2", "a")),
        step_up: Ok(token("r3", "a b")),
        revocation: (200, Value::Null),
    }
}

/// Examines it; the rules that fail with what was seen, and those that were looked at.
fn examine(server: &Server) -> (BTreeSet<&'static str>, BTreeSet<&'static str>, String) {
    let mut examination = begun(&json!(["a", "b"]));
    let endpoint = Url::parse("https://as.example.com/token").unwrap();
    let mut steps = 0;
    while let Some(step) = examination.next_step().cloned() {
        steps += 1;
        assert!(steps < 20, "it does not end");
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("cache-control", HeaderValue::from_static(server.cache));
        let mut exchanged = |exchange, status, body: &Value| {
            let body = body.to_string();
            examination.exchanged(
                exchange,
                &endpoint,
                &HttpResponse { status, headers: &headers, body: body.as_bytes() },
            );
        };
        match &step {
            LogInStep::LogIn => {
                if server.log_in.is_ok() {
                    exchanged(Exchange::CodeToken, 200, &server.token);
                }
                examination.done(server.log_in.map(|()| None));
            }
            LogInStep::Ask => {
                assert_eq!(examination.request().url.as_str(), RESOURCE);
                let (status, challenge) = server.asked;
                let mut headers = HeaderMap::new();
                headers.insert("www-authenticate", HeaderValue::from_static(challenge));
                examination.done(Ok(Some(HttpResponse { status, headers: &headers, body: b"" })));
            }
            LogInStep::Refresh => {
                match &server.refresh {
                    Ok(token) => exchanged(Exchange::RefreshToken, 200, token),
                    Err(_) => exchanged(Exchange::RefreshToken, 400, &json!({ "error": "invalid_grant" })),
                }
                examination.done(server.refresh.as_ref().map(|_| None).map_err(|words| *words));
            }
            LogInStep::StepUp(challenges) => {
                let scope = challenges.bearer().unwrap().scope().unwrap().unwrap();
                assert_eq!(scope.to_string(), "b", "what was not granted yet");
                if let Ok(token) = &server.step_up {
                    exchanged(Exchange::CodeToken, 200, token);
                }
                examination.done(server.step_up.as_ref().map(|_| None).map_err(|words| *words));
            }
            LogInStep::LogOut => {
                exchanged(Exchange::Revocation, server.revocation.0, &server.revocation.1);
                examination.done(Ok(None));
            }
            other => panic!("{other:?}"),
        }
    }
    let checks = examination.checks();
    let looked_at = checks.iter().map(|check| check.rule.code).collect();
    let broken = || checks.iter().filter(|check| check.outcome == Outcome::Failed);
    let told = broken().map(|check| format!("{}: {}\n", check.rule.code, check.seen)).collect();
    assert!(!format!("{checks:?}{examination:?}").contains("eyJ"), "a token is told");
    (broken().map(|check| check.rule.code).collect(), looked_at, told)
}

#[test]
fn a_good_log_in_keeps_every_rule() {
    let (failed, looked_at, told) = examine(&good());
    assert_eq!(failed, BTreeSet::new(), "{told}");
    let all: BTreeSet<&str> = LOG_IN_RULES.iter().map(|rule| rule.code).collect();
    let left: Vec<_> = all.difference(&looked_at).collect();
    assert_eq!(left, [&"insufficient-scope"], "which no good server makes anybody see");
}

#[test]
fn each_rule_of_a_log_in_is_broken_alone() {
    type Change = fn(&mut Server);
    let scoped = "Bearer error=\"insufficient_scope\", scope=\"b\"";
    let changes: [(&[&str], Change); 14] = [
        (&["log-in"], |server| server.log_in = Err("the authorization was declined")),
        (&["token-document"], |server| server.token["expires_in"] = "3600".into()),
        (&["token-cache"], |server| server.cache = "max-age=60"),
        (&["token-expiry"], |server| drop(server.token.as_object_mut().unwrap().remove("expires_in"))),
        (&["token-audience"], |server| server.token["access_token"] = jwt("").into()),
        (&["token-accepted"], |server| server.asked = (401, "Bearer error=\"invalid_token\"")),
        (&["insufficient-scope"], |server| server.asked = (403, "Bearer")),
        (&["refresh-token"], |server| drop(server.token.as_object_mut().unwrap().remove("refresh_token"))),
        (&["refreshed"], |server| server.refresh = Err("the authorization server refused: invalid_grant")),
        (&["refresh-rotation"], |server| server.refresh = Ok(token("r1", "a"))),
        (&["refresh-rotation"], |server| {
            server.refresh =
                Ok(json!({ "access_token": "x", "token_type": "Bearer", "expires_in": 9, "scope": "a" }));
        }),
        (&["step-up"], |server| server.step_up = Err("access_denied")),
        (&["step-up-scopes"], |server| server.step_up = Ok(token("r3", "b"))),
        (&["revoked"], |server| server.revocation = (500, Value::Null)),
    ];
    let mut broken = BTreeSet::new();
    for (codes, change) in changes {
        let mut server = good();
        change(&mut server);
        let (failed, _, told) = examine(&server);
        assert_eq!(failed, codes.iter().copied().collect(), "{told}");
        broken.extend(failed);
    }
    assert_eq!(broken, LOG_IN_RULES.iter().map(|rule| rule.code).collect());
    // One that says which scopes are missing is right.
    let (failed, looked_at, told) = examine(&Server { asked: (403, scoped), ..good() });
    assert_eq!(failed, BTreeSet::new(), "{told}");
    assert!(looked_at.contains("insufficient-scope"));
}

#[test]
fn rfc7009_2_2_1_a_server_need_not_revoke_tokens_of_every_kind() {
    for (error, broken) in [("unsupported_token_type", false), ("invalid_request", true)] {
        let server = Server { revocation: (400, json!({ "error": error })), ..good() };
        assert_eq!(examine(&server).0.contains("revoked"), broken, "{error}");
    }
}

#[test]
fn a_token_that_nobody_can_read_has_no_audience_to_look_at() {
    let mut server = good();
    server.token["access_token"] = "opaque".into();
    let (failed, looked_at, told) = examine(&server);
    assert_eq!(failed, BTreeSet::new(), "{told}");
    assert!(!looked_at.contains("token-audience"));
}

#[test]
fn where_nothing_is_to_be_granted_nothing_more_is_asked() {
    let mut examination = begun(&Value::Null);
    examination.done(Ok(None));
    assert_eq!(examination.next_step(), None, "the server has asked for no token");
    let mut open = Examination::new(RESOURCE, UrlPolicy::default()).unwrap();
    open.next_request();
    open.answer(Ok(HttpResponse { status: 200, headers: &HeaderMap::new(), body: b"{}" }));
    assert!(open.log_in().is_none(), "there is nothing to log in to");
}

#[test]
fn a_server_that_names_few_scopes_is_asked_for_those_that_are_known_otherwise() {
    let mut examination = begun(&json!(["a"])).step_up_for(grantor::ScopeSet::parse("c").unwrap());
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let body = json!({ "access_token": "x", "token_type": "Bearer", "scope": "a" }).to_string();
    let response = HttpResponse { status: 200, headers: &headers, body: body.as_bytes() };
    examination.exchanged(
        Exchange::CodeToken,
        &Url::parse("https://as.example.com/token").unwrap(),
        &response,
    );
    examination.done(Ok(None));
    examination.done(Ok(None));
    let Some(LogInStep::StepUp(challenges)) = examination.next_step() else { panic!("{examination:?}") };
    assert_eq!(challenges.bearer().unwrap().scope().unwrap().unwrap().to_string(), "c");
}

#[test]
fn rules_of_log_ins_are_explained() {
    for rule in LOG_IN_RULES {
        assert_eq!(Rule::find(rule.code), Some(*rule), "the code is unique");
        for text in [rule.title, rule.section, rule.who, rule.mend] {
            assert!(!text.is_empty(), "{}", rule.code);
        }
        assert!(rule.mend.ends_with('.'), "{}", rule.code);
    }
}
