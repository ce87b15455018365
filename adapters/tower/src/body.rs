//! Bodies that are passed on, or were read already.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of a request that passed, or of an answer.
#[derive(Debug)]
pub enum GuardBody<B> {
    /// It was read, or made here.
    Read(Option<Bytes>),
    /// It is passed on as it comes.
    Stream(Pin<Box<B>>),
}

impl<B> GuardBody<B> {
    pub(crate) fn stream(body: B) -> Self {
        Self::Stream(Box::pin(body))
    }

    pub(crate) fn read(bytes: Bytes) -> Self {
        Self::Read((!bytes.is_empty()).then_some(bytes))
    }
}

impl<B: Body<Data = Bytes>> Body for GuardBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Read(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Read(bytes) => bytes.is_none(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Read(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

/// Why a body could not be read.
pub(crate) enum Unread<E> {
    TooLarge,
    Broken(E),
}

/// Reads a whole body of at most `max` bytes.
pub(crate) async fn read<B: Body<Data = Bytes>>(body: B, max: usize) -> Result<Bytes, Unread<B::Error>> {
    if body.size_hint().lower() > max as u64 {
        return Err(Unread::TooLarge);
    }
    let mut body = pin!(body);
    let (mut first, mut all) = (Bytes::new(), Vec::new());
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(data) = frame.map_err(Unread::Broken)?.into_data() else { continue };
        if first.len() + all.len() + data.len() > max {
            return Err(Unread::TooLarge);
        }
        if first.is_empty() && all.is_empty() {
            first = data; // most bodies come in one piece
        } else {
            if all.is_empty() {
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.into() })
}
