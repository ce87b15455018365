//! reqwest as the driver's host.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use grantor_driver::grantor::error::FailureKind;
use grantor_driver::grantor::wire::HttpRequest;
use grantor_driver::nonblocking::Host;
use grantor_driver::{Addresses, HttpAnswer, HttpFailure, OnDemand, Recent};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

use crate::BuildError;

/// Sends Grantor's own requests with reqwest, for clients and for servers that are protected by a
/// [`Guard`](grantor_driver::grantor::resource::Guard). Its connections are its own.
#[derive(Clone)]
pub struct Reqwest(Arc<Own>);

struct Own {
    addresses: Addresses,
    client: Either,
}

enum Either {
    /// The one that the caller's requests go by: it adds nothing to them.
    Shared(Client),
    Apart(OnDemand<Client>, Box<dyn Fn() -> ClientBuilder + Send + Sync>),
}

static RECENT: Recent<Client> = Recent::new();

impl Reqwest {
    /// A host with reqwest's usual settings.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new() -> Result<Self, BuildError> {
        Self::with_builder(Client::builder)
    }

    /// A host with settings of the caller: proxies, roots, timeouts; no default headers and no cookies.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn with_builder(settings: impl FnOnce() -> ClientBuilder) -> Result<Self, BuildError> {
        Ok(Self::shared(Addresses::default(), settings())?.0)
    }

    /// A host, and its client.
    pub(crate) fn shared(addresses: Addresses, builder: ClientBuilder) -> Result<(Self, Client), BuildError> {
        check(&builder)?;
        let client = build(builder, &addresses)?;
        Ok((Self(Arc::new(Own { addresses, client: Either::Shared(client.clone()) })), client))
    }

    /// A host with a client of its own.
    pub(crate) fn apart(
        addresses: Addresses,
        settings: impl Fn() -> ClientBuilder + Send + Sync + 'static,
    ) -> Result<Self, BuildError> {
        check(&settings())?;
        let client = Either::Apart(OnDemand::new(&RECENT), Box::new(settings));
        Ok(Self(Arc::new(Own { addresses, client })))
    }

    fn client(&self) -> reqwest::Result<Client> {
        match &self.0.client {
            Either::Shared(client) => Ok(client.clone()),
            Either::Apart(client, settings) => {
                client.get(|| build(settings(), &self.0.addresses)).map(|client| Client::clone(&client))
            }
        }
    }
}

fn build(builder: ClientBuilder, addresses: &Addresses) -> reqwest::Result<Client> {
    let resolver = Arc::new(Checked(addresses.clone()));
    builder.redirect(Policy::none()).referer(false).dns_resolver(resolver).build()
}

fn check(builder: &ClientBuilder) -> Result<(), BuildError> {
    additions(&format!("{builder:?}")).map_or(Ok(()), |additions| Err(BuildError::Headers(additions)))
}

impl fmt::Debug for Reqwest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reqwest")
    }
}

impl Host for Reqwest {
    async fn send(&self, request: &HttpRequest, max_body: usize) -> Result<HttpAnswer, HttpFailure> {
        let body = request.body.expose().to_owned();
        let sending = self
            .client()
            .map_err(failure)?
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone())
            .body(body)
            .send();
        let mut response = sending.await.map_err(failure)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut answer = HttpAnswer::arriving(status, headers, max_body)?;
        while let Some(part) = response.chunk().await.map_err(failure)? {
            answer.push(&part)?;
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
        Some(&self.0.addresses)
    }
}

/// Resolves names to addresses that were checked.
struct Checked(Addresses);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.0.clone();
        Box::pin(async move {
            let resolving = tokio::task::spawn_blocking(move || addresses.resolve(name.as_str()));
            let resolved = resolving.await??;
            Ok(Box::new(resolved.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

/// What a builder would add to every request, by what it shows for debugging; it tells that in no other way.
/// A name for the user agent does no harm: Grantor's requests have theirs.
fn additions(shown: &str) -> Option<String> {
    let shown = shown.replace("\\\"", "");
    if shown.contains("cookie_store: true") {
        return Some("cookie store".to_owned());
    }
    let (_, headers) = shown.split_once("default_headers: {")?;
    // Every second piece was in quotes: a name if a colon follows, else a value.
    let pieces: Vec<&str> = headers.split('"').collect();
    let mut names = Vec::new();
    for pieces in pieces.windows(3).step_by(2).take_while(|pieces| !pieces[0].contains('}')) {
        if pieces[2].starts_with(": ") {
            names.push(pieces[1]);
        }
    }
    names.retain(|name| !matches!(*name, "accept" | "user-agent"));
    (!names.is_empty()).then(|| format!("default headers ({})", names.join(", ")))
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

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn refused(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let mut value = HeaderValue::from_static(value);
            value.set_sensitive(*name == "x-sensitive");
            map.append(HeaderName::from_static(name), value);
        }
        let builder = move || Client::builder().user_agent("ua").default_headers(map.clone());
        match Reqwest::with_builder(builder) {
            Ok(_) => None,
            Err(BuildError::Headers(what)) => Some(what),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn default_headers_are_found() {
        assert_eq!(refused(&[]), None);
        assert_eq!(refused(&[("accept", "text/html")]), None);
        for name in ["x-api-key", "cookie", "authorization", "x-sensitive"] {
            for value in ["v", "a: b", "\"}", "}", "\": ", "a\\"] {
                let what = refused(&[(name, value)]).unwrap_or_else(|| panic!("{name}: {value}"));
                assert!(what.contains("default headers"), "{what}");
            }
        }
        let several = refused(&[("x-sensitive", "planted"), ("x-api-key", "planted")]).unwrap();
        assert!(several.contains("x-sensitive") && several.contains("x-api-key"), "{several}");
        assert!(!several.contains("planted"), "{several}");
    }
}
