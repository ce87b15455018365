//! HTTP answers that the host owns.

use std::error::Error;
use std::fmt::Write as _;

use ::http::HeaderMap;
use ::http::header::CONTENT_ENCODING;
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
    /// The head of an answer whose body follows.
    ///
    /// # Errors
    /// When the body is encoded. Nobody asked for that, and an HTTP stack that decodes bodies takes the
    /// header away.
    pub fn arriving(status: u16, headers: HeaderMap, max_body: usize) -> Result<Arriving, HttpFailure> {
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            let detail = "the body has a Content-Encoding, which was not asked for";
            return Err(HttpFailure::new(FailureKind::Other, detail));
        }
        Ok(Arriving { answer: Self { status, headers, body: Zeroizing::default() }, max_body })
    }

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

/// An answer whose body is arriving.
#[derive(Debug)]
pub struct Arriving {
    answer: HttpAnswer,
    max_body: usize,
}

impl Arriving {
    /// The next part of the body.
    ///
    /// # Errors
    /// When the body is larger than allowed. Read no further.
    pub fn push(&mut self, part: &[u8]) -> Result<(), HttpFailure> {
        let body = &mut self.answer.body;
        let len = body.len().saturating_add(part.len());
        if len > self.max_body {
            return Err(HttpFailure::too_large());
        }
        if len > body.capacity() {
            // What a vector leaves behind when it grows is not wiped.
            let mut grown = Zeroizing::new(Vec::with_capacity(len.max(2 * body.capacity())));
            grown.extend_from_slice(body);
            *body = grown;
        }
        body.extend_from_slice(part);
        Ok(())
    }

    /// The whole answer.
    pub fn whole(self) -> HttpAnswer {
        self.answer
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

    /// A failure of this kind in the words of an error and its causes, which must name no URL.
    pub fn because(kind: FailureKind, error: &dyn Error) -> Self {
        let mut detail = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            let _ = write!(detail, ": {next}");
            cause = next.source();
        }
        Self { kind, detail }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn arriving(max_body: usize) -> Arriving {
        HttpAnswer::arriving(200, HeaderMap::new(), max_body).unwrap()
    }

    #[test]
    fn parts_add_up_to_the_bound_and_no_further() {
        let mut answer = arriving(10);
        for part in [&b"abcd"[..], b"", b"efg", b"hij"] {
            answer.push(part).unwrap();
        }
        assert_eq!(answer.push(b"k"), Err(HttpFailure::too_large()));
        assert_eq!(answer.whole().body.as_slice(), b"abcdefghij");
        assert_eq!(arriving(0).push(b"a"), Err(HttpFailure::too_large()));
        arriving(0).push(b"").unwrap();
    }

    #[test]
    fn rfc9110_8_4_an_encoded_body_is_not_read() {
        for (coding, fits) in [("gzip", false), ("identity, gzip", false), ("Identity", true)] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, coding.parse().unwrap());
            assert_eq!(HttpAnswer::arriving(200, headers, 10).is_ok(), fits, "{coding}");
        }
    }

    #[test]
    fn causes_are_told() {
        let error = crate::CallError::Http(std::io::Error::other("reset"));
        let failure = HttpFailure::because(FailureKind::Broken, &error);
        assert_eq!(failure, HttpFailure::new(FailureKind::Broken, "reset: reset"));
    }
}
