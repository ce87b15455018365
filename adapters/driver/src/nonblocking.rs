//! Sessions for async hosts, on whatever runtime.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use event_listener::Event as Signal;
use futures_channel::oneshot;
use futures_lite::future;
use grantor::client::{
    Account, CallId, ConfigError, Credentials, Engine, RequestHead, ResponseHead, Verdict,
};
use grantor::error::FailureKind;
use grantor::wire::HttpRequest;
use grantor::wire::challenge::Challenges;
use grantor::{ApiMisuse, Findings, Interaction, Now, OpId};

use crate::addresses::Addresses;
use crate::effects::{Performed, interact};
use crate::error::CallError;
use crate::event::Event;
use crate::http::{HttpAnswer, HttpFailure};
use crate::setup::Setup;
use crate::state::{Clock, Job, State, Task, Work};
use crate::store::{StoreError, accounts};

/// What a session needs of an async runtime and its HTTP stack.
pub trait Host: Send + Sync + 'static {
    /// Sends a request as it is: no redirect followed, no header added but what the connection needs, none
    /// of the caller's own among them; reads at most `max_body` bytes of the body, decoded.
    fn send(
        &self,
        request: &HttpRequest,
        max_body: usize,
    ) -> impl Future<Output = Result<HttpAnswer, HttpFailure>> + Send;

    /// Waits.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;

    /// Runs a task to its end, whether or not anybody waits for it.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Runs work that may block where that does no harm; by itself on a thread of its own.
    fn unblock(&self, work: impl FnOnce() + Send + 'static) {
        std::thread::spawn(work);
    }

    /// The addresses that requests may be sent to. A host that has them connects to nothing else; without
    /// them, names are not checked.
    fn addresses(&self) -> Option<&Addresses> {
        None
    }
}

/// Sends a request, once it is known where it may go.
pub(crate) async fn send_checked<H: Host>(
    host: &H,
    request: &HttpRequest,
    max_body: usize,
) -> Result<HttpAnswer, HttpFailure> {
    if let Some(check) = host.addresses().and_then(|addresses| addresses.to_check(request)) {
        let checked = elsewhere(|work| host.unblock(work), move || check.run()).await;
        checked.unwrap_or_else(|| Err(HttpFailure::new(FailureKind::Other, "the resolver panicked")))?;
    }
    host.send(request, max_body).await
}

/// The calls of one account to one resource. Clones are the same session.
pub struct Session<H: Host> {
    shared: Arc<Shared<H>>,
    handle: Arc<Handle<H>>,
}

/// Counts the clones: when the last is gone, nobody waits for the user any more.
struct Handle<H: Host>(Weak<Shared<H>>);

struct Shared<H: Host> {
    host: Arc<H>,
    setup: Setup,
    clock: Clock,
    state: Mutex<State>,
    timer: Mutex<Timer>,
}

/// The one timer that is set, if any.
#[derive(Default)]
struct Timer {
    due_ms: Option<u64>,
    unset: Arc<Signal>,
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
            timer: Mutex::default(),
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
    pub async fn callback(&self, url: &str) -> Result<(), CallError<Infallible>> {
        self.open(|engine, now| Ok(engine.callback(now, url)))?.done().await
    }

    /// Gets a token if there is none, without a request to send.
    ///
    /// # Errors
    /// When the authorization failed.
    pub async fn log_in(&self) -> Result<(), CallError<Infallible>> {
        self.open(|engine, now| Ok(engine.log_in(now)))?.done().await
    }

    /// Gives the account's tokens back (RFC 7009) and forgets them.
    ///
    /// # Errors
    /// When the authorization server could not be told, or the store failed. The tokens are not used any
    /// more in any case.
    pub async fn log_out(&self) -> Result<(), CallError<Infallible>> {
        self.open(|engine, now| Ok(engine.log_out(now)))?.done().await
    }

    /// Forgets everything about the server for this account, as if it had never been used: the tokens, which are
    /// given back, the registrations, and which authorization server was trusted. The way on when a server has
    /// moved to another authorization server, or when what is stored leads nowhere.
    ///
    /// # Errors
    /// When the authorization server could not be told, or the store failed. What was known is not used any
    /// more in any case.
    pub async fn forget(&self) -> Result<(), CallError<Infallible>> {
        self.open(|engine, now| Ok(engine.forget(now)))?.done().await
    }

    /// Asks for what these challenges demand, which came by another way than a response's headers, such as
    /// in the `_meta` of a tool's result ([`Challenges::of_result`]). Returns when there is a token to try
    /// the request again with.
    ///
    /// # Errors
    /// When the authorization failed.
    pub async fn step_up(
        &self,
        request: RequestHead<'_>,
        challenges: &Challenges,
    ) -> Result<(), CallError<Infallible>> {
        self.open(|engine, now| Ok(engine.step_up(now, request, challenges)))?.done().await
    }

    /// The accounts of this resource that are logged in and [listed](grantor::client::Config::list_account).
    ///
    /// # Errors
    /// When the store fails or holds what cannot be read.
    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let store = Arc::clone(&self.shared.setup.store);
        let resource = self.shared.setup.config.resource().to_string();
        let host = &self.shared.host;
        let listed = elsewhere(|work| host.unblock(work), move || accounts(&*store, &resource)).await;
        listed.unwrap_or_else(|| Err(StoreError::new("the store panicked")))
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
    pub async fn run<R, E, F>(
        mut self,
        mut send: impl FnMut(Credentials) -> Option<F>,
        view: fn(&R) -> ResponseHead<'_>,
    ) -> Result<R, CallError<E>>
    where
        F: Future<Output = Result<R, E>>,
    {
        let mut last = None;
        loop {
            match future::poll_fn(|cx| self.poll_verdict(cx)).await {
                Verdict::Send(credentials) => {
                    let sent = send(credentials).ok_or(CallError::NotReplayable)?;
                    let response = sent.await.map_err(CallError::Http)?;
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
    async fn done(mut self) -> Result<(), CallError<Infallible>> {
        match future::poll_fn(|cx| self.poll_verdict(cx)).await {
            Verdict::Fail(error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The next verdict.
    fn poll_verdict(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        let at_once = self.next.take();
        match at_once.or_else(|| self.shared.lock().take(self.id, Some(cx.waker()))) {
            Some(verdict) => {
                self.over = !matches!(verdict, Verdict::Send(_));
                Poll::Ready(verdict)
            }
            None => Poll::Pending,
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
        work.wake.into_iter().for_each(Waker::wake);
        for job in work.jobs {
            self.begin(job);
        }
        if work.timeout_changed {
            self.set_timer();
        }
    }

    fn complete(self: &Arc<Self>, op: OpId, performed: &Performed) {
        self.with(|state| (state.complete(op, performed), None));
    }

    /// Begins to perform an effect; nobody's call holds it.
    fn begin(self: &Arc<Self>, Job { op, deadline_ms, why, task }: Job) {
        let shared = Arc::clone(self);
        match task {
            Task::Http(request, max_body) => self.host.spawn(async move {
                let performed = shared.send(&request, max_body, shared.clock.instant(deadline_ms), why).await;
                shared.complete(op, &performed);
            }),
            Task::Interact(interaction, wait) => self.host.spawn(async move {
                announce(&shared.setup, &interaction, why);
                let user = Arc::clone(&shared.setup.user);
                // The user takes minutes; that is for a thread of its own, not for a pool.
                let asking = elsewhere(
                    |work| drop(std::thread::spawn(work)),
                    move || interact(&*user, &interaction, &wait),
                );
                if let Some(performed) = asking.await.unwrap_or_else(|| Some(Performed::panicked())) {
                    shared.complete(op, &performed);
                }
            }),
            Task::Store(operation) => self.host.spawn(async move {
                let store = Arc::clone(&shared.setup.store);
                let storing = elsewhere(|work| shared.host.unblock(work), move || operation.perform(&*store));
                let performed = storing.await.unwrap_or_else(Performed::panicked);
                shared.complete(op, &performed);
            }),
            Task::Host(operation) => self.host.spawn(async move {
                let (signer, source) =
                    (Arc::clone(&shared.setup.signer), Arc::clone(&shared.setup.assertions));
                let signing = elsewhere(
                    |work| shared.host.unblock(work),
                    move || operation.perform(&*signer, &*source),
                );
                let performed = signing.await.unwrap_or_else(Performed::panicked);
                shared.complete(op, &performed);
            }),
            Task::Unknown => self.complete(op, &Performed::unknown()),
        }
    }

    async fn send(&self, request: &HttpRequest, max_body: usize, deadline: Instant, why: &str) -> Performed {
        let late = async {
            self.host.sleep(deadline.saturating_duration_since(Instant::now())).await;
            Err(HttpFailure::timed_out())
        };
        let answer = future::or(send_checked(&*self.host, request, max_body), late).await;
        self.setup.observer.event(Event::Exchanged { request, why, answer: answer.as_ref() });
        answer.map_or_else(Performed::from, Performed::Http)
    }

    /// Sets the timer, or unsets it.
    fn set_timer(self: &Arc<Self>) {
        let mut timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        // Of several inputs at once, the last one to come here sets what holds by then.
        let due_ms = self.lock().engine.poll_timeout();
        if timer.due_ms == due_ms {
            return;
        }
        timer.unset.notify(usize::MAX);
        timer.due_ms = due_ms;
        let Some(due_ms) = due_ms else { return };
        let (shared, host) = (Arc::downgrade(self), Arc::clone(&self.host));
        let unset = timer.unset.listen();
        let sleep = self.clock.instant(due_ms).saturating_duration_since(Instant::now());
        self.host.spawn(async move {
            let is_due = future::or(
                async {
                    host.sleep(sleep).await;
                    true
                },
                async {
                    unset.await;
                    false
                },
            );
            if is_due.await
                && let Some(shared) = shared.upgrade()
            {
                shared.timer.lock().unwrap_or_else(PoisonError::into_inner).due_ms = None;
                shared.with(|state| (state.handle_timeout(), None));
                shared.set_timer(); // also when the next timeout is the same once more
            }
        });
    }
}

/// Does work on another thread and waits for it; `None` when it panicked.
pub(crate) async fn elsewhere<T: Send + 'static>(
    run: impl FnOnce(Box<dyn FnOnce() + Send>),
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = oneshot::channel();
    run(Box::new(move || drop(done.send(work()))));
    result.await.ok()
}

impl<H: Host> Drop for Shared<H> {
    fn drop(&mut self) {
        self.timer.get_mut().unwrap_or_else(PoisonError::into_inner).unset.notify(usize::MAX);
    }
}

/// Says what the user is waited for.
pub(crate) fn announce(setup: &Setup, interaction: &Interaction, why: &str) {
    match interaction {
        Interaction::Approve(summary) => setup.observer.event(Event::WaitingForApproval { summary }),
        Interaction::Authorize(prompt) => setup.observer.event(Event::WaitingForBrowser { prompt, why }),
        Interaction::Device(prompt) => setup.observer.event(Event::WaitingForDevice { prompt, why }),
        _ => {}
    }
}
