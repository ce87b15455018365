//! Sets of public keys (RFC 7517 5).

use super::{KeyError, PublicKey};
use crate::error::{Exchange, PeerMisbehaved};
use crate::finding::{Findings, JsonType, Problem};
use crate::jose::algorithm::Algorithm;
use crate::jose::object::{Elements, Object};
use crate::limits;
use crate::wire::document::{Reader, members};

/// The keys of an issuer that can verify signatures here.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<PublicKey>,
    refused: Vec<KeyError>,
}

members! {
    pub(crate) struct Document {
        "RFC 7517 section 5.1": keys;
    }
}

/// Why a text is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// No array `keys` (RFC 7517 5.1).
    #[error("the key set has no array `keys`")]
    Keys,
    /// `keys` more than once, with different values (RFC 7517 5).
    #[error("the key set has `keys` more than once")]
    Repeated,
    /// No JSON object.
    #[error("the key set is no JSON object")]
    Syntax,
    /// More than [`limits::KEY_SET_BODY`] bytes or [`limits::KEY_SET_KEYS`] keys.
    #[error("the key set is too large")]
    TooLarge,
}

impl KeySet {
    /// Reads a JWK Set.
    ///
    /// Keys that cannot be used here, such as those for encryption, are left out (RFC 7517 5); see
    /// [`refused`](Self::refused).
    ///
    /// # Errors
    /// [`KeySetError`].
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > limits::KEY_SET_BODY {
            return Err(KeySetError::TooLarge);
        }
        let text = std::str::from_utf8(json).map_err(|_| KeySetError::Syntax)?;
        let mut findings = Findings::new();
        Self::read(text, &mut Reader::new(Exchange::KeySet, &mut findings)).map_err(|error| match error {
            PeerMisbehaved::MissingField { .. } => KeySetError::Keys,
            PeerMisbehaved::Unusable { problem: Problem::Contradictory, .. } => KeySetError::Repeated,
            PeerMisbehaved::Unusable { problem: Problem::TooLarge, .. } => KeySetError::TooLarge,
            PeerMisbehaved::Unusable { .. } => KeySetError::Keys,
            _ => KeySetError::Syntax,
        })
    }

    /// As [`parse`](Self::parse), with what is wrong in the terms of a reader.
    pub(crate) fn read(text: &str, reader: &mut Reader<'_>) -> Result<Self, PeerMisbehaved> {
        let document: Document<'_> = reader.parse(text.as_bytes())?;
        let keys = document.keys.json(JsonType::Array, limits::KEY_SET_BODY).and_then(|json| {
            let Elements(elements) = serde_json::from_str(json).map_err(|_| Problem::Malformed)?;
            if elements.len() > limits::KEY_SET_KEYS { Err(Problem::TooLarge) } else { Ok(elements) }
        });
        let mut set = Self::default();
        for element in reader.required(keys)? {
            let key = Object::parse(element.get().as_bytes())
                .map_err(KeyError::from)
                .and_then(|object| PublicKey::from_object(&object, None));
            match key {
                Ok(key) => set.keys.push(key),
                Err(error) => set.refused.push(error),
            }
        }
        Ok(set)
    }

    /// A set of these keys.
    pub fn of(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self { keys: keys.into_iter().collect(), refused: Vec::new() }
    }

    /// The usable keys in their order.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Why the others are not usable.
    pub fn refused(&self) -> &[KeyError] {
        &self.refused
    }

    /// The keys that may have signed: those with the `kid` of the token's header, or, for a token that
    /// names none, the first [`limits::KEYS_TRIED`]; and of these the ones that allow the algorithm.
    pub fn candidates<'a>(
        &'a self,
        kid: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a PublicKey> {
        self.keys
            .iter()
            .filter(move |key| kid.is_none_or(|kid| key.kid() == Some(kid)) && key.allows(algorithm))
            .take(limits::KEYS_TRIED)
    }

    /// Whether a key of this name is here, whatever its algorithm.
    pub fn names(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid() == Some(kid))
    }
}
