//! The answers in place of the server's (RFC 6750 3, RFC 9470 3, RFC 9728 5.1, MCP "Error Handling").

mod pages;

use http::Method;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use self::pages::Pages;
use super::check::Operations;
use super::config::{GuardConfig, GuardConfigError};
use super::grant::Grant;
use super::message::MessageError;
use super::metadata;
use super::mismatch::Mismatch;
use super::output::Answer;
use super::refusal::{Refusal, TokenProblem};
use super::request::{RequestHead, Scheme};
use crate::jose::dpop::{self, DpopError};
use crate::scope::ScopeSet;
use crate::wire::challenge::Challenge;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What is the same for all answers.
#[derive(Debug)]
pub(super) struct Answers {
    /// The paths at which the metadata is served: the well-known one, and perhaps another.
    metadata_paths: Vec<Box<str>>,
    metadata_url: Box<str>,
    document: Vec<u8>,
    realm: Option<Box<str>>,
    pages: Pages,
    dpop_required: bool,
    dpop_algorithms: String,
}

/// What one refusal has to say.
#[derive(Default)]
pub(super) struct Details<'a> {
    pub(super) scheme: Option<Scheme>,
    /// What the operation needs.
    pub(super) scopes: ScopeSet,
    /// The `id` of the message, as JSON.
    pub(super) id: Option<&'a str>,
    pub(super) max_age_s: Option<u64>,
    pub(super) acr_values: Vec<&'a str>,
    pub(super) retry_after_s: Option<u32>,
    pub(super) nonce: Option<&'a str>,
    /// For the log: whose token it is, if it is good, what it was to do, and what that needs.
    pub(super) grant: Option<&'a Grant>,
    pub(super) operations: Option<&'a Operations<'a>>,
    pub(super) needed: ScopeSet,
    pub(super) mismatch: Option<Mismatch>,
}

impl Answers {
    pub(super) fn new(config: &GuardConfig, resource: &url::Url) -> Result<Self, GuardConfigError> {
        let well_known = metadata::url(resource);
        let other = metadata::other_url(config, resource)?;
        let metadata_paths =
            [Some(&well_known), other.as_ref()].into_iter().flatten().map(|url| url.path().into()).collect();
        if let Some(realm) = &config.realm
            && Challenge::new("Bearer").and_then(|challenge| challenge.param("realm", realm)).is_err()
        {
            return Err(GuardConfigError::Unsendable("realm"));
        }
        Ok(Self {
            metadata_paths,
            metadata_url: other.as_ref().unwrap_or(&well_known).as_str().into(),
            document: metadata::document(config)?,
            realm: config.realm.clone(),
            pages: Pages::new(config)?,
            dpop_required: config.dpop.required,
            dpop_algorithms: metadata::dpop_algorithms(config).join(" "),
        })
    }

    pub(super) fn is_metadata(&self, path: &str) -> bool {
        self.metadata_paths.iter().any(|own| **own == *path)
    }

    pub(super) fn metadata_url(&self) -> &str {
        &self.metadata_url
    }

    /// Of the URL that challenges name: the last.
    pub(super) fn metadata_path(&self) -> &str {
        self.metadata_paths.last().map_or("/", |path| path)
    }

    /// The metadata document (RFC 9728 3.2). It is public, for pages of any origin.
    pub(super) fn metadata(&self, method: &Method) -> Answer {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        match *method {
            Method::GET | Method::HEAD => {
                headers.insert(CONTENT_TYPE, JSON);
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
                let body = if *method == Method::GET { self.document.clone() } else { Vec::new() };
                Answer { status: 200, headers, body, refusal: None, report: None }
            }
            Method::OPTIONS => {
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
                headers
                    .insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("mcp-protocol-version"));
                Answer { status: 204, headers, body: Vec::new(), refusal: None, report: None }
            }
            _ => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
                Answer { status: 405, headers, body: Vec::new(), refusal: None, report: None }
            }
        }
    }

    /// The answer to a preflight, which never carries a token; `None` when this is none to answer.
    pub(super) fn preflight(&self, request: &RequestHead<'_>) -> Option<Answer> {
        self.pages.preflight(request)
    }

    /// Whether pages may read answers at all.
    pub(super) fn is_for_pages(&self) -> bool {
        !self.pages.is_off()
    }

    /// What lets a page of an accepted origin read an answer.
    pub(super) fn add_cors(&self, request: &RequestHead<'_>, headers: &mut HeaderMap) {
        self.pages.add(request, headers);
    }

    /// Turns a request away.
    pub(super) fn refuse(
        &self,
        request: &RequestHead<'_>,
        refusal: Refusal,
        details: &Details<'_>,
    ) -> Answer {
        let shape = Shape::of(refusal);
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = details.retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if shape.challenged {
            for challenge in self.challenges(refusal, &shape, details) {
                headers.append(WWW_AUTHENTICATE, challenge);
            }
        }
        if let Some(nonce) = details.nonce.and_then(|nonce| HeaderValue::from_str(nonce).ok()) {
            headers.insert(HeaderName::from_static(dpop::NONCE_HEADER), nonce);
        }
        self.add_cors(request, &mut headers);
        let body = body(&shape, details);
        Answer { status: shape.status, headers, body, refusal: Some(refusal), report: None }
    }

    fn challenges(&self, refusal: Refusal, shape: &Shape, details: &Details<'_>) -> Vec<HeaderValue> {
        let proof_wanted = matches!(
            refusal,
            Refusal::Proof(_)
                | Refusal::ProofReplayed
                | Refusal::Token(TokenProblem::DowngradedToBearer | TokenProblem::Unbound)
        );
        let dpop = self.dpop_required || proof_wanted || details.scheme == Some(Scheme::Dpop);
        let scheme = if dpop { "DPoP" } else { "Bearer" };
        let mut params: Vec<(&str, String)> = Vec::with_capacity(8);
        if let Some(realm) = &self.realm {
            params.push(("realm", realm.to_string()));
        }
        params.push(("resource_metadata", self.metadata_url.to_string()));
        if !details.scopes.is_empty() {
            params.push(("scope", details.scopes.to_string()));
        }
        if let Some(error) = shape.error {
            params.push(("error", error.to_owned()));
            params.push(("error_description", shape.text.to_owned()));
        }
        if refusal == Refusal::InsufficientAuthentication {
            if !details.acr_values.is_empty() {
                params.push(("acr_values", details.acr_values.join(" ")));
            }
            if let Some(seconds) = details.max_age_s {
                params.push(("max_age", seconds.to_string()));
            }
        }
        if dpop {
            params.push(("algs", self.dpop_algorithms.clone()));
        }
        let mut challenge = Challenge::new(scheme);
        for (name, value) in params {
            challenge = challenge.and_then(|challenge| challenge.param(name, &value));
        }
        let value = challenge.ok().and_then(|challenge| HeaderValue::from_str(&challenge.to_string()).ok());
        value.into_iter().collect()
    }
}

/// How a refusal is told.
struct Shape {
    status: u16,
    challenged: bool,
    /// `error` (RFC 6750 3.1, RFC 9449 7.1, RFC 9470 3).
    error: Option<&'static str>,
    /// Fixed words: nothing of the request, nothing of the token.
    text: &'static str,
    /// The code of JSON-RPC. Those that MCP does not define are outside of the reserved range.
    code: i32,
}

impl Shape {
    fn of(refusal: Refusal) -> Self {
        let bad_request = |text, code| Self { status: 400, challenged: false, error: None, text, code };
        let challenge = |status, error, text, code| Self { status, challenged: true, error, text, code };
        match refusal {
            Refusal::TokenInQuery => {
                let text = "Access tokens belong in the Authorization header, never in the URL";
                challenge(400, Some("invalid_request"), text, -31400)
            }
            Refusal::MalformedAuthorization => {
                let text = "The Authorization header is malformed or repeated";
                challenge(400, Some("invalid_request"), text, -31400)
            }
            Refusal::NoToken => challenge(401, None, "Authorization is needed", -31401),
            Refusal::Token(problem) => challenge(401, Some("invalid_token"), token_text(problem), -31401),
            Refusal::Proof(DpopError::Nonce) => {
                let text = "The proof must carry the nonce of this answer";
                challenge(401, Some("use_dpop_nonce"), text, -31401)
            }
            Refusal::Proof(_) => {
                let text = "The DPoP proof is missing or does not fit the request";
                challenge(401, Some("invalid_dpop_proof"), text, -31401)
            }
            Refusal::ProofReplayed => {
                challenge(401, Some("invalid_dpop_proof"), "The DPoP proof was used before", -31401)
            }
            Refusal::HeaderMismatch => {
                let text = "Header mismatch: Mcp-Method and Mcp-Name must be there once and equal the body";
                bad_request(text, -32020)
            }
            Refusal::Message(MessageError::Syntax) => bad_request("The body is no JSON", -32700),
            Refusal::Message(MessageError::AmbiguousUri) => {
                let text = "The resource URI can be read in two ways; write it as the server lists it";
                bad_request(text, -32602)
            }
            Refusal::Message(_) => {
                bad_request("The body is no JSON-RPC message that is accepted here", -32600)
            }
            Refusal::BodyTooLarge => Self { status: 413, ..bad_request("The body is too large", -31413) },
            Refusal::Forbidden => {
                Self { status: 403, ..bad_request("The operation is not allowed here", -31403) }
            }
            Refusal::InsufficientScope => {
                let text = "The operation needs scopes that the token lacks";
                challenge(403, Some("insufficient_scope"), text, -31403)
            }
            Refusal::InsufficientAuthentication => {
                let text = "The operation needs a fresher or stronger authentication of the user";
                challenge(401, Some("insufficient_user_authentication"), text, -31401)
            }
            Refusal::Unavailable => {
                Self { status: 503, ..bad_request("The token cannot be checked for now", -31503) }
            }
        }
    }
}

/// Helpful words that say nothing about keys or users.
fn token_text(problem: TokenProblem) -> &'static str {
    use crate::jose::ClaimsError;
    match problem {
        TokenProblem::CertificateBound => "Tokens bound to a certificate are not supported here",
        TokenProblem::Claims(ClaimsError::Expired) => "The token has expired",
        TokenProblem::Claims(ClaimsError::NotYetValid | ClaimsError::IssuedInFuture) => {
            "The token is not valid yet"
        }
        TokenProblem::Claims(ClaimsError::Audience | ClaimsError::Missing { claim: "aud" }) => {
            "The token was not issued for this resource"
        }
        TokenProblem::DowngradedToBearer => "The token is bound to a key and needs a DPoP proof",
        TokenProblem::NotBound => "The token is not bound to a key; send it as Bearer",
        TokenProblem::Unbound => "Only tokens bound to a key are accepted",
        TokenProblem::UnknownIssuer => "The token is from an issuer that is not accepted here",
        _ => "The token is not valid",
    }
}

/// A JSON-RPC error, with the `id` of the message if it is known (MCP "Sending Messages").
fn body(shape: &Shape, details: &Details<'_>) -> Vec<u8> {
    let mut error = Map::new();
    error.insert("code".to_owned(), json!(shape.code));
    error.insert("message".to_owned(), json!(shape.text));
    if let Some(name) = shape.error {
        let data = if details.scopes.is_empty() {
            json!({ "error": name })
        } else {
            json!({ "error": name, "scope": details.scopes.to_string() })
        };
        error.insert("data".to_owned(), data);
    }
    #[derive(serde::Serialize)]
    struct Message<'a> {
        jsonrpc: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RawValue>,
        error: Map<String, Value>,
    }
    let id = details.id.and_then(|id| serde_json::from_str(id).ok());
    serde_json::to_vec(&Message { jsonrpc: "2.0", id, error }).unwrap_or_default()
}
