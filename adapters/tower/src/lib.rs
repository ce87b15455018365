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
//! # What an operator sees
//!
//! Clients are told little about why a request is refused. A layer outside of this one finds the
//! [`Refusal`](grantor::resource::Refusal) in the extensions of the response; it quotes nothing of the token. What
//! the Guard notices of the authorization servers goes to [`Setup::log`](guarding::Setup::log).
//!
//! ```no_run
//! use axum::{Router, middleware::map_response, response::Response, routing::post};
//! use grantor_tower::{GuardLayer, Reqwest};
//! use grantor_tower::grantor::resource::{GuardConfig, Refusal};
//! use grantor_tower::guarding::Setup;
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
//! # Web pages
//!
//! With [`cors`](grantor::resource::GuardConfig::cors) the Guard answers preflights and adds what pages need to
//! the server's own answers; a CORS layer besides is not needed. The server's `Vary` and
//! `Access-Control-Expose-Headers` stay.

#![deny(missing_docs)]

mod body;
mod future;
mod merge;
mod service;

use std::fmt;

use grantor_driver::guarding::{Guarded, Setup};
use grantor_driver::nonblocking::Host;
use tower_layer::Layer;

pub use body::GuardBody;
pub use future::GuardFuture;
pub use grantor_driver::{grantor, guarding, nonblocking};
#[cfg(feature = "reqwest")]
pub use grantor_reqwest::Reqwest;
pub use service::GuardService;

/// Puts a Guard around services. Clones, and the services made by them, share it.
pub struct GuardLayer<H: Host>(Guarded<H>);

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
        Ok(Self(Setup::new(host, config).build()?))
    }
}

impl<H: Host> GuardLayer<H> {
    /// A layer for this setup.
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn with(setup: Setup<H>) -> Result<Self, grantor::resource::GuardConfigError> {
        setup.build().map(Self)
    }

    /// The Guard and its host.
    pub fn guarded(&self) -> &Guarded<H> {
        &self.0
    }
}

impl<H: Host> Clone for GuardLayer<H> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H: Host> fmt::Debug for GuardLayer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GuardLayer").field(&self.0).finish()
    }
}

impl<S, H: Host> Layer<S> for GuardLayer<H> {
    type Service = GuardService<S, H>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService::new(inner, self.0.clone())
    }
}
