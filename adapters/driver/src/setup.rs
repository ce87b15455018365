//! What a session is made of.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use grantor::client::Config;
use http::Uri;

use crate::addresses::{Addresses, Resolver};
use crate::browser::{Browser, UserAgent};
use crate::event::{Essentials, Observer};
use crate::sign::{AssertionSource, NoSigner, Signer};
use crate::store::{MemoryStore, Store};

/// A configuration and the host's side of it: where records are kept, who talks to the user, who is told
/// what happens. [`Config`] turns into one with tokens in memory and the system's browser.
///
/// ```no_run
/// use grantor_driver::grantor::client::Config;
/// use grantor_driver::grantor::wire::client_metadata::ClientMetadata;
/// use grantor_driver::{Browser, Event, FileStore, Setup};
///
/// let config = Config::new("https://mcp.example.com/mcp", ClientMetadata::named("Example"))?;
/// let on_a_terminal = Browser::open_with(|url| {
///     eprintln!("Open {url}");
///     Ok(())
/// });
/// let setup = Setup::new(config)
///     .store(FileStore::for_application("example")?)
///     .user_agent(on_a_terminal)
///     .observer(|event: Event<'_>| {
///         if let Event::Notice(notice) = event {
///             eprintln!("{notice}");
///         }
///     });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Setup {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) user: Arc<dyn UserAgent>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) assertions: Arc<dyn AssertionSource>,
    addresses: Addresses,
}

impl Setup {
    /// The usual setup for this configuration.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            store: Arc::new(MemoryStore::default()),
            user: Arc::new(Browser::default()),
            observer: Arc::new(Essentials),
            signer: Arc::new(NoSigner),
            assertions: Arc::new(NoSigner),
            addresses: Addresses::default(),
        }
    }

    /// Keeps records here.
    #[must_use]
    pub fn store(self, store: impl Store) -> Self {
        Self { store: Arc::new(store), ..self }
    }

    /// Lets this talk to the user.
    #[must_use]
    pub fn user_agent(self, user: impl UserAgent) -> Self {
        Self { user: Arc::new(user), ..self }
    }

    /// Tells this what happens. Without an observer, standard error is told what a user must know: that a server is busy
    /// or another process renews the tokens, and that a connection is plain http.
    #[must_use]
    pub fn observer(self, observer: impl Observer) -> Self {
        Self { observer: Arc::new(observer), ..self }
    }

    /// Signs with the keys that are held elsewhere.
    #[must_use]
    pub fn signer(self, signer: impl Signer) -> Self {
        Self { signer: Arc::new(signer), ..self }
    }

    /// Takes assertions about the user or the workload from here.
    #[must_use]
    pub fn assertions(self, source: impl AssertionSource) -> Self {
        Self { assertions: Arc::new(source), ..self }
    }

    /// Resolves names by this instead of the system's resolver, for Grantor's own requests. What URLs from
    /// outside lead to is checked in any case ([`UrlPolicy`](grantor::UrlPolicy)).
    #[must_use]
    pub fn resolver(self, resolver: impl Resolver) -> Self {
        Self { addresses: Addresses::by(resolver), ..self }
    }

    /// The same for another account.
    #[must_use]
    pub fn account(self, name: &str) -> Self {
        Self { config: self.config.account(name), ..self }
    }

    /// The URL of a request as text, without a copy for the resource's own.
    pub fn url_of(&self, uri: &Uri) -> Cow<'_, str> {
        let resource = self.config.resource().as_str();
        if *uri == *resource { resource.into() } else { uri.to_string().into() }
    }

    /// The addresses that Grantor's own requests may be sent to, for the HTTP stack.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

impl From<Config> for Setup {
    fn from(config: Config) -> Self {
        Self::new(config)
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use grantor::wire::client_metadata::ClientMetadata;

    use super::*;

    #[test]
    fn urls_of_requests() {
        let config = Config::new("https://mcp.example.com/mcp?a=b", ClientMetadata::default()).unwrap();
        let setup = Setup::new(config);
        let url = |text: &str| setup.url_of(&text.parse().unwrap()).into_owned();
        assert!(matches!(
            setup.url_of(&"https://mcp.example.com/mcp?a=b".parse().unwrap()),
            Cow::Borrowed(_)
        ));
        for other in
            ["https://mcp.example.com/mcp", "https://mcp.example.com/other", "http://mcp.example.com/mcp?a=b"]
        {
            assert_eq!(url(other), other);
        }
    }
}
