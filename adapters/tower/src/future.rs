//! The future of an answer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response};
use pin_project_lite::pin_project;

use crate::body::GuardBody;
use crate::merge::merge;

type Slow<R, E> = Pin<Box<dyn Future<Output = Result<Response<GuardBody<R>>, E>> + Send>>;

pin_project! {
    /// The answer of a [`GuardService`](crate::GuardService), once it is there.
    pub struct GuardFuture<F, R, E> {
        #[pin]
        state: State<F, R, E>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R, E> {
        // The Guard said no.
        Answered { response: Option<Response<Bytes>> },
        // The Guard said yes at once; headers are added to what the server answers.
        Passed { #[pin] inner: F, more: Option<HeaderMap> },
        // A body has to be read, or something to be fetched.
        Slow { slow: Slow<R, E> },
    }
}

impl<F, R, E> GuardFuture<F, R, E> {
    pub(crate) fn answered(response: Response<Bytes>) -> Self {
        Self { state: State::Answered { response: Some(response) } }
    }

    pub(crate) fn passed(inner: F, more: Option<HeaderMap>) -> Self {
        Self { state: State::Passed { inner, more } }
    }

    pub(crate) fn slow(slow: Slow<R, E>) -> Self {
        Self { state: State::Slow { slow } }
    }
}

impl<F, R, E> Future for GuardFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<GuardBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            // Asked again after it was ready, it is never ready.
            StateProjection::Answered { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(GuardBody::read))),
                None => Poll::Pending,
            },
            StateProjection::Passed { inner, more } => {
                let mut response = ready!(inner.poll(context))?.map(GuardBody::stream);
                merge(response.headers_mut(), more.take());
                Poll::Ready(Ok(response))
            }
            StateProjection::Slow { slow } => slow.as_mut().poll(context),
        }
    }
}

impl<F, R, E> fmt::Debug for GuardFuture<F, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardFuture").finish_non_exhaustive()
    }
}
