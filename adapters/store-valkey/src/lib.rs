//! Grantor's records in Valkey or Redis: for servers on many machines.
//!
//! ```no_run
//! use grantor_valkey::ValkeyStore;
//! let store = ValkeyStore::connect("valkeys://user:password@valkey.example.com/0")?;
//! // `Setup::new(config).store(store)` for a client, `guard::Setup::store` for a protected server.
//! # Ok::<(), grantor_driver::store::StoreError>(())
//! ```

#![deny(missing_docs)]

mod connection;
mod trouble;

use std::fmt;
use std::sync::{Arc, LazyLock};

use grantor_driver::grantor::{RecordRevision, Secret, StoreKey};
use grantor_driver::store::{Background, Record, Store, StoreError, Swap, new_revision, record_name, unix_s};
use redis::aio::ConnectionManager;
use redis::{Client, Script};
use zeroize::Zeroizing;

use crate::trouble::Failed;

/// A revision is the first part of what is stored.
const REVISION: usize = 16;

/// Writes if the stored revision is the expected one, or already the new one: that is this save, which was done though
/// nobody heard of it.
static SAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
    local stored = redis.call('GETRANGE', KEYS[1], 0, 15)
    if stored == string.sub(ARGV[2], 1, 16) then return 1 end
    if stored ~= ARGV[1] then return 0 end
    if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2])
    else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
    return 1",
    )
});

static DELETE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
    local stored = redis.call('GETRANGE', KEYS[1], 0, 15)
    if stored == '' then return 1 end
    if stored ~= ARGV[1] then return 0 end
    redis.call('DEL', KEYS[1])
    return 1",
    )
});

/// Records in a Valkey or Redis server, for any number of processes on any number of machines.
///
/// # What the server has to be told
///
/// Records are as durable as the server's configuration:
///
/// - `appendonly yes` and `appendfsync always`: a record is on disk before [`save`](Store::save) returns.
/// - `appendfsync everysec`, the default with `appendonly yes`: a crash of the machine loses the last second, and with it
///   refresh tokens that were rotated in it (their users log in again) and used proofs (which could be used once more).
/// - `appendonly no`, the default: a crash or restart loses all since the last snapshot.
/// - `maxmemory-policy noeviction`, the default: others remove records that are needed.
///
/// Replicas hear of a write after it was answered. When one takes over, what it has not heard of is lost.
///
/// # How it works
///
/// A record is one string, `grantor:1:` and the record's name: 16 bytes of revision, then the content. Writes are scripts of
/// some lines (`EVALSHA`), which the server runs one at a time. All operations share one connection, which is made anew
/// when it ends. While the server restarts, operations wait for some seconds and are repeated. To repeat them is safe: each
/// write has a revision of its own, by which it is known whether it was done before. One that does not succeed in time
/// is an error. Clusters of Redis are not supported; one that stands behind a single address is.
///
/// [`save_until`](Store::save_until) sets the server's own expiry (`PX`), from the time that the caller's clock says is
/// left: clocks need not agree.
///
/// The content is not encrypted: whoever can read the server's memory, files or replicas can read the tokens.
#[derive(Clone)]
pub struct ValkeyStore(Arc<Inner>);

struct Inner {
    connection: ConnectionManager,
    background: Background,
}

impl ValkeyStore {
    /// A store in the database that this URL names: `valkeys://user:password@host:port/database`, or `valkey://` without TLS
    /// on this machine, or `valkey+unix:///path/of/socket?db=0`; also with `redis` in the place of `valkey`.
    ///
    /// # Errors
    /// When that cannot be understood, the server is on another machine and the URL says not to use TLS, or the server
    /// cannot be reached within some seconds.
    pub fn connect(to: &str) -> Result<Self, StoreError> {
        Self::open(connection::client(to, connection::Elsewhere::ByTls)?)
    }

    /// The same also for a server on another machine without TLS: where nobody else is on the network.
    ///
    /// # Errors
    /// As of [`connect`](Self::connect).
    pub fn connect_unencrypted(to: &str) -> Result<Self, StoreError> {
        Self::open(connection::client(to, connection::Elsewhere::InTheClear)?)
    }

    /// The same by TLS alone, with certificates of this authority (in PEM) in the place of those that the system trusts.
    ///
    /// # Errors
    /// As of [`connect`](Self::connect), and when the authority's certificate cannot be read.
    #[cfg(feature = "rustls")]
    pub fn connect_trusting(to: &str, authority: &str) -> Result<Self, StoreError> {
        Self::open(connection::client_trusting(to, authority)?)
    }

    fn open(client: Client) -> Result<Self, StoreError> {
        let background = Background::start("grantor-valkey")?;
        let connection = background.insist("open the Valkey server", move || {
            let client = client.clone();
            async move {
                let mut connection = connection::manager(client).await?;
                // It may be loading its records.
                redis::cmd("EXISTS").arg("grantor:1:").exec_async(&mut connection).await?;
                Ok::<_, Failed>(connection)
            }
        })?;
        Ok(Self(Arc::new(Inner { connection, background })))
    }

    fn swap(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        left_ms: Option<u64>,
    ) -> Result<Swap, StoreError> {
        let revision = new_revision()?;
        let mut value = Zeroizing::new(Vec::with_capacity(REVISION + record.expose().len()));
        value.extend_from_slice(&revision.0);
        value.extend_from_slice(record.expose().as_bytes());
        let expect = expect.map_or_else(Vec::new, |expect| expect.0.to_vec());
        let left_ms = left_ms.map_or_else(String::new, |ms| ms.to_string());
        let (connection, entry) = (self.0.connection.clone(), entry(key));
        let is_done: bool = self.0.background.insist("write to the Valkey server", move || {
            let mut connection = connection.clone();
            let mut call = SAVE.prepare_invoke();
            call.key(&entry).arg(&expect).arg(&value[..]).arg(&left_ms);
            async move { call.invoke_async(&mut connection).await.map_err(Failed) }
        })?;
        Ok(if is_done { Swap::Done(Some(revision)) } else { Swap::Conflict })
    }
}

/// Where a record is.
fn entry(key: &StoreKey) -> String {
    format!("grantor:1:{}", record_name(key))
}

impl Store for ValkeyStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        let (connection, entry) = (self.0.connection.clone(), entry(key));
        let value: Option<Vec<u8>> = self.0.background.insist("read from the Valkey server", move || {
            let (mut connection, get) = (connection.clone(), redis::cmd("GET").arg(&entry).clone());
            async move { get.query_async(&mut connection).await.map_err(Failed) }
        })?;
        let Some(value) = value.map(Zeroizing::new) else { return Ok(None) };
        let Some((revision, content)) = value.split_first_chunk::<REVISION>() else {
            return Err(StoreError::new("what the Valkey server has under the name of a record is none"));
        };
        Ok(Some(Record { content: Zeroizing::new(content.to_vec()), revision: RecordRevision(*revision) }))
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
        self.swap(key, record, expect, Some(milliseconds_left(expires_at_s, unix_s())))
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        let (connection, entry) = (self.0.connection.clone(), entry(key));
        let is_gone: bool = self.0.background.insist("write to the Valkey server", move || {
            let mut connection = connection.clone();
            let mut call = DELETE.prepare_invoke();
            call.key(&entry).arg(&expect.0[..]);
            async move { call.invoke_async(&mut connection).await.map_err(Failed) }
        })?;
        Ok(if is_gone { Swap::Done(None) } else { Swap::Conflict })
    }
}

/// The time that is left, until the end of that second; the shortest there is for what is over. No more than a century:
/// the server's clock ends somewhere.
fn milliseconds_left(expires_at_s: u64, now_s: u64) -> u64 {
    const CENTURY_S: u64 = 100 * 365 * 24 * 60 * 60;
    expires_at_s.checked_sub(now_s).map_or(1, |left_s| (left_s.min(CENTURY_S) + 1) * 1000)
}

impl fmt::Debug for ValkeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValkeyStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_counted_from_the_callers_clock() {
        assert_eq!(milliseconds_left(1010, 1000), 11_000);
        assert_eq!(milliseconds_left(1000, 1000), 1000, "until the end of the second");
        assert_eq!(milliseconds_left(990, 1000), 1);
        assert!(milliseconds_left(u64::MAX, 0) < u64::from(u32::MAX) * 1000);
    }
}
