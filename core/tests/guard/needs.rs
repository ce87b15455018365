//! What is not a need, nobody meets.

use crate::bench::*;
use grantor::resource::*;
use grantor::{ScopeError, ScopeSet};
use serde_json::json;

fn bench(policy: Policy) -> Bench {
    Bench::with(GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER)))
}

#[test]
fn a_list_without_scopes_is_no_need() {
    for text in ["", " ", "   "] {
        assert_eq!(Need::all(text), Err(ScopeError::Syntax), "{text:?}");
        assert_eq!(Need::any(text), Err(ScopeError::Syntax), "{text:?}");
        assert_eq!(Need::scope(text), Err(ScopeError::Syntax), "{text:?}");
        assert_eq!(Need::all("a").unwrap().or(text), Err(ScopeError::Syntax), "{text:?}");
    }
    for text in ["a\"b", "a\nb", "ä", "a\\b", "a\u{0}", &"x".repeat(grantor::limits::SCOPE_TOKEN + 1)] {
        assert!(
            Need::all(text).is_err() && Need::any(text).is_err() && Need::scope(text).is_err(),
            "{text:?}"
        );
    }
    assert_eq!(Need::scope("a b"), Err(ScopeError::Syntax), "one scope, not two");
}

#[test]
fn a_need_that_could_not_be_made_is_met_by_nobody() {
    let nobody = Need::nobody();
    assert_eq!(Need::from(ScopeSet::parse("a\"b").unwrap_or_default()), nobody);
    assert_eq!(Need::from(ScopeSet::new()), nobody);
    assert_eq!(Need::from(Need::all("a\"b")), nobody);
    assert_eq!(Need::from(Need::any("")), nobody);
    assert_eq!(Need::from(Need::all("a")), Need::all("a").unwrap());
    assert_ne!(nobody, Need::any_token());
    assert_ne!(nobody, Need::public());
}

#[test]
fn a_scope_made_from_arguments_that_is_none_lets_nobody_in() {
    let by_table =
        Policy::new().every("mcp:use").unwrap().tool_by_arguments("query", "by table", |arguments| {
            let arguments: serde_json::Value = serde_json::from_str(arguments.json).unwrap_or_default();
            Need::scope(&format!("db:{}", arguments["table"].as_str().unwrap_or("\"")))
        });
    let by_set =
        Policy::new().every("mcp:use").unwrap().tool_by_arguments("query", "by table", |arguments| {
            let arguments: serde_json::Value = serde_json::from_str(arguments.json).unwrap_or_default();
            let table = arguments["table"].as_str().unwrap_or_default();
            Need::from(ScopeSet::from_tokens([&*format!("db:{table} ")]).unwrap_or_default())
        });
    let call = |arguments: serde_json::Value, scope: &str| {
        let params = json!({ "name": "query", "arguments": arguments });
        Request::post(json!({ "id": 1, "method": "tools/call", "params": params }).to_string())
            .bearer(&with_scope(scope))
    };
    let all = "mcp:use db:users db: db:* admin";
    for policy in [by_table, by_set] {
        let mut bench = bench(policy);
        for hostile in [
            json!({ "table": "a\"b" }),
            json!({ "table": "users mcp:use" }),
            json!({ "table": "users\u{0}" }),
            json!({ "table": "u\u{308}" }),
            json!({ "table": "x".repeat(1000) }),
            json!({ "table": ["users "] }),
            json!({}),
            json!(null),
        ] {
            let answer = bench.refuse(&call(hostile.clone(), all));
            // What is missing is no scope, so no scope is asked for.
            assert!(
                matches!(answer.refusal, Some(Refusal::Forbidden | Refusal::InsufficientScope)),
                "{hostile}"
            );
            assert!(answer.refusal != Some(Refusal::Forbidden) || challenge(&answer, "scope").is_none());
        }
    }
}

#[test]
fn what_no_rule_names_is_open_to_any_token_with_the_base_scope() {
    let policy = Policy::new().every("mcp:use").unwrap().tool("known", Need::all("known").unwrap());
    let mut bench = bench(policy);
    bench.allow(&Request::tool("new").bearer(&with_scope("mcp:use"))).unwrap();
    assert_eq!(
        bench.why(&Request::tool("new").bearer(&with_scope("known"))),
        (403, Refusal::InsufficientScope)
    );
}

#[test]
fn what_no_rule_names_can_be_closed_to_everybody() {
    let policy = Policy::new()
        .every("mcp:use")
        .unwrap()
        .tool("known", Need::all("known").unwrap())
        .method("tools/list", Need::any_token())
        .otherwise(Need::nobody());
    assert_eq!(policy.minimal().to_string(), "mcp:use");
    assert_eq!(policy.to_json()["otherwise"]["any_of"], json!([]));
    let mut bench = bench(policy);
    let all = with_scope("mcp:use known admin *");
    bench.allow(&Request::tool("known").bearer(&all)).unwrap();
    bench.allow(&Request::list().bearer(&all)).unwrap();
    let read = Request::post(r#"{"id":1,"method":"resources/read","params":{"uri":"note://a"}}"#);
    let ping = Request::post(r#"{"id":1,"method":"ping"}"#);
    for request in [Request::tool("new"), Request::get("/mcp"), read, ping] {
        let answer = bench.refuse(&request.clone().bearer(&all));
        assert_eq!((answer.status, answer.refusal), (403, Some(Refusal::Forbidden)));
        assert!(!answer.headers.contains_key("www-authenticate"), "no scope helps");
        assert_eq!(bench.refuse(&request).status, 401, "who has no token is not told");
    }
    let batch = r#"[{"id":1,"method":"tools/list"},{"id":2,"method":"ping"}]"#;
    assert_eq!(bench.why(&Request::post(batch).bearer(&all)), (403, Refusal::Forbidden));
    let by_headers = Request::tool("new").named("tools/call", Some("new")).bearer(&all);
    assert_eq!(bench.why(&by_headers), (403, Refusal::Forbidden));
    bench.allow(&Request::tool("known").bearer(&all)).unwrap();
}
