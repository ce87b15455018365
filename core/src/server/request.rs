//! A request as the host received it.

use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Uri};

use super::wire::{ErrorCode, OAuthError, RequestParameters};
use crate::limits;
use crate::wire::form;

/// A request as the host received it, with its whole body: at most [`limits::PROVIDER_BODY`] bytes.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The target; only path and query are looked at.
    pub target: Uri,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// A request.
    pub fn new(method: Method, target: Uri, headers: HeaderMap, body: Bytes) -> Self {
        Self { method, target, headers, body }
    }

    /// A form that is sent to a path, for tests and examples.
    pub fn post(path: &'static str, form: &str) -> Self {
        let content_type = HeaderValue::from_static(form::CONTENT_TYPE);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
        Self::new(Method::POST, Uri::from_static(path), headers, Bytes::copy_from_slice(form.as_bytes()))
    }

    /// A GET of a path and query, for tests and examples.
    ///
    /// # Panics
    /// When that is none.
    pub fn get(target: &str) -> Self {
        let target = target.parse().unwrap_or_default();
        Self::new(Method::GET, target, HeaderMap::new(), Bytes::new())
    }

    /// The form in the body.
    pub(super) fn form(&self) -> Result<RequestParameters, OAuthError> {
        let bad = |description| OAuthError::new(ErrorCode::InvalidRequest, description);
        if self.body.len() > limits::PROVIDER_BODY {
            return Err(bad("the body is too large"));
        }
        let media_type =
            |value: &HeaderValue| Some(value.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase());
        if self.headers.get(CONTENT_TYPE).and_then(media_type).as_deref() != Some(form::CONTENT_TYPE) {
            return Err(bad("the body is not application/x-www-form-urlencoded"));
        }
        // Parameters in the URL would be in logs (RFC 6749 3.2: the body only).
        if self.target.query().is_some_and(|query| !query.is_empty()) {
            return Err(bad("parameters belong in the body, not in the URL"));
        }
        let text = std::str::from_utf8(&self.body).map_err(|_| bad("the body is not UTF-8"))?;
        RequestParameters::read(text)
    }
}

/// Without query, headers and body, which hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.target.path())
            .finish_non_exhaustive()
    }
}
