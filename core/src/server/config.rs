//! How a [`Provider`](super::Provider) is set up.

use std::time::Duration;

use http::HeaderValue;
use url::Url;

use super::downstream::Downstream;
use super::keys::ProviderKey;
use super::wire::ClientDescription;
use crate::address::{UrlPolicy, same_resource};
use crate::jose::{Algorithm, KeySet};
use crate::limits;
use crate::scope::{ScopeError, ScopeSet};
use crate::secret::Secret;
use crate::wire::client_auth::ClientAuthMethod;

/// The configuration of an authorization server.
///
/// ```
/// use grantor::jose::{Algorithm, SigningKey};
/// use grantor::server::{Provider, ProviderConfig, ProtectedResource};
///
/// let files = ProtectedResource::new("https://mcp.example.com/mcp").scope("files:read", "Read your files")?;
/// let key = SigningKey::generate(Algorithm::Es256, &[7; 32])?; // entropy from the system, in earnest
/// let provider = Provider::new(ProviderConfig::new("https://as.example.com", &[7; 32]).resource(files).key(key))?;
/// assert_eq!(provider.endpoints().token, "https://as.example.com/token");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    pub(super) issuer: Box<str>,
    pub(super) secrets: Vec<Secret>,
    pub(super) keys: Vec<ProviderKey>,
    pub(super) resources: Vec<ProtectedResource>,
    pub(super) clients: Vec<RegisteredClient>,
    pub(super) registration: Option<Registration>,
    pub(super) client_documents: bool,
    pub(super) redirect_schemes: Vec<Box<str>>,
    pub(super) trusted_issuers: Vec<TrustedIssuer>,
    pub(super) lifetimes: Lifetimes,
    pub(super) token_format: TokenFormat,
    pub(super) dpop_nonces: bool,
    pub(super) dpop_required: bool,
    pub(super) pushed_requests_required: bool,
    pub(super) loopback_consent_remembered: bool,
    pub(super) error_uri: Option<Box<str>>,
    pub(super) urls: UrlPolicy,
}

/// Why a configuration cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderConfigError {
    /// Two clients of one id.
    #[error("the client {0} is configured twice")]
    ClientRepeated(Box<str>),
    /// A client that is to exchange tokens, and has no credentials; or tokens of or for a resource, or with scopes, that
    /// are not configured.
    #[error(
        "the client {0} has no credentials to exchange tokens with, or the resources or scopes are unknown"
    )]
    Downstream(Box<str>),
    /// The issuer is no https URL without query and fragment (RFC 8414 2); http goes to a loopback address only.
    #[error("the issuer {0} is no https URL without query and fragment")]
    Issuer(Box<str>),
    /// There is no key to sign access tokens with.
    #[error("there is no signing key: add one with ProviderConfig::key")]
    NoKey,
    /// There is nothing that tokens could be for.
    #[error("there is no protected resource: add one with ProviderConfig::resource")]
    NoResource,
    /// A redirect URI that may not be registered.
    #[error(
        "the client {0} has a redirect URI that is relative, has a fragment, or is http to another machine"
    )]
    RedirectUri(Box<str>),
    /// A resource that is no absolute URL, or has a fragment (RFC 8707 2).
    #[error("the resource {0} is no absolute URL without fragment")]
    Resource(Box<str>),
    /// A secret shorter than 32 bytes.
    #[error("the provider's secret is shorter than 32 bytes")]
    Secret,
    /// An error page that is no URL.
    #[error("the error URI is no URL in ASCII")]
    ErrorUri,
}

/// How long things are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lifetimes {
    /// An access token: 10 minutes by default. What is revoked is accepted for as long, where nobody introspects.
    pub access_token: Duration,
    /// A code, from the redirect to the token request: 1 minute by default (RFC 6749 4.1.2: at most 10).
    pub code: Duration,
    /// A device code: 10 minutes by default.
    pub device_code: Duration,
    /// A page that waits for the user: 10 minutes by default.
    pub interaction: Duration,
    /// A pushed request: 1 minute by default.
    pub pushed_request: Duration,
    /// A refresh token that is not used: 30 days by default.
    pub refresh_idle: Duration,
    /// A grant, however often it is refreshed: a year by default.
    pub refresh: Duration,
    /// How long a refresh token gets the same answer again, because the first was lost on its way: 30 seconds by
    /// default; zero for never.
    pub retry: Duration,
    /// A user's session at this server: 12 hours by default.
    pub session: Duration,
    /// A dynamic registration since a user last consented to it: 90 days by default.
    pub registration: Duration,
    /// A dynamic registration that no user has consented to yet: a week by default.
    pub unused_registration: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let days = |n: u64| minutes(60 * 24 * n);
        Self {
            access_token: minutes(10),
            code: minutes(1),
            device_code: minutes(10),
            interaction: minutes(10),
            pushed_request: minutes(1),
            refresh_idle: days(30),
            refresh: days(365),
            retry: Duration::from_secs(30),
            session: minutes(12 * 60),
            registration: days(90),
            unused_registration: days(7),
        }
    }
}

/// What access tokens are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenFormat {
    /// JWTs (RFC 9068), which a protected resource checks by itself.
    #[default]
    Jwt,
    /// Names for what the store has, which a protected resource asks about (RFC 7662). What is revoked ends at once.
    Opaque,
}

/// Something that tokens can be for.
#[derive(Clone, Debug)]
pub struct ProtectedResource {
    pub(super) uri: Box<str>,
    pub(super) name: Option<Box<str>>,
    pub(super) scopes: Vec<(Box<str>, Box<str>)>,
    pub(super) default_scopes: Option<ScopeSet>,
}

impl ProtectedResource {
    /// The resource of this URI, as its metadata names it (RFC 9728 2) and clients send it (RFC 8707).
    pub fn new(uri: &str) -> Self {
        Self { uri: uri.into(), name: None, scopes: Vec::new(), default_scopes: None }
    }

    /// The name that users are shown.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A scope, with the sentence that users are shown, such as "Read your files".
    ///
    /// # Errors
    /// [`ScopeError`].
    pub fn scope(mut self, token: &str, description: &str) -> Result<Self, ScopeError> {
        ScopeSet::from_tokens([token])?;
        self.scopes.retain(|(own, _)| **own != *token);
        self.scopes.push((token.into(), description.into()));
        Ok(self)
    }

    /// What a client asks for that names no scope: all scopes, unless this is called.
    #[must_use]
    pub fn default_scopes(mut self, scopes: ScopeSet) -> Self {
        self.default_scopes = Some(scopes);
        self
    }

    pub(super) fn default_scope(&self) -> ScopeSet {
        let all = || ScopeSet::from_tokens(self.scopes.iter().map(|(token, _)| &**token)).unwrap_or_default();
        self.default_scopes.clone().unwrap_or_else(all)
    }

    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|(token, _)| **token == *scope)
    }
}

/// A client that the operator registered.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    pub(super) id: Box<str>,
    pub(super) secret: Option<Secret>,
    pub(super) keys: Option<KeySet>,
    pub(super) description: ClientDescription,
    pub(super) introspects: bool,
    pub(super) downstream: Vec<Downstream>,
}

impl RegisteredClient {
    fn with(id: &str, methods: &[ClientAuthMethod]) -> Self {
        let description = ClientDescription {
            grant_types: vec!["authorization_code".into(), "refresh_token".into()],
            methods: methods.into(),
            ..ClientDescription::default()
        };
        Self {
            id: id.into(),
            secret: None,
            keys: None,
            description,
            introspects: false,
            downstream: Vec::new(),
        }
    }

    /// A public client.
    pub fn public(id: &str) -> Self {
        Self::with(id, &[ClientAuthMethod::None])
    }

    /// A client with a secret, which it may send in the header or in the body.
    pub fn with_secret(id: &str, secret: impl Into<Secret>) -> Self {
        let methods = [ClientAuthMethod::SecretBasic, ClientAuthMethod::SecretPost];
        Self { secret: Some(secret.into()), ..Self::with(id, &methods) }
    }

    /// A client that signs assertions with one of these keys (`private_key_jwt`).
    pub fn with_keys(id: &str, keys: KeySet) -> Self {
        Self { keys: Some(keys), ..Self::with(id, &[ClientAuthMethod::PrivateKeyJwt]) }
    }

    /// The name that users are shown.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.description.client_name = Some(name.into());
        self
    }

    /// Where the browser may go back to.
    #[must_use]
    pub fn redirect_uri(mut self, uri: &str) -> Self {
        self.description.redirect_uris.push(uri.into());
        self
    }

    /// A grant beside the code and the refresh token, such as `client_credentials`.
    #[must_use]
    pub fn grant(mut self, grant_type: &str) -> Self {
        self.description.grant_types.push(grant_type.into());
        self
    }

    /// The scopes that it can have; all by default.
    #[must_use]
    pub fn scope(mut self, scope: ScopeSet) -> Self {
        self.description.scope = scope;
        self
    }

    /// Lets it exchange the tokens of its users (RFC 8693), to call another server for them. It needs a secret or keys.
    #[must_use]
    pub fn downstream(mut self, downstream: Downstream) -> Self {
        self.downstream.push(downstream);
        self.grant("urn:ietf:params:oauth:grant-type:token-exchange")
    }

    /// Lets it ask about all tokens (RFC 7662): it is a protected resource.
    #[must_use]
    pub fn introspects(mut self) -> Self {
        self.introspects = true;
        self
    }
}

/// Dynamic client registration (RFC 7591).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Registration {
    pub(super) initial_access_token: Option<Secret>,
    pub(super) per_hour: u32,
}

impl Default for Registration {
    fn default() -> Self {
        Self::open()
    }
}

impl Registration {
    /// Open to everybody. Identical public clients are one, and what is not used is forgotten.
    pub fn open() -> Self {
        Self { initial_access_token: None, per_hour: limits::REGISTRATIONS_PER_HOUR }
    }

    /// For those who have this token (RFC 7591 3).
    pub fn with_initial_access_token(token: impl Into<Secret>) -> Self {
        Self { initial_access_token: Some(token.into()), ..Self::open() }
    }

    /// So many new clients in an hour, about; more are turned away for now, so that a flood of them fills no store. Those
    /// who register what is known already are not counted, and neither are clients that are known by their documents.
    #[must_use]
    pub fn per_hour(mut self, clients: u32) -> Self {
        self.per_hour = clients;
        self
    }
}

/// Who else may say who somebody is: an enterprise's identity provider, by ID-JAGs (MCP extension "Enterprise-Managed
/// Authorization"), or a platform, by the tokens of its workloads (RFC 7523 2.1).
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    pub(super) issuer: Box<str>,
    pub(super) jwks_uri: Option<Url>,
    pub(super) keys: Option<KeySet>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) kind: AssertionIssuer,
}

/// What a trusted issuer issues.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssertionIssuer {
    /// ID-JAGs: who a user is, for one client.
    IdentityProvider,
    /// Tokens of workloads. Each subject of the list is the client beside it.
    Platform(Vec<(Box<str>, Box<str>)>),
}

impl TrustedIssuer {
    /// An enterprise's identity provider, whose keys are at this URL.
    pub fn identity_provider(issuer: &str, jwks_uri: Url) -> Self {
        Self::new(issuer, Some(jwks_uri), AssertionIssuer::IdentityProvider)
    }

    /// A platform: its workload `subject` is the client `client_id`.
    pub fn platform<'a>(
        issuer: &str,
        jwks_uri: Url,
        workloads: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let workloads =
            workloads.into_iter().map(|(subject, client)| (subject.into(), client.into())).collect();
        Self::new(issuer, Some(jwks_uri), AssertionIssuer::Platform(workloads))
    }

    fn new(issuer: &str, jwks_uri: Option<Url>, kind: AssertionIssuer) -> Self {
        let algorithms = vec![Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256];
        Self { issuer: issuer.into(), jwks_uri, keys: None, algorithms, kind }
    }

    /// Keys that are known, so that none are fetched.
    #[must_use]
    pub fn keys(mut self, keys: KeySet) -> Self {
        (self.keys, self.jwks_uri) = (Some(keys), None);
        self
    }
}

impl ProviderConfig {
    /// An authorization server of this issuer. The `secret`, of 32 bytes or more from the system's entropy, is kept
    /// outside of the store: with it, codes and refresh tokens are made and checked.
    pub fn new(issuer: &str, secret: &[u8]) -> Self {
        Self {
            issuer: issuer.into(),
            secrets: vec![secret_of(secret)],
            keys: Vec::new(),
            resources: Vec::new(),
            clients: Vec::new(),
            registration: None,
            client_documents: true,
            redirect_schemes: Vec::new(),
            trusted_issuers: Vec::new(),
            lifetimes: Lifetimes::default(),
            token_format: TokenFormat::default(),
            dpop_nonces: false,
            dpop_required: false,
            pushed_requests_required: false,
            loopback_consent_remembered: false,
            error_uri: None,
            urls: UrlPolicy::default(),
        }
    }

    /// A secret of before, which is still accepted.
    #[must_use]
    pub fn former_secret(mut self, secret: &[u8]) -> Self {
        self.secrets.push(secret_of(secret));
        self
    }

    /// A key for access tokens. The first signs; all are published, so that the next is known before it signs, and the
    /// last for as long as its tokens live.
    #[must_use]
    pub fn key(mut self, key: impl Into<ProviderKey>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// A resource that tokens can be for.
    #[must_use]
    pub fn resource(mut self, resource: ProtectedResource) -> Self {
        self.resources.push(resource);
        self
    }

    /// A client.
    #[must_use]
    pub fn client(mut self, client: RegisteredClient) -> Self {
        self.clients.push(client);
        self
    }

    /// Lets clients register themselves.
    #[must_use]
    pub fn registration(mut self, registration: Registration) -> Self {
        self.registration = Some(registration);
        self
    }

    /// Whether a client can be the URL of its Client ID Metadata Document; it can by default.
    #[must_use]
    pub fn client_documents(mut self, accepted: bool) -> Self {
        self.client_documents = accepted;
        self
    }

    /// A private scheme of redirect URIs that has no dot in it, such as `cursor` or `vscode` (against RFC 8252 7.1,
    /// which those clients do not keep).
    #[must_use]
    pub fn redirect_scheme(mut self, scheme: &str) -> Self {
        self.redirect_schemes.push(scheme.into());
        self
    }

    /// Who else may say who somebody is.
    #[must_use]
    pub fn trusted_issuer(mut self, issuer: TrustedIssuer) -> Self {
        self.trusted_issuers.push(issuer);
        self
    }

    /// How long things are good.
    #[must_use]
    pub fn lifetimes(mut self, change: impl FnOnce(&mut Lifetimes)) -> Self {
        change(&mut self.lifetimes);
        self
    }

    /// What access tokens are.
    #[must_use]
    pub fn token_format(mut self, format: TokenFormat) -> Self {
        self.token_format = format;
        self
    }

    /// Demands a nonce in proofs of possession (RFC 9449 8).
    #[must_use]
    pub fn dpop_nonces(mut self) -> Self {
        self.dpop_nonces = true;
        self
    }

    /// Issues no token that is not bound to a key (RFC 9449 5).
    #[must_use]
    pub fn dpop_required(mut self) -> Self {
        self.dpop_required = true;
        self
    }

    /// Takes authorization requests only if they were pushed (RFC 9126 5).
    #[must_use]
    pub fn pushed_requests_required(mut self) -> Self {
        self.pushed_requests_required = true;
        self
    }

    /// Asks users no second time, though the client redirects to a loopback address or a private scheme, where any
    /// program of the machine can take its place (RFC 8252 8.6). Without it such clients are consented to each time.
    #[must_use]
    pub fn remember_loopback_consent(mut self) -> Self {
        self.loopback_consent_remembered = true;
        self
    }

    /// A page about errors, which answers name (`error_uri`).
    #[must_use]
    pub fn error_uri(mut self, uri: &str) -> Self {
        self.error_uri = Some(uri.into());
        self
    }

    /// Which URLs of clients and of others are fetched.
    #[must_use]
    pub fn urls(mut self, urls: UrlPolicy) -> Self {
        self.urls = urls;
        self
    }

    /// Finds what cannot work.
    pub(super) fn check(&self) -> Result<Url, ProviderConfigError> {
        let wrong_issuer = || ProviderConfigError::Issuer(self.issuer.clone());
        let issuer = Url::parse(&self.issuer).map_err(|_| wrong_issuer())?;
        if issuer.query().is_some()
            || self.urls.check_shape(&issuer).is_err()
            || !crate::address::is_written_plainly(&self.issuer, &issuer)
        {
            return Err(wrong_issuer());
        }
        if self.secrets.iter().any(|secret| secret.expose().len() < 2 * 32) {
            return Err(ProviderConfigError::Secret);
        }
        if self.keys.is_empty() {
            return Err(ProviderConfigError::NoKey);
        }
        if self.resources.is_empty() {
            return Err(ProviderConfigError::NoResource);
        }
        for resource in &self.resources {
            if !Url::parse(&resource.uri).is_ok_and(|url| url.fragment().is_none()) {
                return Err(ProviderConfigError::Resource(resource.uri.clone()));
            }
        }
        for (index, client) in self.clients.iter().enumerate() {
            if self.clients.iter().take(index).any(|other| other.id == client.id) {
                return Err(ProviderConfigError::ClientRepeated(client.id.clone()));
            }
            let schemes = || self.redirect_schemes.iter().map(|scheme| &**scheme);
            let known = |uri: &str| super::wire::redirect_kind(uri, schemes()).is_some();
            if !client.description.redirect_uris.iter().all(|uri| known(uri)) {
                return Err(ProviderConfigError::RedirectUri(client.id.clone()));
            }
            if !client.downstream.iter().all(|downstream| self.may_exchange(client, downstream)) {
                return Err(ProviderConfigError::Downstream(client.id.clone()));
            }
        }
        let sendable = |uri: &str| HeaderValue::from_str(uri).is_ok() && uri.len() <= limits::URL;
        match &self.error_uri {
            Some(uri) if !sendable(uri) => Err(ProviderConfigError::ErrorUri),
            _ => Ok(issuer),
        }
    }

    /// Whether a client can exchange tokens so.
    fn may_exchange(&self, client: &RegisteredClient, downstream: &Downstream) -> bool {
        let resource = |uri: &str| self.resources.iter().find(|resource| same_resource(&resource.uri, uri));
        let knows = |to: &ProtectedResource| downstream.scope.iter().all(|scope| to.has_scope(scope));
        let has_credentials = client.secret.is_some() || client.keys.is_some();
        has_credentials && resource(&downstream.from).is_some() && resource(&downstream.to).is_some_and(knows)
    }
}

/// As text, so that it is wiped and shown by nobody.
fn secret_of(bytes: &[u8]) -> Secret {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Secret::from(text)
}
