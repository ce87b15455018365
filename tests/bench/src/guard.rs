//! A Guard with keys, and tokens to check.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::jose::dpop::{self, Proof, ProofKey, ProofRequest, ProofRules};
use grantor::jose::{Algorithm, SigningKey};
use grantor::resource::{
    AuthorizationServer, Decision, Guard, GuardConfig, Need, Output, Policy, RequestHead,
};
use grantor::wire::HttpResponse;
use grantor::{Completion, Effect, Now};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::{Value, json};
use url::Url;

/// The protected server.
pub const RESOURCE: &str = "https://mcp.example.com/mcp";
/// Who issues the tokens.
pub const ISSUER: &str = "https://as.example.com";
/// Now.
pub const NOW: u64 = 1_800_000_000;

/// Whether tokens are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As usual.
    Yes,
    /// Each is verified anew.
    No,
}

/// What a usual server demands, and how.
///
/// # Panics
/// Never: the scopes are well-formed.
pub fn config() -> GuardConfig {
    let scopes = |text| Need::all(text).expect("scopes");
    let policy = Policy::new()
        .every("mcp:use")
        .expect("scopes")
        .tool("read_*", scopes("files:read"))
        .tool("write_file", scopes("files:write"))
        .implies("files:write", "files:read")
        .expect("scopes");
    let mut config = GuardConfig::new(RESOURCE, policy).server(AuthorizationServer::jwt(ISSUER));
    config.trust_headers = true;
    config
}

/// A key of this algorithm.
///
/// # Panics
/// Never: the keys are good.
pub fn key(algorithm: Algorithm) -> SigningKey {
    let key = match algorithm {
        Algorithm::Rs256 => {
            SigningKey::from_pem(include_str!("../../../core/tests/keys/rsa2048.pem"), algorithm)
        }
        _ => SigningKey::generate(algorithm, &[7; 32]),
    };
    key.expect("a key").with_kid("k")
}

/// A key set with this key.
pub fn jwks(key: &SigningKey) -> String {
    let mut jwk: Value = serde_json::from_str(&key.public().to_jwk()).unwrap_or_default();
    jwk["kid"] = json!("k");
    json!({ "keys": [jwk] }).to_string()
}

/// The claims of a usual token, valid from `now` for an hour.
pub fn claims(issuer: &str, now: u64) -> Value {
    json!({
        "iss": issuer, "aud": RESOURCE, "sub": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "client_id": "client-1234",
        "jti": "0b8f2a52-5c4d-4d0e-9a51-0f1d1f0c2b11", "iat": now, "exp": now + 3600,
        "scope": "mcp:use files:read files:write",
    })
}

/// A token with these claims.
///
/// # Panics
/// When it cannot be signed.
pub fn token(key: &SigningKey, claims: &Value) -> String {
    let header = json!({ "alg": key.algorithm().name(), "typ": "at+jwt", "kid": "k" });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", encode(&header), encode(claims));
    let signature = key.sign(input.as_bytes()).expect("a signature");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The headers of a usual request with this token.
///
/// # Panics
/// When the token cannot be in a header.
pub fn headers(token: &str) -> HeaderMap {
    let bearer = format!("Bearer {token}");
    let lines = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "read_file"),
        ("authorization", &bearer),
    ];
    let line =
        |(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
    lines.map(line).into_iter().collect()
}

/// A Guard that has its keys, and a request for it.
#[derive(Debug)]
pub struct Checked {
    guard: Guard,
    target: Uri,
    headers: HeaderMap,
    /// The token in the request.
    pub token: String,
}

impl Checked {
    /// With a token by ES256.
    pub fn es256(more: usize, kept: Kept) -> Self {
        Self::new(Algorithm::Es256, more, kept)
    }

    /// With a token by this algorithm and so many claims more than usual.
    ///
    /// # Panics
    /// Never: the configuration is good.
    pub fn new(algorithm: Algorithm, more: usize, kept: Kept) -> Self {
        let key = key(algorithm);
        let mut config = config();
        if kept == Kept::No {
            config.token_cache_bytes = 0;
        }
        let mut claims = claims(ISSUER, NOW);
        for n in 0..more {
            claims[format!("claim-{n}")] = json!(format!("value {n}"));
        }
        let token = token(&key, &claims);
        let guard = Guard::new(config).expect("a good configuration");
        let mut checked = Self { guard, target: Uri::from_static("/mcp"), headers: headers(&token), token };
        let now = Now::new(0, NOW);
        let head = RequestHead::new(&Method::POST, &checked.target, &checked.headers);
        let _ = checked.guard.check(now, &head, None);
        let metadata = json!({ "issuer": ISSUER, "jwks_uri": "https://as.example.com/jwks" }).to_string();
        let jwks = jwks(&key);
        let json = HeaderMap::from_iter([(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )]);
        while let Some(output) = checked.guard.poll_output() {
            if let Output::Perform { op, effect: Effect::Http { request, .. }, .. } = output {
                let body = if request.url.path() == "/jwks" { &jwks } else { &metadata };
                let response = HttpResponse { status: 200, headers: &json, body: body.as_bytes() };
                checked.guard.complete(now, op, Completion::Http(response)).expect("an answer");
            }
        }
        checked.check();
        checked
    }

    /// Decides.
    ///
    /// # Panics
    /// When the request is not let through.
    pub fn check(&mut self) {
        let head = RequestHead::new(&Method::POST, &self.target, &self.headers);
        let decision = self.guard.check(Now::new(0, NOW), &head, None);
        assert!(matches!(decision, Decision::Allow(Some(_))), "{decision:?}");
    }
}

/// A proof of possession that was checked.
///
/// # Panics
/// Never: the key is good.
pub fn proof() -> Proof {
    let (key, url) = (key(Algorithm::Es256), Url::parse(RESOURCE).expect("a URL"));
    let proofs = ProofKey::new(key.public(), key.algorithm()).expect("a key for proofs");
    let proof = proofs.proof(&ProofRequest::new(&Method::POST, &url), NOW, &[9; 16]);
    let proof = proof.sign(&key).expect("a signature");
    dpop::verify(proof.expose(), &ProofRules::new(&Method::POST, &url), NOW).expect("a good proof")
}

/// A Guard whose tokens the host checks.
///
/// # Panics
/// Never: the configuration is good.
pub fn asking_the_host() -> Guard {
    let mut config = config();
    config.servers = vec![AuthorizationServer::verified_by_host(ISSUER)];
    Guard::new(config).expect("a good configuration")
}

/// Shows the Guard the token of this number, and lets it learn what it is.
///
/// # Panics
/// When the Guard does not ask, or does not believe the answer.
pub fn learn(guard: &mut Guard, n: u64) {
    let now = Now::new(n / 1000, NOW);
    let token = format!("a-token-of-usual-length-that-nobody-has-seen-before-{n:020}");
    let (target, headers) = (Uri::from_static("/mcp"), headers(&token));
    let head = RequestHead::new(&Method::POST, &target, &headers);
    assert!(matches!(guard.check(now, &head, None), Decision::Wait(_)));
    const FACTS: &str = r#"{"sub":"alice","scope":"mcp:use files:read","aud":"https://mcp.example.com/mcp","exp":1800003600}"#;
    while let Some(output) = guard.poll_output() {
        if let Output::Perform { op, .. } = output {
            guard.complete(now, op, Completion::TokenChecked(Some(FACTS))).expect("an answer");
        }
    }
    assert!(matches!(guard.check(now, &head, None), Decision::Allow(Some(_))));
}
