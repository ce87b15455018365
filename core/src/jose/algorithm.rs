//! Signature algorithms (RFC 7518 3.1, RFC 8037).

use std::fmt;

use super::key::KeyKind;

/// An asymmetric signature algorithm.
///
/// `none` and the symmetric ones are not among them, so that no list of allowed algorithms can name them
/// (RFC 8725 3.1, 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// Ed25519 (RFC 8037 3.1). Its newer name `Ed25519` (RFC 9864) is read as well.
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::EdDsa, Self::Es256, Self::Es384, Self::Ps256, Self::Rs256, Self::Rs384, Self::Rs512];

    /// The algorithm with this name, if it is known here.
    ///
    /// ```
    /// use grantor::jose::Algorithm;
    /// assert_eq!(Algorithm::from_name("ES256"), Some(Algorithm::Es256));
    /// assert_eq!(Algorithm::from_name("none"), None);
    /// assert_eq!(Algorithm::from_name("HS256"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "Ed25519" => Some(Self::EdDsa),
            _ => Self::ALL.into_iter().find(|algorithm| algorithm.name() == name),
        }
    }

    /// Its name in headers, keys and metadata.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// Whether keys of this kind make such signatures.
    pub fn fits(self, kind: KeyKind) -> bool {
        match self {
            Self::EdDsa => kind == KeyKind::Ed25519,
            Self::Es256 => kind == KeyKind::P256,
            Self::Es384 => kind == KeyKind::P384,
            Self::Ps256 | Self::Rs256 | Self::Rs384 | Self::Rs512 => matches!(kind, KeyKind::Rsa { .. }),
        }
    }

    /// The length in bytes of every such signature; for RSA it is that of the modulus.
    pub(super) const fn signature_len(self) -> Option<usize> {
        match self {
            Self::EdDsa | Self::Es256 => Some(64),
            Self::Es384 => Some(96),
            Self::Ps256 | Self::Rs256 | Self::Rs384 | Self::Rs512 => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7518_3_1_names() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        }
        assert_eq!(Algorithm::from_name("Ed25519"), Some(Algorithm::EdDsa));
        for other in ["none", "None", "HS256", "es256", "ES256 ", "ES512", "ES256K", "RSA-OAEP", ""] {
            assert_eq!(Algorithm::from_name(other), None, "{other}");
        }
    }
}
