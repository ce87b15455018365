//! The records as they are now: another process may have been faster.

use crate::client::engine::Engine;
use crate::client::state::acquisition::{Acquisition, End, Step};
use crate::client::state::grant::Freshness;
use crate::client::state::lease::Lease;
use crate::client::state::ops::Owner;
use crate::client::state::record::{self, GrantRecord};
use crate::effect::{RecordKind, Stored};
use crate::time::Now;

impl Engine {
    pub(crate) fn load_current_binding(&mut self, now: Now) -> Step {
        self.loaded_ms = now.mono_ms;
        let key = self.key(RecordKind::Binding, None);
        self.load(now, Owner::Acquisition, key, "another process may have been authorized meanwhile");
        Step::CheckingBinding
    }

    pub(crate) fn on_current_binding(&mut self, now: Now, stored: Option<Stored<'_>>) -> Step {
        self.binding.load(stored);
        let Some(issuer) = self.pinned() else { return Step::Planning };
        let key = self.key(RecordKind::Grant, Some(&issuer));
        self.load(now, Owner::Acquisition, key, "another process may have been authorized meanwhile");
        Step::CheckingGrant
    }

    /// Tokens of another process serve, if they are others than those that are known.
    pub(crate) fn on_current_grant(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        stored: Option<Stored<'_>>,
    ) -> Result<Step, End> {
        let revision = stored.map(|stored| stored.revision);
        let record: Option<GrantRecord> = record::read_stored(stored);
        let theirs = record.and_then(|record| record.into_grant(&self.config).ok());
        if revision != self.grant.revision
            && let Some((theirs, claimed_until)) = theirs
            && self.grant.unsaved.is_none()
            && self.take_over(theirs, revision, Lease::read(claimed_until, now))
            && (self.grant.is_refreshable()
                || self.grant.freshness(now, self.config.refresh_early_s) == Freshness::Fresh)
        {
            return match self.adopts_unpinned(acquisition) {
                true => Ok(Step::Planning),
                false => Err(End::Adopted),
            };
        }
        Ok(Step::Planning)
    }
}
