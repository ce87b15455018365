//! Grantor's own client against the protected server, over loopback: from the first 401 to the step-up.

use std::sync::Arc;

use grantor::client::Config;
use grantor::jose::{Algorithm, SigningKey};
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::{ADAPTERS, Adapter, open};
use grantor_driver::{Browser, Setup};
use grantor_protected_server::{app, config};
use grantor_world::mcp_server::stateless_tool_call;
use grantor_world::net::Served;
use serde_json::{Value, json};

/// The protected server on a free port, with an authorization server beside it.
struct Running {
    resource: String,
    issuer: Served,
    _runtime: tokio::runtime::Runtime,
}

fn start() -> Running {
    let issuer = Served::start(Arc::new(|_, _| {}));
    issuer.world().server().signs =
        Some(SigningKey::generate(Algorithm::Es256, &[7; 32]).unwrap().with_kid("k"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let resource = format!("http://{}/mcp", listener.local_addr().unwrap());
    let app = app(config(&resource, &issuer.issuer)).unwrap();
    runtime.spawn(async move { axum::serve(listener, app).await });
    Running { resource, issuer, _runtime: runtime }
}

fn client(adapter: &str, running: &Running) -> Box<dyn Adapter> {
    let config = Config::new(&running.resource, ClientMetadata::named("test")).unwrap();
    let agree = |url: &str| {
        let url = url.to_owned();
        std::thread::spawn(move || ureq::get(&url).call().map(drop));
        Ok(())
    };
    open(adapter, Setup::new(config).user_agent(Browser::shown_by(agree))).unwrap()
}

fn call(client: &dyn Adapter, running: &Running, tool: &str, arguments: Value) -> (u16, Value) {
    let (headers, body) = stateless_tool_call(tool, &arguments);
    let answer = client.post(&running.resource, &headers, &body).unwrap();
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[test]
fn from_the_first_401_to_the_step_up() {
    for adapter in ADAPTERS {
        let running = start();
        let client = client(adapter, &running);
        let done = |tool: &str, arguments: Value| {
            let (status, answer) = call(&*client, &running, tool, arguments);
            assert_eq!(
                (status, &answer["result"]["content"][0]["text"]),
                (200, &json!(format!("{tool} done for planted-user")))
            );
            running.issuer.world().server().issued
        };
        assert_eq!(done("list_notes", json!({})), 1);
        assert_eq!(done("read_note", json!({})), 1);
        assert_eq!(done("write_note", json!({})), 2);
        assert_eq!(done("share_note", json!({ "with": "a@team.example.com" })), 3);
        assert_eq!(done("share_note", json!({ "with": "a@elsewhere.example.com" })), 4);
        assert_eq!(done("read_note", json!({})), 4);
    }
}

#[test]
fn the_table_is_printed() {
    let binary = env!("CARGO_BIN_EXE_grantor-protected-server");
    let printed = std::process::Command::new(binary).arg("--scopes").output().unwrap();
    assert!(printed.status.success());
    let printed = String::from_utf8(printed.stdout).unwrap();
    let chapter = include_str!("../../../core/src/manual/scopes.md");
    assert!(chapter.contains(&printed), "the manual shows another table:\n{printed}");
}
