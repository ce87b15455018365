//! Policies of the host: which authorization servers to trust, what to do about damaged records.

/// Which authorization server is trusted to issue tokens for a resource.
///
/// The pair of resource and issuer is pinned when it is first used. A hijacked resource can name another
/// authorization server, one that imitates a login page; what happens then is this policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustPolicy {
    /// Whatever the resource names is used; nothing is asked.
    Accept,
    /// The first issuer is pinned. Another one, or scopes beyond those approved before, becomes a
    /// question to the host ([`Interaction::Approve`](crate::Interaction::Approve)) before any browser
    /// opens.
    #[default]
    Ask,
    /// Only issuers that the configuration names, or that a stored record pins already.
    PinnedOnly,
    /// Only issuers on the resource's own origin.
    SameOrigin,
}

/// What to do about a stored record that cannot be read: cut off, damaged, or of another version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordPolicy {
    /// Fail with [`FailureKind::Unreadable`](crate::error::FailureKind::Unreadable) and leave it there,
    /// until somebody has looked at it.
    Fail,
    /// Keep it aside, under a key of its own, and start anew.
    #[default]
    StartAnew,
}
