//! Where records are kept: in [memory](MemoryStore), in [files](FileStore), in the operating system's
//! keyring (`KeyringStore`, with the feature `keyring`), or wherever a [`Store`] of your own puts them. The crate
//! `grantor-sqlite` has one in a database. [`manual::stores`](grantor::manual::stores) tells what each promises.

#[cfg(feature = "background")]
mod background;
mod contract;
mod file;
#[cfg(feature = "keyring")]
mod keyring;
mod lock;
mod memory;
mod private;
mod sweep;

#[cfg(feature = "background")]
pub use background::{Background, Trouble};
pub use contract::check_contract;
pub use file::FileStore;
#[cfg(feature = "keyring")]
pub use keyring::KeyringStore;
pub use memory::MemoryStore;
pub use private::{application_directory, private_file, private_file_trusting_parents};

use std::sync::Arc;

use grantor::client::Account;
use grantor::{RecordRevision, Secret, StoreKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Keeps records by key, with compare-and-swap.
///
/// Methods may block; async hosts call them on a thread that may. Two stores on the same place, also in
/// two processes, must see each other's writes, and only one of two that expect the same revision may
/// succeed: tokens are lost or revoked otherwise.
///
/// A record is UTF-8 text of at most [`limits::RECORD`](grantor::limits::RECORD) bytes, usually two to
/// four thousand. It holds secrets. What `load` returns is checked by the engine, so a store need not
/// understand it, and hands out damaged ones as they are.
///
/// A store of your own, here on a table such as a database has:
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
///
/// use grantor_driver::grantor::{RecordRevision, Secret, StoreKey};
/// use grantor_driver::store::{Record, Store, StoreError, Swap, check_contract};
///
/// struct Row {
///     content: String,
///     version: u128,
/// }
///
/// /// `CREATE TABLE records (key TEXT PRIMARY KEY, content TEXT, version INTEGER)`; the mutex is the
/// /// transaction.
/// #[derive(Default)]
/// struct Table(Mutex<(BTreeMap<String, Row>, u128)>);
///
/// impl Store for Table {
///     fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
///         let table = self.0.lock().map_err(StoreError::new)?;
///         Ok(table.0.get(&key.to_string()).map(|row| Record {
///             content: row.content.clone().into_bytes().into(),
///             revision: RecordRevision::from_counter(row.version),
///         }))
///     }
///
///     // UPDATE records SET content = ?, version = ? WHERE key = ? AND version = ?
///     fn save(
///         &self,
///         key: &StoreKey,
///         record: &Secret,
///         expect: Option<RecordRevision>,
///     ) -> Result<Swap, StoreError> {
///         let mut table = self.0.lock().map_err(StoreError::new)?;
///         let stored = table.0.get(&key.to_string());
///         if stored.map(|row| RecordRevision::from_counter(row.version)) != expect {
///             return Ok(Swap::Conflict);
///         }
///         table.1 += 1; // of all rows: a deleted one's number must not come back
///         let row = Row { content: record.expose().to_owned(), version: table.1 };
///         let revision = RecordRevision::from_counter(row.version);
///         table.0.insert(key.to_string(), row);
///         Ok(Swap::Done(Some(revision)))
///     }
///
///     // DELETE FROM records WHERE key = ? AND version = ?
///     fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
///         let mut table = self.0.lock().map_err(StoreError::new)?;
///         let stored = table.0.get(&key.to_string());
///         if stored.is_some_and(|row| RecordRevision::from_counter(row.version) != expect) {
///             return Ok(Swap::Conflict);
///         }
///         table.0.remove(&key.to_string());
///         Ok(Swap::Done(None))
///     }
/// }
///
/// let table = Table::default();
/// check_contract(&table, &table);
/// ```
pub trait Store: Send + Sync + 'static {
    /// The record, and its revision.
    ///
    /// # Errors
    /// When it cannot be known what is stored.
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError>;

    /// Stores a record durably if the stored one is of revision `expect`, or there is none and `expect`
    /// is `None`.
    ///
    /// # Errors
    /// When it is not certain that the record is stored.
    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError>;

    /// As [`save`](Self::save), for a record that nobody needs after this time, in seconds since 1970: the store
    /// forgets it then, or soon after. Until then it is like any other; used proofs of possession
    /// ([`guard::Setup::store`](crate::guard::Setup::store)) are kept so, one for each request.
    ///
    /// By default it stays until it is deleted, which is right and grows.
    ///
    /// # Errors
    /// As for [`save`](Self::save).
    fn save_until(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        expires_at_s: u64,
    ) -> Result<Swap, StoreError> {
        let _ = expires_at_s;
        self.save(key, record, expect)
    }

    /// Deletes a record if it is of revision `expect`. That there is none counts as done.
    ///
    /// # Errors
    /// When it is not certain that the record is gone.
    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError>;

    /// Whether its methods may block, so that async hosts call them elsewhere. They may, unless all is in memory.
    fn blocks(&self) -> bool {
        true
    }
}

/// A record as it is stored.
#[derive(Clone)]
pub struct Record {
    /// Its content.
    pub content: Zeroizing<Vec<u8>>,
    /// Its revision.
    pub revision: RecordRevision,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// Another revision is stored; nothing was changed.
    Conflict,
    /// It is done. The revision of the record; none for one that was deleted.
    Done(Option<RecordRevision>),
}

/// A store that does not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(String);

impl StoreError {
    /// An error in words for a person; no record's content.
    pub fn new(words: impl std::fmt::Display) -> Self {
        Self(words.to_string())
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        (**self).load(key)
    }

    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError> {
        (**self).save(key, record, expect)
    }

    fn save_until(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        expires_at_s: u64,
    ) -> Result<Swap, StoreError> {
        (**self).save_until(key, record, expect, expires_at_s)
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        (**self).delete(key, expect)
    }

    fn blocks(&self) -> bool {
        (**self).blocks()
    }
}

/// A name for a record that differs for different keys: its kind, for people, and a hash of the key, which may hold
/// anything. It has lower-case letters, digits and `-`, and stays the same in later versions, so that it can name a
/// file, a row, or an entry of a database.
///
/// ```
/// use grantor_driver::grantor::{RecordKind, StoreKey};
/// let key = StoreKey::new(RecordKind::Grant, "https://mcp.example.com/mcp", "alice", None);
/// assert_eq!(grantor_driver::store::record_name(&key), "grant-5eb0487dccadab2bb0eb47b52adfe098");
/// ```
pub fn record_name(key: &StoreKey) -> String {
    let hash = Sha256::digest(key.to_string().as_bytes());
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let unreadable = if key.quarantine.is_some() { "-unreadable" } else { "" };
    format!("{}{unreadable}-{hex}", key.kind)
}

/// A revision that no other write has, whoever writes it: 16 random bytes. With one chosen before the write, a store can
/// repeat a write of which it does not know whether it happened.
///
/// # Errors
/// When the system has no entropy.
pub fn new_revision() -> Result<RecordRevision, StoreError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(StoreError::new)?;
    Ok(RecordRevision(random))
}

/// The time that [`Store::save_until`] is measured by, in seconds since 1970.
pub fn unix_s() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// The first half of a hash: copies and backups keep their revision.
fn revision(content: &[u8]) -> RecordRevision {
    let mut first = [0; 16];
    first.copy_from_slice(&Sha256::digest(content)[..16]);
    RecordRevision(first)
}

/// The accounts of a resource that are logged in and listed.
pub(crate) fn accounts(store: &dyn Store, resource: &str) -> Result<Vec<Account>, StoreError> {
    match store.load(&StoreKey::accounts(resource))? {
        Some(record) => grantor::client::accounts(&record.content).map_err(StoreError::new),
        None => Ok(Vec::new()),
    }
}
