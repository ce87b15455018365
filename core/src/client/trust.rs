//! Trust: which authorization server a resource is bound to, and when the host is asked.

use url::Url;

use super::acquire::{Acquisition, Cause, End, Step};
use super::config::Preregistered;
use super::discover::Resource;
use super::ops::Owner;
use super::record::{self};
use super::{BindingRecord, Engine, Notice};
use crate::effect::{Effect, Interaction, Reason, RecordKind, Summary};
use crate::error::Refused;
use crate::limits;
use crate::policy::TrustPolicy;
use crate::scope::ScopeSet;
use crate::time::Now;
use crate::wire::server_metadata::Issuer;

impl Engine {
    /// The trust policy. A question comes before anything is sent to a server that is not trusted yet.
    pub(super) fn ask_for_approval(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        resource: &Resource,
        issuer: &Issuer,
    ) -> Result<Option<Step>, End> {
        acquisition.approved = true;
        let pinned = self.binding.as_ref().map(|binding| Issuer::trusted(&binding.issuer));
        let changed = pinned.filter(|pinned| !self.is_same_issuer(pinned, issuer));
        if let Some(from) = &changed {
            self.notice(Notice::IssuerChanged { from: from.into(), to: issuer.into() });
        }
        if self.config.trusts(issuer) {
            return Ok(None);
        }
        let untrusted = Refused::Untrusted { issuer: issuer.into() };
        match self.config.trust {
            TrustPolicy::Accept => return Ok(None),
            TrustPolicy::PinnedOnly if self.binding.is_some() && changed.is_none() => return Ok(None),
            TrustPolicy::PinnedOnly => return Err(untrusted.into()),
            TrustPolicy::SameOrigin => {
                let same = Url::parse(issuer.as_str())
                    .is_ok_and(|url| url.origin() == self.config.resource.origin());
                return if same { Ok(None) } else { Err(untrusted.into()) };
            }
            TrustPolicy::Ask => {}
        }
        let scopes = self.demanded_scopes(acquisition, resource)?;
        let summary = self.summary(acquisition, resource, issuer, scopes);
        let is_new_scope = self.grant.grant.is_some() && !summary.new_scopes.is_empty();
        if changed.is_none() && !is_new_scope {
            return Ok(None);
        }
        self.check_somebody_waits()?;
        acquisition.approved = false;
        let effect = Effect::Interact(Interaction::Approve(Box::new(summary)));
        let why = match changed {
            Some(_) => "the resource names another authorization server; that is for the host to judge",
            None => "more scopes are needed than were approved; that is for the host to judge",
        };
        self.perform(now, Owner::Acquisition, effect, self.config.interaction_ms, why);
        Ok(Some(Step::Approving))
    }

    pub(super) fn is_same_issuer(&self, pinned: &Issuer, issuer: &Issuer) -> bool {
        self.config.same_issuer(pinned, issuer)
    }

    pub(super) fn summary(
        &self,
        acquisition: &Acquisition,
        resource: &Resource,
        issuer: &Issuer,
        scopes: ScopeSet,
    ) -> Summary {
        let before = self.grant.grant.as_ref().map(|grant| grant.requested.clone()).unwrap_or_default();
        let pinned = self.binding.as_ref().map(|binding| Issuer::trusted(&binding.issuer));
        let reason = match (pinned, acquisition.cause) {
            (Some(from), _) if !self.is_same_issuer(&from, issuer) => Reason::IssuerChanged { from },
            (_, Cause::StepUp) => Reason::StepUp,
            (_, Cause::Unauthorized | Cause::Callback) => Reason::Unauthorized,
        };
        Summary {
            client_name: self.config.metadata.client_name.clone(),
            resource: resource.identifier.clone(),
            issuer: issuer.clone(),
            account: self.config.account.clone(),
            new_scopes: scopes.without(&before),
            scopes,
            reason,
        }
    }

    /// Remembers the issuer that the resource is bound to from now on, and with it a client that was
    /// configured without one.
    pub(super) fn save_binding(
        &mut self,
        now: Now,
        acquisition: &Acquisition,
        issuer: &Issuer,
    ) -> Option<Step> {
        let bound = self.binding.as_ref().and_then(|binding| binding.preregistered_with.clone());
        let is_free = |own: &Preregistered| {
            own.issuer.is_none() && acquisition.client.as_ref().is_some_and(|client| client.id == own.id)
        };
        let binds = self.config.preregistered.iter().any(is_free).then(|| issuer.as_str().into());
        let binding = BindingRecord { issuer: issuer.as_str().into(), preregistered_with: bound.or(binds) };
        if self.binding.as_ref() == Some(&binding) {
            return None;
        }
        let effect = Effect::Save {
            key: self.key(RecordKind::Binding, None),
            record: record::write(&binding),
            expect: self.binding_revision,
        };
        let why = "the resource is bound to the authorization server";
        self.perform(now, Owner::Acquisition, effect, limits::STORE_MS, why);
        self.binding = Some(binding);
        Some(Step::SavingBinding)
    }
}
