//! Making proofs (RFC 9449 4.2).

use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use url::Url;

use super::{TYPE, htu, token_hash};
use crate::jose::algorithm::Algorithm;
use crate::jose::base64url;
use crate::jose::jws::{Unsigned, encoded};
use crate::jose::key::{KeyError, PublicKey};

/// The public side of a `DPoP` key, prepared once for many proofs. The private side signs what comes out,
/// here or elsewhere.
///
/// ```
/// # #[cfg(feature = "crypto")] {
/// use grantor::jose::{Algorithm, SigningKey, dpop::{ProofKey, ProofRequest}};
/// let key = SigningKey::generate(Algorithm::Es256, &[7; 32])?;
/// let proofs = ProofKey::new(key.public(), key.algorithm())?;
/// let url = url::Url::parse("https://mcp.example.com/mcp?x=y")?;
/// let request = ProofRequest::new(&http::Method::POST, &url);
/// let proof = proofs.proof(&request, 1_700_000_000, &[9; 16]).sign(&key)?;
/// assert_eq!(proof.expose().split('.').count(), 3);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProofKey {
    algorithm: Algorithm,
    header: String,
    thumbprint: String,
}

/// The request that a proof is for.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ProofRequest<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its URL; query and fragment are left out of the proof.
    pub url: &'a Url,
    /// The access token that goes with it; none at the token endpoint.
    pub access_token: Option<&'a str>,
    /// The last nonce that the server of this URL gave (RFC 9449 8, 9).
    pub nonce: Option<&'a str>,
}

impl<'a> ProofRequest<'a> {
    /// A request without access token and nonce.
    pub const fn new(method: &'a Method, url: &'a Url) -> Self {
        Self { method, url, access_token: None, nonce: None }
    }
}

impl std::fmt::Debug for ProofRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProofRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    jwk: &'a RawValue,
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: &'a str,
    htm: &'a str,
    htu: &'a str,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl ProofKey {
    /// Proofs by this key with this algorithm.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] when the key makes no such signatures.
    pub fn new(key: &PublicKey, algorithm: Algorithm) -> Result<Self, KeyError> {
        if !key.allows(algorithm) {
            return Err(KeyError::WrongKind { kind: key.kind(), algorithm });
        }
        let jwk = RawValue::from_string(key.to_jwk()).map_err(|_| KeyError::Syntax)?;
        let header = encoded(&Header { typ: TYPE, alg: algorithm.name(), jwk: &jwk });
        Ok(Self { algorithm, header, thumbprint: key.thumbprint() })
    }

    /// What its signatures are made with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `jkt`: the thumbprint that tokens are bound to, and `dpop_jkt` of the authorization request
    /// (RFC 9449 10).
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// A proof for one request, made at `unix_s` seconds since 1970. `entropy` makes `jti`, and must not be
    /// used again.
    pub fn proof(&self, request: &ProofRequest<'_>, unix_s: u64, entropy: &[u8; 16]) -> Unsigned {
        let &ProofRequest { method, url, access_token, nonce } = request;
        let ath = access_token.map(token_hash);
        let claims = Claims {
            jti: &base64url::encode(entropy),
            htm: method.as_str(),
            htu: &htu::normal(url),
            iat: unix_s,
            ath: ath.as_deref(),
            nonce,
        };
        Unsigned::with_header(self.algorithm, &self.header, &claims)
    }
}
