//! MCP authorization for servers on axum, hyper and tower.
//!
//! [`GuardLayer`] goes around a service: it serves the metadata of RFC 9728, checks tokens and scopes, and
//! answers what does not pass. What passes carries an [`Arc<Grant>`](grantor::resource::Grant) in the
//! request's extensions. Bodies are streamed on; where the operation has to be read from the body, it is
//! buffered up to a bound, and its trailers, which mean nothing in MCP, are dropped.
//!
//! ```no_run
//! use grantor_tower::GuardLayer;
//! use grantor_tower::grantor::resource::{AuthorizationServer, GuardConfig, Need, Policy};
//! use axum::{Router, routing::post};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = Policy::new()
//!     .every("mcp:use")?
//!     .tool("read_*", Need::all("files:read")?)
//!     .tool("write_file", Need::all("files:write")?);
//! let config = GuardConfig::new("https://mcp.example.com/mcp", policy)
//!     .server(AuthorizationServer::jwt("https://as.example.com"));
//! // Around the whole router, so that the metadata is served, too.
//! let app: Router = Router::new().route("/mcp", post(|| async { "…" })).layer(GuardLayer::new(config)?);
//! # Ok(())
//! # }
//! ```
//!
//! Everything that the layer sees needs a token, but for
//! [`public_paths`](grantor::resource::GuardConfig::public_paths). The token stays in the request; the server
//! must not pass it on to others (MCP "Token Handling").
//!
//! # Inside of a router
//!
//! The Guard has to see the URL that the client sent: its metadata, public paths and proofs of possession
//! depend on it. Inside `Router::nest` axum cuts off the path of the nest; the layer looks at its `OriginalUri` instead
//! (feature `axum`, on by default). Behind other routers, [`GuardLayer::prefix`] says what they cut off.
//!
//! Around a part of a router, the layer never sees requests for the metadata. Route them beside it:
//!
//! ```no_run
//! use axum::{Router, routing::post};
//! use grantor_tower::GuardLayer;
//! # fn example(config: grantor_tower::grantor::resource::GuardConfig) -> Result<(), Box<dyn std::error::Error>> {
//! let guard = GuardLayer::new(config)?; // for https://mcp.example.com/api/mcp
//! let app: Router = Router::new()
//!     .route_service(&guard.metadata_path(), guard.metadata())
//!     .nest("/api", Router::new().route("/mcp", post(|| async { "…" })).layer(guard));
//! # Ok(())
//! # }
//! ```
//!
//! Where a proxy passes on nothing but `/api`, [`metadata_url`](grantor::resource::GuardConfig::metadata_url) puts
//! the metadata there.
//!
//! # What an operator sees
//!
//! Clients are told little about why a request is refused. With the feature `tracing`, on by default, each refusal is an
//! event of target `grantor`: the status, what the client wanted to do, whose token it was, which scopes are missing, and why;
//! never anything of a token. So are failures of authorization servers. Without a subscriber nothing is written:
//! `tracing_subscriber::fmt::init()` is one.
//!
//! A layer outside of this one finds the same in the extensions of the response, as
//! [`Refusal`](grantor::resource::Refusal) and [`RefusalReport`](grantor::resource::RefusalReport). What the Guard
//! notices of the authorization servers also goes to [`Setup::log`](guard::Setup::log).
//!
//! ```no_run
//! use axum::{Router, middleware::map_response, response::Response, routing::post};
//! use grantor_tower::{GuardLayer, Reqwest};
//! use grantor_tower::grantor::resource::{GuardConfig, Refusal};
//! use grantor_tower::guard::Setup;
//!
//! async fn log(response: Response) -> Response {
//!     if let Some(refusal) = response.extensions().get::<Refusal>() {
//!         eprintln!("{}: {refusal}", response.status());
//!     }
//!     response
//! }
//!
//! # fn example(config: GuardConfig) -> Result<(), Box<dyn std::error::Error>> {
//! let setup = Setup::new(Reqwest::new()?, config).log(|notice| eprintln!("{notice:?}"));
//! let app: Router = Router::new()
//!     .route("/mcp", post(|| async { "…" }))
//!     .layer(GuardLayer::with(setup)?)
//!     .layer(map_response(log)); // axum: what is added later is outside
//! # Ok(())
//! # }
//! ```
//!
//! # An authorization server
//!
//! [`ProviderLayer`] puts one in front of a router, with pages to sign in and to consent: see there.
//!
//! # Web pages
//!
//! With [`cors`](grantor::resource::GuardConfig::cors) the Guard answers preflights and adds what pages need to
//! the server's own answers; a CORS layer besides is not needed. The server's `Vary` and
//! `Access-Control-Expose-Headers` stay.

#![deny(missing_docs)]

mod body;
mod future;
#[cfg(feature = "tracing")]
mod log;
mod merge;
mod metadata;
mod provider_layer;
mod service;
mod target;

use std::fmt;

use grantor_driver::guard::{Guarded, Setup};
use grantor_driver::nonblocking::Host;
use tower_layer::Layer;

pub use body::GuardBody;
pub use future::GuardFuture;
pub use grantor_driver::{HttpAnswer, HttpFailure, grantor, guard, nonblocking, provider, store};
#[cfg(feature = "reqwest")]
pub use grantor_reqwest::Reqwest;
pub use metadata::MetadataService;
pub use provider_layer::{ProviderLayer, ProviderService, Shown, Users, unix_s};
pub use service::GuardService;
pub use target::PrefixError;

use target::Prefix;

/// Puts a Guard around services. Clones, and the services made by them, share it.
pub struct GuardLayer<H: Host> {
    guarded: Guarded<H>,
    prefix: Option<Prefix>,
}

/// Why there is no layer.
#[cfg(feature = "reqwest")]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] grantor::resource::GuardConfigError),
    /// reqwest cannot make a client.
    #[error("no HTTP client could be made: {0}")]
    Http(String),
}

#[cfg(feature = "reqwest")]
impl GuardLayer<Reqwest> {
    /// A layer that fetches what it needs with reqwest. Requests must be served on tokio.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(config: grantor::resource::GuardConfig) -> Result<Self, BuildError> {
        let host = Reqwest::new().map_err(|error| BuildError::Http(error.to_string()))?;
        Ok(Self::with(Setup::new(host, config))?)
    }
}

impl<H: Host> GuardLayer<H> {
    /// A layer for this setup.
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn with(setup: Setup<H>) -> Result<Self, grantor::resource::GuardConfigError> {
        #[cfg(feature = "tracing")]
        let setup = setup.log(log::notice);
        Ok(Self { guarded: setup.build()?, prefix: None })
    }

    /// Says what a router in front of the layer cuts off the path: `/api`. Not needed inside axum's
    /// `Router::nest` (with the feature `axum`), whose [whole URL](#inside-of-a-router) the layer sees.
    ///
    /// # Errors
    /// When this is no path.
    pub fn prefix(self, path: &str) -> Result<Self, PrefixError> {
        Ok(Self { prefix: Some(Prefix::new(path)?), ..self })
    }

    /// A service that serves the metadata (RFC 9728) at whatever path it is routed to, without a token: for
    /// routers of which the layer only sees a part. The path to route is that of
    /// [`metadata_path`](Self::metadata_path).
    pub fn metadata(&self) -> MetadataService<H> {
        MetadataService::new(self.guarded.clone())
    }

    /// The path of the URL that challenges name: `/.well-known/oauth-protected-resource/mcp`.
    pub fn metadata_path(&self) -> String {
        self.guarded.with(|guard| guard.metadata_path().to_owned())
    }

    /// The Guard and its host.
    pub fn guarded(&self) -> &Guarded<H> {
        &self.guarded
    }
}

impl<H: Host> Clone for GuardLayer<H> {
    fn clone(&self) -> Self {
        Self { guarded: self.guarded.clone(), prefix: self.prefix.clone() }
    }
}

impl<H: Host> fmt::Debug for GuardLayer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardLayer")
            .field("guarded", &self.guarded)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl<S, H: Host> Layer<S> for GuardLayer<H> {
    type Service = GuardService<S, H>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService::new(inner, self.guarded.clone(), self.prefix.clone())
    }
}
