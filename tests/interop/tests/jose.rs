//! Tokens, proofs and keys, exchanged with npm `jose` and Python `joserfc` in both directions.

use grantor::Secret;
use grantor::jose::dpop::{self, DpopError, ProofKey, ProofRequest, ProofRules};
use grantor::jose::{
    AccessToken, AccessTokenRules, Algorithm, ClaimsError, ClientAssertion, Jws, JwsError, KeyError, KeySet,
    PublicKey, SigningKey,
};
use grantor_interop::jose::Counterpart;
use http::Method;
use serde_json::{Value, json};
use url::Url;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://as.example.com";
const RESOURCE: &str = "https://mcp.example.com/mcp";
const RSA: &str = include_str!("../../../core/tests/keys/rsa2048.pem");
const P384: &str = include_str!("../../../core/tests/keys/p384.pem");

type Start = fn() -> Counterpart;

fn each(test: impl Fn(&mut Counterpart)) {
    for start in [Counterpart::npm_jose as Start, Counterpart::joserfc as Start] {
        test(&mut start());
    }
}

fn own_key(algorithm: Algorithm) -> SigningKey {
    match algorithm {
        Algorithm::EdDsa | Algorithm::Es256 => SigningKey::generate(algorithm, &[7; 32]),
        Algorithm::Es384 => SigningKey::from_pem(P384, algorithm),
        _ => SigningKey::from_pem(RSA, algorithm),
    }
    .expect("a key")
}

fn public(private: &Value) -> Value {
    let mut jwk = private.clone();
    let public = ["kty", "crv", "n", "e", "x", "y", "kid"];
    jwk.as_object_mut().expect("an object").retain(|name, _| public.contains(&name.as_str()));
    jwk
}

fn key_set(private: &Value) -> KeySet {
    KeySet::of([PublicKey::from_jwk(&public(private).to_string()).expect("a key")])
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "alice", "client_id": "c", "jti": "j",
        "iat": NOW, "exp": NOW + 300, "scope": "a b",
    })
}

#[derive(Debug, PartialEq)]
enum Refused {
    Jws(JwsError),
    Claims(ClaimsError),
}

fn accept(token: &str, keys: &KeySet) -> Result<AccessToken, Refused> {
    let jws = Jws::parse(token).map_err(Refused::Jws)?;
    let trusted = jws.verify_with(keys, AccessTokenRules::ALGORITHMS).map_err(Refused::Jws)?;
    AccessToken::check(trusted, &AccessTokenRules::new(ISSUER, &[RESOURCE]), NOW).map_err(Refused::Claims)
}

#[test]
fn rfc7523_3_our_assertions_are_theirs() {
    each(|other| {
        for algorithm in Algorithm::ALL {
            let key = own_key(algorithm).with_kid("k");
            let assertion = ClientAssertion::new("client", ISSUER);
            let jwt = assertion.unsigned(algorithm, Some("k"), NOW, &[3; 16]).sign(&key).expect("signed");
            let jwk: Value = serde_json::from_str(&key.public().to_jwk()).expect("JSON");
            let mut request = json!({
                "op": "verify", "token": jwt.expose(), "jwk": jwk, "alg": algorithm.name(), "typ": "JWT",
                "issuer": "client", "audience": ISSUER, "now": NOW,
            });
            let seen = other.get(&request);
            assert_eq!(seen["claims"]["sub"], "client", "{algorithm}");
            assert_eq!(seen["header"]["kid"], "k", "{algorithm}");
            request["now"] = (NOW + 200).into();
            assert!(other.ask(&request).get("error").is_some(), "{algorithm}: it expires");
        }
    });
}

#[test]
fn openid_connect_core_9_our_client_secret_jwt_is_theirs() {
    each(|other| {
        let secret = "0123456789abcdef0123456789abcdef";
        let assertion = ClientAssertion::new("client", ISSUER);
        let jwt = assertion.with_secret(&Secret::from(secret), NOW, &[3; 16]).expect("signed");
        let mut request = json!({
            "op": "verify", "token": jwt.expose(), "secret": secret, "alg": "HS256",
            "issuer": "client", "audience": ISSUER, "now": NOW,
        });
        assert_eq!(other.get(&request)["claims"]["iss"], "client");
        request["secret"] = "another secret that is long enough".into();
        assert!(other.ask(&request).get("error").is_some());
    });
}

#[test]
fn rfc9449_4_2_our_proofs_are_theirs() {
    each(|other| {
        for algorithm in Algorithm::ALL {
            let key = own_key(algorithm);
            let proofs = ProofKey::new(key.public(), algorithm).expect("a key");
            let url = Url::parse("https://mcp.example.com/mcp?a=b").expect("a URL");
            let mut request = ProofRequest::new(&Method::POST, &url);
            request.access_token = Some("token");
            request.nonce = Some("n");
            let proof = proofs.proof(&request, NOW, &[5; 16]).sign(&key).expect("signed");
            let seen = other.get(&json!({
                "op": "proof", "token": proof.expose(), "alg": algorithm.name(), "now": NOW,
            }));
            assert_eq!(seen["jkt"], proofs.thumbprint(), "{algorithm}");
            assert_eq!(seen["claims"]["htm"], "POST");
            assert_eq!(seen["claims"]["htu"], RESOURCE);
            assert_eq!(seen["claims"]["nonce"], "n");
            // echo -n token | sha256sum
            assert_eq!(seen["claims"]["ath"], "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A");
        }
    });
}

#[test]
fn rfc7517_their_keys_are_ours() {
    each(|other| {
        for algorithm in Algorithm::ALL {
            let (jwk, pem) = other.generate(algorithm.name());
            let from_jwk = SigningKey::from_jwk(&jwk.to_string(), algorithm).expect("a JWK");
            let from_pem = SigningKey::from_pem(&pem, algorithm).expect("a PEM");
            assert_eq!(from_jwk.public(), from_pem.public(), "{algorithm}");
            let theirs = other.get(&json!({"op": "thumbprint", "jwk": public(&jwk)}));
            assert_eq!(theirs["thumbprint"], from_jwk.public().thumbprint(), "{algorithm}");
        }
    });
}

#[test]
fn rfc7517_our_keys_are_theirs() {
    each(|other| {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let key = own_key(algorithm);
            let jwk: Value = serde_json::from_str(key.to_jwk().expect("a JWK").expose()).expect("JSON");
            let token = other.sign(&json!({"alg": algorithm.name()}), "{}", &jwk);
            assert!(Jws::parse(&token).expect("a JWS").verify(key.public(), &[algorithm]).is_ok());
        }
    });
}

#[test]
fn rfc9068_4_their_tokens_are_ours() {
    each(|other| {
        for algorithm in Algorithm::ALL {
            let (jwk, _) = other.generate(algorithm.name());
            let token =
                other.sign(&json!({"alg": algorithm.name(), "typ": "at+jwt"}), &claims().to_string(), &jwk);
            let accepted = accept(&token, &key_set(&jwk)).expect("accepted");
            assert_eq!(accepted.scopes.to_string(), "a b");
            let (stranger, _) = other.generate(algorithm.name());
            assert_eq!(accept(&token, &key_set(&stranger)).unwrap_err(), Refused::Jws(JwsError::Signature));
        }
    });
}

#[test]
fn rfc9449_4_3_their_proofs_are_ours() {
    each(|other| {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256] {
            let (jwk, _) = other.generate(algorithm.name());
            let url = Url::parse(RESOURCE).expect("a URL");
            let rules = ProofRules::new(&Method::POST, &url);
            let claims = json!({"jti": "j", "htm": "POST", "htu": RESOURCE, "iat": NOW}).to_string();
            let mut header = json!({"typ": "dpop+jwt", "alg": algorithm.name(), "jwk": public(&jwk)});
            let proof = dpop::verify(&other.sign(&header, &claims, &jwk), &rules, NOW).expect("a proof");
            let theirs = other.get(&json!({"op": "thumbprint", "jwk": public(&jwk)}));
            assert_eq!(theirs["thumbprint"], proof.thumbprint);
            header["jwk"] = jwk.clone();
            let private = dpop::verify(&other.sign(&header, &claims, &jwk), &rules, NOW);
            assert_eq!(private, Err(DpopError::Key(KeyError::Private)));
        }
    });
}

#[test]
fn rfc8725_their_attacks_are_refused() {
    each(|other| {
        let (jwk, _) = other.generate("ES256");
        let keys = key_set(&jwk);
        let header = json!({"alg": "ES256", "typ": "at+jwt"});
        let good = claims();

        // Headers.
        for (member, value, error) in [
            ("typ", json!("JWT"), Refused::Claims(ClaimsError::Type)),
            ("jwk", public(&jwk), Refused::Jws(JwsError::EmbeddedKey)),
            ("kid", json!("other"), Refused::Jws(JwsError::UnknownKey)),
        ] {
            let mut header = header.clone();
            header[member] = value;
            let token = other.sign(&header, &good.to_string(), &jwk);
            assert_eq!(accept(&token, &keys).unwrap_err(), error, "{member}");
        }
        let (stranger, _) = other.generate("ES256");
        for member in ["jku", "x5u"] {
            let mut header = header.clone();
            header[member] = json!("https://evil.example/keys");
            let token = other.sign(&header, &good.to_string(), &stranger);
            assert_eq!(accept(&token, &keys).unwrap_err(), Refused::Jws(JwsError::Signature), "{member}");
        }

        // A symmetric signature by the public key (RFC 8725 2.1).
        let confused = other.get(&json!({
            "op": "sign", "header": {"alg": "HS256", "typ": "at+jwt"}, "payload": good.to_string(),
            "secret": public(&jwk).to_string(),
        }));
        let confused = confused["token"].as_str().expect("a token");
        assert_eq!(accept(confused, &keys).unwrap_err(), Refused::Jws(JwsError::AlgorithmSymmetric));

        // Claims.
        let wrong = |claim| Refused::Claims(ClaimsError::WrongType { claim });
        for (member, value, error) in [
            ("aud", json!("https://mcp.example.com"), Refused::Claims(ClaimsError::Audience)),
            ("aud", json!("https://mcp.example.com/mcp.evil"), Refused::Claims(ClaimsError::Audience)),
            ("aud", json!("https://x.mcp.example.com/mcp"), Refused::Claims(ClaimsError::Audience)),
            ("iss", json!("https://as.example.com.evil"), Refused::Claims(ClaimsError::Issuer)),
            ("exp", json!(NOW - 61), Refused::Claims(ClaimsError::Expired)),
            ("exp", json!(-1), Refused::Claims(ClaimsError::Expired)),
            ("exp", json!((NOW + 300).to_string()), wrong("exp")),
            ("exp", json!(1e300), Refused::Claims(ClaimsError::TimeRange { claim: "exp" })),
            ("nbf", json!(NOW + 61), Refused::Claims(ClaimsError::NotYetValid)),
            ("iat", json!(NOW + 61), Refused::Claims(ClaimsError::IssuedInFuture)),
            ("scope", json!({"a": 1}), wrong("scope")),
        ] {
            let mut claims = good.clone();
            claims[member] = value.clone();
            let token = other.sign(&header, &claims.to_string(), &jwk);
            assert_eq!(accept(&token, &keys).unwrap_err(), error, "{member} {value}");
        }
        let mut fraction = good.clone();
        fraction["exp"] = json!(1_800_000_000.5);
        assert!(accept(&other.sign(&header, &fraction.to_string(), &jwk), &keys).is_ok());
        let twice = good.to_string().replacen('{', r#"{"aud":"https://evil.example","#, 1);
        let token = other.sign(&header, &twice, &jwk);
        assert_eq!(accept(&token, &keys).unwrap_err(), Refused::Claims(ClaimsError::Repeated));
    });
}
