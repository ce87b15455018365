//! How long is waited.

use crate::limits;

/// How long to wait for authorization servers, in milliseconds.
///
/// ```
/// use grantor::client::Timeouts;
/// let mut timeouts = Timeouts::default();
/// timeouts.http_ms = 5_000;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a metadata or registration request; by itself [`limits::HTTP_MS`].
    pub http_ms: u64,
    /// For a token request; by itself [`limits::TOKEN_MS`]. An answer that comes later is lost, and the
    /// user's consent with it where refresh tokens rotate: be generous.
    pub token_ms: u64,
    /// How much of that calls wait for; by itself [`limits::TOKEN_WAIT_MS`].
    pub token_wait_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        let (http_ms, token_ms) = (limits::HTTP_MS, limits::TOKEN_MS);
        Self { http_ms, token_ms, token_wait_ms: limits::TOKEN_WAIT_MS }
    }
}
