//! PEM (RFC 7468), as far as private keys need it.
//!
//! Read here rather than by a library, because every buffer that holds the key has to be wiped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::KeyError;
use crate::limits;

/// The structures in which private keys come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    /// RFC 5208, RFC 5958.
    Pkcs8,
    /// RFC 8017 A.1.2.
    Pkcs1,
    /// RFC 5915.
    Sec1,
}

/// The first private key of a PEM text; other blocks, such as curve parameters, are passed over.
pub(super) fn private_key(pem: &str) -> Result<(Container, Zeroizing<Vec<u8>>), KeyError> {
    if pem.len() > limits::PRIVATE_KEY {
        return Err(KeyError::TooLarge);
    }
    let mut rest = pem;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or(KeyError::Syntax)?;
        let (body, after) = after.split_once("-----END ").ok_or(KeyError::Syntax)?;
        rest = after.strip_prefix(label).and_then(|end| end.strip_prefix("-----")).ok_or(KeyError::Syntax)?;
        let container = match label {
            "PRIVATE KEY" => Container::Pkcs8,
            "EC PRIVATE KEY" => Container::Sec1,
            "RSA PRIVATE KEY" => Container::Pkcs1,
            "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
            _ => continue,
        };
        if body.contains("Proc-Type:") {
            return Err(KeyError::Encrypted);
        }
        let mut base64 = Zeroizing::new(Vec::with_capacity(body.len()));
        base64.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
        let mut der = Zeroizing::new(vec![0; base64.len()]);
        let len = STANDARD.decode_slice(&*base64, &mut der).map_err(|_| KeyError::Syntax)?;
        der.truncate(len);
        return Ok((container, der));
    }
    Err(KeyError::Syntax)
}
