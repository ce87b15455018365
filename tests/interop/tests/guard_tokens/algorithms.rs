//! Who may choose the algorithm: not the token.

use grantor::jose::{Algorithm, JwsError};
use grantor::resource::{AuthorizationServer, Tokens};
use grantor_interop::jose::Counterpart;
use serde_json::json;

use crate::issuer::{Issuer, changed, claims};
use crate::resource::Resource;
use crate::{ISSUER, NOW, RESOURCE, each};

each!(
    rfc8725_2_1_alg_none,
    rfc8725_2_1_hs256_with_the_public_key,
    rfc8725_3_1_algorithms_that_are_not_allowed,
    rfc8725_3_1_a_key_for_another_algorithm,
    rfc8725_3_1_algorithms_of_another_kind_of_key,
    rfc8725_3_2_unknown_algorithms,
    rfc8725_3_3_unsigned_tokens_inside_encrypted_ones,
);

fn rfc8725_2_1_alg_none(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    let good = issuer.good();
    let as_written = issuer.token(&json!({ "op": "unsecured", "claims": claims() }));
    resource.tell(&as_written, &good, JwsError::AlgorithmNone);
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = changed(&issuer.header(), &json!({ "alg": alg }));
        let unsigned = issuer.token(&json!({ "op": "unsecured", "claims": claims(), "header": header }));
        resource.tell(&unsigned, &good, JwsError::AlgorithmNone);
        // With the signature of a good token, which is over another header.
        let (_, signature) = good.rsplit_once('.').expect("a signature");
        resource.tell(&format!("{unsigned}{signature}"), &good, JwsError::AlgorithmNone);
    }
    // The good token with its signature cut off, its header as it was.
    let (input, _) = good.rsplit_once('.').expect("a signature");
    resource.tell(&format!("{input}."), &good, JwsError::Signature);
}

fn rfc8725_2_1_hs256_with_the_public_key(other: Counterpart) {
    let mut issuer = Issuer::new(other, "RS256");
    let made = issuer.other.get(&json!({ "op": "generate", "alg": "RS256" }));
    issuer.key = changed(&made["jwk"], &json!({ "kid": "k1" }));
    let keys = issuer.keys();
    let mut resource = Resource::trusting(&keys);
    let good = issuer.with_payload(claims().to_string());
    // The texts in which anybody may have found the key.
    let pem = made["spki"].as_str().expect("PEM").to_owned();
    let trimmed = pem.trim_end().to_owned();
    for secret in [pem, trimmed, keys.to_string(), keys["keys"][0].to_string()] {
        for alg in ["HS256", "HS384", "HS512"] {
            let confused = issuer.token(&json!({
                "op": "sign", "header": changed(&issuer.header(), &json!({ "alg": alg })),
                "payload": claims().to_string(), "secret": secret,
            }));
            // For a verifier that lets the token choose, this is good.
            issuer.other.get(&json!({
                "op": "verify", "token": confused, "secret": secret, "alg": alg, "typ": "at+jwt",
                "issuer": ISSUER, "audience": RESOURCE, "now": NOW,
            }));
            resource.tell(&confused, &good, JwsError::AlgorithmSymmetric);
        }
    }
}

fn rfc8725_3_1_algorithms_that_are_not_allowed(other: Counterpart) {
    let mut issuer = Issuer::new(other, "RS256");
    let keys = issuer.keys();
    let allowing = |algorithm| {
        let mut server = AuthorizationServer::jwt(ISSUER);
        if let Tokens::Jwt { algorithms, .. } = &mut server.tokens {
            *algorithms = vec![algorithm];
        }
        Resource::with(server, &keys)
    };
    let [rs256, ps256] = ["RS256", "PS256"].map(|alg| issuer.with_header(&json!({ "alg": alg })));
    allowing(Algorithm::Ps256).tell(&rs256, &ps256, JwsError::AlgorithmForbidden(Algorithm::Rs256));
    allowing(Algorithm::Rs256).tell(&ps256, &rs256, JwsError::AlgorithmForbidden(Algorithm::Ps256));
}

/// RFC 7517 4.4: `alg` of the key.
fn rfc8725_3_1_a_key_for_another_algorithm(other: Counterpart) {
    let mut issuer = Issuer::new(other, "PS256");
    let key = issuer.key.clone();
    let mut resource = Resource::trusting(&issuer.publish(&key, &json!({ "alg": "PS256" })));
    let mut any = Resource::trusting(&issuer.keys());
    for alg in ["RS256", "RS384", "RS512"] {
        let substituted = issuer.with_header(&json!({ "alg": alg }));
        resource.tell(&substituted, &issuer.good(), JwsError::KeyAlgorithm);
        any.allow(&substituted);
    }
}

/// Signed by keys of other kinds, under the name of the issuer's.
fn rfc8725_3_1_algorithms_of_another_kind_of_key(other: Counterpart) {
    let mut issuer = Issuer::new(other, "ES256");
    let mut resource = Resource::trusting(&issuer.keys());
    let good = issuer.good();
    for alg in ["RS256", "PS256", "ES384", "EdDSA"] {
        let stranger = issuer.new_key(&json!({ "alg": alg }));
        let bad = issuer.signed_by(&stranger, &json!({ "alg": alg }));
        resource.tell(&bad, &good, JwsError::KeyAlgorithm);
    }
}

/// Good ones, as it happens, but not spoken here.
fn rfc8725_3_2_unknown_algorithms(other: Counterpart) {
    let mut issuer = Issuer::new(other, "PS256");
    let mut resource = Resource::trusting(&issuer.keys());
    for alg in ["PS384", "PS512"] {
        let unknown = issuer.with_header(&json!({ "alg": alg }));
        resource.tell(&unknown, &issuer.good(), JwsError::AlgorithmUnknown);
    }
}

/// The key that everybody knows encrypts, and so proves nothing; neither a token inside that is good.
fn rfc8725_3_3_unsigned_tokens_inside_encrypted_ones(other: Counterpart) {
    let mut issuer = Issuer::new(other, "RS256");
    let mut resource = Resource::trusting(&issuer.keys());
    let unsigned = issuer.token(&json!({ "op": "unsecured", "claims": claims() }));
    let good = issuer.good();
    for inner in [&unsigned, &good] {
        let encrypted = issuer.token(&json!({
            "op": "encrypt", "plaintext": inner, "jwk": issuer.key,
            "header": { "alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT", "typ": "at+jwt", "kid": "k1" },
        }));
        assert_eq!(encrypted.split('.').count(), 5);
        resource.tell(&encrypted, &good, JwsError::Parts);
    }
}
