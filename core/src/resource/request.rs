//! The head of a request, and the token in it.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Uri};

use super::refusal::Refusal;

/// The head of a request to the protected server.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its target; only path and query count.
    pub target: &'a Uri,
    /// All header lines.
    pub headers: &'a HeaderMap,
}

impl<'a> RequestHead<'a> {
    /// A head.
    pub const fn new(method: &'a Method, target: &'a Uri, headers: &'a HeaderMap) -> Self {
        Self { method, target, headers }
    }
}

/// How a token was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Bearer,
    Dpop,
}

/// A token as it was sent.
#[derive(Clone, Copy)]
pub(super) struct Presented<'a> {
    pub(super) scheme: Scheme,
    /// As it stands in the header; [`text`](Self::text) checks it.
    pub(super) token: &'a [u8],
}

impl<'a> Presented<'a> {
    /// The token as text, if it is made of the characters of one (RFC 6750 2.1). One that was seen before
    /// need not be looked at again.
    pub(super) fn text(&self) -> Result<&'a str, Refusal> {
        let text = std::str::from_utf8(self.token).map_err(|_| Refusal::MalformedAuthorization)?;
        let body = text.trim_end_matches('=');
        let is_token =
            |byte| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-'..=b'/' | b'_' | b'~' | b'+');
        // Every byte is looked at, so that the processor does many at once.
        let well_formed = body.bytes().fold(!body.is_empty(), |so_far, byte| so_far & is_token(byte));
        if well_formed { Ok(text) } else { Err(Refusal::MalformedAuthorization) }
    }
}

/// The token of a request, from the one place where it may be (OAuth 2.1 5.1.1). A form in the body is
/// not looked at.
pub(super) fn token<'a>(request: &RequestHead<'a>) -> Result<Option<Presented<'a>>, Refusal> {
    if request.target.query().is_some_and(has_token) {
        return Err(Refusal::TokenInQuery);
    }
    let mut all = request.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(Refusal::MalformedAuthorization);
    }
    let text = value.as_bytes().trim_ascii();
    let at = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let (scheme, token) = text.split_at_checked(at).unwrap_or((text, &[]));
    let scheme = if scheme.eq_ignore_ascii_case(b"Bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case(b"DPoP") {
        Scheme::Dpop
    } else {
        return Ok(None); // other credentials, which say nothing here
    };
    Ok(Some(Presented { scheme, token: token.trim_ascii_start() }))
}

fn has_token(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        percent_encoding::percent_decode_str(name).eq(b"access_token".iter().copied())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(uri: &str, values: &[&str]) -> Result<Option<(Scheme, String)>, Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let uri = uri.parse().unwrap();
        let found = token(&RequestHead::new(&Method::POST, &uri, &headers))?;
        found.map(|found| Ok((found.scheme, found.text()?.to_owned()))).transpose()
    }

    #[test]
    fn rfc6750_2_1_authorization_header() {
        let bearer = |token: &str| Ok(Some((Scheme::Bearer, token.to_owned())));
        assert_eq!(read("/mcp", &["Bearer a.b-c_d~e+f/g=="]), bearer("a.b-c_d~e+f/g=="));
        assert_eq!(read("/mcp", &["bEARER   x"]), bearer("x"));
        assert_eq!(read("/mcp", &["DPoP x"]), Ok(Some((Scheme::Dpop, "x".into()))));
        assert_eq!(read("/mcp", &[]), Ok(None));
        assert_eq!(read("/mcp", &["Basic YTpi"]), Ok(None));
        assert_eq!(read("/mcp", &["Bearerx y"]), Ok(None));
    }

    #[test]
    fn rfc6750_3_1_malformed_requests() {
        let refused = Err(Refusal::MalformedAuthorization);
        for value in
            ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer =", "Bearer a=b", "Bearer \u{e9}"]
        {
            assert_eq!(read("/mcp", &[value]), refused, "{value:?}");
        }
        assert_eq!(read("/mcp", &["Bearer a", "Bearer a"]), refused);
        assert_eq!(read("/mcp", &["Basic a", "Bearer a"]), refused);
    }

    #[test]
    fn oauth21_5_1_never_in_the_query() {
        for uri in ["/mcp?access_token=x", "/mcp?a=b&access%5Ftoken=x", "/mcp?access_token"] {
            assert_eq!(read(uri, &["Bearer a"]), Err(Refusal::TokenInQuery), "{uri}");
        }
        assert!(read("/mcp?xaccess_token=x&access_token2=y", &["Bearer a"]).is_ok());
    }
}
