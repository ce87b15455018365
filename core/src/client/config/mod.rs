//! How an engine is set up.

mod error;
mod flow;
mod issuers;
mod known_server;
mod options;
mod preregistered;
mod provider;
mod timeouts;

use std::collections::BTreeSet;
use std::sync::Arc;

use ::http::HeaderValue;
use url::Url;

pub use self::error::ConfigError;
pub use self::flow::{Enterprise, Flow};
pub use self::known_server::{Endpoints, KnownServer};
pub use self::preregistered::Preregistered;
use self::provider::Provider;
pub use self::timeouts::Timeouts;
use crate::address::{UrlPolicy, UrlProblem};
use crate::key::Key;
use crate::limits;
use crate::policy::{AssertionAudience, DpopPolicy, RecordPolicy, StepUpPolicy, TrustPolicy};
use crate::quirks::Quirks;
use crate::revision::Revision;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::client_auth::ClientAuthMethod;
use crate::wire::client_metadata::{self, ClientMetadata};
use crate::wire::http;
use crate::wire::server_metadata::Issuer;

/// One protected resource, one account, and the rules for both.
///
/// ```
/// use grantor::client::{Config, Preregistered};
/// use grantor::wire::client_metadata::ClientMetadata;
/// use grantor::{Quirks, Revision, ScopeSet, TrustPolicy};
/// let config = Config::new("https://mcp.example.com/mcp", ClientMetadata::named("Example"))?
///     .account("work")
///     .client_id_metadata_document("https://app.example.com/client.json")?
///     .preregistered(Preregistered::new("https://login.example.com", "example"))
///     .scopes(ScopeSet::parse("files:read")?)
///     .trust(TrustPolicy::PinnedOnly)
///     .trusted_issuer("https://login.example.com")
///     .revision(Revision::V2025_11_25)
///     .quirks(Quirks::entra());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) resource: Url,
    pub(crate) account: Arc<str>,
    pub(crate) metadata: ClientMetadata,
    pub(crate) preregistered: Vec<Preregistered>,
    pub(crate) client_id_document: Option<Box<str>>,
    pub(crate) dynamic_registration: bool,
    pub(crate) initial_access_tokens: Vec<(Issuer, Secret)>,
    pub(crate) redirect: Redirect,
    pub(crate) scopes: ScopeSet,
    /// Whether no others are asked for.
    pub(crate) only_scopes: bool,
    pub(crate) offline_access: bool,
    pub(crate) revision: Revision,
    pub(crate) trust: TrustPolicy,
    pub(crate) trusted_issuers: Vec<Issuer>,
    pub(crate) urls: UrlPolicy,
    pub(crate) quirks: Quirks,
    pub(crate) shared_store: bool,
    pub(crate) refresh_early_s: u32,
    pub(crate) interaction_ms: u64,
    pub(crate) listed: bool,
    pub(crate) flow: Flow,
    pub(crate) step_up: StepUpPolicy,
    pub(crate) dpop: DpopPolicy,
    pub(crate) dpop_key: Option<Key>,
    pub(crate) pushed_requests: bool,
    pub(crate) assertion_audience: AssertionAudience,
    pub(crate) authorization_details: Option<Box<str>>,
    pub(crate) timeouts: Timeouts,
    pub(crate) unreadable_records: RecordPolicy,
    pub(crate) user_agent: HeaderValue,
    provider: Option<Box<Provider>>,
}

/// Where the browser comes back to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redirect {
    /// Always the same URI: of a web application, an application's own scheme, or a fixed port. A scheme of one's
    /// own is a domain name in reverse order, such as `com.example.app:/callback` (RFC 8252 7.1).
    Fixed(Box<str>),
    /// The host is asked each time ([`Interaction::Listen`](crate::Interaction::Listen)), which lets it
    /// take a free loopback port (RFC 8252 7.3).
    Listen,
}

impl Config {
    /// The MCP server at `resource`, for a client that describes itself so.
    ///
    /// # Errors
    /// [`ConfigError::Resource`].
    pub fn new(resource: &str, metadata: ClientMetadata) -> Result<Self, ConfigError> {
        Self::with_urls(resource, metadata, UrlPolicy::default())
    }

    /// The same with a policy for URLs, which the resource's has to pass, too: for an MCP server in
    /// development that is reached by http.
    ///
    /// ```
    /// use grantor::UrlPolicy;
    /// use grantor::client::Config;
    /// use grantor::wire::client_metadata::ClientMetadata;
    /// let urls = UrlPolicy::default().development_host("mcp.test");
    /// let config = Config::with_urls("http://mcp.test:8080/mcp", ClientMetadata::named("Example"), urls)?;
    /// # Ok::<(), grantor::client::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::Resource`].
    pub fn with_urls(resource: &str, metadata: ClientMetadata, urls: UrlPolicy) -> Result<Self, ConfigError> {
        let resource = Url::parse(resource).map_err(|_| ConfigError::Resource(UrlProblem::Syntax))?;
        urls.check_shape(&resource).map_err(ConfigError::Resource)?;
        let (name, version) = (metadata.client_name.as_deref(), metadata.software_version.as_deref());
        Ok(Self {
            user_agent: http::user_agent(name, version),
            provider: None,
            resource,
            account: "default".into(),
            metadata,
            preregistered: Vec::new(),
            client_id_document: None,
            dynamic_registration: true,
            initial_access_tokens: Vec::new(),
            redirect: Redirect::Listen,
            scopes: ScopeSet::new(),
            only_scopes: false,
            offline_access: true,
            revision: Revision::default(),
            trust: TrustPolicy::default(),
            trusted_issuers: Vec::new(),
            urls,
            quirks: Quirks::none(),
            shared_store: true,
            refresh_early_s: 60,
            interaction_ms: 10 * 60 * 1000,
            listed: false,
            flow: Flow::default(),
            step_up: StepUpPolicy::default(),
            dpop: DpopPolicy::default(),
            dpop_key: None,
            pushed_requests: false,
            assertion_audience: AssertionAudience::default(),
            authorization_details: None,
            timeouts: Timeouts::default(),
            unreadable_records: RecordPolicy::default(),
        })
    }

    /// The URL of the resource.
    pub fn resource(&self) -> &Url {
        &self.resource
    }

    /// The host's name for the account; `default` by itself. Accounts share nothing.
    ///
    /// A name that no record could carry is refused when the engine is made.
    #[must_use]
    pub fn account(mut self, name: &str) -> Self {
        self.account = name.into();
        self
    }

    /// Adds a client that was registered by hand. Where it belongs, it is used before all others.
    #[must_use]
    pub fn preregistered(mut self, client: Preregistered) -> Self {
        self.preregistered.push(client);
        self
    }

    /// Uses this URL as `client_id` where the server understands Client ID Metadata Documents. What must
    /// stand there is made by [`ClientMetadata::document`].
    ///
    /// # Errors
    /// [`ConfigError::ClientIdDocument`].
    pub fn client_id_metadata_document(mut self, url: &str) -> Result<Self, ConfigError> {
        client_metadata::check_client_id(url).map_err(|_| ConfigError::ClientIdDocument)?;
        self.client_id_document = Some(url.into());
        Ok(self)
    }

    /// Whether to register dynamically where nothing better is possible (on by itself).
    #[must_use]
    pub fn dynamic_registration(mut self, allowed: bool) -> Self {
        self.dynamic_registration = allowed;
        self
    }

    /// The token that permits dynamic registration with the authorization server `issuer`, for servers that want
    /// one (RFC 7591 3). No other server sees it.
    ///
    /// ```
    /// use grantor::Secret;
    /// use grantor::client::Config;
    /// use grantor::wire::client_metadata::ClientMetadata;
    /// let config = Config::new("https://mcp.example.com/mcp", ClientMetadata::named("Example"))?
    ///     .initial_access_token("https://as.example.com", Secret::from("…"));
    /// # Ok::<(), grantor::client::ConfigError>(())
    /// ```
    #[must_use]
    pub fn initial_access_token(mut self, issuer: &str, token: Secret) -> Self {
        self.initial_access_tokens.push((Issuer::trusted(issuer), token));
        self
    }

    /// Where the browser comes back to; the host is asked by itself.
    ///
    /// # Errors
    /// [`ConfigError::RedirectUri`].
    pub fn redirect(mut self, redirect: Redirect) -> Result<Self, ConfigError> {
        if let Redirect::Fixed(uri) = &redirect
            && !client_metadata::is_redirect_uri(uri)
        {
            return Err(ConfigError::RedirectUri);
        }
        self.redirect = redirect;
        Ok(self)
    }

    /// Scopes to ask for in any case, beside those that the resource demands.
    #[must_use]
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = scopes;
        self.only_scopes = false;
        self
    }

    /// Scopes to ask for instead of those that the resource demands: these and no others, `offline_access`
    /// neither. For resources whose metadata lists scopes by other names than their authorization server has
    /// (Entra's begin with `api://…/`), or many more than are needed.
    ///
    /// A step-up to others fails with [`Refused::InsufficientScope`](crate::error::Refused).
    #[must_use]
    pub fn only_scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = scopes;
        self.only_scopes = true;
        self
    }

    /// Whether to ask for `offline_access` where the server supports it (on by itself), since some issue
    /// refresh tokens only then (MCP "Refresh Tokens").
    #[must_use]
    pub fn offline_access(mut self, wanted: bool) -> Self {
        self.offline_access = wanted;
        self
    }

    /// The revision of MCP that the host speaks; the newest by itself.
    #[must_use]
    pub fn revision(mut self, revision: Revision) -> Self {
        self.revision = revision;
        self
    }

    /// Which authorization servers to trust.
    #[must_use]
    pub fn trust(mut self, policy: TrustPolicy) -> Self {
        self.trust = policy;
        self
    }

    /// Adds an issuer that is trusted for this resource under every policy.
    #[must_use]
    pub fn trusted_issuer(mut self, issuer: &str) -> Self {
        self.trusted_issuers.push(Issuer::trusted(issuer));
        self
    }

    /// Which URLs may be used.
    #[must_use]
    pub fn urls(mut self, policy: UrlPolicy) -> Self {
        self.urls = policy;
        self
    }

    /// What to let the server get away with.
    #[must_use]
    pub fn quirks(mut self, quirks: Quirks) -> Self {
        self.quirks = quirks;
        self
    }

    /// Whether other engines or processes write the same store (assumed by itself). If so, a refresh is
    /// leased in the store first, so that no two use the same refresh token: one more write.
    #[must_use]
    pub fn shared_store(mut self, shared: bool) -> Self {
        self.shared_store = shared;
        self
    }

    /// How long before its expiry a token is renewed, in seconds; 60 by itself. Never more than a tenth
    /// of its lifetime.
    #[must_use]
    pub fn refresh_early_s(mut self, seconds: u32) -> Self {
        self.refresh_early_s = seconds;
        self
    }

    /// How long the user may take in the browser, in milliseconds; ten minutes by itself.
    #[must_use]
    pub fn interaction_ms(mut self, ms: u64) -> Self {
        self.interaction_ms = ms;
        self
    }

    /// How long to wait for authorization servers.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// What to do about stored records that cannot be read; by default they are quarantined, and the
    /// authorization starts anew.
    #[must_use]
    pub fn unreadable_records(mut self, policy: RecordPolicy) -> Self {
        self.unreadable_records = policy;
        self
    }

    /// Whether this account is kept in the list of accounts of its resource while it is logged in
    /// ([`accounts`](super::accounts)): one more record for each resource.
    #[must_use]
    pub fn list_account(mut self, list: bool) -> Self {
        self.listed = list;
        self
    }

    /// By which grant tokens are had; the user's browser by itself.
    #[must_use]
    pub fn flow(mut self, flow: Flow) -> Self {
        self.flow = flow;
        self
    }

    /// What to do when an operation needs more scopes than the token has.
    #[must_use]
    pub fn step_up(mut self, policy: StepUpPolicy) -> Self {
        self.step_up = policy;
        self
    }

    /// Whether tokens are bound to a key (RFC 9449); they are not by itself.
    #[must_use]
    pub fn dpop(mut self, policy: DpopPolicy) -> Self {
        self.dpop = policy;
        self
    }

    /// The key that tokens are bound to. By itself a new one is made for each authorization, and stored
    /// with its tokens.
    #[must_use]
    pub fn dpop_key(mut self, key: Key) -> Self {
        self.dpop_key = Some(key);
        self
    }

    /// Whether authorization requests are pushed wherever the server can take that (RFC 9126), and not only
    /// where it demands it.
    #[must_use]
    pub fn pushed_requests(mut self, wanted: bool) -> Self {
        self.pushed_requests = wanted;
        self
    }

    /// What client assertions name as their audience.
    #[must_use]
    pub fn assertion_audience(mut self, audience: AssertionAudience) -> Self {
        self.assertion_audience = audience;
        self
    }

    /// A rich authorization request (RFC 9396 2): a JSON array, sent as it is written, with the authorization
    /// requests that go through a browser. The other grants carry none.
    ///
    /// # Errors
    /// [`ConfigError::AuthorizationDetails`].
    pub fn authorization_details(mut self, json: &str) -> Result<Self, ConfigError> {
        let read: Result<Vec<serde_json::Map<String, serde_json::Value>>, _> = serde_json::from_str(json);
        let type_of = |one: &serde_json::Map<_, serde_json::Value>| one.get("type")?.as_str().map(Box::from);
        let types = read.ok().and_then(|all| all.iter().map(type_of).collect::<Option<BTreeSet<Box<str>>>>());
        let Some(types) = types.filter(|_| json.len() <= limits::AUTHORIZATION_DETAILS) else {
            return Err(ConfigError::AuthorizationDetails);
        };
        if self.metadata.authorization_details_types.is_empty() {
            self.metadata.authorization_details_types = types.into_iter().collect();
        }
        self.authorization_details = Some(json.into());
        Ok(self)
    }

    /// What can only be checked when everything is set.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let account = &*self.account;
        if account.is_empty() || account.len() > 128 || account.chars().any(char::is_control) {
            return Err(ConfigError::Account);
        }
        let enterprise = match &self.flow {
            Flow::Enterprise(enterprise) => Some(&enterprise.client),
            _ => None,
        };
        let too_short = |own: &Preregistered| {
            own.method == Some(ClientAuthMethod::SecretJwt)
                && own.secret.as_ref().is_none_or(|secret| secret.expose().len() < 32)
        };
        if self.preregistered.iter().chain(enterprise).any(too_short) {
            return Err(ConfigError::ShortSecret);
        }
        if let Some(server) = &self.provider().server {
            server.check(&self.urls)?;
        }
        self.check_keys(cfg!(feature = "crypto"))
    }

    fn check_keys(&self, can_make: bool) -> Result<(), ConfigError> {
        if self.makes_keys() && !can_make { Err(ConfigError::NoKey) } else { Ok(()) }
    }

    /// The identifier that is sent when no metadata writes it: the stated one, or the URL without the slash that a parser adds to
    /// an empty path (MCP "Canonical Server URI", typescript-sdk#1968).
    pub(crate) fn canonical_resource(&self) -> Box<str> {
        if let Some(stated) = &self.provider().resource_identifier {
            return stated.clone();
        }
        let text = self.resource.as_str();
        match text.strip_suffix('/') {
            Some(bare) if self.resource.path() == "/" && self.resource.query().is_none() => bare.into(),
            _ => text.into(),
        }
    }

    /// The identifier that the resource's metadata has to name, where that is not by its URL.
    pub(crate) fn stated_identifier(&self) -> Option<Url> {
        self.provider().resource_identifier.as_deref().and_then(|stated| Url::parse(stated).ok())
    }

    /// Whether keys are made for tokens to be bound to.
    pub(crate) fn makes_keys(&self) -> bool {
        self.dpop != DpopPolicy::Off && self.dpop_key.is_none()
    }

    /// Whether anything may have to be signed.
    pub(crate) fn signs(&self) -> bool {
        let with_key =
            |own: &Preregistered| own.key.is_some() || own.method == Some(ClientAuthMethod::SecretJwt);
        let at_provider = matches!(&self.flow, Flow::Enterprise(enterprise) if with_key(&enterprise.client));
        self.dpop != DpopPolicy::Off || at_provider || self.preregistered.iter().any(with_key)
    }

    /// Whether endpoints are guessed when there is no metadata.
    pub(crate) fn endpoint_fallback(&self) -> bool {
        self.quirks.endpoint_fallback || self.revision == Revision::V2025_03_26
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(resource: &str) -> Result<Config, ConfigError> {
        Config::new(resource, ClientMetadata::default())
    }

    #[test]
    fn rfc8707_2_resources() {
        assert_eq!(config("mcp.example.com").unwrap_err(), ConfigError::Resource(UrlProblem::Syntax));
        assert_eq!(config("https://h#x").unwrap_err(), ConfigError::Resource(UrlProblem::Fragment));
        assert_eq!(config("http://h/mcp").unwrap_err(), ConfigError::Resource(UrlProblem::Insecure));
        assert!(config("http://localhost:3000/mcp").is_ok());
    }

    #[test]
    fn typescript_sdk_1968_no_slash_is_added() {
        let canonical = |resource| config(resource).unwrap().canonical_resource();
        assert_eq!(&*canonical("https://mcp.example.com"), "https://mcp.example.com");
        assert_eq!(&*canonical("HTTPS://MCP.example.com:8443/"), "https://mcp.example.com:8443");
        assert_eq!(&*canonical("https://mcp.example.com/mcp/"), "https://mcp.example.com/mcp/");
        assert_eq!(&*canonical("https://mcp.example.com/?a"), "https://mcp.example.com/?a");
    }

    #[test]
    fn without_crypto_a_key_has_to_be_configured() {
        let bound = config("https://h").unwrap().dpop(DpopPolicy::Required);
        assert_eq!(bound.check_keys(false), Err(ConfigError::NoKey));
        assert_eq!(bound.check_keys(true), Ok(()));
        assert_eq!(config("https://h").unwrap().check_keys(false), Ok(()));
    }

    #[test]
    fn refused_early() {
        let good = config("https://h").unwrap();
        let bad = good.clone().client_id_metadata_document("https://h").unwrap_err();
        assert_eq!(bad, ConfigError::ClientIdDocument);
        let bad = good.clone().redirect(Redirect::Fixed("http://h/cb".into())).unwrap_err();
        assert_eq!(bad, ConfigError::RedirectUri);
        for name in ["", "a\nb", &"x".repeat(129)] {
            assert_eq!(good.clone().account(name).check(), Err(ConfigError::Account));
        }
    }
}
