//! The engine behind a lock: inputs go in, outputs are sorted into what to do outside of the lock.

use std::collections::HashMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use grantor::client::{CallId, Engine, Notice, Output, Verdict};
use grantor::error::FailureKind;
use grantor::wire::HttpRequest;
use grantor::{Effect, Interaction, Now, OpId};

use crate::browser::Wait;
use crate::effects::{Performed, StoreOp};
use crate::vouch::VouchOp;

/// The clocks of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mono = self.0.elapsed().as_millis();
        Now::new(u64::try_from(mono).unwrap_or(u64::MAX), unix.as_secs())
    }

    pub(crate) fn instant(self, mono_ms: u64) -> Instant {
        self.0.checked_add(std::time::Duration::from_millis(mono_ms)).unwrap_or(self.0)
    }
}

/// The engine, and what is open in this session.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    /// Verdicts that were not picked up yet, by call; `None` while none has come.
    pub(crate) verdicts: HashMap<CallId, Option<Verdict>>,
    /// Waits for the user, by effect.
    waits: HashMap<OpId, Wait>,
}

/// What an input leads to, to be done without the lock.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    pub(crate) notices: Vec<Notice>,
    pub(crate) jobs: Vec<Job>,
    /// Whether verdicts have come.
    pub(crate) verdicts: bool,
}

/// An effect to perform.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) op: OpId,
    pub(crate) deadline_ms: u64,
    pub(crate) why: &'static str,
    pub(crate) task: Task,
}

#[derive(Debug)]
pub(crate) enum Task {
    Http(Box<HttpRequest>, usize),
    Interact(Interaction, Wait),
    Store(StoreOp),
    Vouch(VouchOp),
    /// An effect that this driver is too old for.
    Unknown,
}

impl Drop for State {
    /// Nobody waits for the user any more.
    fn drop(&mut self) {
        self.abandon_waits();
    }
}

impl State {
    pub(crate) fn abandon_waits(&mut self) {
        self.waits.drain().for_each(|(_, wait)| wait.abandon());
    }

    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, verdicts: HashMap::new(), waits: HashMap::new() }
    }

    /// Answers an effect. A kind of answer that does not fit is a bug of this driver; it must not stop
    /// the engine, so it becomes a failure of the effect.
    pub(crate) fn complete(&mut self, now: Now, op: OpId, performed: &Performed) {
        self.waits.remove(&op);
        if self.engine.complete(now, op, performed.completion()).is_err() {
            let failed = Performed::Failed(FailureKind::Other, "the driver gave a wrong answer".into());
            let _ = self.engine.complete(now, op, failed.completion());
        }
    }

    /// Sorts the outputs.
    pub(crate) fn drain(&mut self, clock: Clock) -> Todo {
        let mut todo = Todo::default();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Abandon { op } => {
                    if let Some(wait) = self.waits.remove(&op) {
                        wait.abandon();
                    }
                }
                Output::Call { call, verdict } => {
                    if let Some(slot) = self.verdicts.get_mut(&call) {
                        *slot = Some(verdict);
                        todo.verdicts = true;
                    }
                }
                Output::NeedEntropy { len } => self.feed(clock, len),
                Output::Notice(notice) => todo.notices.push(notice),
                Output::Perform { op, deadline_ms, effect, why } => {
                    let task = self.task(op, effect, clock.instant(deadline_ms));
                    todo.jobs.push(Job { op, deadline_ms, why, task });
                }
                _ => {}
            }
        }
        todo
    }

    fn feed(&mut self, clock: Clock, len: usize) {
        let mut bytes = zeroize::Zeroizing::new(vec![0; len]);
        // Without entropy nothing can be done safely; the calls that wait run into their deadlines.
        if getrandom::fill(&mut bytes).is_ok() {
            self.engine.add_entropy(clock.now(), &bytes);
        }
    }

    fn task(&mut self, op: OpId, effect: Effect, deadline: Instant) -> Task {
        match effect {
            Effect::Http { request, max_body } => Task::Http(request, max_body),
            Effect::Interact(interaction) => {
                let wait = Wait::until(deadline);
                self.waits.insert(op, wait.clone());
                Task::Interact(interaction, wait)
            }
            Effect::Assert(request) => Task::Vouch(VouchOp::Assert(request)),
            Effect::Sign { key, algorithm, input } => Task::Vouch(VouchOp::Sign { key, algorithm, input }),
            Effect::Delete { key, expect } => Task::Store(StoreOp::Delete(key, expect)),
            Effect::Load { key } => Task::Store(StoreOp::Load(key)),
            Effect::Save { key, record, expect } => Task::Store(StoreOp::Save(key, record, expect)),
            _ => Task::Unknown,
        }
    }
}
