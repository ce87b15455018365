//! Clients that have a secret or a key: the grant of their own, and the code grant.

use grantor::client::{Config, Flow, Preregistered};
use grantor::error::PeerIncompatible;
use grantor::jose::{Algorithm, SigningKey};
use grantor::wire::client_auth::ClientAuthMethod;
use grantor::{AssertionAudience, Error, Key, Secret, StepUpPolicy};
use grantor_adapters::open;
use grantor_driver::Setup;
use grantor_interop::jose::Counterpart;
use grantor_interop::{Person, Server};
use serde_json::{Value, json};

use crate::{
    Kms, REDIRECT_URI, Records, call, config, error, for_each_adapter, local_key, open_for, refused, setup,
};

const ID: &str = "robot";
const SECRET: &str = "at-least-32-bytes-for-HMAC-SHA-256";

/// A client of this method, for its own grant and the user's; `more` is what else was registered.
fn registered(method: &str, more: Value) -> Value {
    let mut client = json!({
        "client_id": ID,
        "token_endpoint_auth_method": method,
        "grant_types": ["client_credentials", "authorization_code", "refresh_token"],
        "redirect_uris": [REDIRECT_URI],
        "response_types": ["code"],
    });
    client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "clients": [client] })
}

fn with_secret(method: &str) -> Value {
    registered(method, json!({ "client_secret": SECRET }))
}

fn with_key(key: &SigningKey) -> Value {
    let public: Value = serde_json::from_str(&key.public().to_jwk()).unwrap();
    let algorithm = key.algorithm().name();
    let more = json!({ "jwks": { "keys": [public] }, "token_endpoint_auth_signing_alg": algorithm });
    registered("private_key_jwt", more)
}

fn robot(server: &Server, client: Preregistered) -> Config {
    config(server).preregistered(client).flow(Flow::ClientCredentials)
}

fn secret(server: &Server) -> Preregistered {
    Preregistered::new(&server.issuer, ID).secret(Secret::from(SECRET))
}

/// Calls with a token of the client's own, twice; how the client authenticated.
fn calls(adapter: &str, server: &Server, records: &Records, config: Config) -> String {
    let client = open(adapter, Setup::new(config).store(records.store())).unwrap();
    assert_eq!(call(&*client, server, "read").unwrap()["scope"], "mcp:use");
    call(&*client, server, "read").unwrap();
    let exchanges = server.exchanges();
    assert_eq!(exchanges.len(), 1, "{exchanges:?}");
    assert_eq!(exchanges[0].grant, "client_credentials");
    exchanges[0].client_auth.clone()
}

#[test]
fn own_grant_with_a_secret_as_the_server_supports_it() {
    // A server that offers all methods: the first is tried, and it is what this client is registered for.
    for_each_adapter(&with_secret("client_secret_basic"), "basic", |adapter, server, records| {
        assert_eq!(calls(adapter, server, records, robot(server, secret(server))), "client_secret_basic");
    });
}

#[test]
fn own_grant_with_a_secret_in_the_body() {
    for_each_adapter(&with_secret("client_secret_post"), "post", |adapter, server, records| {
        let client = secret(server).method(ClientAuthMethod::SecretPost);
        assert_eq!(calls(adapter, server, records, robot(server, client)), "client_secret_post");
    });
}

#[test]
fn own_grant_with_a_secret_that_signs() {
    for_each_adapter(&with_secret("client_secret_jwt"), "hmac", |adapter, server, records| {
        let client = secret(server).method(ClientAuthMethod::SecretJwt);
        assert_eq!(calls(adapter, server, records, robot(server, client)), "client_secret_jwt");
    });
}

#[test]
fn own_grant_with_a_key_of_every_algorithm() {
    let mut jose = Counterpart::npm_jose();
    for algorithm in ["ES256", "RS256", "PS256", "EdDSA", "ES384"] {
        let (_, pem) = jose.generate(algorithm);
        let read = || SigningKey::from_pem(&pem, Algorithm::from_name(algorithm).unwrap()).unwrap();
        for_each_adapter(&with_key(&read()), algorithm, |adapter, server, records| {
            let client = Preregistered::new(&server.issuer, ID).key(Key::local(read()));
            assert_eq!(calls(adapter, server, records, robot(server, client)), "private_key_jwt");
            assert!(!records.hold("PRIVATE") && !records.hold("\"d\":"), "a configured key is not stored");
        });
    }
}

#[test]
fn own_grant_with_a_key_held_elsewhere() {
    for_each_adapter(&with_key(&local_key(1)), "kms", |adapter, server, records| {
        let kms = Kms(local_key(1));
        let client = Preregistered::new(&server.issuer, ID).key(kms.key());
        let setup = Setup::new(robot(server, client)).store(records.store()).signer(kms);
        let client = open(adapter, setup).unwrap();
        call(&*client, server, "read").unwrap();
        assert_eq!(server.exchanges()[0].client_auth, "private_key_jwt");
    });
}

#[test]
fn a_key_that_the_server_does_not_know() {
    for_each_adapter(&with_key(&local_key(1)), "wrong-key", |adapter, server, records| {
        let client = Preregistered::new(&server.issuer, ID).key(Key::local(local_key(2)));
        let setup = Setup::new(robot(server, client)).store(records.store());
        let client = open(adapter, setup).unwrap();
        assert_eq!(refused(call(&*client, server, "read")), "invalid_client");
        assert_eq!(server.exchanges().len(), 1, "it is not tried again");
    });
}

#[test]
fn a_key_of_an_algorithm_that_the_server_does_not_support() {
    for_each_adapter(&json!({ "algorithms": ["RS256"] }), "no-algorithm", |adapter, server, records| {
        let client = Preregistered::new(&server.issuer, ID).key(Key::local(local_key(1)));
        let client = open(adapter, Setup::new(robot(server, client)).store(records.store())).unwrap();
        let expected = PeerIncompatible::NoAlgorithm { algorithm: Algorithm::Es256 };
        assert_eq!(error(call(&*client, server, "read")), Error::PeerIncompatible(expected));
        assert_eq!(server.exchanges(), []);
    });
}

#[test]
fn audiences_of_assertions() {
    let both = [("issuer", AssertionAudience::Issuer), ("token_endpoint", AssertionAudience::TokenEndpoint)];
    for (name, audience) in both {
        let mut options = with_key(&local_key(1));
        options["assertionAudience"] = name.into();
        for_each_adapter(&options, name, |adapter, server, records| {
            let client = Preregistered::new(&server.issuer, ID).key(Key::local(local_key(1)));
            let config = robot(server, client).assertion_audience(audience);
            assert_eq!(calls(adapter, server, records, config), "private_key_jwt");
        });
    }
}

#[test]
fn own_grant_steps_up_and_starts_again_without_anybody() {
    for_each_adapter(&with_secret("client_secret_basic"), "own-step-up", |adapter, server, records| {
        let config = robot(server, secret(server));
        let open_with = |config| open(adapter, Setup::new(config).store(records.store())).unwrap();
        let client = open_with(config.clone());
        call(&*client, server, "read").unwrap();
        assert_eq!(call(&*client, server, "write").unwrap()["scope"], "mcp:use files:write");
        server.control(&json!({ "destroyAccessToken": true }));
        call(&*client, server, "write").unwrap();
        assert_eq!(server.exchanges().len(), 1, "no refresh; the grant again");
        // The record serves the next process.
        call(&*open_with(config), server, "write").unwrap();
        assert_eq!(server.exchanges(), []);
    });
}

#[test]
fn own_grant_that_must_not_step_up() {
    for_each_adapter(&with_secret("client_secret_basic"), "abort", |adapter, server, records| {
        let config = robot(server, secret(server)).step_up(StepUpPolicy::Abort);
        let client = open(adapter, Setup::new(config).store(records.store())).unwrap();
        call(&*client, server, "read").unwrap();
        let Error::Refused(grantor::error::Refused::InsufficientScope { demanded }) =
            error(call(&*client, server, "write"))
        else {
            panic!()
        };
        assert_eq!(demanded.to_string(), "files:write");
    });
}

#[test]
fn own_grant_renews_expired_tokens() {
    for_each_adapter(&with_secret("client_secret_basic"), "own-expiry", |adapter, server, records| {
        server.control(&json!({ "accessTokenTTL": 4 }));
        let client = open(adapter, Setup::new(robot(server, secret(server))).store(records.store())).unwrap();
        call(&*client, server, "read").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(4100));
        call(&*client, server, "read").unwrap();
        let exchanges = server.exchanges();
        assert!(exchanges.iter().all(|one| one.grant == "client_credentials" && one.error.is_empty()));
        assert!(exchanges.len() >= 2);
    });
}

#[test]
fn code_grant_with_a_key_here_or_elsewhere() {
    for elsewhere in [false, true] {
        for_each_adapter(&with_key(&local_key(1)), "code", |adapter, server, records| {
            let (kms, person) = (Kms(local_key(1)), Person::who(true));
            let key = if elsewhere { kms.key() } else { Key::local(local_key(1)) };
            let config = config(server).preregistered(Preregistered::new(&server.issuer, ID).key(key));
            let client = open(adapter, setup(config.clone(), records, &person).signer(kms)).unwrap();
            call(&*client, server, "read").unwrap();
            server.control(&json!({ "destroyAccessToken": true }));
            call(&*client, server, "read").unwrap();
            drop(client);
            server.control(&json!({ "destroyAccessToken": true }));
            let again = setup(config, records, &person).signer(Kms(local_key(1)));
            call(&*open(adapter, again).unwrap(), server, "read").unwrap();
            let exchanges = server.exchanges();
            assert_eq!(exchanges.last().unwrap().grant, "refresh_token");
            assert!(exchanges.iter().all(|one| one.client_auth == "private_key_jwt"));
            assert_eq!(person.asked(), 1);
        });
    }
}

#[test]
fn code_grant_with_a_secret_and_a_wrong_one() {
    for_each_adapter(&with_secret("client_secret_basic"), "code-secret", |adapter, server, records| {
        let person = Person::who(true);
        let wrong = Preregistered::new(&server.issuer, ID).secret(Secret::from("wrong"));
        let client = open_for(adapter, config(server).preregistered(wrong), records, &person);
        assert_eq!(refused(call(&*client, server, "read")), "invalid_client");
        let client = open_for(adapter, config(server).preregistered(secret(server)), records, &person);
        call(&*client, server, "read").unwrap();
    });
}
