//! The options that only some providers need.

use ::http::HeaderValue;
use url::Url;

use super::provider::{Named, Provider};
use super::{Config, ConfigError, KnownServer};
use crate::limits;
use crate::scope::ScopeSet;
use crate::wire::client_auth::ClientAuthMethod;
use crate::wire::server_metadata::Issuer;

impl Config {
    /// Adds a parameter to authorization requests, pushed ones and those for another device included:
    /// Google's `access_type`, Auth0's `audience`. The enterprise's sign-on is without.
    ///
    /// ```
    /// # use grantor::client::{Config, ConfigError};
    /// # use grantor::wire::client_metadata::ClientMetadata;
    /// # let config = Config::new("https://mcp.example.com/mcp", ClientMetadata::named("Example"))?;
    /// let config = config.authorization_parameter("access_type", "offline")?;
    /// assert_eq!(
    ///     config.authorization_parameter("redirect_uri", "https://evil.example").unwrap_err().to_string(),
    ///     "`redirect_uri` is set by Grantor and cannot be an extra parameter"
    /// );
    /// # Ok::<(), ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] for a parameter that Grantor sets.
    pub fn authorization_parameter(mut self, name: &str, value: &str) -> Result<Self, ConfigError> {
        let parameters = &mut self.provider_mut().authorization_parameters;
        *parameters = std::mem::take(parameters).with(name, value)?;
        Ok(self)
    }

    /// Adds a parameter to token requests, whatever the grant, and to those that renew a token or ask for a
    /// device code: Auth0's `audience` with client credentials. Requests to the enterprise's identity
    /// provider are without.
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] for a parameter that Grantor sets.
    pub fn token_parameter(mut self, name: &str, value: &str) -> Result<Self, ConfigError> {
        let parameters = &mut self.provider_mut().token_parameters;
        *parameters = std::mem::take(parameters).with(name, value)?;
        Ok(self)
    }

    /// The resource's authorization server, for resources that do not name it, or to decide it here: no
    /// metadata of the resource is asked for. The server is trusted under every [policy](Self::trust). Tokens of
    /// another server that are stored already are used until they are refused.
    ///
    /// What is wrong with it is told when the engine is made ([`ConfigError::Server`]).
    #[must_use]
    pub fn authorization_server(mut self, server: KnownServer) -> Self {
        self.provider_mut().server = Some(server);
        self
    }

    /// Accepts that the metadata of the authorization server `named` so, by the resource or here, names it
    /// `own` (against RFC 8414 3.3, for these two texts alone). For Slack, Atlassian, and Entra for several
    /// tenants, whose name is `https://login.microsoftonline.com/{tenantid}/v2.0`.
    ///
    /// In `own`, `{tenantid}` stands for the tenant of the user, as ID tokens name it in `tid`.
    ///
    /// ```
    /// # use grantor::client::{Config, ConfigError};
    /// # use grantor::wire::client_metadata::ClientMetadata;
    /// # let config = Config::new("https://mcp.slack.com/mcp", ClientMetadata::named("Example"))?;
    /// let config = config.issuer_differs("https://mcp.slack.com", "https://slack.com");
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[must_use]
    pub fn issuer_differs(mut self, named: &str, own: &str) -> Self {
        let (named, own) = (Issuer::trusted(named), Issuer::trusted(own));
        self.provider_mut().issuers.push(Named { named, own });
        self
    }

    /// The resource's identifier, where that is another one than its URL: `api://…` of Entra, an origin that
    /// stands for the whole host, a URL without the query that requests have. The resource's metadata has to
    /// name it exactly (RFC 9728 3.3 for this text in place of the URL), and it is what `resource` carries.
    ///
    /// # Errors
    /// [`ConfigError::ResourceIdentifier`].
    pub fn resource_identifier(mut self, identifier: &str) -> Result<Self, ConfigError> {
        let fits = |url: Url| url.fragment().is_none() && identifier.len() <= limits::URL;
        if !Url::parse(identifier).is_ok_and(fits) || identifier.trim() != identifier {
            return Err(ConfigError::ResourceIdentifier);
        }
        self.provider_mut().resource_identifier = Some(identifier.into());
        Ok(self)
    }

    /// The scopes that a client registers for (RFC 7591 2, `scope`); by itself it names none, and gets the
    /// server's default. For servers that grant a client only what it registered.
    #[must_use]
    pub fn registration_scopes(mut self, scopes: ScopeSet) -> Self {
        self.provider_mut().registration_scopes = scopes;
        self
    }

    /// How a client that registers itself wants to authenticate, in order of preference; the first that the
    /// server supports is asked for. For servers that fail with the way that Grantor would choose.
    ///
    /// # Errors
    /// [`ConfigError::RegistrationMethods`] for none, and for those that need a key.
    pub fn registration_methods(mut self, methods: &[ClientAuthMethod]) -> Result<Self, ConfigError> {
        self.provider_mut().set_registration_methods(methods)?;
        Ok(self)
    }

    /// The `User-Agent` of requests to authorization servers and for metadata; without it, the client's name
    /// and version, and Grantor's. Requests to the resource are the host's own.
    ///
    /// # Errors
    /// [`ConfigError::UserAgent`].
    pub fn user_agent(mut self, value: &str) -> Result<Self, ConfigError> {
        let fits = !value.trim().is_empty() && value.len() <= limits::USER_AGENT && value.is_ascii();
        let value = HeaderValue::from_str(value).ok().filter(|_| fits);
        self.user_agent = value.ok_or(ConfigError::UserAgent)?;
        Ok(self)
    }

    /// What only some providers need.
    pub(crate) fn provider(&self) -> &Provider {
        const NONE: &Provider = &Provider::NONE;
        self.provider.as_deref().unwrap_or(NONE)
    }

    pub(super) fn provider_mut(&mut self) -> &mut Provider {
        self.provider.get_or_insert_default()
    }
}
