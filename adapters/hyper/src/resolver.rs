//! Names that are checked before they are connected to.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use grantor_driver::{Addresses, Setup};
use hyper_util::client::legacy::connect::dns::Name;

/// Resolves names for hyper's connectors: those in URLs that came from outside to the addresses that were
/// checked, others as the system does.
#[derive(Clone, Debug)]
pub struct Resolver(Addresses);

impl Resolver {
    /// The resolver for clients of this setup.
    pub fn of(setup: &Setup) -> Self {
        Self(setup.addresses().clone())
    }
}

impl tower_service::Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let addresses = self.0.clone();
        Box::pin(async move {
            let resolving = tokio::task::spawn_blocking(move || addresses.resolve(name.as_str()));
            let resolved = resolving.await.map_err(io::Error::other)??;
            let addresses: Vec<_> = resolved.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(addresses.into_iter())
        })
    }
}
