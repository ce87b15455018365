//! What each answer leads to: all transitions of the engine's three machines.
//!
//! | machine | waits for | answer | then |
//! |---|---|---|---|
//! | startup | binding | loaded | the grant of its issuer, or done when there is none |
//! | | grant | loaded | done: waiting calls are dispatched |
//! | refresh | lease | saved | the token request |
//! | | | conflict | look at the record |
//! | | token answer | issued | save it |
//! | | | refused for good | look at the record, then mark as revoked |
//! | | | its endpoint is gone | look at the server's metadata, then ask where it says, or as if refused |
//! | | | busy for a moment | wait, once, then take the lease again |
//! | | | refused for now | the token is used while it is valid, else calls fail |
//! | | record | newer | use it, wait for its lease, or take one |
//! | | save | saved | waiting calls are sent |
//! | | | conflict | look at the record |
//! | | another's lease | time | look at the record |
//! | acquisition | a record, a document, an answer of the host | as asked for | plan the next step |
//! | | a document | not there | plan the next step |
//! | | any server | busy for a moment | wait, once, then plan the same step |
//! | | the browser | callback | the token request |
//! | | token answer | issued | save it, then pin its issuer, then remove what was pending |
//! | | save | conflict | load the record, then plan again |
//! | | what was pending | gone, or not | waiting calls are sent |
//! | any | a record | unreadable | quarantine it first, or fail, by policy |
//! | | anything | failed | calls that wait for the machine fail |

use std::sync::Arc;

use crate::client::engine::{Engine, Startup, effect_error, unexpected};
use crate::client::flow::acquire::{Acquisition, Cause, End, Step};
use crate::client::flow::refresh::{self, NewTokens, Refresh, Reload, Replaces};
use crate::client::flow::respond::Challenged;
use crate::client::output::{Notice, Verdict};
use crate::client::state::calls::Stage;
use crate::client::state::grant::Freshness;
use crate::client::state::ops::Owner;
use crate::client::state::record::{self, GrantRecord, PendingRecord, RegistrationRecord};
use crate::client::task::discover::{Discovered, Resource};
use crate::client::task::lease::Lease;
use crate::client::task::register::RegistrationState;
use crate::client::task::sign::JwtIds;
use crate::effect::{Completion, RecordKind, RecordRevision, Stored};
use crate::error::{
    Error, Exchange, Failure, FailureKind, PeerIncompatible, PeerMisbehaved, PeerText, Refused, Work,
};
use crate::finding::Findings;
use crate::limits;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::HttpResponse;
use crate::wire::callback::Callback;
use crate::wire::registration;
use crate::wire::resource_metadata;
use crate::wire::server_metadata;
use crate::wire::well_known::Found;

impl Engine {
    /// Hands an answer to the machine that waits for it.
    pub(crate) fn on_completion(&mut self, now: Now, owner: Owner, completion: Completion<'_>) {
        match owner {
            Owner::Acquisition => self.on_acquisition(now, completion),
            Owner::Call(call) => self.on_call_signed(now, call, completion),
            Owner::Detached(kind) => self.on_detached(kind, completion),
            Owner::Listing => self.on_listing(now, completion),
            Owner::LogOut => self.on_log_out(now, completion),
            Owner::Prompt => self.on_prompt(now, completion),
            Owner::Refresh => self.on_refresh(now, completion),
            Owner::Startup => self.on_startup(now, completion),
        }
    }

    // Startup.

    /// Loads the records, if nobody did.
    pub(crate) fn start(&mut self, now: Now) {
        if self.startup == Startup::NotStarted {
            if self.config.signs() && self.jwt_ids.is_none() {
                let Some(seed) = self.entropy.take::<32>() else {
                    self.await_entropy(32);
                    self.startup = Startup::AwaitingEntropy;
                    return;
                };
                self.jwt_ids = Some(Box::new(JwtIds::new(seed)));
            }
            self.startup = Startup::LoadingBinding;
            let key = self.key(RecordKind::Binding, None);
            self.load(now, Owner::Startup, key, "tokens from an earlier run may be stored");
        }
    }

    fn on_startup(&mut self, now: Now, completion: Completion<'_>) {
        match (self.startup, completion) {
            (Startup::LoadingBinding, Completion::Loaded(stored)) => {
                self.binding.load(stored);
                match self.pinned() {
                    Some(issuer) => {
                        self.startup = Startup::LoadingGrant;
                        let key = self.key(RecordKind::Grant, Some(&issuer));
                        self.load(now, Owner::Startup, key, "tokens from an earlier run may be stored");
                    }
                    None => self.started(now),
                }
            }
            (Startup::LoadingGrant, Completion::Loaded(stored)) => {
                let record = read_record(stored);
                let is_bound = record.as_ref().is_some_and(GrantRecord::is_bound);
                let grant = record.map(|record: GrantRecord| record.into_grant(&self.config));
                if is_bound && matches!(&grant, Some(Ok((grant, _))) if grant.dpop.is_none()) {
                    self.notice(Notice::KeyLost);
                }
                match grant {
                    Some(Ok((grant, claimed_until))) => {
                        self.grant.replace(grant, stored.map(|stored| stored.revision));
                        self.grant.lease = Lease::read(claimed_until, now);
                    }
                    Some(Err(problem)) => {
                        self.notice(Notice::RecordUnreadable { kind: RecordKind::Grant, problem });
                    }
                    None => {}
                }
                self.grant.revision = stored.map(|stored| stored.revision);
                self.started(now);
            }
            (_, completion) => {
                self.fail_startup(failed(Work::Store, completion));
            }
        }
    }

    /// The records could not be loaded; the next call tries again.
    pub(crate) fn fail_startup(&mut self, error: Error) {
        self.startup = Startup::NotStarted;
        self.abandon_ops(Owner::Startup);
        self.fail_calls(Stage::is_of_startup, error);
    }

    fn started(&mut self, now: Now) {
        self.startup = Startup::Done;
        self.loaded_ms = now.mono_ms;
        for call in self.calls.at(|stage| matches!(stage, Stage::WaitingForStartup)) {
            self.dispatch(now, call);
        }
        for call in self.calls.at(|stage| matches!(stage, Stage::WaitingToStepUp(_))) {
            self.begin_step_up(now, call);
        }
        self.look_up_callbacks(now);
    }

    // Refresh.

    fn on_refresh(&mut self, now: Now, completion: Completion<'_>) {
        let Some(under_way) = self.refresh.take() else { return };
        let Refresh { step, mut progress } = *under_way;
        let next = self.refresh_step(now, &mut progress, step, completion);
        self.refresh_goes_on(now, progress, next);
    }

    fn refresh_step(
        &mut self,
        now: Now,
        progress: &mut refresh::Progress,
        step: refresh::Step,
        completion: Completion<'_>,
    ) -> refresh::Next {
        use refresh::{End, Step};
        match (step, completion) {
            (Step::Leasing, Completion::Saved(revision)) => {
                self.grant.revision = Some(revision);
                self.request_refresh(now, progress)
            }
            (Step::Leasing, Completion::Conflict) => {
                self.grant.lease = Lease::None;
                Ok(self.reload(now, Reload::Conflict))
            }
            (Step::Rediscovering, Completion::Http(response)) => {
                self.on_rediscovered(now, progress, &response)
            }
            (Step::Rediscovering, other) => {
                let error = failed(Work::Exchange(Exchange::ServerMetadata), other);
                self.on_undiscovered(now, progress, error)
            }
            (Step::Signing, Completion::Signed { signature }) => {
                self.on_signed(Owner::Refresh, signature)?;
                self.request_refresh(now, progress)
            }
            (Step::Signing, other) => {
                self.forget_signing(Owner::Refresh);
                Err(failed(Work::Signing, other).into())
            }
            (Step::Requesting, Completion::Http(response)) => {
                self.on_refresh_answer(now, progress, &response)
            }
            (Step::Reloading(reload), Completion::Loaded(stored)) => {
                self.on_reloaded(now, progress, reload, stored)
            }
            (Step::Saving(new), Completion::Saved(revision)) => {
                self.grant.replace(*new.grant, Some(revision));
                Err(End::Renewed)
            }
            (Step::Saving(new), Completion::Conflict) => Ok(self.reload(now, Reload::SaveConflict(new))),
            (Step::Saving(new) | Step::Reloading(Reload::SaveConflict(new)), other) => {
                let revision = self.grant.revision;
                self.grant.keep_unsaved(new, revision);
                Err(failed(Work::Store, other).into())
            }
            (Step::SavingRevoked, Completion::Saved(revision)) => Err(self.on_revoked(Some(revision))),
            (Step::SavingRevoked, Completion::Conflict) => Ok(self.reload(now, Reload::Rejected)),
            (Step::SavingRevoked, _) => {
                self.notice(Notice::StoreFailed { kind: RecordKind::Grant });
                Err(self.on_revoked(None))
            }
            (Step::Requesting, Completion::Failed(failure)) => self.on_unreached(now, progress, failure),
            (Step::Requesting, other) => Err(failed(Work::Exchange(Exchange::RefreshToken), other).into()),
            (Step::Leasing, other) => {
                self.grant.lease = Lease::None;
                Err(failed(Work::Store, other).into())
            }
            (_, other) => Err(failed(Work::Store, other).into()),
        }
    }

    // Acquisition.

    fn on_acquisition(&mut self, now: Now, completion: Completion<'_>) {
        let Some(mut acquisition) = self.acquisition.take() else { return };
        match self.acquisition_step(now, &mut acquisition, completion) {
            Ok(step) => {
                acquisition.step = step;
                self.acquisition = Some(acquisition);
                self.answering = None; // the plan is about what is known, not about the last answer
                self.proceed(now);
            }
            Err(end) => self.end_acquisition(now, &acquisition, end),
        }
    }

    fn acquisition_step(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        completion: Completion<'_>,
    ) -> Result<Step, End> {
        if let (Work::Exchange(exchange), Completion::Http(response)) = (acquisition.work(), &completion)
            && !acquisition.polls()
            && self.waits(now, &mut acquisition.waits, exchange, response)
        {
            acquisition.overdue_ms = None;
            return Ok(Step::Waiting);
        }
        if let Completion::Http(response) = &completion
            && self.looks_elsewhere(acquisition, response)
        {
            return Ok(Step::Planning);
        }
        match (acquisition.step, completion) {
            (Step::CheckingBinding, Completion::Loaded(stored)) => {
                self.binding.load(stored);
                if let Some(issuer) = self.pinned() {
                    let key = self.key(RecordKind::Grant, Some(&issuer));
                    self.load(
                        now,
                        Owner::Acquisition,
                        key,
                        "another process may have been authorized meanwhile",
                    );
                    return Ok(Step::CheckingGrant);
                }
            }
            (Step::CheckingGrant, Completion::Loaded(stored)) => {
                let revision = stored.map(|stored| stored.revision);
                let record: Option<GrantRecord> = read_record(stored);
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
            }
            (Step::LoadingPending, Completion::Loaded(stored)) => {
                let record: PendingRecord = read_record(stored).unwrap_or_default();
                self.binding.remember_asked(&record.authorizations);
                self.pending.authorizations = record.authorizations;
                self.pending.revision = stored.map(|stored| stored.revision);
                self.pending.loaded = true;
                if !self.looked_for_resumable {
                    self.doubt_leftovers();
                }
            }
            (Step::AskingWhetherKnown, Completion::Http(response)) => {
                return self.on_known_or_not(now, acquisition, &response);
            }
            // Whoever does not answer has not forgotten anybody.
            (Step::AskingWhetherKnown, Completion::Failed(_)) => self.settle_doubt(now, acquisition, false),
            (Step::FetchingResourceMetadata, Completion::Http(response)) => {
                self.on_resource_metadata(acquisition, &response)?;
            }
            (Step::FetchingProviderMetadata, Completion::Http(response)) => {
                self.on_provider_metadata(acquisition, &response)?;
            }
            (Step::FetchingServerMetadata, Completion::Http(response)) => {
                self.on_server_metadata(acquisition, &response)?;
            }
            // What a challenge names may be out of reach; the resource itself was not.
            (Step::FetchingResourceMetadata, Completion::Failed(failure)) => {
                let report = self.report_of(failed(acquisition.work(), Completion::Failed(failure)));
                let mut probe = acquisition.resource_probe.as_mut().filter(|_| failure.is_of_network());
                if let Some(probe) = &mut probe {
                    self.widen(acquisition.challenged.metadata_url.as_ref(), probe);
                }
                if !probe.is_some_and(|probe| probe.skip_origin(report.clone())) {
                    return Err(End::Error(report));
                }
            }
            (Step::AwaitingAssertion, Completion::Assertion { token, kind }) => {
                acquisition.assertion = Some((Secret::from(token), kind));
            }
            (Step::Pushing, Completion::Http(response)) => {
                self.on_pushed(now, acquisition, &response)?;
            }
            (Step::RequestingCodes, Completion::Http(response)) => {
                self.on_codes(now, acquisition, &response)?;
            }
            (Step::Signing, Completion::Signed { signature }) => {
                self.on_signed(Owner::Acquisition, signature)?;
            }
            (Step::Approving, Completion::Approved) => acquisition.agree(),
            (Step::Listening, Completion::Listening { redirect_uri }) => {
                if !crate::wire::client_metadata::is_redirect_uri(redirect_uri) {
                    let failure = Failure::new(FailureKind::Impossible, "that is no redirect URI");
                    return Err(effect_error(Work::Interaction, failure).into());
                }
                acquisition.redirect_uri = Some(redirect_uri.into());
            }
            (Step::LoadingRegistration, Completion::Loaded(stored)) => {
                self.on_registration_loaded(acquisition, stored);
            }
            (Step::Registering, Completion::Http(response)) => {
                self.on_registered(now, acquisition, &response)?;
            }
            (Step::SavingRegistration, Completion::Saved(revision)) => {
                acquisition.registration.revision = Some(revision);
                acquisition.registration.unsaved = false;
            }
            (Step::SavingRegistration, Completion::Conflict) => {
                // Another process registered too. Its registration will do, if it is for the same URI.
                self.lose_round(acquisition)?;
                acquisition.registration = RegistrationState::default();
            }
            (Step::SavingBinding, Completion::Saved(revision)) => self.binding.written(revision),
            (Step::SavingBinding, Completion::Conflict) => {
                self.lose_round(acquisition)?;
                let key = self.key(RecordKind::Binding, None);
                self.load(now, Owner::Acquisition, key, "another process wrote the binding");
                return Ok(Step::LoadingBinding);
            }
            (Step::LoadingBinding, Completion::Loaded(stored)) => {
                self.binding.load(stored);
                acquisition.approved = None; // it may name another issuer than before
            }
            // The tokens count more; the issuer is pinned as soon as the store takes it.
            (Step::SavingBinding | Step::LoadingBinding, Completion::Failed(_)) if acquisition.stored => {
                self.notice(Notice::StoreFailed { kind: RecordKind::Binding });
                self.binding.due = true;
                acquisition.pin_failed = true;
            }
            (Step::SavingPending, Completion::Saved(revision)) => {
                self.pending.revision = Some(revision);
                acquisition.asked_saved = true;
            }
            (Step::SavingPending, Completion::Conflict) => {
                self.lose_round(acquisition)?;
                self.pending.loaded = false; // load what others wrote, and add to it
            }
            (Step::Authorizing, Completion::Callback { url }) => {
                let callback = acquisition.callback.take().map_or_else(|| Callback::read_answer(url), Ok)?;
                return self.answer(now, acquisition, callback);
            }
            (Step::Authorizing, Completion::CallbackWithoutState { url }) => {
                let missing = Callback::read(url)?.without_state();
                return Err(missing.unwrap_or(PeerMisbehaved::CallbackUnasked).into());
            }
            (Step::Authorizing, Completion::Failed(failure))
                if acquisition.resumed && failure.kind == FailureKind::Impossible =>
            {
                // The old page cannot be waited for here; a new one can.
                acquisition.asked = None;
                acquisition.asked_saved = false;
                acquisition.resumed = false;
                acquisition.redirect_uri = None;
            }
            (Step::Exchanging, Completion::Http(response)) => {
                return self.on_token_answer(now, acquisition, &response);
            }
            (Step::Exchanging, Completion::Failed(failure))
                if acquisition.polls() && failure.is_of_network() =>
            {
                return self.poll_more_slowly(now, acquisition);
            }
            (Step::SavingGrant, Completion::Saved(revision)) => {
                self.install(now, acquisition, revision);
            }
            (Step::ForgettingPending, completion) => {
                self.on_detached(RecordKind::Pending, completion);
                return Err(acquisition.served());
            }
            (Step::SavingGrant, Completion::Conflict) => {
                self.lose_round(acquisition)?;
                let issuer = acquisition.obtained.as_ref().map(|grant| grant.server.issuer().clone());
                let key = self.key(RecordKind::Grant, issuer.as_ref());
                self.load(now, Owner::Acquisition, key, "another process wrote the tokens");
                return Ok(Step::LoadingGrant);
            }
            (Step::LoadingGrant, Completion::Loaded(stored)) => {
                // The user has just granted this one: it replaces what is there.
                acquisition.grant_revision = Some(stored.map(|stored| stored.revision));
            }
            (Step::Approving, Completion::Declined) => {
                if acquisition.stored {
                    self.drop_unpinned(now);
                }
                let asked = acquisition.asked_about().or(acquisition.issuer.as_ref());
                let issuer = asked.map_or_else(|| PeerText::new(""), PeerText::from);
                return Err(Refused::Untrusted { issuer }.into());
            }
            (_, Completion::Declined) => return Err(Refused::Declined.into()),
            (step @ (Step::SavingGrant | Step::LoadingGrant), other) => {
                self.keep_obtained(acquisition);
                return Err(failed(step.work(), other).into());
            }
            (_, other) => return Err(failed(acquisition.work(), other).into()),
        }
        Ok(Step::Planning)
    }

    fn on_resource_metadata(
        &mut self,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> Result<(), End> {
        let Some(probe) = &mut acquisition.resource_probe else { return Ok(()) };
        let (Some(candidate), Some((asked, redirects))) = (probe.current(), probe.asked()) else {
            return Ok(());
        };
        let (quirks, mut findings) = (&self.config.quirks, Findings::new());
        let read = resource_metadata::read(candidate, asked, redirects, response, quirks, &mut findings);
        self.keep(findings);
        let found = match read {
            // The document of another resource is what a tenant of a shared host could lead to (RFC 9728 7.3).
            Err(error @ Error::PeerMisbehaved(PeerMisbehaved::ResourceMismatch { .. })) => {
                return Err(error.into());
            }
            read => read.unwrap_or_else(Found::Nothing),
        };
        if let Some(document) = probe.take(found, |why| self.report_of(why)) {
            let servers = self.usable_servers(&document.authorization_servers);
            acquisition.resource = Some(Arc::new(Resource {
                identifier: document.resource,
                scopes_supported: document.scopes_supported,
                authorization_servers: servers.map_err(|why| End::Error(self.report_of(why)))?,
            }));
        }
        Ok(())
    }

    fn on_server_metadata(
        &mut self,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> Result<(), End> {
        let (Some(probe), Some(issuer)) = (&mut acquisition.server_probe, &acquisition.issuer) else {
            return Ok(());
        };
        let Some((asked, redirects)) = probe.asked() else { return Ok(()) };
        let rules = self.rules(self.config.flow.grant_type());
        let (issuer, mut findings) = (self.config.own_issuer(issuer), Findings::new());
        let read = server_metadata::read(issuer, asked, redirects, response, rules, &mut findings);
        self.keep(findings);
        let found = read.unwrap_or_else(Found::Nothing);
        if let Some(document) = probe.take(found, |why| self.report_of(why)) {
            acquisition.issuer = Some(document.issuer.clone());
            acquisition.server = Some(Arc::from(document));
        }
        Ok(())
    }

    fn on_registration_loaded(&mut self, acquisition: &mut Acquisition, stored: Option<Stored<'_>>) {
        let record: Option<RegistrationRecord> = read_record(stored);
        let state = &mut acquisition.registration;
        state.loaded = true;
        state.revision = stored.map(|stored| stored.revision);
        if let Some(record) = record
            && !record.client.is_preregistered()
        {
            state.scopes = record.scopes.clone();
            state.doubtful = record.doubtful;
            if let Some(client) = record.client.into_client(&self.config, "")
                && !self.registration_failed
            {
                state.found = Some((client, record.redirect_uri));
                state.secret_expires_at = record.secret_expires_at;
            }
        }
    }

    fn on_registered(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> Result<(), End> {
        let Some(server) = &acquisition.server else {
            return Err(unexpected(Step::Registering.work()).into());
        };
        let redirect_uri = acquisition.redirect_uri.as_deref().unwrap_or_default();
        let endpoint =
            server.registration_endpoint.as_ref().ok_or(PeerIncompatible::NoClientAuthentication)?;
        let method = self.registration_method(&server.token_endpoint_auth_methods)?;
        let scopes = self.scopes_to_register(acquisition, server);
        let request = self.registration_request(&server.issuer, endpoint, redirect_uri, method, &scopes);
        let mut findings = Findings::new();
        let read = registration::read(&request, response, &mut findings);
        self.keep(findings);
        let registered = read?;
        let state = &mut acquisition.registration;
        state.scopes = scopes;
        state.doubtful = false;
        let client_id = PeerText::new(&registered.client.id);
        state.found = Some((registered.client, redirect_uri.into()));
        state.secret_expires_at = registered.secret_expires_at;
        state.unsaved = true;
        acquisition.registered_ms = Some(now.mono_ms);
        self.registration_failed = false;
        self.notice(Notice::Registered { client_id });
        Ok(())
    }

    /// Whether the client registered itself, so that the server may have forgotten it.
    pub(crate) fn is_registered_dynamically(&self, acquisition: &Acquisition) -> bool {
        match (&acquisition.client, acquisition.asked.as_deref()) {
            (Some(client), _) => self.registered_itself(client),
            (None, Some(asked)) => self.registered_by_itself(asked.server.client()),
            (None, None) => false,
        }
    }

    /// Whether the client may be registered anew, should the server say that it does not know it. One that was
    /// registered just now is known; another would fare no better.
    pub(crate) fn may_register_again(&self, now: Now, acquisition: &Acquisition) -> bool {
        let sign_on = acquisition.asked.as_deref().is_some_and(|asked| asked.sign_on);
        let just_now = acquisition
            .registered_ms
            .is_some_and(|at_ms| now.mono_ms.saturating_sub(at_ms) < limits::REGISTERED_JUST_NOW_MS);
        !sign_on && !just_now && !acquisition.registered_again && self.is_registered_dynamically(acquisition)
    }

    pub(crate) fn register_again(&mut self, now: Now, acquisition: &mut Acquisition) {
        acquisition.registered_again = true;
        self.drop_registration(now, acquisition);
    }

    /// Gives up the client with all that was asked as it.
    pub(crate) fn drop_registration(&mut self, now: Now, acquisition: &mut Acquisition) {
        if let Some(asked) = acquisition.asked.take() {
            self.forget_pending(now, Owner::Detached(RecordKind::Pending), &asked.state);
        }
        self.registration_failed = true;
        acquisition.client = None;
        acquisition.asked_saved = false;
        acquisition.resumed = false;
        acquisition.redirect_uri = None;
        acquisition.registration = RegistrationState::default();
    }

    /// The tokens are new and only here: they are kept, and stored before anything else.
    pub(crate) fn keep_obtained(&mut self, acquisition: &mut Acquisition) {
        if let Some(grant) = acquisition.obtained.take() {
            self.binding.due = !self.is_pinned(grant.server.issuer());
            self.grant.keep_unsaved(NewTokens { grant, replaces: Replaces::Any }, None);
        }
    }

    /// A new grant is stored.
    fn install(&mut self, now: Now, acquisition: &mut Acquisition, revision: RecordRevision) {
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

    /// Another process wrote the record first; that happens, but not forever.
    fn lose_round(&self, acquisition: &mut Acquisition) -> Result<(), End> {
        acquisition.store_rounds += 1;
        if acquisition.store_rounds > limits::STORE_ROUNDS {
            let failure = Failure::new(FailureKind::Other, "other processes keep writing the record");
            return Err(effect_error(Work::Store, failure).into());
        }
        Ok(())
    }

    pub(crate) fn end_acquisition(&mut self, now: Now, acquisition: &Acquisition, end: End) {
        self.keep_subject(now, acquisition);
        self.abandon_ops(Owner::Acquisition);
        self.abandon_ops(Owner::Prompt);
        self.forget_signing(Owner::Acquisition);
        match end {
            End::Adopted => {
                for call in self.calls.at(|stage| matches!(stage, Stage::WaitingForAcquisition { .. })) {
                    if let Some(open) = self.calls.get_mut(call) {
                        open.authorized = false;
                    }
                    self.dispatch(now, call);
                }
            }
            End::Done => self.serve_waiting(now),
            End::NobodyWaits => self.abandon(now, acquisition),
            End::Error(error) => {
                self.doubt_client(now, acquisition, &error.error);
                self.abandon(now, acquisition);
                self.fail_calls(
                    |stage| matches!(stage, Stage::WaitingForAcquisition { .. } | Stage::WaitingForExchange),
                    error,
                );
            }
        }
        self.answering = None;
        self.begin_log_outs(now);
        self.look_up_callbacks(now);
    }

    /// What a sign-on brought, or the provider changed, is kept although no tokens came of it: the provider may
    /// take nothing older any more.
    fn keep_subject(&mut self, now: Now, acquisition: &Acquisition) {
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

    fn abandon(&mut self, now: Now, acquisition: &Acquisition) {
        // What another process may be waiting for stays.
        if let Some(asked) = acquisition.asked.as_deref().filter(|_| acquisition.asked_saved) {
            self.forget_pending(now, Owner::Detached(RecordKind::Pending), &asked.state);
        }
    }

    fn serve_waiting(&mut self, now: Now) {
        for call in self.calls.at(|stage| matches!(stage, Stage::WaitingForExchange)) {
            self.end_call(call, Verdict::Done);
        }
        let requested = self.grant.grant.as_ref().map(|grant| grant.requested.clone()).unwrap_or_default();
        for call in self.calls.at(|stage| matches!(stage, Stage::WaitingForAcquisition { .. })) {
            let needs = match self.calls.get_mut(call).map(|open| &open.stage) {
                Some(Stage::WaitingForAcquisition { needs }) if !requested.covers(needs) => needs.clone(),
                // Another call has found these tokens wanting meanwhile.
                _ if self.refresh.is_some() || self.grant.unsaved.is_some() => {
                    self.dispatch(now, call);
                    continue;
                }
                _ => {
                    self.send(now, call);
                    continue;
                }
            };
            // It came too late for the authorization that has just ended.
            let challenged = Challenged::for_scope(needs.clone());
            self.acquire(now, call, Cause::StepUp, challenged, needs);
        }
    }

    pub(crate) fn acquisition_timeout(&mut self, now: Now) {
        if let Some(acquisition) = &mut self.acquisition
            && acquisition.step == Step::Waiting
            && acquisition.waits.until_ms <= now.mono_ms
        {
            acquisition.step = Step::Planning;
            self.proceed(now);
        }
        if self.acquisition.as_ref().is_some_and(|acquisition| acquisition.step == Step::Polling) {
            self.proceed(now);
        }
        let exchanging = self.acquisition.as_ref().filter(|under_way| under_way.step == Step::Exchanging);
        let overdue = exchanging.and_then(|acquisition| acquisition.next_timeout());
        if overdue.is_some_and(|at| at <= now.mono_ms) {
            // The request goes on: its answer may hold the only refresh token.
            let failure = Failure::new(FailureKind::TimedOut, "");
            let work =
                self.acquisition.as_ref().map_or(Step::Exchanging.work(), |under_way| under_way.work());
            let error = self.report_while_waiting(Owner::Acquisition, effect_error(work, failure));
            self.fail_calls(
                |stage| matches!(stage, Stage::WaitingForAcquisition { .. } | Stage::WaitingForExchange),
                error,
            );
            if let Some(acquisition) = &mut self.acquisition {
                acquisition.told_overdue = true;
            }
        }
    }

    /// The device code could not be shown, the user gave up, or time is up. A token that is on its way may be
    /// there all the same: its answer decides.
    fn on_prompt(&mut self, now: Now, completion: Completion<'_>) {
        let Some(mut acquisition) = self.acquisition.take() else { return };
        let error = match completion {
            Completion::Failed(failure) if failure.kind == FailureKind::TimedOut => {
                Refused::DeviceCodeExpired.into()
            }
            other => failed(Work::Interaction, other),
        };
        if acquisition.is_obtaining() {
            acquisition.prompt_ended = Some(self.report_of(error));
            self.acquisition = Some(acquisition);
        } else {
            self.end_acquisition(now, &acquisition, error.into());
        }
    }

    // Detached effects, and records.

    fn on_detached(&mut self, kind: RecordKind, completion: Completion<'_>) {
        match (kind, completion) {
            // A lease that was renewed or released. If anything else has been written since, the next
            // write conflicts, and the record is looked at.
            (RecordKind::Grant, Completion::Saved(revision)) => self.grant.revision = Some(revision),
            (RecordKind::Pending, Completion::Saved(revision)) => {
                self.pending.revision = Some(revision);
                self.pending.loaded = true;
            }
            (RecordKind::Pending, Completion::Deleted) => {
                self.pending.revision = None;
                self.pending.loaded = true;
            }
            (RecordKind::Binding, completion @ (Completion::Saved(_) | Completion::Conflict)) => {
                self.on_pinned_late(&completion);
            }
            (RecordKind::Binding, completion) => {
                self.on_pinned_late(&completion);
                self.notice(Notice::StoreFailed { kind });
            }
            // Others write it too: it is loaded again when it is needed.
            (_, Completion::Conflict | Completion::Saved(_) | Completion::Deleted) => {}
            (kind, _) => self.notice(Notice::StoreFailed { kind }),
        }
    }
}

/// A record, if it can be read. That it cannot was told before.
fn read_record<T: serde::de::DeserializeOwned>(stored: Option<Stored<'_>>) -> Option<T> {
    record::read(stored?.record).ok()
}

/// The error for an answer that ends a step.
fn failed(work: Work, completion: Completion<'_>) -> Error {
    match completion {
        Completion::Failed(failure) => effect_error(work, failure),
        Completion::Declined => Refused::Declined.into(),
        _ => unexpected(work),
    }
}
