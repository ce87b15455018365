//! Why a request is turned away.

use crate::jose::dpop::DpopError;
use crate::jose::{ClaimsError, JwsError};
use crate::resource::message::MessageError;

/// Why a request is turned away, one variant for each rule. None quotes the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A token in the URL's query (OAuth 2.1 5.1, MCP "Token Requirements"): 400.
    #[error("access tokens do not belong in a URL")]
    TokenInQuery,
    /// Several `Authorization` headers, or a malformed one (RFC 6750 3.1): 400.
    #[error("the Authorization header is malformed or repeated")]
    MalformedAuthorization,
    /// No token, or credentials of another kind (RFC 6750 3): 401 without an error code.
    #[error("a token is needed")]
    NoToken,
    /// A token that is no good (RFC 6750 3.1): 401.
    #[error("{0}")]
    Token(TokenProblem),
    /// The proof of possession is missing or wrong (RFC 9449 7.1): 401.
    #[error("{0}")]
    Proof(DpopError),
    /// The proof was used before (RFC 9449 11.1): 401.
    #[error("the proof was used before")]
    ProofReplayed,
    /// Headers that contradict the body, are missing or malformed (MCP "Server Validation"): 400.
    #[error("the request's Mcp-Method or Mcp-Name header is wrong")]
    HeaderMismatch,
    /// No JSON-RPC (MCP "Sending Messages"): 400.
    #[error("{0}")]
    Message(MessageError),
    /// The body is larger than it may be: 413.
    #[error("the body is too large")]
    BodyTooLarge,
    /// The policy lets nobody do this ([`Need::nobody`](super::Need::nobody)): 403 without a challenge.
    #[error("no token suffices for the operation")]
    Forbidden,
    /// The token lacks scopes (RFC 6750 3.1): 403.
    #[error("the token's scope does not suffice")]
    InsufficientScope,
    /// The user's authentication is too old or too weak (RFC 9470 3): 401.
    #[error("the user has to authenticate again")]
    InsufficientAuthentication,
    /// The token cannot be checked for now: 503.
    #[error("the token cannot be checked for now")]
    Unavailable,
}

/// Why a token is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenProblem {
    /// Bound to a client's certificate, which nothing here can see (RFC 8705 3).
    #[error("the token is bound to a certificate, which is not supported here")]
    CertificateBound,
    /// What it says.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// Bound to a key, and sent as a bearer token (RFC 9449 7.2).
    #[error("the token is bound to a key and was sent without a proof")]
    DowngradedToBearer,
    /// Its authorization server, or the host, says that it is not valid (RFC 7662 2.2).
    #[error("the token is not active")]
    Inactive,
    /// How it is made.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Sent with a proof, and bound to no key (RFC 9449 7.1).
    #[error("the token is bound to no key and was sent as a DPoP token")]
    NotBound,
    /// Longer than [`CREDENTIAL`](crate::limits::CREDENTIAL).
    #[error("the token is too large")]
    TooLarge,
    /// From an authorization server that is not configured (MCP "Token Handling").
    #[error("the token is from another issuer")]
    UnknownIssuer,
    /// Not bound to a key, where that is demanded.
    #[error("only tokens that are bound to a key are accepted")]
    Unbound,
}
