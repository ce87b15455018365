//! Renewing tokens, alone or beside other processes that hold the same ones.

use url::Url;

use crate::client::engine::{Engine, effect_error};
use crate::client::flow::acquire::Cause;
use crate::client::flow::respond::Challenged;
use crate::client::output::{CallId, Notice};
use crate::client::state::budget::Budget;
use crate::client::state::calls::{Purpose, Stage};
use crate::client::state::grant::{Freshness, Grant};
use crate::client::state::nonces;
use crate::client::state::ops::Owner;
use crate::client::state::record::{self, GrantRecord};
use crate::client::state::server::Server;
use crate::client::task::exchange::{is_client_refused, is_client_unknown};
use crate::client::task::lease::Lease;
use crate::client::task::sign::{Addressee, Signatures};
use crate::client::task::wait::Waits;
use crate::discover::Probe;
use crate::effect::{Effect, RecordKind, RecordRevision, Stored};
use crate::error::{Error, ErrorReport, Exchange, Failure, FailureKind, PeerMisbehaved, Refused, Work};
use crate::finding::Findings;
use crate::limits;
use crate::policy::DpopPolicy;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::HttpResponse;
use crate::wire::server_metadata;
use crate::wire::token::{self, Grant as TokenGrant, Issued, TokenRequest, TokenType};
use crate::wire::well_known::Found;

/// A refresh on its way.
#[derive(Debug)]
pub(crate) struct Refresh {
    pub(crate) step: Step,
    pub(crate) progress: Progress,
}

/// What a refresh has been through.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Rounds lost to other writers of the store.
    pub(crate) rounds: u8,
    /// When calls stop waiting for the token request.
    overdue_ms: u64,
    /// Whether they were told.
    told_overdue: bool,
    /// Servers that were busy.
    waits: Waits,
    /// When the lease is to be renewed.
    pub(crate) renew_lease_ms: u64,
    /// Whether the request was sent again with another nonce.
    nonce_retried: bool,
    /// What the request carries.
    signatures: Signatures,
    /// Where the server's metadata may be, since its endpoint is gone.
    probe: Option<Probe<Url>>,
    /// Whether it named another.
    relocated: bool,
    /// Whether the host was told that another process has the refresh token.
    pub(crate) told_leased: bool,
    /// Why the token endpoint was not reached, while it is looked whether the server has moved.
    unreached: Option<ErrorReport>,
}

/// How a refresh ends.
#[derive(Debug)]
pub(crate) enum End {
    /// With tokens of another process.
    Adopted,
    Error(ErrorReport),
    /// Only the user can help.
    GiveUp,
    /// Every call that wanted it was cancelled before the token was asked for.
    NobodyWaits,
    /// With new tokens.
    Renewed,
}

impl<E: Into<Error>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Error(ErrorReport::from(error))
    }
}

/// Where an answer leads. There is no third way: who waits for a refresh waits for a step, or is told.
pub(crate) type Next = Result<Step, End>;

/// Tokens that were issued and are not stored yet.
#[derive(Debug)]
pub(crate) struct NewTokens {
    pub(crate) grant: Box<Grant>,
    pub(crate) replaces: Replaces,
}

/// Which stored tokens new ones replace.
#[derive(Clone, Debug)]
pub(crate) enum Replaces {
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
pub(crate) enum Step {
    /// For the store to accept that this engine uses the refresh token.
    Leasing,
    /// For the stored record, which may be newer.
    Reloading(Reload),
    /// For the server's metadata, since the endpoint that is known is gone.
    Rediscovering,
    /// For the token endpoint.
    Requesting,
    /// For the new tokens to be stored.
    Saving(NewTokens),
    /// For signatures that the request has to carry.
    Signing,
    /// For the mark that the grant is revoked to be stored.
    SavingRevoked,
    /// For the server, which is busy and has said for how long.
    Waiting,
    /// For another process to end its refresh.
    WaitingForLease { until_ms: u64 },
}

/// Why the stored record is looked at.
#[derive(Debug)]
pub(crate) enum Reload {
    /// Somebody else wrote it.
    Conflict,
    /// The server did not accept the refresh token.
    Rejected,
    /// Somebody else wrote it while these new tokens were on their way.
    SaveConflict(NewTokens),
}

impl Refresh {
    pub(crate) fn next_timeout(&self) -> Option<u64> {
        let progress = &self.progress;
        match &self.step {
            Step::WaitingForLease { until_ms } => Some(*until_ms),
            Step::Waiting => Some(progress.waits.until_ms),
            Step::Requesting if progress.told_overdue => Some(progress.renew_lease_ms),
            Step::Requesting => Some(progress.overdue_ms.min(progress.renew_lease_ms)),
            _ => None,
        }
    }
}

impl Engine {
    /// Lets a call wait for a refresh, and starts one if none is under way.
    pub(crate) fn wait_for_refresh(&mut self, now: Now, call: CallId, challenged: bool) {
        if self.waits_for_log_out(call) {
            return;
        }
        if self.refresh.as_ref().is_some_and(|refresh| refresh.progress.overdue_ms <= now.mono_ms) {
            self.fail_call(call, self.report_while_waiting(Owner::Refresh, timed_out()));
            return;
        }
        self.set_stage(call, Stage::WaitingForRefresh { challenged });
        if self.refresh.is_none() {
            self.start_refresh(now);
        }
    }

    /// Remembers a challenge for the case that refreshing leads nowhere.
    pub(crate) fn keep_challenge(&mut self, challenged: Challenged) {
        self.last_challenge = Some(Box::new(challenged));
    }

    fn start_refresh(&mut self, now: Now) {
        self.budgets.refresh = Budget::default();
        let mut progress = Progress {
            rounds: 0,
            nonce_retried: false,
            signatures: Signatures::default(),
            overdue_ms: u64::MAX,
            told_overdue: false,
            waits: Waits::default(),
            renew_lease_ms: u64::MAX,
            probe: None,
            relocated: false,
            told_leased: false,
            unreached: None,
        };
        let next = match (self.grant.unsaved.clone(), self.grant.grant.clone()) {
            // These tokens are new; the store was not able to take them before.
            (Some(replaces), Some(grant)) => Ok(self.save_refreshed(now, NewTokens { grant, replaces })),
            _ => self.lease_or_request(now, &mut progress),
        };
        self.refresh_goes_on(now, progress, next);
    }

    /// Takes the step, or ends.
    pub(crate) fn refresh_goes_on(&mut self, now: Now, progress: Progress, next: Next) {
        match next {
            Ok(step) => self.refresh = Some(Box::new(Refresh { step, progress })),
            Err(end) => self.end_refresh(now, end),
        }
    }

    fn end_refresh(&mut self, now: Now, end: End) {
        match end {
            End::Adopted => self.finish_refresh(now, false),
            End::Error(report) => self.fail_refresh(now, report),
            End::GiveUp => self.give_up_refresh(now),
            End::NobodyWaits => {
                self.release_lease(now);
                self.begin_log_outs(now);
            }
            End::Renewed => self.finish_refresh(now, true),
        }
    }

    /// Ends a refresh that nobody waits for, unless its token was asked for already.
    pub(crate) fn stop_refresh_for_nobody(&mut self, now: Now) {
        let idles = |refresh: &Refresh| matches!(refresh.step, Step::WaitingForLease { .. } | Step::Waiting);
        if self.refresh.as_deref().is_some_and(idles) && !self.calls.any(is_waiting) {
            self.refresh = None;
            self.end_refresh(now, End::NobodyWaits);
        }
    }

    /// A refresh that is over its budget.
    pub(crate) fn exhaust_refresh(&mut self, now: Now, error: Error) {
        let Some(refresh) = self.refresh.take() else { return };
        if let Step::Saving(new) | Step::Reloading(Reload::SaveConflict(new)) = refresh.step {
            self.grant.keep_unsaved(new, self.grant.revision);
        }
        self.abandon_ops(Owner::Refresh);
        self.forget_signing(Owner::Refresh);
        self.fail_refresh(now, error.into());
    }

    pub(crate) fn request_refresh(&mut self, now: Now, progress: &mut Progress) -> Next {
        if !self.calls.any(|stage| is_waiting(stage) || matches!(stage, Stage::WaitingToLogOut)) {
            return Err(End::NobodyWaits);
        }
        let Some(grant) = self.grant.grant.clone() else { return Err(End::GiveUp) };
        let addressee = Addressee {
            server: &grant.server,
            endpoint: grant.server.token_endpoint(),
            dpop: grant.dpop.as_deref(),
        };
        progress.signatures = match self.sign_request(now, Owner::Refresh, addressee) {
            Ok(Some(signatures)) => signatures,
            Ok(None) => return Ok(Step::Signing),
            // The server will say what it misses.
            Err(_) => Signatures::default(),
        };
        let request =
            refresh_request(&grant, &progress.signatures, |request| request.request(&self.config.quirks));
        let Some(request) = request else { return Err(End::GiveUp) };
        let why = match self.grant.rejected {
            true => "the resource rejects the token; a new one can be had without the user",
            false => "the token expires; a new one can be had without the user",
        };
        let request = request.with_parameters(&self.config.provider().token_parameters);
        self.send_token_request(now, Owner::Refresh, request, why);
        progress.overdue_ms = now.mono_ms.saturating_add(self.config.timeouts.token_wait_ms);
        progress.renew_lease_ms = now.mono_ms.saturating_add(limits::LEASE_RENEW_MS);
        Ok(Step::Requesting)
    }

    /// Stores a grant.
    pub(crate) fn write_grant(
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
            record: record::write(&record::Granted { grant, claimed_until, config: &self.config }),
            expect,
            expires_at_s: None,
        };
        self.perform(now, owner, effect, limits::STORE_MS, why);
    }

    pub(crate) fn save_refreshed(&mut self, now: Now, new: NewTokens) -> Step {
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
    pub(crate) fn on_refresh_answer(
        &mut self,
        now: Now,
        progress: &mut Progress,
        response: &HttpResponse<'_>,
    ) -> Next {
        let Some(grant) = self.grant.grant.clone() else { return Err(End::GiveUp) };
        let quirks = &self.config.quirks;
        let mut findings = Findings::new();
        let answer = refresh_request(&grant, &progress.signatures, |request| {
            token::read(&request, response, quirks, &mut findings)
        });
        self.keep(findings);
        progress.overdue_ms = u64::MAX;
        let knows_nonce =
            grant.dpop.is_some() && self.note_nonce(grant.server.token_endpoint(), response.headers);
        let error = match answer {
            None => return Err(End::GiveUp),
            Some(Ok(issued))
                if issued.token_type == TokenType::Bearer && self.config.dpop == DpopPolicy::Required =>
            {
                return Err(PeerMisbehaved::NotBound.into());
            }
            Some(Ok(issued)) => {
                self.notice_issued(&grant, &issued);
                let replaces = Replaces::With(grant.tokens.refresh.clone());
                let new = NewTokens { grant: Box::new(grant.renewed(&issued, now)), replaces };
                return Ok(self.save_refreshed(now, new));
            }
            Some(Err(error)) => error,
        };
        if grant.dpop.is_some() && nonces::is_wanted(&error) {
            if progress.nonce_retried || !knows_nonce {
                return Err(PeerMisbehaved::DpopNonce.into());
            }
            progress.nonce_retried = true;
            return self.request_refresh(now, progress);
        }
        if self.waits(now, &mut progress.waits, Exchange::RefreshToken, response) {
            return Ok(Step::Waiting);
        }
        if is_client_unknown(&error)
            && let Some(server) = grant.server.with_id_in_body()
            && let Some(own) = self.grant.grant.as_deref_mut()
        {
            own.server = server;
            return self.request_refresh(now, progress);
        }
        if is_gone(response) && !progress.relocated && !matches!(error, Error::Refused(Refused::Token { .. }))
        {
            return self.rediscover(now, progress);
        }
        self.on_refresh_refused(now, &grant, error, response)
    }

    /// The server has no token for this. Whether for good (RFC 6749 5.2 has codes for that, but servers have
    /// others), and whose fault it is.
    fn on_refresh_refused(
        &mut self,
        now: Now,
        grant: &Grant,
        error: Error,
        response: &HttpResponse<'_>,
    ) -> Next {
        let code = match &error {
            Error::Refused(Refused::Token { code, .. }) => Some(code.as_str()),
            _ => None,
        };
        let for_now = matches!(code, Some("temporarily_unavailable" | "server_error"));
        // An object with words and no token is an error that is not called one.
        let says_why = || self.answering.as_ref().is_some_and(|asked| asked.words.is_some());
        let definitive = match response.status {
            408 | 429 => false,
            400..500 => true,
            _ if matches!(error, Error::PeerMisbehaved(PeerMisbehaved::MissingField { .. })) => says_why(),
            _ => code.is_some() && !for_now,
        };
        if !definitive {
            return Err(error.into());
        }
        let unknown = is_client_refused(&error, response.status);
        if unknown && !self.registered_itself(grant.server.client()) {
            // Nothing was said about the refresh token. The client is the host's to mend.
            return Err(error.into());
        }
        self.registration_failed |= unknown || code == Some("unauthorized_client");
        // Another process may have been faster; its tokens are in the store then.
        Ok(self.reload(now, Reload::Rejected))
    }

    /// The token endpoint is gone: the server's metadata may name another.
    fn rediscover(&mut self, now: Now, progress: &mut Progress) -> Next {
        let Some(grant) = self.grant.grant.as_deref() else { return Err(End::GiveUp) };
        if progress.probe.is_none() {
            progress.probe = Some(self.probe_for(grant.server.issuer()));
        }
        let Some(url) = progress.probe.as_mut().and_then(|probe| probe.next_url()) else {
            let reasons = progress.probe.take().map(Probe::into_reasons).unwrap_or_default();
            return Err(match progress.unreached.take() {
                Some(report) if !is_out_of_reach(&reasons) => End::Error(report),
                // The server is gone altogether; the resource may name another.
                unreached => {
                    if unreached.is_some() {
                        self.release_lease(now);
                    }
                    End::GiveUp
                }
            });
        };
        let request = server_metadata::request(url, self.config.revision);
        let why = "the token endpoint is gone; the metadata may name another";
        self.send_request(now, Owner::Refresh, request, why);
        Ok(Step::Rediscovering)
    }

    /// The token endpoint was not reached. A server that has moved says so in its metadata, or the resource names
    /// another one; unless the access token serves still, that is looked at before anybody is told.
    pub(crate) fn on_unreached(&mut self, now: Now, progress: &mut Progress, failure: Failure<'_>) -> Next {
        let report = self.report_of(effect_error(Work::Exchange(Exchange::RefreshToken), failure));
        let serves = self.grant.freshness(now, 0) == Freshness::Fresh;
        if failure.kind != FailureKind::Unreachable || serves || progress.relocated {
            return Err(End::Error(report));
        }
        progress.unreached = Some(report);
        self.rediscover(now, progress)
    }

    /// A URL of the metadata was not reached either.
    pub(crate) fn on_undiscovered(&mut self, now: Now, progress: &mut Progress, error: Error) -> Next {
        let report = self.report_of(error);
        let Some(probe) = progress.probe.as_mut().filter(|_| progress.unreached.is_some()) else {
            return Err(End::Error(report));
        };
        if !probe.skip_origin(report.clone()) {
            *probe = Probe::failed(report);
        }
        self.rediscover(now, progress)
    }

    pub(crate) fn on_rediscovered(
        &mut self,
        now: Now,
        progress: &mut Progress,
        response: &HttpResponse<'_>,
    ) -> Next {
        if self.waits(now, &mut progress.waits, Exchange::ServerMetadata, response) {
            return Ok(Step::Waiting);
        }
        let Some(grant) = self.grant.grant.as_deref() else { return Err(End::GiveUp) };
        let Some(probe) = &mut progress.probe else { return Err(End::GiveUp) };
        let Some((asked, redirects)) = probe.asked() else { return Err(End::GiveUp) };
        let rules = self.rules(self.config.flow.grant_type());
        let (issuer, mut findings) = (grant.server.issuer(), Findings::new());
        let read = server_metadata::read(issuer, asked, redirects, response, rules, &mut findings);
        let token_endpoint = grant.server.token_endpoint().clone();
        self.keep(findings);
        let found = read.unwrap_or_else(Found::Nothing);
        match probe.take(found, |why| self.report_of(why)) {
            Some(document) if document.token_endpoint == token_endpoint => {
                if let Some(report) = progress.unreached.take() {
                    return Err(End::Error(report));
                }
                return Ok(self.reload(now, Reload::Rejected));
            }
            Some(document) => {
                progress.relocated = true;
                progress.probe = None;
                progress.unreached = None;
                self.known = None;
                if let Some(own) = self.grant.grant.as_deref_mut() {
                    own.server = Server::described(&document, own.server.client().clone());
                }
                return self.lease_or_request(now, progress);
            }
            None => {}
        }
        self.rediscover(now, progress)
    }

    fn notice_issued(&mut self, grant: &Grant, issued: &Issued) {
        self.notice(Notice::TokenIssued {
            scope: issued.scope.clone().unwrap_or_else(|| grant.effective_scopes().clone()),
            expires_in_s: issued.expires_in_s,
            refreshable: issued.refresh_token.is_some() || grant.tokens.refresh.is_some(),
            refreshed: true,
        });
    }

    pub(crate) fn reload(&mut self, now: Now, reload: Reload) -> Step {
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
    pub(crate) fn on_reloaded(
        &mut self,
        now: Now,
        progress: &mut Progress,
        reload: Reload,
        stored: Option<Stored<'_>>,
    ) -> Next {
        progress.rounds += 1;
        if progress.rounds > limits::STORE_ROUNDS {
            if let Reload::SaveConflict(ours) = reload {
                self.grant.keep_unsaved(ours, stored.map(|stored| stored.revision));
            }
            let failure = Failure::new(FailureKind::Other, "other processes keep writing the record");
            return Err(effect_error(Work::Store, failure).into());
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
                Reload::SaveConflict(ours) => Ok(self.save_refreshed(now, ours)),
                Reload::Conflict => self.lease_or_request(now, progress),
                Reload::Rejected => self.revoke(now),
            };
        };
        let lease = Lease::read(claimed_until, now);
        let base = self.grant.grant.as_ref();
        let same_refresh_token = base.is_some_and(|base| base.tokens.refresh == theirs.tokens.refresh);
        match reload {
            // Somebody leased the old refresh token while ours was used: ours are the newer tokens.
            Reload::SaveConflict(ours) if ours.replaces.covers(&theirs) => {
                self.grant.revision = revision;
                Ok(self.save_refreshed(now, ours))
            }
            // The server's word stands, unless another process is just renewing with the same token.
            Reload::Rejected if same_refresh_token && (unchanged || !lease.is_foreign(now)) => {
                self.grant.revision = revision;
                self.revoke(now)
            }
            _ => self.adopt(now, progress, theirs, revision, lease),
        }
    }

    /// Uses what another process stored.
    fn adopt(
        &mut self,
        now: Now,
        progress: &mut Progress,
        theirs: Grant,
        revision: Option<RecordRevision>,
        lease: Lease,
    ) -> Next {
        self.take_over(theirs, revision, lease);
        if self.grant.freshness(now, self.config.refresh_early_s) == Freshness::Fresh {
            // The server may have ended these, too; that is no reason yet to ask the user.
            for call in self.calls.at(is_waiting) {
                if let Some(open) = self.calls.get_mut(call) {
                    open.refreshed = false;
                }
            }
            return Err(End::Adopted);
        }
        if !self.grant.is_refreshable() {
            return Err(End::GiveUp);
        }
        self.lease_or_request(now, progress)
    }

    /// Holds what the store holds, written by another process; whether it brings another access token.
    pub(crate) fn take_over(
        &mut self,
        theirs: Grant,
        revision: Option<RecordRevision>,
        lease: Lease,
    ) -> bool {
        let access = |grant: &Grant| grant.tokens.access.as_ref().map(|access| access.expose().to_owned());
        let same_access = self.grant.grant.as_ref().is_some_and(|ours| access(ours) == access(&theirs));
        let same_lease = self.grant.revision == revision && matches!(self.grant.lease, Lease::Foreign { .. });
        let lease = if same_lease { self.grant.lease } else { lease };
        if same_access {
            self.grant.revision = revision;
            self.grant.grant = Some(Box::new(theirs));
        } else {
            self.grant.replace(theirs, revision);
            self.notice(Notice::TokensAdopted);
        }
        self.grant.lease = lease;
        !same_access
    }

    /// The server took the grant back, and nobody has a newer one.
    fn revoke(&mut self, now: Now) -> Next {
        let Some(grant) = self.grant.grant.as_deref() else { return Err(End::GiveUp) };
        let revoked = grant.revoked();
        let expect = self.grant.revision;
        let why = "the tokens are worthless; only what was asked for is kept";
        self.write_grant(now, Owner::Refresh, &revoked, None, expect, why);
        Ok(Step::SavingRevoked)
    }

    /// The mark is stored, or somebody else stored something newer that counts instead.
    pub(crate) fn on_revoked(&mut self, saved: Option<RecordRevision>) -> End {
        if let Some(grant) = self.grant.grant.as_deref() {
            let revoked = grant.revoked();
            self.grant.replace(revoked, saved.or(self.grant.revision));
        }
        self.notice(Notice::Forgotten);
        End::GiveUp
    }

    /// New tokens are in use: everybody who waits is sent. Those that the refresh brought serve who waited for
    /// them, however short they live.
    fn finish_refresh(&mut self, now: Now, renewed: bool) {
        self.last_challenge = None;
        for call in self.calls.at(is_waiting) {
            if renewed {
                self.send(now, call);
            } else {
                self.dispatch(now, call);
            }
        }
        self.begin_log_outs(now);
    }

    /// Only the user can help. Calls that were challenged wait for that; the others find out by asking
    /// without a token, which brings the challenge.
    fn give_up_refresh(&mut self, now: Now) {
        let challenged = self.last_challenge.take().map(|challenged| *challenged).unwrap_or_default();
        for call in self.calls.at(is_waiting) {
            let Some(open) = self.calls.get_mut(call) else { continue };
            open.refreshed = true;
            let was_challenged = matches!(open.stage, Stage::WaitingForRefresh { challenged: true });
            if was_challenged || open.purpose == Purpose::LogIn {
                self.acquire(now, call, Cause::Unauthorized, challenged.clone(), ScopeSet::new());
            } else if self.grant.is_refreshable() {
                self.send(now, call); // with what there is, since another refresh would lead here again
            } else {
                self.dispatch(now, call);
            }
        }
        self.begin_log_outs(now);
    }

    /// It did not work this time. A token that is valid still is used; the next call may try again. Who wants to
    /// log in gets to the user.
    fn fail_refresh(&mut self, now: Now, report: ErrorReport) {
        let error = &report.error;
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
            let may_ask = match error {
                Error::Effect(effect) => matches!(effect.what, Work::Exchange(_)),
                Error::PeerMisbehaved(PeerMisbehaved::Endless { .. }) => false,
                _ => true,
            };
            for call in self.calls.at(is_waiting) {
                let logs_in = self.calls.get_mut(call).is_some_and(|open| open.purpose == Purpose::LogIn);
                if logs_in && may_ask && self.grant.unsaved.is_none() {
                    self.acquire(now, call, Cause::Unauthorized, Challenged::default(), ScopeSet::new());
                } else {
                    self.fail_call(call, report.clone());
                }
            }
        }
        self.release_lease(now);
        self.begin_log_outs(now);
    }

    pub(crate) fn refresh_timeout(&mut self, now: Now) {
        let Some(refresh) = self.refresh.take() else { return };
        let Refresh { step, mut progress } = *refresh;
        if matches!(step, Step::Requesting) && progress.renew_lease_ms <= now.mono_ms {
            self.renew_lease(now, &mut progress);
        }
        let next = match step {
            Step::WaitingForLease { until_ms } if until_ms <= now.mono_ms => {
                Ok(self.reload(now, Reload::Conflict))
            }
            Step::Waiting if progress.waits.until_ms <= now.mono_ms => match progress.probe {
                Some(_) => self.rediscover(now, &mut progress),
                None => self.lease_or_request(now, &mut progress),
            },
            Step::Requesting if progress.overdue_ms <= now.mono_ms && !progress.told_overdue => {
                // The request goes on: its answer may hold the only refresh token.
                let error = self.report_while_waiting(Owner::Refresh, timed_out());
                self.fail_calls(is_waiting, error);
                progress.told_overdue = true;
                Ok(Step::Requesting)
            }
            step => Ok(step),
        };
        self.refresh_goes_on(now, progress, next);
    }
}

fn is_waiting(stage: &Stage) -> bool {
    matches!(stage, Stage::WaitingForRefresh { .. })
}

fn timed_out() -> Error {
    effect_error(Work::Exchange(Exchange::RefreshToken), Failure::new(FailureKind::TimedOut, ""))
}

/// Whether an endpoint is not there any more.
/// Whether nothing at all was reached.
fn is_out_of_reach(reasons: &[ErrorReport]) -> bool {
    !reasons.is_empty() && reasons.iter().all(|report| matches!(report.error, Error::Effect(_)))
}

pub(crate) fn is_gone(response: &HttpResponse<'_>) -> bool {
    matches!(response.status, 404 | 410)
}

/// The token request for the refresh token of a grant, if it has one.
fn refresh_request<T>(
    grant: &Grant,
    signatures: &Signatures,
    then: impl FnOnce(TokenRequest<'_>) -> T,
) -> Option<T> {
    let refresh_token = grant.tokens.refresh.as_ref()?;
    Some(then(TokenRequest {
        endpoint: grant.server.token_endpoint(),
        client: grant.server.client(),
        grant: TokenGrant::RefreshToken { refresh_token },
        resource: grant.resource.as_deref(),
        assertion: signatures.assertion.as_ref(),
        proof: signatures.proof.as_ref(),
    }))
}
