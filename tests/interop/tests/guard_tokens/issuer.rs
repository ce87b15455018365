//! An authorization server whose keys and tokens a counterpart makes.

use grantor_interop::jose::Counterpart;
use serde_json::{Value, json};

use crate::{ISSUER, NOW, RESOURCE};

pub(crate) struct Issuer {
    pub(crate) other: Counterpart,
    algorithm: &'static str,
    /// The private key that signs.
    pub(crate) key: Value,
}

impl Issuer {
    pub(crate) fn new(other: Counterpart, algorithm: &'static str) -> Self {
        let mut issuer = Self { other, algorithm, key: Value::Null };
        issuer.key = issuer.new_key(&json!({ "alg": algorithm }));
        issuer
    }

    /// A private key for this `alg` and, for RSA, of these `bits`. Its name is that of all keys.
    pub(crate) fn new_key(&mut self, what: &Value) -> Value {
        let mut key = self.other.get(&changed(&json!({ "op": "generate" }), what))["jwk"].take();
        key["kid"] = json!("k1");
        key
    }

    /// The key set that is published of this key, with these members besides.
    pub(crate) fn publish(&mut self, key: &Value, members: &Value) -> Value {
        self.other.get(&json!({ "op": "key_set", "keys": [changed(key, members)] }))
    }

    /// The key set.
    pub(crate) fn keys(&mut self) -> Value {
        self.publish(&self.key.clone(), &json!({}))
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.algorithm, "typ": "at+jwt", "kid": "k1" })
    }

    /// A good token.
    pub(crate) fn good(&mut self) -> String {
        self.with_claims(&json!({}))
    }

    /// A token with these claims changed; `null` removes.
    pub(crate) fn with_claims(&mut self, changes: &Value) -> String {
        let request = json!({
            "op": "jwt", "header": self.header(), "claims": changed(&claims(), changes), "jwk": self.key,
        });
        self.token(&request)
    }

    /// A token with these members of the header changed.
    pub(crate) fn with_header(&mut self, changes: &Value) -> String {
        self.signed_by(&self.key.clone(), changes)
    }

    /// A token with these members of the header changed, signed with this key.
    pub(crate) fn signed_by(&mut self, key: &Value, changes: &Value) -> String {
        let header = changed(&self.header(), changes);
        self.token(&json!({ "op": "jwt", "header": header, "claims": claims(), "jwk": key }))
    }

    /// A token with this payload: a text or an array of octets.
    pub(crate) fn with_payload(&mut self, payload: impl Into<Value>) -> String {
        let payload: Value = payload.into();
        self.token(&json!({ "op": "sign", "header": self.header(), "payload": payload, "jwk": self.key }))
    }

    /// A token with this text as its header, which the libraries would not write.
    pub(crate) fn with_raw_header(&mut self, header: &str) -> String {
        let payload = claims().to_string();
        self.token(&json!({ "op": "sign_raw", "header": header, "payload": payload, "jwk": self.key }))
    }

    /// base64url.
    pub(crate) fn encode(&mut self, octets: &[u8]) -> String {
        let answer = self.other.get(&json!({ "op": "encode", "octets": octets }));
        answer["text"].as_str().expect("a text").to_owned()
    }

    /// The octets of this base64url.
    pub(crate) fn decode(&mut self, text: &str) -> Vec<u8> {
        let mut answer = self.other.get(&json!({ "op": "decode", "text": text }));
        serde_json::from_value(answer["octets"].take()).expect("octets")
    }

    /// The token that a counterpart makes of this request.
    pub(crate) fn token(&mut self, request: &Value) -> String {
        self.other.get(request)["token"].as_str().expect("a token").to_owned()
    }
}

/// Good claims.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "alice", "client_id": "c1", "jti": "j1",
        "iat": NOW, "exp": NOW + 3600, "scope": "mcp:use files:read",
    })
}

/// An object with these members changed; `null` removes.
pub(crate) fn changed(object: &Value, changes: &Value) -> Value {
    let mut members = object.as_object().expect("an object").clone();
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => members.remove(name),
            _ => members.insert(name.clone(), value.clone()),
        };
    }
    members.into()
}
