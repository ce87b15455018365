//! HTTP answers that the host owns.

use std::error::Error;
use std::fmt::Write as _;

use ::http::HeaderMap;
use ::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use grantor::error::FailureKind;
use grantor::wire::HttpResponse;
use zeroize::Zeroizing;

use crate::coding::Codings;

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
    /// The head of an answer whose body follows, in the coding that its headers name. An HTTP stack that
    /// decodes bodies takes the header away.
    ///
    /// # Errors
    /// When the coding is another one than `gzip` and `deflate`. None was asked for.
    pub fn arriving(status: u16, headers: HeaderMap, max_body: usize) -> Result<Arriving, HttpFailure> {
        let codings = Codings::of(&headers)?;
        Ok(Arriving { answer: Self { status, headers, body: Zeroizing::default() }, codings, max_body })
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
    codings: Codings,
    max_body: usize,
}

impl Arriving {
    /// The next part of the body.
    ///
    /// # Errors
    /// When the body is larger than allowed. Read no further.
    pub fn push(&mut self, part: &[u8]) -> Result<(), HttpFailure> {
        append(&mut self.answer.body, part, self.max_body)
    }

    /// The whole answer, decoded.
    ///
    /// # Errors
    /// When the body is larger than allowed once it is decoded, or damaged.
    pub fn whole(self) -> Result<HttpAnswer, HttpFailure> {
        let Self { mut answer, codings, max_body } = self;
        if !codings.is_empty() {
            answer.body = codings.decode(answer.body, max_body)?;
            answer.headers.remove(CONTENT_ENCODING);
            answer.headers.remove(CONTENT_LENGTH);
        }
        Ok(answer)
    }
}

/// Appends to a body that is wiped, up to its bound.
pub(crate) fn append(body: &mut Zeroizing<Vec<u8>>, part: &[u8], max: usize) -> Result<(), HttpFailure> {
    let len = body.len().saturating_add(part.len());
    if len > max {
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
        assert_eq!(answer.whole().unwrap().body.as_slice(), b"abcdefghij");
        assert_eq!(arriving(0).push(b"a"), Err(HttpFailure::too_large()));
        arriving(0).push(b"").unwrap();
    }

    #[test]
    fn causes_are_told() {
        #[derive(Debug, thiserror::Error)]
        #[error("sending failed")]
        struct Sending(#[source] std::io::Error);

        let error = Sending(std::io::Error::other("reset"));
        let failure = HttpFailure::because(FailureKind::Broken, &error);
        assert_eq!(failure, HttpFailure::new(FailureKind::Broken, "sending failed: reset"));
    }
}
