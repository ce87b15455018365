//! A callback's URL that the user pastes, because the browser could not bring it.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Mutex, MutexGuard};
use std::thread;

use grantor::AuthorizationPrompt;
use grantor::wire::callback::{Arrival, Callback, Returned};
use url::Url;

use super::Answer;

/// Reads what is pasted, a line at a time, and only when one is asked for. Reading blocks, and cannot be given up,
/// so it has a thread of its own from the first question on; a line that comes too late is the next one's.
pub(super) struct Pasted(Mutex<Lines>);

type Read = Box<dyn FnMut() -> io::Result<String> + Send>;

struct Lines {
    /// Until the first question.
    read: Option<Read>,
    /// Who takes the questions; nobody before the first one, and after an end.
    ask: Option<Sender<()>>,
    found: Option<Receiver<io::Result<String>>>,
    is_asked: bool,
}

impl Lines {
    /// Asks for a line, if none is awaited.
    fn ask(&mut self) {
        if let Some(mut read) = self.read.take() {
            let (ask, asked) = mpsc::channel();
            let (find, found) = mpsc::channel();
            thread::spawn(move || while asked.recv().is_ok() && find.send(read()).is_ok() {});
            (self.ask, self.found) = (Some(ask), Some(found));
        }
        if !self.is_asked {
            self.is_asked = self.ask.as_ref().is_some_and(|ask| ask.send(()).is_ok());
        }
    }

    /// The line that was asked for, once there is one.
    fn take(&mut self) -> Option<io::Result<String>> {
        let line = match self.found.as_ref().map(Receiver::try_recv) {
            Some(Ok(line)) => line,
            Some(Err(TryRecvError::Empty)) => return None,
            Some(Err(TryRecvError::Disconnected)) | None => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        self.is_asked = false;
        Some(line)
    }
}

impl Pasted {
    pub(super) fn by(read: impl FnMut() -> io::Result<String> + Send + 'static) -> Self {
        Self(Mutex::new(Lines { read: Some(Box::new(read)), ask: None, found: None, is_asked: false }))
    }

    /// Who asks for what is pasted, if nobody does at the moment.
    pub(super) fn begin(&self) -> Option<Pasting<'_>> {
        self.0.try_lock().ok().map(|lines| Pasting { lines, is_told: false, is_over: false })
    }
}

/// An answer that may be pasted.
pub(super) struct Pasting<'a> {
    lines: MutexGuard<'a, Lines>,
    is_told: bool,
    is_over: bool,
}

impl Pasting<'_> {
    /// The answer, if it has been pasted by now. What is wrong is told, and asked for again.
    pub(super) fn look(&mut self, prompt: &AuthorizationPrompt, tell: &dyn Fn(&str)) -> Option<Answer> {
        if self.is_over {
            return None;
        }
        if !self.is_told {
            self.is_told = true;
            tell("Then paste the whole URL at which the browser ends, even if it shows an error there:");
        }
        self.lines.ask();
        let line = self.lines.take()?;
        match line {
            Ok(line) if line.is_empty() => {
                self.is_over = true;
                tell("Nothing more can be pasted: the input has ended.");
            }
            Ok(line) => match judge(line.trim(), prompt) {
                Ok(answer) => return Some(answer),
                Err(words) => tell(words),
            },
            Err(error) => {
                self.is_over = true;
                tell(&format!("The URL cannot be read: {error}"));
            }
        }
        None
    }
}

/// What is wrong with what was pasted.
fn judge(line: &str, prompt: &AuthorizationPrompt) -> Result<Answer, &'static str> {
    // The page to open has the same `state`, and is what many paste first.
    let parse = |text: &str| Url::parse(text).ok();
    let same_page = |a: &Url, b: &Url| a.origin() == b.origin() && a.path() == b.path();
    let is_page = parse(line).zip(parse(prompt.url.as_str())).is_some_and(|(it, page)| same_page(&it, &page));
    let query = parse(line).map_or_else(|| line.to_owned(), |url| url.query().unwrap_or_default().to_owned());
    let has = |name: &str| url::form_urlencoded::parse(query.as_bytes()).any(|(it, _)| it == name);
    match prompt.judge(Returned::to(line)) {
        _ if is_page => {}
        Arrival::Answer => return Ok(Answer::Callback(line.to_owned())),
        // The user's own hand brings it.
        Arrival::WithoutState if has("error") => return Ok(Answer::CallbackWithoutState(line.to_owned())),
        _ => {}
    }
    Err(if line.is_empty() {
        "Nothing was pasted. Paste the URL at which the browser ended:"
    } else if is_page {
        "This is the page to open. Agree there, and paste the URL at which the browser ends:"
    } else if Callback::read(line).is_ok() && has("state") {
        "This URL answers another attempt. Open the page above, and paste the URL at which the browser ends:"
    } else {
        "This is not the URL at which the browser ended: it has `code` and `state` in it. Paste it as a whole:"
    })
}
