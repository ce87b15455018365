//! Places in a process where it can be made to stop, so that another one can kill it there; and where it
//! keeps its records.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use grantor::{AuthorizationPrompt, RecordKind, RecordRevision, Secret, StoreKey, Summary};
use grantor_driver::store::{Record, StoreError, Swap};
use grantor_driver::{Answer, FileStore, InteractionFailure, Store, UserAgent, Wait};
use grantor_postgres::PostgresStore;
use grantor_sqlite::SqliteStore;
use grantor_valkey::ValkeyStore;

/// The record that the `n`th thread of the program `counter` counts up, from 0. Each run has its own: a server may still
/// be doing what a process asked for that is dead.
pub fn counted(run: &str, n: usize) -> StoreKey {
    StoreKey::new(RecordKind::Grant, "https://mcp.example.com/mcp", &format!("counter {run} {n}"), None)
}

/// What it holds: long enough to be cut in two.
pub fn content(count: u64) -> String {
    format!("{count} ").repeat(1500)
}

/// Which side of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It is done, and the engine does not know.
    After,
    /// It is not done.
    Before,
}

/// Counts the effects of this process, and stops at one of them.
#[derive(Clone, Debug, Default)]
pub struct Points {
    count: Arc<AtomicUsize>,
    stop: Option<(usize, Side)>,
}

impl Points {
    /// Stops at this side of the `n`th effect, from 0.
    pub fn stopping_at(n: usize, side: Side) -> Self {
        Self { count: Arc::default(), stop: Some((n, side)) }
    }

    /// Performs an effect.
    fn pass<T>(&self, effect: impl FnOnce() -> T) -> T {
        let n = self.count.fetch_add(1, Ordering::SeqCst);
        self.stop_at(n, Side::Before);
        let result = effect();
        self.stop_at(n, Side::After);
        result
    }

    fn stop_at(&self, n: usize, side: Side) {
        if self.stop == Some((n, side)) {
            println!("stopped");
            let _ = std::io::stdout().flush();
            loop {
                thread::park();
            }
        }
    }
}

/// A store or a user agent whose every operation is a point.
#[derive(Debug)]
pub struct Stopping<T>(pub T, pub Points);

impl<S: Store> Store for Stopping<S> {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        self.1.pass(|| self.0.load(key))
    }

    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError> {
        self.1.pass(|| self.0.save(key, record, expect))
    }

    fn save_until(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        expires_at_s: u64,
    ) -> Result<Swap, StoreError> {
        self.1.pass(|| self.0.save_until(key, record, expect, expires_at_s))
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        self.1.pass(|| self.0.delete(key, expect))
    }
}

impl<U: UserAgent> UserAgent for Stopping<U> {
    /// At a port of this process's own, if the client has none yet: one that the system chooses may be taken by somebody's
    /// connection before another process comes back to it.
    fn listen(&self, preferred: Option<&str>) -> Result<String, InteractionFailure> {
        let own = format!("http://127.0.0.1:{}/callback", own_port());
        self.1.pass(|| self.0.listen(Some(preferred.unwrap_or(&own))))
    }

    fn approve(&self, summary: &Summary) -> bool {
        self.1.pass(|| self.0.approve(summary))
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, wait: &Wait) -> Result<Answer, InteractionFailure> {
        self.1.pass(|| self.0.authorize(prompt, wait))
    }
}

/// A port below those that systems give to connections, and another one for each process of many.
fn own_port() -> u32 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    FIRST + std::process::id() % COUNT
}

/// The store in a directory, or what the word before a colon says: in the keyring with its locks in the directory after
/// `keyring:`, in a database in the directory after `sqlite:`, in the server to which `postgres:` or `valkey:` connects.
///
/// # Errors
/// When it cannot be used.
pub fn store(place: &str) -> Result<Arc<dyn Store>, StoreError> {
    match place.split_once(':') {
        Some(("keyring", locks)) => keyring(locks),
        Some(("sqlite", directory)) => {
            Ok(Arc::new(SqliteStore::open(Path::new(directory).join("records.sqlite"))?))
        }
        Some(("postgres", to)) => Ok(Arc::new(PostgresStore::connect(to)?)),
        Some(("valkey", to)) => Ok(Arc::new(ValkeyStore::connect(to)?)),
        _ => Ok(Arc::new(FileStore::new(place)?)),
    }
}

#[cfg(feature = "secret-service")]
fn keyring(locks: &str) -> Result<Arc<dyn Store>, StoreError> {
    let keyring = dbus_secret_service_keyring_store::Store::new().map_err(StoreError::new)?;
    // Each test has a directory of its own, and so a service.
    Ok(Arc::new(grantor_driver::KeyringStore::new(keyring, format!("grantor-test {locks}"), locks)?))
}

#[cfg(not(feature = "secret-service"))]
fn keyring(_: &str) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::new("built without the feature `secret-service`"))
}
