//! Startup: the records are loaded before the first call goes on.

use crate::client::engine::Engine;
use crate::client::output::Notice;
use crate::client::state::calls::Stage;
use crate::client::state::failure::failed;
use crate::client::state::lease::Lease;
use crate::client::state::ops::Owner;
use crate::client::state::record::{self, GrantRecord};
use crate::client::state::signing::JwtIds;
use crate::client::state::startup::Startup;
use crate::effect::{Completion, RecordKind};
use crate::error::{Error, Work};
use crate::time::Now;

impl Engine {
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

    pub(crate) fn on_startup(&mut self, now: Now, completion: Completion<'_>) {
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
                let record = record::read_stored(stored);
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

    pub(crate) fn started(&mut self, now: Now) {
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
}
