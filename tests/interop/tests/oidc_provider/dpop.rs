//! Tokens that are bound to a key (RFC 9449): every proof is checked by npm `jose` at the resource and by
//! `oidc-provider` at its own endpoints.

use grantor::client::{Config, Flow, Preregistered};
use grantor::error::{PeerIncompatible, PeerText};
use grantor::jose::SigningKey;
use grantor::jose::dpop::{ProofKey, ProofRequest};
use grantor::{DpopPolicy, Key, Secret};
use grantor_adapters::open;
use grantor_interop::{Exchanged, Person, Server};
use serde_json::{Value, json};
use url::Url;

use crate::{Kms, call, config, error, for_each_adapter, local_key, open_for, setup};

fn bound(server: &Server) -> Config {
    config(server).dpop(DpopPolicy::Required)
}

/// Both demand nonces, each its own.
fn with_nonces() -> Value {
    json!({ "nonces": true, "resourceDpop": true, "resourceNonces": true })
}

/// The errors of token requests, in order.
fn errors(exchanges: &[Exchanged]) -> Vec<&str> {
    let to_token = exchanges.iter().filter(|one| one.path == "/token");
    to_token.map(|one| one.error.as_str()).collect()
}

#[test]
fn tokens_are_bound_and_refreshed_and_survive_a_restart() {
    for_each_adapter(&json!({ "resourceDpop": true }), "bound", |adapter, server, records| {
        let person = Person::who(true);
        let client = open_for(adapter, bound(server), records, &person);
        assert_eq!(call(&*client, server, "read").unwrap()["bound"], true);
        assert_eq!(call(&*client, server, "write").unwrap()["scope"], "mcp:use files:write");
        // A public client's refresh token is bound as well (RFC 9449 5).
        server.control(&json!({ "destroyAccessToken": true }));
        call(&*client, server, "write").unwrap();
        drop(client);
        let again = open_for(adapter, bound(server), records, &person);
        call(&*again, server, "write").unwrap();
        server.control(&json!({ "destroyAccessToken": true }));
        call(&*again, server, "write").unwrap();
        assert_eq!(person.asked(), 2, "once, and once for the step-up");
        let exchanges = server.exchanges();
        assert_eq!(errors(&exchanges), [""]);
        assert!(exchanges.iter().all(|one| one.proof));
    });
}

#[test]
fn nonces_of_both_sides_are_kept_apart() {
    for_each_adapter(&with_nonces(), "nonces", |adapter, server, records| {
        let person = Person::who(true);
        let client = open_for(adapter, bound(server), records, &person);
        // The resource takes another nonce every now and then.
        for _ in 0..10 {
            assert_eq!(call(&*client, server, "read").unwrap()["bound"], true);
        }
        assert_eq!(errors(&server.exchanges()), ["use_dpop_nonce", ""], "sent again once, with the nonce");
        server.control(&json!({ "destroyAccessToken": true }));
        call(&*client, server, "read").unwrap();
        assert_eq!(errors(&server.exchanges()), [""], "the nonce is known");
        // Nonces are not stored: the next process learns them anew.
        drop(client);
        let again = open_for(adapter, bound(server), records, &person);
        call(&*again, server, "read").unwrap();
        server.control(&json!({ "destroyAccessToken": true }));
        call(&*again, server, "read").unwrap();
        assert_eq!(errors(&server.exchanges()), ["use_dpop_nonce", ""]);
        assert_eq!(person.asked(), 1);
    });
}

#[test]
fn a_key_held_elsewhere() {
    for_each_adapter(&with_nonces(), "dpop-kms", |adapter, server, records| {
        let person = Person::who(true);
        let client = || {
            let kms = Kms(local_key(1));
            let config = bound(server).dpop_key(kms.key());
            open(adapter, setup(config, records, &person).signer(kms)).unwrap()
        };
        let first = client();
        call(&*first, server, "read").unwrap();
        call(&*first, server, "write").unwrap();
        server.control(&json!({ "destroyAccessToken": true }));
        call(&*first, server, "write").unwrap();
        drop(first);
        let second = client();
        server.control(&json!({ "destroyAccessToken": true }));
        call(&*second, server, "write").unwrap();
        assert_eq!(person.asked(), 2);
        assert!(!records.hold("\"d\""), "the key is not in the records");
    });
}

#[test]
fn both_keys_held_elsewhere_and_no_user() {
    let public: Value = serde_json::from_str(&local_key(1).public().to_jwk()).unwrap();
    let client = json!({
        "client_id": "robot",
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "redirect_uris": [],
        "response_types": [],
        "jwks": { "keys": [public] },
        "dpop_bound_access_tokens": true,
    });
    let mut options = with_nonces();
    options["clients"] = json!([client]);
    for_each_adapter(&options, "both", |adapter, server, records| {
        let kms = Kms(local_key(1));
        let own = Preregistered::new(&server.issuer, "robot").key(kms.key());
        let config = bound(server).dpop_key(kms.key()).preregistered(own).flow(Flow::ClientCredentials);
        let setup = setup(config, records, &Person::who(false)).signer(kms);
        let client = open(adapter, setup).unwrap();
        assert_eq!(call(&*client, server, "read").unwrap()["bound"], true);
        let exchanges = server.exchanges();
        assert_eq!(errors(&exchanges), ["use_dpop_nonce", ""]);
        // The assertion of the second request was another one, or the server would have seen a replay.
        assert_eq!(exchanges[1].client_auth, "private_key_jwt");
    });
}

#[test]
fn ed25519_where_the_host_brings_the_key() {
    for_each_adapter(&with_nonces(), "ed25519", |adapter, server, records| {
        let key = SigningKey::generate(grantor::jose::Algorithm::EdDsa, &[3; 32]).unwrap();
        let client = open_for(adapter, bound(server).dpop_key(Key::local(key)), records, &Person::who(true));
        assert_eq!(call(&*client, server, "read").unwrap()["bound"], true);
    });
}

#[test]
fn where_the_server_can_and_where_it_cannot() {
    for dpop in [true, false] {
        for_each_adapter(&json!({ "dpop": dpop }), "supported", |adapter, server, records| {
            let config = config(server).dpop(DpopPolicy::WhenSupported);
            let client = open_for(adapter, config, records, &Person::who(true));
            assert_eq!(call(&*client, server, "read").unwrap()["bound"], dpop);
        });
    }
}

#[test]
fn required_of_a_server_that_cannot() {
    for_each_adapter(&json!({ "dpop": false }), "cannot", |adapter, server, records| {
        let client = open_for(adapter, bound(server), records, &Person::who(true));
        let issuer = PeerText::new(&server.issuer);
        assert_eq!(error(call(&*client, server, "read")), PeerIncompatible::NoDpop { issuer }.into());
    });
}

#[test]
fn required_now_though_the_stored_token_is_a_bearer() {
    for_each_adapter(&json!({}), "bearer-before", |adapter, server, records| {
        let person = Person::who(true);
        let before = open_for(adapter, config(server), records, &person);
        assert_eq!(call(&*before, server, "read").unwrap()["bound"], false);
        drop(before);
        let after = open_for(adapter, bound(server), records, &person);
        assert_eq!(call(&*after, server, "read").unwrap()["bound"], true);
    });
}

#[test]
fn a_lost_key_leads_to_the_user_again() {
    for_each_adapter(&json!({ "resourceDpop": true }), "lost", |adapter, server, records| {
        let person = Person::who(true);
        let with = |byte| {
            let config = bound(server).dpop_key(Key::local(local_key(byte)));
            open_for(adapter, config, records, &person)
        };
        call(&*with(1), server, "read").unwrap();
        call(&*with(1), server, "read").unwrap();
        assert_eq!(person.asked(), 1);
        let other = with(2);
        assert_eq!(call(&*other, server, "read").unwrap()["bound"], true);
        assert_eq!(person.asked(), 2);
    });
}

/// What the resource answers to a stolen token.
fn steal(server: &Server, token: &str, scheme: &str, proof: Option<Secret>) -> u16 {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut request = agent.post(&server.resource).header("authorization", format!("{scheme} {token}"));
    if let Some(proof) = proof {
        request = request.header("dpop", proof.expose());
    }
    request.send("{}").unwrap().status().as_u16()
}

#[test]
fn a_token_is_worthless_with_another_key() {
    for_each_adapter(&json!({}), "stolen", |adapter, server, records| {
        let client = open_for(adapter, bound(server), records, &Person::who(true));
        call(&*client, server, "read").unwrap();
        let token = records.value("access_token").unwrap();
        let own =
            SigningKey::from_jwk(&records.value("jwk").unwrap(), grantor::jose::Algorithm::Es256).unwrap();
        let proof = |key: &SigningKey, jti: u8| {
            let url = Url::parse(&server.resource).unwrap();
            let mut request = ProofRequest::new(&http::Method::POST, &url);
            request.access_token = Some(&token);
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
            let proofs = ProofKey::new(key.public(), key.algorithm()).unwrap();
            Some(proofs.proof(&request, now, &[jti; 16]).sign(key).unwrap())
        };
        assert_eq!(steal(server, &token, "Bearer", None), 401);
        assert_eq!(steal(server, &token, "DPoP", None), 401);
        assert_eq!(steal(server, &token, "DPoP", proof(&local_key(9), 1)), 401);
        // The check is one: with its own key the token is good, once for each proof.
        assert_eq!(steal(server, &token, "DPoP", proof(&own, 2)), 200);
        assert_eq!(steal(server, &token, "DPoP", proof(&own, 2)), 401);
    });
}
