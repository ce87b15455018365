//! Grantor's own client against the protected server, over loopback: from the first 401 to the step-up.

use std::io::{BufRead as _, BufReader};
use std::sync::Arc;

use grantor::DevicePrompt;
use grantor::client::{Config, Flow};
use grantor::jose::{Algorithm, SigningKey};
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::{ADAPTERS, Adapter, open};
use grantor_driver::{Browser, Setup};
use grantor_protected_server::{app, config, scope_notes};
use grantor_world::Consent;
use grantor_world::grants::Device;
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
    open(adapter, Setup::new(config).user_agent(Browser::open_with(agree))).unwrap()
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
fn rfc9470_a_tool_that_needs_a_fresh_sign_in() {
    let running = start();
    let client = client("ureq", &running);
    let (status, answer) = call(&*client, &running, "export_all", json!({}));
    assert_eq!(
        (status, &answer["result"]["content"][0]["text"]),
        (200, &json!("export_all done for planted-user"))
    );
    let issued = running.issuer.world().server().issued;
    call(&*client, &running, "export_all", json!({}));
    assert_eq!(running.issuer.world().server().issued, issued, "ten minutes are not over");
}

#[test]
fn the_consent_page_says_who_asks_for_what() {
    let running = start();
    {
        let mut world = running.issuer.world();
        world.server().consent = Consent::AskInPage;
        world.server().scope_notes = scope_notes();
    }
    let (shown, pages) = std::sync::mpsc::channel();
    let agree = move |url: &str| {
        let (url, shown) = (url.to_owned(), shown.clone());
        std::thread::spawn(move || {
            shown.send(ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap()).unwrap();
            ureq::post(&url).send("decision=allow").unwrap();
        });
        Ok(())
    };
    let config = Config::new(&running.resource, ClientMetadata::named("Ada's <client>")).unwrap();
    let client = open("ureq", Setup::new(config).user_agent(Browser::open_with(agree))).unwrap();
    assert_eq!(call(&*client, &running, "read_note", json!({})).0, 200);
    let page = pages.recv().unwrap();
    for text in
        ["Ada's &lt;client&gt; wants access", "Read notes <code>(notes:read)", "a program on this computer"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("client-"), "an id is no name: {page}");
}

#[test]
fn a_device_is_connected_in_the_page() {
    let running = start();
    {
        let mut world = running.issuer.world();
        let server = world.server();
        (server.devices, server.offers.device, server.offers.device_interval_s) =
            (true, Device::AskInPage, 1);
    }
    let type_in = |prompt: &DevicePrompt| {
        let (page, code) = (prompt.verification_uri.as_str().to_owned(), prompt.user_code.to_string());
        std::thread::spawn(move || {
            let get = |url: String| ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap();
            assert!(get(page.clone()).contains("The code that the device shows"));
            assert!(get(format!("{page}?user_code=nonsense")).contains("No device shows this code"));
            assert!(get(format!("{page}?user_code={code}")).contains("test wants access"));
            ureq::post(&page).send(format!("user_code={code}&decision=allow")).unwrap();
        });
    };
    let config = Config::new(&running.resource, ClientMetadata::named("test")).unwrap().flow(Flow::Device);
    let client = open("ureq", Setup::new(config).user_agent(Browser::default().on_code(type_in))).unwrap();
    assert_eq!(call(&*client, &running, "read_note", json!({})).0, 200);
}

#[test]
fn the_first_messages_of_the_readme() {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("const FIRST").unwrap();
    let (block, _) = rest.split_once("];").unwrap();
    let messages: Vec<_> =
        block.split("r#\"").skip(1).map(|rest| rest.split("\"#").next().unwrap()).collect();
    assert_eq!(messages.len(), 2);
    for message in messages {
        let json: Value = serde_json::from_str(message).unwrap();
        let method = json["method"].as_str().unwrap();
        let revision = if method == "initialize" { "2025-11-25" } else { "2026-07-28" };
        let running = start();
        let mut headers = http::HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("accept", "application/json, text/event-stream".parse().unwrap());
        headers.insert("mcp-protocol-version", revision.parse().unwrap());
        headers.insert("mcp-method", method.parse().unwrap());
        let answer = client("reqwest", &running).post(&running.resource, &headers, message).unwrap();
        assert_eq!(answer.status, 200, "{method}: {}", answer.body);
        assert!(answer.body.contains("notes"), "{method}: {}", answer.body);
    }
}

#[test]
fn the_table_is_printed() {
    let printed = binary(&["--scopes"]).output().unwrap();
    assert!(printed.status.success());
    let printed = String::from_utf8(printed.stdout).unwrap();
    let chapter = include_str!("../../../core/src/manual/scopes.md");
    assert!(chapter.contains(&printed), "the manual shows another table:\n{printed}");
}

fn binary(args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_grantor-protected-server"));
    command.args(args);
    command
}

#[test]
fn options_that_make_no_sense_are_usage_errors() {
    for args in [
        &["--issuer"][..],
        &["--issuer", "--port", "8080"],
        &["--port"],
        &["--port", "nonsense"],
        &["--port", "65536"],
        &["--nonsense"],
    ] {
        let ended = binary(args).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8(ended.stderr).unwrap().contains("usage: "), "{args:?}");
    }
}

/// Ends with the test, also when that fails.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_operator_reads_why_requests_are_refused_and_no_token() {
    let piped = std::process::Stdio::piped;
    let mut server =
        Ended(binary(&["--issuer", "http://127.0.0.1:9"]).stdout(piped()).stderr(piped()).spawn().unwrap());
    let mut said = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let said =
        said.find_map(|line| line.unwrap().strip_prefix("MCP server:").map(|url| url.trim().to_owned()));
    let resource = said.unwrap();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let post = |token: Option<&str>| {
        let mut request = agent.post(&resource);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).unwrap().status().as_u16()
    };
    assert_eq!(post(None), 401);
    // {"alg":"ES256"} and {"iss":"http://127.0.0.1:9"}, then another issuer.
    let gone = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwOi8vMTI3LjAuMC4xOjkifQ.AAAA";
    let other = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwOi8vMTI3LjAuMC4xOjEwIn0.AAAA";
    assert_eq!((post(Some(gone)), post(Some(other))), (503, 401));
    let mut log = BufReader::new(server.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut next = |parts: &[&str]| {
        let line = log.next().unwrap();
        assert!(line.starts_with("20") && line.contains('T'), "it begins with the time: {line}");
        assert!(parts.iter().all(|part| line.contains(part)) && !line.contains("eyJ"), "{line}");
    };
    next(&["INFO grantor: refused status=401", "operation=method tools/list", "reason=a token is needed"]);
    next(&["WARN grantor: authorization server failed issuer=http://127.0.0.1:9"]);
    next(&["WARN grantor: refused status=503", "reason=the token cannot be checked for now"]);
    next(&["INFO grantor: refused status=401", "reason=the token is from another issuer"]);
}
