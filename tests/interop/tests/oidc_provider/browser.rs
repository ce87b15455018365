//! The code grant of a public client that registers itself: registration, resource indicators, `iss`,
//! rotation, the login and consent pages.

use std::sync::Arc;
use std::time::Duration;

use grantor::error::Refused;
use grantor::{AuthorizationPrompt, Error, Summary};
use grantor_adapters::{Adapter, Failed, open};
use grantor_driver::{Answer, Browser, InteractionFailure, Setup, UserAgent, Wait};
use grantor_interop::{Person, Server};
use http::HeaderMap;
use serde_json::json;
use url::Url;

use crate::{REDIRECT_URI, Records, call, config, for_each_adapter, open_for};

fn client(adapter: &str, server: &Server, records: &Records, person: &Person) -> Box<dyn Adapter> {
    open_for(adapter, config(server), records, person)
}

/// The real browser agent with its loopback receiver; the person drives the pages and follows the
/// redirect to it.
fn browser(person: &Person) -> Browser {
    let person = person.clone();
    Browser::open_with(move |url| {
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

#[test]
fn happy_path_with_step_up() {
    for_each_adapter(&json!({}), "happy", |adapter, server, records| {
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
    for_each_adapter(&json!({}), "receiver", |adapter, server, records| {
        let person = Person::who(true);
        let setup = Setup::new(config(server)).store(records.store()).user_agent(browser(&person));
        let client = open(adapter, setup).unwrap();
        call(&*client, server, "write").unwrap();
    });
}

#[test]
fn denial() {
    for_each_adapter(&json!({}), "denial", |adapter, server, records| {
        let client = client(adapter, server, records, &Person::who(false));
        let Err(Failed::Authorization(error)) = call(&*client, server, "read") else { panic!() };
        let Error::Refused(Refused::Authorization { code, .. }) = &error else { panic!("{error}") };
        assert_eq!(*code, "access_denied");
    });
}

#[test]
fn expiry_and_refresh() {
    for_each_adapter(&json!({}), "expiry", |adapter, server, records| {
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
    for_each_adapter(&json!({}), "destroyed", |adapter, server, records| {
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
    for_each_adapter(&json!({}), "reuse", |adapter, server, records| {
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
    for_each_adapter(&json!({}), "revocation", |adapter, server, records| {
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
    for_each_adapter(&json!({}), "restart", |adapter, server, records| {
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
    for_each_adapter(&json!({}), "tokens", |adapter, server, records| {
        let person = Person::who(true);
        call(&*client(adapter, server, records, &person), server, "write").unwrap();
        let asked = person.asked();
        call(&*client(adapter, server, records, &person), server, "write").unwrap();
        assert_eq!(person.asked(), asked);
    });
}
