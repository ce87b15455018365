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

use std::fmt;

use serde::Deserialize;
use url::Url;

use crate::address::{UrlPolicy, UrlProblem};
use crate::error::{Error, Exchange, PeerIncompatible, PeerMisbehaved, PeerText};
use crate::limits;
use crate::quirks::Quirks;
use crate::revision::Revision;
use crate::wire::client_auth::ClientAuthMethod;
use crate::wire::http::{HttpRequest, HttpResponse};
use crate::wire::json::{self, Expect};
use crate::wire::well_known::{self, Status};

pub use crate::wire::well_known::Found;

const EXCHANGE: Exchange = Exchange::ServerMetadata;
const OAUTH: &str = "oauth-authorization-server";
const OPENID: &str = "openid-configuration";

/// An issuer identifier (RFC 8414 2), compared as text and never normalized.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Issuer(Box<str>);

impl Issuer {
    /// Reads an issuer that `resource` names.
    ///
    /// # Errors
    /// [`PeerMisbehaved::Url`] when the policy forbids it, or it has a query or fragment (RFC 8414 2).
    pub fn read(text: &str, policy: &UrlPolicy, resource: &Url) -> Result<Self, PeerMisbehaved> {
        let field = "issuer";
        let url = policy.read(text, field, resource)?;
        if url.query().is_some() {
            return Err(PeerMisbehaved::Url { field, problem: UrlProblem::Query });
        }
        Ok(Self(text.into()))
    }

    /// An issuer from a trusted place: the configuration or a record.
    pub(crate) fn trusted(text: &str) -> Self {
        Self(text.into())
    }

    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the two differ at most by a slash at the end.
    pub(crate) fn equals_but_for_slash(&self, other: &str) -> bool {
        self.0.trim_end_matches('/') == other.trim_end_matches('/')
    }
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
    /// Where the browser goes. It may have a query.
    pub authorization_endpoint: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_endpoint: Url,
    /// Where clients register themselves (RFC 7591).
    pub registration_endpoint: Option<Url>,
    /// Whether `offline_access` is among its `scopes_supported`.
    pub offers_offline_access: bool,
    /// The ways to authenticate at the token endpoint that Grantor knows, in the server's order;
    /// `client_secret_basic` when the document names none (RFC 8414 2).
    pub token_endpoint_auth_methods: Vec<ClientAuthMethod>,
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
    well_known::request(url, revision)
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
) -> Result<Found<ServerMetadata>, Error> {
    match well_known::classify(asked, redirects, response, EXCHANGE)? {
        Status::Redirected(url) => return Ok(Found::Redirected(url)),
        Status::Nothing => return Ok(Found::Nothing),
        Status::Read => {}
    }
    let any_content_type = rules.quirks.any_content_type;
    if !any_content_type && !json::is_json(response) {
        return Ok(Found::Nothing); // the page that this server shows for any path
    }
    let expect =
        Expect { exchange: EXCHANGE, max_body: limits::DOCUMENT_BODY, any_content_type, secrets: &[] };
    let document: Document = json::read(response, expect)?;
    if document.issuer.is_none()
        && document.authorization_endpoint.is_none()
        && document.token_endpoint.is_none()
    {
        return Ok(Found::Nothing); // some other JSON (rust-sdk#1204)
    }
    Ok(Found::Document(Box::new(document.validate(issuer, rules)?)))
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
        issuer,
        authorization_endpoint: at("/authorize"),
        token_endpoint: at("/token"),
        registration_endpoint: Some(at("/register")),
        offers_offline_access: false,
        token_endpoint_auth_methods: ClientAuthMethod::ALL.to_vec(),
        iss_parameter_supported: false,
        client_id_metadata_document_supported: false,
    }
}

/// The origin of the resource as an issuer: its authorization base URL in MCP 2025-03-26.
pub fn origin(resource: &Url) -> Issuer {
    Issuer(resource.origin().ascii_serialization().into())
}

#[derive(Deserialize)]
struct Document {
    issuer: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    scopes_supported: Option<Vec<String>>,
    response_types_supported: Option<Vec<String>>,
    grant_types_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
    client_id_metadata_document_supported: Option<bool>,
}

impl Document {
    fn validate(self, asked: &Issuer, rules: Rules<'_>) -> Result<ServerMetadata, Error> {
        let issuer = self.checked_issuer(asked, rules.quirks)?;
        self.check_bounds()?;
        self.check_abilities(&issuer, rules.quirks)?;
        let endpoint = |text: Option<&str>, field| match text {
            Some(text) => rules.urls.read(text, field, rules.resource),
            None => Err(PeerMisbehaved::MissingField { exchange: EXCHANGE, field }),
        };
        let registration = self.registration_endpoint.as_deref();
        Ok(ServerMetadata {
            authorization_endpoint: endpoint(
                self.authorization_endpoint.as_deref(),
                "authorization_endpoint",
            )?,
            token_endpoint: endpoint(self.token_endpoint.as_deref(), "token_endpoint")?,
            registration_endpoint: registration
                .map(|text| endpoint(Some(text), "registration_endpoint"))
                .transpose()?,
            offers_offline_access: lists(self.scopes_supported.as_deref(), "offline_access"),
            token_endpoint_auth_methods: match self.token_endpoint_auth_methods_supported {
                Some(names) => names.iter().filter_map(|name| ClientAuthMethod::from_name(name)).collect(),
                None => vec![ClientAuthMethod::SecretBasic],
            },
            iss_parameter_supported: self.authorization_response_iss_parameter_supported == Some(true),
            client_id_metadata_document_supported: self.client_id_metadata_document_supported == Some(true),
            issuer,
        })
    }

    /// RFC 8414 3.3: identical to the issuer whose well-known URL was asked.
    fn checked_issuer(&self, asked: &Issuer, quirks: &Quirks) -> Result<Issuer, PeerMisbehaved> {
        match self.issuer.as_deref() {
            Some(own) if own == asked.as_str() => Ok(asked.clone()),
            Some(own) if quirks.issuer_trailing_slash && asked.equals_but_for_slash(own) => {
                Ok(Issuer(own.into()))
            }
            Some(own) => {
                Err(PeerMisbehaved::IssuerMismatch { expected: asked.into(), got: PeerText::new(own) })
            }
            None if quirks.issuer_absent => Ok(asked.clone()),
            None => Err(PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "issuer" }),
        }
    }

    fn check_bounds(&self) -> Result<(), PeerMisbehaved> {
        for (list, field) in [
            (&self.scopes_supported, "scopes_supported"),
            (&self.response_types_supported, "response_types_supported"),
            (&self.grant_types_supported, "grant_types_supported"),
            (&self.token_endpoint_auth_methods_supported, "token_endpoint_auth_methods_supported"),
            (&self.code_challenge_methods_supported, "code_challenge_methods_supported"),
        ] {
            json::bounded_list(list.as_deref().unwrap_or_default(), EXCHANGE, field)?;
        }
        Ok(())
    }

    fn check_abilities(&self, issuer: &Issuer, quirks: &Quirks) -> Result<(), PeerIncompatible> {
        if !quirks.pkce_unadvertised && !lists(self.code_challenge_methods_supported.as_deref(), "S256") {
            return Err(PeerIncompatible::NoPkce { issuer: issuer.into() });
        }
        let lacks = |list: &Option<Vec<String>>, name| list.is_some() && !lists(list.as_deref(), name);
        if lacks(&self.response_types_supported, "code")
            || lacks(&self.grant_types_supported, "authorization_code")
        {
            return Err(PeerIncompatible::NoCodeGrant { issuer: issuer.into() });
        }
        Ok(())
    }
}

fn lists(list: Option<&[String]>, name: &str) -> bool {
    list.unwrap_or_default().iter().any(|entry| entry == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{Answer, url};

    const ISSUER: &str = "https://as.example.com/tenant1";

    fn read_as(issuer: &str, json: &str, quirks: &Quirks) -> Result<Found<ServerMetadata>, Error> {
        let (resource, issuer) = (url("https://mcp.example.com/mcp"), Issuer::trusted(issuer));
        let rules = Rules { urls: &UrlPolicy::default(), resource: &resource, quirks };
        let asked = candidates(&issuer).unwrap().remove(0);
        read(&issuer, &asked, 0, &Answer::json(json).response(), rules)
    }

    fn read_document(json: &str) -> Result<ServerMetadata, Error> {
        match read_as(ISSUER, json, &Quirks::none())? {
            Found::Document(document) => Ok(*document),
            other => panic!("{other:?}"),
        }
    }

    /// A good document with members replaced or removed (`null`).
    fn with(changes: &str) -> String {
        let mut document = serde_json::json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://as.example.com/authorize?tenant=1",
            "token_endpoint": "https://as.example.com/token",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["plain", "S256"],
        });
        let changes: serde_json::Value = serde_json::from_str(changes).unwrap();
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        document.to_string()
    }

    fn urls(issuer: &str) -> Vec<String> {
        candidates(&Issuer::trusted(issuer)).unwrap().iter().map(Url::to_string).collect()
    }

    #[test]
    fn mcp_discovery_order() {
        assert_eq!(
            urls("https://auth.example.com/tenant1"),
            [
                "https://auth.example.com/.well-known/oauth-authorization-server/tenant1",
                "https://auth.example.com/.well-known/openid-configuration/tenant1",
                "https://auth.example.com/tenant1/.well-known/openid-configuration",
            ]
        );
        for root in ["https://auth.example.com", "https://auth.example.com/"] {
            assert_eq!(
                urls(root),
                [
                    "https://auth.example.com/.well-known/oauth-authorization-server",
                    "https://auth.example.com/.well-known/openid-configuration",
                ]
            );
        }
        // RFC 8414 3.1: the slash at the end goes before inserting.
        assert_eq!(urls("https://h/a/")[0], "https://h/.well-known/oauth-authorization-server/a");
        assert_eq!(urls("https://h/a/")[2], "https://h/a/.well-known/openid-configuration");
    }

    #[test]
    fn reads_what_a_client_acts_on() {
        let metadata = read_document(&with(
            r#"{"registration_endpoint":"https://as.example.com/register",
                "scopes_supported":["a","offline_access"],
                "token_endpoint_auth_methods_supported":["tls_client_auth","client_secret_post","none"],
                "authorization_response_iss_parameter_supported":true,
                "client_id_metadata_document_supported":true,
                "unknown":{"nested":[1,2,3]}}"#,
        ))
        .unwrap();
        assert_eq!(metadata.authorization_endpoint.query(), Some("tenant=1"));
        assert!(metadata.registration_endpoint.is_some() && metadata.offers_offline_access);
        assert!(metadata.iss_parameter_supported && metadata.client_id_metadata_document_supported);
        let methods = [ClientAuthMethod::SecretPost, ClientAuthMethod::None];
        assert_eq!(metadata.token_endpoint_auth_methods, methods);
    }

    #[test]
    fn rfc8414_2_default_authentication() {
        let metadata = read_document(&with("{}")).unwrap();
        assert_eq!(metadata.token_endpoint_auth_methods, [ClientAuthMethod::SecretBasic]);
    }

    #[test]
    fn rfc8414_3_3_issuer_must_be_identical() {
        for other in [
            "https://as.example.com",
            "https://as.example.com/tenant1/",
            "https://AS.example.com/tenant1",
            "https://evil",
        ] {
            assert_eq!(
                read_document(&with(&format!(r#"{{"issuer":"{other}"}}"#))),
                Err(PeerMisbehaved::IssuerMismatch {
                    expected: PeerText::new(ISSUER),
                    got: PeerText::new(other)
                }
                .into())
            );
        }
        assert_eq!(
            read_document(&with(r#"{"issuer":null}"#)),
            Err(PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "issuer" }.into())
        );
    }

    #[test]
    fn python_sdk_1919_quirk_issuer_trailing_slash() {
        let slashed = with(r#"{"issuer":"https://as.example.com/tenant1/"}"#);
        let Ok(Found::Document(found)) = read_as(ISSUER, &slashed, &Quirks::google()) else { panic!() };
        assert_eq!(found.issuer.as_str(), "https://as.example.com/tenant1/", "as the document writes it");
        assert!(read_as("https://as.example.com/x", &slashed, &Quirks::google()).is_err());
    }

    #[test]
    fn rust_sdk_1047_quirk_issuer_absent() {
        let quirks = Quirks { issuer_absent: true, ..Quirks::none() };
        let Ok(Found::Document(found)) = read_as(ISSUER, &with(r#"{"issuer":null}"#), &quirks) else {
            panic!()
        };
        assert_eq!(found.issuer.as_str(), ISSUER);
        assert!(read_as(ISSUER, &with(r#"{"issuer":"https://evil"}"#), &quirks).is_err());
    }

    #[test]
    fn mcp_authorization_code_protection_s256() {
        let refused = Err(PeerIncompatible::NoPkce { issuer: PeerText::new(ISSUER) }.into());
        for methods in ["null", "[]", r#"["plain"]"#, r#"["s256"]"#] {
            assert_eq!(
                read_document(&with(&format!(r#"{{"code_challenge_methods_supported":{methods}}}"#))),
                refused,
                "{methods}"
            );
        }
        let silent = with(r#"{"code_challenge_methods_supported":null}"#);
        assert!(read_as(ISSUER, &silent, &Quirks::entra()).is_ok());
    }

    #[test]
    fn rfc8414_2_code_grant() {
        let refused = Err(PeerIncompatible::NoCodeGrant { issuer: PeerText::new(ISSUER) }.into());
        assert_eq!(read_document(&with(r#"{"response_types_supported":["token"]}"#)), refused);
        assert_eq!(read_document(&with(r#"{"grant_types_supported":["client_credentials"]}"#)), refused);
        assert!(read_document(&with(r#"{"response_types_supported":null}"#)).is_ok());
    }

    #[test]
    fn cve_2025_6514_endpoints_pass_the_url_policy() {
        for (bad, problem) in [
            ("javascript:alert(document.cookie)", UrlProblem::Scheme),
            ("file:///C:/Windows/System32/calc.exe", UrlProblem::Scheme),
            ("ms-appinstaller:x", UrlProblem::Scheme),
            ("http://as.example.com/authorize", UrlProblem::Insecure),
            ("https://192.168.0.1/", UrlProblem::PrivateHost),
            ("https://127.0.0.1/", UrlProblem::PrivateHost),
            ("http://169.254.169.254/latest/meta-data", UrlProblem::Insecure),
            ("https://user@as.example.com/", UrlProblem::UserInfo),
            ("https://as.example.com/#$(calc)", UrlProblem::Fragment),
            ("relative", UrlProblem::Syntax),
        ] {
            for field in ["authorization_endpoint", "token_endpoint", "registration_endpoint"] {
                assert_eq!(
                    read_document(&with(&format!(r#"{{"{field}":"{bad}"}}"#))),
                    Err(PeerMisbehaved::Url { field, problem }.into()),
                    "{bad}"
                );
            }
        }
        let field = "token_endpoint";
        assert_eq!(
            read_document(&with(r#"{"token_endpoint":null}"#)),
            Err(PeerMisbehaved::MissingField { exchange: EXCHANGE, field }.into())
        );
    }

    #[test]
    fn rfc8414_2_issuers_have_no_query() {
        let resource = url("https://mcp.example.com/mcp");
        let read = |text| Issuer::read(text, &UrlPolicy::default(), &resource);
        assert_eq!(
            read("https://as/?a"),
            Err(PeerMisbehaved::Url { field: "issuer", problem: UrlProblem::Query })
        );
        assert_eq!(
            read("https://as#a"),
            Err(PeerMisbehaved::Url { field: "issuer", problem: UrlProblem::Fragment })
        );
        assert_eq!(read("https://as/").unwrap().as_str(), "https://as/");
    }

    #[test]
    fn hostile_documents() {
        let deep = format!(r#"{{"issuer":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(
            read_document(&deep),
            Err(Error::PeerMisbehaved(PeerMisbehaved::Json { exchange: EXCHANGE, line: 1, column }))
                if column < 1000
        ));
        let skipped =
            format!(r#"{{"x":{}1{},{}"#, "[".repeat(100_000), "]".repeat(100_000), &with("{}")[1..]);
        assert!(read_document(&skipped).is_ok(), "what is not read is skipped without recursion");
        assert!(matches!(
            read_document(&with("{}")[..40]),
            Err(Error::PeerMisbehaved(PeerMisbehaved::Json { .. }))
        ));
        let twice = r#"{"issuer":"https://a","issuer":"https://b"}"#;
        assert!(matches!(read_document(twice), Err(Error::PeerMisbehaved(PeerMisbehaved::Json { .. }))));
        let large = format!("{}{}", with("{}"), " ".repeat(limits::DOCUMENT_BODY));
        assert_eq!(
            read_document(&large),
            Err(PeerMisbehaved::BodyTooLarge { exchange: EXCHANGE, limit: limits::DOCUMENT_BODY }.into())
        );
    }

    #[test]
    fn fallback_endpoints_are_at_the_origin() {
        let metadata = fallback(&url("https://api.example.com:8443/v1/mcp?x=y"));
        assert_eq!(metadata.issuer.as_str(), "https://api.example.com:8443");
        assert_eq!(metadata.authorization_endpoint.as_str(), "https://api.example.com:8443/authorize");
        assert_eq!(metadata.token_endpoint.as_str(), "https://api.example.com:8443/token");
        assert_eq!(metadata.registration_endpoint.unwrap().as_str(), "https://api.example.com:8443/register");
    }
}
