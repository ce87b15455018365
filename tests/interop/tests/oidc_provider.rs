//! All adapters against npm `oidc-provider`: registration, resource indicators, `iss`, rotation, its
//! login and consent pages.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use grantor::client::Config;
use grantor::error::Refused;
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{AuthorizationPrompt, Error, Summary};
use grantor_adapters::{ADAPTERS, Adapter, Failed, open};
use grantor_driver::{Answer, Browser, FileStore, InteractionFailure, Setup, UserAgent, Wait};
use grantor_interop::{Person, Server};
use http::HeaderMap;
use serde_json::{Value, json};
use url::Url;

/// A server and a directory for records, for each adapter in turn.
fn for_each_adapter(name: &str, test: impl Fn(&'static str, &Server, &Records)) {
    for adapter in ADAPTERS {
        let records = Records::new(&format!("{name}-{adapter}"));
        test(adapter, &Server::start(), &records);
    }
}

/// A directory that goes away.
struct Records(PathBuf);

impl Records {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("grantor-interop-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn store(&self) -> FileStore {
        FileStore::new(&self.0).unwrap()
    }

    /// The files with their contents.
    fn copy(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The real browser agent with its loopback receiver; the person drives the pages and follows the
/// redirect to it.
fn browser(person: &Person) -> Browser {
    let person = person.clone();
    Browser::shown_by(move |url| {
        let (person, url) = (person.clone(), url.to_owned());
        std::thread::spawn(move || {
            let page = Url::parse(&url).unwrap();
            let until = page.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
            let back = person.visit(&url, &until).expect("the pages lead back");
            ureq::get(&back).call().expect("the receiver shows a page");
        });
        Ok(())
    })
}

fn config(server: &Server) -> Config {
    Config::new(&server.resource, ClientMetadata::named("Grantor interop")).unwrap()
}

fn client(adapter: &str, server: &Server, records: &Records, person: &Person) -> Box<dyn Adapter> {
    let setup = Setup::new(config(server)).store(records.store()).user_agent(OnCallback(person.clone()));
    open(adapter, setup).unwrap()
}

/// Brings the callback itself, without a receiver.
struct OnCallback(Person);

const REDIRECT_URI: &str = "http://127.0.0.1:49999/callback";

impl UserAgent for OnCallback {
    fn listen(&self, _: Option<&str>) -> Result<String, InteractionFailure> {
        Ok(REDIRECT_URI.into())
    }

    fn approve(&self, _: &Summary) -> bool {
        true
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, _: &Wait) -> Result<Answer, InteractionFailure> {
        let back = self.0.visit(prompt.url.as_str(), REDIRECT_URI);
        back.map(Answer::Callback).map_err(InteractionFailure::impossible)
    }
}

/// Calls a tool; its result.
fn call(client: &dyn Adapter, server: &Server, tool: &str) -> Result<Value, Failed> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool } });
    let answer = client.post(&server.resource, &HeaderMap::new(), &body.to_string())?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Ok(serde_json::from_str::<Value>(&answer.body).unwrap()["result"].clone())
}

#[test]
fn happy_path_with_step_up() {
    for_each_adapter("happy", |adapter, server, records| {
        let person = Person::who(true);
        let client = client(adapter, server, records, &person);
        assert_eq!(call(&*client, server, "read").unwrap()["scope"], "mcp:use");
        assert_eq!(call(&*client, server, "write").unwrap()["scope"], "mcp:use files:write");
        assert_eq!(person.asked(), 2);
        call(&*client, server, "read").unwrap();
        assert_eq!(person.asked(), 2);
    });
}

#[test]
fn through_the_loopback_receiver() {
    for_each_adapter("receiver", |adapter, server, records| {
        let person = Person::who(true);
        let setup = Setup::new(config(server)).store(records.store()).user_agent(browser(&person));
        let client = open(adapter, setup).unwrap();
        call(&*client, server, "write").unwrap();
    });
}

#[test]
fn denial() {
    for_each_adapter("denial", |adapter, server, records| {
        let client = client(adapter, server, records, &Person::who(false));
        let Err(Failed::Authorization(error)) = call(&*client, server, "read") else { panic!() };
        let Error::Refused(Refused::Authorization { code, .. }) = &error else { panic!("{error}") };
        assert_eq!(*code, "access_denied");
    });
}

#[test]
fn expiry_and_refresh() {
    for_each_adapter("expiry", |adapter, server, records| {
        server.control(&json!({ "accessTokenTTL": 2 }));
        let person = Person::who(true);
        let client = client(adapter, server, records, &person);
        for _ in 0..3 {
            call(&*client, server, "read").unwrap();
            std::thread::sleep(Duration::from_millis(2100));
        }
        call(&*client, server, "read").unwrap();
        assert_eq!(person.asked(), 1, "rotated refresh tokens renewed it");
    });
}

#[test]
fn a_token_that_the_server_has_destroyed_is_renewed() {
    for_each_adapter("destroyed", |adapter, server, records| {
        let person = Person::who(true);
        let client = client(adapter, server, records, &person);
        call(&*client, server, "read").unwrap();
        server.control(&json!({ "destroyAccessToken": true }));
        call(&*client, server, "read").unwrap();
        assert_eq!(person.asked(), 1);
    });
}

#[test]
fn reuse_of_a_rotated_refresh_token() {
    for_each_adapter("reuse", |adapter, server, records| {
        let person = Person::who(true);
        let first = client(adapter, server, records, &person);
        call(&*first, server, "read").unwrap();
        let old = records.copy();
        server.control(&json!({ "destroyAccessToken": true }));
        call(&*first, server, "read").unwrap();
        drop(first);
        // Somebody restores a backup: its refresh token was used already.
        for (path, content) in old {
            std::fs::write(path, content).unwrap();
        }
        let restored = client(adapter, server, records, &person);
        call(&*restored, server, "read").unwrap();
        assert_eq!(person.asked(), 2, "the server revoked the grant; the user was asked again");
        call(&*restored, server, "read").unwrap();
        assert_eq!(person.asked(), 2);
    });
}

#[test]
fn revocation_by_the_server() {
    for_each_adapter("revocation", |adapter, server, records| {
        let person = Person::who(true);
        let client = client(adapter, server, records, &person);
        call(&*client, server, "read").unwrap();
        server.control(&json!({ "revokeGrant": true }));
        call(&*client, server, "read").unwrap();
        assert_eq!(person.asked(), 2);
    });
}

#[test]
fn restart_between_redirect_and_callback() {
    for_each_adapter("restart", |adapter, server, records| {
        // The first process opens the page and dies.
        let (page, pages) = std::sync::mpsc::channel();
        let gone = Gone(Arc::new(std::sync::Mutex::new(page)));
        let setup = Setup::new(config(server)).store(records.store()).user_agent(gone);
        let first = open(adapter, setup).unwrap();
        let resource = server.resource.clone();
        std::thread::spawn(move || drop(first.post(&resource, &HeaderMap::new(), "{}")));
        let url = pages.recv().unwrap();
        // The user goes on meanwhile.
        let person = Person::who(true);
        let back = person.visit(&url, REDIRECT_URI).unwrap();
        // The second process gets the callback.
        let nobody = Person::who(false);
        let second = client(adapter, server, records, &nobody);
        second.callback(&back).unwrap();
        call(&*second, server, "read").unwrap();
        assert_eq!(nobody.asked(), 0);
    });
}

/// Shows the page and is never heard of again.
struct Gone(Arc<std::sync::Mutex<std::sync::mpsc::Sender<String>>>);

impl UserAgent for Gone {
    fn listen(&self, _: Option<&str>) -> Result<String, InteractionFailure> {
        Ok(REDIRECT_URI.into())
    }

    fn approve(&self, _: &Summary) -> bool {
        true
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, wait: &Wait) -> Result<Answer, InteractionFailure> {
        self.0.lock().unwrap().send(prompt.url.as_str().to_owned()).unwrap();
        while !wait.is_over() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(InteractionFailure::timed_out())
    }
}

#[test]
fn restart_with_tokens() {
    for_each_adapter("tokens", |adapter, server, records| {
        let person = Person::who(true);
        call(&*client(adapter, server, records, &person), server, "write").unwrap();
        let asked = person.asked();
        call(&*client(adapter, server, records, &person), server, "write").unwrap();
        assert_eq!(person.asked(), asked);
    });
}
