//! Scopes (RFC 6749 3.3).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::limits;

/// A list of scope tokens without repetition, in the order in which they were first named. Clones share it.
///
/// ```
/// use grantor::ScopeSet;
/// let asked = ScopeSet::parse("files:read files:write files:read")?;
/// assert_eq!(asked.to_string(), "files:read files:write");
/// assert!(asked.covers(&ScopeSet::parse("files:write")?));
/// # Ok::<(), grantor::ScopeError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct ScopeSet(
    /// `None` for no scopes, never an empty list.
    Option<Arc<Vec<Box<str>>>>,
);

/// Why a text is not a list of scope tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// A character outside of `%x21 / %x23-5B / %x5D-7E` (RFC 6749 3.3), or an empty token.
    #[error("not a scope token (RFC 6749 section 3.3)")]
    Syntax,
    /// More tokens than [`limits::SCOPES`] or one longer than [`limits::SCOPE_TOKEN`].
    #[error("too many scopes, or one too long")]
    TooLarge,
}

impl ScopeSet {
    /// The set without scopes.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Reads scope tokens separated by spaces.
    ///
    /// More than one space between tokens is let pass: real servers send it, and it is not ambiguous.
    ///
    /// # Errors
    /// [`ScopeError`] when a token is malformed, too long, or there are too many.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        Self::from_tokens(text.split(' ').filter(|token| !token.is_empty()))
    }

    /// The tokens of a text that can be used, and whether that is all of them. None of too many: which of them
    /// are meant nobody can say.
    pub(crate) fn readable(text: &str) -> (Self, bool) {
        if let Ok(all) = Self::parse(text) {
            return (all, true);
        }
        let tokens = text.split(' ').filter(|token| !token.is_empty());
        let good = tokens.filter(|token| check(token).is_ok() && token.len() <= limits::SCOPE_TOKEN);
        (Self::from_tokens(good).unwrap_or_default(), false)
    }

    /// Collects scope tokens.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        // Searching a long list for each would take a hostile peer's time.
        const FEW: usize = 16;
        let mut set = Self::new();
        let mut seen = BTreeSet::new();
        for (index, token) in tokens.into_iter().enumerate() {
            if index >= limits::SCOPES_READ {
                return Err(ScopeError::TooLarge);
            }
            check(token)?;
            let known = set.iter().take(FEW).any(|own| own == token);
            if !known && (set.len() < FEW || seen.insert(token)) {
                set.push(token)?;
            }
        }
        Ok(set)
    }

    /// Whether a text can be one scope.
    pub(crate) fn is_token(text: &str) -> bool {
        check(text).is_ok() && text.len() <= limits::SCOPE_TOKEN
    }

    /// Adds a token, unless it is there.
    pub(crate) fn insert(&mut self, token: &str) -> Result<(), ScopeError> {
        check(token)?;
        if self.contains(token) { Ok(()) } else { self.push(token) }
    }

    /// Adds a good token that is not in the set.
    fn push(&mut self, token: &str) -> Result<(), ScopeError> {
        if token.len() > limits::SCOPE_TOKEN || self.len() >= limits::SCOPES {
            return Err(ScopeError::TooLarge);
        }
        // Most sets are of one scope.
        let tokens = self.0.get_or_insert_with(|| Arc::new(Vec::with_capacity(1)));
        Arc::make_mut(tokens).push(token.into());
        Ok(())
    }

    /// Whether there are no scopes.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The number of scopes.
    pub fn len(&self) -> usize {
        self.tokens().len()
    }

    /// The scope tokens in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.tokens().iter().map(|token| &**token)
    }

    /// Whether `token` is among them.
    pub fn contains(&self, token: &str) -> bool {
        self.tokens().iter().any(|own| &**own == token)
    }

    fn tokens(&self) -> &[Box<str>] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Whether every scope of `other` is in this set.
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|token| self.contains(token))
    }

    /// These scopes, then those of `other` that are new; cut off at [`limits::SCOPES`]. Where all of them are
    /// needed, [`extend`](Self::extend) tells whether they fit.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for token in other.iter() {
            if !all.contains(token) && all.push(token).is_err() {
                break;
            }
        }
        all
    }

    /// Adds the scopes of `other` that are new.
    ///
    /// # Errors
    /// [`ScopeError::TooLarge`] when that makes more than [`limits::SCOPES`]; nothing is added then.
    pub fn extend(&mut self, other: &Self) -> Result<(), ScopeError> {
        if self.is_empty() {
            self.clone_from(other);
            return Ok(());
        }
        let mut all = self.clone();
        for token in other.iter() {
            if !all.contains(token) {
                all.push(token)?;
            }
        }
        *self = all;
        Ok(())
    }

    /// The scopes that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        let left: Vec<_> = self.tokens().iter().filter(|token| !other.contains(token)).cloned().collect();
        Self((!left.is_empty()).then(|| Arc::new(left)))
    }
}

/// Whether `token` is one (RFC 6749 3.3).
pub(crate) fn check(token: &str) -> Result<(), ScopeError> {
    if !token.is_empty() && token.bytes().all(is_scope_char) { Ok(()) } else { Err(ScopeError::Syntax) }
}

fn is_scope_char(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl TryFrom<Vec<String>> for ScopeSet {
    type Error = ScopeError;

    fn try_from(tokens: Vec<String>) -> Result<Self, ScopeError> {
        Self::from_tokens(tokens.iter().map(String::as_str))
    }
}

impl From<ScopeSet> for Vec<String> {
    fn from(set: ScopeSet) -> Self {
        set.iter().map(String::from).collect()
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.tokens())
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopeSet").field(&self.tokens()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_3_3_tokens() {
        assert_eq!(ScopeSet::parse("a b  c ").unwrap().len(), 3);
        assert_eq!(ScopeSet::parse("").unwrap(), ScopeSet::new());
        for bad in ["a\"b", "a\\b", "ü", "a\tb", "a\nb"] {
            assert_eq!(ScopeSet::parse(bad), Err(ScopeError::Syntax), "{bad:?}");
        }
    }

    #[test]
    fn bounds() {
        let many = (0..=limits::SCOPES).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(ScopeSet::parse(&many), Err(ScopeError::TooLarge));
        assert_eq!(ScopeSet::parse(&"a".repeat(limits::SCOPE_TOKEN + 1)), Err(ScopeError::TooLarge));
        assert_eq!(ScopeSet::parse(&"a ".repeat(limits::SCOPES_READ)).unwrap().len(), 1);
        assert_eq!(ScopeSet::parse(&"a ".repeat(limits::SCOPES_READ + 1)), Err(ScopeError::TooLarge));
    }

    #[test]
    fn what_does_not_fit_is_told_and_not_dropped() {
        let full = (0..limits::SCOPES).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let mut full = ScopeSet::parse(&full).unwrap();
        assert_eq!(full.extend(&ScopeSet::parse("7 one-more").unwrap()), Err(ScopeError::TooLarge));
        assert_eq!(full.len(), limits::SCOPES);
        assert_eq!(full.extend(&ScopeSet::parse("7 8").unwrap()), Ok(()));
    }

    #[test]
    fn set_operations_keep_order() {
        let a = ScopeSet::parse("x y").unwrap();
        let b = ScopeSet::parse("y z").unwrap();
        assert_eq!(a.union(&b).to_string(), "x y z");
        assert_eq!(a.union(&b).without(&a).to_string(), "z");
        assert!(a.union(&b).covers(&b));
        assert!(!a.covers(&b));
    }
}
