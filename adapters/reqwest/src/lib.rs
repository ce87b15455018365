//! MCP authorization for reqwest on tokio.
//!
//! [`AuthorizedClient`] sends requests of reqwest and returns responses of reqwest; in between it does
//! whatever authorization the server demands. Bodies stream. Clone it, and use it from many tasks.
//!
//! ```no_run
//! use grantor_reqwest::{AuthorizedClient, ClientMetadata, Config};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = "https://mcp.example.com/mcp";
//! let config = Config::new(server, ClientMetadata::named("My client"))?;
//! let client = AuthorizedClient::new(config)?;
//! let request = client.http().post(server).header("content-type", "application/json").body("{}");
//! let response = client.send(request).await?;
//! # Ok(())
//! # }
//! ```

//!
//! To authorization servers goes what Grantor made and nothing else, by an HTTP client of its own: no default
//! header of the caller's client, no cookie. Names in URLs that came from outside are resolved and checked
//! before ([`UrlPolicy`](grantor::UrlPolicy)).

#![deny(missing_docs)]

mod host;

use std::sync::Arc;

use grantor_driver::CallError;
use grantor_driver::grantor::client::{ConfigError, Credentials, RequestHead, ResponseHead};
use grantor_driver::nonblocking::{Host, Session};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Request, RequestBuilder, Response};

pub use crate::host::Reqwest;
/// What this adapter is made with: the store's trait and types, sessions, hosts.
pub use grantor_driver as driver;
pub use grantor_driver::grantor::client::Config;
pub use grantor_driver::grantor::wire::client_metadata::ClientMetadata;
pub use grantor_driver::{
    Answer, Assertion, AssertionSource, Browser, Event, FileStore, InteractionFailure, MemoryStore, Observer,
    Setup, Signer, Store, UserAgent, Wait, grantor,
};

/// Why a call has no response.
pub type Error = CallError<reqwest::Error>;

/// A reqwest client whose requests to one MCP server are authorized for one account.
#[derive(Clone, Debug)]
pub struct AuthorizedClient {
    session: Session<Reqwest>,
    http: Client,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The builder would add headers or cookies of the caller's to requests for authorization servers.
    #[error(
        "the builder's {0} would go to authorization servers, too: give a client with them to `with_clients`, \
         and a builder without"
    )]
    Headers(String),
    /// reqwest cannot make a client.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

impl AuthorizedClient {
    /// A client with reqwest's usual settings.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(setup: impl Into<Setup>) -> Result<Self, BuildError> {
        let setup = setup.into();
        let (host, http) = Reqwest::shared(setup.addresses().clone(), Client::builder())?;
        Ok(Self { session: Session::new(Arc::new(host), setup)?, http })
    }

    /// A client with settings of the caller: proxies, roots, timeouts. They are asked for twice, for the
    /// caller's requests and for Grantor's own, so default headers and cookies have no place among them: those
    /// are for [`with_clients`](Self::with_clients). Redirects are switched off, since a token must not follow
    /// them.
    ///
    /// ```no_run
    /// # fn example(setup: grantor_reqwest::Setup) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// let settings = || reqwest::Client::builder().connect_timeout(Duration::from_secs(5));
    /// let client = grantor_reqwest::AuthorizedClient::with_builder(setup, settings)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn with_builder(
        setup: impl Into<Setup>,
        settings: impl Fn() -> ClientBuilder + Send + Sync + 'static,
    ) -> Result<Self, BuildError> {
        let http = settings().redirect(Policy::none()).build()?;
        Self::with_clients(setup, http, settings)
    }

    /// A client that sends the caller's requests over the caller's connections, with all that `http` adds to
    /// them, and Grantor's own with reqwest's usual settings. It must have been built with [`Policy::none`]:
    /// credentials would follow its redirects.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn with_client(setup: impl Into<Setup>, http: Client) -> Result<Self, BuildError> {
        Self::with_clients(setup, http, Client::builder)
    }

    /// The same, with settings for Grantor's own requests: proxies, roots, timeouts.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn with_clients(
        setup: impl Into<Setup>,
        http: Client,
        settings: impl Fn() -> ClientBuilder + Send + Sync + 'static,
    ) -> Result<Self, BuildError> {
        let setup = setup.into();
        let host = Reqwest::apart(setup.addresses().clone(), settings)?;
        Ok(Self { session: Session::new(Arc::new(host), setup)?, http })
    }

    /// The same for another account: one store, tokens of its own. Each call makes a session that loads its
    /// tokens anew; keep one for each account, and clone it.
    ///
    /// # Errors
    /// [`ConfigError::Account`].
    pub fn account(&self, name: &str) -> Result<Self, ConfigError> {
        Ok(Self { session: self.session.account(name)?, http: self.http.clone() })
    }

    /// The plain client, for building requests.
    pub fn http(&self) -> &Client {
        &self.http
    }

    /// Sends a request that is being built.
    ///
    /// # Errors
    /// As [`execute`](Self::execute); also when the request cannot be built.
    pub fn send(
        &self,
        request: RequestBuilder,
    ) -> impl Future<Output = Result<Response, Error>> + Send + use<'_> {
        self.execute_built(request.build())
    }

    /// Sends a request to the MCP server, and again where authorization needs it. Returns its response,
    /// whatever the status, with the body not read yet. Dropping the future cancels this call alone.
    ///
    /// # Errors
    /// [`CallError`]; also [`CallError::NotReplayable`] when the body is a stream and the request has to
    /// be sent again.
    pub fn execute(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, Error>> + Send + use<'_> {
        self.execute_built(Ok(request))
    }

    /// Both ways lead here directly: a request is large, and each async function moves it once more.
    async fn execute_built(&self, request: reqwest::Result<Request>) -> Result<Response, Error> {
        let mut next = None;
        let request = next.insert(request.map_err(CallError::Http)?);
        let head = RequestHead::new(request.method().as_str(), request.url().as_str());
        let call = self.session.call(head.headers(request.headers()))?;
        let mut kept = None;
        let send = |credentials: Credentials| {
            match &next {
                Some(request) => kept = request.try_clone(),
                None => next = kept.as_ref().and_then(Request::try_clone),
            }
            credentials.apply(next.as_mut()?.headers_mut());
            Some(self.http.execute(next.take()?))
        };
        call.run(send, |response: &Response| ResponseHead {
            status: response.status().as_u16(),
            headers: response.headers(),
        })
        .await
    }

    /// The session behind this client: logging in ahead of time and out, callbacks that come by another way,
    /// step-ups for challenges in a tool's result, the accounts and their labels.
    pub fn session(&self) -> &Session<impl Host + use<>> {
        &self.session
    }
}
