//! isahc on smol as the driver's host.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_lite::AsyncReadExt as _;
use grantor_driver::grantor::error::FailureKind;
use grantor_driver::grantor::wire::HttpRequest;
use grantor_driver::nonblocking::Host;
use grantor_driver::{Addresses, HttpAnswer, HttpFailure, OnDemand, Recent};
use http::{Request, Response};
use isahc::config::{Configurable as _, RedirectPolicy};
use isahc::error::ErrorKind;
use isahc::net::Dialer;
use isahc::{AsyncBody, HttpClient, HttpClientBuilder};
use zeroize::Zeroizing;

use crate::send_once;

/// Sends Grantor's own requests with isahc.
pub(crate) struct Isahc {
    addresses: Addresses,
    client: Either,
}

enum Either {
    /// The one that the caller's requests go by: it adds nothing to them.
    Shared(HttpClient),
    /// Another one; it is a thread, too.
    Apart(OnDemand<HttpClient>, Box<dyn Fn() -> HttpClientBuilder + Send + Sync>),
}

static RECENT: Recent<HttpClient> = Recent::new();

impl Isahc {
    pub(crate) fn shared(addresses: Addresses, client: HttpClient) -> Self {
        Self { addresses, client: Either::Shared(client) }
    }

    pub(crate) fn apart(
        addresses: Addresses,
        settings: impl Fn() -> HttpClientBuilder + Send + Sync + 'static,
    ) -> Self {
        Self { addresses, client: Either::Apart(OnDemand::new(&RECENT), Box::new(settings)) }
    }

    fn client(&self) -> Result<HttpClient, isahc::Error> {
        match &self.client {
            Either::Shared(client) => Ok(client.clone()),
            Either::Apart(client, settings) => {
                let none: [(&str, &str); 0] = [];
                client
                    .get(|| settings().default_headers(none).build())
                    .map(|client| HttpClient::clone(&client))
            }
        }
    }

    /// Sends a request to one address, or to where libcurl finds its host.
    async fn send_to(
        &self,
        request: &HttpRequest,
        address: Option<SocketAddr>,
    ) -> Result<Response<AsyncBody>, isahc::Error> {
        let mut builder = Request::builder().method(request.method.clone()).uri(request.url.as_str());
        if let Some(headers) = builder.headers_mut() {
            *headers = request.headers.clone();
        }
        let builder = builder
            .redirect_policy(RedirectPolicy::None)
            .automatic_decompression(false)
            .dial(address.map(Dialer::ip_socket).unwrap_or_default());
        let body = match request.body.expose() {
            "" => AsyncBody::empty(),
            body => body.into(),
        };
        send_once(&self.client()?, builder, body).await
    }

    /// Sends a request to the first of its checked addresses that can be connected to. libcurl resolves names
    /// itself and takes no resolver.
    async fn send_anywhere(&self, request: &HttpRequest) -> Result<Response<AsyncBody>, HttpFailure> {
        let port = request.url.port_or_known_default().unwrap_or_default();
        let addresses: Vec<_> = match self.addresses.check(request)? {
            Some(checked) if !is_behind_proxy() => {
                checked.into_iter().map(|ip| Some(SocketAddr::new(ip, port))).collect()
            }
            _ => vec![None],
        };
        let mut last = HttpFailure::new(FailureKind::Unreachable, "the name cannot be resolved");
        for address in addresses {
            match self.send_to(request, address).await {
                Ok(response) => return Ok(response),
                // Nothing was sent.
                Err(error) if *error.kind() == ErrorKind::ConnectionFailed => last = failure(&error),
                Err(error) => return Err(failure(&error)),
            }
        }
        Err(last)
    }
}

impl fmt::Debug for Isahc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Isahc")
    }
}

/// Whether the environment names a proxy, as libcurl understands it.
fn is_behind_proxy() -> bool {
    ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        .into_iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

impl Host for Isahc {
    async fn send(&self, request: &HttpRequest, max_body: usize) -> Result<HttpAnswer, HttpFailure> {
        let response = self.send_anywhere(request).await?;
        let (head, mut body) = response.into_parts();
        let mut answer = HttpAnswer::arriving(head.status.as_u16(), head.headers, max_body)?;
        let mut part = Zeroizing::new([0; 8 * 1024]);
        loop {
            match body.read(&mut *part).await.map_err(|error| failure(&error.into()))? {
                0 => return answer.whole(),
                len => answer.push(&part[..len])?,
            }
        }
    }

    async fn sleep(&self, duration: Duration) {
        smol::Timer::after(duration).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    fn unblock(&self, work: impl FnOnce() + Send + 'static) {
        smol::unblock(work).detach();
    }

    fn addresses(&self) -> Option<&Addresses> {
        Some(&self.addresses)
    }
}

/// What went wrong. isahc's errors name no URL.
fn failure(error: &isahc::Error) -> HttpFailure {
    let kind = match error.kind() {
        ErrorKind::Timeout => FailureKind::TimedOut,
        ErrorKind::BadServerCertificate | ErrorKind::ConnectionFailed | ErrorKind::NameResolution => {
            FailureKind::Unreachable
        }
        ErrorKind::Io | ErrorKind::ProtocolViolation => FailureKind::Broken,
        _ => FailureKind::Other,
    };
    HttpFailure::because(kind, error)
}
