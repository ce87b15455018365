//! What the metadata documents share: well-known URLs, the request, redirects, the answer's status.

use ::http::header::{HeaderName, HeaderValue, LOCATION};
use url::Url;

use crate::error::{Error, Exchange, PeerMisbehaved, RedirectProblem, Refused};
use crate::limits;
use crate::revision::Revision;
use crate::wire::http::{HttpRequest, HttpResponse};

/// `.well-known/{suffix}` inserted between host and path (RFC 8615 3, RFC 8414 3.1, RFC 9728 3.1).
pub(crate) fn inserted(base: &Url, suffix: &str, path: &str) -> Url {
    let mut url = base.clone();
    url.set_fragment(None);
    url.set_path(&["/.well-known/", suffix, path].concat());
    url
}

/// Asks for a metadata document, saying which revision asks (MCP 2025-03-26 "Server Metadata Discovery
/// Headers").
pub(crate) fn request(exchange: Exchange, url: Url, revision: Revision) -> HttpRequest {
    HttpRequest::get_json(exchange, url)
        .with(HeaderName::from_static("mcp-protocol-version"), HeaderValue::from_static(revision.name()))
}

/// What became of one well-known URL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found<T> {
    /// The document, validated.
    Document(Box<T>),
    /// No such document here, and why; the next URL may have it.
    Nothing(Error),
    /// The document is at this URL of the same origin; ask there.
    Redirected(Url),
}

/// Sorts an answer by status: read it, try the next URL, or follow a redirect.
pub(crate) fn classify(
    asked: &Url,
    redirects: u8,
    response: &HttpResponse<'_>,
    exchange: Exchange,
) -> Status {
    if response.is_success() {
        return Status::Read;
    }
    if response.is_redirect() {
        return match redirect(asked, redirects, response) {
            Ok(target) => Status::Redirected(target),
            Err(problem) => Status::Nothing(PeerMisbehaved::Redirect { exchange, problem }.into()),
        };
    }
    let status = response.status;
    Status::Nothing(if response.is_unavailable() {
        Refused::Unavailable { exchange, status, retry_after_s: response.retry_after_s() }.into()
    } else {
        PeerMisbehaved::Status { exchange, status }.into()
    })
}

pub(crate) enum Status {
    Read,
    Nothing(Error),
    Redirected(Url),
}

/// A redirect is followed within its origin. Elsewhere it could make any host on the network look like
/// the one that was asked (vercel/ai#20578).
fn redirect(asked: &Url, redirects: u8, response: &HttpResponse<'_>) -> Result<Url, RedirectProblem> {
    let location = response.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.filter(|text| text.len() <= limits::URL).ok_or(RedirectProblem::Location)?;
    let target = asked.join(location).map_err(|_| RedirectProblem::Location)?;
    if target.origin() != asked.origin() || !target.username().is_empty() || target.password().is_some() {
        return Err(RedirectProblem::OtherOrigin);
    }
    if redirects >= limits::REDIRECTS {
        return Err(RedirectProblem::TooMany);
    }
    Ok(target)
}
