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

//!
//! To authorization servers goes what Grantor made and nothing else, by an agent of its own: nothing of the
//! caller's middleware, no cookie. Names in URLs that came from outside are resolved and checked before
//! ([`UrlPolicy`](grantor::UrlPolicy)).

#![deny(missing_docs)]

mod host;

use std::sync::Arc;

use grantor_driver::CallError;
use grantor_driver::blocking::{Host, Session};
use grantor_driver::grantor::client::{ConfigError, Credentials, RequestHead, ResponseHead};
use http::{Request, Response};
use ureq::{Agent, AsSendBody, Body};

use crate::host::{Ureq, plain};

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
    /// a token must not follow them. Grantor's own requests have an agent of the same settings, without the
    /// middleware, the cookies, the connector and the resolver of this one.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn with_agent(setup: impl Into<Setup>, agent: Agent) -> Result<Self, ConfigError> {
        let setup = setup.into();
        let host = Ureq::like(&agent, setup.addresses().clone());
        Ok(Self { session: Session::new(Arc::new(host), setup)?, agent })
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
