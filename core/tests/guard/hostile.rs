//! Input that means harm: the right status, bounded work, nothing leaked.

use crate::bench::*;
use grantor::jose::ClaimsError;
use grantor::resource::*;
use serde_json::json;

#[test]
fn floods_of_headers() {
    let mut bench = Bench::new();
    let mut request = Request::list().bearer(&token(json!({})));
    for n in 0..10_000 {
        let name = http::HeaderName::from_bytes(format!("x-{n}").as_bytes()).unwrap();
        request.headers.append(name, "y".parse().unwrap());
    }
    bench.allow(&request).unwrap();
    let mut request = Request::list();
    for _ in 0..10_000 {
        request = request.header("authorization", "Bearer x");
    }
    assert_eq!(bench.refuse(&request).status, 400);
    let mut request = Request::list().bearer(&token(json!({})));
    for _ in 0..10_000 {
        request = request.header("mcp-method", "tools/list");
    }
    assert_eq!(bench.why(&request), (400, Refusal::HeaderMismatch));
}

#[test]
fn tokens_of_a_megabyte() {
    let mut bench = Bench::new();
    let long = "x".repeat(1 << 20);
    assert_eq!(bench.why(&Request::list().bearer(&long)), (401, Refusal::Token(TokenProblem::TooLarge)));
    let dots = ".".repeat(30_000);
    assert_eq!(bench.refuse(&Request::list().bearer(&dots)).status, 401);
    assert!(bench.asked.is_empty());
}

#[test]
fn thousands_of_scopes() {
    let many: Vec<String> = (0..5000).map(|n| format!("s{n}")).collect();
    let why = Bench::new().why(&Request::list().bearer(&with_scope(&many.join(" "))));
    assert!(matches!(
        why,
        (401, Refusal::Token(TokenProblem::TooLarge | TokenProblem::Claims(ClaimsError::Scope)))
    ));
    let mut config = config();
    config.challenge = ChallengeScopes::PlusGranted;
    let many: Vec<String> = (0..512).map(|n| format!("scope-number-{n}")).collect();
    let answer = Bench::with(config).refuse(&Request::list().bearer(&with_scope(&many.join(" "))));
    assert_eq!(challenge(&answer, "scope").unwrap(), "mcp:use", "no header of that size");
}

#[test]
fn operations_with_names_in_any_unicode() {
    let mut bench = Bench::new();
    for name in [
        "写",
        "r\u{200d}ead",
        "\u{202e}etirw",
        "WRITE",
        "write\u{0}",
        "wri\u{0301}te",
        "𝓌rite",
        "\u{feff}write",
    ] {
        bench.allow(&Request::tool(name).bearer(&with_scope("mcp:use"))).unwrap();
        let answer = bench.refuse(&Request::tool(name).bearer(&with_scope("other")));
        let shown = String::from_utf8(answer.body.clone()).unwrap()
            + answer.headers["www-authenticate"].to_str().unwrap();
        assert!(!shown.contains(name), "{shown}");
    }
}

#[test]
fn batches_of_ten_thousand() {
    let mut bench = Bench::new();
    let batch =
        format!("[{}]", vec![r#"{"method":"tools/call","params":{"name":"write"}}"#; 10_000].join(","));
    let why = bench.why(&Request::post(batch).bearer(&with_scope("mcp:use")));
    assert_eq!(why, (400, Refusal::Message(MessageError::TooLarge)));
}

#[test]
fn bodies_that_are_too_large() {
    let mut config = config();
    config.max_body = 100;
    let mut bench = Bench::with(config);
    let why = bench.why(&Request::post(vec![b' '; 101]).bearer(&with_scope("mcp:use")));
    assert_eq!(why, (413, Refusal::BodyTooLarge));
    let why = bench.why(&Request::post(vec![b' '; 101]));
    assert_eq!(why.0, 413, "public operations are looked for, within the bound");
}

#[test]
fn broken_base64_in_mcp_name() {
    let mut bench = Bench::new();
    for name in ["=?base64?", "=?base64?%%%?=", "=?base64?gICA?="] {
        let request = Request::tool("write").named("tools/call", Some(name)).bearer(&with_scope("mcp:use"));
        let answer = bench.refuse(&request);
        assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (400, json!(-32020)));
    }
}

#[test]
fn bodies_that_are_no_messages() {
    let mut bench = Bench::new();
    for (body, code) in [("", -32700), ("{", -32700), ("[]", -32600), ("{}", -32600), ("\u{0}", -32700)] {
        let answer = bench.refuse(&Request::post(body).bearer(&with_scope("mcp:use")));
        assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (400, json!(code)), "{body:?}");
    }
    let planted = r#"{"method":"tools/call","params":{"name":"write"},"id":{"planted":1}}"#;
    let answer = bench.refuse(&Request::post(planted).bearer(&with_scope("mcp:use")));
    assert_eq!(answer.json().get("id"), None, "no id of JSON-RPC");
}

#[test]
fn memory_is_bounded_whatever_tokens_come() {
    let mut config = config();
    config.token_cache_bytes = 64 * 1024;
    let mut bench = Bench::with(config);
    for n in 0..500 {
        let token = token(json!({ "jti": n.to_string(), "more": "x".repeat(500) }));
        bench.allow(&Request::list().bearer(&token)).unwrap();
        assert!(bench.guard.token_cache_bytes() <= 64 * 1024);
    }
    assert!(bench.guard.token_cache_bytes() > 32 * 1024);
}

#[test]
fn answers_leak_nothing() {
    let mut bench = Bench::new();
    let secret = token(json!({ "sub": "planted-user", "email": "planted@example.com", "exp": START - 100 }));
    let answer = bench.refuse(&Request::tool("planted-tool").bearer(&secret));
    let all = format!("{answer:?} {:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
    assert!(!all.contains("planted") && !all.contains(&secret) && !all.contains(&secret[10..40]), "{all}");
    assert!(!format!("{:?} {:?}", bench.guard, bench.notices).contains("planted"));
}
