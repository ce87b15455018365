//! What claims can be refused for.

/// Why the claims of a token are refused. One variant for each rule; none quotes the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// `acr` is none of those that were asked for (RFC 9470, `OpenID` Connect Core 3.1.3.7, 12).
    #[error("the authentication was not strong enough (acr)")]
    Acr,
    /// `at_hash` is not that of the access token (`OpenID` Connect Core 3.1.3.8).
    #[error("the token belongs to another access token (at_hash)")]
    AccessTokenHash,
    /// `aud` names somebody else (RFC 7519 4.1.3).
    #[error("the token is for another audience")]
    Audience,
    /// `aud` names others besides, whom this client does not trust (`OpenID` Connect Core 3.1.3.7, 3).
    #[error("the token is also for audiences that are not trusted")]
    AudienceUntrusted,
    /// The user's authentication was too long ago (`max_age`).
    #[error("the user's authentication was too long ago")]
    AuthenticationTooOld,
    /// `azp` is another client (`OpenID` Connect Core 3.1.3.7, 5).
    #[error("the token was issued to another client (azp)")]
    AuthorizedParty,
    /// `client_id` is another client.
    #[error("the token is for another client")]
    ClientId,
    /// `cnf` binds the token in a way that nobody here can check (RFC 7800 3.1).
    #[error("the token is bound to a key in an unknown way")]
    Confirmation,
    /// `exp` is over (RFC 7519 4.1.4).
    #[error("the token has expired")]
    Expired,
    /// `iat` is in the future.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// `iss` is another issuer (RFC 7519 4.1.1).
    #[error("the token is from another issuer")]
    Issuer,
    /// A claim that such a token must have.
    #[error("the token has no {claim}")]
    Missing {
        /// The claim.
        claim: &'static str,
    },
    /// `nonce` is not that of the request (`OpenID` Connect Core 3.1.3.7, 11).
    #[error("the token answers another request (nonce)")]
    Nonce,
    /// `nbf` is still to come (RFC 7519 4.1.5).
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A claim twice (RFC 7519 4).
    #[error("the token names a claim twice")]
    Repeated,
    /// `resource` is another resource.
    #[error("the token is for another resource")]
    Resource,
    /// Scope tokens that are none (RFC 6749 3.3).
    #[error("the token's scope is malformed")]
    Scope,
    /// `sub` is somebody else.
    #[error("the token is about somebody else")]
    Subject,
    /// No JSON object.
    #[error("the token's claims are no JSON object")]
    Syntax,
    /// A time that nobody means, such as one in milliseconds.
    #[error("the token's {claim} is out of range")]
    TimeRange {
        /// The claim.
        claim: &'static str,
    },
    /// More claims than [`JSON_MEMBERS`](crate::limits::JSON_MEMBERS).
    #[error("the token has too many claims")]
    TooLarge,
    /// `typ` of the header says that it is another kind of token (RFC 8725 3.11).
    #[error("the token is of another type")]
    Type,
    /// A claim of another JSON type than its definition says.
    #[error("the token's {claim} is malformed")]
    WrongType {
        /// The claim.
        claim: &'static str,
    },
}
