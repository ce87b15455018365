//! Talking to the user: the system's browser and the loopback receiver, or whatever the host has.

mod connection;
mod loopback;
mod page;
mod paste;
mod tell;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use grantor::error::FailureKind;
use grantor::{AuthorizationPrompt, DevicePrompt, Reason, Summary};

use self::loopback::{Receiver, Visit};
pub use self::page::{Landing, PageRequest};
use self::paste::Pasted;

/// Talks to the user. Methods may block; each call has a thread of its own.
///
/// A web application's is short: it sends the user's browser to the page, and the callback reaches the
/// session through its own redirect endpoint. It keeps the prompt in the web session of the user who began,
/// which a cookie ties to that user's browser, and answers a callback with the prompts of the session whose
/// cookie comes with it, and no others: with the one for which
/// [`is_answered_by`](AuthorizationPrompt::is_answered_by) is true. `state` alone does not do: it shows that the
/// callback belongs to a prompt, not that it comes from the browser in which that was opened, so an attacker could
/// have a victim finish what the attacker began, or the other way round (RFC 9700 2.1.1, 4.7). `listen` names the
/// redirect URI.
///
/// ```
/// use grantor_driver::grantor::{AuthorizationPrompt, Summary};
/// use grantor_driver::{Answer, InteractionFailure, UserAgent, Wait};
///
/// struct WebApplication(std::sync::mpsc::SyncSender<AuthorizationPrompt>);
///
/// impl UserAgent for WebApplication {
///     fn listen(&self, _: Option<&str>) -> Result<String, InteractionFailure> {
///         Ok("https://app.example.com/callback".to_owned())
///     }
///     fn approve(&self, _: &Summary) -> bool {
///         true
///     }
///     fn authorize(&self, prompt: &AuthorizationPrompt, _: &Wait) -> Result<Answer, InteractionFailure> {
///         self.0.send(prompt.clone()).map_err(InteractionFailure::impossible)?;
///         Ok(Answer::Later)
///     }
/// }
/// ```
pub trait UserAgent: Send + Sync + 'static {
    /// Prepares a place that the browser can come back to, the preferred one if possible, and names its
    /// redirect URI.
    ///
    /// # Errors
    /// When there is none.
    fn listen(&self, preferred: Option<&str>) -> Result<String, InteractionFailure>;

    /// Whether to go on with this.
    fn approve(&self, summary: &Summary) -> bool;

    /// Shows the page and waits for the browser to come back, but not longer than `wait` allows.
    ///
    /// # Errors
    /// When the page cannot be shown or the callback cannot be received.
    fn authorize(&self, prompt: &AuthorizationPrompt, wait: &Wait) -> Result<Answer, InteractionFailure>;

    /// Shows a code that the user is to type in on another device (RFC 8628), until `wait` is over. Returns
    /// [`Answer::Later`], at once or then; [`Answer::Declined`] when the user gave up.
    ///
    /// # Errors
    /// When there is no way to show it.
    fn show_code(&self, prompt: &DevicePrompt, wait: &Wait) -> Result<Answer, InteractionFailure> {
        let _ = (prompt, wait);
        Err(InteractionFailure::impossible("this host cannot show a device code"))
    }
}

/// What the user did.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The browser came back with this URL or request target.
    Callback(String),
    /// It came back with this one, which has no `state`: the prompt calls it a
    /// [`Refusal`](grantor::wire::callback::Arrival::Refusal), or the user has pasted it.
    CallbackWithoutState(String),
    /// The user gave up.
    Declined,
    /// The callback will come by another way, through `callback` of the session.
    Later,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Callback(_) => "Callback(…)",
            Self::CallbackWithoutState(_) => "CallbackWithoutState(…)",
            Self::Declined => "Declined",
            Self::Later => "Later",
        })
    }
}

/// Why the user could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InteractionFailure {
    /// The kind.
    pub kind: FailureKind,
    /// Words for a person.
    pub detail: String,
}

impl InteractionFailure {
    /// It is not possible here.
    pub fn impossible(detail: impl fmt::Display) -> Self {
        Self { kind: FailureKind::Impossible, detail: detail.to_string() }
    }

    /// It took too long, or nobody waits any more.
    pub fn timed_out() -> Self {
        Self { kind: FailureKind::TimedOut, detail: String::new() }
    }
}

/// How long to wait for the user.
#[derive(Clone, Debug)]
pub struct Wait {
    deadline: Instant,
    abandoned: Arc<AtomicBool>,
}

impl Wait {
    /// Until `deadline`, unless it is [abandoned](Self::abandon) before.
    pub fn until(deadline: Instant) -> Self {
        Self { deadline, abandoned: Arc::default() }
    }

    /// Ends the wait, on all clones.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }
}

/// Shows a page to the user.
type Show = dyn Fn(&str) -> Result<(), String> + Send + Sync;
/// Decides a question.
type Approve = dyn Fn(&Summary) -> bool + Send + Sync;
/// Shows a code for another device.
type ShowCode = dyn Fn(&DevicePrompt) + Send + Sync;
/// Tells the user something.
type Tell = dyn Fn(&str) + Send + Sync;
/// Makes the page on which the browser ends.
type Page = dyn Fn(&PageRequest<'_>) -> String + Send + Sync;

/// The browser on the user's machine, with a receiver on a loopback port (RFC 8252 7.3).
///
/// By default it opens the system's browser. Where there is no display, over SSH, and when no browser can be
/// opened, it writes the page's URL to standard error, for the user to open. It agrees to further scopes, since the
/// authorization server will show them to the user; and does not agree to another authorization server than before,
/// since a hijacked resource would name one that looks right. [`on_question`](Self::on_question) decides
/// otherwise.
///
/// # A browser on another machine
///
/// The browser has to come back to a port of the machine on which this runs. Over SSH, fix the
/// [port](Self::port), and let `ssh` bring it to the machine with the browser:
///
/// ```text
/// ssh -L 8123:127.0.0.1:8123 user@host
/// ```
///
/// Or let the user [paste](Self::pasted) the URL at which the browser ended, even though it could not connect there.
/// Without any of that, there is [`Flow::Device`](grantor::client::Flow::Device), if the authorization server has it.
///
/// ```
/// use grantor_driver::Browser;
/// let over_ssh = Browser::default().port(8123);
/// let without_ssh = Browser::pasted();
/// ```
pub struct Browser {
    /// `None` for the system's browser.
    show: Option<Box<Show>>,
    approve: Box<Approve>,
    show_code: Option<Box<ShowCode>>,
    tell: Box<Tell>,
    page: Box<Page>,
    pasted: Option<Pasted>,
    port: u16,
    receivers: Mutex<BTreeMap<String, Receiver>>,
}

/// Receivers that wait for a page to be opened; each is a port.
const RECEIVERS: usize = 8;
/// So long before the engine would give the user up this does, and says what was waited for.
const MARGIN: Duration = Duration::from_millis(500);
/// How often somebody who has nothing to receive looks for the end of the wait.
const TICK: Duration = Duration::from_millis(50);

impl Default for Browser {
    fn default() -> Self {
        Self {
            show: None,
            approve: Box::new(|summary| matches!(summary.reason, Reason::StepUp | Reason::Unauthorized)),
            show_code: None,
            tell: Box::new(|words| eprintln!("{words}")),
            page: Box::new(page::page),
            pasted: None,
            port: 0,
            receivers: Mutex::default(),
        }
    }
}

impl Browser {
    /// Shows pages with this function instead of opening the system's browser. An error means that the user
    /// cannot see it.
    pub fn open_with(show: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self { show: Some(Box::new(show)), ..Self::default() }
    }

    /// Writes the page's URL to standard error, for any browser of any machine, and reads from standard input the
    /// URL at which that ended. A wrong one is answered, and asked for again. A browser that can come back to
    /// this machine still may.
    pub fn pasted() -> Self {
        let read = || {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|_| line)
        };
        let browser = Self::default().pasted_by(read);
        Self { show: Some(Box::new(|_| Ok(()))), ..browser }
    }

    /// Also takes the URL at which the browser ended from this function. It is called once for each try and may
    /// block; nothing means that there will be none.
    #[must_use]
    pub fn pasted_by(self, read: impl FnMut() -> io::Result<String> + Send + 'static) -> Self {
        Self { pasted: Some(Pasted::by(read)), ..self }
    }

    /// Tells the user with this function what is to be done, a page's URL among it. By default it is written to
    /// standard error.
    #[must_use]
    pub fn told_by(self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { tell: Box::new(tell), ..self }
    }

    /// Decides questions with this function.
    #[must_use]
    pub fn on_question(self, approve: impl Fn(&Summary) -> bool + Send + Sync + 'static) -> Self {
        Self { approve: Box::new(approve), ..self }
    }

    /// Shows codes for other devices (RFC 8628) with this function. By default they are written to standard
    /// error.
    #[must_use]
    pub fn on_code(self, show: impl Fn(&DevicePrompt) + Send + Sync + 'static) -> Self {
        Self { show_code: Some(Box::new(show)), ..self }
    }

    /// Shows this HTML when the browser has come back. By default it is a page that says what happened and in
    /// which application, in English or the browser's language. It is served with a policy that lets it load nothing
    /// and run nothing, as its URL holds the authorization code: styles and images have to be within it.
    #[must_use]
    pub fn page(self, page: impl Fn(&PageRequest<'_>) -> String + Send + Sync + 'static) -> Self {
        Self { page: Box::new(page), ..self }
    }

    /// Listens on this port, for servers that want redirect URIs to be registered with it, and for `ssh -L`. By
    /// default any free port.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    fn receivers(&self) -> MutexGuard<'_, BTreeMap<String, Receiver>> {
        self.receivers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the page, or tells where it is.
    fn show(&self, prompt: &AuthorizationPrompt) -> Result<(), InteractionFailure> {
        let url = prompt.url.as_str();
        let told = match &self.show {
            Some(show) => {
                show(url).map_err(InteractionFailure::impossible)?;
                self.pasted.is_some()
            }
            None => tell::open_in_system_browser(url).is_some_and(|problem| {
                problem.is_empty() || {
                    (self.tell)(&problem);
                    true
                }
            }),
        };
        if told {
            (self.tell)(&tell::where_to_go(prompt));
        }
        Ok(())
    }

    /// Waits for the browser to come back to the receiver, or for its URL to be pasted.
    fn receive(
        &self,
        receiver: Option<&Receiver>,
        prompt: &AuthorizationPrompt,
        wait: &Wait,
    ) -> Option<Answer> {
        let mut pasting = self.pasted.as_ref().and_then(Pasted::begin);
        let mut otherwise = || pasting.as_mut()?.look(prompt, &*self.tell);
        if let Some(receiver) = receiver {
            let server = prompt.summary.issuer.as_str();
            let server = url::Url::parse(server).ok().and_then(|url| url.host_str().map(str::to_owned));
            let page = |landing, languages: &str| {
                (self.page)(&PageRequest {
                    landing,
                    application: prompt.summary.client_name.as_deref(),
                    server: server.as_deref().unwrap_or_default(),
                    languages,
                })
            };
            let visit = Visit { judge: &|returned| prompt.judge(returned), page: &page };
            return receiver.wait(&visit, wait, otherwise);
        }
        while !wait.is_over() {
            if let Some(answer) = otherwise() {
                return Some(answer);
            }
            thread::sleep(TICK);
        }
        None
    }
}

impl UserAgent for Browser {
    fn listen(&self, preferred: Option<&str>) -> Result<String, InteractionFailure> {
        let mut receivers = self.receivers();
        if let Some(uri) = preferred.filter(|uri| receivers.contains_key(*uri)) {
            return Ok(uri.to_owned());
        }
        let preferred = preferred.filter(|_| self.port == 0).and_then(|uri| Receiver::at(uri).ok());
        let receiver = match preferred {
            Some(receiver) => receiver,
            None => Receiver::on_port(self.port).map_err(|error| {
                InteractionFailure::impossible(format_args!("no loopback port for the browser: {error}"))
            })?,
        };
        while receivers.len() >= RECEIVERS {
            receivers.pop_first();
        }
        let uri = receiver.redirect_uri().to_owned();
        receivers.insert(uri.clone(), receiver);
        Ok(uri)
    }

    fn approve(&self, summary: &Summary) -> bool {
        (self.approve)(summary)
    }

    fn show_code(&self, prompt: &DevicePrompt, _: &Wait) -> Result<Answer, InteractionFailure> {
        match &self.show_code {
            Some(show) => show(prompt),
            None => (self.tell)(&tell::code(prompt)),
        }
        Ok(Answer::Later)
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, wait: &Wait) -> Result<Answer, InteractionFailure> {
        let waiting = self.receivers().remove(&*prompt.redirect_uri);
        let receiver = match waiting {
            Some(receiver) => Some(receiver),
            None if loopback::is_loopback(&prompt.redirect_uri) => {
                Some(Receiver::at(&prompt.redirect_uri).map_err(|error| {
                    InteractionFailure::impossible(format_args!("cannot listen for the browser: {error}"))
                })?)
            }
            None => None,
        };
        self.show(prompt)?;
        if receiver.is_none() && self.pasted.is_none() {
            return Ok(Answer::Later);
        }
        let shorter =
            Wait { deadline: wait.deadline.checked_sub(MARGIN).unwrap_or(wait.deadline), ..wait.clone() };
        match self.receive(receiver.as_ref(), prompt, &shorter) {
            Some(answer) => Ok(answer),
            None => Err(InteractionFailure {
                kind: FailureKind::TimedOut,
                detail: tell::what_was_waited_for(prompt),
            }),
        }
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").field("port", &self.port).finish_non_exhaustive()
    }
}
