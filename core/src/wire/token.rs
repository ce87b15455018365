//! Token requests and answers (RFC 6749 4.1.3, 5, 6; RFC 8707).
//!
//! ```
//! use grantor::wire::HttpResponse;
//! use grantor::wire::client_auth::Client;
//! use grantor::wire::pkce::Verifier;
//! use grantor::wire::token::{self, Grant, TokenRequest};
//! use grantor::{Quirks, Secret};
//!
//! let request = TokenRequest {
//!     endpoint: &"https://as.example.com/token".parse()?,
//!     client: &Client::public("c1"),
//!     grant: Grant::AuthorizationCode {
//!         code: &Secret::from("1234"),
//!         redirect_uri: "http://127.0.0.1:7000/callback",
//!         verifier: &Verifier::from_entropy(&[7; 32]),
//!     },
//!     resource: Some("https://mcp.example.com/mcp"),
//! };
//! let http = request.request(&Quirks::none());
//! assert!(http.body.expose().starts_with("grant_type=authorization_code&code=1234"));
//!
//! let headers = http::HeaderMap::from_iter([("content-type".parse()?, "application/json".parse()?)]);
//! let body = br#"{"access_token": "t1", "token_type": "Bearer", "expires_in": 3600}"#;
//! let issued = token::read(&request, &HttpResponse { status: 200, headers: &headers, body }, &Quirks::none())?;
//! assert_eq!(issued.access_token.expose(), "t1");
//! assert_eq!(issued.expires_in_s, Some(3600));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;

use url::Url;

use crate::error::Exchange;
use crate::quirks::Quirks;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::client_auth::{self, Client};
use crate::wire::form::{self, Form};
use crate::wire::http::HttpRequest;
use crate::wire::pkce::Verifier;

pub use self::answer::read;

/// What is exchanged for a token.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Grant<'a> {
    /// An authorization code (RFC 6749 4.1.3) with its verifier (RFC 7636 4.5).
    AuthorizationCode {
        /// The code of the callback.
        code: &'a Secret,
        /// The redirect URI of the authorization request, exactly.
        redirect_uri: &'a str,
        /// The verifier whose challenge was sent.
        verifier: &'a Verifier,
    },
    /// A refresh token (RFC 6749 6), for the scopes that were granted with it.
    RefreshToken {
        /// The refresh token.
        refresh_token: &'a Secret,
    },
}

impl Grant<'_> {
    /// The exchange that this grant is part of.
    pub const fn exchange(&self) -> Exchange {
        match self {
            Self::AuthorizationCode { .. } => Exchange::CodeToken,
            Self::RefreshToken { .. } => Exchange::RefreshToken,
        }
    }
}

/// A token request.
#[derive(Clone, Copy, Debug)]
pub struct TokenRequest<'a> {
    /// The server's token endpoint.
    pub endpoint: &'a Url,
    /// Who asks.
    pub client: &'a Client,
    /// For what.
    pub grant: Grant<'a>,
    /// `resource`; left out when `None`.
    pub resource: Option<&'a str>,
}

impl TokenRequest<'_> {
    /// Builds the request.
    pub fn request(&self, quirks: &Quirks) -> HttpRequest {
        let form = match self.grant {
            Grant::AuthorizationCode { code, redirect_uri, verifier } => Form::new()
                .add("grant_type", "authorization_code")
                .add("code", code.expose())
                .add("redirect_uri", redirect_uri)
                .add("code_verifier", verifier.secret().expose()),
            Grant::RefreshToken { refresh_token } => {
                Form::new().add("grant_type", "refresh_token").add("refresh_token", refresh_token.expose())
            }
        };
        let body = self.client.add_to(form.add_some("resource", self.resource)).finish();
        let request = HttpRequest::post(self.endpoint.clone(), form::CONTENT_TYPE, body);
        match self.client.basic(quirks.basic_unencoded) {
            Some(value) => request.with(client_auth::HEADER, value),
            None => request,
        }
    }

    /// The secrets that the request holds; what a server echoes of them is not shown.
    pub(crate) fn secrets(&self) -> Vec<&Secret> {
        let own = self.client.secret.as_ref();
        let of_grant = match &self.grant {
            Grant::AuthorizationCode { code, verifier, .. } => vec![*code, verifier.secret()],
            Grant::RefreshToken { refresh_token } => vec![*refresh_token],
        };
        own.into_iter().chain(of_grant).collect()
    }
}

/// A token, as it was issued (RFC 6749 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issued {
    /// The access token; only characters that a header may carry.
    pub access_token: Secret,
    /// Its lifetime in seconds; `None` when the server does not say.
    pub expires_in_s: Option<u64>,
    /// The refresh token, if one was issued.
    pub refresh_token: Option<Secret>,
    /// The scopes granted; `None` when they are the ones that were asked for.
    pub scope: Option<ScopeSet>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client_auth::ClientAuthMethod;
    use crate::wire::testing::url;

    fn body(grant: Grant<'_>, client: &Client, resource: Option<&str>) -> String {
        let endpoint = url("https://as/token?x=y");
        let request = TokenRequest { endpoint: &endpoint, client, grant, resource }.request(&Quirks::none());
        assert_eq!(request.url, endpoint);
        assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(request.headers["accept"], "application/json");
        request.body.expose().to_owned()
    }

    #[test]
    fn rfc6749_4_1_3_code() {
        let verifier = Verifier::from_entropy(&[7; 32]);
        let grant = Grant::AuthorizationCode {
            code: &Secret::from("a+b"),
            redirect_uri: "http://127.0.0.1:1/callback",
            verifier: &verifier,
        };
        assert_eq!(
            body(grant, &Client::public("id"), Some("https://mcp.example.com/mcp")),
            "grant_type=authorization_code&code=a%2Bb&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback\
             &code_verifier=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\
             &resource=https%3A%2F%2Fmcp.example.com%2Fmcp&client_id=id"
        );
    }

    #[test]
    fn rfc6749_6_refresh() {
        let client = Client::confidential("id", Secret::from("s"), ClientAuthMethod::SecretPost);
        let grant = Grant::RefreshToken { refresh_token: &Secret::from("r") };
        assert_eq!(
            body(grant, &client, None),
            "grant_type=refresh_token&refresh_token=r&client_id=id&client_secret=s"
        );
    }

    #[test]
    fn rfc6749_2_3_1_basic_goes_into_the_header() {
        let client = Client::confidential("id", Secret::from("s"), ClientAuthMethod::SecretBasic);
        let endpoint = url("https://as/token");
        let grant = Grant::RefreshToken { refresh_token: &Secret::from("r") };
        let request = TokenRequest { endpoint: &endpoint, client: &client, grant, resource: None }
            .request(&Quirks::none());
        assert_eq!(request.headers["authorization"], "Basic aWQ6cw==");
        assert!(!request.body.expose().contains("client"));
        let shown = format!("{request:?}");
        assert!(!shown.contains("aWQ6cw") && !shown.contains("refresh_token="), "{shown}");
    }
}
