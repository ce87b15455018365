//! Logging out: the tokens are given back (RFC 7009) and forgotten.

use url::Url;

use super::calls::{Purpose, Stage};
use super::discover::Probe;
use super::ops::Owner;
use super::output::{CallId, Notice, Verdict};
use super::seal::Addressee;
use super::{Engine, Held, effect_error, unexpected};
use crate::effect::{Completion, Effect, RecordKind, RecordRevision};
use crate::error::{ErrorReport, Exchange, Failure, FailureKind, Work};
use crate::limits;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::revocation::{self, RevocationRequest, TokenHint};
use crate::wire::server_metadata;
use crate::wire::well_known::Found;

/// A log-out on its way.
#[derive(Debug)]
pub(super) struct LogOut {
    step: Step,
    probe: Option<Probe<Url>>,
    endpoint: Option<Box<Url>>,
    /// What is to be given back still, the refresh token first: the access tokens go with it.
    tokens: Vec<(Secret, TokenHint)>,
    /// What went wrong first. The tokens are forgotten all the same.
    failure: Option<ErrorReport>,
    rounds: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Deleting,
    Discovering,
    Planning,
    Reloading,
    Revoking,
    Sealing,
}

impl Engine {
    /// Gives the account's tokens back to the authorization server (RFC 7009) and forgets them, here and in
    /// the store. An authorization that is under way ends.
    ///
    /// The verdict is [`Verdict::Done`]; [`Verdict::Fail`] when the server could not be told, or the store
    /// failed. The engine has forgotten the tokens in any case. What the user trusts and the client's
    /// registration stay.
    pub fn log_out(&mut self, now: Now) -> CallId {
        let call = self.calls.open_for(Purpose::LogOut);
        self.dispatch(now, call);
        call
    }

    /// Begins, or lets the call wait for the log-out that is under way.
    pub(super) fn start_log_out(&mut self, now: Now, call: CallId) {
        if self.log_out.is_some() {
            return self.set_stage(call, Stage::WaitingForLogOut);
        }
        let obtaining = self.acquisition.as_ref().is_some_and(|under_way| under_way.is_obtaining());
        if self.refresh.is_some() || obtaining {
            return self.set_stage(call, Stage::WaitingToLogOut);
        }
        self.set_stage(call, Stage::WaitingForLogOut);
        if let Some(acquisition) = self.acquisition.take() {
            self.end_acquisition(
                now,
                &acquisition,
                super::acquire::End::from(crate::error::Refused::Declined),
            );
        }
        let tokens = self.grant.grant.as_deref().map(|grant| {
            let refresh = grant.tokens.refresh.clone().map(|token| (token, TokenHint::RefreshToken));
            let access = grant.tokens.access.as_ref();
            let access = access.map(|access| (Secret::from(access.expose()), TokenHint::AccessToken));
            access.into_iter().chain(refresh).collect()
        });
        self.log_out = Some(Box::new(LogOut {
            step: Step::Planning,
            probe: None,
            endpoint: self
                .grant
                .grant
                .as_deref()
                .and_then(|grant| grant.server.revocation_endpoint().cloned().map(Box::new)),
            tokens: tokens.unwrap_or_default(),
            failure: None,
            rounds: 0,
        }));
        self.log_out_further(now);
    }

    /// Begins the log-outs that waited for tokens on their way.
    pub(super) fn begin_log_outs(&mut self, now: Now) {
        for call in self.calls.at(|stage| matches!(stage, Stage::WaitingToLogOut)) {
            self.start_log_out(now, call);
        }
    }

    /// Whether a call has to wait for a log-out that is under way.
    pub(super) fn waits_for_log_out(&mut self, call: CallId) -> bool {
        if self.log_out.is_none() {
            return false;
        }
        self.set_stage(call, Stage::WaitingForLogOut);
        true
    }

    fn log_out_further(&mut self, now: Now) {
        let Some(mut log_out) = self.log_out.take() else { return };
        match self.next_log_out_step(now, &mut log_out) {
            Some(step) => {
                log_out.step = step;
                self.log_out = Some(log_out);
            }
            None => {
                self.notice(Notice::Forgotten);
                self.list_account(now);
                for call in self.calls.at(|stage| matches!(stage, Stage::WaitingForLogOut)) {
                    let is_log_out =
                        self.calls.get_mut(call).is_some_and(|open| open.purpose == Purpose::LogOut);
                    match &log_out.failure {
                        _ if !is_log_out => self.dispatch(now, call),
                        Some(error) => self.fail_call(call, error.clone()),
                        None => self.end_call(call, Verdict::Done),
                    }
                }
            }
        }
    }

    fn next_log_out_step(&mut self, now: Now, log_out: &mut LogOut) -> Option<Step> {
        let Some(grant) = self.grant.grant.clone() else { return self.forget_grant(now) };
        if log_out.tokens.is_empty() {
            return self.forget_grant(now);
        }
        let Some(endpoint) = log_out.endpoint.clone() else {
            if log_out.probe.is_none() {
                // A server whose endpoints are stated publishes no more than these.
                let own = self.config.named_issuer(grant.server.issuer());
                let candidates = match self.config.states_endpoints_of(own) {
                    true => Vec::new(),
                    false => server_metadata::candidates(own).unwrap_or_default(),
                };
                log_out.probe = Some(Probe::new(candidates));
            }
            return match log_out.probe.as_mut().and_then(|probe| probe.url(|url| url)) {
                Some(url) => {
                    let request = server_metadata::request(url, self.config.revision);
                    let effect = Effect::Http { request: Box::new(request), max_body: limits::DOCUMENT_BODY };
                    let why = "the authorization server may take tokens back";
                    self.perform(now, Owner::LogOut, effect, self.config.timeouts.http_ms, why);
                    Some(Step::Discovering)
                }
                // A server that takes nothing back: the tokens run out by themselves.
                None => self.forget_grant(now),
            };
        };
        let (token, hint) = log_out.tokens.last()?.clone();
        let addressee = Addressee { server: &grant.server, endpoint: &endpoint, dpop: None };
        let seals = match self.seal(now, Owner::LogOut, addressee) {
            Ok(Some(seals)) => seals,
            Ok(None) => return Some(Step::Sealing),
            Err(error) => {
                log_out.failure.get_or_insert(self.report_of(error));
                return self.forget_grant(now);
            }
        };
        let request = RevocationRequest {
            endpoint: &endpoint,
            client: grant.server.client(),
            token: &token,
            hint,
            assertion: seals.assertion.as_ref(),
        };
        let request = request.request(&self.config.quirks);
        let effect = Effect::Http { request: Box::new(request), max_body: limits::DOCUMENT_BODY };
        let why = "the token is given back";
        self.perform(now, Owner::LogOut, effect, self.config.timeouts.http_ms, why);
        Some(Step::Revoking)
    }

    /// Forgets the tokens; `None` when the store holds none.
    fn forget_grant(&mut self, now: Now) -> Option<Step> {
        let issuer = self.grant.grant.as_ref().map(|grant| grant.server.issuer().clone());
        let (revision, generation) = (self.grant.revision, self.grant.generation);
        self.grant = Held { generation, revision, ..Held::default() };
        let (issuer, expect) = (issuer?, revision?);
        self.delete_grant(now, &issuer, expect);
        self.forgotten_issuer = Some(issuer);
        Some(Step::Deleting)
    }

    fn delete_grant(&mut self, now: Now, issuer: &server_metadata::Issuer, expect: RecordRevision) {
        let key = self.key(RecordKind::Grant, Some(issuer));
        self.perform(
            now,
            Owner::LogOut,
            Effect::Delete { key, expect },
            limits::STORE_MS,
            "the tokens are forgotten",
        );
    }

    pub(super) fn on_log_out(&mut self, now: Now, completion: Completion<'_>) {
        let Some(mut log_out) = self.log_out.take() else { return };
        let step = std::mem::replace(&mut log_out.step, Step::Planning);
        match (step, completion) {
            (Step::Discovering, Completion::Http(response)) => {
                let Some(issuer) = self.grant.grant.as_ref().map(|grant| grant.server.issuer().clone())
                else {
                    return;
                };
                if let Some(probe) = &mut log_out.probe
                    && let Some(asked) = probe.asked.clone()
                {
                    let rules = self.rules(self.config.flow.grant_type());
                    match server_metadata::read(&issuer, &asked, probe.redirects, &response, rules) {
                        Ok(Found::Document(document)) => match document.revocation_endpoint {
                            Some(endpoint) => log_out.endpoint = Some(endpoint),
                            None => log_out.tokens.clear(),
                        },
                        Ok(Found::Redirected(url)) => probe.redirect(url),
                        Ok(Found::Nothing) => probe.skip(),
                        Err(error) => {
                            log_out.failure.get_or_insert(self.report_of(error));
                            log_out.tokens.clear();
                        }
                    }
                }
            }
            (Step::Revoking, Completion::Http(response)) => {
                if let Some((token, hint)) = log_out.tokens.pop()
                    && let Some(grant) = self.grant.grant.as_deref()
                    && let Some(endpoint) = &log_out.endpoint
                {
                    let request = RevocationRequest {
                        endpoint,
                        client: grant.server.client(),
                        token: &token,
                        hint,
                        assertion: None,
                    };
                    if let Err(error) = revocation::read(&request, &response, &self.config.quirks) {
                        log_out.failure.get_or_insert(self.report_of(error));
                    }
                }
            }
            (Step::Sealing, Completion::Signed { signature }) => {
                if let Err(error) = self.on_signed(Owner::LogOut, signature) {
                    log_out.failure.get_or_insert(self.report_of(error));
                    log_out.tokens.clear();
                }
            }
            (Step::Deleting, Completion::Deleted) => {
                self.grant.revision = None;
                self.forgotten_issuer = None;
            }
            (Step::Deleting, Completion::Conflict) => {
                // Another process has renewed the tokens meanwhile; they go too.
                log_out.rounds += 1;
                if let Some(issuer) = self.forgotten_issuer.clone()
                    && log_out.rounds <= limits::STORE_ROUNDS
                {
                    let key = self.key(RecordKind::Grant, Some(&issuer));
                    self.load(now, Owner::LogOut, key, "another process wrote the tokens");
                    log_out.step = Step::Reloading;
                    self.log_out = Some(log_out);
                    return;
                }
                let failure = Failure::new(FailureKind::Other, "other processes keep writing the record");
                log_out.failure.get_or_insert(effect_error(Work::Store, failure).into());
            }
            (Step::Reloading, Completion::Loaded(stored)) => {
                if let (Some(stored), Some(issuer)) = (stored, self.forgotten_issuer.clone()) {
                    self.delete_grant(now, &issuer, stored.revision);
                    log_out.step = Step::Deleting;
                    self.log_out = Some(log_out);
                    return;
                }
                self.grant.revision = None;
            }
            (step, completion) => {
                let work = match step {
                    Step::Deleting | Step::Reloading => Work::Store,
                    Step::Sealing => Work::Signing,
                    Step::Discovering | Step::Planning | Step::Revoking => {
                        Work::Exchange(Exchange::Revocation)
                    }
                };
                let error = match completion {
                    Completion::Failed(failure) => effect_error(work, failure),
                    _ => unexpected(work),
                };
                log_out.failure.get_or_insert(self.report_of(error));
                log_out.tokens.clear();
                self.forget_sealing(Owner::LogOut);
                if work == Work::Store {
                    self.grant.revision = None;
                }
            }
        }
        self.log_out = Some(log_out);
        self.log_out_further(now);
    }
}
