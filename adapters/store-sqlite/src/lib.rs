//! Grantor's records in a `SQLite` database: for the threads and processes of one machine.
//!
//! ```
//! use grantor_sqlite::SqliteStore;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = std::env::temp_dir().join(format!("grantor-sqlite-doc-{}", std::process::id()));
//! let store = SqliteStore::open(directory.join("records.sqlite"))?;
//! // `Setup::new(config).store(store)` for a client, `guard::Setup::store` for a protected server.
//! # drop(store);
//! # std::fs::remove_dir_all(directory)?;
//! # Ok(())
//! # }
//! ```

#![deny(missing_docs)]

mod database;
mod schema;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use grantor_driver::grantor::{RecordRevision, Secret, StoreKey};
use grantor_driver::store::{
    Record, Store, StoreError, Swap, private_file, private_file_trusting_parents, record_name, unix_s,
};
use rusqlite::Connection;
use zeroize::Zeroizing;

use crate::database::failed;
use crate::writer::{Write, Writer};

/// So many connections for readers are kept open.
const READERS: usize = 4;

/// Records in a `SQLite` database, for any number of processes of one user on one machine.
///
/// A record is in the file and flushed to disk before [`save`](Store::save) returns (write-ahead log,
/// `synchronous=FULL`). One thread writes: what is waiting when it begins shares a transaction, and so a flush, which is
/// why many threads that save at once are much faster than one. Readers have connections of their own and wait for
/// nobody. Processes take turns by `SQLite`'s own locks, so the file must be on a local disk, not on a network's.
///
/// [`save_until`](Store::save_until) is measured by this machine's clock. A record that is over is not there any more,
/// and its row is removed with later writes, some hundred at a time.
///
/// What is deleted or replaced is overwritten in the database (`secure_delete`). Copies may stay in the write-ahead log
/// until that is written anew. The content is not encrypted: whoever can read the file can read the tokens.
///
/// # Who else can read and write
///
/// As with the [`FileStore`](grantor_driver::FileStore): on Unix nobody but root. The database and the files that
/// `SQLite` puts beside it have mode 0600, a directory that is made has mode 0700, and a directory or file is refused when
/// it belongs to another user, or others may write or replace it. On Windows, files inherit the permissions of the
/// directory.
pub struct SqliteStore {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    writer: Writer,
}

impl SqliteStore {
    /// A store in the database of this name, which is made if it does not exist, with its directory. Give an absolute
    /// path: a relative one changes with the working directory.
    ///
    /// # Errors
    /// When the file cannot be made or used, others may write or replace it, it is not a database of Grantor's, or a
    /// later version of Grantor has written it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::at(private_file(path.as_ref())?)
    }

    /// The same without a look at the directories above the file's own: for volumes of containers, whose root belongs
    /// to another user or a group, where nobody else is on the machine.
    ///
    /// # Errors
    /// As of [`open`](Self::open).
    pub fn trusting_parents(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::at(private_file_trusting_parents(path.as_ref())?)
    }

    fn at(path: PathBuf) -> Result<Self, StoreError> {
        let writer = Writer::start(database::to_write(&path)?, &path)?;
        Ok(Self { path, readers: Mutex::default(), writer })
    }

    /// Has `work` done with a connection that only reads.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let lock = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => database::to_read(&self.path)?,
        };
        // One that has failed is not used again.
        let done = work(&connection).map_err(|error| failed("read", &self.path, &error))?;
        let mut readers = lock();
        if readers.len() < READERS {
            readers.push(connection);
        }
        Ok(done)
    }
}

impl Store for SqliteStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        let name = record_name(key);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT content, revision FROM records
                 WHERE name = ?1 AND (expires_at_s IS NULL OR expires_at_s >= ?2)",
            )?;
            let mut rows = statement.query((name, database::time(unix_s())))?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let (content, revision) = (row.get(0)?, row.get(1)?);
            Ok(Some(Record { content: Zeroizing::new(content), revision: RecordRevision(revision) }))
        })
    }

    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError> {
        self.writer.perform(Write::save(key, record, expect, None)?)
    }

    fn save_until(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        expires_at_s: u64,
    ) -> Result<Swap, StoreError> {
        self.writer.perform(Write::save(key, record, expect, Some(expires_at_s))?)
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        self.writer.perform(Write::delete(key, expect))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
