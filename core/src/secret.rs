//! Text that must not leak.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize as _;

/// A token, code, verifier, client secret, or a text that holds one.
///
/// It is wiped when dropped, prints as `Secret(…)`, and compares in time that depends on lengths alone.
/// [`expose`](Self::expose) is the one way to its content, easy to find in a review.
///
/// ```
/// use grantor::Secret;
/// let secret = Secret::from("s3cr3t");
/// assert_eq!(format!("{secret:?}"), "Secret(…)");
/// assert_eq!(secret.expose(), "s3cr3t");
/// ```
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// The content. Keep it out of logs, errors and panics.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no content, such as in a request without a body.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the content equals `other`, in constant time for equal lengths.
    pub fn matches(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl Drop for Secret {
    /// Wipes all of the memory in one piece; `String`'s own wiping goes byte by byte.
    fn drop(&mut self) {
        if self.0.capacity() == 0 {
            return;
        }
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.resize(bytes.capacity(), 0);
        bytes.as_mut_slice().zeroize();
    }
}

impl zeroize::ZeroizeOnDrop for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), "Secret(…)");
        assert_eq!(format!("{:#?}", Some(Secret::from("hunter2"))), "Some(\n    Secret(…),\n)");
    }

    #[test]
    fn compares_by_content() {
        assert_eq!(Secret::from("a"), Secret::from("a"));
        assert_ne!(Secret::from("a"), Secret::from("b"));
        assert!(!Secret::from("a").matches("ab"));
    }
}
