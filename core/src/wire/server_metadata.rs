//! Authorization server metadata (RFC 8414, `OpenID` Connect Discovery 1.0).
//!
//! ```
//! use grantor::UrlPolicy;
//! use grantor::wire::server_metadata::{self, Issuer};
//!
//! let resource = "https://mcp.example.com/mcp".parse()?;
//! let issuer = Issuer::read("https://as.example.com/tenant1", &UrlPolicy::default(), &resource)?;
//! let candidates = server_metadata::candidates(&issuer)?;
//! assert_eq!(
//!     candidates.iter().map(|url| url.as_str()).collect::<Vec<_>>(),
//!     [
//!         "https://as.example.com/.well-known/oauth-authorization-server/tenant1",
//!         "https://as.example.com/.well-known/openid-configuration/tenant1",
//!         "https://as.example.com/tenant1/.well-known/openid-configuration",
//!     ]
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod document;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::address::{UrlPolicy, UrlProblem, is_written_plainly};
use crate::error::{Error, Exchange, PeerMisbehaved, PeerText};
use crate::finding::Findings;
use crate::limits;
use crate::quirks::Quirks;
use crate::revision::Revision;
use crate::scope::ScopeSet;
use crate::wire::client_auth::ClientAuthMethod;
use crate::wire::document::Reader;
use crate::wire::http::{HttpRequest, HttpResponse};
use crate::wire::token::GrantType;
use crate::wire::well_known::{self, Status};

pub(crate) use self::document::Document;

pub use crate::wire::well_known::Found;

const EXCHANGE: Exchange = Exchange::ServerMetadata;
const OAUTH: &str = "oauth-authorization-server";
/// The profile of enterprise-managed authorization (draft-ietf-oauth-identity-assertion-authz-grant).
const ID_JAG: &str = "urn:ietf:params:oauth:grant-profile:id-jag";
const OPENID: &str = "openid-configuration";

/// An issuer identifier (RFC 8414 2), compared as text and never normalized. Clones share the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Issuer(Arc<str>);

impl Issuer {
    /// Reads an issuer that `resource` names.
    ///
    /// # Errors
    /// [`PeerMisbehaved::Url`] when the policy forbids it, it has a query or fragment (RFC 8414 2), or it is not
    /// written as URLs are, so that people and programs could read two servers in it.
    pub fn read(text: &str, policy: &UrlPolicy, resource: &Url) -> Result<Self, PeerMisbehaved> {
        let field = "issuer";
        let url = policy.read(text, field, resource)?;
        if url.query().is_some() {
            return Err(PeerMisbehaved::Url { field, problem: UrlProblem::Query });
        }
        // What is no URI is mended by each parser in its own way. No URI has braces either, which would stand
        // for any tenant here.
        if !is_written_plainly(text, &url) {
            return Err(PeerMisbehaved::Url { field, problem: UrlProblem::Syntax });
        }
        Ok(Self(text.into()))
    }

    /// An issuer from a trusted place: the configuration or a record.
    pub(crate) fn trusted(text: &str) -> Self {
        Self(text.into())
    }

    /// The same as a URL serializes to, for people to judge.
    pub(crate) fn shown(&self) -> Self {
        let Ok(url) = Url::parse(&self.0) else { return self.clone() };
        let shown = url.as_str();
        let bare = shown.strip_suffix('/').filter(|_| url.path() == "/" && !self.0.ends_with('/'));
        Self(bare.unwrap_or(shown).into())
    }

    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identifier, to keep.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// What stands for the user's tenant in the name of Entra's servers for several of them.
    const TENANT: &str = "{tenantid}";

    /// The issuer of one tenant's tokens: where the name has a place for the tenant, it stands there.
    pub(crate) fn of_tenant(&self, tenant: Option<&str>) -> Cow<'_, str> {
        match tenant {
            Some(tenant) if self.0.contains(Self::TENANT) && is_tenant(tenant) => {
                self.0.replace(Self::TENANT, tenant).into()
            }
            _ => Cow::Borrowed(&self.0),
        }
    }

    /// Whether this text names the issuer: it itself, or one of its tenants where it has a place for them.
    pub(crate) fn names(&self, text: &str) -> bool {
        *self.0 == *text
            || self.0.split_once(Self::TENANT).is_some_and(|(before, after)| {
                let tenant = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                tenant.is_some_and(is_tenant)
            })
    }
}

/// Whether two issuers differ at most by a slash at the end.
pub(crate) fn equal_but_for_slash(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

/// Whether a text is one segment of a path, such as a tenant's id.
fn is_tenant(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<&Issuer> for PeerText {
    fn from(issuer: &Issuer) -> Self {
        Self::new(&issuer.0)
    }
}

/// What an authorization server says about itself, as far as a client acts on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerMetadata {
    /// The issuer, as the document writes it; `iss` parameters are compared with this.
    pub issuer: Issuer,
    /// Where the browser goes. It may have a query. Always there for the authorization code grant.
    pub authorization_endpoint: Option<Url>,
    /// Where codes and refresh tokens are exchanged.
    pub token_endpoint: Url,
    /// Where clients register themselves (RFC 7591).
    pub registration_endpoint: Option<Url>,
    /// Where authorization requests are pushed (RFC 9126). Boxed, as what few servers have.
    pub pushed_authorization_request_endpoint: Option<Box<Url>>,
    /// Whether they have to be.
    pub require_pushed_authorization_requests: bool,
    /// Where devices ask for codes (RFC 8628).
    pub device_authorization_endpoint: Option<Box<Url>>,
    /// Where tokens are given back (RFC 7009).
    pub revocation_endpoint: Option<Box<Url>>,
    /// Where tokens are looked up (RFC 7662).
    pub introspection_endpoint: Option<Box<Url>>,
    /// Where the server's public keys are (RFC 8414 2).
    pub jwks_uri: Option<Box<Url>>,
    /// The scopes that it names; those of them that are none are left out.
    pub scopes_supported: ScopeSet,
    /// Whether `refresh_token` is among its `grant_types_supported`.
    pub renews_tokens: bool,
    /// Whether `offline_access` is among its `scopes_supported`.
    pub offers_offline_access: bool,
    /// The ways to authenticate at the token endpoint that Grantor knows, in the server's order;
    /// `client_secret_basic` when the document names none (RFC 8414 2).
    pub token_endpoint_auth_methods: Vec<ClientAuthMethod>,
    /// The algorithms for client assertions (`token_endpoint_auth_signing_alg_values_supported`); empty
    /// when the document names none.
    pub assertion_algorithms: Vec<Box<str>>,
    /// The algorithms for `DPoP` proofs (RFC 9449 5.1); empty when the server does not support it.
    pub dpop_algorithms: Vec<Box<str>>,
    /// The profiles of authorization grants that the server implements
    /// (`authorization_grant_profiles_supported`, draft-ietf-oauth-identity-assertion-authz-grant); empty when
    /// the document names none, which says nothing about any.
    pub grant_profiles: Vec<Box<str>>,
    /// Whether every callback carries `iss` (RFC 9207 3).
    pub iss_parameter_supported: bool,
    /// Whether Client ID Metadata Documents are understood.
    pub client_id_metadata_document_supported: bool,
}

/// The URLs at which the metadata of `issuer` may be, in the order in which they must be tried
/// (MCP "Authorization Server Metadata Discovery").
///
/// # Errors
/// [`PeerMisbehaved::Url`] when the issuer is no URL.
pub fn candidates(issuer: &Issuer) -> Result<Vec<Url>, PeerMisbehaved> {
    let syntax = PeerMisbehaved::Url { field: "issuer", problem: UrlProblem::Syntax };
    let base = Url::parse(issuer.as_str()).map_err(|_| syntax)?;
    let path = base.path().trim_end_matches('/');
    let mut urls = vec![well_known::inserted(&base, OAUTH, path), well_known::inserted(&base, OPENID, path)];
    if !path.is_empty() {
        let mut appended = base.clone();
        appended.set_path(&format!("{path}/.well-known/{OPENID}"));
        urls.push(appended);
    }
    Ok(urls)
}

/// Asks for a metadata document.
pub fn request(url: Url, revision: Revision) -> HttpRequest {
    well_known::request(EXCHANGE, url, revision)
}

/// Reads the answer to [`request`] from a URL of [`candidates`], after `redirects` redirects to `asked`.
///
/// # Errors
/// When the server failed, or the document breaks a rule: it must not be used (RFC 8414 3.3). Also when
/// it shows that this client cannot work with the server.
pub fn read(
    issuer: &Issuer,
    asked: &Url,
    redirects: u8,
    response: &HttpResponse<'_>,
    rules: Rules<'_>,
    findings: &mut Findings,
) -> Result<Found<ServerMetadata>, Error> {
    match well_known::classify(asked, redirects, response, EXCHANGE) {
        Status::Redirected(url) => return Ok(Found::Redirected(url)),
        Status::Nothing(why) => return Ok(Found::Nothing(why)),
        Status::Read => {}
    }
    let mut reader = Reader::new(EXCHANGE, findings);
    reader.note_status(response.status, &[200], "RFC 8414 section 3.2");
    let document: Document<'_> = match reader.document(response, limits::DOCUMENT_BODY) {
        Ok(document) => document,
        Err(why) => return Ok(Found::Nothing(why.into())),
    };
    if let Some(field) = document.lacks() {
        return Ok(Found::Nothing(PeerMisbehaved::MissingField { exchange: EXCHANGE, field }.into()));
    }
    Ok(Found::Document(Box::new(document.validate(issuer, rules, &mut reader)?)))
}

/// What a document is held against.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Which URLs are acceptable.
    pub urls: &'a UrlPolicy,
    /// In whose context.
    pub resource: &'a Url,
    /// What to let the server get away with.
    pub quirks: &'a Quirks,
    /// What the server must be able to do. For the authorization code grant that includes PKCE with S256.
    pub grant: GrantType,
}

/// The endpoints of a server without metadata, at the origin of the resource
/// (MCP 2025-03-26 "Fallbacks for Servers without Metadata Discovery").
pub fn fallback(resource: &Url) -> ServerMetadata {
    let issuer = origin(resource);
    let at = |path: &str| {
        let mut url = resource.clone();
        url.set_path(path);
        url.set_query(None);
        url
    };
    ServerMetadata {
        registration_endpoint: Some(at("/register")),
        ..ServerMetadata::stated(issuer, at("/authorize"), at("/token"))
    }
}

impl ServerMetadata {
    /// Whether the server says which profiles of grants it implements, and that of an identity assertion is not
    /// among them.
    pub(crate) fn excludes_identity_assertions(&self) -> bool {
        !self.grant_profiles.is_empty() && !self.grant_profiles.iter().any(|profile| **profile == *ID_JAG)
    }

    /// A server of which no document is read: these endpoints, nothing that it need not have, and every way to
    /// authenticate.
    pub(crate) fn stated(issuer: Issuer, authorization_endpoint: Url, token_endpoint: Url) -> Self {
        Self {
            issuer,
            authorization_endpoint: Some(authorization_endpoint),
            token_endpoint,
            registration_endpoint: None,
            pushed_authorization_request_endpoint: None,
            require_pushed_authorization_requests: false,
            device_authorization_endpoint: None,
            revocation_endpoint: None,
            introspection_endpoint: None,
            jwks_uri: None,
            scopes_supported: ScopeSet::new(),
            renews_tokens: false,
            offers_offline_access: false,
            token_endpoint_auth_methods: ClientAuthMethod::WITHOUT_KEY.to_vec(),
            assertion_algorithms: Vec::new(),
            dpop_algorithms: Vec::new(),
            grant_profiles: Vec::new(),
            iss_parameter_supported: false,
            client_id_metadata_document_supported: false,
        }
    }
}

/// The origin of the resource as an issuer: its authorization base URL in MCP 2025-03-26.
pub fn origin(resource: &Url) -> Issuer {
    Issuer(resource.origin().ascii_serialization().into())
}

#[cfg(test)]
mod tests;
