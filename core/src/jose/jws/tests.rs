use super::*;
use crate::jose::key::SigningKey;
use crate::jose::testing::{
    RFC7515_EC, RFC7515_PAYLOAD, RFC7515_RSA, RFC8037_OKP, es256, public, token, with,
};

const ALL: &[Algorithm] = &Algorithm::ALL;

fn error(token: &str) -> JwsError {
    Jws::parse(token).map(|_| ()).expect_err(token)
}

fn header_error(header: &str) -> JwsError {
    error(&format!("{}.e30.AA", base64url::encode(header)))
}

#[test]
fn rfc7515_a_2_rs256() {
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let input = format!("eyJhbGciOiJSUzI1NiJ9.{RFC7515_PAYLOAD}");
    let token = format!("{input}.{signature}");
    let trusted = Jws::parse(&token).unwrap().verify(&public(RFC7515_RSA), ALL).unwrap();
    assert_eq!(trusted.claims().unwrap().required_text("iss").unwrap(), "joe");
    assert_eq!(trusted.header().algorithm(), Algorithm::Rs256);
    let key = SigningKey::from_jwk(RFC7515_RSA, Algorithm::Rs256).unwrap();
    assert_eq!(base64url::encode(key.sign(input.as_bytes()).unwrap()), signature);
}

#[test]
fn rfc7515_a_3_es256() {
    let token = format!(
        "eyJhbGciOiJFUzI1NiJ9.{RFC7515_PAYLOAD}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    assert!(Jws::parse(&token).unwrap().verify(&public(RFC7515_EC), ALL).is_ok());
}

#[test]
fn rfc7520_4_1_rs256() {
    let key = r#"{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}"#;
    let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg";
    let keys = KeySet::of([PublicKey::from_jwk(key).unwrap()]);
    let trusted = Jws::parse(token).unwrap().verify_with(&keys, ALL).unwrap();
    assert!(trusted.payload().starts_with("It’s a dangerous business".as_bytes()));
}

#[test]
fn rfc7520_4_3_and_4_4_other_algorithms() {
    assert_eq!(
        header_error(r#"{"alg":"ES512","kid":"bilbo.baggins@hobbiton.example"}"#),
        JwsError::AlgorithmUnknown
    );
    assert_eq!(
        header_error(r#"{"alg":"HS256","kid":"018c0ae5-4d9b-471b-bfd6-eef314bc7037"}"#),
        JwsError::AlgorithmSymmetric
    );
}

#[test]
fn rfc8037_a_4_and_a_5_eddsa() {
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let key = SigningKey::from_jwk(RFC8037_OKP, Algorithm::EdDsa).unwrap();
    assert_eq!(base64url::encode(key.sign(input.as_bytes()).unwrap()), signature);
    let token = format!("{input}.{signature}");
    let trusted = Jws::parse(&token).unwrap().verify(&public(RFC8037_OKP), ALL).unwrap();
    assert_eq!(trusted.payload(), b"Example of Ed25519 signing");
    assert_eq!(trusted.claims().unwrap_err(), ClaimsError::Syntax);
}

#[test]
fn rfc7515_a_5_unsecured() {
    assert_eq!(error(&format!("eyJhbGciOiJub25lIn0.{RFC7515_PAYLOAD}.")), JwsError::AlgorithmNone);
    assert_eq!(header_error(r#"{"alg":"nOnE"}"#), JwsError::AlgorithmNone);
}

#[test]
fn rfc7515_7_1_three_parts() {
    for bad in ["", "a", "a.b", "a.b.c.d", "a.b.c.d.e"] {
        assert_eq!(error(bad), JwsError::Parts, "{bad}");
    }
}

#[test]
fn rfc7515_5_2_signature() {
    let key = es256();
    let good = token(r#"{"alg":"ES256"}"#, "{}", &key);
    let verify = |token: &str| Jws::parse(token).unwrap().verify(key.public(), ALL).map(|_| ());
    assert_eq!(verify(&good), Ok(()));
    let (input, signature) = good.rsplit_once('.').unwrap();
    let other = token(r#"{"alg":"ES256"}"#, "[]", &key);
    let (other, _) = other.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{other}.{signature}")), Err(JwsError::Signature));
    assert_eq!(verify(&format!("{input}.")), Err(JwsError::Signature));
    let stranger = SigningKey::generate(Algorithm::Es256, &[8; 32]).unwrap();
    let foreign = Jws::parse(&good).unwrap().verify(stranger.public(), ALL);
    assert_eq!(foreign.unwrap_err(), JwsError::Signature);
}

#[test]
fn rfc7515_2_strict_base64url() {
    let good = token(r#"{"alg":"ES256"}"#, "{}", &es256());
    let parts: Vec<&str> = good.split('.').collect();
    let verify =
        |token: &str| Jws::parse(token).and_then(|jws| jws.verify(es256().public(), ALL)).unwrap_err();
    let padded = |part: usize| {
        let mut parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
        parts[part].push('=');
        parts.join(".")
    };
    assert_eq!(verify(&padded(0)), JwsError::Base64 { part: Part::Header });
    assert_eq!(verify(&padded(2)), JwsError::Base64 { part: Part::Signature });
    let input = format!("{}.e31", parts[0]); // {} with bits left over
    let signature = es256().sign(input.as_bytes()).unwrap();
    let spare = format!("{input}.{}", base64url::encode(signature));
    assert_eq!(verify(&spare), JwsError::Base64 { part: Part::Payload });
}

#[test]
fn rfc7515_4_header() {
    assert_eq!(header_error("[]"), JwsError::Header);
    assert_eq!(header_error("{}"), JwsError::AlgorithmMissing);
    assert_eq!(header_error(r#"{"alg":1}"#), JwsError::Header);
    assert_eq!(header_error(r#"{"alg":"ES256","kid":1}"#), JwsError::Header);
    assert_eq!(header_error(r#"{"alg":"ES256","typ":{}}"#), JwsError::Header);
    assert_eq!(header_error(r#"{"alg":"ES256","alg":"ES256"}"#), JwsError::HeaderRepeated);
    assert_eq!(header_error(r#"{"alg":"ES256K"}"#), JwsError::AlgorithmUnknown);
}

#[test]
fn rfc7515_4_1_9_types() {
    let header = |typ: &str| Header::parse(format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#).as_bytes()).unwrap();
    for same in ["at+jwt", "application/at+jwt", "AT+JWT", "Application/At+Jwt"] {
        assert!(header(same).is_type("at+jwt"), "{same}");
    }
    for other in ["jwt", "text/at+jwt", "at+jwt ", "x/application/at+jwt", ""] {
        assert!(!header(other).is_type("at+jwt"), "{other}");
    }
}

#[test]
fn rfc7515_4_1_11_crit() {
    assert_eq!(header_error(r#"{"alg":"ES256","crit":["exp"]}"#), JwsError::Critical);
    assert_eq!(header_error(r#"{"alg":"ES256","crit":null}"#), JwsError::Critical);
}

#[test]
fn rfc7797_6_b64() {
    assert_eq!(header_error(r#"{"alg":"ES256","b64":false}"#), JwsError::Unencoded);
}

#[test]
fn rfc8725_2_1_hs256_with_the_public_key() {
    for algorithm in ["HS256", "HS384", "HS512"] {
        assert_eq!(header_error(&format!(r#"{{"alg":"{algorithm}"}}"#)), JwsError::AlgorithmSymmetric);
    }
}

#[test]
fn rfc8725_3_1_allow_list_and_key_agree_with_alg() {
    let es256 = es256();
    let token = token(r#"{"alg":"ES256"}"#, "{}", &es256);
    let forbidden = Jws::parse(&token).unwrap().verify(es256.public(), &[Algorithm::Rs256]);
    assert_eq!(forbidden.unwrap_err(), JwsError::AlgorithmForbidden(Algorithm::Es256));
    let mismatch = Jws::parse(&token).unwrap().verify(&public(RFC7515_RSA), ALL);
    assert_eq!(mismatch.unwrap_err(), JwsError::KeyAlgorithm);
    let rsa = SigningKey::from_jwk(RFC7515_RSA, Algorithm::Rs256).unwrap();
    let token = crate::jose::testing::token(r#"{"alg":"PS256"}"#, "{}", &rsa);
    let other_padding = Jws::parse(&token).unwrap().verify(&public(RFC7515_RSA), ALL);
    assert_eq!(other_padding.unwrap_err(), JwsError::Signature);
    let bound = Jws::parse(&token).unwrap().verify(rsa.public(), ALL);
    assert_eq!(bound.unwrap_err(), JwsError::KeyAlgorithm, "the key's alg is RS256");
}

#[test]
fn rfc8725_3_10_keys_that_tokens_bring() {
    let key = es256();
    let jwk = key.public().to_jwk();
    let embedded = token(&format!(r#"{{"alg":"ES256","jwk":{jwk}}}"#), "{}", &key);
    assert_eq!(error(&embedded), JwsError::EmbeddedKey);
    // URLs and certificates are not even looked at; the key of the set decides.
    let own = SigningKey::generate(Algorithm::Es256, &[9; 32]).unwrap();
    for member in [
        r#""jku":"https://evil.example/keys""#,
        r#""x5u":"http://169.254.169.254/""#,
        r#""x5c":["MIIB"]"#,
        r#""x5t":"AA""#,
    ] {
        let header = format!(r#"{{"alg":"ES256","kid":"k",{member}}}"#);
        let keys = KeySet::of([key.public().clone()]);
        let verify = |key: &SigningKey| {
            Jws::parse(&token(&header, "{}", key)).unwrap().verify_with(&keys, ALL).map(|_| ())
        };
        assert_eq!(verify(&key), Ok(()), "{member}");
        assert_eq!(verify(&own), Err(JwsError::Signature), "{member}");
    }
}

#[test]
fn rfc7517_4_5_the_key_that_kid_names() {
    let (a, b) =
        (es256().with_kid("a"), SigningKey::generate(Algorithm::Es256, &[8; 32]).unwrap().with_kid("b"));
    let keys = KeySet::of([a.public().clone(), b.public().clone()]);
    let verify = |header: &str, key: &SigningKey| {
        Jws::parse(&token(header, "{}", key)).unwrap().verify_with(&keys, ALL).map(|_| ())
    };
    assert_eq!(verify(r#"{"alg":"ES256","kid":"b"}"#, &b), Ok(()));
    assert_eq!(verify(r#"{"alg":"ES256","kid":"a"}"#, &b), Err(JwsError::Signature));
    assert_eq!(verify(r#"{"alg":"ES256","kid":"c"}"#, &b), Err(JwsError::UnknownKey));
    assert_eq!(verify(r#"{"alg":"ES256"}"#, &b), Ok(()), "every key is tried");
    assert_eq!(verify(r#"{"alg":"ES384","kid":"a"}"#, &a), Err(JwsError::KeyAlgorithm));
    assert_eq!(verify(r#"{"alg":"ES384"}"#, &a), Err(JwsError::UnknownKey));
}

#[test]
fn rfc7518_3_4_r_and_s() {
    let key = es256();
    let input = "eyJhbGciOiJFUzI1NiJ9.e30";
    let good = key.sign(input.as_bytes()).unwrap();
    let verify = |signature: &[u8]| {
        let token = format!("{input}.{}", base64url::encode(signature));
        Jws::parse(&token).unwrap().verify(key.public(), ALL).map(|_| ())
    };
    assert_eq!(verify(&good), Ok(()));
    let (r, s) = good.split_at(32);
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut der = vec![0x30, 70, 2, 33, 0];
    der.extend(r);
    der.extend([2, 33, 0]);
    der.extend(s);
    for (name, bad) in [
        ("both zero", vec![0; 64]),
        ("r zero", [&[0; 32], s].concat()),
        ("s zero", [r, &[0; 32]].concat()),
        ("r the order", [&order, s].concat()),
        ("s the order", [r, &order].concat()),
        ("all ones", vec![0xff; 64]),
        ("too short", good[..63].to_vec()),
        ("too long", [&good[..], &[0]].concat()),
        ("padded halves", [&[0], r, &[0], s].concat()),
        ("empty", vec![]),
        ("DER", der),
    ] {
        assert_eq!(verify(&bad), Err(JwsError::Signature), "{name}");
    }
}

#[test]
fn sizes() {
    assert_eq!(error(&"a".repeat(limits::JWS + 1)), JwsError::TooLarge);
    assert_eq!(error(&format!("{}.e30.AA", "A".repeat(limits::JWS_HEADER + 4))), JwsError::TooLarge);
}

#[test]
fn openid_connect_core_3_1_3_7_6_straight_from_the_issuer() {
    let token = "eyJhbGciOiJFUzI1NiJ9.e30.AA";
    assert!(Jws::parse(token).unwrap().received_from_issuer(ALL).is_ok());
    let forbidden = Jws::parse(token).unwrap().received_from_issuer(&[Algorithm::Rs256]);
    assert_eq!(forbidden.unwrap_err(), JwsError::AlgorithmForbidden(Algorithm::Es256));
}

#[test]
fn signatures_made_elsewhere() {
    let key = es256();
    let unsigned = || {
        Unsigned::new(
            Algorithm::Es256,
            &[("alg", "ES256")].into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            &(),
        )
    };
    let signature = key.sign(unsigned().signing_input()).unwrap();
    let token = unsigned().assemble(&signature).unwrap();
    assert!(Jws::parse(token.expose()).unwrap().verify(key.public(), ALL).is_ok());
    let short = unsigned().assemble(&signature[..63]).unwrap_err();
    assert_eq!(short, SignatureFormat { algorithm: Algorithm::Es256, got: 63 });
    let rsa = Unsigned::new(Algorithm::Rs256, &(), &());
    assert!(rsa.clone().assemble(&[1; 256]).is_ok());
    assert!(rsa.assemble(&[1; 128]).is_err());
    let other = SigningKey::generate(Algorithm::EdDsa, &[1; 32]).unwrap();
    assert!(unsigned().sign(&other).is_err(), "the header names another algorithm");
}

#[test]
fn debug_shows_neither_claims_nor_signature() {
    let token = token(r#"{"alg":"ES256"}"#, &with("{}", "sub", r#""alice""#), &es256());
    let jws = Jws::parse(&token).unwrap();
    let mut shown = format!("{jws:?}");
    let trusted = jws.verify(es256().public(), ALL).unwrap();
    shown += &format!("{trusted:?} {:?}", trusted.claims().unwrap());
    assert!(!shown.contains("alice") && !shown.contains(&base64url::encode(r#"{"sub":"#)[..8]), "{shown}");
}
