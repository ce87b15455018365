//! The attacks of RFC 8725, against the Guard.

use crate::bench::*;
use grantor::jose::{ClaimsError, JwsError};
use grantor::resource::*;
use serde_json::json;

fn problem(token: &str) -> TokenProblem {
    let mut bench = Bench::new();
    match bench.why(&Request::list().bearer(token)) {
        (401, Refusal::Token(problem)) => {
            assert!(bench.asked.iter().all(|asked| asked.starts_with("GET https://as.example.com/")));
            problem
        }
        other => panic!("{other:?}"),
    }
}

fn with_header(header: serde_json::Value) -> String {
    sign(&header.to_string(), &claims(json!({})).to_string(), &key(1))
}

#[test]
fn rfc8725_3_2_alg_none() {
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": "k1" }).to_string();
        let unsigned = format!("{}.{}.", b64(header), b64(claims(json!({})).to_string()));
        assert_eq!(problem(&unsigned), JwsError::AlgorithmNone.into());
    }
}

#[test]
fn rfc8725_2_1_hs256_with_the_public_key() {
    let token = with_header(json!({ "alg": "HS256", "typ": "at+jwt", "kid": "k1" }));
    assert_eq!(problem(&token), JwsError::AlgorithmSymmetric.into());
}

#[test]
fn rfc8725_3_1_the_keys_algorithm_and_no_other() {
    for alg in ["RS256", "ES384", "EdDSA", "PS256"] {
        let token = with_header(json!({ "alg": alg, "typ": "at+jwt", "kid": "k1" }));
        assert_eq!(problem(&token), JwsError::KeyAlgorithm.into(), "{alg}");
    }
    let mut server = AuthorizationServer::jwt(ISSUER);
    let Tokens::Jwt { algorithms, .. } = &mut server.tokens else { panic!() };
    *algorithms = vec![grantor::jose::Algorithm::Rs256];
    let mut bench = Bench::with(GuardConfig::new(RESOURCE, policy()).server(server));
    let why = bench.why(&Request::list().bearer(&token(json!({}))));
    let forbidden = JwsError::AlgorithmForbidden(grantor::jose::Algorithm::Es256);
    assert_eq!(why, (401, Refusal::Token(forbidden.into())));
}

#[test]
fn rfc8725_3_11_other_kinds_of_tokens() {
    for typ in ["JWT", "dpop+jwt", "oauth-id-jag+jwt", "client-authentication+jwt", "logout+jwt"] {
        let token = with_header(json!({ "alg": "ES256", "typ": typ, "kid": "k1" }));
        assert_eq!(problem(&token), ClaimsError::Type.into(), "{typ}");
    }
}

#[test]
fn rfc8725_3_10_keys_come_from_the_issuer_alone() {
    let own: serde_json::Value = serde_json::from_str(&key(66).public().to_jwk()).unwrap();
    let claims = claims(json!({})).to_string();
    let embedded = json!({ "alg": "ES256", "typ": "at+jwt", "jwk": own });
    assert_eq!(problem(&sign(&embedded.to_string(), &claims, &key(66))), JwsError::EmbeddedKey.into());
    for name in ["jku", "x5u"] {
        let header =
            json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k66", name: "https://evil.example.com/jwks" });
        assert_eq!(
            problem(&sign(&header.to_string(), &claims, &key(66))),
            JwsError::UnknownKey.into(),
            "{name}"
        );
    }
}

#[test]
fn rfc7519_4_claims_that_are_there_twice() {
    let twice = claims(json!({})).to_string().replacen('{', r#"{"aud":"https://other","#, 1);
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" }).to_string();
    assert_eq!(problem(&sign(&header, &twice, &key(1))), ClaimsError::Repeated.into());
}

#[test]
fn rfc7518_3_4_ecdsa_signatures_that_are_malformed() {
    let good = token(json!({}));
    let (input, signature) = good.rsplit_once('.').unwrap();
    for bad in [vec![0; 64], vec![0xff; 64], vec![1; 63], vec![1; 65], vec![0x30; 70], Vec::new()] {
        assert_eq!(problem(&format!("{input}.{}", b64(bad))), JwsError::Signature.into());
    }
    // Another text for the same octets.
    let last = signature.chars().last().unwrap();
    let other = char::from_u32(u32::from(last) + 1).unwrap();
    let changed = format!("{input}.{}{other}", &signature[..signature.len() - 1]);
    assert!(matches!(problem(&changed), TokenProblem::Jws(JwsError::Base64 { .. } | JwsError::Signature)));
}

#[test]
fn rfc7518_3_3_rsa_keys_that_are_too_short_and_keys_for_other_uses() {
    let weak = grantor::jose::SigningKey::from_pem(
        include_str!("../keys/rsa1024.pem"),
        grantor::jose::Algorithm::Rs256,
    );
    assert!(weak.is_err());
    let mut for_encryption: serde_json::Value = serde_json::from_str(&key(1).public().to_jwk()).unwrap();
    for_encryption["kid"] = json!("k1");
    for_encryption["use"] = json!("enc");
    let mut bench = Bench::new();
    bench.peer = Box::new(move |request| match request.url.path() {
        "/jwks" => {
            let other: serde_json::Value = serde_json::from_str(&jwks(&[&key(2)])).unwrap();
            ok(json!({ "keys": [for_encryption, other["keys"][0]] }).to_string())
        }
        _ => usual_peer(request),
    });
    let why = bench.why(&Request::list().bearer(&token(json!({}))));
    assert_eq!(why, (401, Refusal::Token(JwsError::UnknownKey.into())));
}

#[test]
fn rfc8725_3_3_nothing_of_the_payload_counts_before_the_signature() {
    let good = token(json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let more = claims(json!({ "scope": "mcp:use files:write" })).to_string();
    let forged = format!("{}.{}.{}", parts[0], b64(more), parts[2]);
    assert_eq!(problem(&forged), JwsError::Signature.into());
}

#[test]
fn rfc7515_4_1_11_critical_extensions() {
    let token = with_header(json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1", "crit": ["exp"] }));
    assert_eq!(problem(&token), JwsError::Critical.into());
}
