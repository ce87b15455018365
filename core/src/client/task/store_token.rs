//! New tokens are stored before they are used, once their issuer may be pinned.

use crate::client::engine::Engine;
use crate::client::state::acquisition::{Acquisition, End, Step};
use crate::client::state::calls::Stage;
use crate::client::state::ops::Owner;
use crate::client::state::refresh::{NewTokens, Replaces};
use crate::client::state::resource::Discovered;
use crate::effect::{RecordKind, RecordRevision};
use crate::time::Now;

impl Engine {
    /// New tokens are stored, once their issuer may be pinned.
    pub(crate) fn store_token(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Step, End> {
        if let Some(grant) = acquisition.obtained.take() {
            let step = self.ask_to_pin(now, acquisition, &grant);
            acquisition.obtained = Some(grant);
            if let Some(step) = step? {
                return Ok(step);
            }
        }
        Ok(self.save_grant(now, acquisition))
    }

    /// Stores the new grant before it is used.
    pub(crate) fn save_grant(&mut self, now: Now, acquisition: &Acquisition) -> Step {
        if let Some(grant) = acquisition.obtained.as_deref() {
            let own = self.grant.grant.as_ref().map(|own| own.server.issuer()) == Some(grant.server.issuer());
            let expect = acquisition.grant_revision.unwrap_or(self.grant.revision.filter(|_| own));
            self.write_grant(
                now,
                Owner::Acquisition,
                grant,
                None,
                expect,
                "a token is stored before it is used",
            );
        }
        Step::SavingGrant
    }

    /// A new grant is stored.
    pub(crate) fn install(&mut self, now: Now, acquisition: &mut Acquisition, revision: RecordRevision) {
        let Some(grant) = acquisition.obtained.take() else { return };
        acquisition.stored = true;
        // A refresh of the old grant has nothing to add: who waited for it waits for this.
        self.refresh = None;
        for call in self.calls.at(|stage| matches!(stage, Stage::WaitingForRefresh { .. })) {
            self.set_stage(call, Stage::acquisition());
        }
        self.abandon_ops(Owner::Refresh);
        self.forget_signing(Owner::Refresh);
        self.kept_subject = None;
        self.grant.replace(*grant, Some(revision));
        if let (Some(resource), Some(server)) = (acquisition.resource.take(), acquisition.server.take()) {
            let provider = acquisition.sign_on.provider.take();
            self.known = Some(Box::new(Discovered { resource, server, provider }));
        }
        let issuer = self.grant.grant.as_deref().map(|grant| grant.server.issuer());
        if self.known.as_ref().map(|known| &known.server.issuer) != issuer {
            self.known = None;
        }
        self.list_account(now);
    }

    /// The tokens are new and only here: they are kept, and stored before anything else.
    pub(crate) fn keep_obtained(&mut self, acquisition: &mut Acquisition) {
        if let Some(grant) = acquisition.obtained.take() {
            self.binding.due = !self.is_pinned(grant.server.issuer());
            self.grant.keep_unsaved(NewTokens { grant, replaces: Replaces::Any }, None);
        }
    }

    /// What a sign-on brought, or the provider changed, is kept although no tokens came of it: the provider may
    /// take nothing older any more.
    pub(crate) fn keep_subject(&mut self, now: Now, acquisition: &Acquisition) {
        let Some(kept) = acquisition.sign_on.kept.clone() else { return };
        let known = self.grant.grant.as_deref().and_then(|grant| grant.subject.as_ref());
        if known.is_some_and(|known| known.token == kept.token) {
            return;
        }
        if let Some(grant) = self.grant.grant.as_deref_mut()
            && self.grant.unsaved.is_none()
        {
            grant.subject = Some(kept.clone());
            let (grant, expect) = (grant.clone(), self.grant.revision);
            let why = "the provider takes only the newest that it issued";
            self.write_grant(now, Owner::Detached(RecordKind::Grant), &grant, None, expect, why);
        }
        self.kept_subject = Some(Box::new(kept));
    }
}
