//! MCP authorization for ureq: blocking, without an async runtime.
//!
//! [`AuthorizedAgent`] sends requests of ureq (which are those of the `http` crate) and returns responses
//! of ureq; in between it does whatever authorization the server demands. Bodies stream. Clone it, and
//! use it from many threads.
//!
//! ```no_run
//! use grantor_ureq::{AuthorizedAgent, ClientMetadata, Config};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = "https://mcp.example.com/mcp";
//! let config = Config::new(server, ClientMetadata::named("My client"))?;
//! let agent = AuthorizedAgent::new(config)?;
//! let request = http::Request::post(server).header("content-type", "application/json").body("{}")?;
//! let mut response = agent.run(request)?;
//! println!("{}", response.body_mut().read_to_string()?);
//! # Ok(())
//! # }
//! ```

#![deny(missing_docs)]

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use grantor_driver::blocking::{Host, Session};
use grantor_driver::grantor::client::{ConfigError, Credentials, RequestHead, ResponseHead};
use grantor_driver::grantor::error::FailureKind;
use grantor_driver::grantor::wire::HttpRequest;
use grantor_driver::{CallError, HttpAnswer, HttpFailure};
use http::{Request, Response};
use ureq::{Agent, AsSendBody, Body};
use zeroize::Zeroizing;

/// What this adapter is made with: the store's trait and types, sessions, hosts.
pub use grantor_driver as driver;
pub use grantor_driver::grantor::client::Config;
pub use grantor_driver::grantor::wire::client_metadata::ClientMetadata;
pub use grantor_driver::{
    Answer, Assertion, AssertionSource, Browser, Event, FileStore, InteractionFailure, MemoryStore, Observer,
    Setup, Signer, Store, UserAgent, Wait, grantor,
};

/// Why a call has no response.
pub type Error = CallError<ureq::Error>;

/// A ureq agent whose requests to one MCP server are authorized for one account.
#[derive(Clone, Debug)]
pub struct AuthorizedAgent {
    session: Session<Ureq>,
    agent: Agent,
}

impl AuthorizedAgent {
    /// An agent with ureq's usual settings.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(setup: impl Into<Setup>) -> Result<Self, ConfigError> {
        Self::with_agent(setup, Agent::new_with_defaults())
    }

    /// The caller's agent with its settings: proxies, roots, timeouts. Its redirects are not used, since
    /// a token must not follow them.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn with_agent(setup: impl Into<Setup>, agent: Agent) -> Result<Self, ConfigError> {
        let session = Session::new(Arc::new(Ureq(agent.clone())), setup)?;
        Ok(Self { session, agent })
    }

    /// The same for another account: one store, tokens of its own. Each call makes a session that loads its
    /// tokens anew; keep one for each account, and clone it.
    ///
    /// # Errors
    /// [`ConfigError::Account`].
    pub fn account(&self, name: &str) -> Result<Self, ConfigError> {
        Ok(Self { session: self.session.account(name)?, agent: self.agent.clone() })
    }

    /// The plain agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Sends a request to the MCP server, and again where authorization needs it. Returns its response
    /// with the body not read yet; a status of 4xx or 5xx is an error if the agent is configured so, as
    /// it is by itself.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn run<B: AsSendBody + Clone>(&self, request: Request<B>) -> Result<Response<Body>, Error> {
        let uri = self.session.setup().url_of(request.uri());
        let head = RequestHead::new(request.method().as_str(), &uri);
        let call = self.session.call(head.headers(request.headers()))?;
        let mut next = request;
        let send = |credentials: Credentials| {
            let copy = next.clone();
            let mut request = std::mem::replace(&mut next, copy);
            credentials.apply(request.headers_mut());
            Some(self.agent.run(plain(&self.agent, request, None)))
        };
        let response = call.run(send, |response: &Response<Body>| ResponseHead {
            status: response.status().as_u16(),
            headers: response.headers(),
        })?;
        let status = response.status();
        if self.agent.config().http_status_as_error()
            && (status.is_client_error() || status.is_server_error())
        {
            return Err(CallError::Http(ureq::Error::StatusCode(status.as_u16())));
        }
        Ok(response)
    }

    /// The session behind this client: logging in ahead of time and out, callbacks that come by another way,
    /// step-ups for challenges in a tool's result, the accounts and their labels.
    pub fn session(&self) -> &Session<impl Host + use<>> {
        &self.session
    }
}

/// A request of which every response comes back as it is.
fn plain<B: AsSendBody>(agent: &Agent, request: Request<B>, timeout: Option<Duration>) -> Request<B> {
    let config = agent
        .configure_request(request)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false);
    match timeout {
        Some(timeout) => config.timeout_global(Some(timeout)).build(),
        None => config.build(),
    }
}

/// ureq as the driver's host.
#[derive(Debug)]
struct Ureq(Agent);

impl Host for Ureq {
    fn send(
        &self,
        request: &HttpRequest,
        max_body: usize,
        timeout: Duration,
    ) -> Result<HttpAnswer, HttpFailure> {
        let body = request.body.expose().as_bytes();
        let mut sent = Request::new(body);
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() =
            request.url.as_str().parse().map_err(|_| HttpFailure::new(FailureKind::Other, "no URI"))?;
        *sent.headers_mut() = request.headers.clone();
        // The caller's own timeouts hold as well; this one is the last resort.
        let timeout = self.0.config().timeouts().global.map_or(timeout, |own| own.min(timeout));
        let response = match request.method {
            http::Method::GET => {
                let (head, _) = sent.into_parts();
                self.0.run(plain(&self.0, Request::from_parts(head, ()), Some(timeout)))
            }
            _ => self.0.run(plain(&self.0, sent, Some(timeout))),
        };
        let response = response.map_err(|error| match &error {
            // What rustls says of a certificate, and of a peer that does not speak TLS.
            ureq::Error::Io(cause) if cause.kind() == std::io::ErrorKind::InvalidData => {
                HttpFailure::new(FailureKind::Unreachable, error.to_string())
            }
            _ => failure(&error),
        })?;
        let (head, body) = response.into_parts();
        let mut answer = HttpAnswer::arriving(head.status.as_u16(), head.headers, max_body)?;
        let mut reader = body.into_with_config().limit(u64::MAX).reader();
        let mut part = Zeroizing::new([0; 8 * 1024]);
        loop {
            match reader.read(&mut *part) {
                Ok(0) => return Ok(answer.whole()),
                Ok(len) => answer.push(&part[..len])?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure(&error.into())),
            }
        }
    }
}

/// What went wrong. ureq's errors name no URL.
fn failure(error: &ureq::Error) -> HttpFailure {
    let kind = match error {
        ureq::Error::Timeout(_) => FailureKind::TimedOut,
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::Tls(_) => {
            FailureKind::Unreachable
        }
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            FailureKind::Unreachable
        }
        ureq::Error::Io(_) | ureq::Error::Protocol(_) | ureq::Error::Http(_) => FailureKind::Broken,
        ureq::Error::BodyExceedsLimit(_) => FailureKind::BodyTooLarge,
        _ => FailureKind::Other,
    };
    HttpFailure::new(kind, error.to_string())
}
