//! The service around the protected one.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use grantor_driver::grantor::resource::{Answer, Decision, Grant, RequestHead};
use grantor_driver::guard::{Guarded, Pending};
use grantor_driver::nonblocking::Host;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use tower_service::Service;

use crate::body::{self, GuardBody, Unread};
use crate::future::GuardFuture;
#[cfg(feature = "tracing")]
use crate::log;
use crate::merge::merge;
use crate::target::{self, Prefix};

/// A service behind a Guard.
pub struct GuardService<S, H: Host> {
    inner: S,
    guarded: Guarded<H>,
    prefix: Option<Prefix>,
}

impl<S, H: Host> GuardService<S, H> {
    pub(crate) fn new(inner: S, guarded: Guarded<H>, prefix: Option<Prefix>) -> Self {
        Self { inner, guarded, prefix }
    }
}

impl<S: Clone, H: Host> Clone for GuardService<S, H> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), guarded: self.guarded.clone(), prefix: self.prefix.clone() }
    }
}

impl<S, H: Host> fmt::Debug for GuardService<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardService").field("guarded", &self.guarded).finish_non_exhaustive()
    }
}

impl<S, H, B, R> Service<Request<B>> for GuardService<S, H>
where
    S: Service<Request<GuardBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    H: Host,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Send,
    R: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<GuardBody<R>>;
    type Error = S::Error;
    type Future = GuardFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let target = target::whole(request.uri(), request.extensions(), self.prefix.as_ref());
        let head = RequestHead::new(request.method(), &target, request.headers());
        // Most requests are decided at once.
        let first = match self.guarded.check_now(&head) {
            Ok(Decision::Allow(grant)) => {
                let more = self.guarded.answer_headers(&head);
                drop(target);
                if let Some(grant) = grant {
                    request.extensions_mut().insert(grant);
                }
                return GuardFuture::passed(self.inner.call(request.map(GuardBody::stream)), more);
            }
            Ok(Decision::Answer(answer)) => return GuardFuture::answered(response(*answer)),
            undecided => undecided,
        };
        // The one that is ready is used, and its clone takes its place.
        let clone = self.inner.clone();
        drop(target);
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let (guarded, prefix) = (self.guarded.clone(), self.prefix.clone());
        GuardFuture::slow(Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let (grant, body, more) = {
                let target = target::whole(&parts.uri, &parts.extensions, prefix.as_ref());
                let head = RequestHead::new(&parts.method, &target, &parts.headers);
                match admit(&guarded, first, head, parts.version, body).await {
                    Ok((grant, body)) => (grant, body, guarded.answer_headers(&head)),
                    Err(response) => return Ok(response.map(GuardBody::read)),
                }
            };
            if let Some(grant) = grant {
                parts.extensions.insert(grant);
            }
            let mut response = inner.call(Request::from_parts(parts, body)).await?.map(GuardBody::stream);
            merge(response.headers_mut(), more);
            Ok(response)
        }))
    }
}

type Admitted<B> = (Option<Arc<Grant>>, GuardBody<B>);

/// Goes on from what the Guard said first; the request's body to go on with, or the answer.
async fn admit<H: Host, B: Body<Data = Bytes>>(
    guarded: &Guarded<H>,
    first: Result<Decision, Pending>,
    head: RequestHead<'_>,
    version: Version,
    body: B,
) -> Result<Admitted<B>, Response<Bytes>> {
    let decision = match first {
        Ok(decision) => decision,
        Err(pending) => guarded.check_after(pending, head).await,
    };
    let max = match decision {
        Decision::Allow(grant) => return Ok((grant, GuardBody::stream(body))),
        Decision::Answer(answer) => return Err(response(*answer)),
        Decision::NeedBody { max } => max,
        _ => return Err(response(guarded.with(|guard| guard.unavailable(&head)))),
    };
    let bytes = match body::read(body, max).await {
        Ok(bytes) => bytes,
        Err(unread) => {
            let mut refused = response(guarded.with(|guard| match unread {
                Unread::TooLarge => guard.too_large(&head),
                Unread::Broken(_) => guard.unreadable(&head),
            }));
            // What is left of the body is not read.
            if version < Version::HTTP_2 {
                refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            return Err(refused);
        }
    };
    match guarded.check(head, Some(&bytes)).await {
        Decision::Allow(grant) => Ok((grant, GuardBody::read(bytes))),
        Decision::Answer(answer) => Err(response(*answer)),
        _ => Err(response(guarded.with(|guard| guard.unavailable(&head)))),
    }
}

pub(crate) fn response(answer: Answer) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = answer.headers;
    if let Some(refusal) = answer.refusal {
        #[cfg(feature = "tracing")]
        log::refusal(response.status(), refusal, answer.report.as_deref());
        response.extensions_mut().insert(refusal);
    }
    if let Some(report) = answer.report {
        response.extensions_mut().insert(*report);
    }
    response
}
