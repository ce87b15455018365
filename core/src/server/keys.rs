//! The keys that sign access tokens, and their publication (RFC 7517).

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::jose::{Algorithm, PublicKey, SigningKey, encoded};

/// A key of the provider: in this process, or held elsewhere.
#[derive(Clone, Debug)]
pub struct ProviderKey {
    pub(super) kid: Box<str>,
    pub(super) algorithm: Algorithm,
    pub(super) public: PublicKey,
    pub(super) signer: Signer,
}

#[derive(Clone, Debug)]
pub(super) enum Signer {
    Local(Arc<SigningKey>),
    /// By the host's name for it.
    External(Box<str>),
}

impl ProviderKey {
    /// A key in a KMS or an HSM, which signs by [`Effect::Sign`](crate::Effect::Sign) under this name.
    pub fn external(name: &str, algorithm: Algorithm, public: PublicKey) -> Self {
        Self::named(algorithm, public, Signer::External(name.into()))
    }

    /// A key without a name has its thumbprint for one, for whoever signs and whoever verifies.
    fn named(algorithm: Algorithm, public: PublicKey, signer: Signer) -> Self {
        let kid: Box<str> = public.kid().map_or_else(|| public.thumbprint().into(), Into::into);
        Self { public: public.with_kid(&kid), kid, algorithm, signer }
    }

    /// Its public half, with all that a key set says about it.
    fn jwk(&self) -> Value {
        let mut jwk: Map<String, Value> = serde_json::from_str(&self.public.to_jwk()).unwrap_or_default();
        jwk.insert("kid".into(), json!(self.kid));
        jwk.insert("alg".into(), json!(self.algorithm.name()));
        jwk.insert("use".into(), json!("sig"));
        Value::Object(jwk)
    }
}

impl From<SigningKey> for ProviderKey {
    fn from(key: SigningKey) -> Self {
        let algorithm = key.algorithm();
        let public = key.public().clone();
        Self::named(algorithm, public, Signer::Local(Arc::new(key)))
    }
}

/// The key that signs, and the headers that its tokens begin with.
pub(super) struct Signing {
    pub(super) key: Option<ProviderKey>,
    pub(super) access_token: String,
    pub(super) id_token: String,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

impl Signing {
    pub(super) fn new(keys: &[ProviderKey]) -> Self {
        let key = keys.first().cloned();
        let header = |typ| {
            key.as_ref()
                .map(|key| encoded(&Header { alg: key.algorithm.name(), typ, kid: &key.kid }))
                .unwrap_or_default()
        };
        Self { access_token: header("at+jwt"), id_token: header("JWT"), key }
    }
}

/// The document at `jwks_uri`.
pub(super) fn document(keys: &[ProviderKey]) -> String {
    json!({ "keys": keys.iter().map(ProviderKey::jwk).collect::<Vec<_>>() }).to_string()
}
