//! Talking to the user: the system's browser and the loopback receiver, or whatever the host has.

mod loopback;
mod page;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use grantor::error::FailureKind;
use grantor::{AuthorizationPrompt, DevicePrompt, Reason, Summary};

use self::loopback::Receiver;

/// Talks to the user. Methods may block; each call has a thread of its own.
///
/// A web application's is short: it sends the user's browser to the page, and the callback reaches the
/// session through its own redirect endpoint. It keeps each prompt until its callback comes: the one for which
/// [`is_answered_by`](AuthorizationPrompt::is_answered_by) is true says in `summary.account` whose session
/// takes it. `listen` names the redirect URI.
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
    /// The user gave up.
    Declined,
    /// The callback will come by another way, through `callback` of the session.
    Later,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Callback(_) => "Callback(…)",
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

/// The browser on the user's machine, with a receiver on a loopback port (RFC 8252 7.3).
///
/// By itself it opens the system's browser; agrees to further scopes, since the authorization server
/// will show them to the user; and does not agree to another authorization server than before, since a
/// hijacked resource would name one that looks right. [`on_question`](Self::on_question) decides
/// otherwise.
pub struct Browser {
    show: Box<Show>,
    approve: Box<Approve>,
    show_code: Box<ShowCode>,
    port: u16,
    receivers: Mutex<BTreeMap<String, Receiver>>,
}

/// How long a page from before a restart is waited for before it is shown again.
const RESUME: Duration = Duration::from_secs(10);
/// Receivers that wait for a page to be opened; each is a port.
const RECEIVERS: usize = 8;

impl Default for Browser {
    fn default() -> Self {
        Self::shown_by(open_in_system_browser)
    }
}

impl Browser {
    /// Shows pages with this function instead of opening the system's browser, for instance by printing
    /// the URL. An error means that the user cannot see it.
    pub fn shown_by(show: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self {
            show: Box::new(show),
            approve: Box::new(|summary| matches!(summary.reason, Reason::StepUp | Reason::Unauthorized)),
            show_code: Box::new(write_code),
            port: 0,
            receivers: Mutex::default(),
        }
    }

    /// Decides questions with this function.
    #[must_use]
    pub fn on_question(self, approve: impl Fn(&Summary) -> bool + Send + Sync + 'static) -> Self {
        Self { approve: Box::new(approve), ..self }
    }

    /// Shows codes for other devices (RFC 8628) with this function. By itself they are written to standard
    /// error.
    #[must_use]
    pub fn on_code(self, show: impl Fn(&DevicePrompt) + Send + Sync + 'static) -> Self {
        Self { show_code: Box::new(show), ..self }
    }

    /// Listens on this port, for servers that want redirect URIs to be registered with it. By itself any
    /// free port.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    fn receivers(&self) -> MutexGuard<'_, BTreeMap<String, Receiver>> {
        self.receivers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_code(prompt: &DevicePrompt) {
    eprintln!(
        "To let {} use {}, open {} on any device and enter the code {}",
        prompt.summary.account,
        prompt.summary.resource,
        prompt.verification_uri.as_str(),
        prompt.user_code
    );
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
        (self.show_code)(prompt);
        Ok(Answer::Later)
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, wait: &Wait) -> Result<Answer, InteractionFailure> {
        let waiting = self.receivers().remove(&*prompt.redirect_uri);
        let show = || (self.show)(prompt.url.as_str()).map_err(InteractionFailure::impossible);
        let receiver = match waiting {
            Some(receiver) => receiver,
            None if loopback::is_loopback(&prompt.redirect_uri) => Receiver::at(&prompt.redirect_uri)
                .map_err(|error| {
                    InteractionFailure::impossible(format_args!("cannot listen for the browser: {error}"))
                })?,
            None => {
                show()?;
                return Ok(Answer::Later);
            }
        };
        let answers = |target: &str| prompt.is_answered_by(target);
        if prompt.resumed {
            let first = Wait { deadline: wait.deadline.min(Instant::now() + RESUME), ..wait.clone() };
            if let Some(target) = receiver.wait(answers, &first) {
                return Ok(Answer::Callback(target));
            }
        }
        show()?;
        receiver.wait(answers, wait).map(Answer::Callback).ok_or_else(InteractionFailure::timed_out)
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").field("port", &self.port).finish_non_exhaustive()
    }
}

#[cfg(feature = "browser")]
fn open_in_system_browser(url: &str) -> Result<(), String> {
    webbrowser::open(url).map_err(|error| format!("no browser could be opened: {error}"))
}

#[cfg(not(feature = "browser"))]
fn open_in_system_browser(_: &str) -> Result<(), String> {
    Err("built without the feature that opens the system's browser".into())
}
