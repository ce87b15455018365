//! Protected resource metadata (RFC 9728).
//!
//! ```
//! use grantor::wire::HttpResponse;
//! use grantor::wire::resource_metadata::{self, Found};
//! use grantor::{Quirks, Revision};
//!
//! let resource = "https://mcp.example.com/mcp".parse()?;
//! let candidates = resource_metadata::candidates(&resource, None);
//! let request = resource_metadata::request(candidates[0].url.clone(), Revision::default());
//! assert_eq!(request.url.as_str(), "https://mcp.example.com/.well-known/oauth-protected-resource/mcp");
//!
//! // The host sends it. This came back:
//! let headers = http::HeaderMap::from_iter([("content-type".parse()?, "application/json".parse()?)]);
//! let body = br#"{"resource": "https://mcp.example.com/mcp", "authorization_servers": ["https://as.example.com"]}"#;
//! let response = HttpResponse { status: 200, headers: &headers, body };
//! match resource_metadata::read(&candidates[0], &request.url, 0, &response, &Quirks::none())? {
//!     Found::Document(document) => assert_eq!(*document.authorization_servers[0], *"https://as.example.com"),
//!     Found::Nothing => {}       // ask the next candidate
//!     Found::Redirected(_) => {} // ask there
//!     _ => {}
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde::Deserialize;
use url::Url;

use crate::address::{is_within, same_resource};
use crate::error::{Error, Exchange, PeerMisbehaved, PeerText};
use crate::limits;
use crate::quirks::Quirks;
use crate::revision::Revision;
use crate::scope::ScopeSet;
use crate::wire::http::{HttpRequest, HttpResponse};
use crate::wire::json::{self, Expect};
use crate::wire::well_known::{self, Status};

pub use crate::wire::well_known::Found;

const EXCHANGE: Exchange = Exchange::ResourceMetadata;
const SUFFIX: &str = "oauth-protected-resource";

/// What a resource says about itself (RFC 9728 2), as far as a client acts on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceMetadata {
    /// The resource identifier exactly as the document writes it; this is what `resource` parameters
    /// carry.
    pub resource: Box<str>,
    /// The issuers of its authorization servers: at least one.
    pub authorization_servers: Vec<Box<str>>,
    /// The scopes for basic use; `None` when the document does not say.
    pub scopes_supported: Option<ScopeSet>,
    /// A name for people.
    pub resource_name: Option<PeerText>,
}

/// A URL at which the metadata may be, and the resource identifier that it must then name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Where to ask.
    pub url: Url,
    /// The identifier that the document must name (RFC 9728 3.3).
    pub resource: Url,
    /// Whether the resource itself named the URL, so that what stands there must be the document.
    pub challenged: bool,
}

/// Where to look for the metadata of `resource`: at the challenge's URL when there is one, else
/// path-inserted, else at the root (MCP "Protected Resource Metadata Discovery Requirements").
///
/// The challenge's URL must have passed the [`UrlPolicy`](crate::UrlPolicy). When it is the root's
/// well-known URL, the document is that of the root, as if it had been found there without a challenge.
pub fn candidates(resource: &Url, challenged: Option<&Url>) -> Vec<Candidate> {
    let mut origin = resource.clone();
    origin.set_path("/");
    origin.set_query(None);
    let root = Candidate {
        url: well_known::inserted(&origin, SUFFIX, ""),
        resource: origin,
        challenged: challenged.is_some(),
    };
    match challenged {
        Some(url) if *url == root.url => vec![root],
        Some(url) => vec![Candidate { url: url.clone(), resource: resource.clone(), challenged: true }],
        None => {
            // RFC 9728 3.1 removes a slash that directly follows the host, no other.
            let path = if resource.path() == "/" { "" } else { resource.path() };
            let own = Candidate {
                url: well_known::inserted(resource, SUFFIX, path),
                resource: resource.clone(),
                challenged: false,
            };
            if own.url == root.url { vec![root] } else { vec![own, root] }
        }
    }
}

/// Asks for a metadata document.
pub fn request(url: Url, revision: Revision) -> HttpRequest {
    well_known::request(EXCHANGE, url, revision)
}

/// Reads the answer to [`request`] for a candidate, after `redirects` redirects from it to `asked`.
///
/// # Errors
/// When the server failed, or the document breaks a rule: it must not be used (RFC 9728 3.3).
pub fn read(
    candidate: &Candidate,
    asked: &Url,
    redirects: u8,
    response: &HttpResponse<'_>,
    quirks: &Quirks,
) -> Result<Found<ResourceMetadata>, Error> {
    match well_known::classify(asked, redirects, response, EXCHANGE)? {
        Status::Redirected(url) => return Ok(Found::Redirected(url)),
        Status::Nothing => return Ok(Found::Nothing),
        Status::Read => {}
    }
    let expect = Expect {
        exchange: EXCHANGE,
        max_body: limits::DOCUMENT_BODY,
        any_content_type: quirks.any_content_type,
        secrets: &[],
    };
    if !candidate.challenged && !quirks.any_content_type && !json::is_json(response) {
        return Ok(Found::Nothing); // the page that this server shows for any path
    }
    let document: Document = json::read(response, expect)?;
    if !candidate.challenged && document.resource.is_none() && document.authorization_servers.is_none() {
        return Ok(Found::Nothing); // some other JSON (rust-sdk#1204)
    }
    Ok(Found::Document(Box::new(document.validate(candidate, quirks)?)))
}

#[derive(Deserialize)]
struct Document {
    resource: Option<String>,
    authorization_servers: Option<Vec<String>>,
    scopes_supported: Option<Vec<String>>,
    resource_name: Option<String>,
}

impl Document {
    fn validate(self, candidate: &Candidate, quirks: &Quirks) -> Result<ResourceMetadata, PeerMisbehaved> {
        let resource =
            self.resource.ok_or(PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "resource" })?;
        let expected = &candidate.resource;
        let covers = || Url::parse(&resource).is_ok_and(|url| is_within(expected, &url));
        let but_for_slash =
            || same_resource(resource.trim_end_matches('/'), expected.as_str().trim_end_matches('/'));
        let fits = same_resource(&resource, expected.as_str())
            || quirks.resource_trailing_slash && but_for_slash()
            || quirks.resource_covers && covers();
        if !fits {
            let (expected, got) = (PeerText::new(expected.as_str()), PeerText::new(&resource));
            return Err(PeerMisbehaved::ResourceMismatch { expected, got });
        }
        let servers = self.authorization_servers.unwrap_or_default();
        json::bounded_list(&servers, EXCHANGE, "authorization_servers")?;
        if servers.is_empty() {
            return Err(PeerMisbehaved::NoAuthorizationServers);
        }
        let scopes_supported = self
            .scopes_supported
            .map(ScopeSet::try_from)
            .transpose()
            .map_err(|_| PeerMisbehaved::Scope { exchange: EXCHANGE })?;
        Ok(ResourceMetadata {
            resource: resource.into(),
            authorization_servers: servers.into_iter().map(Into::into).collect(),
            scopes_supported,
            resource_name: self.resource_name.as_deref().map(PeerText::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{RedirectProblem, Refused};
    use crate::wire::testing::{Answer, url};

    fn read_from(
        resource: &str,
        challenged: Option<&str>,
        answer: &Answer,
    ) -> Result<Found<ResourceMetadata>, Error> {
        let challenged = challenged.map(url);
        let candidate = candidates(&url(resource), challenged.as_ref()).remove(0);
        read(&candidate, &candidate.url, 0, &answer.response(), &Quirks::none())
    }

    fn document(answer: Result<Found<ResourceMetadata>, Error>) -> ResourceMetadata {
        match answer {
            Ok(Found::Document(document)) => *document,
            other => panic!("{other:?}"),
        }
    }

    fn urls(resource: &str, challenged: Option<&str>) -> Vec<String> {
        let challenged = challenged.map(url);
        candidates(&url(resource), challenged.as_ref()).iter().map(|c| c.url.to_string()).collect()
    }

    #[test]
    fn rfc9728_3_1_well_known_urls() {
        let own = "https://h/.well-known/oauth-protected-resource/public/mcp";
        let root = "https://h/.well-known/oauth-protected-resource";
        assert_eq!(urls("https://h/public/mcp", None), [own, root]);
        assert_eq!(urls("https://h", None), [root]);
        assert_eq!(urls("https://h/", None), [root]);
        assert_eq!(urls("https://h/mcp/", None), [&format!("{root}/mcp/"), root]);
        assert_eq!(urls("https://h/mcp?a=b", None), [&format!("{root}/mcp?a=b"), root]);
        assert_eq!(
            urls("https://h:8443/mcp", None)[1],
            "https://h:8443/.well-known/oauth-protected-resource"
        );
    }

    #[test]
    fn rfc9728_5_1_the_challenge_wins() {
        assert_eq!(urls("https://h/mcp", Some("https://h/custom.json")), ["https://h/custom.json"]);
    }

    #[test]
    fn rfc9728_3_3_resource_must_be_identical() {
        let answer =
            Answer::json(r#"{"resource":"https://evil/mcp","authorization_servers":["https://as"]}"#);
        assert_eq!(
            read_from("https://h/mcp", None, &answer),
            Err(PeerMisbehaved::ResourceMismatch {
                expected: PeerText::new("https://h/mcp"),
                got: PeerText::new("https://evil/mcp")
            }
            .into())
        );
        let answer = Answer::json(r#"{"resource":"https://h/mcp","authorization_servers":["https://as"]}"#);
        assert_eq!(&*document(read_from("https://h/mcp", None, &answer)).resource, "https://h/mcp");
        let answer = Answer::json(r#"{"resource":"https://h","authorization_servers":["https://as"]}"#);
        assert!(read_from("https://h/mcp", None, &answer).is_err());
    }

    #[test]
    fn root_metadata_names_the_root() {
        let answer = Answer::json(r#"{"resource":"https://h","authorization_servers":["https://as"]}"#);
        let found =
            read_from("https://h/mcp", Some("https://h/.well-known/oauth-protected-resource"), &answer);
        assert_eq!(
            &*document(found).resource,
            "https://h",
            "written as the document writes it, no slash added"
        );
    }

    #[test]
    fn quirk_resource_covers() {
        let quirks = Quirks { resource_covers: true, ..Quirks::none() };
        for (resource, accepted) in [
            ("https://h", true),
            ("https://h/a", true),
            ("https://h/a/mcp/x", false),
            ("https://g", false),
            ("x", false),
        ] {
            let answer = Answer::json(&format!(
                r#"{{"resource":"{resource}","authorization_servers":["https://as"]}}"#
            ));
            let candidate = candidates(&url("https://h/a/mcp"), None).remove(0);
            let found = read(&candidate, &candidate.url, 0, &answer.response(), &quirks);
            assert_eq!(found.is_ok(), accepted, "{resource}");
        }
    }

    #[test]
    fn mcp_authorization_server_location_at_least_one() {
        for servers in ["", r#","authorization_servers":[]"#, r#","authorization_servers":null"#] {
            let answer = Answer::json(&format!(r#"{{"resource":"https://h/mcp"{servers}}}"#));
            assert_eq!(
                read_from("https://h/mcp", None, &answer),
                Err(PeerMisbehaved::NoAuthorizationServers.into())
            );
        }
    }

    #[test]
    fn rust_sdk_1204_other_answers_are_no_metadata() {
        for answer in [
            Answer::new(404, "application/json", "{}"),
            Answer::new(401, "text/plain", ""),
            Answer::new(200, "text/html", "<html>"),
            Answer::json(r#"{"hello":"world"}"#),
        ] {
            assert_eq!(read_from("https://h/mcp", None, &answer), Ok(Found::Nothing));
        }
    }

    #[test]
    fn what_the_challenge_names_must_be_the_document() {
        let at = Some("https://h/custom.json");
        let html = Answer::new(200, "text/html; charset=utf-8", "<html>");
        let got = PeerText::new("text/html");
        assert_eq!(
            read_from("https://h/mcp", at, &html),
            Err(PeerMisbehaved::ContentType { exchange: EXCHANGE, got }.into())
        );
        assert_eq!(
            read_from("https://h/mcp", at, &Answer::json("{}")),
            Err(PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "resource" }.into())
        );
    }

    #[test]
    fn servers_that_fail_are_not_servers_without() {
        let busy = Answer::new(503, "text/plain", "").header("retry-after", "7");
        assert_eq!(
            read_from("https://h/mcp", None, &busy),
            Err(Refused::Unavailable { exchange: EXCHANGE, status: 503, retry_after_s: Some(7) }.into())
        );
        assert_eq!(
            read_from("https://h/mcp", None, &Answer::new(204, "", "")),
            Err(PeerMisbehaved::Status { exchange: EXCHANGE, status: 204 }.into())
        );
    }

    #[test]
    fn redirects_stay_in_the_origin() {
        let to = |location: &str| Answer::new(302, "", "").header("location", location);
        let problem = |problem| Err(PeerMisbehaved::Redirect { exchange: EXCHANGE, problem }.into());
        assert_eq!(read_from("https://h/mcp", None, &to("/x")), Ok(Found::Redirected(url("https://h/x"))));
        for target in [
            "https://g/x",
            "http://h/x",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "//g/x",
            "https://u@h/",
        ] {
            assert_eq!(
                read_from("https://h/mcp", None, &to(target)),
                problem(RedirectProblem::OtherOrigin),
                "{target}"
            );
        }
        assert_eq!(
            read_from("https://h/mcp", None, &Answer::new(302, "", "")),
            problem(RedirectProblem::Location)
        );
        let candidate = candidates(&url("https://h/mcp"), None).remove(0);
        let answer = to("/x");
        let read =
            |redirects| read(&candidate, &candidate.url, redirects, &answer.response(), &Quirks::none());
        assert!(read(limits::REDIRECTS - 1).is_ok());
        assert_eq!(read(limits::REDIRECTS), problem(RedirectProblem::TooMany));
    }

    #[test]
    fn lists_are_bounded() {
        let many = (0..=limits::LIST).map(|n| format!("\"https://as{n}\"")).collect::<Vec<_>>().join(",");
        let answer =
            Answer::json(&format!(r#"{{"resource":"https://h/mcp","authorization_servers":[{many}]}}"#));
        let field = "authorization_servers";
        assert_eq!(
            read_from("https://h/mcp", None, &answer),
            Err(PeerMisbehaved::Unacceptable { exchange: EXCHANGE, field }.into())
        );
        let answer = Answer::json(
            r#"{"resource":"https://h/mcp","authorization_servers":["https://as"],"scopes_supported":["a b"]}"#,
        );
        assert_eq!(
            read_from("https://h/mcp", None, &answer),
            Err(PeerMisbehaved::Scope { exchange: EXCHANGE }.into())
        );
    }
}
