//! The metadata as a service of its own.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use grantor_driver::guard::Guarded;
use grantor_driver::nonblocking::Host;
use http::{Request, Response};
use tower_service::Service;

use crate::body::GuardBody;
use crate::service::response;

/// Serves the metadata of the resource (RFC 9728), whatever the path.
pub struct MetadataService<H: Host>(Guarded<H>);

impl<H: Host> MetadataService<H> {
    pub(crate) fn new(guarded: Guarded<H>) -> Self {
        Self(guarded)
    }
}

impl<H: Host> Clone for MetadataService<H> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H: Host> fmt::Debug for MetadataService<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MetadataService").field(&self.0).finish()
    }
}

impl<H: Host, B> Service<Request<B>> for MetadataService<H> {
    type Response = Response<GuardBody<String>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = self.0.with(|guard| guard.metadata(request.method()));
        ready(Ok(response(answer).map(GuardBody::read)))
    }
}
