use super::*;
use crate::resource::operation::Operation;

fn set(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

fn files() -> Policy {
    Policy::new()
        .every("mcp:use")
        .unwrap()
        .method("ping", Need::public())
        .tool("read_*", Need::all("files:read").unwrap())
        .tool("read_secret", Need::all("files:read secrets").unwrap().max_age_s(300).acr("mfa"))
        .tool("write", Need::all("files:write").unwrap().or("admin").unwrap())
        .tool_by_arguments("query", "`db:read`, or `db:write` to change", |arguments| {
            let scope = if arguments.json.contains("UPDATE") { "db:write" } else { "db:read" };
            Need::all(scope)
        })
        .resource("file:///projects/*", Need::all("projects").unwrap())
        .resource("file:///etc/*", Need::all("admin").unwrap())
        .implies("files:write", "files:read")
        .unwrap()
        .implies("admin", "files:*")
        .unwrap()
        .note("files:read", "Read files")
}

fn table() -> Table {
    Table::new(files()).unwrap()
}

fn allows(scopes: &str, operation: Operation<'_>) -> bool {
    let table = table();
    let held = table.worth(&set(scopes));
    let mut enough = true;
    table.each_demand(&operation, &mut |demand| enough &= table.suffices(&held, demand));
    enough
}

fn tool(name: &str) -> Operation<'_> {
    Operation::Tool(name.into())
}

#[test]
fn exact_names_then_the_heaviest_pattern() {
    assert!(allows("mcp:use files:read", tool("read_file")));
    assert!(!allows("files:read", tool("read_file")), "what every operation needs");
    assert!(!allows("mcp:use files:read", tool("read_secret")), "the exact name");
    assert!(allows("mcp:use", tool("Read_file")), "no rule");
    assert!(allows("", Operation::Method("ping".into())));
    assert!(!allows("", Operation::Method("pong".into())));
    let policy = Policy::new().tool("*", Need::all("a").unwrap()).tool("x*", Need::all("b").unwrap());
    let table = Table::new(policy).unwrap();
    let needed = |name| table.needed(&Bits::default(), [table.demand_of(&tool(name))]).to_string();
    assert_eq!((needed("y"), needed("xy")), ("a".into(), "b".into()));
}

#[test]
fn alternatives_and_hierarchy() {
    for scopes in ["mcp:use files:write", "mcp:use admin"] {
        assert!(allows(scopes, tool("write")), "{scopes}");
        assert!(allows(scopes, tool("read_file")), "{scopes}");
    }
    assert!(!allows("mcp:use files:read", tool("write")));
}

#[test]
fn a_resource_uri_in_any_spelling_needs_what_its_readings_need() {
    let read = |scopes, uri: &str| allows(scopes, Operation::Resource(uri.to_owned().into()));
    assert!(read("mcp:use projects", "file:///projects/a"));
    assert!(read("mcp:use projects", "file:///projects/a%20b"));
    for uri in ["FILE:///etc/passwd", "file:///%65tc/passwd", "file:///ETC/passwd", "/etc/passwd", "x:/etc/a"]
    {
        assert!(!read("mcp:use projects", uri), "{uri}");
        assert!(read("mcp:use projects admin", uri), "{uri}");
    }
}

#[test]
fn a_resource_uri_that_is_not_legible_where_no_rule_minds_is_a_name_like_any_other() {
    let dots = "file:///a/../b";
    assert!(!table().is_legible(dots, false));
    let alike = Policy::new().resource("note://*", Need::any_token()).resource("*.md", Need::any_token());
    assert!(Table::new(alike).unwrap().is_legible(dots, false));
    assert!(Table::new(Policy::new().tool("x", Need::public())).unwrap().is_legible(dots, false));
}

#[test]
fn mcp_scope_challenge_all_scopes_in_one() {
    let table = table();
    let demands = ["read_file", "write", "read_secret"].map(|name| table.demand_of(&tool(name)));
    let needed = |held: &str| table.needed(&table.worth(&set(held)), demands).to_string();
    assert_eq!(needed(""), "mcp:use files:read secrets files:write");
    assert_eq!(needed("admin"), "mcp:use files:read secrets files:write");
    assert_eq!(needed("files:write secrets"), "mcp:use files:read secrets files:write");
}

#[test]
fn computed_needs() {
    let table = table();
    let demand = table.demand_of(&tool("query"));
    assert!(demand.depends_on_arguments());
    let need = |json| table.computed(demand, &Arguments { tool: "query", json }).unwrap();
    assert_eq!(table.nearest(&set("db:read"), &need("{}")), (set("db:read"), true));
    assert_eq!(table.nearest(&set("db:read"), &need(r#""UPDATE""#)), (set("db:write"), false));
}

#[test]
fn mcp_refresh_tokens_offline_access_is_never_advertised() {
    let policy = Policy::new().every("offline_access mcp:use").unwrap();
    assert_eq!(policy.minimal().to_string(), "mcp:use");
    let table = Table::new(policy).unwrap();
    let demand = table.demand_of(&tool("x"));
    assert_eq!(table.needed(&Bits::default(), [demand]).to_string(), "mcp:use");
}

#[test]
fn tables_that_cannot_work() {
    let cyclic = Policy::new().implies("a", "b").unwrap().implies("b", "a").unwrap();
    assert_eq!(Table::new(cyclic).unwrap_err(), PolicyError::Cycle("a".into()));
    let twice = Policy::new().tool("a", Need::public()).tool("a", Need::any_token());
    assert_eq!(Table::new(twice).unwrap_err(), PolicyError::Repeated("tool a".into()));
    let mut many = Policy::new();
    for n in 0..=crate::limits::SCOPES {
        many = many.tool(&n.to_string(), Need::all(&format!("s{n}")).unwrap());
    }
    assert_eq!(Table::new(many).unwrap_err(), PolicyError::TooManyScopes);
    assert!(Need::all("a\"b").is_err());
}

#[test]
fn head_is_held_to_the_rule_for_get() {
    let one = |scope: &str| Need::all(scope).unwrap();
    let needed = |policy: Policy| {
        let table = Table::new(policy.otherwise(one("other"))).unwrap();
        let demand = table.demand_of(&Operation::Http("HEAD".into()));
        table.needed(&Bits::default(), [demand]).to_string()
    };
    assert_eq!(needed(Policy::new()), "other");
    assert_eq!(needed(Policy::new().http("GET", one("get"))), "get");
    assert_eq!(needed(Policy::new().http("HEAD", one("head")).http("GET", one("get"))), "head");
    assert_eq!(needed(Policy::new().http("*", one("any"))), "any");
    assert_eq!(needed(Policy::new().http("*", one("any")).http("GET", one("get"))), "get");
    assert_eq!(needed(Policy::new().http("*", one("any")).http("G*", one("get"))), "get");
    assert_eq!(needed(Policy::new().http("G*", one("get")).http("HE*", one("head"))), "head");
    assert_eq!(needed(Policy::new().http("G*", one("get")).http("H*", one("head"))), "head");
    let get = Policy::new().http("HEAD", one("head"));
    let table = Table::new(get.otherwise(one("other"))).unwrap();
    let get = table.demand_of(&Operation::Http("GET".into()));
    assert_eq!(table.needed(&Bits::default(), [get]).to_string(), "other", "not the other way round");
}

#[test]
fn printed() {
    let expected = "\
| operation | needs |
|---|---|
| method `ping` | nothing, public |
| resource `file:///etc/*` | `mcp:use` and `admin` |
| resource `file:///projects/*` | `mcp:use` and `projects` |
| tool `query` | `mcp:use` and `db:read`, or `db:write` to change |
| tool `read_secret` | `mcp:use` and `files:read` and `secrets`; authenticated at most 300 s ago; authenticated by `mfa` |
| tool `write` | `mcp:use` and `files:write`, or `mcp:use` and `admin` |
| tool `read_*` | `mcp:use` and `files:read` |
| any other | `mcp:use` |

| scope | |
|---|---|
| `files:read` | Read files |
| `files:write` | includes `files:read` |
| `admin` | includes `files:*` |
";
    assert_eq!(files().to_markdown(), expected);
    let json = files().to_json();
    assert_eq!(
        json["operations"][0],
        serde_json::json!({"kind": "method", "name": "ping", "public": true, "any_of": []})
    );
    assert_eq!(json["operations"][4]["max_age"], 300);
    assert_eq!(json["otherwise"]["any_of"], serde_json::json!([["mcp:use"]]));
    assert_eq!(json["implies"]["admin"], serde_json::json!(["files:*"]));
    assert_eq!(json["scopes_supported"], serde_json::json!(["mcp:use"]));
}
