//! What a protected server is, whom it believes, and what it demands.

use std::fmt;

use http::HeaderName;
use serde_json::{Map, Value};
use url::Url;

use super::policy::{Policy, PolicyError};
use crate::address::{UrlPolicy, UrlProblem};
use crate::jose::{Algorithm, SigningFailed, SigningKey};
use crate::limits;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::client_auth::Client;

/// The configuration of a [`Guard`](super::Guard).
///
/// ```
/// use grantor::resource::{AuthorizationServer, Guard, GuardConfig, Need, Policy};
/// let policy = Policy::new().every("mcp:use")?.tool("write", Need::all("files:write")?);
/// let config = GuardConfig::new("https://mcp.example.com/mcp", policy)
///     .server(AuthorizationServer::jwt("https://as.example.com"));
/// let guard = Guard::new(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct GuardConfig {
    /// The URL of the MCP endpoint as clients see it: its resource identifier.
    pub resource: Box<str>,
    /// Which operation needs which scopes.
    pub policy: Policy,
    /// The authorization servers whose tokens are accepted: at least one.
    pub servers: Vec<AuthorizationServer>,
    /// Other names of this resource that tokens may carry as `aud`, for servers that cannot put the
    /// resource identifier there. A token for another resource must never carry one of them.
    pub audiences: Vec<Box<str>>,
    /// Which scopes a challenge names.
    pub challenge: ChallengeScopes,
    /// `scopes_supported` of the metadata, where it is not the policy's minimum.
    pub scopes_supported: Option<ScopeSet>,
    /// `resource_name` of the metadata: a name for people.
    pub name: Option<Box<str>>,
    /// More members of the metadata (RFC 9728 2), such as `resource_documentation`. They never replace
    /// what the Guard knows itself.
    pub metadata: Map<String, Value>,
    /// Signs the metadata, too (RFC 9728 2.2): who signs, and the key.
    pub sign_metadata: Option<(Box<str>, SigningKey)>,
    /// Where else the metadata is, where a proxy or router passes on only some paths of the origin, such as
    /// `https://mcp.example.com/mcp/metadata`. The Guard serves it there, too, and challenges name this URL (RFC 9728
    /// 5.1). Its origin is that of the resource. Clients that ask the well-known URL without a challenge do
    /// not find it there.
    pub metadata_url: Option<Box<str>>,
    /// `realm` of the challenges (RFC 9110 11.5).
    pub realm: Option<Box<str>>,
    /// Which web pages may read the answers.
    pub cors: Cors,
    /// More request headers that those pages may send, besides those of MCP and OAuth:
    /// `HeaderName::from_static("x-tenant")`.
    pub cors_allowed_headers: Vec<HeaderName>,
    /// More response headers that those pages may read.
    pub cors_exposed_headers: Vec<HeaderName>,
    /// Whether tokens that are bound to a key are demanded.
    pub dpop: Dpop,
    /// Paths that need no token and are no business of the Guard: `/health`. Compared octet by octet.
    pub public_paths: Vec<Box<str>>,
    /// Whether the server behind the Guard refuses requests whose `Mcp-Method` or `Mcp-Name` header
    /// contradicts the body, as it must from 2026-07-28 on (MCP "Server Validation"). Then the headers
    /// decide, for requests of that revision, and no body is read; but for methods that can name resources or
    /// prompts in the body alone, and for those that are not MCP's.
    ///
    /// If it does not, anybody may call any operation in the name of another: leave this off.
    pub trust_headers: bool,
    /// How large a body may be that has to be read, in bytes.
    pub max_body: usize,
    /// How far clocks may be apart, in seconds.
    pub leeway_s: u64,
    /// After this many seconds a token that was seen before is checked again.
    pub recheck_s: u64,
    /// The most that remembered tokens may take, in bytes; at least
    /// [`limits::TOKEN_CACHE_ASKED`] unless all tokens are checked by keys.
    pub token_cache_bytes: usize,
    /// The most that remembered proofs may take, in bytes.
    pub replay_cache_bytes: usize,
    /// Which URLs in an authorization server's metadata are used; its issuer is the context.
    pub urls: UrlPolicy,
}

impl GuardConfig {
    /// A server at this URL with this policy. It needs a [`server`](Self::server), too.
    pub fn new(resource: &str, policy: Policy) -> Self {
        Self {
            resource: resource.into(),
            policy,
            servers: Vec::new(),
            audiences: Vec::new(),
            challenge: ChallengeScopes::default(),
            scopes_supported: None,
            name: None,
            metadata: Map::new(),
            sign_metadata: None,
            metadata_url: None,
            realm: None,
            cors: Cors::default(),
            cors_allowed_headers: Vec::new(),
            cors_exposed_headers: Vec::new(),
            dpop: Dpop::default(),
            public_paths: Vec::new(),
            trust_headers: false,
            max_body: limits::MESSAGE_BODY,
            leeway_s: limits::CLOCK_LEEWAY_S,
            recheck_s: limits::TOKEN_RECHECK_S,
            token_cache_bytes: limits::TOKEN_CACHE,
            replay_cache_bytes: limits::REPLAY_CACHE,
            urls: UrlPolicy::default(),
        }
    }

    /// Accepts tokens of this authorization server.
    #[must_use]
    pub fn server(mut self, server: AuthorizationServer) -> Self {
        self.servers.push(server);
        self
    }

    /// Lets requests for this path through unchecked.
    #[must_use]
    pub fn public_path(mut self, path: &str) -> Self {
        self.public_paths.push(path.into());
        self
    }
}

/// An authorization server, and how its tokens are checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthorizationServer {
    /// Its issuer identifier. With [`tenants`](Self::tenants) a template, with the place of the tenant in
    /// braces: `https://login.microsoftonline.com/{tenantid}/v2.0`.
    pub issuer: Box<str>,
    /// How its tokens are checked.
    pub tokens: Tokens,
    /// Whether the metadata names it to clients.
    pub advertised: bool,
    /// Other names under which its tokens (`iss`) and its metadata call it, exactly as they write them: with a
    /// slash at the end, or of an older version. Grants name [`issuer`](Self::issuer).
    pub known_as: Vec<Box<str>>,
    /// The tenants whose tokens are accepted, where the issuer is a template. Each is an authorization server of
    /// its own, with its own metadata and keys; no others are accepted.
    pub tenants: Vec<Box<str>>,
    /// Other names of the resource that its tokens may carry as `aud`, besides
    /// [`GuardConfig::audiences`]. A token of this server for another resource must never carry one of them.
    pub audiences: Vec<Box<str>>,
    /// What stands for the audience in tokens without `aud`.
    pub audience_claim: Option<AudienceClaim>,
    /// The claims that hold the scopes, all of them together: `permissions`, `roles`, `groups`. When empty it is
    /// `scope`, or where that is absent `scp`. A name that begins with a slash is a JSON Pointer (RFC 6901):
    /// `/realm_access/roles`.
    pub scope_claims: Vec<Box<str>>,
}

/// A claim that stands for the audience in tokens that have no `aud`, with the values that mean this resource.
///
/// Whoever gets a token by one of these clients, for whatever purpose, gets in: the client must be used for this
/// resource alone. A token with `aud` is held against that, whatever this says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AudienceClaim {
    /// Its name: `client_id`, `azp`.
    pub claim: Box<str>,
    /// What it may be, compared octet by octet.
    pub values: Vec<Box<str>>,
}

impl AudienceClaim {
    pub(super) fn parts(&self) -> (&str, &[Box<str>]) {
        (&self.claim, &self.values)
    }
}

/// How tokens are checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Tokens {
    /// Access tokens that are JWTs, by the server's keys.
    Jwt {
        /// The algorithms that are accepted.
        algorithms: Vec<Algorithm>,
        /// Whether the profile of RFC 9068 is demanded: `typ` `at+jwt` and its claims.
        rfc9068: bool,
        /// Where the keys are; without it the server's metadata says it.
        jwks_uri: Option<Url>,
    },
    /// Any tokens, by asking the server (RFC 7662).
    Introspection {
        /// Who this server is at the authorization server.
        client: Client,
        /// Where to ask; without it the server's metadata says it.
        endpoint: Option<Url>,
        /// Whether answers without `aud` are refused. Without audience, only the authorization server
        /// knows whether a token is for this resource: turn this off only when it says `active` to this
        /// client for no others (MCP "Token Handling").
        audience_demanded: bool,
        /// How long an answer is believed, in seconds; at least one.
        cache_s: u64,
    },
    /// Any tokens, by the host: [`Effect::CheckToken`](crate::Effect::CheckToken).
    Host {
        /// Whether answers without `aud` are refused.
        audience_demanded: bool,
        /// How long an answer is believed, in seconds; at least one.
        cache_s: u64,
    },
}

impl AuthorizationServer {
    fn new(issuer: &str, tokens: Tokens) -> Self {
        Self {
            issuer: issuer.into(),
            tokens,
            advertised: true,
            known_as: Vec::new(),
            tenants: Vec::new(),
            audiences: Vec::new(),
            audience_claim: None,
            scope_claims: Vec::new(),
        }
    }

    /// One whose access tokens are JWTs by RFC 9068, signed with keys that its metadata names.
    pub fn jwt(issuer: &str) -> Self {
        let algorithms = Algorithm::ALL.to_vec();
        Self::new(issuer, Tokens::Jwt { algorithms, rfc9068: true, jwks_uri: None })
    }

    /// One whose access tokens are JWTs that do not keep to RFC 9068: without `typ` or some claims.
    ///
    /// Tokens that other claims show to be ID tokens, log-out tokens or refresh tokens are refused. Where those
    /// cannot be told apart, only their audience can: give clients no id that is an audience.
    pub fn jwt_without_profile(issuer: &str) -> Self {
        let algorithms = Algorithm::ALL.to_vec();
        Self::new(issuer, Tokens::Jwt { algorithms, rfc9068: false, jwks_uri: None })
    }

    /// One that is asked about each token that no server with keys has made (RFC 7662), as this client: tokens
    /// that are no JWT, JWTs that name another issuer or none, and those that no public key checks (HS256).
    ///
    /// Of several servers that are asked, each is shown the tokens that those before it do not know, whoever
    /// issued them: configure only servers that may see them.
    ///
    /// The same issuer may also be configured with [`jwt`](Self::jwt), for servers that sign some of their tokens
    /// with a key that they publish, and others not.
    pub fn introspection(issuer: &str, client: Client) -> Self {
        let cache_s = limits::INTROSPECTION_CACHE_S;
        Self::new(issuer, Tokens::Introspection { client, endpoint: None, audience_demanded: true, cache_s })
    }

    /// One whose tokens the host checks; the same tokens as for [`introspection`](Self::introspection).
    pub fn verified_by_host(issuer: &str) -> Self {
        let cache_s = limits::INTROSPECTION_CACHE_S;
        Self::new(issuer, Tokens::Host { audience_demanded: true, cache_s })
    }

    /// Accepts this name of the server, too, in tokens and metadata ([`known_as`](Self::known_as)).
    #[must_use]
    pub fn known_as(mut self, issuer: &str) -> Self {
        self.known_as.push(issuer.into());
        self
    }

    /// The tenants to put into the issuer ([`tenants`](Self::tenants)).
    #[must_use]
    pub fn tenants<'a>(mut self, tenants: impl IntoIterator<Item = &'a str>) -> Self {
        self.tenants = tenants.into_iter().map(Into::into).collect();
        self
    }

    /// Accepts this `aud` in its tokens, too ([`audiences`](Self::audiences)).
    #[must_use]
    pub fn audience(mut self, name: &str) -> Self {
        self.audiences.push(name.into());
        self
    }

    /// In tokens without `aud`, takes this claim for it, and these values for the resource ([`AudienceClaim`]).
    #[must_use]
    pub fn audience_by<'a>(mut self, claim: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.audience_claim = Some(AudienceClaim { claim: claim.into(), values });
        self
    }

    /// Reads the scopes from these claims ([`scope_claims`](Self::scope_claims)).
    #[must_use]
    pub fn scopes_in<'a>(mut self, claims: impl IntoIterator<Item = &'a str>) -> Self {
        self.scope_claims = claims.into_iter().map(Into::into).collect();
        self
    }
}

/// Which scopes a challenge for scopes names (MCP "Scope Challenge Handling").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChallengeScopes {
    /// What the operation needs and these, whatever the operation.
    Configured(ScopeSet),
    /// What the operation needs: all of it, held or not.
    #[default]
    Minimal,
    /// What the operation needs and what the token grants, for clients that forget what they had.
    PlusGranted,
}

/// Which web pages may read the answers. Their preflights are answered: they may send what MCP and OAuth need,
/// `Mcp-Param-` headers included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cors {
    /// Pages of any origin.
    Any,
    /// None; or something in front of the Guard sees to it, preflights included.
    #[default]
    Off,
    /// Pages of these origins, as browsers write them: `https://app.example.com`, `http://localhost:6274`.
    /// `null` is none of them, since any page can have it.
    Origins(Vec<Box<str>>),
}

/// Proof of possession (RFC 9449).
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dpop {
    /// Whether tokens that are bound to no key are refused. Tokens that are bound need a proof in any case.
    pub required: bool,
    /// Makes the nonces that proofs must carry (RFC 9449 9); without it none is demanded. 32 random bytes,
    /// the same in all processes that serve the resource.
    pub nonce_seed: Option<Secret>,
    /// Whether each use of a proof is recorded in the host's store ([`Effect::Save`](crate::Effect::Save)), so that of
    /// all processes with the same store one accepts it. Otherwise each remembers what it has seen itself, and
    /// a proof may be used once at each. It costs a write for each request with a proof.
    pub stored: bool,
    /// The algorithms that are accepted for proofs; all that are known when empty.
    pub algorithms: Vec<Algorithm>,
}

impl fmt::Debug for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dpop")
            .field("required", &self.required)
            .field("nonces", &self.nonce_seed.is_some())
            .field("stored", &self.stored)
            .finish_non_exhaustive()
    }
}

/// Why a configuration cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardConfigError {
    /// No claim or no value stands for the audience in tokens of this issuer, a text is empty, or the claim is one
    /// that says nothing about it.
    #[error("what stands for the audience in tokens of {0:?} can never be right")]
    Audience(Box<str>),
    /// The client that asks about tokens would need a signed assertion each time (RFC 7523 2.2), which the
    /// Guard does not make.
    #[error("introspection needs a client with a secret, not one with a key")]
    ClientAuthentication,
    /// An issuer is no acceptable URL (RFC 8414 2).
    #[error("the issuer {issuer:?}: {problem}")]
    Issuer {
        /// Which one.
        issuer: Box<str>,
        /// What is wrong.
        problem: UrlProblem,
    },
    /// The metadata cannot be there: no acceptable URL, another origin than the resource's, the resource itself,
    /// or with a query.
    #[error(
        "the metadata cannot be at {0:?}: it must be a URL of its own on the resource's origin, without a query"
    )]
    MetadataUrl(Box<str>),
    /// The same issuer twice, unless once with keys and once to be asked.
    #[error("the issuer {0:?} is there twice")]
    IssuerRepeated(Box<str>),
    /// No algorithm is accepted for the tokens of this issuer.
    #[error("no algorithm is accepted for tokens of {0:?}")]
    NoAlgorithm(Box<str>),
    /// No authorization server that the metadata names (MCP "Authorization Server Location").
    #[error("no authorization server is configured and advertised")]
    NoServer,
    /// The use of proofs is to be recorded in a store, and the host has none.
    #[error("the use of proofs is to be stored (Dpop::stored), and there is no store")]
    NoStore,
    /// An origin that no browser sends (RFC 6454 6.2), with a path or only a slash, the scheme's own port,
    /// capital letters or `*`; or `null`, which any page can have.
    #[error(
        "the origin {0:?} is no page's own: write it like https://app.example.com, without a slash at its end"
    )]
    Origin(Box<str>),
    /// The table cannot work.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The resource itself is among the public paths.
    #[error("the resource's own path is public: then nothing is protected")]
    PublicResource,
    /// The resource is no acceptable URL (RFC 9728 1.2).
    #[error("the resource: {0}")]
    Resource(UrlProblem),
    /// The metadata cannot be signed with this key.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// Claims for scopes without a name.
    #[error("a claim of {0:?} that holds scopes has no name")]
    ScopeClaim(Box<str>),
    /// An issuer with braces and no tenants, or tenants and not one pair of braces; or a tenant that is more than
    /// one segment of a URL.
    #[error("the tenants of {issuer:?}: {problem}")]
    Tenants {
        /// The template.
        issuer: Box<str>,
        /// What is wrong.
        problem: &'static str,
    },
    /// Where the server or the host is asked about tokens, the answers are remembered until the check goes on.
    #[error("the token cache must have {} bytes at least", limits::TOKEN_CACHE_ASKED)]
    TokenCache,
    /// A text that cannot be in a header: the realm.
    #[error("the {0} cannot be sent in a header")]
    Unsendable(&'static str),
}

pub(super) fn resource_url(text: &str, urls: &UrlPolicy) -> Result<Url, GuardConfigError> {
    url(text, urls).map_err(GuardConfigError::Resource)
}

pub(super) fn issuer_url(text: &str, urls: &UrlPolicy) -> Result<Url, GuardConfigError> {
    let url =
        url(text, urls).and_then(|url| if url.query().is_some() { Err(UrlProblem::Query) } else { Ok(url) });
    url.map_err(|problem| GuardConfigError::Issuer { issuer: text.into(), problem })
}

fn url(text: &str, urls: &UrlPolicy) -> Result<Url, UrlProblem> {
    let url = Url::parse(text).map_err(|_| UrlProblem::Syntax)?;
    urls.check_shape(&url)?;
    Ok(url)
}
