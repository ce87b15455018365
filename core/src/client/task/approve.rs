//! Trust: which authorization server a resource is bound to, and when the host is asked.
//!
//! An issuer is pinned together with the first tokens that it issued: neither a question that was turned
//! down nor a page that was closed leaves a trace, so the host is asked again next time.

use url::Url;

use crate::client::config::Preregistered;
use crate::client::engine::{Engine, GrantState};
use crate::client::output::Notice;
use crate::client::state::acquisition::{Acquisition, Cause, End, Step};
use crate::client::state::binding::{Approved, Trust};
use crate::client::state::grant::Grant;
use crate::client::state::ops::Owner;
use crate::client::state::record::{self, BindingRecord};
use crate::client::state::resource::Resource;
use crate::effect::{Completion, Effect, Interaction, Reason, RecordKind, Summary};
use crate::error::Refused;
use crate::limits;
use crate::policy::TrustPolicy;
use crate::scope::ScopeSet;
use crate::time::Now;
use crate::wire::server_metadata::Issuer;

impl Engine {
    /// The issuer that the resource is bound to.
    pub(crate) fn pinned(&self) -> Option<Issuer> {
        self.binding.record.issuer.as_deref().map(Issuer::trusted)
    }

    /// Whether the resource is bound to this issuer.
    pub(crate) fn is_pinned(&self, issuer: &Issuer) -> bool {
        self.binding.record.issuer.as_deref() == Some(issuer.as_str())
    }

    /// Whether an authorization at this issuer may be taken up again without asking the host.
    pub(crate) fn may_go_on_with(&self, issuer: &Issuer) -> bool {
        matches!(self.judge(issuer), Trust::Trusted)
    }

    /// The trust policy.
    fn judge(&self, issuer: &Issuer) -> Trust {
        if self.config.trusts(issuer) {
            return Trust::Trusted;
        }
        let pinned = self.pinned();
        let is_pinned = pinned.as_ref().is_some_and(|pinned| self.is_same_issuer(pinned, issuer));
        match self.config.trust {
            TrustPolicy::Accept => Trust::Trusted,
            TrustPolicy::PinnedOnly if is_pinned => Trust::Trusted,
            TrustPolicy::PinnedOnly => Trust::Untrusted,
            TrustPolicy::SameOrigin => {
                let url = Url::parse(issuer.as_str());
                let same = url.is_ok_and(|url| url.origin() == self.config.resource.origin());
                if same { Trust::Trusted } else { Trust::Untrusted }
            }
            TrustPolicy::Ask => match pinned {
                Some(_) if !is_pinned => Trust::Changed,
                _ => Trust::Trusted,
            },
        }
    }

    /// Asks the host where the policy says so. A question comes before anything is sent to a server that is
    /// not trusted yet, and before more scopes are asked for than were approved.
    pub(crate) fn ask_for_approval(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        resource: &Resource,
        issuer: &Issuer,
        scopes: ScopeSet,
    ) -> Result<Option<Step>, End> {
        let trust = self.judge(issuer);
        if let Some(from) = self.pinned().filter(|pinned| !self.is_same_issuer(pinned, issuer)) {
            self.notice_change(acquisition, from, issuer);
        }
        if matches!(trust, Trust::Untrusted) {
            return Err(Refused::Untrusted { issuer: issuer.into() }.into());
        }
        let asked = Approved { issuer: issuer.clone(), scopes: scopes.clone() };
        let changed = matches!(trust, Trust::Changed);
        let asks_for_scopes = self.config.trust == TrustPolicy::Ask && !self.config.trusts(issuer);
        let before = self.grant.grant.as_deref().filter(|_| asks_for_scopes);
        let more_scopes = before.is_some_and(|grant| !grant.requested.covers(&scopes));
        if !changed && !more_scopes {
            acquisition.approved = Some(asked);
            return Ok(None);
        }
        self.check_somebody_waits()?;
        acquisition.approved = None;
        acquisition.question = Some(asked);
        let summary = self.summary(acquisition, resource, issuer, scopes);
        let effect = Effect::Interact(Interaction::Approve(Box::new(summary)));
        let why = match changed {
            true => "the resource names another authorization server; that is for the host to judge",
            false => "more scopes are needed than were approved; that is for the host to judge",
        };
        self.perform(now, Owner::Acquisition, effect, self.config.interaction_ms, why);
        Ok(Some(Step::Approving))
    }

    /// Says once that the resource names another server.
    fn notice_change(&mut self, acquisition: &mut Acquisition, from: Issuer, to: &Issuer) {
        if acquisition.noticed_change.replace(to.clone()).as_ref() != Some(to) {
            self.notice(Notice::IssuerChanged { from: (&from).into(), to: to.into() });
        }
    }

    pub(crate) fn is_same_issuer(&self, pinned: &Issuer, issuer: &Issuer) -> bool {
        self.config.same_issuer(pinned.as_str(), issuer.as_str())
    }

    pub(crate) fn summary(
        &self,
        acquisition: &Acquisition,
        resource: &Resource,
        issuer: &Issuer,
        scopes: ScopeSet,
    ) -> Summary {
        let before = self.grant.grant.as_ref().map(|grant| grant.requested.clone()).unwrap_or_default();
        let reason = match (self.pinned(), acquisition.cause) {
            (Some(from), _) if !self.is_same_issuer(&from, issuer) => Reason::IssuerChanged { from },
            (_, Cause::StepUp) => Reason::StepUp,
            (_, Cause::Unauthorized | Cause::Callback) => Reason::Unauthorized,
        };
        Summary {
            client_name: self.config.metadata.client_name.clone(),
            resource: resource.identifier.clone(),
            issuer: issuer.shown(),
            account: (&*self.config.account).into(),
            new_scopes: scopes.without(&before),
            scopes,
            reason,
        }
    }

    /// Whether the client was configured without an issuer and belongs to no server yet.
    pub(crate) fn binds_client(&self, acquisition: &Acquisition, issuer: &Issuer) -> bool {
        let Some(client) = acquisition.client.as_ref().filter(|client| client.configured) else {
            return false;
        };
        let is_free = |own: &Preregistered| own.issuer.is_none() && client.id == own.id;
        self.binding.record.preregistered_with.is_none() && self.preregistered_at(issuer).is_some_and(is_free)
    }

    /// Binds such a client to this issuer, before any of its credentials go there (MCP "Authorization Server
    /// Binding").
    pub(crate) fn bind_client(&mut self, now: Now, issuer: &Issuer) -> Step {
        let bound =
            BindingRecord { preregistered_with: Some(issuer.as_str().into()), ..self.binding.record.clone() };
        self.write_binding(now, Owner::Acquisition, bound);
        Step::SavingBinding
    }

    /// Asks whether the issuer of new tokens may be pinned, where another one is pinned than was known when the
    /// authorization began.
    pub(crate) fn ask_to_pin(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        grant: &Grant,
    ) -> Result<Option<Step>, End> {
        let issuer = grant.server.issuer();
        if self.may_pin(acquisition, issuer) {
            return Ok(None);
        }
        let resource = self.resource_of(acquisition, grant.resource.as_deref());
        self.ask_for_approval(now, acquisition, &resource, issuer, grant.requested.clone())
    }

    /// Whether an issuer may be pinned without asking.
    fn may_pin(&self, acquisition: &Acquisition, issuer: &Issuer) -> bool {
        let approved = acquisition.approved.as_ref().is_some_and(|approved| approved.issuer == *issuer);
        approved || self.may_go_on_with(issuer)
    }

    /// Pins the issuer of the tokens that were just stored.
    pub(crate) fn pin(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Option<Step>, End> {
        let Some(grant) = self.grant.grant.as_deref() else { return Ok(None) };
        let issuer = grant.server.issuer().clone();
        if acquisition.pin_failed || self.is_pinned(&issuer) {
            return Ok(None);
        }
        if !self.may_pin(acquisition, &issuer)
            && let Some(step) = self.ask_to_pin(now, acquisition, &grant.clone())?
        {
            return Ok(Some(step));
        }
        let pinned = self.binding.record.pinned_to(&issuer);
        self.write_binding(now, Owner::Acquisition, pinned);
        Ok(Some(Step::SavingBinding))
    }

    /// Forgets tokens whose issuer may not be pinned.
    pub(crate) fn drop_unpinned(&mut self, now: Now) {
        let (revision, generation) = (self.grant.revision, self.grant.generation);
        let Some(grant) = self.grant.grant.take() else { return };
        self.grant = GrantState { generation, ..GrantState::default() };
        if let Some(expect) = revision {
            let key = self.key(RecordKind::Grant, Some(grant.server.issuer()));
            let effect = Effect::Delete { key, expect };
            let why = "the tokens are of a server that is not trusted";
            self.perform(now, Owner::Detached(RecordKind::Grant), effect, limits::STORE_MS, why);
        }
    }

    /// Pins what could not be pinned before.
    pub(crate) fn pin_late(&mut self, now: Now) {
        let issuer = self.grant.grant.as_deref().map(|grant| grant.server.issuer().clone());
        self.binding.due = false;
        if let Some(issuer) = issuer
            && !self.is_pinned(&issuer)
            && self.acquisition.is_none()
        {
            let pinned = self.binding.record.pinned_to(&issuer);
            self.write_binding(now, Owner::Detached(RecordKind::Binding), pinned);
        }
    }

    fn write_binding(&mut self, now: Now, owner: Owner, record: BindingRecord) {
        let effect = Effect::Save {
            key: self.key(RecordKind::Binding, None),
            record: record::write(&record),
            expect: self.binding.revision,
            expires_at_s: None,
        };
        self.binding.writing = Some(record);
        let why = "the resource is bound to the authorization server";
        self.perform(now, owner, effect, limits::STORE_MS, why);
    }

    /// The binding that [`pin_late`](Self::pin_late) wrote.
    pub(crate) fn on_pinned_late(&mut self, completion: &Completion<'_>) {
        match completion {
            Completion::Saved(revision) => self.binding.written(*revision),
            // Another process was faster; its word is looked at before the user is asked again.
            Completion::Conflict => self.loaded_ms = 0,
            _ => self.binding.due = true,
        }
    }
}
