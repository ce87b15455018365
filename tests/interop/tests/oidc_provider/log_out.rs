//! Logging out (RFC 7009).

use std::collections::BTreeSet;

use grantor::client::{Flow, Preregistered};
use grantor::{DpopPolicy, Secret};
use grantor_adapters::open;
use grantor_driver::Setup;
use grantor_interop::{Exchanged, Person, Server};
use serde_json::{Value, json};

use crate::{Records, call, config, for_each_adapter, open_for};

/// The revocations, by their errors.
fn revocations(exchanges: &[Exchanged]) -> Vec<&str> {
    exchanges.iter().filter(|one| one.path == "/token/revocation").map(|one| one.error.as_str()).collect()
}

/// What the resource answers to this token.
fn status(server: &Server, token: &str) -> u16 {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let request = agent.post(&server.resource).header("authorization", format!("Bearer {token}"));
    request.send("{}").unwrap().status().as_u16()
}

/// What the token endpoint answers to this refresh token.
fn refresh(server: &Server, client_id: &str, token: &str) -> Value {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let form = [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", token)];
    let mut answer = agent.post(format!("{}/token", server.issuer)).send_form(form).unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

fn files(records: &Records) -> BTreeSet<std::path::PathBuf> {
    records.copy().into_iter().map(|(path, _)| path).collect()
}

#[test]
fn tokens_are_given_back_and_forgotten() {
    for_each_adapter(&json!({}), "log-out", |adapter, server, records| {
        let person = Person::who(true);
        let client = open_for(adapter, config(server), records, &person);
        client.log_in().unwrap();
        assert_eq!(person.asked(), 1);
        let (access, old) = (records.value("access_token").unwrap(), records.value("refresh_token").unwrap());
        let id = records.value("id").unwrap();
        assert_eq!(status(server, &access), 200);
        server.exchanges();

        client.log_out().unwrap();
        assert_eq!(revocations(&server.exchanges()), ["", ""]);
        assert_eq!(status(server, &access), 401);
        assert_eq!(refresh(server, &id, &old)["error"], "invalid_grant");
        assert!(!records.hold(&access) && !records.hold(&old));
        assert!(records.value("access_token").is_none() && records.value("refresh_token").is_none());

        client.log_out().unwrap();
        assert_eq!(revocations(&server.exchanges()), [] as [&str; 0], "there is nothing left to give back");
        call(&*client, server, "read").unwrap();
        assert_eq!(person.asked(), 2, "the next call logs in again");
        assert_eq!(records.value("id").unwrap(), id, "the registration stays");
    });
}

#[test]
fn after_a_restart_and_for_one_account_of_two() {
    for_each_adapter(&json!({}), "log-out-two", |adapter, server, records| {
        let person = Person::who(true);
        let first = open_for(adapter, config(server), records, &person);
        call(&*first, server, "read").unwrap();
        let alone = files(records);
        let other = first.account("other").unwrap();
        call(&*other, server, "read").unwrap();
        drop((first, other));
        open_for(adapter, config(server).account("other"), records, &person).log_out().unwrap();
        let left = open_for(adapter, config(server), records, &person);
        call(&*left, server, "read").unwrap();
        assert_eq!(person.asked(), 2);
        assert!(files(records).is_superset(&alone));
    });
}

#[test]
fn of_bound_tokens() {
    for_each_adapter(
        &json!({ "nonces": true, "resourceDpop": true }),
        "log-out-bound",
        |adapter, server, records| {
            let person = Person::who(true);
            let client = open_for(adapter, config(server).dpop(DpopPolicy::Required), records, &person);
            call(&*client, server, "read").unwrap();
            server.exchanges();
            client.log_out().unwrap();
            assert_eq!(revocations(&server.exchanges()), ["", ""]);
            assert!(!records.hold("\"jwk\""), "the key goes with its tokens");
            call(&*client, server, "read").unwrap();
            assert_eq!(person.asked(), 2);
        },
    );
}

#[test]
fn of_a_client_with_a_secret() {
    let client = json!({
        "client_id": "robot",
        "client_secret": "s3cret",
        "grant_types": ["client_credentials"],
        "redirect_uris": [],
        "response_types": [],
    });
    for_each_adapter(&json!({ "clients": [client] }), "log-out-robot", |adapter, server, records| {
        let own = Preregistered::new(&server.issuer, "robot").secret(Secret::from("s3cret"));
        let config = config(server).preregistered(own).flow(Flow::ClientCredentials);
        let client = open(adapter, Setup::new(config).store(records.store())).unwrap();
        call(&*client, server, "read").unwrap();
        let access = records.value("access_token").unwrap();
        server.exchanges();
        client.log_out().unwrap();
        let exchanges = server.exchanges();
        assert_eq!(revocations(&exchanges), [""]);
        assert_eq!(exchanges[0].client_auth, "client_secret_basic");
        assert_eq!(status(server, &access), 401);
        call(&*client, server, "read").unwrap();
    });
}
