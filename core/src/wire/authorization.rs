//! The authorization request, as a URL for the browser (RFC 6749 4.1.1, RFC 7636, RFC 8707).
//!
//! ```
//! use grantor::ScopeSet;
//! use grantor::wire::authorization::{AuthorizationRequest, Extras};
//! use grantor::wire::pkce::Verifier;
//!
//! let verifier = Verifier::from_entropy(&[7; 32]); // from the system, in earnest
//! let request = AuthorizationRequest {
//!     endpoint: &"https://as.example.com/authorize?tenant=1".parse()?,
//!     client_id: "c1",
//!     redirect_uri: "http://127.0.0.1:7000/callback",
//!     state: "unguessable",
//!     code_challenge: &verifier.challenge(),
//!     scope: &ScopeSet::parse("files:read")?,
//!     resource: Some("https://mcp.example.com/mcp"),
//!     extras: Extras::default(),
//! };
//! assert!(request.url().as_str().starts_with("https://as.example.com/authorize?tenant=1&response_type=code"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

use crate::address::has_plain_host;
use crate::limits;
use crate::scope::ScopeSet;
use crate::wire::parameters::Parameters;

/// What an authorization request says.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationRequest<'a> {
    /// The server's endpoint; a query that it has is kept.
    pub endpoint: &'a Url,
    /// The client.
    pub client_id: &'a str,
    /// Where the browser comes back to, exactly as registered.
    pub redirect_uri: &'a str,
    /// `state`: ties the callback to this request.
    pub state: &'a str,
    /// `code_challenge` for S256.
    pub code_challenge: &'a str,
    /// The scopes; the parameter is left out when there are none.
    pub scope: &'a ScopeSet,
    /// `resource`; left out when `None`.
    pub resource: Option<&'a str>,
    /// What only some authorizations need.
    pub extras: Extras<'a>,
}

/// Parameters that only some authorizations need; each left out when `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extras<'a> {
    /// `nonce`: ties an ID token to this request (`OpenID` Connect Core 3.1.2.1).
    pub nonce: Option<&'a str>,
    /// `acr_values`: how the user is to prove themselves, in order of preference (RFC 9470 4).
    pub acr_values: Option<&'a str>,
    /// `max_age`: how long ago the user may have proved themselves, in seconds (RFC 9470 4).
    pub max_age_s: Option<u64>,
    /// `authorization_details`: a rich authorization request, as JSON (RFC 9396 2).
    pub authorization_details: Option<&'a str>,
    /// The caller's own, sent after all others.
    pub parameters: Option<&'a Parameters>,
}

impl AuthorizationRequest<'_> {
    /// The URL for the browser.
    pub fn url(&self) -> AuthorizationUrl {
        let parameters = self.parameters();
        AuthorizationUrl::with(self.endpoint, parameters.iter().map(|(name, value)| (*name, &**value)))
    }

    /// The parameters in the order in which they are sent.
    pub(crate) fn parameters(&self) -> Vec<(&str, Cow<'_, str>)> {
        let mut all: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(16);
        all.extend([
            ("response_type", Cow::from("code")),
            ("client_id", self.client_id.into()),
            ("redirect_uri", self.redirect_uri.into()),
            ("state", self.state.into()),
            ("code_challenge", self.code_challenge.into()),
            ("code_challenge_method", "S256".into()),
        ]);
        let scope = (!self.scope.is_empty()).then(|| Cow::from(self.scope.to_string()));
        let some = [
            ("scope", scope),
            ("resource", self.resource.map(Cow::from)),
            ("nonce", self.extras.nonce.map(Cow::from)),
            ("acr_values", self.extras.acr_values.map(Cow::from)),
            ("max_age", self.extras.max_age_s.map(|age| age.to_string().into())),
            ("authorization_details", self.extras.authorization_details.map(Cow::from)),
        ];
        all.extend(some.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let own = self.extras.parameters.into_iter().flat_map(Parameters::iter);
        all.extend(own.map(|(name, value)| (name, value.into())));
        all
    }
}

/// A URL for the browser. Its query holds `state`, so it is printed without.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationUrl(Url);

impl AuthorizationUrl {
    /// An endpoint with these parameters. RFC 6749 3.1: a query that it has is retained.
    pub(crate) fn with<'a>(endpoint: &Url, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut url = endpoint.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        Self(quotable(url))
    }

    /// `None` for what no browser should be sent to: anything but http and https.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= limits::AUTHORIZATION_URL)?;
        is_for_browsers(&url).then(|| Self(quotable(url)))
    }

    /// Whether it is one that [`read`](Self::read) would read.
    pub(crate) fn fits(&self) -> bool {
        is_for_browsers(&self.0)
    }

    /// The whole URL: http or https, in ASCII without blanks. No quote of either kind is in it, no `$`, backtick,
    /// backslash or `!`, so that between quotes, which its `&` demands, neither a POSIX shell nor an HTML page
    /// reads anything else. Programs are better given it as an argument, without a shell.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The endpoint, without the query: safe to show.
    pub fn endpoint(&self) -> String {
        let mut url = self.0.clone();
        url.set_query(None);
        url.into()
    }
}

fn is_for_browsers(url: &Url) -> bool {
    url.as_str().len() <= limits::AUTHORIZATION_URL
        && matches!(url.scheme(), "https" | "http")
        && has_plain_host(url)
}

/// What would end a quotation, or mean something within one. A server reads the same with it encoded (RFC 3986 2.2).
const UNQUOTABLE: &AsciiSet =
    &CONTROLS.add(b'!').add(b'"').add(b'$').add(b'\'').add(b'\\').add(b'`').add(b'<').add(b'>');

/// The same URL with what a server's endpoint may hold and no quotation can.
fn quotable(mut url: Url) -> Url {
    // Of all bytes, so that they are compared several at once.
    let is_one = |byte| matches!(byte, b'!' | b'"' | b'$' | b'\'' | b'\\' | b'`' | b'<' | b'>');
    let is_odd = |text: &str| text.bytes().fold(false, |odd, byte| odd | is_one(byte));
    if is_odd(url.path()) {
        let path = utf8_percent_encode(url.path(), UNQUOTABLE).to_string();
        url.set_path(&path);
    }
    if let Some(query) = url.query().filter(|query| is_odd(query)) {
        let query = utf8_percent_encode(query, UNQUOTABLE).to_string();
        url.set_query(Some(&query));
    }
    url
}

impl fmt::Debug for AuthorizationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorizationUrl({}?…)", self.endpoint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::url;

    fn pairs(endpoint: &str, scope: &str, resource: Option<&str>) -> Vec<(String, String)> {
        let request = AuthorizationRequest {
            endpoint: &url(endpoint),
            client_id: "id & co",
            redirect_uri: "http://127.0.0.1:1/callback",
            state: "s",
            code_challenge: "c",
            scope: &ScopeSet::parse(scope).unwrap(),
            resource,
            extras: Extras::default(),
        };
        url(request.url().as_str()).query_pairs().into_owned().collect()
    }

    #[test]
    fn no_url_for_the_browser_ends_a_quotation() {
        let odd = r#"https://as.example.com/a'b"c`d$(id)!e\f/authorize?x='$HOME'&y=`id`&z=!1"#;
        let scope = ScopeSet::parse("$a!'b`").unwrap();
        let endpoint = url(odd);
        let request = AuthorizationRequest {
            endpoint: &endpoint,
            client_id: "$x'y",
            redirect_uri: "http://127.0.0.1:1/'",
            state: "s",
            code_challenge: "c",
            scope: &scope,
            resource: None,
            extras: Extras::default(),
        };
        let urls = [request.url(), AuthorizationUrl::read(odd).unwrap()];
        for shown in urls.iter().map(AuthorizationUrl::as_str) {
            assert!(
                shown.bytes().all(|byte| byte.is_ascii_graphic() && !b"'\"`$\\!<>".contains(&byte)),
                "{shown}"
            );
            // A server reads the same.
            let query: Vec<_> = url(shown).query_pairs().into_owned().take(3).collect();
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            assert_eq!(query, [pair("x", "'$HOME'"), pair("y", "`id`"), pair("z", "!1")]);
        }
        for host in ["a$b", "a'b", "a`b", "a;b"] {
            assert!(AuthorizationUrl::read(&format!("https://{host}/")).is_none(), "{host}");
        }
        let plain = "https://as.example.com/authorize?a=b%20c&d=e+f";
        assert_eq!(AuthorizationUrl::read(plain).unwrap().as_str(), plain);
    }

    #[test]
    fn rfc6749_4_1_1_and_rfc7636_4_3_parameters() {
        let expected = [
            ("response_type", "code"),
            ("client_id", "id & co"),
            ("redirect_uri", "http://127.0.0.1:1/callback"),
            ("state", "s"),
            ("code_challenge", "c"),
            ("code_challenge_method", "S256"),
            ("scope", "a b"),
            ("resource", "https://mcp.example.com"),
        ];
        let pairs = pairs("https://as/authorize", "a b", Some("https://mcp.example.com"));
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn rfc6749_3_1_query_of_the_endpoint_is_kept() {
        let pairs = pairs("https://as/authorize?p=b2c_1&x=%20", "", None);
        assert_eq!(pairs[0], ("p".into(), "b2c_1".into()));
        assert_eq!(pairs[1], ("x".into(), " ".into()));
        assert_eq!(pairs[2].0, "response_type");
    }

    #[test]
    fn rfc9470_4_rfc9396_2_and_openid_parameters() {
        let extras = Extras {
            nonce: Some("n"),
            acr_values: Some("gold silver"),
            max_age_s: Some(0),
            authorization_details: Some(r#"[{"type":"x"}]"#),
            parameters: Some(&Parameters::new().with("access_type", "offline").unwrap()),
        };
        let request = AuthorizationRequest {
            endpoint: &url("https://as/authorize"),
            client_id: "id",
            redirect_uri: "http://127.0.0.1:1/callback",
            state: "s",
            code_challenge: "c",
            scope: &ScopeSet::new(),
            resource: None,
            extras,
        };
        let sent = request.url().as_str().to_owned();
        assert!(sent.ends_with(
            "&nonce=n&acr_values=gold+silver&max_age=0&authorization_details=%5B%7B%22type%22%3A%22x%22%7D%5D\
             &access_type=offline"
        ));
    }

    #[test]
    fn mcp_scope_selection_omitted_when_undefined() {
        assert!(
            pairs("https://as/authorize", "", None)
                .iter()
                .all(|(name, _)| name != "scope" && name != "resource")
        );
    }

    #[test]
    fn debug_hides_state() {
        let request = AuthorizationRequest {
            endpoint: &url("https://as/authorize"),
            client_id: "id",
            redirect_uri: "http://127.0.0.1:1/callback",
            state: "hidden",
            code_challenge: "c",
            scope: &ScopeSet::new(),
            resource: None,
            extras: Extras::default(),
        };
        assert_eq!(format!("{:?}", request.url()), "AuthorizationUrl(https://as/authorize?…)");
    }
}
