//! What the resource's responses mean: 401 and 403 told apart, everything else delivered.

use http::header::HeaderMap;
use url::Url;

use crate::client::engine::Engine;
use crate::client::output::{CallId, Notice, ResponseHead, Verdict};
use crate::client::state::acquisition::Cause;
use crate::client::state::calls::{Stage, is_named};
use crate::client::state::challenged::Challenged;
use crate::client::state::nonces;
use crate::error::{Error, Exchange, PeerMisbehaved, Refused};
use crate::finding::{Finding, Findings, Handling, Problem};
use crate::policy::{DpopPolicy, StepUpPolicy};
use crate::scope::ScopeSet;
use crate::time::Now;
use crate::wire::challenge::Challenges;
use crate::{UrlProblem, limits};

impl Engine {
    pub(crate) fn respond(&mut self, now: Now, call: CallId, response: ResponseHead<'_>) {
        if self.config.dpop != DpopPolicy::Off {
            let resource = self.config.resource.clone();
            self.note_nonce(&resource, response.headers);
        }
        let outcome = match response.status {
            401 => self.on_unauthorized(now, call, response.headers),
            403 => self.on_forbidden(now, call, response.headers),
            _ => {
                self.on_accepted(call, true);
                self.end_call(call, Verdict::Deliver);
                Ok(())
            }
        };
        if let Err(error) = outcome {
            self.fail_call(call, error);
        }
    }

    /// The token, if there was one, is good.
    fn on_accepted(&mut self, call: CallId, served: bool) {
        let Some(open) = self.calls.get_mut(call) else { return };
        if open.generation != 0 {
            self.rejected_ms = None;
        }
        // Where nothing names the operation, its URL stands for many: those that succeed are not held against
        // the others.
        if served && open.stepped_up && !is_named(open.operation) {
            let operation = open.operation;
            self.step_ups.succeeded(operation);
        }
    }

    /// 401: the token is missing, expired, revoked, or for another resource.
    fn on_unauthorized(&mut self, now: Now, call: CallId, headers: &HeaderMap) -> Result<(), Error> {
        let challenged = self.read_challenge(401, headers);
        if self.log_out.is_some() && self.calls.get_mut(call).is_some_and(|open| open.generation != 0) {
            return Err(Refused::TokenRejected.into()); // it was given back on purpose
        }
        if challenged.wants_nonce && nonces::of(&self.nonces, &self.config.resource).is_some() {
            return self.send_with_nonce(now, call);
        }
        if challenged.insufficient_authentication {
            return self.on_insufficient(now, call, challenged);
        }
        let Some(open) = self.calls.get_mut(call) else { return Ok(()) };
        let (generation, refreshed, authorized) = (open.generation, open.refreshed, open.authorized);
        if generation != self.grant.generation && self.grant.access().is_some() && !self.grant.rejected {
            self.dispatch(now, call); // there is a newer token than the one that was rejected
            return Ok(());
        }
        if generation != 0 && generation == self.grant.generation {
            self.grant.rejected = true;
        }
        if self.acquisition.as_ref().is_some_and(|under_way| under_way.is_for_everyone()) {
            self.acquire(now, call, Cause::Unauthorized, challenged, ScopeSet::new());
            return Ok(());
        }
        if self.refresh.is_some() || self.grant.is_refreshable() && !refreshed && generation != 0 {
            if let Some(open) = self.calls.get_mut(call) {
                open.refreshed = true;
            }
            self.keep_challenge(challenged);
            self.wait_for_refresh(now, call, true);
            return Ok(());
        }
        // A server that rejects what was issued for it just now would open one browser after another.
        let pausing =
            self.rejected_ms.is_some_and(|at| now.mono_ms.saturating_sub(at) < limits::REJECTED_PAUSE_MS);
        if authorized || pausing {
            self.rejected_ms.get_or_insert(now.mono_ms);
            return Err(Refused::TokenRejected.into());
        }
        self.acquire(now, call, Cause::Unauthorized, challenged, ScopeSet::new());
        Ok(())
    }

    /// 403: either the resource's own business, or a token that lacks scope (RFC 6750 3.1).
    fn on_forbidden(&mut self, now: Now, call: CallId, headers: &HeaderMap) -> Result<(), Error> {
        let challenged = self.read_challenge(403, headers);
        self.on_accepted(call, false);
        if !challenged.insufficient_scope {
            self.end_call(call, Verdict::Deliver);
            return Ok(());
        }
        self.on_insufficient(now, call, challenged)
    }

    /// The nonce of the proof was missing or old (RFC 9449 9): the request is sent again, once.
    fn send_with_nonce(&mut self, now: Now, call: CallId) -> Result<(), Error> {
        let Some(open) = self.calls.get_mut(call) else { return Ok(()) };
        if open.nonce_retried {
            return Err(PeerMisbehaved::DpopNonce.into());
        }
        open.nonce_retried = true;
        self.dispatch(now, call);
        Ok(())
    }

    /// The token is good, but for less than this operation demands: more scopes, or a user who has proved
    /// themselves better or more recently (RFC 9470). Only the user can help.
    pub(crate) fn on_insufficient(
        &mut self,
        now: Now,
        call: CallId,
        challenged: Challenged,
    ) -> Result<(), Error> {
        let Some(open) = self.calls.get_mut(call) else { return Ok(()) };
        let (generation, operation, stepped_up) = (open.generation, open.operation, open.stepped_up);
        if generation != self.grant.generation && self.grant.access().is_some() && !self.grant.rejected {
            self.dispatch(now, call); // a newer token may have the scope
            return Ok(());
        }
        let demanded = challenged.scope.clone();
        let by_scope = !challenged.insufficient_authentication;
        let insufficient = match by_scope {
            true => Refused::InsufficientScope { demanded: demanded.clone() },
            false => Refused::InsufficientAuthentication,
        };
        if self.config.step_up == StepUpPolicy::Abort || !by_scope && stepped_up {
            return Err(insufficient.into());
        }
        // What the configuration does not ask for, no authorization will bring.
        if by_scope && self.config.only_scopes && !self.config.scopes.covers(&demanded) {
            return Err(insufficient.into());
        }
        if by_scope && let Some(grant) = &self.grant.grant {
            // What the token carries already, or what the user was asked for on account of this very
            // call, no further authorization will bring.
            let futile =
                grant.effective_scopes().covers(&demanded) || stepped_up && grant.requested.covers(&demanded);
            if futile {
                return Err(insufficient.into());
            }
        }
        // Only what opens another page is an attempt: one that is under way is joined, or waited for.
        if self.acquisition.is_none() && !self.step_ups.allow(operation, now) {
            return Err(insufficient.into());
        }
        if let Some(grant) = &self.grant.grant
            && grant.requested.clone().extend(&demanded).is_err()
        {
            self.notice(Notice::ScopesLost);
        }
        // What joins too late to be asked for is tried again, and asked for then.
        let in_time = self.acquisition.as_ref().is_none_or(|under_way| under_way.is_before_the_browser());
        if let Some(open) = self.calls.get_mut(call) {
            open.stepped_up |= in_time;
        }
        self.acquire(now, call, Cause::StepUp, challenged, demanded);
        Ok(())
    }

    /// Reads the challenge of a response. What cannot be read counts as not there: the response is the
    /// caller's then, or the well-known URLs lead on.
    fn read_challenge(&mut self, status: u16, headers: &HeaderMap) -> Challenged {
        let (challenges, error) = Challenges::of(headers);
        if let Some(error) = error {
            self.notice(Notice::MalformedChallenge(error));
        }
        self.understand(status, &challenges)
    }

    fn understand(&mut self, status: u16, challenges: &Challenges) -> Challenged {
        let Some(bearer) = challenges.oauth() else {
            if status == 401 {
                self.notice(Notice::Challenged { status, error: None, scope: ScopeSet::new() });
            }
            return Challenged::default();
        };
        let (scope, all_read) = bearer.readable_scope();
        if !all_read {
            self.keep_of_challenge("scope", Problem::Malformed, "RFC 6749 section 3.3", Handling::OthersUsed);
        }
        // Who demands scopes that cannot be read demands nothing that could be asked for.
        let insufficient_scope = bearer.is_insufficient_scope() && (all_read || !scope.is_empty());
        if status == 401 || insufficient_scope {
            let error = bearer.error().map(crate::error::PeerText::new);
            self.notice(Notice::Challenged { status, error, scope: scope.clone() });
        }
        let metadata_url = bearer.resource_metadata().and_then(|text| self.read_metadata_url(text));
        let insufficient_authentication = bearer.error() == Some("insufficient_user_authentication");
        let demanded = Some(bearer).filter(|_| insufficient_authentication);
        Challenged {
            scope,
            metadata_url,
            insufficient_scope,
            acr_values: demanded.and_then(|bearer| bearer.acr_values()).map(Into::into),
            max_age_s: demanded.and_then(|bearer| bearer.max_age_s()),
            insufficient_authentication,
            wants_nonce: bearer.error() == Some("use_dpop_nonce"),
        }
    }

    fn keep_of_challenge(
        &mut self,
        member: &'static str,
        problem: Problem,
        section: &'static str,
        handling: Handling,
    ) {
        let (document, member) = (Exchange::Challenge, Some(member.into()));
        let mut findings = Findings::new();
        findings.add(&Finding { document, member, problem, section, handling });
        self.keep(findings);
    }

    /// The URL that a challenge names, unless the policy forbids it: there may be another way then.
    fn read_metadata_url(&mut self, text: &str) -> Option<Url> {
        let read = self.config.urls.read(text, "resource_metadata", &self.config.resource);
        if let Err(PeerMisbehaved::Url { problem, .. }) = &read {
            let problem = Problem::Url(*problem);
            self.keep_of_challenge("resource_metadata", problem, "RFC 9728 section 5.1", Handling::Absent);
        }
        read.ok()
    }

    /// Goes after what challenges demand that came without a response.
    pub(crate) fn begin_step_up(&mut self, now: Now, call: CallId) {
        let Some(open) = self.calls.get_mut(call) else { return };
        let Stage::WaitingToStepUp(challenges) = std::mem::replace(&mut open.stage, Stage::New) else {
            return;
        };
        if challenges.oauth().is_none() {
            return self.end_call(call, Verdict::Done); // nothing is demanded
        }
        let generation = self.grant.generation;
        if let Some(open) = self.calls.get_mut(call) {
            open.generation = generation;
        }
        let challenged = self.understand(403, &challenges);
        let is_elsewhere = |url: &Url| url.origin() != self.config.resource.origin();
        let outcome = if challenged.metadata_url.as_ref().is_some_and(is_elsewhere) {
            // The text of a result may be anybody's; only the resource's server writes its headers.
            let problem = UrlProblem::OtherOrigin;
            Err(PeerMisbehaved::Url { field: "resource_metadata", problem }.into())
        } else if challenged.insufficient_scope || challenged.insufficient_authentication {
            self.on_insufficient(now, call, challenged)
        } else {
            // The token is not good any more: another is had as after any 401.
            self.grant.rejected |= generation != 0;
            self.dispatch(now, call);
            Ok(())
        };
        if let Err(error) = outcome {
            self.fail_call(call, error);
        }
    }
}
