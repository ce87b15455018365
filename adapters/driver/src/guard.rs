//! The Guard of a protected server, for async hosts on whatever runtime.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use futures_channel::oneshot;
use futures_lite::future;
use grantor::error::{Failure, FailureKind};
use grantor::resource::{
    Body, CheckId, Decision, Guard, GuardConfig, GuardConfigError, Notice, Output, RequestHead,
};
use grantor::{Completion, Effect, Now, OpId, Secret};
use http::HeaderMap;

use crate::effects::{Performed, StoreOp};
use crate::http::HttpFailure;
use crate::nonblocking::{Host, elsewhere, send_checked};
use crate::state::Clock;
use crate::store::Store;

/// How often one request may have to wait. Twice is usual at most: for keys, for newer keys.
const ROUNDS: usize = 8;

type Checking = Pin<Box<dyn Future<Output = Result<Option<String>, HttpFailure>> + Send>>;
type Verifier = Box<dyn Fn(Secret) -> Checking + Send + Sync>;
type Log = Box<dyn Fn(&Notice) + Send + Sync>;

/// A [`Guard`] with its host. Clones are the same Guard.
pub struct Guarded<H: Host>(Arc<Shared<H>>);

struct Shared<H: Host> {
    host: H,
    clock: Clock,
    answer_headers: bool,
    /// Most requests bring a token that was seen before, and only read it.
    state: RwLock<State>,
    verifier: Option<Verifier>,
    store: Option<Arc<dyn Store>>,
    logs: Vec<Log>,
}

struct State {
    guard: Guard,
    waiting: HashMap<CheckId, oneshot::Sender<()>>,
}

/// A check that has to wait for something to be fetched, which is under way. [`Guarded::check_after`] goes on with it.
#[must_use = "the check is not decided"]
pub struct Pending {
    /// Until this is done or dropped.
    ready: oneshot::Receiver<()>,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// What an input leads to, to be done without the lock.
#[derive(Default)]
struct Work {
    jobs: Vec<(OpId, Instant, Effect)>,
    notices: Vec<Notice>,
}

/// A [`Guarded`] that is being set up.
pub struct Setup<H: Host> {
    host: H,
    config: GuardConfig,
    verifier: Option<Verifier>,
    store: Option<Arc<dyn Store>>,
    logs: Vec<Log>,
}

impl<H: Host> Setup<H> {
    /// For this host.
    pub fn new(host: H, config: GuardConfig) -> Self {
        Self { host, config, verifier: None, store: None, logs: Vec::new() }
    }

    /// Checks tokens of servers that are configured as
    /// [`host`](grantor::resource::AuthorizationServer::verified_by_host). The answer is the one of
    /// [`TokenChecked`](grantor::Completion::TokenChecked).
    #[must_use]
    pub fn verifier<F>(mut self, check: impl Fn(Secret) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Option<String>, HttpFailure>> + Send + 'static,
    {
        self.verifier = Some(Box::new(move |token| Box::pin(check(token))));
        self
    }

    /// Records in this store which proofs of possession were used, so that of all processes with the same store one
    /// accepts each ([`Dpop::stored`](grantor::resource::Dpop::stored), which this sets).
    ///
    /// It is written once for each request with a proof, and should forget records by itself
    /// ([`Store::save_until`]), as [`MemoryStore`](crate::MemoryStore) and [`FileStore`](crate::FileStore) do; a keyring
    /// does not, and would grow. While it does not work, such requests are answered with 503.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self.config.dpop.stored = true;
        self
    }

    /// Is told what an operator may want to know. Several may be.
    #[must_use]
    pub fn log(mut self, log: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        self.logs.push(Box::new(log));
        self
    }

    /// Ready to be asked.
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn build(self) -> Result<Guarded<H>, GuardConfigError> {
        if self.config.dpop.stored && self.store.is_none() {
            return Err(GuardConfigError::NoStore);
        }
        let state = State { guard: Guard::new(self.config)?, waiting: HashMap::new() };
        let answer_headers = state.guard.has_answer_headers();
        Ok(Guarded(Arc::new(Shared {
            host: self.host,
            clock: Clock::start(),
            answer_headers,
            state: RwLock::new(state),
            verifier: self.verifier,
            store: self.store,
            logs: self.logs,
        })))
    }
}

impl<H: Host> fmt::Debug for Setup<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<H: Host> Guarded<H> {
    /// Decides about a request, fetching what that needs; never [`Decision::Wait`]. Dropping the future
    /// stops nothing that others wait for.
    pub async fn check(&self, request: RequestHead<'_>, body: Option<&[u8]>) -> Decision {
        let body = body.map(Body::new);
        match self.0.check(&request, body.as_ref()) {
            Ok(decision) => decision,
            Err(pending) => self.wait(pending, request, body.as_ref()).await,
        }
    }

    /// The same of a request's head, without waiting.
    ///
    /// # Errors
    /// What to wait for, when something has to be fetched first.
    pub fn check_now(&self, request: &RequestHead<'_>) -> Result<Decision, Pending> {
        self.0.check(request, None)
    }

    /// Goes on with the check of a request's head that [`check_now`](Self::check_now) could not decide.
    pub async fn check_after(&self, pending: Pending, request: RequestHead<'_>) -> Decision {
        self.wait(pending, request, None).await
    }

    async fn wait(&self, first: Pending, request: RequestHead<'_>, body: Option<&Body<'_>>) -> Decision {
        let mut pending = first;
        for _ in 0..ROUNDS {
            let _ = pending.ready.await; // or the Guard has given up: it says so
            match self.0.check(&request, body) {
                Ok(decision) => return decision,
                Err(again) => pending = again,
            }
        }
        Decision::Answer(Box::new(self.0.read().guard.unavailable(&request)))
    }

    /// Headers to add to the server's own answer ([`Guard::answer_headers`]), where there can be any.
    pub fn answer_headers(&self, request: &RequestHead<'_>) -> Option<HeaderMap> {
        let now = || self.0.clock.now();
        self.0.answer_headers.then(|| self.0.read().guard.answer_headers(now(), request))
    }

    /// Looks at the Guard.
    pub fn with<T>(&self, look: impl FnOnce(&Guard) -> T) -> T {
        look(&self.0.read().guard)
    }
}

impl<H: Host> Clone for Guarded<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H: Host> fmt::Debug for Guarded<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guarded").field(&self.0.read().guard).finish()
    }
}

impl State {
    fn drain(&mut self, clock: Clock) -> Work {
        let mut work = Work::default();
        while let Some(output) = self.guard.poll_output() {
            match output {
                Output::Notice(notice) => work.notices.push(notice),
                Output::Perform { op, deadline_ms, effect, .. } => {
                    work.jobs.push((op, clock.instant(deadline_ms), effect));
                }
                Output::Ready { check } => {
                    if let Some(ready) = self.waiting.remove(&check) {
                        let _ = ready.send(()); // or nobody waits any more
                    }
                }
                _ => {}
            }
        }
        work
    }
}

impl<H: Host> Shared<H> {
    // A panic elsewhere, such as in a policy's function, leaves nothing half done that matters.

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signatures are checked while others read, too; the lock is held alone to remember something.
    fn check(
        self: &Arc<Self>,
        request: &RequestHead<'_>,
        body: Option<&Body<'_>>,
    ) -> Result<Decision, Pending> {
        let now = self.clock.now();
        let examined = match self.read().guard.examine(now, request, body) {
            Ok(decision) => return Ok(decision),
            Err(examined) => examined,
        };
        let (checked, work) = {
            let mut state = self.lock();
            let checked = match state.guard.conclude(now, examined, body) {
                Decision::Wait(check) => {
                    let (done, ready) = oneshot::channel();
                    state.waiting.insert(check, done);
                    Err(Pending { ready })
                }
                decision => Ok(decision),
            };
            (checked, state.drain(self.clock))
        };
        self.start_work(work);
        checked
    }

    fn start_work(self: &Arc<Self>, work: Work) {
        for log in &self.logs {
            work.notices.iter().for_each(log);
        }
        for (op, deadline, effect) in work.jobs {
            let mut open = Open { shared: Arc::clone(self), op, over: false };
            self.host.spawn(async move {
                let done = open.shared.perform(deadline, effect).await;
                open.over = true;
                open.shared.complete(op, done);
            });
        }
    }

    async fn perform(&self, deadline: Instant, effect: Effect) -> Done {
        match effect {
            Effect::Http { request, max_body } => {
                let answer = send_checked(&self.host, &request, max_body);
                let answer = future::or(answer, self.late(deadline)).await;
                Done::Performed(answer.map_or_else(Performed::from, Performed::Http))
            }
            Effect::CheckToken { token } => match &self.verifier {
                Some(verifier) => match future::or(verifier(token), self.late(deadline)).await {
                    Ok(said) => Done::Token(said),
                    Err(failure) => Done::Performed(failure.into()),
                },
                None => {
                    Done::Performed(Performed::Failed(FailureKind::Impossible, "there is no verifier".into()))
                }
            },
            Effect::Save { key, record, expect, expires_at_s } => {
                let operation = StoreOp::Save(key, record, expect, expires_at_s);
                let stored = async { Ok(self.stored(operation).await) };
                Done::Performed(future::or(stored, self.late(deadline)).await.unwrap_or_else(Performed::from))
            }
            _ => Done::Performed(Performed::unknown()),
        }
    }

    async fn stored(&self, operation: StoreOp) -> Performed {
        let Some(store) = self.store.clone() else {
            return Performed::Failed(FailureKind::Impossible, "there is no store".into());
        };
        let done = elsewhere(|work| self.host.unblock(work), move || operation.perform(&*store)).await;
        done.unwrap_or_else(Performed::panicked)
    }

    async fn late<T>(&self, deadline: Instant) -> Result<T, HttpFailure> {
        self.host.sleep(deadline.saturating_duration_since(Instant::now())).await;
        Err(HttpFailure::timed_out())
    }

    /// Fails an effect, and those that it leads to: the runtime may be gone.
    fn give_up(&self, op: OpId) {
        let (mut state, now) = (self.lock(), self.clock.now());
        let mut lost = vec![op];
        while let Some(op) = lost.pop() {
            let _ = state.guard.complete(now, op, Performed::panicked().completion());
            lost.extend(state.drain(self.clock).jobs.into_iter().map(|(op, ..)| op));
        }
    }

    fn complete(self: &Arc<Self>, op: OpId, done: Done) {
        let work = {
            let mut state = self.lock();
            let now: Now = self.clock.now();
            let completion = match &done {
                Done::Performed(performed) => performed.completion(),
                Done::Token(said) => Completion::TokenChecked(said.as_deref()),
            };
            if state.guard.complete(now, op, completion).is_err() {
                let failure = Failure::new(FailureKind::Other, "the driver gave a wrong answer");
                let _ = state.guard.complete(now, op, Completion::Failed(failure));
            }
            state.drain(self.clock)
        };
        self.start_work(work);
    }
}

/// An effect under way. Should its task panic, or its runtime end, nobody waits for it for good.
struct Open<H: Host> {
    shared: Arc<Shared<H>>,
    op: OpId,
    over: bool,
}

impl<H: Host> Drop for Open<H> {
    fn drop(&mut self) {
        if !self.over {
            self.shared.give_up(self.op);
        }
    }
}

enum Done {
    Performed(Performed),
    Token(Option<String>),
}
