//! An issuer in memory: its keys come from a host that fetches nothing.
#![allow(dead_code, reason = "each test uses its part")]

use std::future::Future;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::jose::{Algorithm, SigningKey};
use grantor::resource::{AuthorizationServer, GuardConfig, Need, Policy};
use grantor::wire::HttpRequest;
use grantor_tower::guard::Setup;
use grantor_tower::nonblocking::Host;
use grantor_tower::{GuardLayer, HttpAnswer, HttpFailure};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://as.example.com";

pub(crate) fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256, &[7; 32]).unwrap().with_kid("k")
}

pub(crate) fn proof_key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256, &[8; 32]).unwrap()
}

pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn config(resource: &str) -> GuardConfig {
    let policy = Policy::new().every("mcp:use").unwrap().tool("write", Need::all("files:write").unwrap());
    GuardConfig::new(resource, policy).server(AuthorizationServer::jwt(ISSUER))
}

pub(crate) fn layer(config: GuardConfig) -> GuardLayer<HeldKeys> {
    GuardLayer::with(Setup::new(HeldKeys, config)).unwrap()
}

pub(crate) fn claims(audience: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": audience, "sub": "alice", "client_id": "c", "jti": "j", "scope": "mcp:use",
        "iat": now(), "exp": now() + 300,
    })
}

pub(crate) fn sign(claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input =
        format!("{}.{}", encode(&json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k" })), encode(claims));
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(key().sign(input.as_bytes()).unwrap()))
}

pub(crate) fn token(audience: &str) -> String {
    sign(&claims(audience))
}

/// A host whose network is one issuer.
pub(crate) struct HeldKeys;

impl Host for HeldKeys {
    async fn send(&self, request: &HttpRequest, _: usize) -> Result<HttpAnswer, HttpFailure> {
        let mut jwk: Value = serde_json::from_str(&key().public().to_jwk()).unwrap();
        jwk["kid"] = json!("k");
        let body = match request.url.path() {
            "/jwks" => json!({ "keys": [jwk] }),
            _ => json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks") }),
        };
        let mut headers = http::HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        Ok(HttpAnswer { status: 200, headers, body: body.to_string().into_bytes().into() })
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}
