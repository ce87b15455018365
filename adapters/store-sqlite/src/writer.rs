//! The thread that writes: what waits for it shares a transaction.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use grantor_driver::grantor::{RecordRevision, Secret, StoreKey};
use grantor_driver::store::{StoreError, Swap, new_revision, record_name, unix_s};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::database::{failed, time};

/// So many writes share a transaction at most, and so many rows that are over are removed with one.
const GROUP: usize = 256;

/// A compare-and-swap.
pub(crate) struct Write {
    name: String,
    kind: Kind,
}

enum Kind {
    Delete {
        expect: RecordRevision,
    },
    Save {
        record: Secret,
        revision: RecordRevision,
        expect: Option<RecordRevision>,
        expires_at_s: Option<i64>,
    },
}

impl Write {
    pub(crate) fn save(
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        expires_at_s: Option<u64>,
    ) -> Result<Self, StoreError> {
        let (record, revision, expires_at_s) = (record.clone(), new_revision()?, expires_at_s.map(time));
        Ok(Self { name: record_name(key), kind: Kind::Save { record, revision, expect, expires_at_s } })
    }

    pub(crate) fn delete(key: &StoreKey, expect: RecordRevision) -> Self {
        Self { name: record_name(key), kind: Kind::Delete { expect } }
    }

    fn perform(&self, transaction: &Transaction<'_>, now_s: i64) -> rusqlite::Result<Swap> {
        match &self.kind {
            Kind::Delete { expect } => self.delete_row(transaction, *expect, now_s),
            Kind::Save { record, revision, expect, expires_at_s } => {
                let content = record.expose().as_bytes();
                let changed = match expect {
                    None => transaction
                        .prepare_cached(
                            "INSERT INTO records (name, content, revision, expires_at_s) VALUES (?1, ?2, ?3, ?4)
                             ON CONFLICT (name) DO UPDATE
                             SET content = ?2, revision = ?3, expires_at_s = ?4 WHERE expires_at_s < ?5",
                        )?
                        .execute((&self.name, content, revision.0, expires_at_s, now_s))?,
                    Some(expect) => transaction
                        .prepare_cached(
                            "UPDATE records SET content = ?2, revision = ?3, expires_at_s = ?4
                             WHERE name = ?1 AND revision = ?6 AND (expires_at_s IS NULL OR expires_at_s >= ?5)",
                        )?
                        .execute((&self.name, content, revision.0, expires_at_s, now_s, expect.0))?,
                };
                Ok(if changed == 0 { Swap::Conflict } else { Swap::Done(Some(*revision)) })
            }
        }
    }

    fn delete_row(
        &self,
        transaction: &Transaction<'_>,
        expect: RecordRevision,
        now_s: i64,
    ) -> rusqlite::Result<Swap> {
        let deleted = transaction
            .prepare_cached("DELETE FROM records WHERE name = ?1 AND (revision = ?2 OR expires_at_s < ?3)")?
            .execute((&self.name, expect.0, now_s))?;
        let stays = deleted == 0
            && transaction
                .prepare_cached("SELECT 1 FROM records WHERE name = ?1")?
                .query_row([&self.name], |_| Ok(()))
                .optional()?
                .is_some();
        Ok(if stays { Swap::Conflict } else { Swap::Done(None) })
    }
}

/// A write, and who waits for it.
struct Job {
    write: Write,
    answer: Sender<Result<Swap, StoreError>>,
}

/// The way to the thread. It ends with this.
pub(crate) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(connection: Connection, path: &Path) -> Result<Self, StoreError> {
        let (jobs, received) = channel();
        let desk = Desk { connection, path: path.to_owned(), swept_s: 0 };
        let thread = thread::Builder::new()
            .name("grantor-sqlite".into())
            .spawn(move || desk.work(&received))
            .map_err(|error| StoreError::new(format_args!("cannot start the thread that writes: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Returns when the write is on disk, or will not be.
    pub(crate) fn perform(&self, write: Write) -> Result<Swap, StoreError> {
        self.hand_in(write)
            .recv()
            .unwrap_or_else(|_| Err(StoreError::new("the thread that writes has ended")))
    }

    /// Where the answer will come.
    pub(crate) fn hand_in(&self, write: Write) -> Receiver<Result<Swap, StoreError>> {
        let (answer, answered) = channel();
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Job { write, answer }); // or the answer's sender is gone with the job
        }
        answered
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread has.
struct Desk {
    connection: Connection,
    path: PathBuf,
    /// When rows that are over were last removed, all of them.
    swept_s: i64,
}

impl Desk {
    fn work(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            match self.perform(&mut group, jobs) {
                Ok(swaps) => {
                    for (job, swap) in group.iter().zip(swaps) {
                        let _ = job.answer.send(Ok(swap));
                    }
                }
                Err(error) => {
                    let error = failed("write", &self.path, &error);
                    for job in &group {
                        let _ = job.answer.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// Performs all writes of a group, or none. The group is who waits when it is our turn to write.
    fn perform(&mut self, group: &mut Vec<Job>, jobs: &Receiver<Job>) -> rusqlite::Result<Vec<Swap>> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        group.extend(jobs.try_iter().take(GROUP - 1));
        let now_s = time(unix_s());
        let swaps =
            group.iter().map(|job| job.write.perform(&transaction, now_s)).collect::<Result<_, _>>()?;
        let mut swept_s = self.swept_s;
        if swept_s != now_s {
            let removed = transaction
                .prepare_cached(
                    "DELETE FROM records WHERE rowid IN
                     (SELECT rowid FROM records WHERE expires_at_s < ?1 LIMIT ?2)",
                )?
                .execute((now_s, i64::try_from(GROUP).unwrap_or(i64::MAX)))?;
            if removed < GROUP {
                swept_s = now_s;
            }
        }
        transaction.commit()?;
        self.swept_s = swept_s;
        Ok(swaps)
    }
}
