//! A thread for what is asynchronous.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::StoreError;

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

    /// Has something done that nobody waits for.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let _ = self.0.send(Box::pin(work)); // the thread lives as long as this
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
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
