//! Errors as an authorization server tells them (RFC 6749 4.1.2.1, 5.2, and the registry that grew from them).

use std::fmt;

use http::header::{HeaderValue, WWW_AUTHENTICATE};
use serde::Serialize;

use crate::server::answer::Answer;

/// What went wrong, in the words of the specifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// RFC 6749 4.1.2.1, RFC 8628 3.5.
    AccessDenied,
    /// RFC 8628 3.5: the user has not answered yet.
    AuthorizationPending,
    /// `OpenID` Connect Core 3.1.2.6.
    ConsentRequired,
    /// RFC 8628 3.5.
    ExpiredToken,
    /// `OpenID` Connect Core 3.1.2.6.
    InteractionRequired,
    /// RFC 6749 5.2.
    InvalidClient,
    /// RFC 7591 3.2.2.
    InvalidClientMetadata,
    /// RFC 9449 5.
    InvalidDpopProof,
    /// RFC 6749 5.2.
    InvalidGrant,
    /// RFC 7591 3.2.2.
    InvalidRedirectUri,
    /// RFC 6749.
    InvalidRequest,
    /// RFC 9101 6, of a `request_uri` that is unknown or expired.
    InvalidRequestUri,
    /// RFC 6749.
    InvalidScope,
    /// RFC 8707 2.
    InvalidTarget,
    /// RFC 6750 3.1, of an initial access token.
    InvalidToken,
    /// `OpenID` Connect Core 3.1.2.6.
    LoginRequired,
    /// RFC 6749.
    ServerError,
    /// RFC 8628 3.5.
    SlowDown,
    /// RFC 6749.
    TemporarilyUnavailable,
    /// RFC 6749.
    UnauthorizedClient,
    /// RFC 6749 5.2.
    UnsupportedGrantType,
    /// RFC 6749 4.1.2.1.
    UnsupportedResponseType,
    /// RFC 7009 2.2.1.
    UnsupportedTokenType,
    /// RFC 9449 8.
    UseDpopNonce,
}

impl ErrorCode {
    /// The value of `error`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::ConsentRequired => "consent_required",
            Self::ExpiredToken => "expired_token",
            Self::InteractionRequired => "interaction_required",
            Self::InvalidClient => "invalid_client",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::LoginRequired => "login_required",
            Self::ServerError => "server_error",
            Self::SlowDown => "slow_down",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::UseDpopNonce => "use_dpop_nonce",
        }
    }

    /// The status of an answer in JSON. A browser is told by a redirect instead.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error to tell a client or a user. The words are fixed: nothing that came in goes out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
#[non_exhaustive]
pub struct OAuthError {
    /// `error`.
    pub code: ErrorCode,
    /// `error_description`, in the characters of RFC 6749 5.2.
    pub description: &'static str,
    /// Whether the client authenticated by the header `Authorization`: the answer has a challenge then (RFC 6749
    /// 5.2).
    pub by_header: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_uri: Option<&'a str>,
}

impl OAuthError {
    /// An error with words that help the client's author.
    pub const fn new(code: ErrorCode, description: &'static str) -> Self {
        Self { code, description, by_header: false }
    }

    /// Whether the same request may be answered otherwise soon.
    pub(in crate::server) fn is_for_now(&self) -> bool {
        matches!(self.code, ErrorCode::TemporarilyUnavailable | ErrorCode::ServerError)
    }

    /// The answer of an endpoint that speaks JSON (RFC 6749 5.2).
    pub fn answer(&self, error_uri: Option<&str>) -> Answer {
        let body = Body { error: self.code.name(), error_description: self.description, error_uri };
        // A browser would ask the user for a password, if a challenge came without need.
        let mut answer = Answer::json(self.code.status(), &body);
        let challenge = match self.code {
            ErrorCode::InvalidClient if self.by_header => {
                Some("Basic realm=\"token endpoint\", charset=\"UTF-8\"")
            }
            ErrorCode::InvalidToken => Some("Bearer error=\"invalid_token\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            answer.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if matches!(self.code, ErrorCode::TemporarilyUnavailable) { answer.retry_after(5) } else { answer }
    }
}
