//! A catalogue of nasty answers: each was seen at a real server, or could come from a hostile one. To extend it, add a
//! line.

use std::fmt::Write as _;

use grantor_world::{Answered, json, respond, text, with};
use http::StatusCode;
use serde_json::{Value, json as value};

/// A nasty answer; the number differs each time.
pub(crate) type Nasty = fn(u32) -> Answered;

fn ok(body: &Value) -> Answered {
    json(StatusCode::OK, body)
}

fn created(body: &Value) -> Answered {
    json(StatusCode::CREATED, body)
}

fn refused(status: u16, code: &str) -> Answered {
    json(StatusCode::from_u16(status).unwrap(), &value!({ "error": code, "error_description": "client_id" }))
}

fn challenge(status: u16, challenge: &str) -> Answered {
    with(text(StatusCode::from_u16(status).unwrap(), ""), "www-authenticate", challenge)
}

fn scopes(count: usize) -> String {
    let mut scopes = String::new();
    for n in 0..count {
        let _ = write!(scopes, "s{n} ");
    }
    scopes
}

/// Metadata of the server, with these members.
fn server(more: &Value) -> Value {
    let mut document = value!({ "issuer": "https://as.example.com",
        "authorization_endpoint": "https://as.example.com/authorize",
        "token_endpoint": "https://as.example.com/token",
        "registration_endpoint": "https://as.example.com/register",
        "code_challenge_methods_supported": ["S256"] });
    for (name, value) in more.as_object().into_iter().flatten() {
        document[name] = value.clone();
    }
    document
}

/// To anything at all.
pub(crate) const ANYWHERE: &[Nasty] = &[
    |_| text(StatusCode::INTERNAL_SERVER_ERROR, "<html>"),
    |_| with(text(StatusCode::SERVICE_UNAVAILABLE, ""), "retry-after", "1"),
    |_| with(text(StatusCode::TOO_MANY_REQUESTS, ""), "retry-after", "0"),
    |_| with(text(StatusCode::TOO_MANY_REQUESTS, ""), "retry-after", "100000"),
    |_| with(text(StatusCode::FOUND, ""), "location", "https://evil.example.com/"),
    |_| with(text(StatusCode::FOUND, ""), "location", "/"),
    |_| with(text(StatusCode::PERMANENT_REDIRECT, ""), "location", "?again"),
    |_| text(StatusCode::NOT_FOUND, ""),
    |_| text(StatusCode::GONE, ""),
    |_| text(StatusCode::REQUEST_TIMEOUT, ""),
    |_| text(StatusCode::NO_CONTENT, ""),
    |_| respond(StatusCode::OK, "text/html", "<html>".into()),
    |_| respond(StatusCode::OK, "application/json", "{\"issuer\":".into()),
    |_| ok(&value!({})),
    |_| ok(&value!([])),
    |_| ok(&value!(null)),
    |_| ok(&value!({ "error": "invalid_grant" })),
    |_| refused(400, "invalid_grant"),
    |_| refused(400, "invalid_request"),
    |_| refused(400, "invalid_scope"),
    |_| refused(400, "unauthorized_client"),
    |_| refused(400, "use_dpop_nonce"),
    |_| refused(401, "invalid_client"),
    |_| refused(401, "unauthorized_client"),
    |_| refused(403, "access_denied"),
    |_| refused(418, "slow_down"),
    |_| text(StatusCode::UNPROCESSABLE_ENTITY, "no"),
];

/// Of the resource.
pub(crate) const RESOURCE: &[Nasty] = &[
    |_| challenge(401, "Bearer"),
    |_| challenge(401, "Basic realm=\"x\""),
    |_| challenge(401, "Basic realm=\"a, Bearer b\", Bearer scope=\"x \\\"y\\\"\""),
    |_| challenge(401, "Bearer resource_metadata=\"%%%\""),
    |_| challenge(401, "Bearer resource_metadata=\"/elsewhere\""),
    |_| challenge(401, "Bearer resource_metadata=\"https://mcp.example.com/not-there\""),
    |_| challenge(401, "Bearer error=\"invalid_token\""),
    |_| challenge(401, &format!("Bearer scope=\"{}\"", scopes(512))),
    |_| challenge(401, &format!("Bearer scope=\"{}\"", scopes(513))),
    |_| challenge(401, "Bearer error=\"insufficient_user_authentication\", max_age=\"0\""),
    |_| challenge(401, "DPoP error=\"use_dpop_nonce\""),
    |_| challenge(403, "Bearer error=\"insufficient_scope\""),
    |_| challenge(403, "Bearer error=\"insufficient_scope\", scope=\"one-more\""),
    |n| challenge(403, &format!("Bearer error=\"insufficient_scope\", scope=\"new{n}\"")),
    |n| challenge(401, &format!("Bearer scope=\"other{n}\"")),
];

/// Of the registration endpoint.
pub(crate) const REGISTRATION: &[Nasty] = &[
    |n| {
        created(
            &value!({ "client_id": format!("c{n}"), "client_secret": "planted", "client_secret_expires_at": 1 }),
        )
    },
    |_| created(&value!({ "client_id": "c", "client_secret": "planted", "client_secret_expires_at": 1 })),
    |_| {
        created(
            &value!({ "client_id": "c", "client_secret": "planted", "client_secret_expires_at": 1_800_000_000_u64,
            "token_endpoint_auth_method": "client_secret_basic" }),
        )
    },
    |_| {
        created(
            &value!({ "client_id": "c", "client_secret": "planted", "client_secret_expires_at": u64::MAX }),
        )
    },
    |_| created(&value!({ "client_id": "unknown" })),
    |_| created(&value!({ "client_id": "c", "client_secret": "planted" })),
    |_| json(StatusCode::BAD_REQUEST, &value!({ "error": "invalid_redirect_uri" })),
];

/// Of the token endpoint.
pub(crate) const TOKEN: &[Nasty] = &[
    |n| {
        ok(&value!({ "access_token": format!("planted{n}"), "token_type": "Bearer", "expires_in": 0,
            "refresh_token": format!("planted-r{n}") }))
    },
    |n| ok(&value!({ "access_token": format!("planted{n}"), "token_type": "Bearer", "expires_in": 1 })),
    |n| {
        ok(&value!({ "access_token": format!("planted{n}"), "token_type": "Bearer", "scope": "nothing",
            "refresh_token": "planted-same" }))
    },
    |_| ok(&value!({ "access_token": "planted", "token_type": "mac" })),
    |_| created(&value!({ "access_token": "planted", "token_type": "Bearer" })),
    |_| json(StatusCode::NON_AUTHORITATIVE_INFORMATION, &value!({ "access_token": "planted" })),
    |_| ok(&value!({ "access_token": "planted", "token_type": "Bearer", "expires_in": "3600" })),
    |_| ok(&value!({ "access_token": "planted", "token_type": "Bearer", "expires_in": "soon" })),
    |_| {
        let body = "\u{feff}{\"access_token\":\"planted\",\"token_type\":\"Bearer\"}";
        respond(StatusCode::OK, "application/json", body.into())
    },
    |_| ok(&value!({ "access_token": "a b", "token_type": "Bearer" })),
    |_| ok(&value!({ "access_token": "planted", "token_type": "Bearer", "expires_in": u64::MAX })),
    |_| with(refused(400, "use_dpop_nonce"), "dpop-nonce", "another"),
];

/// Of metadata.
pub(crate) const METADATA: &[Nasty] = &[
    |_| ok(&value!({ "resource": "https://mcp.example.com/mcp", "authorization_servers": [] })),
    |_| {
        ok(
            &value!({ "resource": "https://evil.example.com", "authorization_servers": ["https://as.example.com"] }),
        )
    },
    |n| {
        ok(&value!({ "resource": "https://mcp.example.com/mcp",
            "authorization_servers": [format!("https://as{n}.example.com")] }))
    },
    |n| {
        ok(&value!({ "issuer": "https://as.example.com",
            "authorization_endpoint": "https://as.example.com/authorize",
            "token_endpoint": format!("https://as.example.com/token?moved={n}"),
            "registration_endpoint": "https://as.example.com/register",
            "code_challenge_methods_supported": ["S256"] }))
    },
    |_| ok(&server(&value!({ "revocation_endpoint": "" }))),
    |_| ok(&server(&value!({ "jwks_uri": "http://as.example.com/keys" }))),
    |_| ok(&server(&value!({ "scopes_supported": "a b" }))),
    |_| ok(&value!({ "issuer": "https://as.example.com" })),
    |n| with(text(StatusCode::FOUND, ""), "location", &format!("/moved/{n}")),
];
