//! Pushed authorization requests (RFC 9126).

use grantor::client::Preregistered;
use grantor::error::Refused;
use grantor::{DpopPolicy, Error, Key};
use grantor_interop::{Exchanged, Person};
use serde_json::{Value, json};

use crate::{REDIRECT_URI, call, config, error, for_each_adapter, local_key, open_for};

/// Pushed requests, by their errors.
fn pushed(exchanges: &[Exchanged]) -> Vec<&str> {
    exchanges.iter().filter(|one| one.path == "/request").map(|one| one.error.as_str()).collect()
}

#[test]
fn demanded_by_the_server() {
    for_each_adapter(&json!({ "pushed": true }), "demanded", |adapter, server, records| {
        let person = Person::who(true);
        let client = open_for(adapter, config(server), records, &person);
        call(&*client, server, "read").unwrap();
        call(&*client, server, "write").unwrap();
        assert_eq!(pushed(&server.exchanges()), ["", ""]);
        assert_eq!(person.asked(), 2);
    });
}

#[test]
fn by_policy_and_not_by_itself() {
    for wanted in [true, false] {
        for_each_adapter(&json!({}), "wanted", |adapter, server, records| {
            let config = config(server).pushed_requests(wanted);
            let client = open_for(adapter, config, records, &Person::who(true));
            call(&*client, server, "read").unwrap();
            assert_eq!(pushed(&server.exchanges()).len(), usize::from(wanted));
        });
    }
}

#[test]
fn denied_by_the_user() {
    for_each_adapter(&json!({ "pushed": true }), "pushed-denied", |adapter, server, records| {
        let client = open_for(adapter, config(server), records, &Person::who(false));
        let Error::Refused(Refused::Authorization { code, .. }) = error(call(&*client, server, "read"))
        else {
            panic!()
        };
        assert_eq!(code, "access_denied");
    });
}

#[test]
fn rfc9449_10_1_with_a_key_and_nonces() {
    let options = json!({ "pushed": true, "nonces": true, "resourceDpop": true, "resourceNonces": true });
    for_each_adapter(&options, "pushed-dpop", |adapter, server, records| {
        let config = config(server).dpop(DpopPolicy::Required);
        let client = open_for(adapter, config, records, &Person::who(true));
        assert_eq!(call(&*client, server, "read").unwrap()["bound"], true);
        let exchanges = server.exchanges();
        assert_eq!(pushed(&exchanges), ["use_dpop_nonce", ""]);
        assert!(exchanges.iter().all(|one| one.proof));
        assert_eq!(exchanges.last().unwrap().error, "", "the nonce of the push serves the token request");
    });
}

#[test]
fn by_a_client_with_a_key_and_a_bound_token() {
    let public: Value = serde_json::from_str(&local_key(1).public().to_jwk()).unwrap();
    let client = json!({
        "client_id": "app",
        "token_endpoint_auth_method": "private_key_jwt",
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "require_pushed_authorization_requests": true,
        "dpop_bound_access_tokens": true,
        "jwks": { "keys": [public] },
    });
    let options =
        json!({ "clients": [client], "pushed": true, "nonces": true, "assertionAudience": "issuer" });
    for_each_adapter(&options, "pushed-key", |adapter, server, records| {
        let own = Preregistered::new(&server.issuer, "app").key(Key::local(local_key(1)));
        let config = config(server).preregistered(own).dpop(DpopPolicy::Required);
        let client = open_for(adapter, config, records, &Person::who(true));
        assert_eq!(call(&*client, server, "read").unwrap()["bound"], true);
        let exchanges = server.exchanges();
        assert!(exchanges.iter().all(|one| one.client_auth == "private_key_jwt"), "{exchanges:?}");
        assert_eq!(pushed(&exchanges), ["use_dpop_nonce", ""]);
    });
}
