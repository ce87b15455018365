use crate::bench::*;
use grantor::resource::*;
use http::Uri;
use serde_json::json;

#[test]
fn mcp_server_validation_headers_that_contradict_the_body() {
    let mut bench = Bench::new();
    let all = with_scope("mcp:use files:write");
    let mut why = |request: Request| bench.why(&request.bearer(&all));
    let mismatch = (400, Refusal::HeaderMismatch);
    assert_eq!(why(Request::tool("write").named("tools/call", Some("read_a"))), mismatch);
    assert_eq!(why(Request::tool("write").named("tools/list", None)), mismatch);
    assert_eq!(why(Request::tool("write").named("tools/list", Some("write"))), mismatch);
    assert_eq!(why(Request::tool("write").named("tools/call", None)), mismatch, "Mcp-Name is missing");
    assert_eq!(why(Request::tool("write").named("tools/call", Some("=?base64?d3JpdGU?="))), mismatch);
    assert_eq!(
        why(Request::tool("write").named("Tools/Call", Some("write"))),
        mismatch,
        "values: case-sensitive"
    );
    assert_eq!(why(Request::tool("write").header("mcp-method", "tools/list")), mismatch, "in any revision");
    let batch = r#"[{"method":"ping"},{"method":"tools/call","params":{"name":"write"}}]"#;
    assert_eq!(why(Request::post(batch).named("ping", None)), mismatch);
    let answer = bench.refuse(&Request::tool("write").named("tools/list", None).bearer(&all));
    assert_eq!(answer.json()["error"]["code"], -32020);
}

#[test]
fn mcp_server_validation_headers_that_agree() {
    let mut bench = Bench::new();
    let all = with_scope("mcp:use files:write");
    let mut allow = |request: Request| bench.allow(&request.bearer(&all)).unwrap();
    allow(Request::tool("write").named("tools/call", Some("write")));
    allow(Request::tool("write").named("tools/call", Some("=?base64?d3JpdGU=?=")));
    allow(Request::tool("日本").named("tools/call", Some("=?base64?5pel5pys?=")));
    allow(Request::list().named("tools/list", None));
    allow(Request::tool("write"));
}

#[test]
fn headers_alone_turn_away_and_never_let_in() {
    let mut bench = Bench::new();
    let token = with_scope("mcp:use files:read");
    bench.allow(&Request::list().bearer(&token)).unwrap();
    let head = |request: &Request, bench: &mut Bench| {
        let head = RequestHead::new(&request.method, &request.uri, &request.headers);
        bench.guard.check(bench.now, &head, None)
    };
    let write = Request::tool("x").named("tools/call", Some("write")).bearer(&token);
    let Decision::Answer(answer) = head(&write, &mut bench) else { panic!() };
    assert_eq!(answer.status, 403, "no body was read");
    let read = Request::tool("write").named("tools/call", Some("read_a")).bearer(&token);
    assert!(matches!(head(&read, &mut bench), Decision::NeedBody { .. }));
    assert_eq!(bench.why(&read), (400, Refusal::HeaderMismatch));
}

#[test]
fn trusted_headers_need_no_body() {
    let mut config = config();
    config.trust_headers = true;
    let mut bench = Bench::with(config);
    let token = with_scope("mcp:use files:read");
    bench.allow(&Request::list().bearer(&token)).unwrap();
    let mut head = |request: Request| {
        let head = RequestHead::new(&request.method, &request.uri, &request.headers);
        bench.guard.check(bench.now, &head, None)
    };
    let read = || Request::tool("read_a").bearer(&token);
    assert!(matches!(head(read().named("tools/call", Some("read_a"))), Decision::Allow(Some(_))));
    let old = read().header("mcp-method", "tools/call").header("mcp-name", "read_a");
    assert!(matches!(head(old), Decision::NeedBody { .. }), "older servers do not compare");
    assert!(matches!(head(read().named("tools/call", None)), Decision::NeedBody { .. }));
    let Decision::Answer(answer) = head(read().named("tools/call", Some("=?base64?###?="))) else { panic!() };
    assert_eq!(answer.refusal, Some(Refusal::HeaderMismatch));
}

#[test]
fn no_body_is_read_where_all_operations_need_the_same() {
    let policy = Policy::new().every("mcp:use").unwrap();
    let config = GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER));
    let mut bench = Bench::with(config);
    bench.allow(&Request::post("not read at all").bearer(&token(json!({})))).unwrap();
    let answer = bench.refuse(&Request::list().bearer(&with_scope("other")));
    assert_eq!(answer.status, 403);
}

#[test]
fn public_operations_need_no_token() {
    let mut bench = Bench::new();
    let ping = || Request::post(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    assert!(bench.allow(&ping()).is_none());
    assert!(bench.allow(&ping().named("ping", None)).is_none());
    assert_eq!(
        bench.why(&ping().bearer(&token(json!({"exp": 1})))).0,
        401,
        "a token that is sent is checked"
    );
    assert!(bench.allow(&ping().bearer(&with_scope("other"))).is_some());
    let forged = Request::tool("write").named("ping", None);
    assert_eq!(bench.why(&forged), (400, Refusal::HeaderMismatch));
    let batch = Request::post(r#"[{"method":"ping"},{"method":"tools/call","params":{"name":"write"}}]"#);
    let answer = bench.refuse(&batch);
    assert_eq!((answer.status, challenge(&answer, "scope").unwrap()), (401, "mcp:use files:write".into()));
}

#[test]
fn batches_need_what_all_their_messages_need() {
    let mut bench = Bench::new();
    let batch = || {
        Request::post(
            r#"[{"method":"tools/call","id":1,"params":{"name":"read_a"}},
                {"method":"tools/call","id":2,"params":{"name":"write"}},
                {"method":"tools/call","id":3,"params":{"name":"pay"}}]"#,
        )
    };
    let answer = bench.refuse(&batch().bearer(&with_scope("mcp:use files:read")));
    assert_eq!(challenge(&answer, "scope").unwrap(), "mcp:use files:read files:write pay");
    assert_eq!(answer.json().get("id"), None);
    let token = token(json!({"scope": "mcp:use files:write pay", "acr": "mfa", "auth_time": START}));
    bench.allow(&batch().bearer(&token)).unwrap();
}

#[test]
fn mcp_server_validation_resource_uris_in_disguise() {
    let policy = Policy::new()
        .resource("file:///pub/*", Need::all("pub").unwrap())
        .resource("file:///etc/*", Need::all("root").unwrap());
    let config = GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER));
    let mut bench = Bench::with(config);
    let read = |uri: &str| {
        let body = json!({"method": "resources/read", "params": {"uri": uri}}).to_string();
        Request::post(body).bearer(&with_scope("pub"))
    };
    bench.allow(&read("file:///pub/a")).unwrap();
    for uri in ["file:///etc/passwd", "FILE:///etc/x", "file:///%65tc/x"] {
        let answer = bench.refuse(&read(uri));
        assert_eq!(answer.status, 403, "{uri}");
        assert!(challenge(&answer, "scope").unwrap().contains("root"), "{uri}");
    }
    for uri in ["file:///pub/../etc/passwd", "file:///pub/%2E%2e/etc/x"] {
        let answer = bench.refuse(&read(uri));
        assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (400, json!(-32602)), "{uri}");
    }
}

#[test]
fn needs_by_arguments() {
    let policy =
        Policy::new().every("mcp:use").unwrap().tool_by_arguments("query", "by table", |arguments| {
            let arguments: serde_json::Value = serde_json::from_str(arguments.json).unwrap_or_default();
            let table = arguments["table"].as_str().unwrap_or("none");
            Need::scope(&format!("db:{table}"))
        });
    let mut config = GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER));
    config.trust_headers = true;
    let mut bench = Bench::with(config);
    let query = |table: &str| {
        let params = json!({"name": "query", "arguments": {"table": table}});
        let body = json!({"id": 1, "method": "tools/call", "params": params}).to_string();
        Request::post(body).named("tools/call", Some("query")).bearer(&with_scope("mcp:use db:users"))
    };
    bench.allow(&query("users")).unwrap();
    let answer = bench.refuse(&query("money"));
    assert_eq!((answer.status, challenge(&answer, "scope").unwrap()), (403, "mcp:use db:money".into()));
}

#[test]
fn other_http_methods() {
    let policy = Policy::new().every("mcp:use").unwrap().http("GET", Need::all("listen").unwrap());
    let config = GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER));
    let mut bench = Bench::with(config);
    let mut request = Request::get("/mcp").bearer(&token(json!({})));
    assert_eq!(challenge(&bench.refuse(&request), "scope").unwrap(), "mcp:use listen");
    request.method = http::Method::DELETE;
    bench.allow(&request).unwrap();
    request.uri = Uri::from_static("/anything/else");
    bench.allow(&request).unwrap();
}

#[test]
fn head_is_no_way_around_a_rule_for_get() {
    let policy = Policy::new().every("mcp:use").unwrap().http("GET", Need::all("listen").unwrap());
    let config = |policy| GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER));
    let mut request = Request::get("/mcp").bearer(&token(json!({})));
    request.method = http::Method::HEAD;
    let answer = Bench::with(config(policy.clone())).refuse(&request);
    assert_eq!((answer.status, challenge(&answer, "scope").unwrap()), (403, "mcp:use listen".into()));
    Bench::with(config(policy.http("HEAD", Need::any_token()))).allow(&request).unwrap();
}

#[test]
fn policies_that_would_mislead_are_refused() {
    let error = |policy| {
        let config = GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER));
        Guard::new(config).unwrap_err()
    };
    let need = |scope| Need::all(scope).unwrap();
    let tools = error(Policy::new().method("tools/call", need("admin")));
    assert!(matches!(tools, GuardConfigError::Policy(PolicyError::NeverApplies { .. })), "{tools}");
    let notes = error(Policy::new().resource("note://*", need("low")).resource("*private*", need("high")));
    assert!(matches!(notes, GuardConfigError::Policy(PolicyError::Ambiguous { .. })), "{notes}");
}
