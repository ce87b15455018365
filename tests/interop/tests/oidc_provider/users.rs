//! Who the user is (`OpenID` Connect), how they have proved it (RFC 9470), what they have allowed in detail
//! (RFC 9396).

use grantor::client::{Config, RequestHead};
use grantor::error::{PeerMisbehaved, Refused};
use grantor::jose::ClaimsError;
use grantor::wire::challenge::Challenges;
use grantor::{Error, ScopeSet, StepUpPolicy};
use grantor_adapters::Adapter;
use grantor_interop::{Person, Server};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::{call, config, error, for_each_adapter, open_for};

fn openid(server: &Server) -> Config {
    config(server).scopes(ScopeSet::parse("openid").unwrap())
}

#[test]
fn the_account_has_a_label() {
    for_each_adapter(&json!({}), "label", |adapter, server, records| {
        let person = Person::who(true);
        let with = |scopes: &str| config(server).scopes(ScopeSet::parse(scopes).unwrap());
        let client = open_for(adapter, with("openid email"), records, &person);
        assert_eq!(client.account_label(), None);
        client.log_in().unwrap();
        assert_eq!(client.account_label().unwrap(), "alice@example.com");
        call(&*client, server, "read").unwrap();
        server.control(&json!({ "destroyAccessToken": true }));
        call(&*client, server, "read").unwrap();
        assert_eq!(client.account_label().unwrap(), "alice@example.com", "a refresh changes nothing");
        let again = open_for(adapter, with("openid email"), records, &person);
        call(&*again, server, "read").unwrap();
        assert_eq!(again.account_label().unwrap(), "alice@example.com", "it is stored");
        again.log_out().unwrap();
        assert_eq!(again.account_label(), None);

        let other = open_for(adapter, with("openid").account("other"), records, &person);
        other.log_in().unwrap();
        assert_eq!(other.account_label().unwrap(), "alice", "the subject, where nothing better is said");
        let silent = open_for(adapter, config(server).account("silent"), records, &person);
        silent.log_in().unwrap();
        assert_eq!(silent.account_label(), None, "without openid");
    });
}

#[test]
fn rfc9470_the_user_logs_in_again() {
    for_each_adapter(&json!({}), "recent", |adapter, server, records| {
        let person = Person::who(true);
        server.control(&json!({ "loginsBackdated": 3600 }));
        let client = open_for(adapter, openid(server), records, &person);
        let long_ago = call(&*client, server, "read").unwrap()["auth_time"].as_u64().unwrap();
        server.control(&json!({ "loginsBackdated": 0 }));
        let just_now = call(&*client, server, "recent").unwrap()["auth_time"].as_u64().unwrap();
        assert!(just_now > long_ago + 3000);
        assert_eq!(person.asked(), 2);
        call(&*client, server, "recent").unwrap();
        assert_eq!(person.asked(), 2);
    });
}

#[test]
fn rfc9470_5_a_server_that_ignores_max_age() {
    for_each_adapter(&json!({}), "not-recent", |adapter, server, records| {
        // People cannot but have logged in an hour ago.
        server.control(&json!({ "loginsBackdated": 3600 }));
        let client = open_for(adapter, openid(server), records, &Person::who(true));
        call(&*client, server, "read").unwrap();
        let Error::PeerMisbehaved(PeerMisbehaved::IdToken(problem)) = error(call(&*client, server, "recent"))
        else {
            panic!()
        };
        assert_eq!(problem, ClaimsError::AuthenticationTooOld);
        call(&*client, server, "read").unwrap();
    });
}

#[test]
fn rfc9470_a_second_factor() {
    for_each_adapter(&json!({}), "strong", |adapter, server, records| {
        let person = Person::who(true);
        let client = open_for(adapter, openid(server), records, &person);
        assert_eq!(call(&*client, server, "read").unwrap()["acr"], Value::Null);
        assert_eq!(call(&*client, server, "strong").unwrap()["acr"], "mfa");
        assert_eq!(person.asked(), 2);
        server.control(&json!({ "destroyAccessToken": true }));
        assert_eq!(call(&*client, server, "strong").unwrap()["acr"], "mfa", "a refresh keeps it");
        assert_eq!(person.asked(), 2);
    });
}

#[test]
fn rfc9470_5_a_server_without_a_second_factor() {
    let options = json!({ "secondFactor": false });
    for_each_adapter(&options, "weak", |adapter, server, records| {
        let person = Person::who(true);
        let client = open_for(adapter, openid(server), records, &person);
        call(&*client, server, "read").unwrap();
        let Error::PeerMisbehaved(PeerMisbehaved::IdToken(problem)) = error(call(&*client, server, "strong"))
        else {
            panic!()
        };
        assert_eq!(problem, ClaimsError::Acr);
        // Without openid this server does not take the demand at all.
        let blind = open_for(adapter, config(server).account("blind"), records, &person);
        call(&*blind, server, "read").unwrap();
        let Error::Refused(Refused::Authorization { code, .. }) = error(call(&*blind, server, "strong"))
        else {
            panic!()
        };
        assert_eq!(code, "invalid_request");
    });
}

#[test]
fn rfc9470_where_the_policy_is_not_to_ask() {
    for_each_adapter(&json!({}), "no-step-up", |adapter, server, records| {
        let person = Person::who(true);
        let client = open_for(adapter, openid(server).step_up(StepUpPolicy::Abort), records, &person);
        call(&*client, server, "read").unwrap();
        let insufficient = Error::Refused(Refused::InsufficientAuthentication);
        assert_eq!(error(call(&*client, server, "strong")), insufficient);
        assert_eq!(person.asked(), 1);
    });
}

/// Steps up for a challenge that came in a tool's result.
fn step_up(client: &dyn Adapter, server: &Server, challenge: &str) {
    let result = json!({ "isError": true, "_meta": { "mcp/www_authenticate": [challenge] } });
    let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": result });
    let challenges = Challenges::of_result(answer.to_string().as_bytes()).unwrap();
    let headers = HeaderMap::new();
    client.step_up(RequestHead::new("POST", &server.resource).headers(&headers), &challenges).unwrap();
}

#[test]
fn challenges_of_a_tools_result() {
    for_each_adapter(&json!({}), "meta", |adapter, server, records| {
        let person = Person::who(true);
        let client = open_for(adapter, openid(server), records, &person);
        assert_eq!(call(&*client, server, "read").unwrap()["scope"], "mcp:use");
        step_up(&*client, server, "Bearer error=\"insufficient_scope\", scope=\"files:write\"");
        assert_eq!(call(&*client, server, "read").unwrap()["scope"], "mcp:use files:write");
        assert_eq!(person.asked(), 2);
        let strong = "Bearer error=\"insufficient_user_authentication\", acr_values=\"mfa\"";
        step_up(&*client, server, strong);
        let now = call(&*client, server, "write").unwrap();
        assert_eq!((now["acr"].as_str(), now["scope"].as_str()), (Some("mfa"), Some("mcp:use files:write")));
        assert_eq!(person.asked(), 3);
    });
}

#[test]
fn rfc9396_details_are_carried_through() {
    let details = r#"[{"type":"tool","actions":["read"],"identifier":"t1"}]"#;
    for_each_adapter(&json!({}), "details", |adapter, server, records| {
        for pushed in [false, true] {
            let account = if pushed { "pushed" } else { "plain" };
            let config = config(server).account(account).pushed_requests(pushed);
            let config = config.authorization_details(details).unwrap();
            let client = open_for(adapter, config, records, &Person::who(true));
            let expected: Value = serde_json::from_str(details).unwrap();
            assert_eq!(call(&*client, server, "read").unwrap()["authorization_details"], expected);
            server.control(&json!({ "destroyAccessToken": true }));
            assert_eq!(call(&*client, server, "read").unwrap()["authorization_details"], expected);
        }
    });
}

#[test]
fn rfc9396_5_a_type_that_the_server_does_not_know() {
    for_each_adapter(&json!({}), "no-details", |adapter, server, records| {
        let config = config(server).authorization_details(r#"[{"type":"payment"}]"#).unwrap();
        let client = open_for(adapter, config, records, &Person::who(true));
        // The client says at its registration already what it is going to ask for.
        let Error::Refused(Refused::Registration { code, .. }) = error(call(&*client, server, "read")) else {
            panic!()
        };
        assert_eq!(code, "invalid_client_metadata");
    });
}
