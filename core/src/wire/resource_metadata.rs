//! Protected resource metadata (RFC 9728).
//!
//! ```
//! use grantor::wire::HttpResponse;
//! use grantor::wire::resource_metadata::{self, Found};
//! use grantor::{Findings, Quirks, Revision};
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
//! let mut findings = Findings::new();
//! match resource_metadata::read(&candidates[0], &request.url, 0, &response, &Quirks::none(), &mut findings)? {
//!     Found::Document(document) => assert_eq!(*document.authorization_servers[0], *"https://as.example.com"),
//!     Found::Nothing(_) => {}    // ask the next candidate
//!     Found::Redirected(_) => {} // ask there
//!     _ => {}
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use url::Url;

use crate::address::{is_uri, is_within, is_written_plainly, same_resource};
use crate::error::{Error, Exchange, PeerMisbehaved, PeerText};
use crate::finding::{Findings, JsonType, Problem};
use crate::limits;
use crate::quirks::Quirks;
use crate::revision::Revision;
use crate::scope::ScopeSet;
use crate::wire::document::{Reader, members};
use crate::wire::http::{HttpRequest, HttpResponse};
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
    /// Another one that it may name: of the resource itself, where the document is the origin's.
    pub own: Option<Url>,
    /// Whether the resource itself named the URL, so that what stands there must be the document.
    pub challenged: bool,
}

impl Candidate {
    /// The URL that a challenge names.
    pub(crate) fn named(resource: &Url, url: &Url) -> Self {
        Self { url: url.clone(), resource: resource.clone(), own: None, challenged: true }
    }
}

/// Where to look for the metadata of `resource`: at the challenge's URL when there is one, then
/// path-inserted, then at the root (MCP "Protected Resource Metadata Discovery Requirements").
///
/// The challenge's URL must have passed the [`UrlPolicy`](crate::UrlPolicy). Wherever it leads, the document has
/// to name the URL that was requested (RFC 9728 3.3), or a tenant of a shared host could send clients for a token
/// that is good for the whole host.
pub fn candidates(resource: &Url, challenged: Option<&Url>) -> Vec<Candidate> {
    let mut origin = resource.clone();
    origin.set_path("/");
    origin.set_query(None);
    // RFC 9728 3.1 removes a slash that directly follows the host, no other.
    let path = if resource.path() == "/" { "" } else { resource.path() };
    let root = Candidate {
        url: well_known::inserted(&origin, SUFFIX, ""),
        resource: origin,
        own: Some(resource.clone()),
        challenged: false,
    };
    let inserted = Candidate {
        url: well_known::inserted(resource, SUFFIX, path),
        resource: resource.clone(),
        own: None,
        challenged: false,
    };
    let named = challenged.map(|url| Candidate::named(resource, url));
    let mut candidates: Vec<Candidate> = Vec::with_capacity(3);
    for candidate in named.into_iter().chain([inserted, root]) {
        if candidates.iter().all(|before| before.url != candidate.url) {
            candidates.push(candidate);
        }
    }
    candidates
}

/// Asks for a metadata document.
pub fn request(url: Url, revision: Revision) -> HttpRequest {
    well_known::request(EXCHANGE, url, revision)
}

/// Reads the answer to [`request`] for a candidate, after `redirects` redirects from it to `asked`.
///
/// What is no such document, whatever else it is, leads to [`Found::Nothing`] with the reason.
///
/// # Errors
/// When the document breaks a rule: it must not be used (RFC 9728 3.3).
pub fn read(
    candidate: &Candidate,
    asked: &Url,
    redirects: u8,
    response: &HttpResponse<'_>,
    quirks: &Quirks,
    findings: &mut Findings,
) -> Result<Found<ResourceMetadata>, Error> {
    match well_known::classify(asked, redirects, response, EXCHANGE) {
        Status::Redirected(url) => return Ok(Found::Redirected(url)),
        Status::Nothing(why) => return Ok(Found::Nothing(why)),
        Status::Read => {}
    }
    let mut reader = Reader::new(EXCHANGE, findings);
    reader.note_status(response.status, &[200], "RFC 9728 section 3.2");
    let document: Document<'_> = match reader.document(response, limits::DOCUMENT_BODY) {
        Ok(document) => document,
        Err(why) => return Ok(Found::Nothing(why.into())),
    };
    if !document.resource.is_there() && !document.authorization_servers.is_there() {
        // Some other JSON (rust-sdk#1204).
        let field = document.resource.name();
        return Ok(Found::Nothing(PeerMisbehaved::MissingField { exchange: EXCHANGE, field }.into()));
    }
    Ok(Found::Document(Box::new(document.validate(candidate, quirks, &mut reader)?)))
}

members! {
    pub(crate) struct Document {
        "RFC 9728 section 2": resource, authorization_servers, scopes_supported, resource_name;
    }
}

impl Document<'_> {
    fn validate(
        &self,
        candidate: &Candidate,
        quirks: &Quirks,
        reader: &mut Reader<'_>,
    ) -> Result<ResourceMetadata, PeerMisbehaved> {
        let resource = reader.required(self.resource.text(limits::URL))?;
        let expected = &candidate.resource;
        let covers = || Url::parse(&resource).is_ok_and(|url| is_within(expected, &url));
        let but_for_slash =
            || same_resource(resource.trim_end_matches('/'), expected.as_str().trim_end_matches('/'));
        let names = |url: &Url| *resource == *url.as_str() || is_written_plainly(&resource, url);
        let own = candidate.own.as_ref().filter(|own| names(own));
        let fits = names(expected)
            || own.is_some()
            || is_uri(&resource)
                && (quirks.resource_trailing_slash && but_for_slash() || quirks.resource_covers && covers());
        if !fits {
            let (expected, got) = (PeerText::new(expected.as_str()), PeerText::new(&resource));
            return Err(PeerMisbehaved::ResourceMismatch { expected, got });
        }
        // Most have one.
        let mut authorization_servers: Vec<Box<str>> = Vec::with_capacity(1);
        let servers = self.authorization_servers.list_or_one(|issuer| {
            if !authorization_servers.iter().any(|known| **known == *issuer) {
                authorization_servers.push(issuer.into());
            }
        });
        match servers.value() {
            Ok(()) | Err(Problem::Contradictory | Problem::Malformed | Problem::Type { .. }) => {
                reader.required(servers)?;
            }
            Err(_) => return Err(PeerMisbehaved::NoAuthorizationServers),
        }
        let name = self.resource_name.text(limits::STRING).map(|name| PeerText::new(&name));
        Ok(ResourceMetadata {
            resource: if *resource == *expected.as_str() { resource.into() } else { as_sent(&resource) },
            authorization_servers,
            scopes_supported: reader.optional(self.scopes_supported.scopes(JsonType::Array, false)),
            resource_name: reader.optional(name),
        })
    }
}

/// The identifier to send for one that a document names: as it writes it, if that differs from the URL's
/// serialization at most by the slash that a parser adds to an empty path; else the serialization.
fn as_sent(named: &str) -> Box<str> {
    let Ok(url) = Url::parse(named) else { return named.into() };
    let canonical = url.as_str();
    let bare = canonical.strip_suffix('/').filter(|_| url.path() == "/" && url.query().is_none());
    if named == canonical { named } else { bare.unwrap_or(canonical) }.into()
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
        read(&candidate, &candidate.url, 0, &answer.response(), &Quirks::none(), &mut Findings::new())
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
    fn rfc9728_5_1_the_challenge_comes_first() {
        let own = "https://h/.well-known/oauth-protected-resource/mcp";
        let root = "https://h/.well-known/oauth-protected-resource";
        assert_eq!(
            urls("https://h/mcp", Some("https://h/custom.json")),
            ["https://h/custom.json", own, root]
        );
        assert_eq!(urls("https://h/mcp", Some(own)), [own, root], "no URL is asked twice");
        assert_eq!(urls("https://h/mcp", Some(root)), [root, own]);
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
    fn rfc9728_3_3_through_a_challenge_the_url_that_was_requested_is_named() {
        let root = Some("https://h/.well-known/oauth-protected-resource");
        let naming = |resource: &str| {
            Answer::json(&format!(r#"{{"resource":"{resource}","authorization_servers":["https://as"]}}"#))
        };
        for other in ["https://h", "https://h/", "https://h/other", "https://h/mcp/x"] {
            let found = read_from("https://h/tenant/mcp", root, &naming(other));
            assert!(matches!(found, Err(Error::PeerMisbehaved(PeerMisbehaved::ResourceMismatch { .. }))));
        }
        let found = read_from("https://h/tenant/mcp", root, &naming("https://h/tenant/mcp"));
        assert_eq!(&*document(found).resource, "https://h/tenant/mcp");
        // Without a challenge, the root's document names the root, or this resource.
        for named in ["https://h", "https://h/tenant/mcp"] {
            let candidate = candidates(&url("https://h/tenant/mcp"), None).remove(1);
            let answer = naming(named);
            let (answer, quirks) = (answer.response(), Quirks::none());
            let found = read(&candidate, &candidate.url, 0, &answer, &quirks, &mut Findings::new());
            assert_eq!(&*document(found).resource, named, "as the document writes it, no slash added");
        }
    }

    #[test]
    fn rfc9728_3_3_identifiers_that_read_in_two_ways_are_refused_and_the_canonical_one_is_sent() {
        for bad in [
            r"https://mcp.example.com\\@victim.example/mcp",
            r"https://mcp.example.com\\mcp",
            " https://mcp.example.com/mcp",
            "https://mcp.example.com/mcp ",
            r"https://mcp.example.com/m\tcp",
            r"https://mcp.exa\u00admple.com/mcp",
            r"https://mcp.example.com\u3002/mcp",
            "https://mcp.example.com@victim.example/mcp",
            "https:mcp.example.com/mcp",
        ] {
            let answer =
                Answer::json(&format!(r#"{{"resource":"{bad}","authorization_servers":["https://as"]}}"#));
            let found = read_from("https://mcp.example.com/mcp", None, &answer);
            assert!(found.is_err(), "{bad}: {found:?}");
        }
        for (named, sent) in [
            ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp"),
            ("HTTPS://MCP.example.com:443/mcp", "https://mcp.example.com/mcp"),
        ] {
            let answer =
                Answer::json(&format!(r#"{{"resource":"{named}","authorization_servers":["https://as"]}}"#));
            assert_eq!(&*document(read_from("https://mcp.example.com/mcp", None, &answer)).resource, sent);
        }
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
            let found =
                read(&candidate, &candidate.url, 0, &answer.response(), &quirks, &mut Findings::new());
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
    fn rust_sdk_1204_other_answers_are_no_metadata_and_say_why() {
        let status = |status| PeerMisbehaved::Status { exchange: EXCHANGE, status }.into();
        let kind = |got| PeerMisbehaved::ContentType { exchange: EXCHANGE, got: PeerText::new(got) }.into();
        let other = |got| PeerMisbehaved::NotAnObject { exchange: EXCHANGE, got }.into();
        let json = |column| PeerMisbehaved::Json { exchange: EXCHANGE, line: 1, column }.into();
        let missing = || PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "resource" }.into();
        let busy = Refused::Unavailable { exchange: EXCHANGE, status: 503, retry_after_s: Some(7) }.into();
        let answers: [(Answer, Error); 14] = [
            (Answer::new(404, "application/json", "{}"), status(404)),
            (Answer::new(401, "text/plain", ""), status(401)),
            (Answer::new(204, "", ""), status(204)),
            (Answer::new(206, "application/json", "{}"), status(206)),
            (Answer::new(304, "", ""), status(304)),
            (Answer::new(503, "text/plain", "").header("retry-after", "7"), busy),
            (Answer::new(200, "text/html; charset=utf-8", "<html>"), kind("text/html")),
            (Answer::new(200, "", ""), kind("")),
            (Answer::json(r#"{"hello":"world"}"#), missing()),
            (Answer::json("{}"), missing()),
            (Answer::json("[]"), other(JsonType::Array)),
            (Answer::json("null"), other(JsonType::Null)),
            (Answer::json("<html>"), json(1)),
            (Answer::json(r#"{"resource":"https://h/mcp"#), json(26)),
        ];
        for (answer, why) in answers {
            for challenged in [None, Some("https://h/custom.json")] {
                let found = read_from("https://h/mcp", challenged, &answer);
                assert_eq!(found, Ok(Found::Nothing(why.clone())));
            }
        }
    }

    #[test]
    fn redirects_stay_in_the_origin() {
        let to = |location: &str| Answer::new(302, "", "").header("location", location);
        let problem =
            |problem| Ok(Found::Nothing(PeerMisbehaved::Redirect { exchange: EXCHANGE, problem }.into()));
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
        let read = |redirects| {
            let (response, quirks) = (answer.response(), Quirks::none());
            read(&candidate, &candidate.url, redirects, &response, &quirks, &mut Findings::new())
        };
        assert!(matches!(read(limits::REDIRECTS - 1), Ok(Found::Redirected(_))));
        assert_eq!(read(limits::REDIRECTS), problem(RedirectProblem::TooMany));
    }

    fn with(members: &str) -> Answer {
        Answer::json(&format!(
            r#"{{"resource":"https://h/mcp","authorization_servers":["https://as"],{members}}}"#
        ))
    }

    #[test]
    fn lists_lose_what_is_bad_and_what_is_too_much() {
        let many = (0..=limits::LIST).map(|n| format!("\"https://as{n}\"")).collect::<Vec<_>>().join(",");
        let long = "x".repeat(limits::URL + 1);
        let answer = Answer::json(&format!(
            r#"{{"resource":"https://h/mcp","authorization_servers":[7,"","{long}",{many}]}}"#
        ));
        let servers = document(read_from("https://h/mcp", None, &answer)).authorization_servers;
        assert_eq!((servers.len(), &*servers[0]), (limits::LIST, "https://as0"));
        let answer = Answer::json(r#"{"resource":"https://h/mcp","authorization_servers":"https://as"}"#);
        let servers = document(read_from("https://h/mcp", None, &answer)).authorization_servers;
        assert_eq!(servers, ["https://as".into()]);
        for (scopes, read) in [
            (r#"["a b","c"]"#, Some("c")),
            (r#"["a","ü",7,null,["x"],"c"]"#, Some("a c")),
            (r#""a c""#, Some("a c")),
            (r#"["ü"]"#, None),
            ("7", None),
            ("[]", None),
        ] {
            let answer = with(&format!(r#""scopes_supported":{scopes}"#));
            let found = document(read_from("https://h/mcp", None, &answer)).scopes_supported;
            assert_eq!(found.map(|scopes| scopes.to_string()).as_deref(), read, "{scopes}");
        }
    }
}
