//! All adapters against the authorization server of the MCP Python SDK, of both generations. It wants `client_id` in
//! the body whatever the method, grants a registered client only the scopes it registered, and writes its issuer with a
//! slash.

use grantor::ScopeSet;
use grantor::client::Config;
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::{ADAPTERS, Adapter, open};
use grantor_driver::Setup;
use grantor_interop::{OnCallback, Person, Records, Server, call};
use serde_json::{Value, json};

const GENERATIONS: [u8; 2] = [1, 2];

/// One process of the client; several share the records.
fn process(adapter: &str, server: &Server, records: &Records, person: &Person) -> Box<dyn Adapter> {
    let config = Config::new(&server.resource, ClientMetadata::named("Grantor interop")).unwrap();
    let setup = Setup::new(config).store(records.store()).user_agent(OnCallback(person.clone()));
    open(adapter, setup).unwrap()
}

/// How often clients registered themselves, and how they authenticated at the token endpoint at last.
fn seen(state: &Value) -> (usize, String) {
    let exchanges = state["exchanges"].as_array().unwrap();
    let registrations = exchanges.iter().filter(|one| one["path"] == "/register").count();
    let mut tokens = exchanges.iter().filter(|one| one["path"] == "/token" && one["error"] == "");
    (
        registrations,
        tokens.next_back().map_or(String::new(), |one| one["client_auth"].as_str().unwrap().to_owned()),
    )
}

/// A client's life: it logs in, refreshes, steps up, goes on after restarts, of which one finds a server that has
/// forgotten all of its clients, and logs out.
///
/// Where clients have no scope unless they register some, and the resource alone knows which, the first log-in takes a
/// second registration and a second page, of which the first asks the user nothing: what is registered is all that may
/// ever be asked for, so nothing is registered unasked.
fn live(adapter: &str, server: &Server, name: &str, method: &str, first: usize) {
    let records = Records::new(&format!("python-{name}-{adapter}"));
    let person = Person::who(true);
    let client = process(adapter, server, &records, &person);
    assert_eq!(call(&*client, server, "read").unwrap()["scope"], "mcp:use", "{name}");
    assert_eq!(
        (person.asked(), seen(&server.state())),
        (first, (first, method.to_owned())),
        "{name}: one log-in"
    );

    server.control(&json!({ "expire_access_tokens": true }));
    call(&*client, server, "read").unwrap();
    assert_eq!((person.asked(), seen(&server.state())), (first, (0, method.to_owned())), "{name}: a refresh");

    // A server that limits a client to what it registered costs one more registration, once.
    let granted = call(&*client, server, "write").unwrap()["scope"].clone();
    assert_eq!(granted, "mcp:use files:write", "{name}: the step-up");
    let (pages, (registrations, _)) = (person.asked(), seen(&server.state()));
    assert!(pages <= first + 2 && registrations <= 1, "{name}: {pages} pages, {registrations} registrations");
    call(&*client, server, "write").unwrap();
    call(&*client, server, "read").unwrap();

    drop(client);
    let client = process(adapter, server, &records, &person);
    server.control(&json!({ "expire_access_tokens": true }));
    call(&*client, server, "write").unwrap();
    assert_eq!((person.asked(), seen(&server.state()).0), (pages, 0), "{name}: the next process");

    drop(client);
    server.control(&json!({ "forget_clients": true }));
    let client = process(adapter, server, &records, &person);
    call(&*client, server, "read").unwrap();
    let state = server.state();
    assert_eq!(seen(&state), (1, method.to_owned()), "{name}: forgotten clients register anew");
    assert!(person.asked() <= pages + 2, "{name}: {} pages", person.asked());

    assert!(!state["access"].as_array().unwrap().is_empty());
    client.log_out().unwrap();
    let state = server.state();
    assert_eq!(
        (&state["access"], &state["refresh"]),
        (&json!([]), &json!([])),
        "{name}: tokens are given back"
    );
    for kind in ["access_token", "refresh_token"] {
        assert_eq!(records.value(kind), None, "{name}: nothing stays");
    }
    call(&*client, server, "read").unwrap();
}

/// Each generation with these options, for each adapter in turn or for one.
fn each(adapters: &[&str], options: &Value, name: &str, method: &str) {
    for generation in GENERATIONS {
        for adapter in adapters {
            let server = Server::of_python_sdk(generation, options);
            let first = if options.get("default_scopes").is_some() { 1 } else { 2 };
            live(adapter, &server, &format!("{name}-{generation}"), method, first);
        }
    }
}

#[test]
fn as_the_sdk_sets_it_up() {
    each(&ADAPTERS, &json!({}), "plain", "post");
}

#[test]
fn with_scopes_to_register() {
    let options = json!({ "valid_scopes": ["mcp:use", "files:write"], "default_scopes": ["mcp:use"] });
    each(&ADAPTERS, &options, "scopes", "post");
}

/// A set of methods that the server offers, with and without scopes to register, and the method that is used.
fn offered(adapter: usize, methods: &[&str], method: &str) {
    let scopes = json!({ "valid_scopes": ["mcp:use", "files:write"], "default_scopes": ["mcp:use"] });
    for (name, mut options) in [("plain", json!({})), ("scopes", scopes)] {
        options["methods"] = json!(methods);
        each(&ADAPTERS[adapter..=adapter], &options, &format!("{}-{name}", methods.join("-")), method);
    }
}

#[test]
fn with_basic_alone() {
    offered(0, &["client_secret_basic"], "basic");
}

#[test]
fn with_the_body_alone() {
    offered(2, &["client_secret_post"], "post");
}

#[test]
fn for_public_clients() {
    offered(3, &["none"], "none");
}

#[test]
fn with_every_method() {
    offered(1, &["none", "client_secret_post", "client_secret_basic"], "none");
}

#[test]
fn scopes_that_are_registered_from_the_start_cost_one_page() {
    for generation in GENERATIONS {
        let server = Server::of_python_sdk(generation, &json!({}));
        let records = Records::new(&format!("python-registered-{generation}"));
        let person = Person::who(true);
        let config = Config::new(&server.resource, ClientMetadata::named("Grantor interop")).unwrap();
        let config = config.registration_scopes(ScopeSet::parse("mcp:use files:write").unwrap());
        let setup = Setup::new(config).store(records.store()).user_agent(OnCallback(person.clone()));
        let client = open("ureq", setup).unwrap();
        call(&*client, &server, "read").unwrap();
        assert_eq!((person.asked(), seen(&server.state()).0), (1, 1));
        call(&*client, &server, "write").unwrap();
        assert_eq!((person.asked(), seen(&server.state()).0), (2, 0), "a step-up registers nothing more");
    }
}

#[test]
fn where_403_does_not_name_the_scope() {
    // The SDK's own middleware names no scope in its challenge, so a step-up can only ask for what the metadata
    // names; that ends with the server's words instead of an endless round.
    for generation in GENERATIONS {
        let server = Server::of_python_sdk(generation, &json!({ "names_scope": false }));
        let records = Records::new(&format!("python-nameless-{generation}"));
        let person = Person::who(true);
        let client = process("ureq", &server, &records, &person);
        call(&*client, &server, "read").unwrap();
        assert!(call(&*client, &server, "write").is_err());
        assert!(person.asked() <= 3, "{} pages", person.asked());
        call(&*client, &server, "read").unwrap();
    }
}
