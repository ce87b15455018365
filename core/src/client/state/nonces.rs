//! Nonces for `DPoP` proofs (RFC 9449 8, 9): the last that each server gave, kept apart by origin.

use http::HeaderMap;
use url::Url;

use crate::client::engine::Engine;
use crate::error::{Error, Refused};
use crate::jose::dpop::NONCE_HEADER;
use crate::limits;

/// The last nonce of each origin.
#[derive(Debug)]
pub(crate) struct Nonce {
    origin: Box<str>,
    value: Box<str>,
}

/// The nonce for requests to this URL.
pub(crate) fn of<'a>(nonces: &'a [Nonce], url: &Url) -> Option<&'a str> {
    if nonces.is_empty() {
        return None;
    }
    let origin = url.origin().ascii_serialization();
    nonces.iter().find(|nonce| *nonce.origin == *origin).map(|nonce| &*nonce.value)
}

impl Engine {
    /// Takes note of the nonce that a server gave with an answer. Whether there is one, of this answer or of
    /// one before.
    pub(crate) fn note_nonce(&mut self, url: &Url, headers: &HeaderMap) -> bool {
        let given = headers.get(NONCE_HEADER).and_then(|value| value.to_str().ok());
        // RFC 9449 8.1: NQCHAR, at least one.
        let is_nonce = |text: &&str| {
            !text.is_empty()
                && text.len() <= limits::STRING
                && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        };
        let Some(value) = given.filter(is_nonce) else { return of(&self.nonces, url).is_some() };
        let origin = url.origin().ascii_serialization();
        match self.nonces.iter_mut().find(|nonce| *nonce.origin == *origin) {
            Some(known) => known.value = value.into(),
            None => {
                if self.nonces.len() >= limits::NONCES {
                    self.nonces.remove(0);
                }
                self.nonces.push(Nonce { origin: origin.into(), value: value.into() });
            }
        }
        true
    }
}

/// Whether a server refused only for the nonce (RFC 9449 8).
pub(crate) fn is_wanted(error: &Error) -> bool {
    matches!(error, Error::Refused(Refused::Token { code, .. }) if *code == "use_dpop_nonce")
}
