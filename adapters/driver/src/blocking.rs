//! Sessions for blocking hosts, on threads.

use std::convert::Infallible;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use grantor::client::{
    Account, CallId, ConfigError, Credentials, Engine, RequestHead, ResponseHead, Verdict,
};
use grantor::wire::HttpRequest;
use grantor::wire::challenge::Challenges;
use grantor::{ApiMisuse, Findings, Now, OpId};

use crate::addresses::Addresses;
use crate::effects::{Performed, interact};
use crate::error::CallError;
use crate::event::Event;
use crate::http::{HttpAnswer, HttpFailure};
use crate::nonblocking::announce;
use crate::setup::Setup;
use crate::state::{Clock, Job, State, Task, Work};
use crate::store::{StoreError, accounts};

/// What a session needs of a blocking HTTP stack.
pub trait Host: Send + Sync + 'static {
    /// Sends a request as it is, within `timeout`: no redirect followed, no header added but what the
    /// connection needs, none of the caller's own among them; reads at most `max_body` bytes of the body,
    /// decoded.
    ///
    /// # Errors
    /// When there is no answer.
    fn send(
        &self,
        request: &HttpRequest,
        max_body: usize,
        timeout: Duration,
    ) -> Result<HttpAnswer, HttpFailure>;

    /// The addresses that requests may be sent to. A host that has them connects to nothing else; without
    /// them, names are not checked.
    fn addresses(&self) -> Option<&Addresses> {
        None
    }
}

/// The calls of one account to one resource. Clones are the same session, for other threads.
pub struct Session<H: Host> {
    shared: Arc<Shared<H>>,
    handle: Arc<Handle<H>>,
}

/// Counts the clones: when the last is gone, nobody waits for the user any more.
struct Handle<H: Host>(std::sync::Weak<Shared<H>>);

struct Shared<H: Host> {
    host: Arc<H>,
    setup: Setup,
    clock: Clock,
    state: Mutex<State>,
    /// Verdicts have come, or the next timeout is another one.
    changed: Condvar,
}

impl<H: Host> Session<H> {
    /// A session for this setup.
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn new(host: Arc<H>, setup: impl Into<Setup>) -> Result<Self, ConfigError> {
        let setup = setup.into();
        let engine = Engine::new(setup.config.clone())?;
        let clock = Clock::start();
        let shared = Arc::new(Shared {
            host,
            setup,
            clock,
            state: Mutex::new(State::new(engine, clock)),
            changed: Condvar::new(),
        });
        let handle = Arc::new(Handle(Arc::downgrade(&shared)));
        Ok(Self { shared, handle })
    }

    /// A session for another account, with everything else the same.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn account(&self, name: &str) -> Result<Self, ConfigError> {
        Self::new(Arc::clone(&self.shared.host), self.shared.setup.clone().account(name))
    }

    /// The setup.
    pub fn setup(&self) -> &Setup {
        &self.shared.setup
    }

    /// Opens a call: asks for authorization of this request. [`Call::run`] carries it out.
    ///
    /// # Errors
    /// When the request is not for this resource.
    pub fn call(&self, request: RequestHead<'_>) -> Result<Call<'_, H>, ApiMisuse> {
        self.open(|engine, now| engine.authorize(now, request))
    }

    /// Takes in a callback that comes without its prompt: the redirect endpoint of a web application.
    /// Returns when the token is stored.
    ///
    /// # Errors
    /// When the callback answers nothing, or the authorization failed.
    pub fn callback(&self, url: &str) -> Result<(), CallError<Infallible>> {
        self.open(|engine, now| Ok(engine.callback(now, url)))?.done()
    }

    /// Gets a token if there is none, without a request to send.
    ///
    /// # Errors
    /// When the authorization failed.
    pub fn log_in(&self) -> Result<(), CallError<Infallible>> {
        self.open(|engine, now| Ok(engine.log_in(now)))?.done()
    }

    /// Gives the account's tokens back (RFC 7009) and forgets them.
    ///
    /// # Errors
    /// When the authorization server could not be told, or the store failed. The tokens are not used any
    /// more in any case.
    pub fn log_out(&self) -> Result<(), CallError<Infallible>> {
        self.open(|engine, now| Ok(engine.log_out(now)))?.done()
    }

    /// Forgets everything about the server for this account, as if it had never been used: the tokens, which are
    /// given back, the registrations, and which authorization server was trusted. The way on when a server has
    /// moved to another authorization server, or when what is stored leads nowhere.
    ///
    /// # Errors
    /// When the authorization server could not be told, or the store failed. What was known is not used any
    /// more in any case.
    pub fn forget(&self) -> Result<(), CallError<Infallible>> {
        self.open(|engine, now| Ok(engine.forget(now)))?.done()
    }

    /// Asks for what these challenges demand, which came by another way than a response's headers, such as
    /// in the `_meta` of a tool's result ([`Challenges::of_result`]). Returns when there is a token to try
    /// the request again with.
    ///
    /// # Errors
    /// When the authorization failed.
    pub fn step_up(
        &self,
        request: RequestHead<'_>,
        challenges: &Challenges,
    ) -> Result<(), CallError<Infallible>> {
        self.open(|engine, now| Ok(engine.step_up(now, request, challenges)))?.done()
    }

    /// The accounts of this resource that are logged in and [listed](grantor::client::Config::list_account).
    ///
    /// # Errors
    /// When the store fails or holds what cannot be read.
    pub fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let setup = &self.shared.setup;
        accounts(&*setup.store, setup.config.resource().as_str())
    }

    /// What to show for the account, when its token says who the user is
    /// ([`Engine::account_label`]).
    pub fn account_label(&self) -> Option<String> {
        self.shared.lock().engine.account_label().map(|label| label.to_string())
    }

    /// What the servers' answers strayed in so far, and nobody was harmed ([`Engine::findings`]): for a
    /// diagnosis of a server.
    pub fn findings(&self) -> Findings {
        self.shared.lock().engine.findings().clone()
    }

    /// Sends a request of the caller's own, such as one of [`wire`](grantor::wire) or of a
    /// [diagnosis](grantor::diagnosis), by the HTTP stack that Grantor's own requests take: without a token, without
    /// following redirects, and to the addresses alone that its reach allows.
    ///
    /// # Errors
    /// When there is no answer within `timeout`, or its body has more than `max_body` bytes.
    pub fn exchange(
        &self,
        request: &HttpRequest,
        max_body: usize,
        timeout: Duration,
    ) -> Result<HttpAnswer, HttpFailure> {
        self.shared.checked(request, max_body, timeout)
    }

    fn open(
        &self,
        open: impl FnOnce(&mut Engine, Now) -> Result<CallId, ApiMisuse>,
    ) -> Result<Call<'_, H>, ApiMisuse> {
        let (opened, next) = self.shared.with(|state| {
            let now = state.now();
            let opened = open(&mut state.engine, now);
            let call = opened.as_ref().ok().copied();
            (opened, call)
        });
        Ok(Call { shared: &self.shared, id: opened?, next, over: false })
    }
}

impl<H: Host> Clone for Session<H> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), handle: Arc::clone(&self.handle) }
    }
}

impl<H: Host> fmt::Debug for Session<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("setup", &self.shared.setup).finish_non_exhaustive()
    }
}

impl<H: Host> Drop for Handle<H> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.lock().abandon_waits();
        }
    }
}

/// An open call; dropping it cancels it and nothing else.
#[must_use = "it is given up when it is dropped"]
pub struct Call<'a, H: Host> {
    shared: &'a Arc<Shared<H>>,
    id: CallId,
    /// The next verdict, if it came at once.
    next: Option<Verdict>,
    /// Whether the engine has ended it.
    over: bool,
}

impl<H: Host> Call<'_, H> {
    /// Carries the call out: `send` sends the request with the headers that it is given, and again where
    /// authorization needs it; it returns `None` when it cannot. `view` shows the head of a response.
    /// Returns the response for the caller.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn run<R, E>(
        mut self,
        mut send: impl FnMut(Credentials) -> Option<Result<R, E>>,
        view: fn(&R) -> ResponseHead<'_>,
    ) -> Result<R, CallError<E>> {
        let mut last = None;
        loop {
            match self.verdict() {
                Verdict::Send(credentials) => {
                    let sent = send(credentials).ok_or(CallError::NotReplayable)?;
                    let response = sent.map_err(CallError::Http)?;
                    if self.report(view(&response))? {
                        return Ok(response);
                    }
                    last = Some(response);
                }
                Verdict::Fail(error) => return Err(error.into()),
                _ => return last.ok_or(CallError::NotReplayable),
            }
        }
    }

    /// Reports a response; whether it is the caller's, as is known at once for most.
    fn report(&mut self, head: ResponseHead<'_>) -> Result<bool, ApiMisuse> {
        let id = self.id;
        let (reported, next) = self.shared.with(|state| (state.report(id, head), Some(id)));
        reported?;
        self.over = matches!(next, Some(Verdict::Deliver));
        self.next = next;
        Ok(self.over)
    }

    /// The end of a call that sends nothing.
    fn done(mut self) -> Result<(), CallError<Infallible>> {
        match self.verdict() {
            Verdict::Fail(error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The next verdict.
    fn verdict(&mut self) -> Verdict {
        let verdict = self.next.take().unwrap_or_else(|| self.wait());
        self.over = !matches!(verdict, Verdict::Send(_));
        verdict
    }

    /// Waits for a verdict. The thread that waits also minds the engine's timeouts.
    fn wait(&self) -> Verdict {
        let shared = &self.shared;
        let mut state = shared.lock();
        loop {
            if let Some(verdict) = state.take(self.id, None) {
                return verdict;
            }
            let Some(due_ms) = state.engine.poll_timeout() else {
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = shared.clock.instant(due_ms).saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(state);
                shared.with(|state| (state.handle_timeout(), None));
                state = shared.lock();
            } else {
                let woken = shared.changed.wait_timeout(state, left);
                state = woken.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

impl<H: Host> fmt::Debug for Call<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<H: Host> Drop for Call<'_, H> {
    fn drop(&mut self) {
        if !self.over {
            self.shared.with(|state| (state.cancel(self.id), None));
        }
    }
}

impl<H: Host> Shared<H> {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere does not make the engine's state wrong: it never panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the engine an input and sees to what it leads to. The lock is held for the input alone.
    /// Returns what the input does, and the verdict of the call that it says it is about if that came at
    /// once; otherwise that call waits from now on.
    fn with<T>(
        self: &Arc<Self>,
        input: impl FnOnce(&mut State) -> (T, Option<CallId>),
    ) -> (T, Option<Verdict>) {
        let mut work = Work::default();
        let (result, verdict) = {
            let mut state = self.lock();
            let (result, about) = input(&mut state);
            (result, state.drain(about, &mut work))
        };
        if !work.is_empty() {
            self.start_work(work);
        }
        (result, verdict)
    }

    #[cold]
    fn start_work(self: &Arc<Self>, work: Work) {
        for notice in &work.notices {
            self.setup.observer.event(Event::Notice(notice));
        }
        if work.verdicts || work.timeout_changed {
            self.changed.notify_all();
        }
        for job in work.jobs {
            self.begin(job);
        }
    }

    fn complete(self: &Arc<Self>, op: OpId, performed: &Performed) {
        self.with(|state| (state.complete(op, performed), None));
    }

    /// Performs an effect: what takes long on a thread of its own, so that no caller is held up by what
    /// another one needs, and none takes it along when it gives up.
    fn begin(self: &Arc<Self>, Job { op, deadline_ms, why, task }: Job) {
        let shared = Arc::clone(self);
        match task {
            Task::Http(request, max_body) => {
                thread::spawn(move || {
                    let deadline = shared.clock.instant(deadline_ms);
                    let sent =
                        catch_unwind(AssertUnwindSafe(|| shared.send(&request, max_body, deadline, why)));
                    shared.complete(op, &sent.unwrap_or_else(|_| Performed::panicked()));
                });
            }
            Task::Interact(interaction, wait) => {
                thread::spawn(move || {
                    announce(&shared.setup, &interaction, why);
                    let user = &*shared.setup.user;
                    let asked = catch_unwind(AssertUnwindSafe(|| interact(user, &interaction, &wait)));
                    if let Some(performed) = asked.unwrap_or_else(|_| Some(Performed::panicked())) {
                        shared.complete(op, &performed);
                    }
                });
            }
            Task::Store(operation) => {
                let performed = operation.perform(&*self.setup.store);
                self.complete(op, &performed);
            }
            Task::Host(operation) => {
                thread::spawn(move || {
                    let (signer, source) = (&*shared.setup.signer, &*shared.setup.assertions);
                    let signed = catch_unwind(AssertUnwindSafe(|| operation.perform(signer, source)));
                    shared.complete(op, &signed.unwrap_or_else(|_| Performed::panicked()));
                });
            }
            Task::Unknown => self.complete(op, &Performed::unknown()),
        }
    }

    fn send(&self, request: &HttpRequest, max_body: usize, deadline: Instant, why: &str) -> Performed {
        let timeout = deadline.saturating_duration_since(Instant::now());
        let answer = self.checked(request, max_body, timeout);
        self.setup.observer.event(Event::Exchanged { request, why, answer: answer.as_ref() });
        answer.map_or_else(Performed::from, Performed::Http)
    }

    /// Sends a request once it is known where it may go.
    fn checked(
        &self,
        request: &HttpRequest,
        max_body: usize,
        timeout: Duration,
    ) -> Result<HttpAnswer, HttpFailure> {
        if let Some(addresses) = self.host.addresses() {
            addresses.check(request)?;
        }
        self.host.send(request, max_body, timeout)
    }
}
