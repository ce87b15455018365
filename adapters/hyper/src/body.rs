//! Bodies of requests.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Either, Empty, Full};

type BoxError = Box<dyn Error + Send + Sync>;

/// The body of a request: whole, so that it can be sent again with a token, or a stream, which is sent
/// once.
///
/// What holds its bytes turns into a whole body: text, vectors, [`Bytes`], [`Full`], [`Empty`], `()`.
pub struct Body(Either<Full<Bytes>, UnsyncBoxBody<Bytes, BoxError>>);

impl Body {
    /// A body that is sent as it comes, and only once. If the request must be sent again, the call ends
    /// with [`CallError::NotReplayable`](crate::CallError::NotReplayable).
    pub fn streaming<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Either::Right(body.map_err(Into::into).boxed_unsync()))
    }

    /// The same body once more; nothing of a stream.
    pub fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Either::Left(whole) => Some(Self(Either::Left(whole.clone()))),
            Either::Right(_) => None,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.get_mut().0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for Body {
    /// The content is the caller's, and no business of a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Either::Left(_) => "Body(whole)",
            Either::Right(_) => "Body(streaming)",
        })
    }
}

impl From<Full<Bytes>> for Body {
    fn from(body: Full<Bytes>) -> Self {
        Self(Either::Left(body))
    }
}

impl From<Bytes> for Body {
    fn from(body: Bytes) -> Self {
        Full::new(body).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(body: Vec<u8>) -> Self {
        Bytes::from(body).into()
    }
}

impl From<String> for Body {
    fn from(body: String) -> Self {
        Bytes::from(body).into()
    }
}

impl From<&'static str> for Body {
    fn from(body: &'static str) -> Self {
        Bytes::from(body).into()
    }
}

impl From<Empty<Bytes>> for Body {
    fn from(_: Empty<Bytes>) -> Self {
        Bytes::new().into()
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Bytes::new().into()
    }
}
