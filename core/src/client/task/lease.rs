//! Leases: which process may use a refresh token now.
//!
//! Where refresh tokens rotate, using one twice can cost the whole grant (RFC 9700 4.14.2). So a process
//! writes into the record that it uses the token, for a few seconds at a time, and goes on writing that
//! until it is done. Who loses the race for the record waits, and takes the winner's tokens. The lease of
//! a process that died ends by itself.

use crate::client::engine::Engine;
use crate::client::flow::refresh::{Next, Progress, Step};
use crate::client::output::Notice;
use crate::client::state::ops::Owner;
use crate::effect::RecordKind;
use crate::limits;
use crate::time::Now;

/// Who has the lease of the refresh token of the held record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lease {
    /// Another process, until this time of the monotonic clock.
    Foreign { ends_ms: u64 },
    #[default]
    None,
    /// This engine, until this time of the wall clock.
    Own { until_s: u64 },
}

impl Lease {
    /// The lease in a record. It is written in wall time, which may have been set since: one longer than
    /// any that is ever made is none.
    pub(crate) fn read(claimed_until: Option<u64>, now: Now) -> Self {
        match claimed_until.unwrap_or(0).saturating_sub(now.unix_s) {
            left_s @ 1..=limits::LEASE_S => {
                Self::Foreign { ends_ms: now.mono_ms.saturating_add(left_s * 1000) }
            }
            _ => Self::None,
        }
    }

    pub(crate) fn is_foreign(self, now: Now) -> bool {
        matches!(self, Self::Foreign { ends_ms } if ends_ms > now.mono_ms)
    }

    fn is_own(self, now: Now) -> bool {
        matches!(self, Self::Own { until_s } if until_s > now.unix_s)
    }
}

impl Engine {
    /// Uses the refresh token if nobody else does: takes the lease first, or waits.
    pub(crate) fn lease_or_request(&mut self, now: Now, progress: &mut Progress) -> Next {
        let lease = self.grant.lease;
        if !self.config.shared_store || lease.is_own(now) {
            return self.request_refresh(now, progress);
        }
        if lease.is_foreign(now) {
            progress.rounds = 0; // waiting for a lease is not losing a race; it ends by itself
            if !std::mem::replace(&mut progress.told_leased, true) {
                self.notice(Notice::RefreshElsewhere);
            }
            return Ok(Step::WaitingForLease { until_ms: now.mono_ms.saturating_add(limits::LEASE_POLL_MS) });
        }
        let why = "the refresh token is claimed, so that no other process uses it too";
        self.write_lease(now, Owner::Refresh, why);
        Ok(Step::Leasing)
    }

    /// Extends the lease for some more seconds while its answer is on the way. Nobody waits for
    /// that.
    pub(crate) fn renew_lease(&mut self, now: Now, progress: &mut Progress) {
        progress.renew_lease_ms = now.mono_ms.saturating_add(limits::LEASE_RENEW_MS);
        if self.config.shared_store {
            let why = "the answer takes long; the refresh token stays claimed";
            self.write_lease(now, Owner::Detached(RecordKind::Grant), why);
        }
    }

    fn write_lease(&mut self, now: Now, owner: Owner, why: &'static str) {
        let until_s = now.unix_s.saturating_add(limits::LEASE_S);
        if let Some(grant) = self.grant.grant.clone() {
            self.grant.lease = Lease::Own { until_s };
            self.write_grant(now, owner, &grant, Some(until_s), self.grant.revision, why);
        }
    }

    /// Lets other processes try at once. Nobody waits for that.
    pub(crate) fn release_lease(&mut self, now: Now) {
        let owns = self.config.shared_store && self.grant.lease.is_own(now);
        if !owns || self.grant.unsaved.is_some() {
            return;
        }
        self.grant.lease = Lease::None;
        if let Some(grant) = self.grant.grant.clone() {
            let owner = Owner::Detached(RecordKind::Grant);
            let why = "the refresh token was not used up; other processes may try";
            self.write_grant(now, owner, &grant, None, self.grant.revision, why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_end_on_the_monotonic_clock() {
        let now = Now::new(5_000, 1_000);
        let lease = Lease::read(Some(1_000 + limits::LEASE_S), now);
        assert!(lease.is_foreign(now));
        assert!(
            !lease.is_foreign(Now::new(5_000 + limits::LEASE_S * 1000, 0)),
            "though the wall clock was set back"
        );
        assert_eq!(Lease::read(Some(1_000), now), Lease::None, "it is over");
        assert_eq!(
            Lease::read(Some(1_001 + limits::LEASE_S), now),
            Lease::None,
            "longer than any that is made"
        );
        assert_eq!(Lease::read(None, now), Lease::None);
    }
}
