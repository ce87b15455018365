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

#![deny(missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use grantor_driver::grantor::client::{ConfigError, Credentials, RequestHead, ResponseHead};
use grantor_driver::grantor::error::FailureKind;
use grantor_driver::grantor::wire::HttpRequest;
use grantor_driver::nonblocking::{Host, Session};
use grantor_driver::{CallError, HttpAnswer, HttpFailure};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Request, RequestBuilder, Response};

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
        Self::with_builder(setup, Client::builder())
    }

    /// A client with settings of the caller: proxies, roots, timeouts. Redirects are switched off, since
    /// a token must not follow them.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn with_builder(setup: impl Into<Setup>, builder: ClientBuilder) -> Result<Self, BuildError> {
        Ok(Self::with_client(setup, builder.redirect(Policy::none()).build()?)?)
    }

    /// A client that shares the caller's connections. It must have been built with
    /// [`Policy::none`]: credentials would follow its redirects. Answers to Grantor's own requests that
    /// came after a redirect are refused.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn with_client(setup: impl Into<Setup>, http: Client) -> Result<Self, ConfigError> {
        let session = Session::new(Arc::new(Reqwest(http.clone())), setup)?;
        Ok(Self { session, http })
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

/// reqwest as the driver's host, also for servers that are protected by a
/// [`Guard`](grantor::resource::Guard).
#[derive(Clone, Debug)]
pub struct Reqwest(Client);

impl Reqwest {
    /// A host of its own connections, with reqwest's usual settings.
    ///
    /// # Errors
    /// When reqwest cannot make a client.
    pub fn new() -> reqwest::Result<Self> {
        Client::builder().redirect(Policy::none()).build().map(Self)
    }

    /// A host that shares the caller's connections. The client must have been built with
    /// [`Policy::none`]; answers that came after a redirect are refused.
    pub fn with_client(client: Client) -> Self {
        Self(client)
    }
}

impl Host for Reqwest {
    async fn send(&self, request: &HttpRequest, max_body: usize) -> Result<HttpAnswer, HttpFailure> {
        let body = request.body.expose().to_owned();
        let sending = self
            .0
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone())
            .body(body)
            .send();
        let mut response = sending.await.map_err(failure)?;
        if *response.url() != request.url {
            return Err(HttpFailure::new(FailureKind::Other, "the client followed a redirect"));
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut answer = HttpAnswer::arriving(status, headers, max_body)?;
        while let Some(part) = response.chunk().await.map_err(failure)? {
            answer.push(&part)?;
        }
        Ok(answer.whole())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    fn unblock(&self, work: impl FnOnce() + Send + 'static) {
        tokio::task::spawn_blocking(work);
    }
}

/// What went wrong, without the URL, whose query may hold more than a log should.
fn failure(error: reqwest::Error) -> HttpFailure {
    let kind = if error.is_timeout() {
        FailureKind::TimedOut
    } else if error.is_connect() {
        FailureKind::Unreachable
    } else if error.is_request() || error.is_body() || error.is_decode() {
        FailureKind::Broken
    } else {
        FailureKind::Other
    };
    HttpFailure::because(kind, &error.without_url())
}
