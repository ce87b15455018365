//! The token endpoint (RFC 6749 4.1.3, 4.4.2, 6; RFC 7523 2.1; RFC 8628 3.4; RFC 8693 2.1).

use std::fmt;

use super::authorization::{resources, scope};
use super::error::{ErrorCode, OAuthError};
use super::parameters::RequestParameters;
use crate::scope::ScopeSet;

/// A token request.
#[derive(Debug)]
#[non_exhaustive]
pub struct TokenRequest<'a> {
    /// By which grant.
    pub grant: TokenGrant<'a>,
    /// `scope`; empty when it was left out.
    pub scope: ScopeSet,
    /// `resource`.
    pub resources: Vec<&'a str>,
}

/// What a token is asked for with.
#[non_exhaustive]
pub enum TokenGrant<'a> {
    /// RFC 6749 4.1.3.
    AuthorizationCode {
        /// The code.
        code: &'a str,
        /// Where it was sent to, if the client says so; OAuth 2.1 asks for it no longer.
        redirect_uri: Option<&'a str>,
        /// The secret behind the `code_challenge`.
        code_verifier: &'a str,
    },
    /// RFC 6749 4.4.
    ClientCredentials,
    /// RFC 8628 3.4.
    DeviceCode {
        /// The device code.
        device_code: &'a str,
    },
    /// RFC 7523 2.1: an ID-JAG, or what a workload has from its platform.
    JwtBearer {
        /// The assertion.
        assertion: &'a str,
    },
    /// RFC 6749 6.
    RefreshToken {
        /// The refresh token.
        refresh_token: &'a str,
    },
    /// RFC 8693 2.1.
    TokenExchange(TokenExchange<'a>),
}

/// A token to be exchanged, and for what (RFC 8693 2.1).
#[derive(Clone)]
#[non_exhaustive]
pub struct TokenExchange<'a> {
    /// The token.
    pub subject_token: &'a str,
    /// What it is.
    pub subject_token_type: &'a str,
    /// Who acts for the token's user, if it is not the client itself.
    pub actor_token: Option<&'a str>,
    /// What is wanted; `None` for an access token.
    pub requested_token_type: Option<&'a str>,
    /// For whom it is wanted, by name.
    pub audience: Vec<&'a str>,
}

/// Without the tokens.
impl fmt::Debug for TokenExchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenExchange")
            .field("subject_token_type", &self.subject_token_type)
            .finish_non_exhaustive()
    }
}

impl TokenGrant<'_> {
    /// The `grant_type`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AuthorizationCode { .. } => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode { .. } => "urn:ietf:params:oauth:grant-type:device_code",
            Self::JwtBearer { .. } => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::RefreshToken { .. } => "refresh_token",
            Self::TokenExchange(_) => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }
}

impl fmt::Debug for TokenGrant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'a> TokenRequest<'a> {
    /// Scopes and resources alone, as a device asks for them.
    pub(in crate::server) fn target(
        parameters: &'a RequestParameters,
    ) -> Result<(ScopeSet, Vec<&'a str>), OAuthError> {
        parameters.check()?;
        Ok((scope(parameters)?, resources(parameters)?))
    }

    /// Reads a token request.
    ///
    /// # Errors
    /// `invalid_request`, `unsupported_grant_type`, `invalid_scope`, `invalid_target`.
    pub fn read(parameters: &'a RequestParameters) -> Result<Self, OAuthError> {
        let bad = |description| OAuthError::new(ErrorCode::InvalidRequest, description);
        parameters.check()?;
        let needed = |name, missing| parameters.get(name)?.ok_or(bad(missing));
        let grant = match needed("grant_type", "the grant_type is missing")? {
            "authorization_code" => TokenGrant::AuthorizationCode {
                code: needed("code", "the code is missing")?,
                redirect_uri: parameters.get("redirect_uri")?,
                code_verifier: needed("code_verifier", "the code_verifier is missing (PKCE)")?,
            },
            "client_credentials" => TokenGrant::ClientCredentials,
            "refresh_token" => TokenGrant::RefreshToken {
                refresh_token: needed("refresh_token", "the refresh_token is missing")?,
            },
            "urn:ietf:params:oauth:grant-type:device_code" => {
                TokenGrant::DeviceCode { device_code: needed("device_code", "the device_code is missing")? }
            }
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
                TokenGrant::JwtBearer { assertion: needed("assertion", "the assertion is missing")? }
            }
            "urn:ietf:params:oauth:grant-type:token-exchange" => TokenGrant::TokenExchange(TokenExchange {
                subject_token: needed("subject_token", "the subject_token is missing")?,
                subject_token_type: needed("subject_token_type", "the subject_token_type is missing")?,
                actor_token: parameters.get("actor_token")?,
                requested_token_type: parameters.get("requested_token_type")?,
                audience: parameters.all("audience").collect(),
            }),
            _ => {
                let description = "this grant_type is not supported";
                return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, description));
            }
        };
        Ok(Self { grant, scope: scope(parameters)?, resources: resources(parameters)? })
    }
}
