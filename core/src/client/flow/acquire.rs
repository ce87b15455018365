//! Getting a token with the user's help: what is needed next.
//!
//! An acquisition gathers what it knows and asks for the first thing that is missing, in the order in
//! which `next_step` reads. `acquisition_step` puts the answers in.

use std::sync::Arc;

use crate::client::config::Flow;
use crate::client::engine::Engine;
use crate::client::flow::plan::{Facts, GrantKind, Need, plan};
use crate::client::output::{CallId, Notice, Verdict};
use crate::client::state::acquisition::{Acquisition, Cause, End, Step};
use crate::client::state::budget::Budget;
use crate::client::state::calls::Stage;
use crate::client::state::challenged::Challenged;
use crate::client::state::failure::{effect_error, failed, unexpected};
use crate::client::state::ops::Owner;
use crate::client::state::registration::RegistrationState;
use crate::client::state::resource::{Resource, no_server_metadata};
use crate::client::task::authorize::AuthorizationParams;
use crate::effect::{Completion, RecordKind};
use crate::error::{Error, Failure, FailureKind, PeerIncompatible, PeerMisbehaved, PeerText, Refused, Work};
use crate::limits;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::callback::Callback;
use crate::wire::server_metadata::ServerMetadata;

impl Engine {
    /// Lets a call wait for an authorization, and starts one if none is under way.
    pub(crate) fn acquire(
        &mut self,
        now: Now,
        call: CallId,
        cause: Cause,
        challenged: Challenged,
        needs: ScopeSet,
    ) {
        if self.waits_for_log_out(call) {
            return;
        }
        match &mut self.acquisition {
            Some(under_way) => {
                if under_way.is_before_the_browser()
                    && let Err(error) = under_way.join(&challenged)
                {
                    return self.fail_call(call, error);
                }
                // Whoever needs a token more than those before decides how far it goes.
                under_way.cause = under_way.cause.max(cause);
            }
            None => {
                self.budgets.acquisition = Budget::default();
                let mut acquisition = Acquisition::new(cause, challenged);
                if cause == Cause::StepUp || self.config.flow.is_without_user() {
                    self.reuse_discovery(&mut acquisition);
                }
                self.acquisition = Some(Box::new(acquisition));
            }
        }
        self.wait_for_acquisition(now, call, Stage::WaitingForAcquisition { needs });
        self.proceed(now);
    }

    /// A step-up goes to the server that granted the token.
    fn reuse_discovery(&self, acquisition: &mut Acquisition) {
        let (Some(known), Some(grant)) = (&self.known, &self.grant.grant) else { return };
        if known.server.issuer == *grant.server.issuer() {
            acquisition.reused = true;
            acquisition.resource = Some(Arc::clone(&known.resource));
            acquisition.issuer = Some(grant.server.issuer().clone());
            acquisition.server = Some(Arc::clone(&known.server));
            acquisition.sign_on.provider = known.provider.clone();
        }
    }

    pub(crate) fn wait_for_acquisition(&mut self, now: Now, call: CallId, stage: Stage) {
        if self.acquisition.as_ref().is_some_and(|acquisition| acquisition.is_overdue(now)) {
            let failure = Failure::new(FailureKind::TimedOut, "");
            let error = effect_error(Step::Exchanging.work(), failure);
            self.fail_call(call, self.report_while_waiting(Owner::Acquisition, error));
            return;
        }
        if let Some(open) = self.calls.get_mut(call) {
            open.authorized = true;
            open.stage = stage;
        }
    }

    /// Asks for the next thing that the acquisition needs, if it does not wait for one already.
    pub(crate) fn proceed(&mut self, now: Now) {
        let Some(mut acquisition) = self.acquisition.take() else { return };
        if !matches!(acquisition.step, Step::Planning | Step::AwaitingEntropy | Step::Polling) {
            self.acquisition = Some(acquisition);
            return;
        }
        match self.plan(now, &mut acquisition) {
            Ok(step) => {
                acquisition.step = step;
                self.acquisition = Some(acquisition);
                if step == Step::Polling {
                    self.begin_log_outs(now);
                }
                if step == Step::Authorizing {
                    self.look_up_callbacks(now);
                }
            }
            Err(end) => self.end_acquisition(now, &acquisition, end),
        }
    }

    /// The next step for which something is waited. One that came to nothing, such as a server without metadata, is
    /// planned anew: each takes away what led to it. Nobody is left waiting for a plan.
    fn plan(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Step, End> {
        for _ in 0..=limits::LIST {
            match self.next_step(now, acquisition)? {
                Step::Planning => {}
                step => return Ok(step),
            }
        }
        Err(unexpected(acquisition.work()).into())
    }

    /// Asks for what the plan says is needed next. [`Step::Planning`] if that was there at once.
    fn next_step(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Step, End> {
        let step = match plan(&self.facts(now, acquisition)) {
            Need::CurrentRecords => Some(self.load_current_binding(now)),
            Need::PendingRecord => Some(self.load_pending(now)),
            Need::Settled => Some(self.finish(now, acquisition)?),
            Need::StoredToken => Some(self.store_token(now, acquisition)?),
            Need::Token => match self.find_token_endpoint(now, acquisition)? {
                Some(step) => Some(step),
                None => Some(self.request_token(now, acquisition)?),
            },
            Need::Callback => self.take_callback(now, acquisition)?,
            Need::Nothing => return Err(End::NobodyWaits),
            Need::RestartSettled => self.resume(now, acquisition)?,
            Need::Resource => self.discover_resource(now, acquisition)?,
            Need::Issuer => {
                let resource = resource(acquisition)?;
                self.choose_issuer(acquisition, &resource)?;
                None
            }
            Need::Approval => {
                let resource = resource(acquisition)?;
                let issuer = self.choose_issuer(acquisition, &resource)?;
                let scopes = self.demanded_scopes(acquisition, &resource)?;
                self.ask_for_approval(now, acquisition, &resource, &issuer, scopes)?
            }
            Need::Server => {
                let issuer = self.choose_issuer(acquisition, &*resource(acquisition)?)?;
                self.discover_server(now, acquisition, &issuer)?
            }
            need => self.next_step_at(now, acquisition, need)?,
        };
        Ok(step.unwrap_or(Step::Planning))
    }

    /// What is needed at a server that is known.
    fn next_step_at(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        need: Need,
    ) -> Result<Option<Step>, End> {
        let resource = resource(acquisition)?;
        let server = match (&acquisition.server, &acquisition.issuer) {
            (Some(server), _) => Arc::clone(server),
            (None, Some(issuer)) => return Err(no_server_metadata(issuer).into()),
            (None, None) => return Err(unexpected(acquisition.work()).into()),
        };
        self.check_flow(&server)?;
        if need == Need::Client {
            return self.find_client(now, acquisition, &server);
        }
        if need == Need::RedirectUri {
            return self.listen(now, acquisition, None).map(Some);
        }
        if let Some(client) = &acquisition.client {
            self.check_assertions(client, &server)?;
        }
        Ok(Some(match need {
            Need::BoundClient => self.bind_client(now, &server.issuer),
            Need::UserElsewhere => {
                let scopes = self.choose_scopes(acquisition, &resource, &server)?;
                self.device(now, acquisition, &resource, &server, scopes)?
            }
            Need::Credential => {
                let scopes = self.choose_scopes(acquisition, &resource, &server)?;
                self.without_user(now, acquisition, &resource, &server, scopes)?
            }
            Need::Request => {
                let client = acquisition.client.clone().ok_or(PeerIncompatible::NoClientAuthentication)?;
                let scopes = self.choose_scopes(acquisition, &resource, &server)?;
                let resource = self.resource_parameter(&resource);
                let asking = AuthorizationParams {
                    client: &client,
                    server: &server,
                    resource,
                    scopes,
                    sign_on: false,
                };
                return self.ask_user(now, acquisition, asking);
            }
            Need::PushedRequest => self.push(now, acquisition, &server)?,
            Need::RecordedRequest => self.save_pending(now, acquisition),
            Need::User => self.open_browser(now, acquisition)?,
            _ => return Err(unexpected(acquisition.work()).into()),
        }))
    }

    /// What is there for the plan to look at.
    fn facts(&self, now: Now, acquisition: &Acquisition) -> Facts {
        let issuer = acquisition.issuer.as_ref();
        let approved = |issuer| acquisition.approved.as_ref().is_some_and(|approved| approved.is_of(issuer));
        let binds = |server: &ServerMetadata| self.binds_client(acquisition, &server.issuer);
        Facts {
            grant: match self.config.flow {
                Flow::AuthorizationCode => GrantKind::Browser,
                Flow::Device => GrantKind::Device,
                Flow::ClientCredentials | Flow::Enterprise(_) | Flow::Workload => GrantKind::WithoutUser,
            },
            records_current: !self.may_have_been_outrun(now, acquisition),
            pending_loaded: self.pending.loaded,
            stored: acquisition.stored,
            obtained: acquisition.obtained.is_some(),
            exchange: acquisition.exchange.is_some(),
            callback: self.calls.any(|stage| matches!(stage, Stage::WaitingForCallback(_))),
            wanted: acquisition.cause != Cause::Callback && self.check_somebody_waits().is_ok(),
            restart_settled: self.looked_for_resumable && acquisition.resumable.is_none(),
            resource: acquisition.resource.is_some(),
            issuer: issuer.is_some(),
            approved: issuer.is_some_and(approved),
            server: acquisition.server.is_some(),
            client: acquisition.client.is_some(),
            redirect_uri: acquisition.redirect_uri.is_some(),
            bound: !acquisition.server.as_deref().is_some_and(binds),
            request: acquisition.asked.is_some(),
            pushed: !acquisition.unpushed,
            recorded: acquisition.asked_saved,
        }
    }

    /// Whether the server offers what the configured grant needs.
    fn check_flow(&self, server: &ServerMetadata) -> Result<(), PeerIncompatible> {
        if self.config.flow == Flow::Device && server.device_authorization_endpoint.is_none() {
            let (issuer, endpoint) = ((&server.issuer).into(), "device_authorization_endpoint");
            return Err(PeerIncompatible::NoEndpoint { issuer, endpoint });
        }
        if matches!(self.config.flow, Flow::Enterprise(_)) && server.excludes_identity_assertions() {
            return Err(PeerIncompatible::NoIdentityAssertions { issuer: (&server.issuer).into() });
        }
        Ok(())
    }

    /// The new tokens are stored: their issuer is pinned, and what was pending is removed. Everybody who waited
    /// is served after that, since the process may end with the call, and another one would wait for the page.
    fn finish(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Step, End> {
        if let Some(step) = self.pin(now, acquisition)? {
            return Ok(step);
        }
        let asked = acquisition.asked.as_ref();
        match asked.is_some_and(|asked| self.forget_pending(now, Owner::Acquisition, &asked.state)) {
            true => Ok(Step::ForgettingPending),
            false => Err(acquisition.served()),
        }
    }

    /// Whether the records are old enough to look at them again before the user is asked.
    fn may_have_been_outrun(&self, now: Now, acquisition: &Acquisition) -> bool {
        self.config.shared_store
            && acquisition.step == Step::Planning
            && acquisition.is_before_the_browser()
            && acquisition.resource_probe.is_none()
            && acquisition.cause != Cause::Callback
            && now.mono_ms.saturating_sub(self.loaded_ms) >= limits::RELOAD_MS
    }

    pub(crate) fn fetch(&mut self, now: Now, request: crate::wire::HttpRequest, why: &'static str) {
        self.send_request(now, Owner::Acquisition, request, why);
    }

    /// Ends what nobody waits for any more: all but token requests, for their answers may be unique, and pages
    /// that are open, for the user may answer them still.
    pub(crate) fn stop_for_nobody(&mut self, now: Now) {
        let goes_on = |acquisition: &Acquisition| {
            acquisition.is_obtaining()
                || acquisition.step == Step::Authorizing
                || acquisition.exchange.is_some() && !acquisition.polls()
        };
        let has_callback = || self.calls.any(|stage| matches!(stage, Stage::WaitingForCallback(_)));
        let stops = self.acquisition.as_deref().is_some_and(|acquisition| !goes_on(acquisition));
        if stops
            && self.check_somebody_waits().is_err()
            && !has_callback()
            && let Some(acquisition) = self.acquisition.take()
        {
            self.end_acquisition(now, &acquisition, End::NobodyWaits);
        }
        self.stop_refresh_for_nobody(now);
    }

    /// An acquisition that is over its budget.
    pub(crate) fn exhaust_acquisition(&mut self, now: Now, error: Error) {
        let Some(mut acquisition) = self.acquisition.take() else { return };
        self.keep_obtained(&mut acquisition);
        self.end_acquisition(now, &acquisition, End::from(error));
    }

    pub(crate) fn check_somebody_waits(&self) -> Result<(), End> {
        let waits =
            |stage: &Stage| matches!(stage, Stage::WaitingForAcquisition { .. } | Stage::WaitingForExchange);
        if self.calls.any(waits) { Ok(()) } else { Err(End::NobodyWaits) }
    }

    pub(crate) fn on_acquisition(&mut self, now: Now, completion: Completion<'_>) {
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

    pub(crate) fn acquisition_step(
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
                return Ok(self.on_current_binding(now, stored));
            }
            (Step::CheckingGrant, Completion::Loaded(stored)) => {
                return self.on_current_grant(now, acquisition, stored);
            }
            (Step::LoadingPending, Completion::Loaded(stored)) => self.on_pending_loaded(stored),
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
            (Step::FetchingResourceMetadata, Completion::Failed(failure)) => {
                self.on_resource_unreached(acquisition, failure)?;
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
                self.on_listening(acquisition, redirect_uri)?;
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

    /// Another process wrote the record first; that happens, but not forever.
    pub(crate) fn lose_round(&self, acquisition: &mut Acquisition) -> Result<(), End> {
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

    pub(crate) fn abandon(&mut self, now: Now, acquisition: &Acquisition) {
        // What another process may be waiting for stays.
        if let Some(asked) = acquisition.asked.as_deref().filter(|_| acquisition.asked_saved) {
            self.forget_pending(now, Owner::Detached(RecordKind::Pending), &asked.state);
        }
    }

    pub(crate) fn serve_waiting(&mut self, now: Now) {
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
}

/// What is known about the resource.
fn resource(acquisition: &Acquisition) -> Result<Arc<Resource>, PeerIncompatible> {
    acquisition.resource.clone().ok_or(PeerIncompatible::NoResourceMetadata)
}
