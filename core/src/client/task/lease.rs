//! Leases: which process may use a refresh token now.
//!
//! Where refresh tokens rotate, using one twice can cost the whole grant (RFC 9700 4.14.2). So a process
//! writes into the record that it uses the token, for a few seconds at a time, and goes on writing that
//! until it is done. Who loses the race for the record waits, and takes the winner's tokens. The lease of
//! a process that died ends by itself.

use crate::client::engine::Engine;
use crate::client::output::Notice;
use crate::client::state::lease::Lease;
use crate::client::state::ops::Owner;
use crate::client::state::refresh::{Next, Progress, Step};
use crate::effect::RecordKind;
use crate::limits;
use crate::time::Now;

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
