//! Nonces for `DPoP` proofs (RFC 9449 8, 9): the last that each server gave, kept apart by origin.

use http::HeaderMap;
use url::Url;

use crate::client::engine::Engine;
use crate::client::state::nonces::{Nonce, of};
use crate::jose::dpop::NONCE_HEADER;
use crate::limits;

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
