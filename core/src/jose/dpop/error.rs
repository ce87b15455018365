//! What a proof can be refused for.

use crate::jose::claims::ClaimsError;
use crate::jose::jws::JwsError;
use crate::jose::key::KeyError;

/// Why a proof is refused. One variant for each check of RFC 9449 4.3; none quotes the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DpopError {
    /// `ath` is not the hash of the access token, or missing (check 12).
    #[error("the proof is for another access token (ath)")]
    AccessToken,
    /// The access token is bound to another key (check 12).
    #[error("the proof's key is not the one that the access token is bound to")]
    Binding,
    /// Claims that are none (check 2), or a time out of range.
    #[error("the proof's claims: {0}")]
    Claims(ClaimsError),
    /// `jti` is longer than its bound.
    #[error("the proof's jti is too long")]
    IdTooLong,
    /// No `jwk` in the header (check 3).
    #[error("the proof carries no key")]
    KeyMissing,
    /// A key that carries its private half (check 7), or is otherwise no good (check 6).
    #[error("the proof's key: {0}")]
    Key(KeyError),
    /// A claim that every proof has (check 3).
    #[error("the proof has no {claim}")]
    Missing {
        /// The claim.
        claim: &'static str,
    },
    /// `htm` is another method (check 8).
    #[error("the proof is for another method (htm)")]
    Method,
    /// More than one `DPoP` header (check 1).
    #[error("the request carries more than one proof")]
    Multiple,
    /// `nonce` is not the one that this server gave out, or missing (check 10): answer with a new one.
    #[error("the proof lacks the current nonce")]
    Nonce,
    /// Not a JWT that can be read (check 2), an algorithm that is not accepted (check 5), or a wrong
    /// signature (check 6).
    #[error(transparent)]
    Token(#[from] JwsError),
    /// Made too far in the future (check 11).
    #[error("the proof was made in the future (iat)")]
    TooNew,
    /// Made too long ago (check 11).
    #[error("the proof is too old (iat)")]
    TooOld,
    /// `typ` is not `dpop+jwt` (check 4).
    #[error("the token is no DPoP proof (typ)")]
    Type,
    /// `htu` is another URL (check 9).
    #[error("the proof is for another URL (htu)")]
    Url,
}

impl From<ClaimsError> for DpopError {
    fn from(error: ClaimsError) -> Self {
        match error {
            ClaimsError::Missing { claim } => Self::Missing { claim },
            other => Self::Claims(other),
        }
    }
}
