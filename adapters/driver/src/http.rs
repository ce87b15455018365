//! HTTP answers that the host owns.

use ::http::HeaderMap;
use grantor::error::FailureKind;
use grantor::wire::HttpResponse;
use zeroize::Zeroizing;

/// An answer with its whole body, which may hold tokens and is wiped.
#[derive(Clone)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl HttpAnswer {
    /// The answer as the core reads it.
    pub(crate) fn response(&self) -> HttpResponse<'_> {
        HttpResponse { status: self.status, headers: &self.headers, body: &self.body }
    }
}

impl std::fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.response().fmt(f)
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpFailure {
    /// The kind.
    pub kind: FailureKind,
    /// Words for a person; no URL with a query, no header, no body.
    pub detail: String,
}

impl HttpFailure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The body is larger than allowed.
    pub fn too_large() -> Self {
        Self::new(FailureKind::BodyTooLarge, "")
    }

    /// The deadline has passed.
    pub fn timed_out() -> Self {
        Self::new(FailureKind::TimedOut, "")
    }
}
