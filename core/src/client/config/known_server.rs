//! An authorization server that is known beforehand.

use url::Url;

use super::error::ConfigError;
use crate::address::{UrlPolicy, UrlProblem};
use crate::wire::server_metadata::{Issuer, ServerMetadata};

/// An authorization server that the configuration names, for resources that do not name it themselves.
///
/// ```
/// use grantor::client::{Endpoints, KnownServer};
/// let discovered = KnownServer::new("https://login.example.com");
/// // GitHub's OAuth apps, with the endpoints that its documentation names:
/// let endpoints =
///     Endpoints::new("https://github.com/login/oauth/authorize", "https://github.com/login/oauth/access_token")
///         .device_authorization("https://github.com/login/device/code");
/// let stated = KnownServer::with_endpoints("https://github.com/login/oauth", endpoints);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownServer {
    pub(crate) issuer: Issuer,
    endpoints: Option<Box<Endpoints>>,
}

/// The endpoints of an authorization server that publishes no metadata.
///
/// Whether it supports PKCE with S256 is then yours to know; it is used in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    authorization: Box<str>,
    token: Box<str>,
    registration: Option<Box<str>>,
    device_authorization: Option<Box<str>>,
    revocation: Option<Box<str>>,
}

impl KnownServer {
    /// The server with this issuer identifier; its metadata is discovered (RFC 8414, `OpenID` Connect
    /// Discovery).
    pub fn new(issuer: &str) -> Self {
        Self { issuer: Issuer::trusted(issuer), endpoints: None }
    }

    /// The same with stated endpoints, for servers that publish no metadata. None is asked for.
    pub fn with_endpoints(issuer: &str, endpoints: Endpoints) -> Self {
        Self { endpoints: Some(Box::new(endpoints)), ..Self::new(issuer) }
    }

    /// Checks what is stated. It comes from the caller, so only its shape matters.
    pub(super) fn check(&self, urls: &UrlPolicy) -> Result<(), ConfigError> {
        let issuer = read(self.issuer.as_str(), "issuer", urls)?;
        if issuer.query().is_some() {
            return Err(ConfigError::Server { field: "issuer", problem: UrlProblem::Query });
        }
        self.stated(urls).map(drop)
    }

    /// Whether its issuer or a stated endpoint is at this URL's host.
    pub(super) fn names_host_of(&self, url: &Url) -> bool {
        let is_host = |stated: &str| Url::parse(stated).is_ok_and(|stated| stated.host() == url.host());
        let endpoints = self.endpoints.as_deref();
        is_host(self.issuer.as_str()) || endpoints.is_some_and(|endpoints| endpoints.all().any(is_host))
    }

    pub(super) fn states_endpoints(&self) -> bool {
        self.endpoints.is_some()
    }

    /// Its metadata, if its endpoints are stated.
    pub(crate) fn stated(&self, urls: &UrlPolicy) -> Result<Option<ServerMetadata>, ConfigError> {
        let Some(endpoints) = &self.endpoints else { return Ok(None) };
        let some =
            |url: &Option<Box<str>>, field| url.as_deref().map(|url| read(url, field, urls)).transpose();
        let authorization = read(&endpoints.authorization, "authorization_endpoint", urls)?;
        let token = read(&endpoints.token, "token_endpoint", urls)?;
        let metadata = ServerMetadata::stated(self.issuer.clone(), authorization, token);
        Ok(Some(ServerMetadata {
            registration_endpoint: some(&endpoints.registration, "registration_endpoint")?,
            device_authorization_endpoint: some(
                &endpoints.device_authorization,
                "device_authorization_endpoint",
            )?
            .map(Box::new),
            revocation_endpoint: some(&endpoints.revocation, "revocation_endpoint")?.map(Box::new),
            ..metadata
        }))
    }
}

impl Endpoints {
    /// Where the browser goes (RFC 6749 3.1), and where tokens are issued (RFC 6749 3.2).
    pub fn new(authorization: &str, token: &str) -> Self {
        Self {
            authorization: authorization.into(),
            token: token.into(),
            registration: None,
            device_authorization: None,
            revocation: None,
        }
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let more = [&self.registration, &self.device_authorization, &self.revocation];
        [&*self.authorization, &*self.token].into_iter().chain(more.into_iter().flatten().map(|url| &**url))
    }

    /// Where codes for another device are issued (RFC 8628).
    #[must_use]
    pub fn device_authorization(self, url: &str) -> Self {
        Self { device_authorization: Some(url.into()), ..self }
    }

    /// Where clients register themselves (RFC 7591).
    #[must_use]
    pub fn registration(self, url: &str) -> Self {
        Self { registration: Some(url.into()), ..self }
    }

    /// Where tokens are given back (RFC 7009).
    #[must_use]
    pub fn revocation(self, url: &str) -> Self {
        Self { revocation: Some(url.into()), ..self }
    }
}

fn read(text: &str, field: &'static str, urls: &UrlPolicy) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(|_| UrlProblem::Syntax);
    let checked = url.and_then(|url| urls.check_shape(&url).map(|()| url));
    checked.map_err(|problem| ConfigError::Server { field, problem })
}
