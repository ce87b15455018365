//! What must hold of every answer.

use std::collections::{BTreeMap, BTreeSet};

use grantor::resource::{Answer, Refusal};
use grantor::wire::challenge::{Challenge, Challenges};
use http::Method;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, CONTENT_TYPE, ORIGIN, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use serde_json::Value;
use serde_json::value::RawValue;

use super::request::Request;
use super::setup::{ISSUERS, METADATA_PATH, ORIGIN as OWN_ORIGIN, Pages, REALM, RESOURCE, Setup};

pub(super) fn check(answer: &Answer, request: &Request, setup: &Setup) {
    for (name, value) in &answer.headers {
        assert!(value.as_bytes().iter().all(|byte| (32..127).contains(byte)), "{name}: {value:?}");
    }
    assert!(!answer.headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    match answer.refusal {
        Some(refusal) => {
            check_refusal(answer, refusal, request, setup);
            check_pages(answer, request, setup);
        }
        None if request.target.path() == METADATA_PATH => check_metadata(answer, request, setup),
        None => {
            assert_eq!((answer.status, request.method == Method::OPTIONS), (204, true), "a preflight");
            assert!(answer.body.is_empty() && setup.cors != Pages::Off);
            check_allowed_headers(answer, request);
            check_pages(answer, request, setup);
        }
    }
}

fn check_metadata(answer: &Answer, request: &Request, setup: &Setup) {
    assert_eq!(answer.headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let status = match request.method {
        Method::GET | Method::HEAD => 200,
        Method::OPTIONS => 204,
        _ => 405,
    };
    assert_eq!(answer.status, status);
    if request.method != Method::GET {
        return assert!(answer.body.is_empty(), "{answer:?}");
    }
    let document: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(document["resource"], RESOURCE);
    let servers = document["authorization_servers"].as_array().expect("servers");
    assert!(servers.iter().eq(&ISSUERS[..setup.kinds.len()]), "{servers:?}");
    assert!(!document.to_string().contains("offline_access"), "{document}");
}

/// RFC 9110 11.6.1, RFC 6750 3, RFC 9728 5.1, RFC 9470 3.
fn check_refusal(answer: &Answer, refusal: Refusal, request: &Request, setup: &Setup) {
    assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers[CONTENT_TYPE], "application/json");
    let (status, error) = expected(refusal);
    assert_eq!(answer.status, status, "{refusal:?}");
    check_body(answer, request, error);
    // Without that header, it is the body that contradicts the others.
    if refusal == Refusal::HeaderMismatch && !request.headers.contains_key("mcp-method") {
        let body: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(body.get("id").map(|id| id.get().to_owned()), request.id());
    }
    let challenged = matches!(status, 401 | 403) && refusal != Refusal::Forbidden
        || matches!(refusal, Refusal::TokenInQuery | Refusal::MalformedAuthorization);
    let mut lines = answer.headers.get_all(WWW_AUTHENTICATE).iter();
    let line = lines.next();
    assert_eq!((line.is_some(), lines.next()), (challenged, None), "{answer:?}");
    let retry_after = answer.headers.get(RETRY_AFTER).map(|value| value.to_str().expect("text"));
    assert_eq!(retry_after.is_some(), status == 503, "{answer:?}");
    assert!(retry_after.is_none_or(|seconds| seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0)));
    let Some(line) = line else { return };
    let challenges = Challenges::parse([line]).expect("well-formed");
    assert_eq!(challenges.iter().count(), 1, "{challenges}");
    let challenge = challenges.iter().next().expect("one");
    assert_eq!(Challenges::parse([challenge.to_string()]).as_ref(), Ok(&challenges));
    let names: Vec<&str> = challenge.params().map(|(name, _)| name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "each once: {challenge}");
    assert!(challenge.scheme() == "Bearer" || challenge.scheme() == "DPoP");
    assert_eq!(challenge.scheme() == "DPoP", challenge.get("algs").is_some(), "{challenge}");
    assert!(!setup.bound_only || challenge.scheme() == "DPoP", "what is demanded is asked for: {challenge}");
    let metadata = format!("https://mcp.example.com{METADATA_PATH}");
    assert_eq!(challenge.get("resource_metadata"), Some(&*metadata));
    assert_eq!(challenge.get("realm"), setup.realm.then_some(REALM));
    assert_eq!(challenge.get("error"), error);
    let scopes = scopes(challenge);
    assert!(!scopes.contains("offline_access"), "{challenge}");
    if refusal == Refusal::InsufficientScope {
        assert!(!scopes.is_empty(), "403 names scopes: {challenge}");
    }
    if refusal == Refusal::InsufficientAuthentication {
        assert!(challenge.get("acr_values").is_some() || challenge.get("max_age").is_some(), "{challenge}");
    }
}

pub(super) fn scopes(challenge: &Challenge) -> BTreeSet<String> {
    let text = challenge.get("scope").unwrap_or_default();
    text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// The status and the error code of the challenge.
fn expected(refusal: Refusal) -> (u16, Option<&'static str>) {
    use grantor::jose::dpop::DpopError;
    match refusal {
        Refusal::TokenInQuery | Refusal::MalformedAuthorization => (400, Some("invalid_request")),
        Refusal::HeaderMismatch | Refusal::Message(_) => (400, None),
        Refusal::NoToken => (401, None),
        Refusal::Token(_) => (401, Some("invalid_token")),
        Refusal::Proof(DpopError::Nonce) => (401, Some("use_dpop_nonce")),
        Refusal::Proof(_) | Refusal::ProofReplayed => (401, Some("invalid_dpop_proof")),
        Refusal::BodyTooLarge => (413, None),
        Refusal::Forbidden => (403, None),
        Refusal::InsufficientScope => (403, Some("insufficient_scope")),
        Refusal::InsufficientAuthentication => (401, Some("insufficient_user_authentication")),
        Refusal::Unavailable => (503, None),
        other => panic!("{other:?} is not known here"),
    }
}

/// A JSON-RPC error, for the message that was sent.
fn check_body(answer: &Answer, request: &Request, error: Option<&str>) {
    let body: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(body["jsonrpc"].get(), "\"2.0\"");
    assert!(body.keys().all(|name| matches!(&**name, "jsonrpc" | "id" | "error")), "{body:?}");
    if let Some(id) = body.get("id") {
        assert_eq!(Some(id.get()), request.id().as_deref(), "the id of the request");
        assert!(
            id.get().starts_with('"')
                || id.get().starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
        );
    }
    let said: Value = serde_json::from_str(body["error"].get()).expect("JSON");
    assert!(said["code"].is_i64() && said["message"].is_string(), "{said}");
    assert_eq!(said["data"]["error"].as_str(), error, "{said}");
    let texts = [&said["data"]["scope"], &said["message"]].into_iter().filter_map(Value::as_str);
    assert!(texts.flat_map(|text| text.split(' ')).all(|word| word != "offline_access"), "{said}");
}

/// Pages of other origins read nothing.
fn check_pages(answer: &Answer, request: &Request, setup: &Setup) {
    let allowed = answer.headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().expect("text"));
    let origin = request.headers.get(ORIGIN).map(|value| value.as_bytes());
    let expected = match setup.cors {
        Pages::Any if origin.is_some() => Some("*"),
        Pages::Some if origin == Some(OWN_ORIGIN.as_bytes()) => Some(OWN_ORIGIN),
        _ => None,
    };
    assert_eq!(allowed, expected);
    let varies = answer.headers.get_all(VARY).iter().any(|value| value == "origin");
    assert!(setup.cors != Pages::Some || varies, "also for caches");
}

/// Pages send what is known, and parameters that they asked to send.
fn check_allowed_headers(answer: &Answer, request: &Request) {
    let asked: Vec<String> = request
        .headers
        .get_all(ACCESS_CONTROL_REQUEST_HEADERS)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
        .collect();
    let allowed = answer.headers[ACCESS_CONTROL_ALLOW_HEADERS].to_str().expect("text");
    let mut params = allowed.split(", ").filter(|name| name.starts_with("mcp-param-"));
    assert!(params.all(|param| asked.iter().any(|name| name == param)), "{allowed}");
    let known = ["authorization", "content-type", "dpop", "mcp-method", "mcp-name", "mcp-protocol-version"];
    assert!(known.iter().all(|name| allowed.split(", ").any(|own| own == *name)), "{allowed}");
}
