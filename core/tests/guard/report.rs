//! What a log is told of a refusal: what was to be done, by whom, and what is missing; never a token.

use crate::bench::*;
use grantor::resource::*;
use serde_json::json;

fn report(answer: Answer) -> RefusalReport {
    *answer.report.expect("a report")
}

#[test]
fn what_was_refused_to_whom_and_what_is_missing() {
    let mut bench = Bench::new();
    let told = report(bench.refuse(&Request::tool("write").bearer(&with_scope("mcp:use"))));
    assert_eq!(told.operation.unwrap(), "tool write");
    assert_eq!(told.issuer.unwrap(), ISSUER);
    assert_eq!(told.subject.unwrap(), "alice");
    assert_eq!(told.client_id.unwrap(), "c1");
    assert_eq!(told.needed.to_string(), "mcp:use files:write");
    assert_eq!(told.missing.to_string(), "files:write");
    // What the hierarchy grants is not missing.
    let told = report(bench.refuse(&Request::tool("read_x").bearer(&with_scope("files:write"))));
    assert_eq!(
        (told.needed.to_string(), told.missing.to_string()),
        ("mcp:use files:read".into(), "mcp:use".into())
    );
    let stale = token(json!({ "scope": "mcp:use pay", "acr": "mfa", "auth_time": START - 10_000 }));
    let told = report(bench.refuse(&Request::tool("pay").bearer(&stale)));
    assert_eq!((told.missing.to_string(), told.subject.unwrap().as_str()), (String::new(), "alice"));
}

#[test]
fn of_a_token_that_is_not_good_nothing_is_believed() {
    let mut bench = Bench::new();
    for (request, operation) in [
        (Request::list(), Some("method tools/list")), // some operations are public, so it was read
        (Request::list().named("tools/list", None), Some("method tools/list")),
        (Request::get("/mcp"), Some("http GET")),
        (Request::tool("write").bearer(&token(json!({ "exp": START - 100 }))), None),
        (Request::tool("write").named("tools/call", Some("write")).bearer("opaque"), Some("tool write")),
    ] {
        let told = report(bench.refuse(&request));
        assert_eq!(told.operation.as_ref().map(|text| text.as_str()), operation, "{request:?}");
        assert_eq!((told.issuer, told.subject, told.client_id), (None, None, None));
        assert!(told.needed.contains("mcp:use") && told.missing.is_empty());
    }
    // What carries no refusal has no report.
    let metadata = bench.refuse(&Request::get("/.well-known/oauth-protected-resource/mcp"));
    assert_eq!((metadata.status, metadata.report), (200, None));
}

#[test]
fn batches_name_a_few() {
    let mut bench = Bench::new();
    let call = |n| json!({ "jsonrpc": "2.0", "id": n, "method": "tools/call", "params": { "name": format!("write_{n}") } });
    let batch = json!((0..10).map(call).collect::<Vec<_>>()).to_string();
    let told = report(bench.refuse(&Request::post(batch).bearer(&with_scope("other"))));
    assert_eq!(told.operation.unwrap(), "tool write_0, tool write_1, tool write_2, tool write_3, …");
}

#[test]
fn planted_secrets_reach_no_report() {
    let mut bench = Bench::new();
    let planted = token(json!({ "scope": "other", "planted": "planted-claim" }));
    let signature = planted.rsplit('.').next().unwrap();
    let uri = "file:///notes?planted-query=1#planted-fragment";
    let read = json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": { "uri": uri } });
    let own = format!("{:?}", bench.refuse(&Request::tool(signature).bearer(&planted)).report);
    assert!(!own.contains(signature), "{own}");
    let requests = [
        Request::tool(&planted),
        Request::tool(&format!("write {planted}")),
        Request::tool(&planted[..200]),
        Request::post(read.to_string()),
    ];
    for request in requests {
        for scope in ["mcp:use", "other"] {
            let own = token(json!({ "scope": scope, "planted": "planted-claim" }));
            for bearer in [planted.clone(), own] {
                let Decision::Answer(answer) = bench.decide(&request.clone().bearer(&bearer)) else {
                    continue;
                };
                let shown = format!("{:?} {answer:?}", answer.report);
                for secret in [&*planted, &planted[..60], signature, "planted-", &bearer] {
                    assert!(!shown.contains(secret), "{shown}");
                }
            }
        }
    }
    let mut config = GuardConfig::new(RESOURCE, policy().tool("*", Need::all("none").unwrap()));
    config = config.server(AuthorizationServer::verified_by_host(ISSUER));
    let mut bench = Bench::with(config);
    bench.host =
        Box::new(|_| Some(json!({ "sub": "a\nb\u{202e}", "aud": RESOURCE, "scope": "x" }).to_string()));
    let told = report(bench.refuse(&Request::tool("opaque-planted-token").bearer("opaque-planted-token")));
    assert_eq!(told.operation.unwrap(), "tool …");
    assert_eq!(told.subject.unwrap(), "a\u{fffd}b\u{fffd}", "a log stays one line");
}
