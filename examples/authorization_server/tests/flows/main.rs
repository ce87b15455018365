//! Grantor's own client on every adapter, the protected server, and the authorization server: all three roles.

mod nasty;
mod person;

use std::sync::{Arc, Mutex};

use grantor::client::{Config, Notice};
use grantor::server::Provider;
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::{ADAPTERS, Adapter, open};
use grantor_authorization_server::{UserFile, add_user, app, config, store};
use grantor_driver::{Browser, Event, MemoryStore, Setup};
use grantor_tower::provider::Provided;
use grantor_tower::{ProviderLayer, Reqwest};
use grantor_world::mcp_server::stateless_tool_call;
use person::{NAME, PASSWORD, Person};
use serde_json::{Value, json};

/// Both servers on free ports; they end when this is dropped.
struct Running {
    issuer: String,
    resource: String,
    directory: std::path::PathBuf,
    _runtime: tokio::runtime::Runtime,
}

impl Running {
    fn start(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("grantor-as-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        let store = store(&directory).unwrap();
        add_user(&directory.join("users"), NAME, PASSWORD).unwrap();
        let users = UserFile::read(&directory.join("users")).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let bind = || runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let (own, protected) = (bind(), bind());
        let issuer = format!("http://{}", own.local_addr().unwrap());
        let resource = format!("http://{}/mcp", protected.local_addr().unwrap());
        let server = app(config(&issuer, &resource, &directory).unwrap(), store, users).unwrap();
        runtime.spawn(async move { axum::serve(own, server).await });
        let mcp =
            grantor_protected_server::app(grantor_protected_server::config(&resource, &issuer)).unwrap();
        runtime.spawn(async move { axum::serve(protected, mcp).await });
        Self { issuer, resource, directory, _runtime: runtime }
    }

    fn call(&self, client: &dyn Adapter, tool: &str) -> (u16, Value) {
        let (headers, body) = stateless_tool_call(tool, &json!({}));
        let answer = client.post(&self.resource, &headers, &body).unwrap();
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A client whose user agrees, and what its tolerant reader finds.
fn client(adapter: &str, running: &Running, findings: &Arc<Mutex<Vec<String>>>) -> Box<dyn Adapter> {
    let person = Arc::new(Mutex::new(Person::default()));
    let agree = move |url: &str| {
        let (url, person) = (url.to_owned(), Arc::clone(&person));
        std::thread::spawn(move || {
            let back = person.lock().unwrap().authorize(&url);
            ureq::get(&back).call().map(drop)
        });
        Ok(())
    };
    let findings = Arc::clone(findings);
    let observer = move |event: Event<'_>| {
        if let Event::Notice(notice @ Notice::Finding { .. }) = event {
            findings.lock().unwrap().push(notice.to_string());
        }
    };
    let config = Config::new(&running.resource, ClientMetadata::named("Test client")).unwrap();
    let setup = Setup::new(config)
        .store(MemoryStore::default())
        .observer(observer)
        .user_agent(Browser::open_with(agree));
    open(adapter, setup).unwrap()
}

#[test]
fn every_adapter_from_the_first_401_to_the_step_up_without_a_finding() {
    for adapter in ADAPTERS {
        let running = Running::start(adapter);
        let findings = Arc::default();
        let client = client(adapter, &running, &findings);
        for tool in ["list_notes", "read_note", "write_note", "delete_note"] {
            let (status, answer) = running.call(&*client, tool);
            assert_eq!(status, 200, "{adapter} {tool}: {answer}");
            assert_eq!(answer["result"]["content"][0]["text"], json!(format!("{tool} done for {NAME}")));
        }
        assert_eq!(*findings.lock().unwrap(), Vec::<String>::new(), "{adapter}");
    }
}

#[test]
fn one_process_is_the_mcp_server_and_its_authorization_server() {
    let directory = std::env::temp_dir().join(format!("grantor-as-{}-both", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let store = store(&directory).unwrap();
    add_user(&directory.join("users"), NAME, PASSWORD).unwrap();
    let users = UserFile::read(&directory.join("users")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let resource = format!("{issuer}/mcp");
    let provider = Provider::new(config(&issuer, &resource, &directory).unwrap()).unwrap();
    let provided = Provided::new(Reqwest::new().unwrap(), provider, store);
    let mcp = grantor_protected_server::app(grantor_protected_server::config(&resource, &issuer)).unwrap();
    let both = mcp.layer(ProviderLayer::new(provided, users));
    runtime.spawn(async move { axum::serve(listener, both).await });
    let running = Running { issuer, resource, directory, _runtime: runtime };
    let findings = Arc::default();
    let client = client("reqwest", &running, &findings);
    for tool in ["list_notes", "write_note"] {
        assert_eq!(running.call(&*client, tool).0, 200, "{tool}");
    }
    assert_eq!(*findings.lock().unwrap(), [""; 0]);
}

#[test]
fn a_wrong_password_is_said_so_and_the_page_stays() {
    let running = Running::start("password");
    let mut person = Person::default();
    let register = ureq::post(format!("{}/register", running.issuer))
        .content_type("application/json")
        .send(r#"{"redirect_uris":["http://127.0.0.1:1/cb"],"token_endpoint_auth_method":"none"}"#);
    let body: Value = serde_json::from_str(&register.unwrap().body_mut().read_to_string().unwrap()).unwrap();
    let url = format!(
        "{}/authorize?client_id={}&response_type=code&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
         &code_challenge_method=S256&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb",
        running.issuer,
        body["client_id"].as_str().unwrap()
    );
    let page = person.fetch(&url, None);
    let (action, mut fields) = person::form(&page.body);
    assert_eq!(action, "/sign-in");
    fields.extend([("username".into(), NAME.into()), ("password".into(), "wrong".into())]);
    let again = person.fetch(&format!("{}{action}", running.issuer), Some(&fields));
    assert_eq!(again.status, 200);
    assert!(again.body.contains("Name or password is wrong."), "{}", again.body);
    assert!(again.body.contains(r#"value="alice""#), "the name stays, too: {}", again.body);
    let back = person.authorize(&url);
    assert!(back.starts_with("http://127.0.0.1:1/cb?code="), "{back}");
}

#[test]
fn passwords_are_not_guessed_and_a_browser_that_is_known_goes_on() {
    let running = Running::start("guesses");
    let account = format!("{}/account", running.issuer);
    let sign_in = |person: &mut Person, password: &str| {
        let fields = [("username".to_owned(), NAME.to_owned()), ("password".into(), password.into())];
        person.fetch(&account, Some(&fields))
    };
    let mut alice = Person::default();
    assert!(sign_in(&mut alice, PASSWORD).body.contains("Signed in as alice"));
    alice.fetch(&format!("{}/sign-out", running.issuer), Some(&[]));
    let mut guesser = Person::default();
    for _ in 1..grantor::limits::PASSWORD_ATTEMPTS {
        assert_eq!(sign_in(&mut guesser, "wrong").status, 200);
    }
    let refused = sign_in(&mut guesser, PASSWORD);
    assert_eq!(refused.status, 429, "though it is right this time");
    assert!(refused.body.contains("Too many passwords have been tried"), "{}", refused.body);
    let again = sign_in(&mut alice, PASSWORD);
    assert!(again.body.contains("Signed in as alice"), "{}", again.body);
}

#[test]
fn forms_of_other_sites_are_turned_away() {
    let running = Running::start("csrf");
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("origin", "null")]
    {
        for path in ["/sign-in", "/consent", "/device", "/account", "/sign-out"] {
            let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let request = agent.post(format!("{}{path}", running.issuer)).header(name, value);
            let answer =
                request.content_type("application/x-www-form-urlencoded").send("decision=allow").unwrap();
            assert_eq!(answer.status().as_u16(), 403, "{path} {name}: {value}");
        }
    }
}

#[test]
fn a_body_that_is_too_large_is_not_read() {
    let running = Running::start("large");
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let answer = agent.post(format!("{}/token", running.issuer)).send(vec![b'x'; 100 * 1024]);
    assert!(answer.is_err() || answer.unwrap().status().as_u16() == 413);
    assert_eq!(agent.post(format!("{}/token", running.issuer)).send("x").unwrap().status().as_u16(), 400);
}
