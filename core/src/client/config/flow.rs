//! How tokens are had: with the user's browser by itself, or by one of the other grants.

use url::Url;

use crate::client::config::Preregistered;
use crate::wire::server_metadata::Issuer;
use crate::wire::token::GrantType;

/// The grant by which tokens are had.
///
/// ```
/// use grantor::Secret;
/// use grantor::client::{Config, Flow, Preregistered};
/// use grantor::wire::client_metadata::ClientMetadata;
/// let config = Config::new("https://mcp.example.com/mcp", ClientMetadata::named("Nightly job"))?;
/// let own = Preregistered::new("https://as.example.com", "nightly-job").secret(Secret::from("…"));
/// let config = config.flow(Flow::ClientCredentials).preregistered(own);
/// # Ok::<(), grantor::client::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flow {
    /// The user's browser (RFC 6749 4.1 with RFC 7636).
    #[default]
    AuthorizationCode,
    /// The client itself (MCP extension "OAuth Client Credentials", RFC 6749 4.4). It has to be
    /// [pre-registered](Preregistered), with a secret or a key. Nobody is asked.
    ClientCredentials,
    /// A code that the user types in on another device (RFC 8628).
    Device,
    /// The enterprise's identity provider vouches for the user (MCP extension "Enterprise-Managed
    /// Authorization"). The user's assertion comes from the host, with an adapter by `Setup::assertions`, by
    /// hand as [`Effect::Assert`](crate::Effect::Assert); or from a [sign-on](Enterprise::sign_on).
    Enterprise(Box<Enterprise>),
    /// The platform that a workload runs on vouches for it (SEP-1933, RFC 7523 2.1). The assertion comes
    /// from the host each time, with an adapter by `Setup::assertions`, by hand as
    /// [`Effect::Assert`](crate::Effect::Assert). One that is rejected is not
    /// tried again, and no other grant is.
    Workload,
}

impl Flow {
    /// The grant at the resource's authorization server.
    pub(crate) fn grant_type(&self) -> GrantType {
        match self {
            Self::AuthorizationCode => GrantType::AuthorizationCode,
            Self::ClientCredentials => GrantType::ClientCredentials,
            Self::Device => GrantType::DeviceCode,
            Self::Enterprise(_) | Self::Workload => GrantType::JwtBearer,
        }
    }

    /// Whether tokens can be had again without anybody being asked.
    pub(crate) fn is_without_user(&self) -> bool {
        matches!(self, Self::ClientCredentials | Self::Enterprise(_) | Self::Workload)
    }
}

/// The enterprise's identity provider, and who this client is there.
///
/// ```
/// use grantor::client::{Enterprise, Preregistered};
/// use grantor::Secret;
/// let client = Preregistered::new("https://idp.example.com", "c1").secret(Secret::from("s3cret"));
/// let enterprise = Enterprise::new("https://idp.example.com", client);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enterprise {
    pub(crate) issuer: Issuer,
    pub(crate) token_endpoint: Option<Url>,
    pub(crate) client: Preregistered,
    pub(crate) signs_on: bool,
}

impl Enterprise {
    /// The identity provider with this issuer identifier; its endpoints are discovered.
    pub fn new(issuer: &str, client: Preregistered) -> Self {
        Self { issuer: Issuer::trusted(issuer), token_endpoint: None, client, signs_on: false }
    }

    /// Signs the user on with the provider in the browser (`OpenID` Connect), instead of asking the host for
    /// an assertion. What the sign-on brings is kept with the tokens, so that they can be renewed without
    /// the user for as long as the provider allows.
    #[must_use]
    pub fn sign_on(self) -> Self {
        Self { signs_on: true, ..self }
    }

    /// Uses this token endpoint, for providers that publish no metadata.
    #[must_use]
    pub fn token_endpoint(self, url: Url) -> Self {
        Self { token_endpoint: Some(url), ..self }
    }
}
