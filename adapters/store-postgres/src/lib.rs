//! Grantor's records in `PostgreSQL`: for servers on many machines.
//!
//! ```no_run
//! use grantor_postgres::PostgresStore;
//! let store = PostgresStore::connect("host=/run/postgresql dbname=mcp user=mcp")?;
//! // `Setup::new(config).store(store)` for a client, `guard::Setup::store` for a protected server.
//! # Ok::<(), grantor_driver::store::StoreError>(())
//! ```

#![deny(missing_docs)]

mod connections;
mod schema;
mod trouble;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deadpool_postgres::Pool;
use grantor_driver::grantor::{RecordRevision, Secret, StoreKey};
use grantor_driver::store::{Background, Record, Store, StoreError, Swap, new_revision, record_name, unix_s};
#[cfg(feature = "rustls")]
use rustls::ClientConfig;
use tokio_postgres::config::SslMode;
use zeroize::Zeroizing;

use crate::trouble::Failed;

/// So many rows that are over are removed at a time.
const SWEEP: i64 = 500;

/// Records in a table of `PostgreSQL`, for any number of processes on any number of machines.
///
/// A record is durable before [`save`](Store::save) returns, as far as the server promises that for a commit: with
/// `fsync` on, as it is by default, and with a synchronous standby on that, too. A session whose `synchronous_commit` is
/// `off` gets it on. Each operation is one statement.
///
/// While the server restarts or hands over to another, operations wait for some seconds and are repeated. To repeat them
/// is safe: each write has a revision of its own, by which it is known whether it was done before. One that does not
/// succeed in time is an error.
///
/// [`save_until`](Store::save_until) is measured by the server's clock, from the time that the caller's clock says is left:
/// clocks need not agree. A record that is over is not there any more; its row is removed with later writes, some
/// hundred at a time.
///
/// # The database
///
/// The tables are made by the first that connects, if its role may do that: `grantor_records`, and `grantor_schema` with
/// their version, in the schema that the `search_path` names first. Otherwise have somebody do it who may; then
/// `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the first and `SELECT` on the second are enough. A pooler in between must
/// keep prepared statements.
///
/// The content is not encrypted: whoever can read the table can read the tokens. Statements have it as a parameter, so
/// that it is in the server's log only where that logs parameters (`log_statement`, `log_min_duration_statement`).
#[derive(Clone)]
pub struct PostgresStore(Arc<Inner>);

struct Inner {
    pool: Pool,
    background: Background,
    /// When rows that are over were last removed, all of them, by the caller's clock.
    swept_s: AtomicU64,
}

impl PostgresStore {
    /// A store in the database that this says, as a URL (`postgres://user@host/database`) or in libpq's words
    /// (`host=… dbname=…`); what [`tokio_postgres::Config`] knows of these.
    ///
    /// A server on another machine is spoken to by TLS alone, and its certificate must be one that the system trusts,
    /// also where `sslmode` is not given or `prefer`. `sslmode=disable` is for networks that nobody else is on. On
    /// loopback or a Unix socket there is no TLS unless `sslmode=require` says so.
    ///
    /// # Errors
    /// When that cannot be understood, the database cannot be reached within some seconds, the tables cannot be made, or
    /// a later version of Grantor has made them.
    pub fn connect(to: &str) -> Result<Self, StoreError> {
        let config = connections::config(to, SslMode::Disable)?;
        Self::open(connections::pool(config)?)
    }

    /// The same with TLS of the caller's own: other certificates that are trusted, a certificate of the client's. It is
    /// used on loopback, too, unless `sslmode=disable` says not to.
    ///
    /// # Errors
    /// As of [`connect`](Self::connect).
    #[cfg(feature = "rustls")]
    pub fn with_tls(to: &str, tls: ClientConfig) -> Result<Self, StoreError> {
        let config = connections::config(to, SslMode::Require)?;
        Self::open(connections::pool_with_tls(config, tls)?)
    }

    fn open(pool: Pool) -> Result<Self, StoreError> {
        let background = Background::start("grantor-postgres")?;
        let opened = pool.clone();
        let version = background.insist("open the PostgreSQL database", move || {
            let opened = opened.clone();
            async move { schema::bring_up_to_date(&opened, schema::STEPS).await }
        })?;
        if version > schema::STEPS.len() {
            return Err(schema::later(version));
        }
        Ok(Self(Arc::new(Inner { pool, background, swept_s: AtomicU64::new(0) })))
    }

    fn swap(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        left_s: Option<f64>,
    ) -> Result<Swap, StoreError> {
        // A row with the new revision is this save's, which was done though nobody heard of it.
        const INSERT: &str = "
            INSERT INTO grantor_records AS stored (name, content, revision, expires_at)
            VALUES ($1, $2, $3, now() + $4::float8 * interval '1 second')
            ON CONFLICT (name) DO UPDATE
            SET content = excluded.content, revision = excluded.revision, expires_at = excluded.expires_at
            WHERE stored.expires_at < now() OR stored.revision = excluded.revision";
        const UPDATE: &str = "
            UPDATE grantor_records
            SET content = $2, revision = $3, expires_at = now() + $4::float8 * interval '1 second'
            WHERE name = $1
            AND (revision = $3 OR (revision = $5 AND (expires_at IS NULL OR expires_at >= now())))";

        let (name, record, revision) = (record_name(key), record.clone(), new_revision()?);
        let pool = self.0.pool.clone();
        let changed = self.0.background.insist("write to the PostgreSQL database", move || {
            let (pool, name, record) = (pool.clone(), name.clone(), record.clone());
            async move {
                let client = pool.get().await?;
                let (content, new) = (record.expose().as_bytes(), &revision.0[..]);
                let changed = match expect {
                    None => {
                        let insert = client.prepare_cached(INSERT).await?;
                        client.execute(&insert, &[&name, &content, &new, &left_s]).await?
                    }
                    Some(expect) => {
                        let update = client.prepare_cached(UPDATE).await?;
                        client.execute(&update, &[&name, &content, &new, &left_s, &&expect.0[..]]).await?
                    }
                };
                Ok::<_, Failed>(changed)
            }
        })?;
        Ok(if changed == 0 { Swap::Conflict } else { Swap::Done(Some(revision)) })
    }

    /// Removes some rows that are over, if it is time for that, while nobody waits. What fails now is done later.
    fn sweep(&self, now_s: u64) {
        const SWEEPING: &str = "
            DELETE FROM grantor_records WHERE name IN (
                SELECT name FROM grantor_records WHERE expires_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED)";

        if self.0.swept_s.swap(now_s, Ordering::Relaxed) == now_s {
            return;
        }
        let inner = Arc::downgrade(&self.0);
        let pool = self.0.pool.clone();
        self.0.background.spawn(async move {
            let Ok(client) = pool.get().await else { return };
            let Ok(sweeping) = client.prepare_cached(SWEEPING).await else { return };
            let removed = client.execute(&sweeping, &[&SWEEP]).await.unwrap_or(0);
            if removed == SWEEP.unsigned_abs()
                && let Some(inner) = inner.upgrade()
            {
                inner.swept_s.store(0, Ordering::Relaxed); // there are more
            }
        });
    }
}

impl Store for PostgresStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        const SELECT: &str = "
            SELECT content, revision FROM grantor_records
            WHERE name = $1 AND (expires_at IS NULL OR expires_at >= now())";

        let (pool, name) = (self.0.pool.clone(), record_name(key));
        let row = self.0.background.insist("read the PostgreSQL database", move || {
            let (pool, name) = (pool.clone(), name.clone());
            async move {
                let client = pool.get().await?;
                let select = client.prepare_cached(SELECT).await?;
                Ok::<_, Failed>(client.query_opt(&select, &[&name]).await?)
            }
        })?;
        let Some(row) = row else { return Ok(None) };
        let content = Zeroizing::new(row.get::<_, &[u8]>(0).to_vec());
        let revision = row.get::<_, &[u8]>(1).try_into();
        let revision =
            revision.map_err(|_| StoreError::new("a revision in the database has not 16 bytes"))?;
        Ok(Some(Record { content, revision: RecordRevision(revision) }))
    }

    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError> {
        self.swap(key, record, expect, None)
    }

    fn save_until(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        expires_at_s: u64,
    ) -> Result<Swap, StoreError> {
        let now_s = unix_s();
        let saved = self.swap(key, record, expect, Some(seconds_left(expires_at_s, now_s)));
        self.sweep(now_s);
        saved
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        const DELETE: &str = "
            WITH gone AS (
                DELETE FROM grantor_records WHERE name = $1 AND (revision = $2 OR expires_at < now()) RETURNING 1)
            SELECT EXISTS (SELECT FROM gone) OR NOT EXISTS (SELECT FROM grantor_records WHERE name = $1)";

        let (pool, name) = (self.0.pool.clone(), record_name(key));
        let is_gone: bool = self.0.background.insist("write to the PostgreSQL database", move || {
            let (pool, name) = (pool.clone(), name.clone());
            async move {
                let client = pool.get().await?;
                let delete = client.prepare_cached(DELETE).await?;
                let row = client.query_one(&delete, &[&name, &&expect.0[..]]).await?;
                Ok::<_, Failed>(row.get(0))
            }
        })?;
        Ok(if is_gone { Swap::Done(None) } else { Swap::Conflict })
    }
}

/// The time that is left, until the end of that second, less than 0 for what is over. No more than a century: intervals
/// end somewhere.
fn seconds_left(expires_at_s: u64, now_s: u64) -> f64 {
    const CENTURY_S: u64 = 100 * 365 * 24 * 60 * 60;
    let seconds = |s: u64| f64::from(u32::try_from(s.min(CENTURY_S)).unwrap_or(u32::MAX));
    match expires_at_s.checked_sub(now_s) {
        Some(left) => seconds(left) + 1.0,
        None => -seconds(now_s - expires_at_s),
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("pool", &self.0.pool.status()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "whole numbers")]
    fn what_is_left_is_counted_from_the_callers_clock() {
        assert_eq!(seconds_left(1010, 1000), 11.0);
        assert_eq!(seconds_left(1000, 1000), 1.0, "until the end of the second");
        assert_eq!(seconds_left(990, 1000), -10.0);
        assert!(seconds_left(u64::MAX, 0) > 3e9 && seconds_left(0, u64::MAX) < -3e9);
    }

    #[test]
    fn errors_do_not_tell_the_password() {
        for to in ["password=planted x=planted", "postgres://u:planted@127.0.0.1:planted/d"] {
            let error = PostgresStore::connect(to).unwrap_err().to_string();
            assert!(!error.contains("planted"), "{error}");
        }
    }
}
