//! Messages that two readers would read in two ways, and members in which a resource can hide.

use crate::bench::*;
use grantor::resource::*;
use serde_json::json;

fn secret_notes() -> Bench {
    let policy = Policy::new()
        .every("mcp:use")
        .unwrap()
        .resource("note://private/*", Need::all("private").unwrap())
        .prompt("secret", Need::all("private").unwrap());
    Bench::with(GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER)))
}

fn post(body: &str) -> Request {
    Request::post(body).bearer(&with_scope("mcp:use"))
}

#[test]
fn jsonrpc_4_2_arrays_in_the_place_of_objects_are_invalid() {
    let mut bench = secret_notes();
    for body in [
        r#"{"id":1,"method":"completion/complete","params":{"ref":["ref/prompt","secret",null]}}"#,
        r#"{"id":1,"method":"completion/complete","params":{"ref":["ref/resource","note://private/x"]}}"#,
        r#"{"id":1,"method":"completion/complete","params":[["ref/prompt","secret"],{"name":"a","value":""}]}"#,
        r#"{"id":1,"method":"completion/complete","params":{"ref":"secret"}}"#,
        r#"{"id":1,"method":"completion/complete","params":{"ref":7}}"#,
        r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":[null,null,null,["note://private/x"]]}}"#,
        r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":"note://private/x"}}"#,
        r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":true}}"#,
        r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":{"0":"note://private/x"}}}}"#,
        r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[["note://private/x"]]}}}"#,
        r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":"note://private/x"}}}"#,
        r#"{"id":1,"method":"subscriptions/listen","params":[[null,null,null,["note://private/x"]]]}"#,
        r#"{"id":1,"method":"resources/read","params":["note://private/x"]}"#,
        r#"{"id":1,"method":"resources/read","params":{"uri":["note://private/x"]}}"#,
        r#"{"id":1,"method":"resources/read","params":{"uri":{"href":"note://private/x"}}}"#,
        r#"{"id":1,"method":"tools/call","params":["x"]}"#,
        r#"{"id":1,"method":"tools/call","params":"x"}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":["x"]}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":null}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"x","arguments":[1]}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"x","arguments":"{}"}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"x","_meta":["2026-07-28"]}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"x","_meta":1}}"#,
        r#"{"id":1,"method":"prompts/get","params":{"name":{"name":"secret"}}}"#,
        r#"{"id":1,"method":["tools/call"],"params":{"name":"x"}}"#,
        r#"{"id":1,"method":{"tools/call":null},"params":{"name":"x"}}"#,
        r#"{"id":1,"method":null,"params":{"name":"x"}}"#,
        r#"{"id":1,"method":true}"#,
        r#"{"id":1,"method":3e400}"#,
        r#"["2.0",1,"resources/read",{"uri":"note://private/x"}]"#,
        r#"[["2.0",1,"resources/read",{"uri":"note://private/x"}]]"#,
        r#"[[{"id":1,"method":"ping"}]]"#,
        r#"{"id":1,"method":"skills/get","params":{"uri":["skill://x"]}}"#,
        r#"{"id":1,"method":"skills/get","params":["skill://x"]}"#,
        r#"{"id":1,"method":"skills/get","params":{"ref":["ref/resource","note://private/x"]}}"#,
        r#"{"id":1,"method":"skills/get","params":{"notifications":[null,null,null,["note://private/x"]]}}"#,
    ] {
        assert_eq!(bench.why(&post(body)), (400, Refusal::Message(MessageError::Invalid)), "{body}");
    }
    for body in [
        r#"{"id":1,"method":"completion/complete","params":{"ref":null}}"#,
        r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":null}}"#,
        r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":null}}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"x","arguments":null,"_meta":null}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"x","arguments":{"ref":["a"]}}}"#,
        r#"{"id":1,"method":"tools/list","params":null}"#,
        r#"{"id":1,"method":"tools/list"}"#,
        r#"{"id":1,"method":"git/show","params":{"ref":"main","notifications":true,"uri":null}}"#,
    ] {
        bench.allow(&post(body)).unwrap();
    }
}

#[test]
fn rfc8259_4_members_that_are_there_twice_or_in_another_case_are_ambiguous() {
    let mut bench = secret_notes();
    for body in [
        r#"{"id":1,"method":"resources/read","params":{"uri":"note://a","uri":"note://private/x"}}"#,
        r#"{"id":1,"method":"resources/read","params":{"uri":"note://a","URI":"note://private/x"}}"#,
        r#"{"id":1,"method":"resources/read","params":{"uri":"note://a","\u0075ri":"note://private/x"}}"#,
        r#"{"id":1,"method":"resources/read","params":{"Uri":"note://private/x","uri":null}}"#,
        r#"{"id":1,"method":"skills/get","params":{"Uri":"note://private/x"}}"#,
        r#"{"id":1,"method":"ping","METHOD":"resources/read","params":{"uri":"note://a"}}"#,
        r#"{"id":1,"method":"ping","Params":{"uri":"note://private/x"}}"#,
        r#"{"id":1,"method":"completion/complete","params":{"ref":{"name":"a","name":"secret"}}}"#,
        r#"{"id":1,"method":"completion/complete","params":{"ref":{"name":"a","Name":"secret"}}}"#,
        r#"{"id":1,"method":"completion/complete","params":{"ref":{"name":"a"},"Ref":{"name":"secret"}}}"#,
        r#"{"id":1,"method":"completion/complete","params":{"ref":{},"ref":{"name":"secret"}}}"#,
        r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[],"resourcesubscriptions":["note://private/x"]}}}"#,
        r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":{"reſourceſubſcriptionſ":["note://private/x"]}}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"x","_meta":{},"_META":{}}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"x","Arguments":{}}}"#,
    ] {
        assert_eq!(bench.why(&post(body)), (400, Refusal::Message(MessageError::Ambiguous)), "{body}");
    }
}

#[test]
fn mcp_resources_any_method_that_names_a_uri_goes_by_the_rules_for_resources() {
    let mut bench = secret_notes();
    for method in [
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "resources/directory/read",
        "resources/directory/list",
        "skills/get",
        "notifications/resources/updated",
        "x-vendor/open",
        "tools/list",
    ] {
        let of = |uri: &str| json!({ "id": 1, "method": method, "params": { "uri": uri } }).to_string();
        bench.allow(&post(&of("note://open"))).unwrap();
        let answer = bench.refuse(&post(&of("note://private/x")));
        assert_eq!(answer.refusal, Some(Refusal::InsufficientScope), "{method}");
        assert_eq!(challenge(&answer, "scope").unwrap(), "mcp:use private", "{method}");
        let why = bench.why(&post(&of("note://open/../private/x")));
        assert_eq!(why, (400, Refusal::Message(MessageError::AmbiguousUri)), "{method}");
        let request = Request::post(of("note://private/x")).bearer(&with_scope("mcp:use private"));
        bench.allow(&request).unwrap();
    }
    let call = r#"{"id":1,"method":"tools/call","params":{"name":"t","uri":"note://private/x"}}"#;
    assert_eq!(bench.why(&post(call)), (403, Refusal::InsufficientScope));
    for members in [
        r#""ref":{"type":"ref/resource","uri":"note://private/x"}"#,
        r#""ref":{"type":"ref/resource","uri":"note://private/{name}"}"#,
        r#""ref":{"type":"ref/prompt","name":"secret"}"#,
        r#""ref":{"type":"ref/prompt","name":"a","uri":"note://private/x"}"#,
        r#""notifications":{"resourceSubscriptions":["note://a","note://private/x"]}"#,
    ] {
        for method in ["completion/complete", "subscriptions/listen", "x-vendor/complete"] {
            let body = format!(r#"{{"id":1,"method":"{method}","params":{{{members}}}}}"#);
            assert_eq!(bench.why(&post(&body)), (403, Refusal::InsufficientScope), "{body}");
        }
    }
    let many = vec![json!("note://a"); 300];
    let params = json!({ "notifications": { "resourceSubscriptions": many } });
    let listen = json!({ "id": 1, "method": "subscriptions/listen", "params": params }).to_string();
    assert_eq!(bench.why(&post(&listen)), (400, Refusal::Message(MessageError::TooLarge)));
    let one = json!({ "id": 1, "method": "skills/get", "params": { "uri": "note://a" } });
    let batch = json!(vec![one; 200]).to_string();
    bench.allow(&post(&batch)).unwrap();
}

#[test]
fn headers_do_not_decide_about_methods_that_can_name_a_resource_in_the_body() {
    let policy =
        Policy::new().every("mcp:use").unwrap().resource("note://private/*", Need::all("private").unwrap());
    let mut config = GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER));
    config.trust_headers = true;
    let mut bench = Bench::with(config);
    let named = |method: &str, uri: &str, name: Option<&str>| {
        let body = json!({ "id": 1, "method": method, "params": { "uri": uri } }).to_string();
        post(&body).named(method, name)
    };
    for method in ["skills/get", "resources/directory/read", "resources/subscribe", "x/y"] {
        let request = named(method, "note://private/x", None);
        assert_eq!(bench.why(&request), (403, Refusal::InsufficientScope), "{method}");
    }
    let lie = named("skills/get", "note://private/x", Some("note://open"));
    assert_eq!(bench.why(&lie), (403, Refusal::InsufficientScope));
    let ambiguous = "note://open/../private/x";
    let read = named("resources/read", ambiguous, Some(ambiguous));
    assert_eq!(bench.why(&read), (400, Refusal::Message(MessageError::AmbiguousUri)));
}

#[test]
fn rfc7493_2_arguments_that_a_host_function_could_misread_are_refused() {
    let policy = Policy::new().tool_by_arguments("query", "by table", |arguments| {
        let arguments: serde_json::Value = serde_json::from_str(arguments.json).unwrap_or_default();
        Need::scope(&format!("db:{}", arguments["table"].as_str().unwrap_or("any")))
    });
    let mut bench = Bench::with(GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER)));
    let call = |arguments: &str| {
        let body = format!(
            r#"{{"id":1,"method":"tools/call","params":{{"name":"query","arguments":{arguments}}}}}"#
        );
        Request::post(body).bearer(&with_scope("db:users db:any"))
    };
    let deep = format!(r#"{{"table":"users","x":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    for (arguments, error) in [
        (r#"{"table":"money","table":"users"}"#, MessageError::Ambiguous),
        (r#"{"table":"users","Table":"money"}"#, MessageError::Ambiguous),
        (r#"{"table":"users","t\u0061ble":"money"}"#, MessageError::Ambiguous),
        (r#"{"table":"users","where":{"id":1,"ID":2}}"#, MessageError::Ambiguous),
        (r#"{"table":"users","all":[{"a":1},{"a":1,"a":2}]}"#, MessageError::Ambiguous),
        (r#"{"table":"users","id":9007199254740993}"#, MessageError::Ambiguous),
        (r#"{"table":"users","id":-9007199254740993}"#, MessageError::Ambiguous),
        (r#"{"table":"users","id":18446744073709551617}"#, MessageError::Ambiguous),
        (r#"{"table":"users","id":1e999}"#, MessageError::Invalid),
        (r#"{"table":"users","x":"\ud800"}"#, MessageError::Invalid),
        (&deep, MessageError::Invalid),
        (r#"["users"]"#, MessageError::Invalid),
        (r#""users""#, MessageError::Invalid),
    ] {
        assert_eq!(bench.why(&call(arguments)), (400, Refusal::Message(error)), "{arguments}");
    }
    for arguments in
        [r#"{"table":"users","id":9007199254740991,"f":-1.5e3,"a":[{"a":1},{"a":1}]}"#, "{}", "null"]
    {
        bench.allow(&call(arguments)).unwrap();
    }
    assert_eq!(bench.why(&call(r#"{"table":"money"}"#)), (403, Refusal::InsufficientScope));
    // Nobody looks at those of other tools.
    let other = r#"{"id":1,"method":"tools/call","params":{"name":"other","arguments":{"a":1,"a":1e999}}}"#;
    bench.allow(&post(other)).unwrap();
}
