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
    url.set_path(&format!("/.well-known/{suffix}{path}"));
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
    /// No such document here; the next URL may have it.
    Nothing,
    /// The document is at this URL of the same origin; ask there.
    Redirected(Url),
}

/// Sorts an answer by status: read it, try the next URL, or follow a redirect.
///
/// A web page in place of a document is what servers answer that know the path no better than any other.
/// Servers that fail (5xx) do not say that there is nothing, so that counts as a failure.
pub(crate) fn classify(
    asked: &Url,
    redirects: u8,
    response: &HttpResponse<'_>,
    exchange: Exchange,
) -> Result<Status, Error> {
    if response.is_redirect() {
        let target = redirect(asked, redirects, response)
            .map_err(|problem| PeerMisbehaved::Redirect { exchange, problem })?;
        return Ok(Status::Redirected(target));
    }
    if response.is_unavailable() {
        let retry_after_s = response.retry_after_s();
        return Err(Refused::Unavailable { exchange, status: response.status, retry_after_s }.into());
    }
    match response.status {
        200 => Ok(Status::Read),
        400..500 => Ok(Status::Nothing),
        status => Err(PeerMisbehaved::Status { exchange, status }.into()),
    }
}

pub(crate) enum Status {
    Read,
    Nothing,
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
