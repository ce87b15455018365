//! An adapter for an HTTP stack of one's own: one trait of the driver, and a call around each request.
//!
//! The stack here is a toy. It has no sockets; it hands requests to servers in memory. The part that
//! matters is [`Host`]: send one request as it is, bounded in size and time. Everything about OAuth,
//! stores and waiting comes from the driver.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use grantor_driver::blocking::{Host, Session};
use grantor_driver::grantor::client::{ConfigError, RequestHead, ResponseHead};
use grantor_driver::grantor::wire::HttpRequest;
use grantor_driver::{CallError, HttpAnswer, HttpFailure, Setup};
use grantor_world::World;
use http::{Request, Response};

/// The stack: a "network" in memory.
#[derive(Clone, Debug, Default)]
struct Stack(Arc<Mutex<World>>);

/// The error of the stack.
#[derive(Debug)]
struct Unplugged;

impl std::error::Error for Unplugged {}

impl fmt::Display for Unplugged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the network is unplugged")
    }
}

impl Stack {
    fn exchange(&self, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Unplugged> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(|_| Unplugged)?;
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).answer(now.as_secs(), request))
    }
}

impl Host for Stack {
    fn send(&self, request: &HttpRequest, max_body: usize, _: Duration) -> Result<HttpAnswer, HttpFailure> {
        let mut sent = Request::new(request.body.expose().as_bytes().to_vec());
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() = request.url.as_str().parse().map_err(|error| failure(&error))?;
        *sent.headers_mut() = request.headers.clone();
        let (head, body) = self.exchange(&sent).map_err(|error| failure(&error))?.into_parts();
        let mut answer = HttpAnswer::arriving(head.status.as_u16(), head.headers, max_body)?;
        answer.push(&body)?;
        answer.whole()
    }
}

fn failure(error: &dyn std::error::Error) -> HttpFailure {
    HttpFailure::because(grantor_driver::grantor::error::FailureKind::Unreachable, error)
}

/// A client of the stack whose requests are authorized.
#[derive(Clone, Debug)]
struct AuthorizedClient {
    session: Session<Stack>,
    stack: Stack,
}

impl AuthorizedClient {
    fn new(setup: impl Into<Setup>, stack: Stack) -> Result<Self, ConfigError> {
        Ok(Self { session: Session::new(Arc::new(stack.clone()), setup)?, stack })
    }

    fn send(&self, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, CallError<Unplugged>> {
        let uri = request.uri().to_string();
        let head = RequestHead::new(request.method().as_str(), &uri).headers(request.headers());
        self.session.call(head)?.run(
            |credentials| {
                let mut copy = request.clone();
                credentials.apply(copy.headers_mut());
                Some(self.stack.exchange(&copy))
            },
            |answer| ResponseHead { status: answer.status().as_u16(), headers: answer.headers() },
        )
    }
}

mod session;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    session::run(&mut std::io::stdout())
}
