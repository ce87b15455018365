//! HTTP messages as values.

use std::fmt;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use http::{Method, StatusCode};
use url::Url;

use crate::address::Reach;
use crate::error::Exchange;
use crate::secret::Secret;

/// A request that the host is to send as it is: no redirects followed, nothing added but what the connection
/// needs. Credentials, cookies and default headers of the caller's HTTP client are not for the authorization
/// server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpRequest {
    /// What it is about.
    pub exchange: Exchange,
    /// `GET` or `POST`.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// All headers but those of the connection; the ones that hold credentials are marked sensitive.
    pub headers: HeaderMap,
    /// The body, empty for `GET`.
    pub body: Secret,
    /// Which addresses it may be sent to.
    pub reach: Reach,
}

impl HttpRequest {
    /// A `GET` for a JSON document.
    pub(crate) fn get_json(exchange: Exchange, url: Url) -> Self {
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        // Without this header, a server may choose any coding (RFC 9110 12.5.3).
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Self { exchange, method: Method::GET, url, headers, body: Secret::default(), reach: Reach::Anywhere }
    }

    /// A `POST` that wants JSON back.
    pub(crate) fn post(exchange: Exchange, url: Url, content_type: &'static str, body: Secret) -> Self {
        let mut request = Self::get_json(exchange, url);
        request.method = Method::POST;
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        request.body = body;
        request
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// A response as the host received it: not decoded by charset, but with any content coding removed.
#[derive(Clone, Copy)]
pub struct HttpResponse<'a> {
    /// The status code.
    pub status: u16,
    /// The header lines; several of a name stay several.
    pub headers: &'a HeaderMap,
    /// The body, at most as long as the effect allowed.
    pub body: &'a [u8],
}

impl HttpResponse<'_> {
    /// Whether the status is a redirection with a location to go to.
    pub(crate) fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }

    /// Whether the server is overloaded or broken for now.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS.as_u16() || (500..600).contains(&self.status)
    }

    /// `Retry-After` in seconds (RFC 9110 10.2.3). A date counts from the server's own `Date`, so that it
    /// does not matter whose clock is right.
    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        let text = |name| self.headers.get(name)?.to_str().ok().map(str::trim);
        let after = text(RETRY_AFTER)?;
        if let Ok(seconds) = after.parse() {
            return Some(seconds);
        }
        let date = |text: &str| httpdate::parse_http_date(text).ok();
        let left = date(after)?.duration_since(date(text(DATE)?)?).unwrap_or_default();
        u32::try_from(left.as_secs()).ok()
    }
}

impl fmt::Debug for HttpResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9110_12_5_3_no_coding_is_asked_for() {
        let url = || Url::parse("https://as.example.com/").unwrap();
        for request in [
            HttpRequest::get_json(Exchange::ServerMetadata, url()),
            HttpRequest::post(Exchange::CodeToken, url(), "text/plain", Secret::default()),
        ] {
            assert_eq!(request.headers[ACCEPT_ENCODING], "identity");
        }
    }

    #[test]
    fn rfc9110_10_2_3_retry_after() {
        let read = |after: &'static str, date: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(after));
            headers.extend(date.map(|date| (DATE, HeaderValue::from_static(date))));
            HttpResponse { status: 503, headers: &headers, body: b"" }.retry_after_s()
        };
        assert_eq!(read(" 120 ", None), Some(120));
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT", date), Some(30));
        assert_eq!(read("Sunday, 06-Nov-94 08:50:07 GMT", date), Some(30), "the obsolete formats, too");
        assert_eq!(read("Sun, 06 Nov 1994 08:49:00 GMT", date), Some(0), "it is over");
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT", None), None, "from when?");
        for bad in ["-1", "soon", "", "1.5", "99999999999"] {
            assert_eq!(read(bad, date), None, "{bad}");
        }
    }
}
