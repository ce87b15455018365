use http::{HeaderMap, HeaderValue, Method};
use url::Url;

use super::*;
use crate::jose::algorithm::Algorithm;
use crate::jose::claims::ClaimsError;
use crate::jose::jws::JwsError;
use crate::jose::key::{KeyError, SigningKey};
use crate::jose::testing::{NOW, RFC7515_EC, es256, token, with};
use crate::limits;

/// RFC 9449, figure 2.
const FIGURE_2: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
/// RFC 9449, figure 13.
const FIGURE_13: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
const FIGURE_13_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const RFC9449_JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

const CLAIMS: &str = r#"{"jti":"j","htm":"POST","htu":"https://mcp.example.com/mcp","iat":1800000000}"#;

fn url() -> Url {
    Url::parse("https://mcp.example.com/mcp").unwrap()
}

fn check(proof: &str, change: impl Fn(&mut ProofRules<'_>)) -> Result<Proof, DpopError> {
    let url = url();
    let mut rules = ProofRules::new(&Method::POST, &url);
    change(&mut rules);
    verify(proof, &rules, NOW)
}

/// A proof with these claims.
fn proof(claims: &str) -> String {
    let jwk = es256().public().to_jwk();
    token(&format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{jwk}}}"#), claims, &es256())
}

fn refused(claims: &str) -> DpopError {
    check(&proof(claims), |_| {}).unwrap_err()
}

fn refused_header(header: &str) -> DpopError {
    check(&token(header, CLAIMS, &es256()), |_| {}).unwrap_err()
}

#[test]
fn rfc9449_4_1_figure_2() {
    let url = Url::parse("https://server.example.com/token").unwrap();
    let proof = verify(FIGURE_2, &ProofRules::new(&Method::POST, &url), 1_562_262_616).unwrap();
    assert_eq!(proof.thumbprint, RFC9449_JKT);
    assert_eq!((&*proof.id, proof.issued_at_s), ("-BwC3ESc6acc2lTc", 1_562_262_616));
}

#[test]
fn rfc9449_7_1_figure_13() {
    let url = Url::parse("https://resource.example.org/protectedresource").unwrap();
    let mut rules = ProofRules::new(&Method::GET, &url);
    rules.access_token = Some(FIGURE_13_TOKEN);
    rules.jkt = Some(RFC9449_JKT);
    let proof = verify(FIGURE_13, &rules, 1_562_262_618).unwrap();
    assert_eq!(&*proof.id, "e1j3V_bKic8-LAEB");
    assert_eq!(token_hash(FIGURE_13_TOKEN), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
}

#[test]
fn rfc9449_4_2_what_is_made_is_accepted() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let key = SigningKey::generate(algorithm, &[5; 32]).unwrap();
        let proofs = ProofKey::new(key.public(), algorithm).unwrap();
        let target = Url::parse("https://mcp.example.com/mcp?secret=x#y").unwrap();
        let mut request = ProofRequest::new(&Method::POST, &target);
        request.access_token = Some("token");
        request.nonce = Some("n-1");
        let proof = proofs.proof(&request, NOW, &[1; 16]).sign(&key).unwrap();
        let url = url();
        let mut rules = ProofRules::new(&Method::POST, &url);
        rules.access_token = Some("token");
        rules.jkt = Some(proofs.thumbprint());
        rules.nonces = &["n-0", "n-1"];
        let checked = verify(proof.expose(), &rules, NOW).unwrap();
        assert_eq!(checked.thumbprint, proofs.thumbprint());
        assert_eq!(checked.accepted_until_s, NOW + limits::DPOP_AGE_S);
        let claims = proof.expose().split('.').nth(1).unwrap();
        let claims = String::from_utf8(crate::jose::base64url::decode(claims).unwrap()).unwrap();
        assert!(claims.contains(r#""htu":"https://mcp.example.com/mcp""#), "{claims}");
        assert!(!claims.contains("secret"), "{claims}");
    }
    let key = es256();
    let wrong = ProofKey::new(key.public(), Algorithm::EdDsa).unwrap_err();
    assert!(matches!(wrong, KeyError::WrongKind { .. }));
}

#[test]
fn rfc9449_4_2_jti_depends_on_the_entropy() {
    let key = SigningKey::generate(Algorithm::EdDsa, &[5; 32]).unwrap();
    let proofs = ProofKey::new(key.public(), Algorithm::EdDsa).unwrap();
    let url = url();
    let make =
        |byte| proofs.proof(&ProofRequest::new(&Method::POST, &url), NOW, &[byte; 16]).sign(&key).unwrap();
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
}

#[test]
fn rfc9449_4_3_1_one_proof() {
    let mut headers = HeaderMap::new();
    assert_eq!(single_proof(&headers), Ok(None));
    headers.append("dpop", HeaderValue::from_static("a"));
    assert_eq!(single_proof(&headers), Ok(Some("a")));
    headers.append("dpop", HeaderValue::from_static("a"));
    assert_eq!(single_proof(&headers), Err(DpopError::Multiple));
    let mut headers = HeaderMap::new();
    headers.append("dpop", HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(single_proof(&headers), Err(DpopError::Token(JwsError::Parts)));
}

#[test]
fn rfc9449_4_3_2_a_jwt() {
    assert_eq!(check("x", |_| {}).unwrap_err(), DpopError::Token(JwsError::Parts));
    assert_eq!(refused("[]"), DpopError::Claims(ClaimsError::Syntax));
    assert_eq!(refused(r#"{"jti":"a","jti":"b"}"#), DpopError::Claims(ClaimsError::Repeated));
    let long = "a".repeat(limits::DPOP_PROOF + 1);
    assert_eq!(check(&long, |_| {}).unwrap_err(), DpopError::Token(JwsError::TooLarge));
}

#[test]
fn rfc9449_4_3_3_required_claims() {
    for claim in ["jti", "htm", "htu", "iat"] {
        assert_eq!(refused(&with(CLAIMS, claim, "")), DpopError::Missing { claim });
    }
    assert_eq!(refused(&with(CLAIMS, "jti", r#""""#)), DpopError::Missing { claim: "jti" });
    assert_eq!(
        refused(&with(CLAIMS, "htm", "1")),
        DpopError::Claims(ClaimsError::WrongType { claim: "htm" })
    );
    assert_eq!(
        refused(&with(CLAIMS, "iat", r#""1""#)),
        DpopError::Claims(ClaimsError::WrongType { claim: "iat" })
    );
    assert_eq!(refused_header(r#"{"typ":"dpop+jwt","alg":"ES256"}"#), DpopError::KeyMissing);
    let long = format!("\"{}\"", "j".repeat(limits::DPOP_JTI + 1));
    assert_eq!(refused(&with(CLAIMS, "jti", &long)), DpopError::IdTooLong);
}

#[test]
fn rfc9449_4_3_4_typ() {
    let jwk = es256().public().to_jwk();
    assert_eq!(refused_header(&format!(r#"{{"typ":"JWT","alg":"ES256","jwk":{jwk}}}"#)), DpopError::Type);
    assert_eq!(refused_header(&format!(r#"{{"alg":"ES256","jwk":{jwk}}}"#)), DpopError::Type);
}

#[test]
fn rfc9449_4_3_5_algorithm() {
    let jwk = es256().public().to_jwk();
    let header = |alg| format!(r#"{{"typ":"dpop+jwt","alg":"{alg}","jwk":{jwk}}}"#);
    assert_eq!(refused_header(&header("none")), DpopError::Token(JwsError::AlgorithmNone));
    assert_eq!(refused_header(&header("HS256")), DpopError::Token(JwsError::AlgorithmSymmetric));
    let forbidden = check(&proof(CLAIMS), |rules| rules.algorithms = &[Algorithm::Rs256]).unwrap_err();
    assert_eq!(forbidden, DpopError::Token(JwsError::AlgorithmForbidden(Algorithm::Es256)));
    let kind = refused_header(&header("EdDSA"));
    assert!(matches!(kind, DpopError::Key(KeyError::WrongKind { .. })), "{kind}");
}

#[test]
fn rfc9449_4_3_6_signature() {
    let good = proof(CLAIMS);
    let other = proof(&with(CLAIMS, "jti", r#""x""#));
    let (input, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    let error = check(&format!("{input}.{signature}"), |_| {}).unwrap_err();
    assert_eq!(error, DpopError::Token(JwsError::Signature));
}

#[test]
fn rfc9449_4_3_7_no_private_key() {
    let header = format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{RFC7515_EC}}}"#);
    let key = SigningKey::from_jwk(RFC7515_EC, Algorithm::Es256).unwrap();
    let error = check(&token(&header, CLAIMS, &key), |_| {}).unwrap_err();
    assert_eq!(error, DpopError::Key(KeyError::Private));
}

#[test]
fn rfc9449_4_3_8_method() {
    assert_eq!(refused(&with(CLAIMS, "htm", r#""GET""#)), DpopError::Method);
    assert_eq!(refused(&with(CLAIMS, "htm", r#""post""#)), DpopError::Method, "methods have case");
}

#[test]
fn rfc9449_4_3_9_url() {
    for same in [
        "https://MCP.example.com:443/mcp",
        "https://mcp.example.com/%6dcp",
        "https://mcp.example.com/mcp?a#b",
    ] {
        assert!(check(&proof(&with(CLAIMS, "htu", &format!("\"{same}\""))), |_| {}).is_ok(), "{same}");
    }
    for other in [
        "https://mcp.example.com/mcp/",
        "https://mcp.example.com/MCP",
        "http://mcp.example.com/mcp",
        "https://mcp.example.com:8443/mcp",
        "https://u@mcp.example.com/mcp",
        "/mcp",
        "x",
    ] {
        assert_eq!(refused(&with(CLAIMS, "htu", &format!("\"{other}\""))), DpopError::Url, "{other}");
    }
}

#[test]
fn rfc9449_4_3_10_nonce() {
    let nonces = |claims: &str| check(&proof(claims), |rules| rules.nonces = &["current", "previous"]);
    assert_eq!(nonces(CLAIMS).unwrap_err(), DpopError::Nonce);
    assert_eq!(nonces(&with(CLAIMS, "nonce", r#""old""#)).unwrap_err(), DpopError::Nonce);
    assert!(nonces(&with(CLAIMS, "nonce", r#""previous""#)).is_ok());
    assert!(check(&proof(&with(CLAIMS, "nonce", r#""unasked""#)), |_| {}).is_ok());
}

#[test]
fn rfc9449_4_3_11_creation_time() {
    let at = |iat: u64| check(&proof(&with(CLAIMS, "iat", &iat.to_string())), |_| {}).map(|_| ());
    assert_eq!(at(NOW + limits::CLOCK_LEEWAY_S), Ok(()));
    assert_eq!(at(NOW + limits::CLOCK_LEEWAY_S + 1), Err(DpopError::TooNew));
    assert_eq!(at(NOW - limits::DPOP_AGE_S), Ok(()));
    assert_eq!(at(NOW - limits::DPOP_AGE_S - 1), Err(DpopError::TooOld));
    assert_eq!(at(NOW * 1000), Err(DpopError::Claims(ClaimsError::TimeRange { claim: "iat" })));
}

#[test]
fn rfc9449_4_3_12_access_token_and_key() {
    let ath = format!("\"{}\"", token_hash("token"));
    let bound = proof(&with(CLAIMS, "ath", &ath));
    assert!(check(&bound, |rules| rules.access_token = Some("token")).is_ok());
    let other = check(&bound, |rules| rules.access_token = Some("token2"));
    assert_eq!(other.unwrap_err(), DpopError::AccessToken);
    let missing = check(&proof(CLAIMS), |rules| rules.access_token = Some("token"));
    assert_eq!(missing.unwrap_err(), DpopError::AccessToken);
    let other_key = check(&bound, |rules| rules.jkt = Some(RFC9449_JKT));
    assert_eq!(other_key.unwrap_err(), DpopError::Binding);
}
