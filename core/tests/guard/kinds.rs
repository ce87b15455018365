//! Tokens of other kinds that the same server signs with the same key: never access tokens (RFC 8725 2.8, 3.11, 3.12).

use crate::bench::*;
use grantor::jose::ClaimsError;
use grantor::resource::*;
use grantor::wire::client_auth::{Client, ClientAuthMethod};
use serde_json::{Value, json};

fn without_profile() -> Bench {
    Bench::with(GuardConfig::new(RESOURCE, policy()).server(AuthorizationServer::jwt_without_profile(ISSUER)))
}

fn signed(typ: Option<&str>, changes: Value) -> Request {
    let mut header = json!({ "alg": "ES256", "kid": "k1" });
    if let Some(typ) = typ {
        header["typ"] = json!(typ);
    }
    Request::list().bearer(&sign(&header.to_string(), &claims(changes).to_string(), &key(1)))
}

fn others() -> Vec<Value> {
    vec![
        json!({ "nonce": "n-0S6_WzA2Mj" }),
        json!({ "at_hash": "77QmUPtjPfzWtF2AnpK9RQ" }),
        json!({ "c_hash": "LDktKdoQak3Pk0cnXxCltA" }),
        json!({ "s_hash": "x" }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }),
        json!({ "events": {} }),
        json!({ "token_use": "id" }),
        json!({ "token_use": "refresh" }),
        json!({ "token_use": "" }),
        json!({ "token_introspection": { "active": true } }),
        json!({ "typ": "ID" }),
        json!({ "typ": "id" }),
        json!({ "typ": "Refresh" }),
        json!({ "typ": "Offline" }),
        json!({ "typ": "Logout" }),
        json!({ "typ": "RegistrationAccessToken" }),
        json!({ "typ": "Bearer", "at_hash": "x", "nonce": "n" }),
    ]
}

#[test]
fn id_tokens_log_out_tokens_and_refresh_tokens_with_a_fitting_audience() {
    let mut bench = without_profile();
    let kind = (401, Refusal::Token(ClaimsError::Type.into()));
    for other in others() {
        for typ in [None, Some("JWT")] {
            assert_eq!(bench.why(&signed(typ, other.clone())), kind, "{other}");
        }
        bench.allow(&signed(Some("JWT"), json!({ "jti": "next" }))).unwrap();
    }
    for (claim, odd) in [("typ", json!(["Bearer"])), ("typ", json!(7)), ("token_use", json!({}))] {
        let wrong = ClaimsError::WrongType { claim };
        assert_eq!(bench.why(&signed(None, json!({ claim: odd }))), (401, Refusal::Token(wrong.into())));
    }
}

#[test]
fn types_of_other_kinds_in_the_header() {
    let mut bench = without_profile();
    let kind = (401, Refusal::Token(ClaimsError::Type.into()));
    for typ in [
        "logout+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "application/dpop+jwt",
        "oauth-id-jag+jwt",
        "client-authentication+jwt",
        "token-introspection+jwt",
        "entity-statement+jwt",
        "resource-metadata+jwt",
        "oauth-authz-req+jwt",
        "rt+jwt",
        "kb+jwt",
        "ID",
        "id_token",
        "refresh_token",
        "Refresh",
        "passport",
    ] {
        assert_eq!(bench.why(&signed(Some(typ), json!({}))), kind, "{typ}");
    }
    for typ in [None, Some("JWT"), Some("jwt"), Some("at+jwt"), Some("application/at+JWT"), Some("JOSE")] {
        bench.allow(&signed(typ, json!({ "jti": typ }))).unwrap();
    }
}

/// Servers and hosts call them active, too.
#[test]
fn rfc7662_2_2_other_kinds_that_are_active() {
    let client = Client::confidential("mcp", "s3cr3t".into(), ClientAuthMethod::SecretBasic);
    for other in others() {
        for server in [
            AuthorizationServer::verified_by_host(ISSUER),
            AuthorizationServer::introspection(ISSUER, client.clone()),
        ] {
            let mut bench = Bench::with(GuardConfig::new(RESOURCE, policy()).server(server));
            let mut facts = claims(other.clone());
            facts["active"] = json!(true);
            let (said, told) = (facts.to_string(), facts.to_string());
            bench.host = Box::new(move |_| Some(said.clone()));
            bench.peer = Box::new(move |request| match request.url.path() {
                "/introspect" => ok(told.clone()),
                _ => usual_peer(request),
            });
            let why = bench.why(&Request::list().bearer("opaque"));
            assert_eq!(why, (401, Refusal::Token(ClaimsError::Type.into())), "{other}");
        }
    }
}

/// With the profile, the header says it; claims of others may be there.
#[test]
fn rfc9068_2_1_the_type_suffices() {
    let mut bench = Bench::new();
    bench.allow(&Request::list().bearer(&token(json!({ "nonce": "n" })))).unwrap();
    let other = (401, Refusal::Token(ClaimsError::Type.into()));
    for typ in [None, Some("JWT"), Some("logout+jwt")] {
        assert_eq!(bench.why(&signed(typ, json!({}))), other);
    }
}
