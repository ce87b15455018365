//! The authorization request, as a URL for the browser (RFC 6749 4.1.1, RFC 7636, RFC 8707).
//!
//! ```
//! use grantor::ScopeSet;
//! use grantor::wire::authorization::AuthorizationRequest;
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
//! };
//! assert!(request.url().as_str().starts_with("https://as.example.com/authorize?tenant=1&response_type=code"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use url::Url;

use crate::scope::ScopeSet;

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
}

impl AuthorizationRequest<'_> {
    /// The URL for the browser.
    pub fn url(&self) -> AuthorizationUrl {
        let mut url = self.endpoint.clone();
        {
            // RFC 6749 3.1: a query of the endpoint is retained.
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", self.client_id)
                .append_pair("redirect_uri", self.redirect_uri)
                .append_pair("state", self.state)
                .append_pair("code_challenge", self.code_challenge)
                .append_pair("code_challenge_method", "S256");
            if !self.scope.is_empty() {
                query.append_pair("scope", &self.scope.to_string());
            }
            if let Some(resource) = self.resource {
                query.append_pair("resource", resource);
            }
        }
        AuthorizationUrl(url)
    }
}

/// A URL for the browser. Its query holds `state`, so it is printed without.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationUrl(Url);

impl AuthorizationUrl {
    pub(crate) fn from_record(url: Url) -> Self {
        Self(url)
    }

    /// The whole URL: http or https, with everything escaped that a shell or a page could misread.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The endpoint, without the query: safe to show.
    pub fn endpoint(&self) -> String {
        let mut url = self.0.clone();
        url.set_query(None);
        url.into()
    }
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
        };
        url(request.url().as_str()).query_pairs().into_owned().collect()
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
        };
        assert_eq!(format!("{:?}", request.url()), "AuthorizationUrl(https://as/authorize?…)");
    }
}
