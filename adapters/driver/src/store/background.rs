//! A thread for what is asynchronous.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, timeout_at};

use super::StoreError;

/// So long an operation waits for a server that restarts.
const PATIENCE: Duration = Duration::from_secs(15);
/// The first pause between two attempts, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A thread with a runtime of tokio's, on which a store has its connections to a database.
///
/// Whoever calls the store may be on whatever runtime, or none: the call waits for the thread's answer. Calls from many
/// threads run side by side. The thread and what runs on it end with this.
#[derive(Clone)]
pub struct Background(UnboundedSender<Work>);

impl Background {
    /// Starts a thread of this name.
    ///
    /// # Errors
    /// When the system gives no thread or no events.
    pub fn start(name: &str) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| {
            StoreError::new(format_args!("cannot start a thread for the store: {error}"))
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (sender, mut works) = unbounded_channel::<Work>();
        let run = async move {
            while let Some(work) = works.recv().await {
                tokio::spawn(work);
            }
        };
        thread::Builder::new().name(name.into()).spawn(move || runtime.block_on(run)).map_err(failed)?;
        Ok(Self(sender))
    }

    /// Has something done, and waits for it. It should end by itself in a bounded time.
    ///
    /// # Errors
    /// As what is done, and when that panics.
    pub fn perform<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = channel();
        self.spawn(async move {
            let _ = answer.send(work.await);
        });
        answered.recv().unwrap_or_else(|_| Err(StoreError::new("the store's thread gave up")))
    }

    /// Has an operation done, and done again while that may help: a server that restarts or hands over to another is
    /// waited for, some seconds. It must do no harm to do it twice; a write can have that by a
    /// [revision of its own](super::new_revision).
    ///
    /// # Errors
    /// That it cannot do this (`what`), and the last attempt's words.
    pub fn insist<T, E, F>(
        &self,
        what: &'static str,
        operation: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        E: Into<Trouble> + Send,
        F: Future<Output = Result<T, E>> + Send,
    {
        self.perform(async move {
            let trouble = attempts(PATIENCE, operation).await;
            trouble.map_err(|trouble| StoreError::new(format_args!("cannot {what}: {}", trouble.words)))
        })
    }

    /// Has something done that nobody waits for.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let _ = self.0.send(Box::pin(work)); // the thread lives as long as this
    }
}

/// What went wrong with one attempt.
#[derive(Clone, Debug)]
pub struct Trouble {
    words: String,
    may_pass: bool,
}

impl Trouble {
    /// In words for a person, without a record's content; and whether another attempt may go better: the connection
    /// ended, the server comes or goes, others were in the way.
    pub fn new(words: impl fmt::Display, may_pass: bool) -> Self {
        Self { words: words.to_string(), may_pass }
    }
}

async fn attempts<T, E: Into<Trouble>, F: Future<Output = Result<T, E>>>(
    patience: Duration,
    operation: impl Fn() -> F,
) -> Result<T, Trouble> {
    let end = Instant::now() + patience;
    let mut pause = PAUSES.0;
    let mut last = Trouble::new("no answer within the time", true);
    loop {
        match timeout_at(end, operation()).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => last = error.into(),
            Err(_) => return Err(last),
        }
        if !last.may_pass || Instant::now() + pause > end {
            return Err(last);
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn calls_wait_for_the_answer_and_not_for_each_other() {
        let background = Background::start("test").unwrap();
        let (first, second) = (background.clone(), background.clone());
        let (say, said) = tokio::sync::oneshot::channel();
        let waiting = thread::spawn(move || first.perform(async move { Ok(said.await.unwrap()) }));
        second.perform(async move { say.send("hello").map_err(StoreError::new) }).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), "hello");
    }

    #[test]
    fn what_may_pass_is_attempted_again() {
        let background = Background::start("test").unwrap();
        let counted = |until: usize, may_pass: bool| {
            let count = Arc::new(AtomicUsize::new(0));
            let counting = Arc::clone(&count);
            let done = background.insist("count", move || {
                let now = counting.fetch_add(1, Ordering::SeqCst) + 1;
                async move { if now < until { Err(Trouble::new(now, may_pass)) } else { Ok(now) } }
            });
            (done.map_err(|error| error.to_string()), count.load(Ordering::SeqCst))
        };
        assert_eq!(counted(4, true), (Ok(4), 4));
        assert_eq!(counted(4, false), (Err("cannot count: 1".into()), 1));
        // There is an end to it, and the last words are told.
        let hour = Duration::from_secs(3600);
        let never = background.perform(async move {
            tokio::time::pause();
            let started = Instant::now();
            let last = attempts(hour, || async { Err::<(), _>(Trouble::new("away", true)) }).await;
            assert!(started.elapsed() <= hour);
            last.map_err(|trouble| StoreError::new(trouble.words))
        });
        assert_eq!(never.unwrap_err().to_string(), "away");
    }

    #[test]
    fn a_panic_is_an_error_and_the_next_call_works() {
        let background = Background::start("test").unwrap();
        let panicking = background.perform::<()>(async { panic!("planted") });
        assert!(panicking.unwrap_err().to_string().contains("gave up"));
        assert_eq!(background.perform(async { Ok(7) }).unwrap(), 7);
        // On a runtime, too, which it does not touch.
        let runtime = Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(async { background.perform(async { Ok(8) }) }).unwrap(), 8);
        runtime.block_on(async { drop(background) });
    }
}
