//! An authorization server around, or beside, a service: its endpoints, and pages to sign in and to consent.

mod forms;
mod html;
mod pages;
mod service;
mod users;

use std::fmt;

use grantor_driver::nonblocking::Host;
use grantor_driver::provider::Provided;
use tower_layer::Layer;

pub use service::ProviderService;
pub use users::{Shown, Users};

/// Puts an authorization server in front of services: it answers what is its own, and passes on all else.
///
/// Its endpoints are below the issuer, so the service must see the paths that browsers and clients send. Behind a proxy
/// that ends TLS that is so by itself; the issuer is configured, and never guessed from `Host`.
///
/// ```no_run
/// use axum::Router;
/// use grantor_tower::{ProviderLayer, Reqwest, Users};
/// use grantor_tower::grantor::jose::{Algorithm, SigningKey};
/// use grantor_tower::grantor::server::{ProtectedResource, Provider, ProviderConfig, Registration, User};
/// use grantor_tower::provider::Provided;
/// use grantor_tower::store::MemoryStore;
///
/// struct Directory;
///
/// impl Users for Directory {
///     async fn sign_in(&self, name: &str, password: &str) -> Option<User> {
///         (name == "alice" && password == "correct horse").then(|| User::new("alice", grantor_tower::unix_s()))
///     }
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let files = ProtectedResource::new("https://mcp.example.com/mcp").scope("files:read", "Read your files")?;
/// let config = ProviderConfig::new("https://mcp.example.com", &std::fs::read("secret")?)
///     .key(SigningKey::from_pem(&std::fs::read_to_string("key.pem")?, Algorithm::Es256)?)
///     .resource(files)
///     .registration(Registration::open());
/// let provided = Provided::new(Reqwest::new()?, Provider::new(config)?, MemoryStore::default());
/// let app: Router = Router::new().layer(ProviderLayer::new(provided, Directory));
/// # Ok(())
/// # }
/// ```
pub struct ProviderLayer<H: Host, U> {
    provided: Provided<H>,
    users: std::sync::Arc<U>,
}

impl<H: Host, U: Users> ProviderLayer<H, U> {
    /// For this provider, whose users these are.
    pub fn new(provided: Provided<H>, users: U) -> Self {
        Self { provided, users: std::sync::Arc::new(users) }
    }

    /// The provider and its host.
    pub fn provided(&self) -> &Provided<H> {
        &self.provided
    }
}

impl<H: Host, U> Clone for ProviderLayer<H, U> {
    fn clone(&self) -> Self {
        Self { provided: self.provided.clone(), users: std::sync::Arc::clone(&self.users) }
    }
}

impl<H: Host, U> fmt::Debug for ProviderLayer<H, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderLayer").field("provided", &self.provided).finish_non_exhaustive()
    }
}

impl<S, H: Host, U> Layer<S> for ProviderLayer<H, U> {
    type Service = ProviderService<S, H, U>;

    fn layer(&self, inner: S) -> Self::Service {
        ProviderService::new(inner, self.provided.clone(), std::sync::Arc::clone(&self.users))
    }
}

/// The time, in seconds since 1970.
pub fn unix_s() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}
