//! Keys that must not check signatures, however good the signatures are.

use grantor::jose::{JwsError, KeyError, KeySet};
use grantor_interop::jose::Counterpart;
use serde_json::{Value, json};

use crate::each;
use crate::issuer::{Issuer, claims};
use crate::resource::Resource;

each!(
    rfc7517_4_2_keys_for_encryption,
    rfc7517_4_3_keys_for_other_operations,
    rfc7517_4_4_keys_for_other_algorithms,
    rfc7518_3_3_rs256_below_2048_bits,
    rfc8725_3_4_points_off_the_curve,
    rfc8725_3_5_private_keys_that_are_published,
    rfc8725_2_1_symmetric_keys_that_are_published,
);

fn rfc7517_4_2_keys_for_encryption(other: Counterpart) {
    let mut bench = Bench::new(other, "ES256");
    let good = bench.published(&json!({ "use": "sig" }));
    let bad = bench.published(&json!({ "use": "enc" }));
    bench.tell(&bad, &good, KeyError::Use);
}

fn rfc7517_4_3_keys_for_other_operations(other: Counterpart) {
    let mut bench = Bench::new(other, "RS256");
    let good = bench.published(&json!({ "key_ops": ["verify"] }));
    for operations in [json!(["encrypt"]), json!(["wrapKey", "encrypt"]), json!(["sign"]), json!([])] {
        let bad = bench.published(&json!({ "key_ops": operations }));
        bench.tell(&bad, &good, KeyError::Operations);
    }
}

fn rfc7517_4_4_keys_for_other_algorithms(other: Counterpart) {
    let mut bench = Bench::new(other, "RS256");
    let good = bench.published(&json!({ "alg": "RS256" }));
    for alg in ["RSA-OAEP-256", "HS256", "ES256", "none"] {
        let bad = bench.published(&json!({ "alg": alg }));
        bench.tell(&bad, &good, KeyError::Algorithm);
    }
}

fn rfc7518_3_3_rs256_below_2048_bits(other: Counterpart) {
    let mut bench = Bench::new(other, "RS256");
    let good_keys = bench.issuer.keys();
    let good = bench.token.clone();
    for bits in [1024, 2040] {
        bench.issuer.key = bench.issuer.new_key(&json!({ "alg": "RS256", "bits": bits }));
        // One library refuses to sign with such a key, the other only warns.
        let payload = claims().to_string();
        let key = bench.issuer.key.clone();
        let by_itself =
            json!({ "op": "sign", "header": bench.issuer.header(), "payload": payload, "jwk": key });
        let header = bench.issuer.header().to_string();
        bench.token = match bench.issuer.other.ask(&by_itself)["token"].as_str() {
            Some(token) => token.to_owned(),
            None => bench.issuer.with_raw_header(&header),
        };
        let bad_keys = bench.issuer.keys();
        bench.is_refused(&bad_keys, KeyError::RsaTooSmall);
        Resource::trusting(&good_keys).allow(&good);
    }
}

/// The published key, altered in its `y`.
fn rfc8725_3_4_points_off_the_curve(other: Counterpart) {
    let mut bench = Bench::new(other, "ES256");
    let good = bench.issuer.keys();
    let y = good["keys"][0]["y"].as_str().expect("y");
    let other_y = format!("{}{}", if y.starts_with('A') { 'B' } else { 'A' }, &y[1..]);
    let mut bad = good.clone();
    bad["keys"][0]["y"] = json!(other_y);
    bench.tell(&bad, &good, KeyError::Invalid);
}

/// Whoever has read it can sign.
fn rfc8725_3_5_private_keys_that_are_published(other: Counterpart) {
    let mut bench = Bench::new(other, "ES256");
    let bad = json!({ "keys": [bench.issuer.key] });
    let good = bench.issuer.keys();
    bench.tell(&bad, &good, KeyError::Private);
}

fn rfc8725_2_1_symmetric_keys_that_are_published(other: Counterpart) {
    let mut bench = Bench::new(other, "ES256");
    let good = bench.issuer.keys();
    let secret = json!({ "kty": "oct", "kid": "k1", "k": bench.issuer.encode(&[7; 32]) });
    let bad = json!({ "keys": [secret] });
    bench.tell(&bad, &good, KeyError::Symmetric);
    // Nor does it check what was made with it.
    let symmetric = bench.issuer.signed_by(&secret, &json!({ "alg": "HS256" }));
    Resource::trusting(&bad).refuse(&symmetric, JwsError::AlgorithmSymmetric);
}

struct Bench {
    issuer: Issuer,
    /// Good, by its signature.
    token: String,
    /// Another key of the issuer, so that it is not without any.
    spare: Value,
}

impl Bench {
    fn new(other: Counterpart, algorithm: &'static str) -> Self {
        let mut issuer = Issuer::new(other, algorithm);
        let token = issuer.good();
        let spare = issuer.new_key(&json!({ "alg": algorithm }));
        let spare = issuer.publish(&spare, &json!({ "kid": "spare" }))["keys"][0].clone();
        Self { issuer, token, spare }
    }

    /// The issuer's key set, with these members of its key.
    fn published(&mut self, members: &Value) -> Value {
        let key = self.issuer.key.clone();
        self.issuer.publish(&key, members)
    }

    /// The token is let through with one key set, and with the other there is no key for it.
    fn tell(&self, bad: &Value, good: &Value, error: KeyError) {
        self.is_refused(bad, error);
        Resource::trusting(good).allow(&self.token);
    }

    fn is_refused(&self, keys: &Value, error: KeyError) {
        let read = KeySet::parse(keys.to_string().as_bytes()).expect("a set");
        assert_eq!((read.keys().len(), read.refused()), (0, &[error][..]));
        let mut keys = keys.clone();
        keys["keys"].as_array_mut().expect("a list").push(self.spare.clone());
        Resource::trusting(&keys).refuse(&self.token, JwsError::UnknownKey);
    }
}
