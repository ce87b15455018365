//! MCP authorization for hyper on tokio.
//!
//! [`AuthorizedClient`] sends requests of the `http` crate and returns responses of hyper; in between it
//! does whatever authorization the server demands. It is a tower service, too. Bodies stream. Clone it,
//! and use it from many tasks.
//!
//! ```no_run
//! use grantor_hyper::{AuthorizedClient, ClientMetadata, Config};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = "https://mcp.example.com/mcp";
//! let config = Config::new(server, ClientMetadata::named("My client"))?;
//! let client = AuthorizedClient::new(config)?;
//! let request = http::Request::post(server).header("content-type", "application/json").body("{}")?;
//! let response = client.send(request).await?;
//! # Ok(())
//! # }
//! ```
//!
//! By itself it speaks TLS with rustls, aws-lc-rs and the verifier of the platform, so it trusts whom the
//! user's system trusts, the authorities of an enterprise included. For anything else, bring a
//! [connector](AuthorizedClient::with_connector) or a [client](AuthorizedClient::with_client).
//!
//! To authorization servers goes what Grantor made and nothing else: hyper's client adds nothing to requests,
//! and layers around this service see the caller's requests alone. Names in URLs that came from outside are
//! resolved and checked before ([`UrlPolicy`](grantor::UrlPolicy)). A connector of your own that asks a
//! [`Resolver`] connects to the addresses that were checked, and to no others.

#![deny(missing_docs)]

mod body;
mod resolver;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use grantor_driver::grantor::client::{ConfigError, Credentials, RequestHead, ResponseHead};
use grantor_driver::grantor::error::FailureKind;
use grantor_driver::grantor::wire::HttpRequest;
use grantor_driver::nonblocking::{Host, Session};
use grantor_driver::{Addresses, HttpAnswer, HttpFailure, SavedHead};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::Connect;
#[cfg(feature = "rustls")]
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

pub use crate::body::Body;
pub use crate::resolver::Resolver;
/// What this adapter is made with: the store's trait and types, sessions, hosts.
pub use grantor_driver as driver;
pub use grantor_driver::grantor::client::Config;
pub use grantor_driver::grantor::wire::client_metadata::ClientMetadata;
pub use grantor_driver::{
    Answer, Assertion, AssertionSource, Browser, CallError, Event, FileStore, InteractionFailure,
    MemoryStore, Observer, Setup, Signer, Store, UserAgent, Wait, grantor,
};

/// Why a call has no response.
pub type Error = CallError<hyper_util::client::legacy::Error>;

/// The connector of [`AuthorizedClient::new`].
#[cfg(feature = "rustls")]
pub type Https = hyper_rustls::HttpsConnector<HttpConnector<Resolver>>;

/// A hyper client whose requests to one MCP server are authorized for one account.
pub struct AuthorizedClient<C: Connect + Clone + Send + Sync + 'static> {
    session: Session<Hyper<C>>,
    http: Client<C, Body>,
}

/// Why there is no client.
#[cfg(feature = "rustls")]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The platform has no verifier of certificates.
    #[error("no verifier of certificates: {0}")]
    Tls(io::Error),
}

#[cfg(feature = "rustls")]
impl AuthorizedClient<Https> {
    /// A client for `https` and `http` that keeps connections alive.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(setup: impl Into<Setup>) -> Result<Self, BuildError> {
        let setup = setup.into();
        let mut tcp = HttpConnector::new_with_resolver(Resolver::of(&setup));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(BuildError::Tls)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self::with_connector(setup, connector)?)
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> AuthorizedClient<C> {
    /// A client whose connections the caller makes: other TLS, proxies, Unix sockets, timeouts. Give it a
    /// [`Resolver`] if it takes one:
    ///
    /// ```no_run
    /// # fn example(setup: grantor_hyper::Setup) -> Result<(), Box<dyn std::error::Error>> {
    /// use grantor_hyper::{AuthorizedClient, Resolver};
    /// use hyper_util::client::legacy::connect::HttpConnector;
    /// let plain = HttpConnector::new_with_resolver(Resolver::of(&setup));
    /// let client = AuthorizedClient::with_connector(setup, plain)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn with_connector(setup: impl Into<Setup>, connector: C) -> Result<Self, ConfigError> {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new());
        Self::with_client(setup, builder.build(connector))
    }

    /// A client that shares the caller's connections.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn with_client(setup: impl Into<Setup>, http: Client<C, Body>) -> Result<Self, ConfigError> {
        let setup = setup.into();
        let host = Hyper { http: http.clone(), addresses: setup.addresses().clone() };
        let session = Session::new(Arc::new(host), setup)?;
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

    /// The plain client.
    pub fn http(&self) -> &Client<C, Body> {
        &self.http
    }

    /// Sends a request to the MCP server, and again where authorization needs it. Its URI is absolute.
    /// Returns the response, whatever the status, with the body not read yet. Dropping the future cancels
    /// this call alone.
    ///
    /// # Errors
    /// [`CallError`]; also [`CallError::NotReplayable`] when the body is a stream and the request has to
    /// be sent again.
    pub async fn send<B: Into<Body>>(&self, request: Request<B>) -> Result<Response<Incoming>, Error> {
        // Where it stays until it is sent: a request is large, and each move of it costs.
        let mut next = None;
        let request = next.insert(request.map(Into::into));
        let url = self.session.setup().url_of(request.uri());
        let head = RequestHead::new(request.method().as_str(), &url);
        let call = self.session.call(head.headers(request.headers()))?;
        let (mut saved_head, mut saved_body) = (SavedHead::default(), None);
        let send = |credentials: Credentials| {
            match &next {
                Some(request) => {
                    saved_head.keep(request);
                    saved_body = request.body().try_clone();
                }
                None => next = saved_head.request(&url, saved_body.as_ref()?.try_clone()?),
            }
            credentials.apply(next.as_mut()?.headers_mut());
            Some(self.http.request(next.take()?))
        };
        call.run(send, |response: &Response<Incoming>| ResponseHead {
            status: response.status().as_u16(),
            headers: response.headers(),
        })
        .await
    }

    /// The session behind this client: logging in ahead of time and out, callbacks that come by another way,
    /// step-ups for challenges in a tool's result, the accounts and their labels.
    pub fn session(&self) -> &Session<impl Host + use<C>> {
        &self.session
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> Clone for AuthorizedClient<C> {
    fn clone(&self) -> Self {
        Self { session: self.session.clone(), http: self.http.clone() }
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> fmt::Debug for AuthorizedClient<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizedClient").field("session", &self.session).finish_non_exhaustive()
    }
}

impl<C, B> tower_service::Service<Request<B>> for AuthorizedClient<C>
where
    C: Connect + Clone + Send + Sync + 'static,
    B: Into<Body> + Send + 'static,
{
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let client = self.clone();
        Box::pin(async move { client.send(request).await })
    }
}

/// hyper's client as the driver's host.
struct Hyper<C> {
    http: Client<C, Body>,
    addresses: Addresses,
}

impl<C: Connect + Clone + Send + Sync + 'static> Host for Hyper<C> {
    async fn send(&self, request: &HttpRequest, max_body: usize) -> Result<HttpAnswer, HttpFailure> {
        let mut sent = Request::new(Body::from(request.body.expose().to_owned()));
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() =
            request.url.as_str().parse().map_err(|_| HttpFailure::new(FailureKind::Other, "no URI"))?;
        *sent.headers_mut() = request.headers.clone();
        let response = self.http.request(sent).await.map_err(|error| {
            let kind = if error.is_connect() { FailureKind::Unreachable } else { FailureKind::Broken };
            failure(kind, &error)
        })?;
        let (head, mut body) = response.into_parts();
        let mut answer = HttpAnswer::arriving(head.status.as_u16(), head.headers, max_body)?;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| failure(FailureKind::Broken, &error))?;
            if let Some(part) = frame.data_ref() {
                answer.push(part)?;
            }
        }
        answer.whole()
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

    fn addresses(&self) -> Option<&Addresses> {
        Some(&self.addresses)
    }
}

/// What went wrong; a connector may have timeouts of its own. hyper's errors name no URL.
fn failure(kind: FailureKind, error: &(dyn std::error::Error + 'static)) -> HttpFailure {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return HttpFailure::because(FailureKind::TimedOut, error);
        }
        cause = error.source();
    }
    HttpFailure::because(kind, error)
}
