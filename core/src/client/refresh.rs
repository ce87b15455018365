//! Renewing tokens, alone or beside other processes that hold the same ones.

use super::acquire::Cause;
use super::calls::Stage;
use super::claim::Claim;
use super::grant::{Freshness, Grant};
use super::nonces;
use super::ops::Owner;
use super::output::{CallId, Notice};
use super::record::{self, GrantRecord};
use super::respond::Challenged;
use super::seal::{Addressee, Seals};
use super::{Engine, effect_error};
use crate::effect::{Effect, RecordKind, RecordRevision, Stored};
use crate::error::{Error, Exchange, Failure, FailureKind, PeerMisbehaved, Refused, Work};
use crate::limits;
use crate::policy::DpopPolicy;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::HttpResponse;
use crate::wire::token::{self, Grant as TokenGrant, Issued, TokenRequest, TokenType};

/// A refresh on its way.
#[derive(Debug)]
pub(super) struct Refresh {
    pub(super) step: Step,
    /// Rounds lost to other writers of the store.
    pub(super) rounds: u8,
    /// When calls stop waiting for the token request.
    overdue_ms: u64,
    /// Whether they were told.
    told_overdue: bool,
    /// Whether the server was busy once already.
    retried: bool,
    /// When the claim is to be renewed.
    pub(super) renew_claim_ms: u64,
    /// Whether the request was sent again with another nonce.
    nonce_retried: bool,
    /// What the request carries.
    seals: Seals,
}

/// Tokens that were issued and are not stored yet.
#[derive(Debug)]
pub(super) struct NewTokens {
    pub(super) grant: Box<Grant>,
    pub(super) replaces: Replaces,
}

/// Which stored tokens new ones replace.
#[derive(Clone, Debug)]
pub(super) enum Replaces {
    /// Any: the user has just granted these.
    Any,
    /// Those with the refresh token that was exchanged for them, and those that are revoked. Others are
    /// newer.
    With(Option<Secret>),
}

impl Replaces {
    fn covers(&self, stored: &Grant) -> bool {
        match self {
            Self::Any => true,
            Self::With(used) => stored.tokens.refresh.is_none() || stored.tokens.refresh == *used,
        }
    }
}

/// What a refresh waits for; named by `transitions`.
#[derive(Debug)]
pub(super) enum Step {
    /// For the store to accept that this engine uses the refresh token.
    Claiming,
    /// For the stored record, which may be newer.
    Reloading(Reload),
    /// For the token endpoint.
    Requesting,
    /// For the new tokens to be stored.
    Saving(NewTokens),
    /// For signatures that the request has to carry.
    Sealing,
    /// For the server, which is busy and has said for how long.
    Retrying { at_ms: u64 },
    /// For the mark that the grant is revoked to be stored.
    SavingRevoked,
    /// For another process to end its refresh.
    WaitingForClaim { until_ms: u64 },
}

/// Why the stored record is looked at.
#[derive(Debug)]
pub(super) enum Reload {
    /// Somebody else wrote it.
    Conflict,
    /// The server did not accept the refresh token.
    Rejected,
    /// Somebody else wrote it while these new tokens were on their way.
    SaveConflict(NewTokens),
}

impl Refresh {
    pub(super) fn next_timeout(&self) -> Option<u64> {
        match &self.step {
            Step::WaitingForClaim { until_ms } | Step::Retrying { at_ms: until_ms } => Some(*until_ms),
            Step::Requesting if self.told_overdue => Some(self.renew_claim_ms),
            Step::Requesting => Some(self.overdue_ms.min(self.renew_claim_ms)),
            _ => None,
        }
    }
}

impl Engine {
    /// Lets a call wait for a refresh, and starts one if none is under way.
    pub(super) fn wait_for_refresh(&mut self, now: Now, call: CallId, challenged: bool) {
        if self.waits_for_log_out(call) {
            return;
        }
        if self.refresh.as_ref().is_some_and(|refresh| refresh.overdue_ms <= now.mono_ms) {
            self.fail_call(call, self.report_while_waiting(Owner::Refresh, timed_out()));
            return;
        }
        self.set_stage(call, Stage::WaitingForRefresh { challenged });
        self.start_refresh(now);
    }

    /// Remembers a challenge for the case that refreshing leads nowhere.
    pub(super) fn keep_challenge(&mut self, challenged: Challenged) {
        self.last_challenge = Some(Box::new(challenged));
    }

    fn start_refresh(&mut self, now: Now) {
        if self.refresh.is_some() {
            return;
        }
        let mut refresh = Box::new(Refresh {
            step: Step::Requesting,
            rounds: 0,
            nonce_retried: false,
            seals: Seals::default(),
            overdue_ms: u64::MAX,
            told_overdue: false,
            retried: false,
            renew_claim_ms: u64::MAX,
        });
        if let (Some(replaces), Some(grant)) = (self.grant.unsaved.clone(), self.grant.grant.clone()) {
            // These tokens are new; the store was not able to take them before.
            refresh.step = self.save_refreshed(now, NewTokens { grant, replaces });
        } else {
            refresh.step = self.claim_or_request(now, &mut refresh);
        }
        self.refresh = Some(refresh);
    }

    pub(super) fn request_refresh(&mut self, now: Now, refresh: &mut Refresh) -> Step {
        let Some(grant) = self.grant.grant.clone() else { return Step::Requesting };
        let addressee = Addressee {
            server: &grant.server,
            endpoint: grant.server.token_endpoint(),
            dpop: grant.dpop.as_deref(),
        };
        refresh.seals = match self.seal(now, Owner::Refresh, addressee) {
            Ok(Some(seals)) => seals,
            Ok(None) => return Step::Sealing,
            // The server will say what it misses.
            Err(_) => Seals::default(),
        };
        let request = refresh_request(&grant, &refresh.seals, |request| request.request(&self.config.quirks));
        if let Some(request) = request {
            let request = request.with_parameters(&self.config.provider().token_parameters);
            let effect = Effect::Http { request: Box::new(request), max_body: limits::TOKEN_BODY };
            let why = match self.grant.rejected {
                true => "the resource rejects the token; a new one can be had without the user",
                false => "the token expires; a new one can be had without the user",
            };
            self.perform_token(now, Owner::Refresh, effect, why);
            refresh.overdue_ms = now.mono_ms.saturating_add(self.config.timeouts.token_wait_ms);
            refresh.renew_claim_ms = now.mono_ms.saturating_add(limits::CLAIM_RENEW_MS);
        }
        Step::Requesting
    }

    /// Stores a grant.
    pub(super) fn write_grant(
        &mut self,
        now: Now,
        owner: Owner,
        grant: &Grant,
        claimed_until: Option<u64>,
        expect: Option<RecordRevision>,
        why: &'static str,
    ) {
        let effect = Effect::Save {
            key: self.key(RecordKind::Grant, Some(grant.server.issuer())),
            record: record::write(&GrantRecord::of(grant, claimed_until, &self.config)),
            expect,
        };
        self.perform(now, owner, effect, limits::STORE_MS, why);
    }

    pub(super) fn save_refreshed(&mut self, now: Now, new: NewTokens) -> Step {
        let expect = self.grant.revision;
        self.write_grant(
            now,
            Owner::Refresh,
            &new.grant,
            None,
            expect,
            "a token is stored before it is used",
        );
        Step::Saving(new)
    }

    /// The token endpoint answered.
    pub(super) fn on_refresh_answer(
        &mut self,
        now: Now,
        mut refresh: Box<Refresh>,
        response: &HttpResponse<'_>,
    ) {
        let Some(grant) = self.grant.grant.clone() else { return self.give_up_refresh(now) };
        let quirks = &self.config.quirks;
        let answer =
            refresh_request(&grant, &refresh.seals, |request| token::read(&request, response, quirks));
        refresh.overdue_ms = u64::MAX;
        let knows_nonce =
            grant.dpop.is_some() && self.note_nonce(grant.server.token_endpoint(), response.headers);
        match answer {
            Some(Ok(issued))
                if issued.token_type == TokenType::Bearer && self.config.dpop == DpopPolicy::Required =>
            {
                self.fail_refresh(now, &PeerMisbehaved::NotBound.into());
            }
            Some(Err(error)) if grant.dpop.is_some() && nonces::is_wanted(&error) => {
                if refresh.nonce_retried || !knows_nonce {
                    return self.fail_refresh(now, &PeerMisbehaved::DpopNonce.into());
                }
                refresh.nonce_retried = true;
                refresh.step = self.request_refresh(now, &mut refresh);
                self.refresh = Some(refresh);
            }
            Some(Ok(issued)) => {
                self.notice_issued(&grant, &issued);
                let replaces = Replaces::With(grant.tokens.refresh.clone());
                let new = NewTokens { grant: Box::new(grant.renewed(&issued, now)), replaces };
                refresh.step = self.save_refreshed(now, new);
                self.refresh = Some(refresh);
            }
            Some(Err(Error::Refused(Refused::Token { code, .. })))
                if code == "invalid_grant" || code == "invalid_client" || code == "unauthorized_client" =>
            {
                self.registration_failed |= code != "invalid_grant";
                // Another process may have been faster; its tokens are in the store then.
                refresh.step = self.reload(now, Reload::Rejected);
                self.refresh = Some(refresh);
            }
            Some(Err(Error::Refused(Refused::Unavailable { retry_after_s: Some(after_s), .. })))
                if after_s <= limits::RETRY_AFTER_S && !refresh.retried =>
            {
                refresh.retried = true;
                refresh.step =
                    Step::Retrying { at_ms: now.mono_ms.saturating_add(u64::from(after_s) * 1000) };
                self.refresh = Some(refresh);
            }
            Some(Err(error)) => self.fail_refresh(now, &error),
            None => self.give_up_refresh(now),
        }
    }

    fn notice_issued(&mut self, grant: &Grant, issued: &Issued) {
        self.notice(Notice::TokenIssued {
            scope: issued.scope.clone().unwrap_or_else(|| grant.effective_scopes().clone()),
            expires_in_s: issued.expires_in_s,
            refreshable: issued.refresh_token.is_some() || grant.tokens.refresh.is_some(),
            refreshed: true,
        });
    }

    pub(super) fn reload(&mut self, now: Now, reload: Reload) -> Step {
        let issuer = self.grant.grant.as_ref().map(|grant| grant.server.issuer().clone());
        let key = self.key(RecordKind::Grant, issuer.as_ref());
        let why = match reload {
            Reload::Rejected => "another process may have renewed the token already",
            Reload::Conflict | Reload::SaveConflict(_) => "another process wrote the tokens",
        };
        self.load(now, Owner::Refresh, key, why);
        Step::Reloading(reload)
    }

    /// The stored record is here.
    pub(super) fn on_reloaded(
        &mut self,
        now: Now,
        mut refresh: Box<Refresh>,
        reload: Reload,
        stored: Option<Stored<'_>>,
    ) {
        refresh.rounds += 1;
        if refresh.rounds > limits::STORE_ROUNDS {
            if let Reload::SaveConflict(ours) = reload {
                self.grant.keep_unsaved(ours, stored.map(|stored| stored.revision));
            }
            let failure = Failure::new(FailureKind::Other, "other processes keep writing the record");
            return self.fail_refresh(now, &effect_error(Work::Store, failure));
        }
        let unchanged = stored.is_some_and(|stored| Some(stored.revision) == self.grant.revision);
        let read = stored.and_then(|stored| {
            let grant =
                record::read(stored.record).and_then(|record: GrantRecord| record.into_grant(&self.config));
            Some((grant.ok()?, stored.revision))
        });
        let revision = stored.map(|stored| stored.revision);
        let Some(((theirs, claimed_until), _)) = read else {
            // Nothing, or nothing readable: what this engine holds is all there is.
            self.grant.revision = revision;
            return match reload {
                Reload::SaveConflict(ours) => {
                    refresh.step = self.save_refreshed(now, ours);
                    self.refresh = Some(refresh);
                }
                Reload::Conflict => {
                    refresh.step = self.claim_or_request(now, &mut refresh);
                    self.refresh = Some(refresh);
                }
                Reload::Rejected => self.revoke(now, refresh),
            };
        };
        let claim = Claim::read(claimed_until, now);
        let base = self.grant.grant.as_ref();
        let same_refresh_token = base.is_some_and(|base| base.tokens.refresh == theirs.tokens.refresh);
        match reload {
            // Somebody claimed the old refresh token while ours was used: ours are the newer tokens.
            Reload::SaveConflict(ours) if ours.replaces.covers(&theirs) => {
                self.grant.revision = revision;
                refresh.step = self.save_refreshed(now, ours);
                self.refresh = Some(refresh);
            }
            // The server's word stands, unless another process is just renewing with the same token.
            Reload::Rejected if same_refresh_token && (unchanged || !claim.is_foreign(now)) => {
                self.grant.revision = revision;
                self.revoke(now, refresh);
            }
            _ => self.adopt(now, refresh, theirs, revision, claim),
        }
    }

    /// Uses what another process stored.
    fn adopt(
        &mut self,
        now: Now,
        mut refresh: Box<Refresh>,
        theirs: Grant,
        revision: Option<RecordRevision>,
        claim: Claim,
    ) {
        self.take_over(theirs, revision, claim);
        if self.grant.freshness(now, self.config.refresh_early_s) == Freshness::Fresh {
            // The server may have ended these, too; that is no reason yet to ask the user.
            for call in self.calls.at(is_waiting) {
                if let Some(open) = self.calls.get_mut(call) {
                    open.refreshed = false;
                }
            }
            return self.finish_refresh(now);
        }
        if !self.grant.is_refreshable() {
            return self.give_up_refresh(now);
        }
        refresh.step = self.claim_or_request(now, &mut refresh);
        self.refresh = Some(refresh);
    }

    /// Holds what the store holds, written by another process; whether it brings another access token.
    pub(super) fn take_over(
        &mut self,
        theirs: Grant,
        revision: Option<RecordRevision>,
        claim: Claim,
    ) -> bool {
        let access = |grant: &Grant| grant.tokens.access.as_ref().map(|access| access.expose().to_owned());
        let same_access = self.grant.grant.as_ref().is_some_and(|ours| access(ours) == access(&theirs));
        let same_claim = self.grant.revision == revision && matches!(self.grant.claim, Claim::Foreign { .. });
        let claim = if same_claim { self.grant.claim } else { claim };
        if same_access {
            self.grant.revision = revision;
            self.grant.grant = Some(Box::new(theirs));
        } else {
            self.grant.replace(theirs, revision);
            self.notice(Notice::TokensAdopted);
        }
        self.grant.claim = claim;
        !same_access
    }

    /// The server took the grant back, and nobody has a newer one.
    fn revoke(&mut self, now: Now, mut refresh: Box<Refresh>) {
        let Some(grant) = self.grant.grant.as_deref() else { return self.give_up_refresh(now) };
        let revoked = grant.revoked();
        let expect = self.grant.revision;
        let why = "the tokens are worthless; only what was asked for is kept";
        self.write_grant(now, Owner::Refresh, &revoked, None, expect, why);
        refresh.step = Step::SavingRevoked;
        self.refresh = Some(refresh);
    }

    /// The mark is stored, or somebody else stored something newer that counts instead.
    pub(super) fn on_revoked(&mut self, now: Now, saved: Option<RecordRevision>) {
        if let Some(grant) = self.grant.grant.as_deref() {
            let revoked = grant.revoked();
            self.grant.replace(revoked, saved.or(self.grant.revision));
        }
        self.notice(Notice::Forgotten);
        self.give_up_refresh(now);
    }

    /// New tokens are in use: everybody who waits is sent.
    pub(super) fn finish_refresh(&mut self, now: Now) {
        self.refresh = None;
        self.last_challenge = None;
        for call in self.calls.at(is_waiting) {
            self.dispatch(now, call);
        }
        self.begin_log_outs(now);
    }

    /// Only the user can help. Calls that were challenged wait for that; the others find out by asking
    /// without a token, which brings the challenge.
    pub(super) fn give_up_refresh(&mut self, now: Now) {
        self.refresh = None;
        let challenged = self.last_challenge.take().map(|challenged| *challenged).unwrap_or_default();
        for call in self.calls.at(is_waiting) {
            let was_challenged = self
                .calls
                .get_mut(call)
                .is_some_and(|open| matches!(open.stage, Stage::WaitingForRefresh { challenged: true }));
            if was_challenged {
                self.acquire(now, call, Cause::Unauthorized, challenged.clone(), ScopeSet::new());
            } else {
                self.dispatch(now, call);
            }
        }
        self.begin_log_outs(now);
    }

    /// It did not work this time. A token that is valid still is used; the next call may try again.
    pub(super) fn fail_refresh(&mut self, now: Now, error: &Error) {
        self.refresh = None;
        self.last_challenge = None;
        if self.grant.unsaved.is_none() && self.grant.freshness(now, 0) == Freshness::Fresh {
            let pause_ms = match error {
                Error::Refused(Refused::Unavailable { retry_after_s: Some(after_s), .. }) => {
                    (u64::from(*after_s) * 1000).clamp(limits::REFRESH_PAUSE_MS, limits::REFRESH_PAUSE_MAX_MS)
                }
                _ => limits::REFRESH_PAUSE_MS,
            };
            self.grant.pause_until_ms = now.mono_ms.saturating_add(pause_ms);
            for call in self.calls.at(is_waiting) {
                self.send(now, call);
            }
        } else {
            self.fail_calls(is_waiting, error.clone());
        }
        self.release_claim(now);
        self.begin_log_outs(now);
    }

    pub(super) fn refresh_timeout(&mut self, now: Now) {
        let Some(mut refresh) = self.refresh.take() else { return };
        if matches!(refresh.step, Step::Requesting) && refresh.renew_claim_ms <= now.mono_ms {
            self.renew_claim(now, &mut refresh);
        }
        match refresh.step {
            Step::WaitingForClaim { until_ms } if until_ms <= now.mono_ms => {
                refresh.step = self.reload(now, Reload::Conflict);
            }
            Step::Retrying { at_ms } if at_ms <= now.mono_ms => {
                refresh.step = self.claim_or_request(now, &mut refresh);
            }
            Step::Requesting if refresh.overdue_ms <= now.mono_ms && !refresh.told_overdue => {
                // The request goes on: its answer may hold the only refresh token.
                let error = self.report_while_waiting(Owner::Refresh, timed_out());
                self.fail_calls(is_waiting, error);
                refresh.told_overdue = true;
            }
            _ => {}
        }
        self.refresh = Some(refresh);
    }
}

fn is_waiting(stage: &Stage) -> bool {
    matches!(stage, Stage::WaitingForRefresh { .. })
}

fn timed_out() -> Error {
    effect_error(Work::Exchange(Exchange::RefreshToken), Failure::new(FailureKind::TimedOut, ""))
}

/// The token request for the refresh token of a grant, if it has one.
fn refresh_request<T>(grant: &Grant, seals: &Seals, then: impl FnOnce(TokenRequest<'_>) -> T) -> Option<T> {
    let refresh_token = grant.tokens.refresh.as_ref()?;
    Some(then(TokenRequest {
        endpoint: grant.server.token_endpoint(),
        client: grant.server.client(),
        grant: TokenGrant::RefreshToken { refresh_token },
        resource: grant.resource.as_deref(),
        assertion: seals.assertion.as_ref(),
        proof: seals.proof.as_ref(),
    }))
}
