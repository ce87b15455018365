//! The last nonce that each server gave for `DPoP` proofs (RFC 9449 8, 9).

use url::Url;

use crate::error::{Error, Refused};

/// The last nonce of each origin.
#[derive(Debug)]
pub(crate) struct Nonce {
    pub(crate) origin: Box<str>,
    pub(crate) value: Box<str>,
}

/// The nonce for requests to this URL.
pub(crate) fn of<'a>(nonces: &'a [Nonce], url: &Url) -> Option<&'a str> {
    if nonces.is_empty() {
        return None;
    }
    let origin = url.origin().ascii_serialization();
    nonces.iter().find(|nonce| *nonce.origin == *origin).map(|nonce| &*nonce.value)
}

/// Whether a server refused only for the nonce (RFC 9449 8).
pub(crate) fn is_wanted(error: &Error) -> bool {
    matches!(error, Error::Refused(Refused::Token { code, .. }) if *code == "use_dpop_nonce")
}
