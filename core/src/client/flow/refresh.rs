//! Renewing tokens, alone or beside other processes that hold the same ones.

use crate::client::engine::Engine;
use crate::client::output::{CallId, Notice};
use crate::client::state::acquisition::Cause;
use crate::client::state::budget::Budget;
use crate::client::state::calls::{Purpose, Stage};
use crate::client::state::challenged::Challenged;
use crate::client::state::failure::{effect_error, failed};
use crate::client::state::grant::{Freshness, Grant};
use crate::client::state::lease::Lease;
use crate::client::state::ops::Owner;
use crate::client::state::record::{self, GrantRecord};
use crate::client::state::refresh::{
    End, NewTokens, Next, Progress, Refresh, Reload, Step, is_waiting, timed_out,
};
use crate::client::state::signing::Signatures;
use crate::client::state::waits::Waits;
use crate::effect::{Completion, Effect, RecordKind, RecordRevision, Stored};
use crate::error::{Error, ErrorReport, Exchange, Failure, FailureKind, PeerMisbehaved, Refused, Work};
use crate::limits;
use crate::scope::ScopeSet;
use crate::time::Now;

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

    pub(crate) fn start_refresh(&mut self, now: Now) {
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

    pub(crate) fn end_refresh(&mut self, now: Now, end: End) {
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
    pub(crate) fn adopt(
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
    pub(crate) fn revoke(&mut self, now: Now) -> Next {
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
    pub(crate) fn finish_refresh(&mut self, now: Now, renewed: bool) {
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
    pub(crate) fn give_up_refresh(&mut self, now: Now) {
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
    pub(crate) fn fail_refresh(&mut self, now: Now, report: ErrorReport) {
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

    pub(crate) fn on_refresh(&mut self, now: Now, completion: Completion<'_>) {
        let Some(under_way) = self.refresh.take() else { return };
        let Refresh { step, mut progress } = *under_way;
        let next = self.refresh_step(now, &mut progress, step, completion);
        self.refresh_goes_on(now, progress, next);
    }

    pub(crate) fn refresh_step(
        &mut self,
        now: Now,
        progress: &mut Progress,
        step: Step,
        completion: Completion<'_>,
    ) -> Next {
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
}
