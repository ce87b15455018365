//! An HTTP answer of the provider.

use std::fmt;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, PRAGMA, RETRY_AFTER};
use serde::Serialize;

use crate::secret::Secret;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// An HTTP answer.
#[must_use = "it answers a request"]
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// All headers but those of the connection.
    pub headers: HeaderMap,
    /// The body; it may hold tokens.
    pub body: Secret,
}

impl Answer {
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: HeaderMap::new(), body: Secret::default() }
    }

    /// JSON that nobody may store (RFC 6749 5.1).
    pub(super) fn json(status: u16, value: &impl Serialize) -> Self {
        Self::json_text(status, serde_json::to_string(value).unwrap_or_default())
    }

    pub(super) fn json_text(status: u16, text: String) -> Self {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        Self { status, headers, body: Secret::from(text) }
    }

    /// A public document.
    pub(super) fn document(text: &str, cached: &'static str) -> Self {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cached));
        Self { status: 200, headers, body: text.into() }
    }

    /// Sends the browser on, to a URL that may hold a code. 303 makes a GET of a POST, and never sends a password
    /// on (RFC 9700 4.12).
    pub(super) fn redirect(url: &str) -> Self {
        let mut answer = Self::empty(303);
        answer.headers.insert(CACHE_CONTROL, NO_STORE);
        match HeaderValue::from_str(url) {
            Ok(mut location) => {
                location.set_sensitive(true);
                answer.headers.insert(LOCATION, location);
                answer
            }
            Err(_) => Self::empty(500),
        }
    }

    pub(super) fn retry_after(mut self, seconds: u32) -> Self {
        self.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        self
    }

    /// The value of a header, for tests; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Without body and sensitive headers.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
