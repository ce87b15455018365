//! MCP authorization on smol, without tokio.
//!
//! [`AuthorizedClient`] sends requests of isahc (which are those of the `http` crate) and returns
//! responses of isahc; in between it does whatever authorization the server demands. Bodies stream. Clone
//! it, and use it from many tasks, on any executor.
//!
//! ```no_run
//! use grantor_smol::{AuthorizedClient, ClientMetadata, Config};
//! use isahc::AsyncReadResponseExt as _;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = "https://mcp.example.com/mcp";
//! let config = Config::new(server, ClientMetadata::named("My client"))?;
//! let client = AuthorizedClient::new(config)?;
//! let request = http::Request::post(server).header("content-type", "application/json").body("{}")?;
//! let mut response = client.send(request).await?;
//! println!("{:?}", response.bytes().await?);
//! # Ok(())
//! # }
//! ```
//!
//! Why isahc: hyper needs tokio whatever the runtime. Of the clients that do not, this one is kept, pools
//! connections and speaks TLS with rustls; it is libcurl inside, on a thread of its own, and wakes tasks
//! of whatever runtime. TLS is by aws-lc-rs and the verifier of the platform, so it trusts whom the user's
//! system trusts, the authorities of an enterprise included. For anything else, bring a
//! [client](AuthorizedClient::with_client).
//!
//! The libcurl that isahc builds waits for sockets with `select`, which knows file descriptors below 1024
//! only: in a process with more of them open, connecting fails.
//!
//! To authorization servers goes what Grantor made and nothing else, by an HTTP client of its own: no default
//! header of the caller's client, no cookie. Names in URLs that came from outside are resolved and checked
//! before ([`UrlPolicy`](grantor::UrlPolicy)), and connected to by address. Where the environment names a
//! proxy (`https_proxy`, `all_proxy`), it is the proxy that resolves them; one that the builder names is given
//! addresses.
//!
//! isahc can trace what is on the wire, tokens included (target `isahc::wire`). Leave that off.

#![deny(missing_docs)]

mod host;

use std::sync::Arc;

use futures_lite::AsyncReadExt as _;
use grantor_driver::grantor::client::{ConfigError, Credentials, RequestHead, ResponseHead};
use grantor_driver::nonblocking::{Host, Session};
use http::request::{Builder, Parts};
use http::{Request, Response};
use isahc::config::{Configurable as _, RedirectPolicy};
use isahc::error::ErrorKind;
use isahc::{AsyncBody, HttpClient, HttpClientBuilder};

use crate::host::Isahc;

/// What this adapter is made with: the store's trait and types, sessions, hosts.
pub use grantor_driver as driver;
pub use grantor_driver::grantor::client::Config;
pub use grantor_driver::grantor::wire::client_metadata::ClientMetadata;
pub use grantor_driver::{
    Answer, Assertion, AssertionSource, Browser, CallError, Event, FileStore, InteractionFailure,
    MemoryStore, Observer, Setup, Signer, Store, UserAgent, Wait, grantor,
};

/// Why a call has no response.
pub type Error = CallError<isahc::Error>;

/// So many connections a client of [`AuthorizedClient::new`] has at most; more requests than that wait.
pub const MAX_CONNECTIONS: usize = 256;

/// An isahc client whose requests to one MCP server are authorized for one account.
#[derive(Clone, Debug)]
pub struct AuthorizedClient {
    session: Session<Isahc>,
    http: HttpClient,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// isahc cannot make a client.
    #[error(transparent)]
    Http(#[from] isahc::Error),
}

impl AuthorizedClient {
    /// A client with isahc's usual settings and at most [`MAX_CONNECTIONS`].
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(setup: impl Into<Setup>) -> Result<Self, BuildError> {
        let setup = setup.into();
        let http = HttpClient::builder().max_connections(MAX_CONNECTIONS).build()?;
        let host = Isahc::shared(setup.addresses().clone(), http.clone());
        Ok(Self { session: Session::new(Arc::new(host), setup)?, http })
    }

    /// A client with settings of the caller: proxies, roots, timeouts, default headers. They are asked for
    /// twice, for the caller's requests and, without the default headers, for Grantor's own. A cookie jar is
    /// not for them, but for [`with_clients`](Self::with_clients).
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn with_builder(
        setup: impl Into<Setup>,
        settings: impl Fn() -> HttpClientBuilder + Send + Sync + 'static,
    ) -> Result<Self, BuildError> {
        let http = settings().build()?;
        Ok(Self::with_clients(setup, http, settings)?)
    }

    /// A client that sends the caller's requests over the caller's connections, with all that `http` adds to
    /// them, and Grantor's own with isahc's usual settings. Its redirects are not used, since a token must not
    /// follow them.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn with_client(setup: impl Into<Setup>, http: HttpClient) -> Result<Self, ConfigError> {
        Self::with_clients(setup, http, HttpClient::builder)
    }

    /// The same, with settings for Grantor's own requests: proxies, roots, timeouts. Default headers among them
    /// are dropped.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn with_clients(
        setup: impl Into<Setup>,
        http: HttpClient,
        settings: impl Fn() -> HttpClientBuilder + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        let setup = setup.into();
        let host = Isahc::apart(setup.addresses().clone(), settings);
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

    /// The plain client.
    pub fn http(&self) -> &HttpClient {
        &self.http
    }

    /// Sends a request to the MCP server, and again where authorization needs it. Returns its response,
    /// whatever the status, with the body not read yet. Dropping the future cancels this call alone.
    ///
    /// # Errors
    /// [`CallError`]; also [`CallError::NotReplayable`] when the body is a reader and the request has to
    /// be sent again.
    pub async fn send<B: Into<AsyncBody>>(&self, request: Request<B>) -> Result<Response<AsyncBody>, Error> {
        let (parts, body) = request.into_parts();
        let mut body = Content::of(body.into()).await;
        let uri = self.session.setup().url_of(&parts.uri);
        let head = RequestHead::new(parts.method.as_str(), &uri);
        let call = self.session.call(head.headers(&parts.headers))?;
        let mut next = parts;
        let send = |credentials: Credentials| {
            let body = body.next()?;
            let copy = next.clone();
            let mut parts = std::mem::replace(&mut next, copy);
            credentials.apply(&mut parts.headers);
            Some(send_once(&self.http, request_builder(parts), body))
        };
        call.run(send, |response: &Response<AsyncBody>| ResponseHead {
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

/// The body of a request that may have to be sent again.
enum Content {
    Absent,
    Once(Option<AsyncBody>),
    /// The body as it was given, for the first time, and what is in it.
    Whole {
        body: Option<AsyncBody>,
        whole: Vec<u8>,
    },
}

impl Content {
    async fn of(mut body: AsyncBody) -> Self {
        if body.is_empty() {
            return Self::Absent;
        }
        let mut whole = Vec::new();
        // Only what is in memory can be reset, and reading that neither waits nor fails.
        if body.reset() && body.read_to_end(&mut whole).await.is_ok() && body.reset() {
            Self::Whole { body: Some(body), whole }
        } else {
            Self::Once(Some(body))
        }
    }

    fn next(&mut self) -> Option<AsyncBody> {
        match self {
            Self::Absent => Some(AsyncBody::empty()),
            Self::Once(body) => body.take(),
            Self::Whole { body, whole } => Some(body.take().unwrap_or_else(|| whole.clone().into())),
        }
    }
}

/// A request of which every response comes back as it is.
fn request_builder(parts: Parts) -> Builder {
    let mut builder = Request::builder().method(parts.method).uri(parts.uri).version(parts.version);
    if let Some(headers) = builder.headers_mut() {
        *headers = parts.headers;
    }
    if let Some(extensions) = builder.extensions_mut() {
        *extensions = parts.extensions;
    }
    builder.redirect_policy(RedirectPolicy::None)
}

pub(crate) async fn send_once(
    http: &HttpClient,
    request: Builder,
    body: AsyncBody,
) -> Result<Response<AsyncBody>, isahc::Error> {
    let request = request.body(body).map_err(|_| ErrorKind::InvalidRequest)?;
    http.send_async(request).await
}
