//! How an engine is set up.

use std::collections::BTreeSet;

use url::Url;

use crate::address::{self, UrlPolicy, UrlProblem};
use crate::client::flow::Flow;
use crate::key::Key;
use crate::limits;
use crate::policy::{AssertionAudience, DpopPolicy, RecordPolicy, StepUpPolicy, TrustPolicy};
use crate::quirks::Quirks;
use crate::revision::Revision;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::client_metadata::{self, ClientMetadata};
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
///     .preregistered(Preregistered::with("https://login.example.com", "example"))
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
    pub(crate) account: Box<str>,
    pub(crate) metadata: ClientMetadata,
    pub(crate) preregistered: Vec<Preregistered>,
    pub(crate) client_id_document: Option<Box<str>>,
    pub(crate) dynamic_registration: bool,
    pub(crate) initial_access_token: Option<Secret>,
    pub(crate) redirect: Redirect,
    pub(crate) scopes: ScopeSet,
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
}

/// How long to wait for authorization servers, in milliseconds.
///
/// ```
/// use grantor::client::Timeouts;
/// let mut timeouts = Timeouts::default();
/// timeouts.http_ms = 5_000;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a metadata or registration request; by itself [`limits::HTTP_MS`].
    pub http_ms: u64,
    /// For a token request; by itself [`limits::TOKEN_MS`]. An answer that comes later is lost, and the
    /// user's consent with it where refresh tokens rotate: be generous.
    pub token_ms: u64,
    /// How much of that calls wait for; by itself [`limits::TOKEN_WAIT_MS`].
    pub token_wait_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        let (http_ms, token_ms) = (limits::HTTP_MS, limits::TOKEN_MS);
        Self { http_ms, token_ms, token_wait_ms: limits::TOKEN_WAIT_MS }
    }
}

/// Where the browser comes back to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redirect {
    /// Always the same URI: of a web application, an application's own scheme, or a fixed port.
    Fixed(Box<str>),
    /// The host is asked each time ([`Interaction::Listen`](crate::Interaction::Listen)), which lets it
    /// take a free loopback port (RFC 8252 7.3).
    Listen,
}

/// A client that was registered by hand, and with which server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preregistered {
    pub(crate) issuer: Option<Issuer>,
    pub(crate) id: Box<str>,
    pub(crate) secret: Option<Secret>,
    pub(crate) method: Option<ClientAuthMethod>,
    pub(crate) key: Option<Key>,
}

impl Preregistered {
    /// A public client of the authorization server `issuer`.
    pub fn with(issuer: &str, client_id: &str) -> Self {
        Self { issuer: Some(Issuer::trusted(issuer)), ..Self::bound_on_first_use(client_id) }
    }

    /// A public client of whatever authorization server the resource names when it is first used. From
    /// then on it is bound to that one (MCP "Authorization Server Binding"). Name the issuer if you know
    /// it: until the first use, the resource decides who sees the client's secret.
    pub fn bound_on_first_use(client_id: &str) -> Self {
        Self { issuer: None, id: client_id.into(), secret: None, method: None, key: None }
    }

    /// The client's secret.
    #[must_use]
    pub fn secret(self, secret: Secret) -> Self {
        Self { secret: Some(secret), ..self }
    }

    /// The client's private key, for assertions instead of a secret (`private_key_jwt`, RFC 7523 2.2).
    #[must_use]
    pub fn key(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }

    /// How the client authenticates; by itself with its key if it has one, else with its secret the first
    /// way that the server supports, Basic before the body. `client_secret_jwt` is only used when it is
    /// set here.
    #[must_use]
    pub fn method(self, method: ClientAuthMethod) -> Self {
        Self { method: Some(method), ..self }
    }

    /// The client, for a server that supports these methods.
    pub(crate) fn client(&self, supported: &[ClientAuthMethod]) -> Option<Client> {
        self.by_methods(supported).map(|client| Client { configured: true, ..client })
    }

    fn by_methods(&self, supported: &[ClientAuthMethod]) -> Option<Client> {
        if self.key.is_some() && self.method.is_none_or(|method| method == ClientAuthMethod::PrivateKeyJwt) {
            return Some(Client::with_key(&self.id));
        }
        let Some(secret) = &self.secret else { return Some(Client::public(&self.id)) };
        let by_server = || {
            [ClientAuthMethod::SecretBasic, ClientAuthMethod::SecretPost]
                .into_iter()
                .find(|method| supported.contains(method))
        };
        let method = self.method.or_else(by_server)?;
        Some(Client::confidential(&self.id, secret.clone(), method))
    }
}

/// Why a configuration cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The account's name is empty, longer than 128 bytes, or has control characters.
    #[error("the account's name is empty, too long, or has control characters")]
    Account,
    /// Not a JSON array of objects with a `type` each (RFC 9396 2), or too large.
    #[error("authorization details are a JSON array of objects, each with a type")]
    AuthorizationDetails,
    /// The URL of the Client ID Metadata Document cannot be a `client_id`.
    #[error("a client_id URL is https, with a path, without dot segments, fragment and user info")]
    ClientIdDocument,
    /// Tokens are to be bound to a key, there is none, and none can be made without the feature `crypto`.
    #[error("there is no key to bind tokens to")]
    NoKey,
    /// The redirect URI is neither https, nor loopback, nor of an application's own scheme.
    #[error("not a redirect URI: it must be https, loopback http, or of the application's own scheme")]
    RedirectUri,
    /// The resource's URL is not acceptable: https (or http to a loopback host), without user info and
    /// fragment (RFC 8707 2).
    #[error("the resource's URL is not acceptable: {0}")]
    Resource(UrlProblem),
    /// A client secret for `client_secret_jwt` has fewer than 32 bytes (RFC 7518 3.2).
    #[error("a client secret for client_secret_jwt has at least 32 bytes")]
    ShortSecret,
}

impl Config {
    /// The MCP server at `resource`, for a client that describes itself so.
    ///
    /// # Errors
    /// [`ConfigError::Resource`].
    pub fn new(resource: &str, metadata: ClientMetadata) -> Result<Self, ConfigError> {
        let resource = Url::parse(resource).map_err(|_| ConfigError::Resource(UrlProblem::Syntax))?;
        address::check_shape(&resource).map_err(ConfigError::Resource)?;
        Ok(Self {
            resource,
            account: "default".into(),
            metadata,
            preregistered: Vec::new(),
            client_id_document: None,
            dynamic_registration: true,
            initial_access_token: None,
            redirect: Redirect::Listen,
            scopes: ScopeSet::new(),
            offline_access: true,
            revision: Revision::default(),
            trust: TrustPolicy::default(),
            trusted_issuers: Vec::new(),
            urls: UrlPolicy::default(),
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

    /// The token that permits dynamic registration, for servers that want one (RFC 7591 3).
    #[must_use]
    pub fn initial_access_token(mut self, token: Secret) -> Self {
        self.initial_access_token = Some(token);
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
    /// claimed in the store first, so that no two use the same refresh token: one more write.
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

    /// What to do about stored records that cannot be read; by itself they are kept aside, and the
    /// authorization starts anew.
    #[must_use]
    pub fn unreadable_records(mut self, policy: RecordPolicy) -> Self {
        self.unreadable_records = policy;
        self
    }

    /// Whether this account is kept in the list of accounts of its resource while it is logged in
    /// ([`accounts`](super::accounts)): one more record for each resource.
    #[must_use]
    pub fn listed(mut self, listed: bool) -> Self {
        self.listed = listed;
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
        self.check_keys(cfg!(feature = "crypto"))
    }

    fn check_keys(&self, can_make: bool) -> Result<(), ConfigError> {
        if self.makes_keys() && !can_make { Err(ConfigError::NoKey) } else { Ok(()) }
    }

    /// The identifier that is sent when no metadata writes it: without the slash that a parser adds to
    /// an empty path (MCP "Canonical Server URI", typescript-sdk#1968).
    pub(crate) fn canonical_resource(&self) -> Box<str> {
        let text = self.resource.as_str();
        match text.strip_suffix('/') {
            Some(bare) if self.resource.path() == "/" && self.resource.query().is_none() => bare.into(),
            _ => text.into(),
        }
    }

    /// Whether keys are made for tokens to be bound to.
    pub(crate) fn makes_keys(&self) -> bool {
        self.dpop != DpopPolicy::Off && self.dpop_key.is_none()
    }

    /// The configured client with this id at this server: an authorization server, or the identity provider.
    /// Others see nothing of it, whatever id they give their clients.
    pub(crate) fn own_client(&self, issuer: &str, id: &str) -> Option<&Preregistered> {
        let at_provider = match &self.flow {
            Flow::Enterprise(enterprise) if enterprise.issuer.as_str() == issuer => Some(&enterprise.client),
            _ => None,
        };
        let here = |own: &&Preregistered| own.issuer.as_ref().is_none_or(|own| own.as_str() == issuer);
        at_provider.into_iter().chain(self.preregistered.iter().filter(here)).find(|own| *own.id == *id)
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

    #[test]
    fn preregistered_methods() {
        use ClientAuthMethod::{None, SecretBasic, SecretPost};
        let public = Preregistered::with("https://as", "id");
        let client = public.client(&[SecretBasic]).unwrap();
        assert!(client.configured && client.secret.is_none() && client.method == None);
        let secret = public.secret(Secret::from("s"));
        assert_eq!(secret.client(&[SecretPost, SecretBasic]).unwrap().method, SecretBasic);
        assert_eq!(secret.client(&[None, SecretPost]).unwrap().method, SecretPost);
        assert_eq!(secret.client(&[None]), Option::None);
        assert_eq!(secret.method(SecretPost).client(&[]).unwrap().method, SecretPost);
    }
}
