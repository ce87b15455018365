//! What headers say, what the body says, and what only the body can say.

use crate::bench::*;
use grantor::resource::*;
use serde_json::json;

fn call(tool: &str) -> Request {
    Request::tool(tool)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
}

fn message(method: &str, params: serde_json::Value) -> Request {
    Request::post(json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string())
}

const LACKING: (u16, Refusal) = (403, Refusal::InsufficientScope);
const MISMATCH: (u16, Refusal) = (400, Refusal::HeaderMismatch);

#[test]
fn mcp_subscriptions_need_what_reading_the_resources_needs() {
    let listen = |uris: &[&str]| {
        let notifications = json!({ "toolsListChanged": true, "resourceSubscriptions": uris });
        message("subscriptions/listen", json!({ "notifications": notifications }))
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "subscriptions/listen")
    };
    for trust_headers in [false, true] {
        let mut config = config();
        config.trust_headers = trust_headers;
        let mut bench = Bench::with(config);
        let answer = bench.refuse(&listen(&["https://x", "file:///secret"]).bearer(&with_scope("mcp:use")));
        assert_eq!((answer.status, answer.refusal.unwrap()), LACKING);
        assert_eq!(challenge(&answer, "scope").unwrap(), "mcp:use files:read");
        bench.allow(&listen(&["https://x"]).bearer(&with_scope("mcp:use"))).unwrap();
        bench.allow(&listen(&["file:///secret"]).bearer(&with_scope("mcp:use files:read"))).unwrap();
    }
}

#[test]
fn mcp_completing_needs_what_its_subject_needs() {
    let complete =
        |uri: &str| message("completion/complete", json!({ "ref": { "type": "ref/resource", "uri": uri } }));
    let mut bench = Bench::new();
    assert_eq!(bench.why(&complete("file:///{name}").bearer(&with_scope("mcp:use"))), LACKING);
    bench.allow(&complete("https://x").bearer(&with_scope("mcp:use"))).unwrap();
}

#[test]
fn mcp_server_validation_headers_that_must_be_there() {
    let mut bench = Bench::new();
    let good = token(json!({ "scope": "mcp:use files:read" }));
    bench.allow(&call("read_a").bearer(&good)).unwrap();
    let bare = Request::tool("read_a").header("mcp-protocol-version", "2026-07-28").bearer(&good);
    assert_eq!(bench.why(&bare), MISMATCH, "no Mcp-Method");
    let nameless = bare.header("mcp-method", "tools/call");
    assert_eq!(bench.why(&nameless), MISMATCH, "no Mcp-Name");
    let odd = Request::post(r#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#);
    assert_eq!(bench.why(&odd.header("mcp-protocol-version", "2026-07-28").bearer(&good)), MISMATCH);
    let twice = call("read_a").header("mcp-protocol-version", "2026-07-28").bearer(&good);
    assert_eq!(bench.why(&twice), MISMATCH, "MCP-Protocol-Version twice");
    let notification = Request::post(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#);
    bench.allow(&notification.header("mcp-protocol-version", "2026-07-28").bearer(&good)).unwrap();
    let before = Request::tool("read_a").header("mcp-protocol-version", "2025-11-25").bearer(&good);
    bench.allow(&before).unwrap();
}

#[test]
fn mcp_server_validation_one_revision() {
    let named = |revision: &str| {
        let meta = json!({ "io.modelcontextprotocol/protocolVersion": revision });
        message("tools/list", json!({ "_meta": meta }))
            .header("mcp-method", "tools/list")
            .bearer(&token(json!({})))
    };
    let mut bench = Bench::new();
    bench.allow(&named("2026-07-28").header("mcp-protocol-version", "2026-07-28")).unwrap();
    assert_eq!(bench.why(&named("2025-11-25").header("mcp-protocol-version", "2026-07-28")), MISMATCH);
    assert_eq!(bench.why(&named("2026-07-28")), MISMATCH, "no MCP-Protocol-Version");
    bench.allow(&named("2025-11-25")).unwrap();
}

#[test]
fn mcp_server_validation_the_answer_has_the_id() {
    let wrong = Request::tool("write").header("mcp-method", "tools/call").header("mcp-name", "read_a");
    let answer = Bench::new().refuse(&wrong.bearer(&with_scope("mcp:use files:read")));
    assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (400, Some(-32020)));
    assert_eq!(answer.json()["id"], 7);
}

#[test]
fn headers_decide_only_where_servers_must_compare_them() {
    let mut config = config();
    config.trust_headers = true;
    let mut bench = Bench::with(config);
    let mut decide = |revision: &str, method: &str, name: &str| {
        let request = Request::post("")
            .header("mcp-protocol-version", revision)
            .header("mcp-method", method)
            .header("mcp-name", name)
            .bearer(&with_scope("mcp:use files:read"));
        bench.allow(&Request::list().bearer(&with_scope("mcp:use files:read"))).unwrap(); // it has its keys
        let head = RequestHead::new(&request.method, &request.uri, &request.headers);
        bench.guard.check(bench.now, &head, None)
    };
    for (method, name) in [("tools/call", "read_a"), ("resources/read", "file:///a"), ("prompts/get", "p")] {
        assert!(matches!(decide("2026-07-28", method, name), Decision::Allow(_)), "{method}");
        for other in ["2025-11-25", "zzzzzzzzzz", ""] {
            assert!(matches!(decide(other, method, name), Decision::NeedBody { .. }), "{method} {other}");
        }
    }
    for method in ["resources/subscribe", "subscriptions/listen", "completion/complete"] {
        assert!(matches!(decide("2026-07-28", method, "file:///a"), Decision::NeedBody { .. }), "{method}");
    }
}

#[test]
fn nobody_without_a_token_fills_the_memory() {
    let request = Request::post("");
    let head = RequestHead::new(&request.method, &request.uri, &request.headers);
    let decision = Bench::new().guard.check(grantor::Now::new(0, START), &head, None);
    assert!(matches!(decision, Decision::NeedBody { max: grantor::limits::ANONYMOUS_BODY }), "{decision:?}");
}

#[test]
fn rfc9470_3_scopes_and_authentication_in_one_challenge() {
    let mut bench = Bench::new();
    let answer = bench.refuse(&Request::tool("pay").bearer(&with_scope("mcp:use")));
    assert_eq!(answer.status, 401);
    let said = |name| challenge(&answer, name).unwrap();
    assert_eq!(said("error"), "insufficient_user_authentication");
    assert_eq!((&*said("scope"), &*said("max_age"), &*said("acr_values")), ("mcp:use pay", "300", "mfa"));
    let fresh = json!({ "scope": "mcp:use", "auth_time": START, "acr": "mfa" });
    assert_eq!(bench.why(&Request::tool("pay").bearer(&token(fresh))), LACKING);
}

#[test]
fn rfc9470_3_a_batch_that_no_authentication_satisfies() {
    let scopes = |text| Need::all(text).unwrap();
    let policy = Policy::new()
        .tool("a", scopes("x").acr("gold silver"))
        .tool("b", scopes("x").acr("silver bronze"))
        .tool("c", scopes("x").acr("bronze"));
    let mut bench = Bench::with(GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER)));
    let batch = |tools: &[&str]| {
        let messages: Vec<_> = tools
            .iter()
            .map(|tool| json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool } }))
            .collect();
        Request::post(json!(messages).to_string()).bearer(&with_scope("x"))
    };
    assert_eq!(challenge(&bench.refuse(&batch(&["a", "b"])), "acr_values").unwrap(), "silver");
    let contradictory = Refusal::Message(MessageError::Contradictory);
    assert_eq!(bench.why(&batch(&["a", "c"])), (400, contradictory));
}
