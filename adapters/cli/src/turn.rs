//! One page for many processes: whoever needs the user first asks, the others wait and take the tokens that come of it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use grantor_ureq::driver::Wait;
use grantor_ureq::grantor::error::{Error, ErrorReport};
use grantor_ureq::grantor::{AuthorizationPrompt, DevicePrompt, Summary, limits};
use grantor_ureq::{Answer, InteractionFailure, UserAgent};

/// What is said while another process has the user.
const ELSEWHERE: &str = "another process asks the user for this server already";
/// How often it is looked whether that one is done.
const POLL: Duration = Duration::from_millis(100);
/// For so long the engine takes the records that it has read for current.
const RELOAD: Duration = Duration::from_millis(limits::RELOAD_MS);
/// The longest note: a time in milliseconds.
const NOTE: u64 = 20;

/// The right to ask the user for one account of one server. It ends with the process.
#[derive(Debug)]
pub(crate) struct Turn {
    path: PathBuf,
    held: Mutex<Option<Held>>,
    /// What others have obtained since then this process may not have seen; in milliseconds of Unix time.
    seen_ms: AtomicU64,
}

#[derive(Debug)]
struct Held {
    /// Locked. It says when the user answered last.
    file: File,
    /// Whether the user has answered; what comes of it may not be stored yet.
    answered: bool,
}

impl Turn {
    pub(crate) fn new(directory: &Path, resource: &str, account: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (resource, account).hash(&mut hasher);
        let path = directory.join(format!("asking-{:016x}.lock", hasher.finish()));
        Self { path, held: Mutex::default(), seen_ms: AtomicU64::new(now_ms()) }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes it, if no other process has it or has just had it.
    fn take(&self) -> io::Result<bool> {
        let mut held = self.held();
        if held.is_none() {
            let Some(mut file) = self.lock()? else { return Ok(false) };
            if read(&mut file)?.is_some_and(|answered_ms| answered_ms >= self.seen_ms.load(Ordering::Relaxed))
            {
                return Ok(false);
            }
            *held = Some(Held { file, answered: false });
        }
        Ok(true)
    }

    fn lock(&self) -> io::Result<Option<File>> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&self.path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// A call is over: if it was the one that asked the user, the others may go on.
    pub(crate) fn leave(&self, failed: bool) {
        let mut held = self.held();
        if let Some(Held { file, answered }) = held.take_if(|held| held.answered || failed)
            && answered
        {
            let now_ms = now_ms();
            // Without the note another page is opened at worst.
            let _ = write(file, now_ms);
            // This process knows what it has obtained itself.
            self.seen_ms.store(now_ms.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Waits until the other process is done; whether it was before `until`.
    pub(crate) fn wait(&self, until: Instant) -> bool {
        thread::sleep(RELOAD);
        while Instant::now() < until {
            // Where locks do not work, asking twice is better than not at all.
            if !matches!(self.lock(), Ok(None)) {
                self.seen_ms.store(now_ms(), Ordering::Relaxed);
                return true;
            }
            thread::sleep(POLL);
        }
        false
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn read(file: &mut File) -> io::Result<Option<u64>> {
    let mut note = String::new();
    file.take(NOTE).read_to_string(&mut note)?;
    Ok(note.parse().ok())
}

fn write(mut file: File, at_ms: u64) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{at_ms}")
}

/// Whether a call failed because another process asks the user.
pub(crate) fn is_asked_elsewhere(report: &ErrorReport) -> bool {
    let Error::Effect(error) = &report.error else { return false };
    error.detail.as_ref().is_some_and(|detail| detail.as_str() == ELSEWHERE)
}

/// A way to the user that is taken in turn.
pub(crate) struct InTurn<U>(pub(crate) U, pub(crate) Arc<Turn>);

impl<U: UserAgent> UserAgent for InTurn<U> {
    fn listen(&self, preferred: Option<&str>) -> Result<String, InteractionFailure> {
        match self.1.take() {
            Ok(false) => Err(InteractionFailure::impossible(ELSEWHERE)),
            Ok(true) | Err(_) => self.0.listen(preferred),
        }
    }

    fn approve(&self, summary: &Summary) -> bool {
        self.0.approve(summary)
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, wait: &Wait) -> Result<Answer, InteractionFailure> {
        let answer = self.0.authorize(prompt, wait);
        if let Some(held) = self.1.held().as_mut() {
            held.answered = true;
        }
        answer
    }

    fn show_code(&self, prompt: &DevicePrompt, wait: &Wait) -> Result<Answer, InteractionFailure> {
        self.0.show_code(prompt, wait)
    }
}
