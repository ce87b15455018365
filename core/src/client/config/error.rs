//! What is wrong with a configuration.

use crate::address::UrlProblem;
use crate::wire::parameters::ParameterError;

/// Why a configuration cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The account's name is empty, longer than 128 bytes, or has control characters.
    #[error("the account's name is empty, too long, or has control characters")]
    Account,
    /// Not a JSON array of objects with a `type` each (RFC 9396 2), or too large.
    #[error("authorization details are a JSON array of objects, each with a type")]
    AuthorizationDetails,
    /// The URL of the Client ID Metadata Document cannot be a `client_id`.
    #[error("a client_id URL is https, with a path, without dot segments, fragment and user info")]
    ClientIdDocument,
    /// Tokens are to be bound to a key, there is none, and none can be made without the feature `crypto`.
    #[error("there is no key to bind tokens to")]
    NoKey,
    /// A parameter of the caller's own cannot be added: Grantor sets it, or it is malformed.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The redirect URI is neither https, nor loopback, nor of a private-use scheme that is a domain name in
    /// reverse order (RFC 8252 7).
    #[error(
        "not a redirect URI: it must be https, loopback http, or of the application's own scheme with a dot in \
         it, such as com.example.app:/callback"
    )]
    RedirectUri,
    /// The ways to authenticate that a client may register with are without a key, and at least one.
    #[error("a client registers for none, client_secret_basic or client_secret_post")]
    RegistrationMethods,
    /// The resource's URL is not acceptable: https (or http to a loopback host), without user info and
    /// fragment (RFC 8707 2).
    #[error("the resource's URL is not acceptable: {0}")]
    Resource(UrlProblem),
    /// A resource identifier is an absolute URI without fragment (RFC 8707 2).
    #[error("a resource identifier is an absolute URI without fragment")]
    ResourceIdentifier,
    /// The issuer or an endpoint of the authorization server that the configuration names is not acceptable.
    #[error("the authorization server's {field} is not acceptable: {problem}")]
    Server {
        /// The name of its metadata.
        field: &'static str,
        /// What is wrong with it.
        problem: UrlProblem,
    },
    /// A client secret for `client_secret_jwt` has fewer than 32 bytes (RFC 7518 3.2).
    #[error("a client secret for client_secret_jwt has at least 32 bytes")]
    ShortSecret,
    /// A `User-Agent` is not empty, has visible characters of ASCII and blanks alone, and at most
    /// [`limits::USER_AGENT`](crate::limits::USER_AGENT) of them.
    #[error("this cannot be a User-Agent")]
    UserAgent,
}
