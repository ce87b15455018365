//! HTTP messages as values.

use std::fmt;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use http::{Method, StatusCode};
use url::{Url, form_urlencoded};

use crate::address::Reach;
use crate::error::Exchange;
use crate::limits;
use crate::secret::Secret;
use crate::wire::parameters::Parameters;

/// The product that every request names (RFC 9110 10.1.5).
const PRODUCT: &str = concat!("grantor/", env!("CARGO_PKG_VERSION"));

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
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        // Without this header, a server may choose any coding (RFC 9110 12.5.3).
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, HeaderValue::from_static(PRODUCT));
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

    /// The same with the caller's own parameters at the end of its form.
    #[must_use]
    pub fn with_parameters(mut self, parameters: &Parameters) -> Self {
        if !parameters.is_empty() {
            let form = self.body.expose();
            let room: usize = parameters.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
            // Room is taken once, so that growing leaves no copies of secrets behind.
            let mut body = String::with_capacity(form.len() + room);
            body.push_str(form);
            let mut serializer = form_urlencoded::Serializer::for_suffix(body, 0);
            serializer.extend_pairs(parameters.iter());
            self.body = Secret::from(serializer.finish());
        }
        self
    }
}

/// The value of `User-Agent`: the client by name and version, and Grantor (RFC 9110 10.1.5). Of the name, what
/// no product can have becomes `-`.
pub(crate) fn user_agent(name: Option<&str>, version: Option<&str>) -> HeaderValue {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let clean = |text: &str| {
        let parts = text.split(|c| !is_token(c)).filter(|part| !part.is_empty());
        let mut clean = parts.collect::<Vec<_>>().join("-");
        clean.truncate(limits::USER_AGENT / 4); // ASCII by now
        clean
    };
    let name = name.map(clean).filter(|name| !name.is_empty());
    let version = version.map(clean).filter(|version| !version.is_empty());
    let value = match (name, version) {
        (Some(name), Some(version)) => format!("{name}/{version} {PRODUCT}"),
        (Some(name), None) => format!("{name} {PRODUCT}"),
        (None, _) => PRODUCT.to_owned(),
    };
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(PRODUCT))
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
    /// Whether the status promises a whole answer in the body.
    pub(crate) fn is_success(&self) -> bool {
        matches!(self.status, 200..300) && !matches!(self.status, 204..=206)
    }

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
    fn rfc9110_10_1_5_user_agent() {
        let product = PRODUCT;
        for (name, version, expected) in [
            (Some("Example"), None, format!("Example {product}")),
            (Some("My  great client"), Some("1.2.0"), format!("My-great-client/1.2.0 {product}")),
            (Some("Bücher (β)\r\nEvil: 1"), Some("v 2/x"), format!("B-cher-Evil-1/v-2-x {product}")),
            (Some("日本語"), Some("1"), product.to_owned()),
            (Some("  "), None, product.to_owned()),
            (None, Some("1"), product.to_owned()),
        ] {
            assert_eq!(user_agent(name, version), *expected, "{name:?}");
        }
        let long = user_agent(Some(&"x".repeat(10_000)), Some(&"1".repeat(10_000)));
        assert!(long.len() <= limits::USER_AGENT && long.to_str().unwrap().ends_with(product));
        let request =
            HttpRequest::get_json(Exchange::ServerMetadata, "https://as.example.com".parse().unwrap());
        assert_eq!(request.headers[USER_AGENT], product);
    }

    #[test]
    fn own_parameters_come_last() {
        let parameters = Parameters::new().with("audience", "https://api.example.com/ä&b").unwrap();
        let token = Exchange::CodeToken;
        let post =
            |body| HttpRequest::post(token, "https://as/token".parse().unwrap(), "x/y", Secret::from(body));
        let with = |body| post(body).with_parameters(&parameters).body.expose().to_owned();
        let encoded = "audience=https%3A%2F%2Fapi.example.com%2F%C3%A4%26b";
        assert_eq!(with("grant_type=x"), format!("grant_type=x&{encoded}"));
        assert_eq!(with(""), encoded);
        assert_eq!(post("a=b").with_parameters(&Parameters::new()), post("a=b"));
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
