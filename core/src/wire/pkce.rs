//! Proof Key for Code Exchange (RFC 7636), with S256 and nothing else.
//!
//! ```
//! let verifier = grantor::wire::pkce::Verifier::from_entropy(&[0; 32]);
//! assert_eq!(verifier.secret().expose().len(), 43);
//! assert_eq!(verifier.challenge(), "DwBzhbb51LfusnSGBa_hqYSgo7-j8BTQnip4TOnlzRo");
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// A code verifier: 256 bits of entropy as 43 characters (RFC 7636 4.1, 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier(Secret);

impl Verifier {
    /// The verifier made of these random bytes.
    pub fn from_entropy(bytes: &[u8; 32]) -> Self {
        Self(unguessable(bytes))
    }

    pub(crate) fn from_record(text: Secret) -> Self {
        Self(text)
    }

    /// The verifier, for the token request.
    pub fn secret(&self) -> &Secret {
        &self.0
    }

    /// `code_challenge` for the method S256 (RFC 7636 4.2), for the authorization request.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.expose().as_bytes()))
    }
}

/// Random bytes as characters that need no encoding in a URL; also used for `state`.
pub(crate) fn unguessable(bytes: &[u8; 32]) -> Secret {
    Secret::from(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7636_appendix_b() {
        let bytes = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
            214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = Verifier::from_entropy(&bytes);
        assert_eq!(verifier.secret().expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn rfc7636_4_1_length_and_alphabet() {
        for byte in [0, 0x55, 0xff] {
            let verifier = Verifier::from_entropy(&[byte; 32]);
            let text = verifier.secret().expose();
            assert_eq!(text.len(), 43);
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)));
        }
    }
}
