//! Authorizations that are pending: stored before the page opens, taken up again after a restart.

use crate::client::config::{Flow, Redirect};
use crate::client::engine::Engine;
use crate::client::state::acquisition::{Acquisition, Cause, End, Step};
use crate::client::state::doubted::Doubted;
use crate::client::state::ops::Owner;
use crate::client::state::record::{self, PendingAuthorization, PendingRecord};
use crate::effect::{Effect, RecordKind, Stored};
use crate::limits;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::server_metadata::Issuer;

impl Engine {
    pub(crate) fn load_pending(&mut self, now: Now) -> Step {
        let key = self.key(RecordKind::Pending, None);
        self.load(now, Owner::Acquisition, key, "an authorization from before a restart may wait");
        Step::LoadingPending
    }

    pub(crate) fn on_pending_loaded(&mut self, stored: Option<Stored<'_>>) {
        let record: PendingRecord = record::read_stored(stored).unwrap_or_default();
        self.binding.remember_asked(&record.authorizations);
        self.pending.authorizations = record.authorizations;
        self.pending.revision = stored.map(|stored| stored.revision);
        self.pending.loaded = true;
        if !self.looked_for_resumable {
            self.doubt_leftovers();
        }
    }

    /// Takes up an authorization from before a restart: the user may have its page open.
    pub(crate) fn resume(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Option<Step>, End> {
        // Only once: what is pending later belongs to other processes.
        if !self.looked_for_resumable {
            self.looked_for_resumable = true;
            self.pending.drop_expired(now);
            let trusted = |pending: &&PendingAuthorization| {
                self.may_resume(pending)
                    && pending.url().is_some()
                    && self.asks_for(pending, acquisition)
                    && match &self.config.redirect {
                        Redirect::Fixed(uri) => *uri == pending.redirect_uri,
                        Redirect::Listen => true,
                    }
            };
            if acquisition.cause == Cause::Unauthorized {
                acquisition.resumable =
                    self.pending.authorizations.iter().rev().find(trusted).cloned().map(Box::new);
            }
            if let Some(step) = self.look_for_unpinned(now, acquisition) {
                return Ok(Some(step));
            }
        }
        let Some(pending) = acquisition.resumable.clone() else { return Ok(None) };
        if !acquisition.known_asked
            && !pending.sign_on
            && self.registered_by_itself(pending.server.client())
            && let Some(server) = pending.server.clone().into_server(&self.config)
        {
            let doubted = Doubted::new(server, pending.redirect_uri.clone());
            return self.ask_whether_known(now, acquisition, doubted).map(Some);
        }
        let Some(redirect_uri) = &acquisition.redirect_uri else {
            return self.listen(now, acquisition, Some(pending.redirect_uri.clone())).map(Some);
        };
        acquisition.resumable = None;
        if *redirect_uri != pending.redirect_uri {
            return Ok(None); // another process has the place; it may be waiting there itself
        }
        acquisition.asked = Some(pending);
        acquisition.asked_saved = true;
        acquisition.resumed = true;
        self.open_browser(now, acquisition).map(Some)
    }

    /// Whether a pending authorization asks for what is demanded now.
    pub(crate) fn asks_for(&self, pending: &PendingAuthorization, acquisition: &Acquisition) -> bool {
        match self.config.only_scopes {
            true => pending.scopes == self.config.scopes,
            false => acquisition.challenged.scope.iter().all(|scope| pending.scopes.contains(scope)),
        }
    }

    /// A process that died before it pinned the issuer may have stored the tokens already.
    pub(crate) fn look_for_unpinned(&mut self, now: Now, acquisition: &Acquisition) -> Option<Step> {
        let pending = acquisition.resumable.as_ref().filter(|pending| !pending.sign_on)?;
        let issuer = Issuer::trusted(pending.server.issuer());
        if self.grant.grant.is_some() || self.is_pinned(&issuer) {
            return None;
        }
        let key = self.key(RecordKind::Grant, Some(&issuer));
        self.load(now, Owner::Acquisition, key, "the page from before a restart may have been answered");
        Some(Step::CheckingGrant)
    }

    /// Whether the tokens that were adopted are those of an authorization that was pending: their issuer is then to
    /// be pinned, as if this process had obtained them.
    pub(crate) fn adopts_unpinned(&self, acquisition: &mut Acquisition) -> bool {
        let issuer = self.grant.grant.as_deref().map(|grant| grant.server.issuer());
        if issuer == self.pinned().as_ref() || acquisition.resumable.is_none() {
            return false;
        }
        acquisition.asked = acquisition.resumable.take();
        acquisition.stored = true;
        acquisition.adopted = true;
        true
    }

    /// Whether a pending authorization is of the grant that is configured, and with a server that is trusted for
    /// it. A pushed request is of use once (RFC 9126 4), so its page is not opened again.
    pub(crate) fn may_resume(&self, pending: &PendingAuthorization) -> bool {
        let trusted = match &self.config.flow {
            Flow::AuthorizationCode if !pending.sign_on => {
                self.may_go_on_with(&Issuer::trusted(pending.server.issuer()))
            }
            Flow::Enterprise(enterprise) if pending.sign_on && enterprise.signs_on => {
                enterprise.issuer.as_str() == pending.server.issuer()
            }
            _ => false,
        };
        trusted && !pending.pushed
    }

    /// Stores what the callback will be held against, beside the authorizations of other processes.
    pub(crate) fn save_pending(&mut self, now: Now, acquisition: &Acquisition) -> Step {
        self.pending.drop_expired(now);
        if let Some(asked) = acquisition.asked.as_deref() {
            self.pending.remove(&asked.state);
            self.pending.authorizations.push(asked.clone());
        }
        let surplus = self.pending.authorizations.len().saturating_sub(limits::PENDING);
        self.pending.authorizations.drain(..surplus);
        let effect = self.pending_effect();
        let why = "a restart must not lose what the callback is held against";
        self.perform(now, Owner::Acquisition, effect, limits::STORE_MS, why);
        Step::SavingPending
    }

    pub(crate) fn pending_effect(&self) -> Effect {
        let key = self.key(RecordKind::Pending, None);
        match self.pending.revision {
            Some(expect) if self.pending.authorizations.is_empty() => Effect::Delete { key, expect },
            expect => {
                let record = record::write(&self.pending.authorizations);
                Effect::Save { key, record, expect, expires_at_s: None }
            }
        }
    }

    /// Removes an authorization that is over from the store; whether there was anything to remove.
    pub(crate) fn forget_pending(&mut self, now: Now, owner: Owner, state: &Secret) -> bool {
        if !self.pending.authorizations.iter().any(|pending| pending.state == *state) {
            return false;
        }
        self.pending.remove(state);
        let effect = self.pending_effect();
        // Until the store has answered, what it holds is not known.
        self.pending.loaded = false;
        let why = "the authorization is over; its verifier is of no more use";
        self.perform(now, owner, effect, limits::STORE_MS, why);
        true
    }
}
