//! Codes that the user types in on another device (RFC 8628).

use std::sync::mpsc;
use std::thread;

use grantor::client::{Config, Flow};
use grantor::error::Refused;
use grantor::{DevicePrompt, DpopPolicy, Error};
use grantor_adapters::{ADAPTERS, Adapter, open};
use grantor_driver::{Browser, Setup};
use grantor_interop::{Exchanged, Person, Server};
use serde_json::{Value, json};

use crate::{Records, call, config, error, refused};

/// All adapters at once: most of the time they wait.
fn for_all_adapters(options: &Value, name: &str, test: impl Fn(&'static str, &Server, &Records) + Sync) {
    thread::scope(|scope| {
        for adapter in ADAPTERS {
            let test = &test;
            scope.spawn(move || {
                let records = Records::new(&format!("{name}-{adapter}"));
                test(adapter, &Server::with(options), &records);
            });
        }
    });
}

fn device(server: &Server) -> Config {
    config(server).flow(Flow::Device).interaction_ms(60_000)
}

/// A client of a host without a browser, which shows codes so.
fn client(
    adapter: &str,
    config: Config,
    records: &Records,
    show: impl Fn(&DevicePrompt) + Send + Sync + 'static,
) -> Box<dyn Adapter> {
    let user = Browser::open_with(|_| Err("there is no browser here".to_owned())).on_code(show);
    open(adapter, Setup::new(config).store(records.store()).user_agent(user)).unwrap()
}

/// Types in the code at once, somewhere else.
fn at_once(person: &Person) -> impl Fn(&DevicePrompt) + Send + Sync + 'static {
    let person = person.clone();
    move |prompt| {
        let (person, uri) = (person.clone(), prompt.verification_uri.as_str().to_owned());
        let code = prompt.user_code.to_string();
        thread::spawn(move || person.enter_code(&uri, &code).unwrap());
    }
}

/// The errors of the polls, in order.
fn polls(exchanges: &[Exchanged]) -> Vec<&str> {
    let polls = exchanges.iter().filter(|one| one.grant.ends_with(":device_code"));
    polls.map(|one| one.error.as_str()).collect()
}

#[test]
fn the_user_agrees_and_is_not_asked_again() {
    for_all_adapters(&json!({}), "device", |adapter, server, records| {
        let person = Person::who(true);
        let first = client(adapter, device(server), records, at_once(&person));
        assert_eq!(call(&*first, server, "read").unwrap()["sub"], "alice");
        let exchanges = server.exchanges();
        assert_eq!(exchanges[0].path, "/device/auth");
        assert_eq!(polls(&exchanges).last(), Some(&""));
        drop(first);
        server.control(&json!({ "destroyAccessToken": true }));
        let second = client(adapter, device(server), records, at_once(&person));
        call(&*second, server, "read").unwrap();
        let exchanges = server.exchanges();
        assert_eq!((exchanges.len(), exchanges[0].grant.as_str()), (1, "refresh_token"));
        // More scopes need another code.
        assert_eq!(call(&*second, server, "write").unwrap()["scope"], "mcp:use files:write");
        assert_eq!(person.asked(), 2);
        second.log_out().unwrap();
        call(&*second, server, "read").unwrap();
        assert_eq!(person.asked(), 3);
    });
}

#[test]
fn rfc8628_3_5_pending_and_slow_down() {
    for_all_adapters(&json!({}), "slow", |adapter, server, records| {
        let (codes, shown) = mpsc::channel();
        let client = client(adapter, device(server), records, move |prompt| {
            let complete = prompt.verification_uri_complete.as_ref().unwrap();
            codes.send((complete.as_str().to_owned(), prompt.user_code.to_string())).unwrap();
        });
        let mut exchanges = Vec::new();
        let outcome = thread::scope(|scope| {
            let waits = scope.spawn(|| call(&*client, server, "read"));
            let (uri, code) = shown.recv().unwrap();
            // The user takes their time: a poll too early, and one after that.
            while !polls(&exchanges).contains(&"authorization_pending") && !waits.is_finished() {
                thread::sleep(std::time::Duration::from_millis(50));
                exchanges.extend(server.exchanges());
            }
            // This time by a link that has the code in it.
            let page = Person::who(true).enter_code(&uri, &code).unwrap();
            assert!(page.contains("was successful"), "{page}");
            waits.join().unwrap()
        });
        exchanges.extend(server.exchanges());
        assert!(outcome.is_ok(), "{adapter}: {outcome:?} after {:?}", polls(&exchanges));
        assert_eq!(polls(&exchanges), ["slow_down", "authorization_pending", ""]);
    });
}

#[test]
fn the_user_denies() {
    for_all_adapters(&json!({}), "device-denied", |adapter, server, records| {
        let client = client(adapter, device(server), records, at_once(&Person::who(false)));
        assert_eq!(refused(call(&*client, server, "read")), "access_denied");
        assert_eq!(polls(&server.exchanges()), ["access_denied"], "that is the end of polling");
    });
}

#[test]
fn nobody_types_in_the_code() {
    for_all_adapters(&json!({ "deviceCodeTTL": 4 }), "device-expired", |adapter, server, records| {
        let client = client(adapter, device(server), records, |_| {});
        let expired = error(call(&*client, server, "read"));
        assert_eq!(expired, Error::Refused(Refused::DeviceCodeExpired));
        assert!(server.exchanges().len() <= 4, "the polls end with the code");
        assert!(records.value("access_token").is_none());
    });
}

#[test]
fn with_a_bound_token_and_nonces() {
    let options = json!({ "nonces": true, "resourceDpop": true, "resourceNonces": true });
    for_all_adapters(&options, "device-bound", |adapter, server, records| {
        let person = Person::who(true);
        let config = device(server).dpop(DpopPolicy::Required);
        let client = client(adapter, config, records, at_once(&person));
        assert_eq!(call(&*client, server, "read").unwrap()["bound"], true);
        server.control(&json!({ "destroyAccessToken": true }));
        call(&*client, server, "read").unwrap();
        assert_eq!(person.asked(), 1);
    });
}
