//! Token requests and answers (RFC 6749 4.1.3, 5, 6; RFC 8707).
//!
//! ```
//! use grantor::wire::HttpResponse;
//! use grantor::wire::client_auth::Client;
//! use grantor::wire::pkce::Verifier;
//! use grantor::wire::token::{self, Grant, TokenRequest};
//! use grantor::{Findings, Quirks, Secret};
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
//!     assertion: None,
//!     proof: None,
//! };
//! let http = request.request(&Quirks::none());
//! assert!(http.body.expose().starts_with("grant_type=authorization_code&code=1234"));
//!
//! let headers = http::HeaderMap::from_iter([("content-type".parse()?, "application/json".parse()?)]);
//! let body = br#"{"access_token": "t1", "token_type": "Bearer", "expires_in": 3600}"#;
//! let response = HttpResponse { status: 200, headers: &headers, body };
//! let issued = token::read(&request, &response, &Quirks::none(), &mut Findings::new())?;
//! assert_eq!(issued.access_token.expose(), "t1");
//! assert_eq!(issued.expires_in_s, Some(3600));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;

use std::fmt;

use http::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::Exchange;
use crate::quirks::Quirks;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::client_auth::Client;
use crate::wire::form::Form;
use crate::wire::http::HttpRequest;
use crate::wire::pkce::Verifier;

#[cfg(test)]
pub(crate) use self::answer::Fields;
pub(crate) use self::answer::{error_in, issued_in, refused};
pub use self::answer::{read, read_exchange};

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
    /// The client itself (RFC 6749 4.4).
    ClientCredentials {
        /// The scopes to ask for; left out when there are none.
        scope: &'a ScopeSet,
    },
    /// A device code (RFC 8628 3.4).
    DeviceCode {
        /// The code of the device authorization answer.
        device_code: &'a Secret,
    },
    /// An assertion of somebody whom the server trusts (RFC 7523 2.1): an enterprise's identity provider,
    /// or the platform that a workload runs on.
    JwtBearer {
        /// The assertion.
        assertion: &'a Secret,
        /// The scopes to ask for; left out when there are none.
        scope: &'a ScopeSet,
    },
    /// A refresh token (RFC 6749 6), for the scopes that were granted with it.
    RefreshToken {
        /// The refresh token.
        refresh_token: &'a Secret,
    },
    /// One token for another (RFC 8693 2.1). [`read_exchange`] reads its answer.
    TokenExchange {
        /// The token that says who the subject is.
        subject_token: &'a Secret,
        /// What kind of token that is.
        subject_token_type: TokenTypeUri,
        /// What kind is wanted.
        requested_token_type: TokenTypeUri,
        /// For whom: the issuer of another authorization server.
        audience: &'a str,
        /// The scopes to ask for; left out when there are none.
        scope: &'a ScopeSet,
    },
}

/// The grants by name (RFC 7591 2, `grant_types`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum GrantType {
    /// `authorization_code`.
    AuthorizationCode,
    /// `client_credentials`.
    ClientCredentials,
    /// RFC 8628.
    DeviceCode,
    /// RFC 7523.
    JwtBearer,
    /// `refresh_token`.
    RefreshToken,
    /// RFC 8693.
    TokenExchange,
}

impl GrantType {
    /// Its name, the value of `grant_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::RefreshToken => "refresh_token",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }
}

impl fmt::Display for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Kinds of tokens in an exchange (RFC 8693 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenTypeUri {
    /// An identity assertion JWT authorization grant (draft-ietf-oauth-identity-assertion-authz-grant).
    IdJag,
    /// An ID token of `OpenID` Connect.
    IdToken,
    /// A JWT of another kind, such as a workload's.
    Jwt,
    /// A refresh token of the server that is asked.
    RefreshToken,
    /// A SAML 2.0 assertion, base64url-encoded.
    Saml2,
}

impl TokenTypeUri {
    /// The name that records have for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::IdJag => "id_jag",
            Self::IdToken => "id_token",
            Self::Jwt => "jwt",
            Self::RefreshToken => "refresh_token",
            Self::Saml2 => "saml2",
        }
    }

    /// Its URI.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::IdJag => "urn:ietf:params:oauth:token-type:id-jag",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::RefreshToken => "urn:ietf:params:oauth:token-type:refresh_token",
            Self::Saml2 => "urn:ietf:params:oauth:token-type:saml2",
        }
    }
}

impl Grant<'_> {
    /// The exchange that this grant is part of.
    pub const fn exchange(&self) -> Exchange {
        match self {
            Self::AuthorizationCode { .. } => Exchange::CodeToken,
            Self::ClientCredentials { .. } => Exchange::ClientToken,
            Self::DeviceCode { .. } => Exchange::DeviceToken,
            Self::JwtBearer { .. } => Exchange::AssertionToken,
            Self::RefreshToken { .. } => Exchange::RefreshToken,
            Self::TokenExchange { .. } => Exchange::TokenExchange,
        }
    }

    /// Its name.
    pub const fn grant_type(&self) -> GrantType {
        match self {
            Self::AuthorizationCode { .. } => GrantType::AuthorizationCode,
            Self::ClientCredentials { .. } => GrantType::ClientCredentials,
            Self::DeviceCode { .. } => GrantType::DeviceCode,
            Self::JwtBearer { .. } => GrantType::JwtBearer,
            Self::RefreshToken { .. } => GrantType::RefreshToken,
            Self::TokenExchange { .. } => GrantType::TokenExchange,
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
    /// The client's assertion, when it [needs one](Client::needs_assertion).
    pub assertion: Option<&'a Secret>,
    /// The `DPoP` proof for the token endpoint (RFC 9449 5): asks for a token that is bound to its key.
    pub proof: Option<&'a HeaderValue>,
}

impl TokenRequest<'_> {
    /// Builds the request.
    pub fn request(&self, quirks: &Quirks) -> HttpRequest {
        let form = Form::new().add("grant_type", self.grant.grant_type().name());
        let form = match self.grant {
            Grant::AuthorizationCode { code, redirect_uri, verifier } => form
                .add("code", code.expose())
                .add("redirect_uri", redirect_uri)
                .add("code_verifier", verifier.secret().expose()),
            Grant::ClientCredentials { scope } => form.add_scope(scope),
            Grant::DeviceCode { device_code } => form.add("device_code", device_code.expose()),
            Grant::JwtBearer { assertion, scope } => {
                form.add("assertion", assertion.expose()).add_scope(scope)
            }
            Grant::RefreshToken { refresh_token } => form.add("refresh_token", refresh_token.expose()),
            Grant::TokenExchange {
                subject_token,
                subject_token_type,
                requested_token_type,
                audience,
                scope,
            } => form
                .add("requested_token_type", requested_token_type.uri())
                .add("subject_token", subject_token.expose())
                .add("subject_token_type", subject_token_type.uri())
                .add("audience", audience)
                .add_scope(scope),
        };
        let form = form.add_some("resource", self.resource);
        let request = self.client.post(self.grant.exchange(), self.endpoint, form, self.assertion, quirks);
        match self.proof {
            Some(proof) => request.with(HeaderName::from_static("dpop"), proof.clone()),
            None => request,
        }
    }

    /// The secrets that the request holds; what a server echoes of them is not shown.
    pub(crate) fn secrets(&self) -> Vec<&Secret> {
        let own = self.client.secret.as_ref();
        let (first, second) = match &self.grant {
            Grant::AuthorizationCode { code, verifier, .. } => (Some(*code), Some(verifier.secret())),
            Grant::ClientCredentials { .. } => (None, None),
            Grant::DeviceCode { device_code } => (Some(*device_code), None),
            Grant::JwtBearer { assertion, .. } => (Some(*assertion), None),
            Grant::RefreshToken { refresh_token } => (Some(*refresh_token), None),
            Grant::TokenExchange { subject_token, .. } => (Some(*subject_token), None),
        };
        own.into_iter().chain(self.assertion).chain(first).chain(second).collect()
    }
}

/// How an access token is presented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TokenType {
    /// By itself (RFC 6750).
    #[default]
    Bearer,
    /// With a proof of the key that it is bound to (RFC 9449).
    #[serde(rename = "DPoP")]
    Dpop,
}

/// What a token exchange brought (RFC 8693 2.2.1): a token for somebody else to read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchanged {
    /// The token.
    pub token: Secret,
    /// The scopes, if they are not those that were asked for.
    pub scope: Option<ScopeSet>,
    /// Its lifetime in seconds; `None` when the server does not say.
    pub expires_in_s: Option<u64>,
    /// A refresh token, if one was issued along with it.
    pub refresh_token: Option<Secret>,
}

/// A token, as it was issued (RFC 6749 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issued {
    /// The access token; only characters that a header may carry.
    pub access_token: Secret,
    /// How it is presented.
    pub token_type: TokenType,
    /// The ID token, if one was issued (`OpenID` Connect Core 3.1.3.3); nothing of it checked yet.
    pub id_token: Option<Secret>,
    /// What was granted of the rich authorization request (RFC 9396 7), as JSON.
    pub authorization_details: Option<Box<str>>,
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
        let request =
            TokenRequest { endpoint: &endpoint, client, grant, resource, assertion: None, proof: None }
                .request(&Quirks::none());
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
        let request = TokenRequest {
            endpoint: &endpoint,
            client: &client,
            grant,
            resource: None,
            assertion: None,
            proof: None,
        }
        .request(&Quirks::none());
        assert_eq!(request.headers["authorization"], "Basic aWQ6cw==");
        assert!(!request.body.expose().contains("client"));
        let shown = format!("{request:?}");
        assert!(!shown.contains("aWQ6cw") && !shown.contains("refresh_token="), "{shown}");
    }
}
