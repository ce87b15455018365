//! What is wrong with a key.

use super::KeyKind;
use crate::jose::algorithm::Algorithm;
use crate::jose::object::ObjectError;

/// Why a key is refused. None of these quotes the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// `alg` is unknown, or the key is of a kind that makes no such signatures (RFC 7517 4.4).
    #[error("the key's alg is unknown or does not fit its kind")]
    Algorithm,
    /// A curve other than P-256, P-384 and Ed25519.
    #[error("the key's curve is not supported")]
    Curve,
    /// A private key under a passphrase; decrypt it first.
    #[error("the private key is encrypted")]
    Encrypted,
    /// The numbers make no key: a point off its curve, parts that contradict each other.
    #[error("the key is invalid")]
    Invalid,
    /// A member that is no base64url, or not of the length that the key's kind demands (RFC 7518 6).
    #[error("the key's `{member}` is malformed")]
    Malformed {
        /// The member.
        member: &'static str,
    },
    /// A member that such a key must have.
    #[error("the key has no `{member}`")]
    Missing {
        /// The member.
        member: &'static str,
    },
    /// The key was read from a text that the host has, and is of a kind that is not written out again:
    /// RSA, or Ed25519 from PEM.
    #[error("this key cannot be written out")]
    NotExportable,
    /// `key_ops` does not allow what the key is to do (RFC 7517 4.3).
    #[error("the key's key_ops does not allow this operation")]
    Operations,
    /// Where a public key is expected, the key carries private members (RFC 9449 4.3).
    #[error("the key is private where a public one is expected")]
    Private,
    /// A member twice (RFC 7517 4).
    #[error("the key names a member twice")]
    Repeated,
    /// An RSA exponent that is even, smaller than 3 or larger than 33 bits.
    #[error("the RSA key's exponent is not acceptable")]
    RsaExponent,
    /// An RSA modulus over [`RSA_BITS_MAX`](crate::limits::RSA_BITS_MAX).
    #[error("the RSA key is larger than {} bits", crate::limits::RSA_BITS_MAX)]
    RsaTooLarge,
    /// An RSA modulus below 2048 bits (RFC 7518 3.3).
    #[error("the RSA key is smaller than 2048 bits (RFC 7518 section 3.3)")]
    RsaTooSmall,
    /// A symmetric key, which verifies nothing here (RFC 8725 3.1).
    #[error("the key is symmetric")]
    Symmetric,
    /// No JSON object, or no PEM.
    #[error("not a key in a known format")]
    Syntax,
    /// Larger than its bound ([`limits`](crate::limits)).
    #[error("the key is too large")]
    TooLarge,
    /// A `kty` that is unknown.
    #[error("the key's type is not supported")]
    Type,
    /// `use` is not `sig` (RFC 7517 4.2).
    #[error("the key is not for signatures")]
    Use,
    /// A good key, but not for the algorithm that was asked for.
    #[error("a {kind} key does not make {algorithm} signatures")]
    WrongKind {
        /// What the key is.
        kind: KeyKind,
        /// What it was to be used for.
        algorithm: Algorithm,
    },
}

impl From<ObjectError> for KeyError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Repeated => Self::Repeated,
            ObjectError::Syntax => Self::Syntax,
            ObjectError::TooLarge => Self::TooLarge,
        }
    }
}
