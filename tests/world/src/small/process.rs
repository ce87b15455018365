//! One process: an engine with one call, what it waits for, and what it was told.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use grantor::client::{CallId, Engine, RequestHead};
use grantor::{Completion, Effect, Now, OpId};

use crate::{Answered, player};

/// An effect that is under way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) op: OpId,
    pub(super) effect: Effect,
    /// The answer, once the server has acted, while it is on its way.
    pub(super) answer: Option<Answered>,
}

/// An engine and its surroundings.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) engine: Engine,
    pub(super) call: CallId,
    /// Whether the call has ended, and with a response.
    pub(super) ended: Option<bool>,
    pub(super) pending: Vec<Pending>,
    told: u64,
}

/// Where all calls go.
pub(super) const RESOURCE: &str = "https://mcp.example.com/mcp";

impl Process {
    /// A new process that wants to send a request.
    pub(super) fn new(now: Now) -> Self {
        let config = player::config().trust(grantor::TrustPolicy::Accept);
        let mut engine = Engine::new(config).expect("a good configuration");
        let call = engine.authorize(now, RequestHead::new("POST", RESOURCE)).expect("within the resource");
        let mut process = Self { engine, call, ended: None, pending: Vec::new(), told: 0 };
        process.note(now, &"begins");
        process
    }

    /// What the engine was told since it began.
    pub(super) const fn told(&self) -> u64 {
        self.told
    }

    /// Notes an input. `Debug` of inputs hides secrets; `what` has to tell them apart.
    pub(super) fn note(&mut self, now: Now, what: &impl std::hash::Hash) {
        let mut hasher = DefaultHasher::new();
        (self.told, now.mono_ms, now.unix_s).hash(&mut hasher);
        what.hash(&mut hasher);
        self.told = hasher.finish();
    }

    pub(super) fn complete(&mut self, now: Now, op: OpId, with: Completion<'_>, what: &impl std::hash::Hash) {
        self.note(now, &(format!("{op:?}"), what));
        self.engine.complete(now, op, with).expect("the answer fits the effect");
    }
}
