//! Policies of the host: which authorization servers to trust, what to do about damaged records.

/// Which authorization server is trusted to issue tokens for a resource.
///
/// The pair of resource and issuer is pinned with the first tokens; a page that was turned away pins nothing.
/// A hijacked resource can name another
/// authorization server, one that imitates a login page; what happens then is this policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustPolicy {
    /// Whatever the resource names is used; nothing is asked.
    Accept,
    /// The first issuer is pinned. Another one, or scopes beyond those asked for before, becomes a
    /// question to the host ([`Interaction::Approve`](crate::Interaction::Approve)) before any browser
    /// opens.
    #[default]
    Ask,
    /// Only issuers that the configuration names, or that a stored record pins already.
    PinnedOnly,
    /// Only issuers on the resource's own origin.
    SameOrigin,
}

/// Whether tokens are bound to a key, so that nobody else can use them (`DPoP`, RFC 9449).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DpopPolicy {
    /// They are not.
    #[default]
    Off,
    /// They are, or there is no authorization.
    Required,
    /// They are where the authorization server says that it can
    /// (`dpop_signing_alg_values_supported`). A bearer token is taken from one that then does not.
    WhenSupported,
}

/// What to do when an operation needs scopes that the token lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepUpPolicy {
    /// The call fails with [`Refused::InsufficientScope`](crate::error::Refused).
    Abort,
    /// They are asked for.
    #[default]
    Ask,
}

/// What a client assertion names as its audience.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssertionAudience {
    /// The authorization server's issuer identifier (draft-ietf-oauth-rfc7523bis).
    #[default]
    Issuer,
    /// The URL of the token endpoint, for servers that know only RFC 7523. Assertions for one server can
    /// be replayed at another that way.
    TokenEndpoint,
}

/// What to do about a stored record that cannot be read: cut off, damaged, or of another version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordPolicy {
    /// Fail with [`FailureKind::Unreadable`](crate::error::FailureKind::Unreadable) and leave it there,
    /// until somebody has looked at it.
    Fail,
    /// Quarantine it under a key of its own, and start anew.
    #[default]
    StartAnew,
}
