//! What can go wrong, sorted by whose fault it is.
//!
//! Every rule that a peer can break has its own variant, comparable in tests and named in its
//! documentation by the specification's section. Texts that a peer wrote appear only as [`PeerText`]:
//! bounded, without control characters, and without any secret that was part of the exchange.

mod hint;
mod redact;
mod report;
mod text;
mod words;

use std::fmt;

use crate::address::UrlProblem;
use crate::finding::{JsonType, Problem};
use crate::jose::{Algorithm, ClaimsError, JwsError};
use crate::scope::ScopeSet;
use crate::wire::token::GrantType;

pub(crate) use self::redact::Sent;
pub use self::report::{Asked, ErrorReport};
pub use self::text::PeerText;

/// Why a call, or the authorization that it needed, failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host could not perform an effect: network, store, browser.
    #[error(transparent)]
    Effect(#[from] EffectError),
    /// The peer keeps to the rules, but offers nothing that this client can use.
    #[error(transparent)]
    PeerIncompatible(#[from] PeerIncompatible),
    /// The peer broke a rule that protects the user.
    #[error(transparent)]
    PeerMisbehaved(#[from] PeerMisbehaved),
    /// Server, user or host said no, within the rules.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// A "no" within the rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The authorization server answered the browser's request with an error (RFC 6749 4.1.2.1).
    #[error("the authorization server refused: {code}{}", Described(.description))]
    Authorization {
        /// Such as `access_denied`, `invalid_scope`.
        code: PeerText,
        /// The server's own words.
        description: Option<PeerText>,
    },
    /// The user did not type in the device code in time (RFC 8628 3.5).
    #[error("the device code has expired")]
    DeviceCodeExpired,
    /// The user or the host turned the authorization away, or closed it.
    #[error("the authorization was declined")]
    Declined,
    /// The server demands that the user proves themselves again or better, and did so before for the same
    /// operation, or the policy is not to ask (RFC 9470).
    #[error("the server demands another user authentication (RFC 9470)")]
    InsufficientAuthentication,
    /// The server still demands scopes after as many step-ups as are allowed, or demands what the
    /// token already carries (RFC 6750 3.1, MCP "Step-Up Authorization Flow").
    #[error("the token's scope does not suffice; the server asks for: {demanded}")]
    InsufficientScope {
        /// The scopes of the last challenge.
        demanded: ScopeSet,
    },
    /// The authorization server did not register this client (RFC 7591 3.2.2).
    #[error("registration refused: {code}{}", Described(.description))]
    Registration {
        /// Such as `invalid_redirect_uri`, or the HTTP status when the server names no code.
        code: PeerText,
        /// The server's own words.
        description: Option<PeerText>,
    },
    /// A server refused as a token endpoint does (RFC 6749 5.2); so do revocation, introspection and others.
    #[error("the server refused: {code}{}", Described(.description))]
    Token {
        /// Such as `invalid_grant`, `invalid_client`.
        code: PeerText,
        /// The server's own words.
        description: Option<PeerText>,
    },
    /// The resource answers 401 even to a token that was issued just now.
    #[error("the server rejects tokens that were issued for it just now")]
    TokenRejected,
    /// The server is overloaded or broken for now (429 or 5xx).
    #[error("{exchange}: the server answers {status} for now{}", Later(.retry_after_s))]
    Unavailable {
        /// What was asked of it.
        exchange: Exchange,
        /// The HTTP status.
        status: u16,
        /// When it wants to be asked again, in seconds from its answer, if it said so
        /// (RFC 9110 10.2.3).
        retry_after_s: Option<u32>,
    },
    /// The trust policy, or the host when asked, does not accept this authorization server.
    #[error("the authorization server {issuer} is not trusted for this resource")]
    Untrusted {
        /// The issuer that the resource names.
        issuer: PeerText,
    },
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// A body over its bound ([`limits`](crate::limits)).
    #[error("{exchange}: the answer is larger than {limit} bytes")]
    BodyTooLarge {
        /// What was asked.
        exchange: Exchange,
        /// The bound in bytes.
        limit: usize,
    },
    /// Parameters of a callback that contradict each other or are missing: neither `code` nor `error`,
    /// or both (RFC 6749 4.1.2).
    #[error("the callback carries neither a code nor an error, or both")]
    CallbackIncomplete,
    /// A parameter of the callback appears twice (RFC 6749 3.1).
    #[error("the callback carries `{name}` twice")]
    CallbackRepeated {
        /// The parameter.
        name: &'static str,
    },
    /// The callback is too large, or not form-encoded UTF-8.
    #[error("the callback is malformed")]
    CallbackSyntax,
    /// A callback that answers no authorization under way: late, or forged (RFC 6749 10.12).
    #[error("the callback answers no authorization that is under way")]
    CallbackUnasked,
    /// An answer of another content type than the specification demands, such as a web page.
    #[error("{exchange}: expected JSON, got content type {got}")]
    ContentType {
        /// What was asked.
        exchange: Exchange,
        /// The content type, empty when there is none.
        got: PeerText,
    },
    /// The callback has no `iss`, though the server's metadata promises it (RFC 9207 2.4).
    #[error("the callback carries no iss, though the server's metadata promises one (RFC 9207)")]
    IssMissing,
    /// The `iss` of the callback is not the issuer that was asked: a mix-up attack, or a broken server
    /// (RFC 9207 2.4).
    #[error("the callback's iss is not the issuer that was asked (RFC 9207)")]
    IssMismatch,
    /// `issuer` in the metadata is not identical to the one asked for (RFC 8414 3.3).
    #[error("asked for the metadata of {expected}, got that of {got} (`issuer`, RFC 8414 section 3.3)")]
    IssuerMismatch {
        /// The issuer whose well-known URL was fetched.
        expected: PeerText,
        /// The issuer named by the document.
        got: PeerText,
    },
    /// The server keeps demanding another nonce in the proof (RFC 9449 8).
    #[error("the server keeps demanding another DPoP nonce (RFC 9449 section 8)")]
    DpopNonce,
    /// What the peers answer leads to the same exchange again and again; the call's budget of it is spent
    /// ([`limits`](crate::limits)).
    #[error("it would not end: {what}, {times} times for one call")]
    Endless {
        /// What kept happening.
        what: Work,
        /// How often.
        times: u32,
    },
    /// A form-encoded answer that cannot be read: too many parameters, or not UTF-8.
    #[error("{exchange}: malformed form")]
    Form {
        /// What was asked.
        exchange: Exchange,
    },
    /// The ID-JAG is not for this client, authorization server or resource
    /// (draft-ietf-oauth-identity-assertion-authz-grant).
    #[error("the identity provider's grant cannot be used: {0}")]
    IdJag(ClaimsError),
    /// The ID-JAG is no signed JWT of an acceptable algorithm.
    #[error("the identity provider's grant cannot be read: {0}")]
    IdJagSyntax(JwsError),
    /// The ID token is not for this client and authorization, or the user did not prove themselves as was
    /// demanded (`OpenID` Connect Core 3.1.3.7, RFC 9470 5).
    #[error("the ID token cannot be accepted: {0}")]
    IdToken(ClaimsError),
    /// The ID token is no signed JWT of an acceptable algorithm, and something hangs on it.
    #[error("the ID token cannot be read: {0}")]
    IdTokenSyntax(JwsError),
    /// A token exchange brought another kind of token than was asked for (RFC 8693 2.2.1).
    #[error("the token exchange brought a {got} (`issued_token_type`)")]
    IssuedTokenType {
        /// `issued_token_type` of the answer.
        got: PeerText,
    },
    /// An answer that is not JSON; also when it was cut off.
    #[error("{exchange}: not JSON (line {line}, column {column})")]
    Json {
        /// What was asked.
        exchange: Exchange,
        /// Line of the first error, from 1.
        line: usize,
        /// Column of the first error, from 1.
        column: usize,
    },
    /// A member that must be there is not.
    #[error("{exchange}: `{field}` is missing")]
    MissingField {
        /// What was asked.
        exchange: Exchange,
        /// The member.
        field: &'static str,
    },
    /// An answer that is JSON, but no object.
    #[error("{exchange}: expected a JSON object, got {got}")]
    NotAnObject {
        /// What was asked.
        exchange: Exchange,
        /// What came instead.
        got: JsonType,
    },
    /// The server issued a token that is not bound to the key, though the policy demands it (RFC 9449 5).
    #[error("the token is not bound to the client's key")]
    NotBound,
    /// The resource metadata names no authorization server (MCP "Authorization Server Location").
    #[error("the resource metadata names no authorization server (`authorization_servers`)")]
    NoAuthorizationServers,
    /// A redirect that is not followed: off the origin, to another scheme, or one too many; or any
    /// redirect where none is allowed.
    #[error("{exchange}: redirect not followed: {problem}")]
    Redirect {
        /// What was asked.
        exchange: Exchange,
        /// Why not.
        problem: RedirectProblem,
    },
    /// `resource` in the metadata is not the resource that was asked (RFC 9728 3.3).
    #[error("the resource metadata is for {got}, not for {expected} (`resource`, RFC 9728 section 3.3)")]
    ResourceMismatch {
        /// The resource identifier that the metadata should name.
        expected: PeerText,
        /// The one that it names.
        got: PeerText,
    },
    /// More scopes than a token can have here: those of the challenge or the metadata, with those that were
    /// asked for before.
    #[error("more than {limit} scopes are demanded in all")]
    TooManyScopes {
        /// The bound ([`limits::SCOPES`](crate::limits::SCOPES)).
        limit: usize,
    },
    /// The browser came back with a code or an error but without `state`, so that nobody can say whose answer
    /// it is (RFC 6749 4.1.2, 10.12).
    #[error("the browser came back without `state`{} (RFC 6749 section 4.1.2)", WithError(.error))]
    StateMissing {
        /// The error that it brought, if that is one of RFC 6749 4.1.2.1; it may be anybody's word.
        error: Option<&'static str>,
    },
    /// A status that the specification does not provide for.
    #[error("{exchange}: unexpected status {status}")]
    Status {
        /// What was asked.
        exchange: Exchange,
        /// The HTTP status.
        status: u16,
    },
    /// A member that must be there has a value that cannot be used.
    #[error("{exchange}: `{field}` {problem}")]
    Unusable {
        /// What was asked.
        exchange: Exchange,
        /// The member.
        field: &'static str,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A URL that the policy forbids ([`UrlPolicy`](crate::UrlPolicy)).
    #[error("`{field}` is not an acceptable URL: {problem}")]
    Url {
        /// Where it stood.
        field: &'static str,
        /// What is wrong with it.
        problem: UrlProblem,
    },
    /// Bytes that are not UTF-8 where JSON demands it (RFC 8259 8.1).
    #[error("{exchange}: not UTF-8")]
    Utf8 {
        /// What was asked.
        exchange: Exchange,
    },
}

/// Nothing to work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerIncompatible {
    /// The server does not accept signatures of the configured key's algorithm.
    #[error("the authorization server does not support {algorithm} signatures")]
    NoAlgorithm {
        /// The key's algorithm.
        algorithm: Algorithm,
    },
    /// No way to authenticate at the token endpoint that both sides know.
    #[error(
        "the authorization server supports none of this client's authentication methods \
         (`token_endpoint_auth_method`)"
    )]
    NoClientAuthentication,
    /// Tokens have to be bound to a key by policy, and the server supports none of the algorithms of keys
    /// that can be made (RFC 9449 5.1).
    #[error("the authorization server {issuer} supports no DPoP algorithm that is known here")]
    NoDpop {
        /// The issuer.
        issuer: PeerText,
    },
    /// An endpoint that the grant needs is not in the server's metadata.
    #[error("the authorization server {issuer} has no `{endpoint}`")]
    NoEndpoint {
        /// The issuer.
        issuer: PeerText,
        /// The member of the metadata.
        endpoint: &'static str,
    },
    /// `grant_types_supported` without the grant that this client uses, or `response_types_supported`
    /// without `code`.
    #[error(
        "the authorization server {issuer} does not support the grant {grant} (`grant_types_supported`, \
         `response_types_supported`)"
    )]
    NoGrant {
        /// The issuer.
        issuer: PeerText,
        /// The grant.
        grant: GrantType,
    },
    /// `authorization_grant_profiles_supported` without that of enterprise-managed authorization
    /// (draft-ietf-oauth-identity-assertion-authz-grant).
    #[error("the authorization server {issuer} does not support enterprise-managed authorization (ID-JAG)")]
    NoIdentityAssertions {
        /// The issuer.
        issuer: PeerText,
    },
    /// The metadata does not list `S256` (MCP "Authorization Code Protection").
    #[error(
        "the authorization server {issuer} does not promise PKCE with S256 (`code_challenge_methods_supported`)"
    )]
    NoPkce {
        /// The issuer.
        issuer: PeerText,
    },
    /// Not pre-registered there, and the server supports neither Client ID Metadata Documents nor
    /// dynamic registration, or the configuration offers neither.
    #[error(
        "no client is registered with {issuer}, which takes {}",
        Ways { cimd: *cimd, dynamic: *dynamic }
    )]
    NoRegistration {
        /// The issuer.
        issuer: PeerText,
        /// Whether the server supports Client ID Metadata Documents.
        cimd: bool,
        /// Whether the server supports dynamic registration.
        dynamic: bool,
    },
    /// No protected resource metadata at the challenge's URL or any well-known one (RFC 9728).
    #[error("nothing says where to get a token: no protected resource metadata was found (RFC 9728)")]
    NoResourceMetadata,
    /// No metadata at any of the issuer's well-known URLs (RFC 8414, `OpenID` Connect Discovery).
    #[error("no authorization server metadata found for {issuer}")]
    NoServerMetadata {
        /// The issuer.
        issuer: PeerText,
    },
    /// The pre-registered client belongs to another authorization server
    /// (MCP "Authorization Server Binding").
    #[error("the configured client is registered with another server than {issuer}")]
    RegisteredElsewhere {
        /// The issuer that the resource names now.
        issuer: PeerText,
    },
    /// A `token_type` that was not asked for: neither `Bearer` nor, with a proof, `DPoP` (RFC 6749 7.1, RFC
    /// 9449 5).
    #[error("the token type {got} is not supported (`token_type`)")]
    TokenType {
        /// What the server issued.
        got: PeerText,
    },
}

/// An effect that the host could not perform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {kind}{}", Described(.detail))]
#[non_exhaustive]
pub struct EffectError {
    /// What was to be done.
    pub what: Work,
    /// How it failed.
    pub kind: FailureKind,
    /// The host's words.
    pub detail: Option<PeerText>,
}

impl EffectError {
    pub(crate) fn new(what: Work, failure: Failure<'_>) -> Self {
        Self {
            what,
            kind: failure.kind,
            detail: (!failure.detail.is_empty()).then(|| PeerText::new(failure.detail)),
        }
    }
}

/// How an effect failed, as the host reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// The kind.
    pub kind: FailureKind,
    /// Details for a person; no secrets. May be empty.
    pub detail: &'a str,
}

impl<'a> Failure<'a> {
    /// A failure of this kind with details for a person.
    pub const fn new(kind: FailureKind, detail: &'a str) -> Self {
        Self { kind, detail }
    }

    /// Whether the other side was not reached, or its answer was lost.
    pub(crate) fn is_of_network(&self) -> bool {
        matches!(self.kind, FailureKind::Broken | FailureKind::TimedOut | FailureKind::Unreachable)
    }
}

/// The ways in which an effect fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// The body was larger than the effect allows.
    BodyTooLarge,
    /// The connection broke, or the answer was no HTTP or was cut off.
    Broken,
    /// The host has no means: no browser, no place for the callback, no store.
    Impossible,
    /// Anything else.
    Other,
    /// Not done within its deadline.
    TimedOut,
    /// No connection could be made: name, network, TLS.
    Unreachable,
    /// What the store holds cannot be read, and the policy is to leave it there
    /// ([`RecordPolicy::Fail`](crate::RecordPolicy)).
    Unreadable,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BodyTooLarge => "the answer is too large",
            Self::Broken => "the connection broke",
            Self::Impossible => "not possible here",
            Self::Other => "failed",
            Self::TimedOut => "timed out",
            Self::Unreachable => "not reachable",
            Self::Unreadable => "the record cannot be read",
        })
    }
}

/// Why a stored record cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordProblem {
    /// It was cut off or changed, or is something else.
    Damaged,
    /// It is larger than [`limits::RECORD`](crate::limits::RECORD).
    TooLarge,
    /// It belongs to a client that is not configured any more.
    UnknownClient,
    /// It is of this version, which another release of Grantor has written.
    Version(u32),
}

impl fmt::Display for RecordProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("is damaged"),
            Self::TooLarge => f.write_str("is too large"),
            Self::UnknownClient => f.write_str("belongs to a client that is not configured any more"),
            Self::Version(version) => write!(f, "is of version {version}, which this release cannot read"),
        }
    }
}

/// What an effect is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// An HTTP exchange.
    Exchange(Exchange),
    /// Asking the user or the host.
    Interaction,
    /// A signature.
    Signing,
    /// Reading or writing a record.
    Store,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(exchange) => exchange.fmt(f),
            Self::Interaction => f.write_str("interaction"),
            Self::Signing => f.write_str("signature"),
            Self::Store => f.write_str("credential store"),
        }
    }
}

/// The exchanges on the wire, each a file of [`wire`](crate::wire).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Exchange {
    /// A token request with an assertion (RFC 7523 2.1).
    AssertionToken,
    /// The user's way through the browser and back.
    Authorization,
    /// A challenge in a response of the resource.
    Challenge,
    /// A client's metadata at the URL that is its id (draft-ietf-oauth-client-id-metadata-document).
    ClientDocument,
    /// A token request of the client itself (RFC 6749 4.4).
    ClientToken,
    /// A token request with an authorization code.
    CodeToken,
    /// A device's request for codes (RFC 8628 3.1).
    DeviceAuthorization,
    /// A token request with a device code (RFC 8628 3.4).
    DeviceToken,
    /// A pushed authorization request (RFC 9126).
    PushedAuthorization,
    /// Asking what a token is.
    Introspection,
    /// The keys of an issuer.
    KeySet,
    /// A token request with a refresh token.
    RefreshToken,
    /// Dynamic client registration.
    Registration,
    /// Protected resource metadata.
    ResourceMetadata,
    /// Giving tokens back (RFC 7009).
    Revocation,
    /// Authorization server metadata.
    ServerMetadata,
    /// One token for another (RFC 8693).
    TokenExchange,
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AssertionToken => "token request (assertion)",
            Self::Authorization => "authorization",
            Self::Challenge => "challenge",
            Self::ClientDocument => "client ID metadata document",
            Self::ClientToken => "token request (client credentials)",
            Self::CodeToken => "token request (authorization code)",
            Self::DeviceAuthorization => "device authorization",
            Self::DeviceToken => "token request (device code)",
            Self::PushedAuthorization => "pushed authorization request",
            Self::Introspection => "token introspection",
            Self::KeySet => "key set",
            Self::RefreshToken => "token request (refresh)",
            Self::Registration => "client registration",
            Self::ResourceMetadata => "protected resource metadata",
            Self::Revocation => "revocation",
            Self::ServerMetadata => "authorization server metadata",
            Self::TokenExchange => "token exchange",
        })
    }
}

/// Why a redirect is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectProblem {
    /// No or an unreadable `Location`.
    Location,
    /// To another scheme, host or port.
    OtherOrigin,
    /// More than [`limits::REDIRECTS`](crate::limits::REDIRECTS).
    TooMany,
    /// This exchange allows none.
    Unexpected,
}

impl fmt::Display for RedirectProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Location => "it names no readable location",
            Self::OtherOrigin => "it leads to another origin",
            Self::TooMany => "there are too many",
            Self::Unexpected => "this exchange allows none",
        })
    }
}

/// The caller used the API in a way that cannot be meant. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// The request's method is none of HTTP.
    #[error("the method is none of HTTP")]
    Method,
    /// The request is not for the engine's resource; its token must not be sent there
    /// (MCP "Access Token Privilege Restriction").
    #[error("the request's URL is not at or under the resource of this engine")]
    OutsideResource,
    /// The request's query carries an `access_token`; tokens never belong there (OAuth 2.1 5.1).
    #[error("access tokens do not belong in a URL")]
    TokenInQuery,
    /// No call with this id awaits a response.
    #[error("no call with this id awaits a response")]
    UnknownCall,
    /// No effect with this id was ever asked for.
    #[error("no effect with this id was asked for")]
    UnknownOp,
    /// The completion does not fit the effect.
    #[error("the completion does not fit the effect")]
    WrongCompletion,
}

/// `: words` when there are words.
struct Described<'a>(&'a Option<PeerText>);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

/// The ways to register that a server offers.
struct Ways {
    cimd: bool,
    dynamic: bool,
}

impl fmt::Display for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.cimd, self.dynamic) {
            (true, true) => "client ID metadata documents and dynamic registration",
            (true, false) => "client ID metadata documents, but no dynamic registration",
            (false, true) => "dynamic registration, but no client ID metadata documents",
            (false, false) => "neither client ID metadata documents nor dynamic registration",
        })
    }
}

/// ` and with the error …` when it brought one.
struct WithError<'a>(&'a Option<&'static str>);

impl fmt::Display for WithError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(code) => write!(f, " and with the error {code}"),
            None => Ok(()),
        }
    }
}

/// `; ask again in so many seconds` when the server said so.
struct Later<'a>(&'a Option<u32>);

impl fmt::Display for Later<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(seconds) => write!(f, "; it wants to be asked again in {seconds} s"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_whose_fault_it_is() {
        let error = Error::from(Refused::Token {
            code: PeerText::new("invalid_grant"),
            description: Some(PeerText::new("expired")),
        });
        assert_eq!(error.to_string(), "the server refused: invalid_grant: expired");
    }
}
