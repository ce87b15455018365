//! Assertions by which a client authenticates (RFC 7523 2.2, 3; `OpenID` Connect Core 9).

use std::fmt;

use serde::Serialize;

use super::algorithm::Algorithm;
use super::base64url;
use super::jws::Unsigned;
use crate::limits;
#[cfg(feature = "crypto")]
use crate::secret::Secret;

/// An assertion that this client is who it says: `iss` and `sub` are its id.
///
/// ```
/// # #[cfg(feature = "crypto")] {
/// use grantor::jose::{Algorithm, ClientAssertion, SigningKey};
/// let key = SigningKey::generate(Algorithm::Es256, &[7; 32])?.with_kid("2026");
/// let assertion = ClientAssertion::new("client", "https://as.example.com");
/// let unsigned = assertion.unsigned(key.algorithm(), key.public().kid(), 1_700_000_000, &[9; 16]);
/// let jwt = unsigned.sign(&key)?; // or: unsigned.signing_input() to a KMS, unsigned.assemble(signature)
/// assert_eq!(jwt.expose().split('.').count(), 3);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientAssertion<'a> {
    /// `client_id`.
    pub client_id: &'a str,
    /// `aud`: the authorization server's issuer identifier, as draft-ietf-oauth-rfc7523bis demands; the
    /// token endpoint's URL for servers that know only RFC 7523.
    pub audience: &'a str,
    /// From `iat` to `exp`, in seconds.
    pub lifetime_s: u64,
    /// Whether the header says `"typ":"client-authentication+jwt"`, as draft-ietf-oauth-rfc7523bis has
    /// it, so that the assertion cannot be taken for another token. Otherwise `JWT`.
    pub typed: bool,
}

/// A client secret with fewer than 256 bits is no key for HS256 (RFC 7518 3.2).
#[cfg(feature = "crypto")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client secret is shorter than 32 bytes, too short for client_secret_jwt (RFC 7518 section 3.2)")]
#[non_exhaustive]
pub struct SecretTooShort;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: u64,
    exp: u64,
}

impl<'a> ClientAssertion<'a> {
    /// `client_assertion_type` in the request.
    pub const TYPE: &'static str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    /// Valid for [`limits::CLIENT_ASSERTION_S`], without the newer type.
    pub const fn new(client_id: &'a str, audience: &'a str) -> Self {
        Self { client_id, audience, lifetime_s: limits::CLIENT_ASSERTION_S, typed: false }
    }

    /// The assertion for `private_key_jwt`, to be signed by the key with the name `kid`, issued at
    /// `unix_s` seconds since 1970. `entropy` makes `jti`, and must not be used again.
    pub fn unsigned(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        unix_s: u64,
        entropy: &[u8; 16],
    ) -> Unsigned {
        let jti = base64url::encode(entropy);
        let header = Header { alg: algorithm.name(), typ: self.typ(), kid };
        Unsigned::new(algorithm, &header, &self.claims(unix_s, &jti))
    }

    /// The assertion for `client_secret_jwt`, signed with HS256.
    ///
    /// # Errors
    /// [`SecretTooShort`].
    #[cfg(feature = "crypto")]
    pub fn with_secret(
        &self,
        secret: &Secret,
        unix_s: u64,
        entropy: &[u8; 16],
    ) -> Result<Secret, SecretTooShort> {
        let key = secret.expose().as_bytes();
        if key.len() < 32 {
            return Err(SecretTooShort);
        }
        let jti = base64url::encode(entropy);
        let header = Header { alg: "HS256", typ: self.typ(), kid: None };
        let mut jwt = super::jws::input(&header, &self.claims(unix_s, &jti));
        let tag = super::crypto::hs256(key, jwt.as_bytes());
        jwt.push('.');
        base64url::encode_onto(tag, &mut jwt);
        Ok(Secret::from(jwt))
    }

    const fn typ(&self) -> &'static str {
        if self.typed { "client-authentication+jwt" } else { "JWT" }
    }

    fn claims<'b>(&self, unix_s: u64, jti: &'b str) -> Claims<'b>
    where
        'a: 'b,
    {
        let exp = unix_s.saturating_add(self.lifetime_s);
        Claims { iss: self.client_id, sub: self.client_id, aud: self.audience, jti, iat: unix_s, exp }
    }
}

impl fmt::Debug for ClientAssertion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAssertion")
            .field("client_id", &self.client_id)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::jose::testing::{NOW, es256};

    fn part(jwt: &str, part: usize) -> Value {
        serde_json::from_slice(&base64url::decode(jwt.split('.').nth(part).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn rfc7523_3_claims() {
        let key = es256();
        let assertion = ClientAssertion::new("c", "https://as");
        let jwt = assertion.unsigned(key.algorithm(), key.public().kid(), NOW, &[1; 16]).sign(&key).unwrap();
        assert_eq!(part(jwt.expose(), 0), json!({"alg": "ES256", "typ": "JWT", "kid": "k"}));
        assert_eq!(
            part(jwt.expose(), 1),
            json!({
                "iss": "c", "sub": "c", "aud": "https://as", "jti": "AQEBAQEBAQEBAQEBAQEBAQ",
                "iat": NOW, "exp": NOW + limits::CLIENT_ASSERTION_S,
            })
        );
        let trusted =
            crate::jose::Jws::parse(jwt.expose()).unwrap().verify(key.public(), &[Algorithm::Es256]);
        assert!(trusted.is_ok());
    }

    #[test]
    fn rfc7523bis_typ() {
        let mut assertion = ClientAssertion::new("c", "https://as");
        assertion.typed = true;
        let unsigned = assertion.unsigned(Algorithm::Es256, None, NOW, &[1; 16]);
        let input = String::from_utf8(unsigned.signing_input().to_vec()).unwrap();
        assert_eq!(part(&input, 0), json!({"alg": "ES256", "typ": "client-authentication+jwt"}));
    }

    #[test]
    fn rfc7518_3_2_client_secret_jwt() {
        let assertion = ClientAssertion::new("c", "https://as");
        let short = assertion.with_secret(&Secret::from("x".repeat(31)), NOW, &[1; 16]);
        assert_eq!(short, Err(SecretTooShort));
        let jwt = assertion.with_secret(&Secret::from("x".repeat(32)), NOW, &[1; 16]).unwrap();
        assert_eq!(part(jwt.expose(), 0)["alg"], "HS256");
        let refused = crate::jose::Jws::parse(jwt.expose()).unwrap_err();
        assert_eq!(refused, crate::jose::JwsError::AlgorithmSymmetric);
    }

    #[test]
    fn rfc7515_a_1_hs256() {
        let key = base64url::decode(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        );
        let input =
            format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{}", crate::jose::testing::RFC7515_PAYLOAD);
        let tag = crate::jose::crypto::hs256(&key.unwrap(), input.as_bytes());
        assert_eq!(base64url::encode(tag), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }
}
