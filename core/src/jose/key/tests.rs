use super::pem::{Container, private_key};
use super::*;
use crate::jose::algorithm::Algorithm;
use crate::jose::testing::{RFC7515_EC, RFC7515_RSA, RFC8037_OKP, public, with};
use crate::limits;

const P256: &str = include_str!("../../../tests/keys/p256.pem");
const P256_SEC1: &str = include_str!("../../../tests/keys/p256-sec1.pem");
const P256_ENCRYPTED: &str = include_str!("../../../tests/keys/p256-encrypted.pem");
const P384: &str = include_str!("../../../tests/keys/p384.pem");
const P521: &str = include_str!("../../../tests/keys/p521.pem");
const ED25519: &str = include_str!("../../../tests/keys/ed25519.pem");
const RSA: &str = include_str!("../../../tests/keys/rsa2048.pem");
const RSA_PKCS1: &str = include_str!("../../../tests/keys/rsa2048-pkcs1.pem");
const RSA_1024: &str = include_str!("../../../tests/keys/rsa1024.pem");

const EC: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

fn refused(jwk: &str) -> KeyError {
    PublicKey::from_jwk(jwk).expect_err(jwk)
}

fn rsa(n: &[u8], e: &[u8]) -> Result<PublicKey, KeyError> {
    let base64 = crate::jose::base64url::encode;
    PublicKey::from_jwk(&format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, base64(n), base64(e)))
}

#[test]
fn rfc7638_3_1_rsa_thumbprint() {
    let key = PublicKey::from_jwk(
        r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
    )
    .unwrap();
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(key.kid(), Some("2011-04-29"));
    assert_eq!(key.kind(), KeyKind::Rsa { bits: 2048 });
    assert!(key.allows(Algorithm::Rs256) && !key.allows(Algorithm::Ps256), "alg names one");
}

#[test]
fn rfc7638_3_members_that_do_not_count() {
    let plain = PublicKey::from_jwk(EC).unwrap();
    let named = PublicKey::from_jwk(&with(&with(EC, "kid", r#""x""#), "use", r#""sig""#)).unwrap();
    assert_eq!(plain.thumbprint(), named.thumbprint());
    assert_eq!(plain, named);
    assert_eq!(plain.to_jwk(), EC.replacen(r#""kty":"EC","crv":"P-256""#, r#""crv":"P-256","kty":"EC""#, 1));
}

#[test]
fn rfc8037_a_2_and_a_3_okp_thumbprint() {
    assert_eq!(public(RFC8037_OKP).thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn rfc7517_4_members_once_and_of_their_type() {
    assert_eq!(refused(&EC.replacen('{', r#"{"kty":"EC","#, 1)), KeyError::Repeated);
    assert_eq!(refused("[]"), KeyError::Syntax);
    assert_eq!(refused(&with(EC, "x", "1")), KeyError::Malformed { member: "x" });
    assert_eq!(refused(&with(EC, "kid", "1")), KeyError::Malformed { member: "kid" });
    assert_eq!(refused(&with(EC, "kty", "")), KeyError::Missing { member: "kty" });
    let long = format!("\"{}\"", "k".repeat(limits::STRING + 1));
    assert_eq!(refused(&with(EC, "kid", &long)), KeyError::TooLarge);
    assert_eq!(refused(&" ".repeat(limits::PRIVATE_KEY + 1)), KeyError::TooLarge);
}

#[test]
fn rfc7517_4_2_use() {
    assert_eq!(refused(&with(EC, "use", r#""enc""#)), KeyError::Use);
    assert!(PublicKey::from_jwk(&with(EC, "use", r#""sig""#)).is_ok());
}

#[test]
fn rfc7517_4_3_key_ops() {
    assert_eq!(refused(&with(EC, "key_ops", r#"["sign"]"#)), KeyError::Operations);
    assert_eq!(refused(&with(EC, "key_ops", r#"[1]"#)), KeyError::Operations);
    assert!(PublicKey::from_jwk(&with(EC, "key_ops", r#"["verify","sign"]"#)).is_ok());
    let private = with(RFC7515_EC, "key_ops", r#"["verify"]"#);
    assert_eq!(SigningKey::from_jwk(&private, Algorithm::Es256).unwrap_err(), KeyError::Operations);
}

#[test]
fn rfc7517_4_4_alg() {
    assert_eq!(refused(&with(EC, "alg", r#""ES384""#)), KeyError::Algorithm);
    assert_eq!(refused(&with(EC, "alg", r#""HS256""#)), KeyError::Algorithm);
    let private = with(RFC7515_RSA, "alg", r#""RS256""#);
    assert_eq!(SigningKey::from_jwk(&private, Algorithm::Ps256).unwrap_err(), KeyError::Algorithm);
    assert!(SigningKey::from_jwk(&private, Algorithm::Rs256).is_ok());
}

#[test]
fn rfc7518_6_2_1_points() {
    assert_eq!(refused(&with(EC, "crv", r#""P-521""#)), KeyError::Curve);
    assert_eq!(refused(&with(EC, "crv", r#""secp256k1""#)), KeyError::Curve);
    assert_eq!(refused(&with(EC, "crv", r#""P-384""#)), KeyError::Malformed { member: "x" }, "length");
    assert_eq!(
        refused(&with(EC, "y", r#""x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1""#)),
        KeyError::Malformed { member: "y" },
        "trailing bits"
    );
    assert_eq!(
        refused(&with(EC, "y", r#""f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU""#)),
        KeyError::Invalid,
        "off the curve"
    );
}

#[test]
fn rfc7518_3_3_rsa_sizes() {
    let n = |len| vec![0xff; len];
    assert!(rsa(&n(256), &[1, 0, 1]).is_ok());
    assert_eq!(rsa(&n(128), &[1, 0, 1]).unwrap_err(), KeyError::RsaTooSmall);
    let mut just_below = n(256);
    just_below[0] = 0x7f;
    assert_eq!(rsa(&just_below, &[1, 0, 1]).unwrap_err(), KeyError::RsaTooSmall);
    assert_eq!(rsa(&n(1025), &[1, 0, 1]).unwrap_err(), KeyError::RsaTooLarge);
    for e in [&[1][..], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1], &[]] {
        assert_eq!(rsa(&n(256), e).unwrap_err(), KeyError::RsaExponent, "{e:?}");
    }
}

#[test]
fn rfc7518_6_3_1_no_leading_zeros() {
    let mut n = vec![0xff; 257];
    n[0] = 0;
    assert_eq!(rsa(&n, &[1, 0, 1]).unwrap_err(), KeyError::Malformed { member: "n" });
    assert_eq!(rsa(&[0xff; 256], &[0, 1, 0, 1]).unwrap_err(), KeyError::Malformed { member: "e" });
    assert_eq!(rsa(&[], &[1, 0, 1]).unwrap_err(), KeyError::Malformed { member: "n" });
}

#[test]
fn rfc8725_3_1_no_symmetric_keys() {
    assert_eq!(
        refused(r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}"#),
        KeyError::Symmetric
    );
    assert_eq!(refused(r#"{"kty":"AKP"}"#), KeyError::Type);
}

#[test]
fn rfc9449_4_3_7_no_private_members() {
    for private in [RFC7515_EC, RFC7515_RSA, RFC8037_OKP] {
        assert_eq!(refused(private), KeyError::Private);
    }
    assert_eq!(refused(&with(EC, "d", "null")), KeyError::Private);
}

#[test]
fn rfc7517_5_sets() {
    let set = format!(
        r#"{{"keys":[{},{},{},{{"kty":"AKP"}}]}}"#,
        with(EC, "kid", r#""a""#),
        with(EC, "use", r#""enc""#),
        RFC7515_EC
    );
    let set = KeySet::parse(set.as_bytes()).unwrap();
    assert_eq!(set.keys().len(), 1);
    assert_eq!(set.refused(), [KeyError::Use, KeyError::Private, KeyError::Type]);
    assert_eq!(set.candidates(Some("a"), Algorithm::Es256).count(), 1);
    assert_eq!(set.candidates(Some("a"), Algorithm::Es384).count(), 0);
    assert_eq!(set.candidates(Some("b"), Algorithm::Es256).count(), 0);
    assert_eq!(set.candidates(None, Algorithm::Es256).count(), 1);
    assert!(set.names("a") && !set.names("b"));
}

#[test]
fn sets_are_bounded() {
    let of = |count: usize| format!(r#"{{"keys":[{}]}}"#, vec![EC; count].join(","));
    let error = |json: &str| KeySet::parse(json.as_bytes()).unwrap_err();
    assert_eq!(
        KeySet::parse(of(limits::KEY_SET_KEYS).as_bytes()).unwrap().keys().len(),
        limits::KEY_SET_KEYS
    );
    assert_eq!(error(&of(limits::KEY_SET_KEYS + 1)), KeySetError::TooLarge);
    assert_eq!(error(&format!(r#"{{"keys":[{}]}}"#, vec!["1"; 100_000].join(","))), KeySetError::TooLarge);
    assert_eq!(error(&" ".repeat(limits::KEY_SET_BODY + 1)), KeySetError::TooLarge);
    assert_eq!(error("{}"), KeySetError::Keys);
    assert_eq!(error(r#"{"keys":{}}"#), KeySetError::Keys);
    assert_eq!(error(r#"{"keys":[],"keys":[{}]}"#), KeySetError::Repeated);
    assert_eq!(error("<html>"), KeySetError::Syntax);
    let set = KeySet::parse(of(limits::KEY_SET_KEYS).as_bytes()).unwrap();
    assert_eq!(set.candidates(None, Algorithm::Es256).count(), limits::KEYS_TRIED);
}

#[test]
fn private_keys_of_every_form() {
    for (pem, algorithm) in [
        (P256, Algorithm::Es256),
        (P256_SEC1, Algorithm::Es256),
        (P384, Algorithm::Es384),
        (ED25519, Algorithm::EdDsa),
        (RSA, Algorithm::Rs256),
        (RSA, Algorithm::Rs384),
        (RSA, Algorithm::Rs512),
        (RSA_PKCS1, Algorithm::Ps256),
    ] {
        let key = SigningKey::from_pem(pem, algorithm).unwrap();
        let signature = key.sign(b"x").unwrap();
        let verifier = key.public().verifier(algorithm).unwrap();
        assert!(verifier.verify(b"x", &signature), "{algorithm}");
        assert!(!verifier.verify(b"y", &signature), "{algorithm}");
        let other = PublicKey::from_jwk(&key.public().to_jwk()).unwrap();
        assert_eq!(&other, key.public());
    }
    let thumbprint = |pem| SigningKey::from_pem(pem, Algorithm::Es256).unwrap().public().thumbprint();
    assert_eq!(thumbprint(P256), thumbprint(P256_SEC1));
}

#[test]
fn private_keys_of_the_wrong_kind() {
    let error = |pem, algorithm| SigningKey::from_pem(pem, algorithm).unwrap_err();
    let wrong = |kind, algorithm| KeyError::WrongKind { kind, algorithm };
    assert_eq!(error(P256, Algorithm::Es384), wrong(KeyKind::P256, Algorithm::Es384));
    assert_eq!(error(P384, Algorithm::Es256), wrong(KeyKind::P384, Algorithm::Es256));
    assert_eq!(error(ED25519, Algorithm::Rs256), wrong(KeyKind::Ed25519, Algorithm::Rs256));
    assert_eq!(error(RSA, Algorithm::EdDsa), wrong(KeyKind::Rsa { bits: 2048 }, Algorithm::EdDsa));
    assert_eq!(error(RSA_1024, Algorithm::Rs256), KeyError::RsaTooSmall);
    assert_eq!(error(P521, Algorithm::Es256), KeyError::Invalid);
    assert_eq!(error(P256_ENCRYPTED, Algorithm::Es256), KeyError::Encrypted);
    let generated = SigningKey::generate(Algorithm::Rs256, &[7; 32]).unwrap_err();
    assert_eq!(generated, wrong(KeyKind::P256, Algorithm::Rs256));
}

#[test]
fn rfc7468_malformed_pem() {
    let error = |pem: &str| private_key(pem).unwrap_err();
    assert_eq!(error(""), KeyError::Syntax);
    assert_eq!(error(&P256.replace("END", "ENT")), KeyError::Syntax);
    assert_eq!(error(&P256.replace("END PRIVATE", "END PUBLIC")), KeyError::Syntax);
    assert_eq!(error("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----"), KeyError::Syntax);
    assert_eq!(error("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), KeyError::Syntax);
    assert_eq!(
        error(
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
        ),
        KeyError::Encrypted
    );
    assert_eq!(error(&"x".repeat(limits::PRIVATE_KEY + 1)), KeyError::TooLarge);
    let after = format!("-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n{P256_SEC1}");
    assert_eq!(private_key(&after).unwrap().0, Container::Sec1);
    let flat = P256.replace('\n', "");
    assert_eq!(private_key(&flat).unwrap().0, Container::Pkcs8, "line breaks lost on the way");
    let cut = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n";
    assert_eq!(SigningKey::from_pem(cut, Algorithm::Es256).unwrap_err(), KeyError::Invalid);
}

#[test]
fn private_jwk() {
    for (jwk, algorithm) in
        [(RFC7515_EC, Algorithm::Es256), (RFC7515_RSA, Algorithm::Ps256), (RFC8037_OKP, Algorithm::EdDsa)]
    {
        let key = SigningKey::from_jwk(&with(jwk, "kid", r#""n""#), algorithm).unwrap();
        assert_eq!(key.public().kid(), Some("n"));
        assert_eq!(key.public(), &public(jwk));
        let missing = if jwk == RFC7515_RSA { "qi" } else { "d" };
        let error = SigningKey::from_jwk(&with(jwk, missing, ""), algorithm).unwrap_err();
        assert_eq!(error, KeyError::Missing { member: missing });
    }
    let mixed = with(RFC7515_EC, "d", r#""AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE""#);
    assert_eq!(SigningKey::from_jwk(&mixed, Algorithm::Es256).unwrap_err(), KeyError::Invalid, "two halves");
    let mixed = with(RFC8037_OKP, "d", r#""AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE""#);
    assert_eq!(SigningKey::from_jwk(&mixed, Algorithm::EdDsa).unwrap_err(), KeyError::Invalid);
    let mixed = with(RFC7515_RSA, "p", r#""AQAB""#);
    assert_eq!(SigningKey::from_jwk(&mixed, Algorithm::Rs256).unwrap_err(), KeyError::Invalid);
}

#[test]
fn generated_keys_depend_on_the_entropy_alone() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let make = |byte| SigningKey::generate(algorithm, &[byte; 32]).unwrap().public().thumbprint();
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }
    assert_eq!(SigningKey::generate(Algorithm::Es256, &[0; 32]).unwrap_err(), KeyError::Invalid);
    assert_eq!(SigningKey::generate(Algorithm::Es256, &[0xff; 32]).unwrap_err(), KeyError::Invalid);
}

#[test]
fn deterministic_signatures() {
    for (pem, algorithm) in [(ED25519, Algorithm::EdDsa), (RSA, Algorithm::Rs256)] {
        let key = SigningKey::from_pem(pem, algorithm).unwrap();
        assert_eq!(key.sign(b"x").unwrap(), key.sign(b"x").unwrap());
    }
}

#[test]
fn keys_written_out() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let key = SigningKey::generate(algorithm, &[3; 32]).unwrap().with_kid("a\"b");
        let again = SigningKey::from_jwk(key.to_jwk().unwrap().expose(), algorithm).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(again.public().kid(), Some("a\"b"));
    }
    let key = |pem, algorithm| SigningKey::from_pem(pem, algorithm).unwrap();
    assert!(key(P384, Algorithm::Es384).to_jwk().is_ok());
    assert_eq!(key(RSA, Algorithm::Rs256).to_jwk(), Err(KeyError::NotExportable));
    assert_eq!(key(ED25519, Algorithm::EdDsa).to_jwk(), Err(KeyError::NotExportable));
}

#[test]
fn debug_shows_no_private_half() {
    let key = SigningKey::from_jwk(RFC7515_EC, Algorithm::Es256).unwrap();
    let shown = format!("{key:?} {:?}", key.to_jwk());
    assert!(!shown.contains("jpsQnnGQ") && !shown.contains("142"), "{shown}");
}
