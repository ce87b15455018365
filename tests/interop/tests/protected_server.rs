//! The example server behind the Guard: tokens of npm `oidc-provider`, clients of the SDKs and Grantor's own.

use grantor::client::Config;
use grantor::resource::{AuthorizationServer, GuardConfig};
use grantor::wire::client_auth::{Client, ClientAuthMethod};
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::{ADAPTERS, open};
use grantor_driver::{Browser, Setup};
use grantor_interop::client::{ForeignClient, Kind};
use grantor_interop::{Person, Server};
use grantor_protected_server::{app, config};
use grantor_world::mcp_server::stateless_tool_call;
use serde_json::{Value, json};
use url::Url;

const SCOPES: &str = "notes:use notes:read notes:write notes:delete";

/// The example server on a free port, and its authorization server.
struct Running {
    resource: String,
    _provider: Server,
    _runtime: tokio::runtime::Runtime,
}

fn start(format: &str, change: impl FnOnce(GuardConfig, &str) -> GuardConfig) -> Running {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let resource = format!("http://{}/mcp", listener.local_addr().unwrap());
    let provider = Server::of(&resource, SCOPES, format);
    let config = change(config(&resource, &provider.issuer), &provider.issuer);
    let app = app(config).unwrap();
    runtime.spawn(async move { axum::serve(listener, app).await });
    Running { resource, _provider: provider, _runtime: runtime }
}

fn jwt() -> Running {
    start("jwt", |config, _| config)
}

fn opaque() -> Running {
    start("opaque", |mut config, issuer| {
        let secret = "a secret for introspection".into();
        let client = Client::confidential("mcp", secret, ClientAuthMethod::SecretBasic);
        config.servers = vec![AuthorizationServer::introspection(issuer, client)];
        config
    })
}

/// Connecting, reading, and the step-up to writing.
fn steps_up(kind: Kind, running: &Running) {
    let person = Person::who(true);
    let mut client = ForeignClient::start(kind, &running.resource);
    let mut done = |tool: &str| {
        let text = client.call(tool, &person).unwrap_or_else(|error| panic!("{kind:?}: {tool}: {error}"));
        assert_eq!(text, format!("{tool} done for alice"));
        person.asked()
    };
    let read = done("read_note");
    assert!(read >= 1);
    assert_eq!(done("list_notes"), read, "nobody is asked for what is granted");
    assert_eq!(done("write_note"), read + 1, "one page for the step-up");
    assert_eq!(done("read_note"), read + 1, "and nothing is lost by it");
}

#[test]
fn typescript_client_with_jwts() {
    steps_up(Kind::TypeScript, &jwt());
}

#[test]
fn typescript_client_with_introspection() {
    steps_up(Kind::TypeScript, &opaque());
}

#[test]
fn typescript_client_with_dpop() {
    let running = start("jwt", |mut config, _| {
        config.dpop.required = true;
        config
    });
    steps_up(Kind::TypeScriptDpop, &running);
}

#[test]
fn typescript_client_of_the_first_generation() {
    steps_up(Kind::TypeScriptV1, &jwt());
}

#[test]
fn python_client_with_jwts() {
    steps_up(Kind::Python, &jwt());
}

#[test]
fn python_client_with_introspection() {
    steps_up(Kind::Python, &opaque());
}

#[test]
fn own_client() {
    for running in [jwt(), opaque()] {
        for adapter in ADAPTERS {
            let person = Person::who(true);
            let clicks = person.clone();
            let browser = Browser::open_with(move |url| {
                let (person, url) = (clicks.clone(), url.to_owned());
                std::thread::spawn(move || {
                    let page = Url::parse(&url).unwrap();
                    let until =
                        page.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
                    let back = person.visit(&url, &until).expect("the pages lead back");
                    ureq::get(&back).call().expect("the receiver shows a page");
                });
                Ok(())
            });
            let config = Config::new(&running.resource, ClientMetadata::named("Grantor interop")).unwrap();
            let client = open(adapter, Setup::new(config).user_agent(browser)).unwrap();
            for (tool, asked) in [("read_note", 1), ("list_notes", 1), ("write_note", 2), ("read_note", 2)] {
                let (headers, body) = stateless_tool_call(tool, &json!({}));
                let answer = client.post(&running.resource, &headers, &body).unwrap();
                let answer: Value = serde_json::from_str(&answer.body).unwrap();
                assert_eq!(answer["result"]["content"][0]["text"], format!("{tool} done for alice"));
                assert_eq!(person.asked(), asked, "{adapter}: {tool}");
            }
        }
    }
}
