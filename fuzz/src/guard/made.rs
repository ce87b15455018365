//! Tokens, proofs and keys as the input wants them.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::Now;
use grantor::jose::{Algorithm, SigningKey};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::setup::{ISSUERS, RESOURCE, START};
use crate::input::Input;

fn key(algorithm: Algorithm, n: u8) -> SigningKey {
    SigningKey::generate(algorithm, &[n; 32]).expect("a key").with_kid(&format!("k{n}"))
}

/// The issuers' keys; the last is nobody's.
static KEYS: LazyLock<[SigningKey; 3]> =
    LazyLock::new(|| [key(Algorithm::EdDsa, 1), key(Algorithm::Es256, 2), key(Algorithm::EdDsa, 3)]);
/// The client's keys for proofs; tokens are bound to the first.
static PROOF_KEYS: LazyLock<[SigningKey; 2]> =
    LazyLock::new(|| [key(Algorithm::EdDsa, 5), key(Algorithm::EdDsa, 6)]);
static JWKS: LazyLock<[Value; 3]> = LazyLock::new(|| {
    KEYS.each_ref().map(|key| {
        let mut jwk: Value = serde_json::from_str(&key.public().to_jwk()).expect("JSON");
        jwk["kid"] = json!(key.public().kid());
        jwk
    })
});

/// A set of some of the issuers' keys.
pub(super) fn key_set(keys: &[usize]) -> String {
    json!({ "keys": keys.iter().map(|key| &JWKS[*key]).collect::<Vec<_>>() }).to_string()
}

/// Which of the keys a set may hold, read without the Guard's own reader.
pub(super) fn keys_in(set: &[u8]) -> Vec<usize> {
    let set: Value = serde_json::from_slice(set).unwrap_or_default();
    let members = set["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    let holds = |key: &usize| {
        let own = &JWKS[*key];
        members.iter().any(|one| one["x"] == own["x"] && one["kty"] == own["kty"] && one["use"] != "enc")
    };
    (0..JWKS.len()).filter(holds).collect()
}

static THUMBPRINTS: LazyLock<[String; 2]> =
    LazyLock::new(|| PROOF_KEYS.each_ref().map(|key| key.public().thumbprint()));
static PROOF_HEADERS: LazyLock<[String; 2]> = LazyLock::new(|| {
    PROOF_KEYS.each_ref().map(|key| {
        let jwk: Value = serde_json::from_str(&key.public().to_jwk()).expect("JSON");
        json!({ "alg": "EdDSA", "typ": "dpop+jwt", "jwk": jwk }).to_string()
    })
});

pub(super) fn thumbprint(proof_key: usize) -> &'static str {
    &THUMBPRINTS[proof_key]
}

/// A JWT that was made here: by which key, and what it says.
pub(super) struct Jwt {
    pub(super) key: usize,
    pub(super) header: String,
    pub(super) claims: String,
    pub(super) text: String,
}

impl Jwt {
    pub(super) fn signature(&self) -> &str {
        self.text.rsplit('.').next().unwrap_or_default()
    }

    pub(super) fn sign(key: usize, header: String, claims: String) -> Self {
        let text = sign(&KEYS[key], &header, &claims);
        Self { key, header, claims, text }
    }

    /// An access token by RFC 9068 that says what the input wants changed.
    pub(super) fn access(key: usize, changes: &str, planted: &str) -> Self {
        let own = KEYS[key].public();
        let algorithm = KEYS[key].algorithm().name();
        let header = json!({ "alg": algorithm, "typ": "at+jwt", "kid": own.kid() }).to_string();
        Self::sign(key, header, claims(changes, json!({ "planted": planted })))
    }
}

/// Good claims with these changed, `null` to remove; the text itself when it is no object.
pub(super) fn claims(changes: &str, more: Value) -> String {
    let changes = if changes.is_empty() { "{}" } else { changes };
    let Ok(changes) = serde_json::from_str::<Map<String, Value>>(changes) else { return changes.to_owned() };
    let mut claims = json!({
        "iss": ISSUERS[0], "aud": RESOURCE, "sub": "alice", "client_id": "c", "jti": "j",
        "iat": START, "exp": START + 3600, "scope": "mcp:use",
    });
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes {
        match value {
            Value::Null => drop(members.remove(&name)),
            // Bound to the first key for proofs, or to the other.
            Value::Bool(first) if name == "cnf" => {
                let jkt = thumbprint(usize::from(!first));
                drop(members.insert(name, json!({ "jkt": jkt })));
            }
            value => drop(members.insert(name, value)),
        }
    }
    members.extend(more.as_object().cloned().unwrap_or_default());
    claims.to_string()
}

fn sign(key: &SigningKey, header: &str, claims: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign(input.as_bytes()).expect("signed");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// How to make the proofs of possession of the next requests.
#[derive(Clone, Copy)]
pub(super) struct Proofs<'a> {
    key: usize,
    method: Option<&'static str>,
    url: &'static str,
    hash: Option<bool>,
    nonce: Nonce,
    age_s: i64,
    id: &'a str,
}

#[derive(Clone, Copy)]
enum Nonce {
    None,
    Last,
    Wrong,
}

/// A proof that was made here.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    pub(super) key: usize,
    pub(super) method: String,
    pub(super) url: &'static str,
    pub(super) issued_at_s: u64,
    pub(super) nonce: Option<String>,
    pub(super) id: String,
    pub(super) token: Option<String>,
    pub(super) text: String,
}

impl<'a> Proofs<'a> {
    pub(super) fn read(input: &mut Input<'a>) -> Self {
        Self {
            key: input.letter([0, 1]),
            method: input.letter([None, Some("GET"), Some("POST")]),
            url: input.letter([
                RESOURCE,
                "https://mcp.example.com/other",
                "https://MCP.example.com:443/mcp?q#f",
                "https://evil.example/mcp",
            ]),
            hash: input.letter([Some(true), None, Some(false)]),
            nonce: input.letter([Nonce::None, Nonce::Last, Nonce::Wrong]),
            age_s: input.letter([0, 250, 300, 301, 10_000, -60, -61]),
            id: std::str::from_utf8(input.0).unwrap_or_default(),
        }
    }

    /// For this request with this token.
    pub(super) fn make(&self, now: Now, method: &str, token: &str, last_nonce: Option<&str>) -> Proof {
        let key = &PROOF_KEYS[self.key];
        let method = self.method.unwrap_or(method);
        let issued_at_s = now.unix_s.saturating_add_signed(-self.age_s);
        let token = self.hash.map(|right| if right { token.to_owned() } else { format!("{token}x") });
        let nonce = match self.nonce {
            Nonce::None => None,
            Nonce::Last => last_nonce.map(str::to_owned),
            Nonce::Wrong => Some("bm9uY2U".to_owned()),
        };
        let mut claims = json!({ "jti": self.id, "htm": method, "htu": self.url, "iat": issued_at_s });
        if let Some(token) = &token {
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(Sha256::digest(token)));
        }
        if let Some(nonce) = &nonce {
            claims["nonce"] = json!(nonce);
        }
        let text = sign(key, &PROOF_HEADERS[self.key], &claims.to_string());
        let (method, id) = (method.to_owned(), self.id.to_owned());
        Proof { key: self.key, method, url: self.url, issued_at_s, nonce, id, token, text }
    }
}
