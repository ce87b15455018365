//! Bodies that are passed on, or were read already.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a request that passed, or of an answer.
    #[derive(Debug)]
    pub struct GuardBody<B> {
        #[pin]
        content: Content<B>,
    }
}

pin_project! {
    #[project = ContentProjection]
    #[derive(Debug)]
    enum Content<B> {
        // It was read, or made here.
        Read { bytes: Option<Bytes> },
        // It is passed on as it comes.
        Stream { #[pin] body: B },
    }
}

impl<B> GuardBody<B> {
    pub(crate) fn stream(body: B) -> Self {
        Self { content: Content::Stream { body } }
    }

    pub(crate) fn read(bytes: Bytes) -> Self {
        Self { content: Content::Read { bytes: (!bytes.is_empty()).then_some(bytes) } }
    }
}

impl<B: Body<Data = Bytes>> Body for GuardBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project().content.project() {
            ContentProjection::Read { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            ContentProjection::Stream { body } => body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Read { bytes } => bytes.is_none(),
            Content::Stream { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Read { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Stream { body } => body.size_hint(),
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
