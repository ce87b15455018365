//! ureq as the driver's host.

use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use grantor_driver::blocking::Host;
use grantor_driver::grantor::error::FailureKind;
use grantor_driver::grantor::wire::HttpRequest;
use grantor_driver::{Addresses, HttpAnswer, HttpFailure, OnDemand, Recent};
use http::{Request, Uri};
use ureq::config::Config;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, AsSendBody};
use zeroize::Zeroizing;

/// A request of which every response comes back as it is.
pub(crate) fn plain<B: AsSendBody>(
    agent: &Agent,
    request: Request<B>,
    timeout: Option<Duration>,
) -> Request<B> {
    let config = agent
        .configure_request(request)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false);
    match timeout {
        Some(timeout) => config.timeout_global(Some(timeout)).build(),
        None => config.build(),
    }
}

/// Sends Grantor's own requests with ureq.
#[derive(Debug)]
pub(crate) struct Ureq {
    /// The caller's.
    like: Agent,
    addresses: Addresses,
    agent: OnDemand<Agent>,
}

static RECENT: Recent<Agent> = Recent::new();

impl Ureq {
    /// With the settings of this agent that concern connections, and nothing that it adds to requests.
    pub(crate) fn like(agent: &Agent, addresses: Addresses) -> Self {
        Self { like: agent.clone(), addresses, agent: OnDemand::new(&RECENT) }
    }

    fn config(&self) -> Config {
        let (from, times) = (self.like.config(), self.like.config().timeouts());
        let builder = Config::builder();
        // ureq has these settings only with TLS.
        #[cfg(feature = "rustls")]
        let builder = builder.tls_config(from.tls_config().clone());
        builder
            .https_only(from.https_only())
            .ip_family(from.ip_family())
            .proxy(from.proxy().cloned())
            .no_delay(from.no_delay())
            .max_response_header_size(from.max_response_header_size())
            .input_buffer_size(from.input_buffer_size())
            .output_buffer_size(from.output_buffer_size())
            .timeout_global(times.global)
            .timeout_per_call(times.per_call)
            .timeout_per_read(from.timeout_per_read())
            .timeout_per_write(from.timeout_per_write())
            .timeout_resolve(times.resolve)
            .timeout_connect(times.connect)
            .timeout_send_request(times.send_request)
            .timeout_send_body(times.send_body)
            .timeout_recv_response(times.recv_response)
            .timeout_recv_body(times.recv_body)
            .build()
    }

    fn agent(&self) -> Arc<Agent> {
        let make = || {
            let resolver = Checked(self.addresses.clone());
            Ok(Agent::with_parts(self.config(), DefaultConnector::default(), resolver))
        };
        match self.agent.get::<Infallible>(make) {
            Ok(agent) => agent,
            Err(never) => match never {},
        }
    }
}

impl Host for Ureq {
    fn send(
        &self,
        request: &HttpRequest,
        max_body: usize,
        timeout: Duration,
    ) -> Result<HttpAnswer, HttpFailure> {
        let body = request.body.expose().as_bytes();
        let mut sent = Request::new(body);
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() =
            request.url.as_str().parse().map_err(|_| HttpFailure::new(FailureKind::Other, "no URI"))?;
        *sent.headers_mut() = request.headers.clone();
        // The caller's own timeouts hold as well; this one is the last resort.
        let agent = self.agent();
        let timeout = agent.config().timeouts().global.map_or(timeout, |own| own.min(timeout));
        let response = match request.method {
            http::Method::GET | http::Method::OPTIONS => {
                let (head, _) = sent.into_parts();
                agent.run(plain(&agent, Request::from_parts(head, ()), Some(timeout)))
            }
            _ => agent.run(plain(&agent, sent, Some(timeout))),
        };
        let response = response.map_err(|error| match &error {
            // What rustls says of a certificate, and of a peer that does not speak TLS.
            ureq::Error::Io(cause) if cause.kind() == std::io::ErrorKind::InvalidData => {
                HttpFailure::new(FailureKind::Unreachable, error.to_string())
            }
            _ => failure(&error),
        })?;
        let (head, body) = response.into_parts();
        let mut answer = HttpAnswer::arriving(head.status.as_u16(), head.headers, max_body)?;
        let mut reader = body.into_with_config().limit(u64::MAX).reader();
        let mut part = Zeroizing::new([0; 8 * 1024]);
        loop {
            match reader.read(&mut *part) {
                Ok(0) => return answer.whole(),
                Ok(len) => answer.push(&part[..len])?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure(&error.into())),
            }
        }
    }
    fn addresses(&self) -> Option<&Addresses> {
        Some(&self.addresses)
    }
}

/// Resolves names to addresses that were checked.
#[derive(Debug)]
struct Checked(Addresses);

impl Resolver for Checked {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (host, port) = (uri.host().ok_or(ureq::Error::HostNotFound)?, port(uri));
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse();
        let ips = literal.map_or_else(|_| self.0.resolve(host), |ip| Ok(vec![ip]))?;
        let mut found = self.empty();
        let mut addresses = ips.into_iter().map(|ip| SocketAddr::new(ip, port));
        // As many as there is room for.
        config.ip_family().keep_wanted(&mut addresses).take(16).for_each(|address| found.push(address));
        if found.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(found) }
    }
}

/// The port of a server or a proxy.
fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(match uri.scheme_str() {
        Some("https") => 443,
        Some("socks4" | "socks4a" | "socks5" | "socks") => 1080,
        _ => 80,
    })
}

/// What went wrong. ureq's errors name no URL.
fn failure(error: &ureq::Error) -> HttpFailure {
    let kind = match error {
        ureq::Error::Timeout(_) => FailureKind::TimedOut,
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::Tls(_) => {
            FailureKind::Unreachable
        }
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            FailureKind::Unreachable
        }
        ureq::Error::Io(_) | ureq::Error::Protocol(_) | ureq::Error::Http(_) => FailureKind::Broken,
        ureq::Error::BodyExceedsLimit(_) => FailureKind::BodyTooLarge,
        _ => FailureKind::Other,
    };
    HttpFailure::new(kind, error.to_string())
}
