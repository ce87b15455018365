//! Logging out: the tokens are given back (RFC 7009) and forgotten, with what would lead back to them.

use crate::client::engine::{Engine, GrantState};
use crate::client::output::{CallId, Notice, Verdict};
use crate::client::state::acquisition::End;
use crate::client::state::binding::Binding;
use crate::client::state::budget::Budget;
use crate::client::state::calls::{Purpose, Stage};
use crate::client::state::failure::{effect_error, unexpected};
use crate::client::state::log_out::{LogOut, Progress, Record, Return, Step};
use crate::client::state::ops::Owner;
use crate::client::state::pending::Pending;
use crate::client::state::record::{self, GrantRecord, PendingRecord};
use crate::client::state::refresh::is_gone;
use crate::client::state::signing::Addressee;
use crate::client::state::step_up::StepUps;
use crate::effect::{Completion, Effect, RecordKind, Stored};
use crate::error::{Error, ErrorReport, Failure, FailureKind, Refused, Work};
use crate::finding::Findings;
use crate::limits;
use crate::time::Now;
use crate::wire::HttpResponse;
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::revocation::{self, RevocationRequest};
use crate::wire::server_metadata::{self, Issuer};
use crate::wire::well_known::Found;

impl Engine {
    /// Gives the account's tokens back to the authorization server (RFC 7009) and forgets them, here and in
    /// the store; those of servers that the resource named before, too. Authorizations that are under way end.
    /// Those that earlier processes left unanswered are forgotten together with the client's registration, which
    /// the server may have forgotten too.
    ///
    /// The verdict is [`Verdict::Done`]; [`Verdict::Fail`] when a server could not be told, or the store
    /// failed. The engine has forgotten the tokens in any case. What the user trusts, and any other registration,
    /// stay.
    pub fn log_out(&mut self, now: Now) -> CallId {
        let call = self.calls.open_for(Purpose::LogOut);
        self.dispatch(now, call);
        self.left(now);
        call
    }

    /// Forgets everything about the resource for this account, as if it had never been used: the tokens, which are
    /// given back as by [`log_out`](Self::log_out), the registrations, which authorization server was trusted, and
    /// what was pending. The way on when a resource has moved, or when what is stored leads nowhere.
    ///
    /// The verdict is [`Verdict::Done`]; [`Verdict::Fail`] when a server could not be told, or the store failed.
    /// Calls that come after it begin anew. Other accounts keep what is theirs.
    pub fn forget(&mut self, now: Now) -> CallId {
        let call = self.calls.open_for(Purpose::Forget);
        self.dispatch(now, call);
        self.left(now);
        call
    }

    /// Begins, or lets the call wait for the log-out that is under way.
    pub(crate) fn start_log_out(&mut self, now: Now, call: CallId) {
        let everything = self.calls.get_mut(call).is_some_and(|open| open.purpose == Purpose::Forget);
        if let Some(mut log_out) = self.log_out.take() {
            if everything {
                self.clear_everything(&mut log_out.progress);
            }
            self.log_out = Some(log_out);
            return self.set_stage(call, Stage::WaitingForLogOut);
        }
        let obtaining = self.acquisition.as_ref().is_some_and(|under_way| under_way.is_obtaining());
        if self.refresh.is_some() || obtaining {
            return self.set_stage(call, Stage::WaitingToLogOut);
        }
        self.set_stage(call, Stage::WaitingForLogOut);
        if let Some(acquisition) = self.acquisition.take() {
            self.end_acquisition(now, &acquisition, End::from(Refused::Declined));
        }
        if self.log_out.is_some() {
            return self.start_log_out(now, call); // another one has begun with that
        }
        self.budgets.log_out = Budget::default();
        let mut progress = self.what_goes();
        if everything {
            self.clear_everything(&mut progress);
        }
        self.log_out_goes_on(now, progress);
    }

    /// The held tokens, and the records that go with them.
    fn what_goes(&mut self) -> Progress {
        let mut progress = Progress::default();
        let (revision, generation) = (self.grant.revision, self.grant.generation);
        let held = std::mem::replace(&mut self.grant, GrantState { generation, ..GrantState::default() });
        progress.queue.push(Record { kind: RecordKind::Pending, issuer: None });
        let former = self.binding.record.former.iter();
        progress.queue.extend(
            former.map(|issuer| Record { kind: RecordKind::Grant, issuer: Some(Issuer::trusted(issuer)) }),
        );
        if let Some(grant) = held.grant {
            progress.held = Some(grant.server.issuer().clone());
            progress.clearing = Some((
                Record { kind: RecordKind::Grant, issuer: Some(grant.server.issuer().clone()) },
                revision,
            ));
            progress.returned = grant.tokens.refresh.clone();
            progress.returning = Return::of(grant);
        }
        self.known = None;
        if self.config.shared_store {
            progress.queue.push(Record { kind: RecordKind::Binding, issuer: None });
        } else {
            progress.looked = true;
        }
        progress
    }

    /// Lets the registrations and the binding go, too.
    fn clear_everything(&self, progress: &mut Progress) {
        let held = progress.clearing.as_ref().and_then(|(record, _)| record.issuer.clone());
        let former = self.binding.record.former.iter().map(|issuer| Issuer::trusted(issuer));
        for issuer in held.into_iter().chain(self.pinned()).chain(former) {
            progress.clear(RecordKind::Registration, issuer);
        }
        let binding = Record { kind: RecordKind::Binding, issuer: None };
        if !progress.everything {
            progress.queue.insert(0, binding);
        }
        progress.everything = true;
    }

    /// Begins the log-outs that waited for tokens on their way.
    pub(crate) fn begin_log_outs(&mut self, now: Now) {
        for call in self.calls.at(|stage| matches!(stage, Stage::WaitingToLogOut)) {
            self.start_log_out(now, call);
        }
    }

    /// Whether a call has to wait for a log-out that is under way.
    pub(crate) fn waits_for_log_out(&mut self, call: CallId) -> bool {
        if self.log_out.is_none() {
            return false;
        }
        self.set_stage(call, Stage::WaitingForLogOut);
        true
    }

    /// Takes the next step, or ends.
    fn log_out_goes_on(&mut self, now: Now, mut progress: Progress) {
        match self.next_log_out_step(now, &mut progress) {
            Some(step) => self.log_out = Some(Box::new(LogOut { step, progress })),
            None => self.end_log_out(now, progress.failure, progress.everything),
        }
    }

    fn end_log_out(&mut self, now: Now, failure: Option<ErrorReport>, everything: bool) {
        if everything {
            self.binding = Binding::default();
            self.kept_subject = None;
            self.step_ups = StepUps::default();
            self.rejected_ms = None;
            self.loaded_ms = 0; // should a record have stayed
        }
        self.pending = Pending::default();
        self.registration_failed = false;
        self.notice(Notice::Forgotten);
        self.list_account(now);
        for call in self.calls.at(|stage| matches!(stage, Stage::WaitingForLogOut)) {
            let is_log_out = self.calls.get_mut(call).is_some_and(|open| open.purpose.ends_tokens());
            match &failure {
                _ if !is_log_out => self.dispatch(now, call),
                Some(error) => self.fail_call(call, error.clone()),
                None => self.end_call(call, Verdict::Done),
            }
        }
        self.look_up_callbacks(now);
    }

    /// A log-out that is over its budget.
    pub(crate) fn exhaust_log_out(&mut self, now: Now, error: Error) {
        let Some(log_out) = self.log_out.take() else { return };
        self.abandon_ops(Owner::LogOut);
        self.forget_signing(Owner::LogOut);
        let everything = log_out.progress.everything;
        self.end_log_out(now, log_out.progress.failure.or_else(|| Some(error.into())), everything);
    }

    fn next_log_out_step(&mut self, now: Now, progress: &mut Progress) -> Option<Step> {
        if let Some(mut returning) = progress.returning.take() {
            match self.give_back(now, &mut returning) {
                Ok(Some(step)) => {
                    progress.returning = Some(returning);
                    return Some(step);
                }
                Ok(None) => {}
                Err(report) => progress.fail(report),
            }
        }
        if let Some((record, Some(expect))) = &progress.clearing {
            let key = self.key(record.kind, record.issuer.as_ref());
            let why = "the tokens are forgotten, with what would lead back to them";
            let effect = Effect::Delete { key, expect: *expect };
            self.perform(now, Owner::LogOut, effect, limits::STORE_MS, why);
            return Some(Step::Deleting);
        }
        let record = progress.queue.pop()?;
        self.load_to_clear(now, &record);
        progress.clearing = Some((record, None));
        progress.rounds = 0;
        Some(Step::Loading)
    }

    fn load_to_clear(&mut self, now: Now, record: &Record) {
        let key = self.key(record.kind, record.issuer.as_ref());
        self.load(now, Owner::LogOut, key, "what is stored for this account goes");
    }

    /// Gives the next token back; `None` when that is done.
    fn give_back(&mut self, now: Now, returning: &mut Return) -> Result<Option<Step>, ErrorReport> {
        let Some((token, hint)) = returning.tokens.last().cloned() else { return Ok(None) };
        let grant = &returning.grant;
        let Some(endpoint) = returning.endpoint.clone() else {
            if returning.probe.is_none() {
                returning.probe = Some(self.probe_for(grant.server.issuer()));
            }
            let Some(probe) = &mut returning.probe else { return Ok(None) };
            let Some(url) = probe.next_url() else {
                // A server that takes nothing back: the tokens run out by themselves.
                return probe.failure().map_or(Ok(None), Err);
            };
            let request = server_metadata::request(url, self.config.revision);
            let why = "the authorization server may take tokens back";
            self.send_request(now, Owner::LogOut, request, why);
            return Ok(Some(Step::Discovering));
        };
        let addressee = Addressee { server: &grant.server, endpoint: &endpoint, dpop: None };
        let signed =
            self.sign_request(now, Owner::LogOut, addressee).map_err(|error| self.report_of(error))?;
        let Some(signatures) = signed else { return Ok(Some(Step::Signing)) };
        let request = RevocationRequest {
            endpoint: &endpoint,
            client: grant.server.client(),
            token: &token,
            hint,
            assertion: signatures.assertion.as_ref(),
        };
        let request = match returning.empty_secret {
            true => request.with_empty_secret(&self.config.quirks),
            false => request.request(&self.config.quirks),
        };
        self.send_request(now, Owner::LogOut, request, "the token is given back");
        Ok(Some(Step::Revoking))
    }

    pub(crate) fn on_log_out(&mut self, now: Now, completion: Completion<'_>) {
        let Some(log_out) = self.log_out.take() else { return };
        let LogOut { step, mut progress } = *log_out;
        if let (Work::Exchange(exchange), Completion::Http(response)) = (step.work(), &completion)
            && self.waits(now, &mut progress.waits, exchange, response)
        {
            self.log_out = Some(Box::new(LogOut { step: Step::Waiting, progress }));
            return;
        }
        match (step, completion) {
            (Step::Discovering, Completion::Http(response)) => self.on_endpoint(&mut progress, &response),
            (Step::Revoking, Completion::Http(response)) => self.on_given_back(&mut progress, &response),
            (Step::Signing, Completion::Signed { signature }) => {
                if let Err(error) = self.on_signed(Owner::LogOut, signature) {
                    progress.fail(self.report_of(error));
                }
            }
            (Step::Deleting, Completion::Deleted) => progress.clearing = None,
            (Step::Deleting, Completion::Conflict) => {
                // Another process has written meanwhile; that goes too.
                progress.rounds += 1;
                if progress.rounds <= limits::STORE_ROUNDS
                    && let Some((record, revision)) = &mut progress.clearing
                {
                    *revision = None;
                    self.load_to_clear(now, record);
                    self.log_out = Some(Box::new(LogOut { step: Step::Loading, progress }));
                    return;
                }
                let failure = Failure::new(FailureKind::Other, "other processes keep writing the record");
                progress.fail(effect_error(Work::Store, failure).into());
                progress.clearing = None;
            }
            (Step::Loading, Completion::Loaded(stored)) => self.on_loaded_to_clear(&mut progress, stored),
            (step, completion) => {
                let work = step.work();
                let error = match completion {
                    Completion::Failed(failure) => effect_error(work, failure),
                    _ => unexpected(work),
                };
                progress.fail(self.report_of(error));
                self.forget_signing(Owner::LogOut);
                if work == Work::Store {
                    progress.clearing = None;
                }
            }
        }
        self.log_out_goes_on(now, progress);
    }

    fn on_endpoint(&mut self, progress: &mut Progress, response: &HttpResponse<'_>) {
        let rules = self.rules(self.config.flow.grant_type());
        let Some(returning) = &mut progress.returning else { return };
        let Some(probe) = &mut returning.probe else { return };
        let Some((asked, redirects)) = probe.asked() else { return };
        let (issuer, mut findings) = (&returning.grant.server.issuer(), Findings::new());
        let read = server_metadata::read(issuer, asked, redirects, response, rules, &mut findings);
        self.keep(findings);
        let found = read.unwrap_or_else(Found::Nothing);
        match probe.take(found, |why| self.report_of(why)).map(|document| document.revocation_endpoint) {
            Some(Some(endpoint)) => returning.endpoint = Some(*endpoint),
            Some(None) => progress.returning = None,
            None => {}
        }
    }

    fn on_given_back(&mut self, progress: &mut Progress, response: &HttpResponse<'_>) {
        let Some(returning) = &mut progress.returning else { return };
        let Some((token, hint)) = returning.tokens.last() else { return };
        let Some(endpoint) = &returning.endpoint else { return };
        let request = RevocationRequest {
            endpoint,
            client: returning.grant.server.client(),
            token,
            hint: *hint,
            assertion: None,
        };
        let mut findings = Findings::new();
        let read = revocation::read(&request, response, &self.config.quirks, &mut findings);
        self.keep(findings);
        match read {
            // The endpoint is of the record; the metadata may name another one.
            Err(_) if is_gone(response) && returning.probe.is_none() => returning.endpoint = None,
            Err(error) if !returning.empty_secret && wants_secret(&error, request.client) => {
                returning.empty_secret = true;
            }
            read => {
                // One that is not taken back keeps no other here: the next is offered all the same.
                returning.tokens.pop();
                if let Some(error) = read.err().filter(|error| !is_over(error)) {
                    progress.failure.get_or_insert(self.report_of(error));
                }
            }
        }
    }

    /// A record of this account is here: its tokens go back where they came from, and it goes.
    fn on_loaded_to_clear(&mut self, progress: &mut Progress, stored: Option<Stored<'_>>) {
        let Some((record, revision)) = &mut progress.clearing else { return };
        if record.kind == RecordKind::Binding && !progress.looked {
            progress.clearing = None;
            return self.on_looked(progress, stored);
        }
        let Some(stored) = stored else {
            progress.clearing = None;
            return;
        };
        *revision = Some(stored.revision);
        match record.kind {
            RecordKind::Grant => {
                let grant = record::read(stored.record)
                    .and_then(|record: GrantRecord| record.into_grant(&self.config));
                // Another process may only have leased the tokens that are given back already.
                let grant = grant.ok().map(|(grant, _)| grant).filter(|grant| {
                    grant.tokens.refresh.is_none() || grant.tokens.refresh != progress.returned
                });
                progress.returned = grant.as_ref().and_then(|grant| grant.tokens.refresh.clone());
                progress.returning = grant.and_then(|grant| Return::of(Box::new(grant)));
            }
            RecordKind::Pending => {
                let pending: PendingRecord = record::read(stored.record).unwrap_or_default();
                for asked in &pending.authorizations {
                    let issuer = || Issuer::trusted(asked.server.issuer());
                    // It may have been answered by a process that died before it pinned the issuer.
                    if !asked.sign_on && !self.is_pinned(&issuer()) {
                        progress.clear(RecordKind::Grant, issuer());
                    }
                    // It may have led nowhere because the server has forgotten the client.
                    if progress.everything || self.registered_by_itself(asked.server.client()) {
                        progress.clear(RecordKind::Registration, issuer());
                    }
                }
            }
            _ => {}
        }
    }

    /// What other processes have bound the resource to goes as well.
    fn on_looked(&mut self, progress: &mut Progress, stored: Option<Stored<'_>>) {
        progress.looked = true;
        self.binding.load(stored);
        let former = self.binding.record.former.iter().map(|issuer| Issuer::trusted(issuer));
        for issuer in self.pinned().into_iter().chain(former) {
            if progress.everything {
                progress.clear(RecordKind::Registration, issuer.clone());
            }
            if progress.held.as_ref() != Some(&issuer) {
                progress.clear(RecordKind::Grant, issuer);
            }
        }
    }

    pub(crate) fn log_out_timeout(&mut self, now: Now) {
        let due = |log_out: &LogOut| log_out.next_timeout().is_some_and(|at_ms| at_ms <= now.mono_ms);
        if self.log_out.as_deref().is_some_and(due)
            && let Some(log_out) = self.log_out.take()
        {
            self.log_out_goes_on(now, log_out.progress);
        }
    }
}

/// Whether there is nothing more to do for a token. RFC 7009 2.2.1: the server takes no tokens of this kind back,
/// such as access tokens that are JWTs, which run out by themselves. RFC 7009 2.2: one that is not valid any more,
/// such as an access token whose refresh token went before, is as good as given back.
fn is_over(error: &Error) -> bool {
    let Error::Refused(Refused::Token { code, .. }) = error else { return false };
    ["unsupported_token_type", "invalid_token"].iter().any(|over| *code == **over)
}

/// Whether a server demands `client_secret` in the body of a client that has none, or none there, as the MCP Python
/// SDK's does.
fn wants_secret(error: &Error, client: &Client) -> bool {
    let none_in_body = matches!(client.method, ClientAuthMethod::None | ClientAuthMethod::SecretBasic);
    let Error::Refused(Refused::Token { code, description, .. }) = error else { return false };
    let is_about_it = description.as_ref().is_some_and(|text| text.as_str().contains("client_secret"));
    none_in_body && *code == "invalid_request" && is_about_it
}
