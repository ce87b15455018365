//! The engine behind a lock: inputs go in, outputs are sorted into what to do outside of the lock.

use std::collections::HashMap;
use std::mem;
use std::task::Waker;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use grantor::client::{CallId, Engine, Notice, Output, ResponseHead, Verdict};
use grantor::error::FailureKind;
use grantor::wire::HttpRequest;
use grantor::{ApiMisuse, Effect, Interaction, Now, OpId};

use crate::browser::Wait;
use crate::effects::{Performed, StoreOp};
use crate::sign::HostOp;

/// The clocks of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now::new(self.mono_ms(), unix.as_secs())
    }

    fn mono_ms(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn instant(self, mono_ms: u64) -> Instant {
        self.0.checked_add(std::time::Duration::from_millis(mono_ms)).unwrap_or(self.0)
    }
}

/// How long a reading of the wall clock holds, on the monotonic one: of many calls at once, one reads it.
const WALL_CLOCK_MS: u64 = 10;

/// The engine, and what is open in this session.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    clock: Clock,
    /// The time of the last input.
    now: Now,
    /// When the wall clock was read last.
    wall_read_ms: u64,
    /// Calls that wait, or whose verdict was not picked up yet.
    waiting: HashMap<CallId, Slot>,
    /// The engine's next timeout when it was last looked at.
    timeout_ms: Option<u64>,
    /// Waits for the user, by effect.
    waits: HashMap<OpId, Wait>,
}

/// A call's place for its next verdict.
#[derive(Debug)]
enum Slot {
    Came(Verdict),
    /// Who is to be woken, if it said so.
    Waits(Option<Waker>),
}

/// What an input leads to, to be done without the lock.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) notices: Vec<Notice>,
    pub(crate) jobs: Vec<Job>,
    /// Whether verdicts have come for calls that wait.
    pub(crate) verdicts: bool,
    /// Whom to wake for that.
    pub(crate) wake: Vec<Waker>,
    /// Whether the engine's next timeout is another one.
    pub(crate) timeout_changed: bool,
}

impl Work {
    /// Whether there is nothing to do, as when a call has its token or its response.
    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.notices.is_empty() && !self.verdicts && !self.timeout_changed
    }
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
    Host(HostOp),
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

    pub(crate) fn new(engine: Engine, clock: Clock) -> Self {
        let now = clock.now();
        Self {
            engine,
            clock,
            now,
            wall_read_ms: now.mono_ms,
            waiting: HashMap::new(),
            timeout_ms: None,
            waits: HashMap::new(),
        }
    }

    pub(crate) fn now(&mut self) -> Now {
        self.now.mono_ms = self.clock.mono_ms();
        if self.now.mono_ms.saturating_sub(self.wall_read_ms) >= WALL_CLOCK_MS {
            self.now = self.clock.now();
            self.wall_read_ms = self.now.mono_ms;
        }
        self.now
    }

    /// Reports a response. The time is not read for those with which it does not matter.
    pub(crate) fn report(&mut self, call: CallId, head: ResponseHead<'_>) -> Result<(), ApiMisuse> {
        let now = if head.may_challenge() { self.now() } else { self.now };
        self.engine.report(now, call, head)
    }

    pub(crate) fn handle_timeout(&mut self) {
        let now = self.now();
        self.engine.handle_timeout(now);
    }

    /// Takes the verdict of a call that waits. If none has come, whoever this is will be woken.
    pub(crate) fn take(&mut self, call: CallId, waker: Option<&Waker>) -> Option<Verdict> {
        if let Some(Slot::Waits(waits)) = self.waiting.get_mut(&call) {
            *waits = waker.cloned();
            return None;
        }
        match self.stop_waiting(call) {
            Some(Slot::Came(verdict)) => Some(verdict),
            _ => None,
        }
    }

    fn stop_waiting(&mut self, call: CallId) -> Option<Slot> {
        let slot = self.waiting.remove(&call);
        if slot.is_some() && self.waiting.is_empty() {
            self.waiting.shrink_to_fit(); // an idle client keeps no room
        }
        slot
    }

    /// Gives up a call.
    pub(crate) fn cancel(&mut self, call: CallId) {
        self.stop_waiting(call);
        self.engine.cancel(call);
    }

    /// Answers an effect. A kind of answer that does not fit is a bug of this driver; it must not stop
    /// the engine, so it becomes a failure of the effect.
    pub(crate) fn complete(&mut self, op: OpId, performed: &Performed) {
        let now = self.now();
        self.waits.remove(&op);
        if self.engine.complete(now, op, performed.completion()).is_err() {
            let failed = Performed::Failed(FailureKind::Other, "the driver gave a wrong answer".into());
            let _ = self.engine.complete(now, op, failed.completion());
        }
    }

    /// Sorts the outputs. Returns the verdict of the call that the input was about; if none has come, it
    /// waits from now on.
    pub(crate) fn drain(&mut self, about: Option<CallId>, work: &mut Work) -> Option<Verdict> {
        let mut at_once = None;
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Abandon { op } => {
                    if let Some(wait) = self.waits.remove(&op) {
                        wait.abandon();
                    }
                }
                Output::Call { call, verdict } if about == Some(call) => at_once = Some(verdict),
                Output::Call { call, verdict } => {
                    if let Some(slot) = self.waiting.get_mut(&call) {
                        if let Slot::Waits(Some(waker)) = mem::replace(slot, Slot::Came(verdict)) {
                            work.wake.push(waker);
                        }
                        work.verdicts = true;
                    }
                }
                Output::NeedEntropy { len } => self.feed(len),
                Output::Notice(notice) => work.notices.push(notice),
                Output::Perform { op, deadline_ms, effect, why } => {
                    let task = self.task(op, effect, self.clock.instant(deadline_ms));
                    work.jobs.push(Job { op, deadline_ms, why, task });
                }
                _ => {}
            }
        }
        if let Some(call) = about
            && at_once.is_none()
        {
            self.waiting.insert(call, Slot::Waits(None));
        }
        let timeout_ms = self.engine.poll_timeout();
        work.timeout_changed = mem::replace(&mut self.timeout_ms, timeout_ms) != timeout_ms;
        at_once
    }

    fn feed(&mut self, len: usize) {
        let mut bytes = zeroize::Zeroizing::new(vec![0; len]);
        // Without entropy nothing can be done safely; the calls that wait run into their deadlines.
        if getrandom::fill(&mut bytes).is_ok() {
            let now = self.now();
            self.engine.add_entropy(now, &bytes);
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
            Effect::Assert(request) => Task::Host(HostOp::Assert(request)),
            Effect::Sign { key, algorithm, input } => Task::Host(HostOp::Sign { key, algorithm, input }),
            Effect::Delete { key, expect } => Task::Store(StoreOp::Delete(key, expect)),
            Effect::Load { key } => Task::Store(StoreOp::Load(key)),
            Effect::Save { key, record, expect, expires_at_s } => {
                Task::Store(StoreOp::Save(key, record, expect, expires_at_s))
            }
            _ => Task::Unknown,
        }
    }
}
