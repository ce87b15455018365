//! JWS in compact form (RFC 7515 3.1, 7.1): three parts of base64url with dots between.

mod header;
mod unsigned;

use std::fmt;

pub use header::Header;
pub(crate) use unsigned::encoded;
#[cfg(feature = "crypto")]
pub(super) use unsigned::input;
pub use unsigned::{SignatureFormat, Unsigned};

use super::algorithm::Algorithm;
use super::base64url;
use super::claims::{Claims, ClaimsError};
#[cfg(feature = "crypto")]
use super::key::{KeySet, PublicKey};
use crate::limits;

/// Why a JWS is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// An algorithm that is known, but not on the list of those allowed (RFC 8725 3.1).
    #[error("{0} signatures are not accepted here")]
    AlgorithmForbidden(Algorithm),
    /// No `alg` (RFC 7515 4.1.1).
    #[error("the token names no algorithm")]
    AlgorithmMissing,
    /// `alg` is `none` (RFC 8725 3.2).
    #[error("the token is not signed (alg none)")]
    AlgorithmNone,
    /// `alg` is a symmetric algorithm: whoever knows the public key could have signed (RFC 8725 2.1).
    #[error("the token is signed with a symmetric algorithm")]
    AlgorithmSymmetric,
    /// `alg` is unknown here.
    #[error("the token's algorithm is unknown")]
    AlgorithmUnknown,
    /// A part is no base64url (RFC 7515 2).
    #[error("the token's {part} is malformed")]
    Base64 {
        /// Which one.
        part: Part,
    },
    /// `crit`: extensions that must be understood, and none is (RFC 7515 4.1.11).
    #[error("the token demands extensions (crit)")]
    Critical,
    /// `jwk`: the token brings its own key, where only the issuer's count (RFC 8725 3.10).
    #[error("the token brings its own key")]
    EmbeddedKey,
    /// The header is no JSON object, or a member is of the wrong type (RFC 7515 4).
    #[error("the token's header is malformed")]
    Header,
    /// The header names a member twice (RFC 7515 4).
    #[error("the token's header names a member twice")]
    HeaderRepeated,
    /// The key does not make signatures of this algorithm, or its `alg` says another (RFC 7517 4.4).
    #[error("the key is not for this algorithm")]
    KeyAlgorithm,
    /// Not three parts (RFC 7515 7.1).
    #[error("the token is not made of three parts")]
    Parts,
    /// The signature is not one of this key over this token (RFC 7515 5.2).
    #[error("the token's signature is wrong")]
    Signature,
    /// Larger than [`limits::JWS`], or its header than [`limits::JWS_HEADER`].
    #[error("the token is too large")]
    TooLarge,
    /// `b64`: the payload is not encoded (RFC 7797).
    #[error("the token's payload is not encoded (b64)")]
    Unencoded,
    /// No key of the set may have signed: fetch the set again, though not for every such token.
    #[error("the token is signed with an unknown key")]
    UnknownKey,
}

/// The parts of a compact JWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The first.
    Header,
    /// The second.
    Payload,
    /// The third.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// A JWS whose signature nobody has checked yet. Its header can be read, to find the key.
pub struct Jws<'a> {
    header: Header,
    #[cfg(feature = "crypto")]
    input: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Jws<'a> {
    /// Takes a compact JWS apart.
    ///
    /// `jku`, `x5u`, `x5c` and the like are passed over: keys come from the issuer's set alone.
    ///
    /// # Errors
    /// Every [`JwsError`] that needs no key.
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        let jws = Self::parse_with_key(token, limits::JWS)?;
        if jws.header.jwk.is_some() { Err(JwsError::EmbeddedKey) } else { Ok(jws) }
    }

    /// As [`parse`](Self::parse), with a `jwk` allowed.
    pub(super) fn parse_with_key(token: &'a str, most: usize) -> Result<Self, JwsError> {
        if token.len() > most {
            return Err(JwsError::TooLarge);
        }
        let [header, payload, signature] = parts(token).ok_or(JwsError::Parts)?;
        if header.len() > limits::JWS_HEADER {
            return Err(JwsError::TooLarge);
        }
        let header = base64url::decode(header).ok_or(JwsError::Base64 { part: Part::Header })?;
        Ok(Self {
            header: Header::parse(&header)?,
            #[cfg(feature = "crypto")]
            input: token.get(..token.len() - signature.len() - 1).unwrap_or_default(),
            payload,
            signature,
        })
    }

    /// The header: a hint where to look, not to be believed.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Checks the signature with this key.
    ///
    /// # Errors
    /// [`JwsError::AlgorithmForbidden`], [`JwsError::KeyAlgorithm`], [`JwsError::Signature`], and
    /// [`JwsError::Base64`] for the parts not decoded before.
    #[cfg(feature = "crypto")]
    pub fn verify(self, key: &PublicKey, allowed: &[Algorithm]) -> Result<Trusted, JwsError> {
        let signature = self.admit(allowed)?;
        self.check(key, &signature)?;
        self.trust()
    }

    /// Checks the signature with the key of the set that the header names.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify), and [`JwsError::UnknownKey`].
    #[cfg(feature = "crypto")]
    pub fn verify_with(self, keys: &KeySet, allowed: &[Algorithm]) -> Result<Trusted, JwsError> {
        self.check_with(keys, allowed)?;
        self.trust()
    }

    /// As [`verify_with`](Self::verify_with), for those who have the payload already.
    #[cfg(feature = "crypto")]
    pub(crate) fn check_with(&self, keys: &KeySet, allowed: &[Algorithm]) -> Result<(), JwsError> {
        let signature = self.admit(allowed)?;
        let algorithm = self.header.algorithm;
        let kid = self.header.kid();
        let mut found = match kid {
            Some(kid) if keys.names(kid) => Err(JwsError::KeyAlgorithm),
            _ => Err(JwsError::UnknownKey),
        };
        for key in keys.candidates(kid, algorithm) {
            found = self.check(key, &signature);
            if found.is_ok() {
                break;
            }
        }
        found
    }

    /// Believes the token without looking at its signature, because it came straight from its issuer's
    /// token endpoint over TLS, in answer to a request of this client (`OpenID` Connect Core 3.1.3.7, 6).
    ///
    /// Never for a token that passed through a browser or another party.
    ///
    /// # Errors
    /// [`JwsError::AlgorithmForbidden`] and [`JwsError::Base64`].
    pub fn received_from_issuer(self, allowed: &[Algorithm]) -> Result<Trusted, JwsError> {
        self.admit(allowed)?;
        self.trust()
    }

    /// The payload before its signature was looked at, to find out who should have signed it.
    #[cfg(feature = "crypto")]
    pub(crate) fn unverified_payload(&self) -> Result<Vec<u8>, JwsError> {
        base64url::decode(self.payload).ok_or(JwsError::Base64 { part: Part::Payload })
    }

    /// The signature, if this algorithm is allowed.
    fn admit(&self, allowed: &[Algorithm]) -> Result<Vec<u8>, JwsError> {
        // The text of 8192 bits, the most that a key here makes.
        const MOST: usize = 1366;
        if !allowed.contains(&self.header.algorithm) {
            return Err(JwsError::AlgorithmForbidden(self.header.algorithm));
        }
        if self.signature.len() > MOST {
            return Err(JwsError::Signature);
        }
        base64url::decode(self.signature).ok_or(JwsError::Base64 { part: Part::Signature })
    }

    #[cfg(feature = "crypto")]
    fn check(&self, key: &PublicKey, signature: &[u8]) -> Result<(), JwsError> {
        let verifier = key.verifier(self.header.algorithm).ok_or(JwsError::KeyAlgorithm)?;
        if verifier.verify(self.input.as_bytes(), signature) { Ok(()) } else { Err(JwsError::Signature) }
    }

    fn trust(self) -> Result<Trusted, JwsError> {
        let payload = base64url::decode(self.payload).ok_or(JwsError::Base64 { part: Part::Payload })?;
        Ok(Trusted { header: self.header, payload })
    }
}

/// What stands between two dots.
fn parts(token: &str) -> Option<[&str; 3]> {
    let mut dots = memchr::memchr_iter(b'.', token.as_bytes());
    let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else { return None };
    Some([token.get(..first)?, token.get(first + 1..second)?, token.get(second + 1..)?])
}

/// Nothing but the header: the rest is somebody's credential.
impl fmt::Debug for Jws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jws").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Header and payload of a JWS that its issuer made. What it says is still to be checked: the profiles
/// ([`AccessToken`](super::AccessToken), [`IdToken`](super::IdToken), [`IdJag`](super::IdJag)) do it.
pub struct Trusted {
    pub(super) header: Header,
    payload: Vec<u8>,
}

impl Trusted {
    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload as it was signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as claims.
    ///
    /// # Errors
    /// [`ClaimsError::Syntax`], [`ClaimsError::Repeated`] and [`ClaimsError::TooLarge`].
    pub fn claims(&self) -> Result<Claims<'_>, ClaimsError> {
        Claims::parse(&self.payload)
    }

    pub(super) fn into_payload(self) -> Vec<u8> {
        self.payload
    }
}

/// Claims are personal data, and stay out of logs.
impl fmt::Debug for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trusted").field("header", &self.header).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests;
