//! Opening a database, and words for what goes wrong with it.

use std::path::Path;
use std::time::{Duration, Instant};

use grantor_driver::store::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::schema;

/// So long a process waits for others that write.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn failed(verb: &str, path: &Path, error: &rusqlite::Error) -> StoreError {
    StoreError::new(format_args!("cannot {verb} {}: {error}", path.display()))
}

/// Seconds since 1970 as `SQLite` counts.
pub(crate) fn time(at_s: u64) -> i64 {
    i64::try_from(at_s).unwrap_or(i64::MAX)
}

/// A connection that writes. Makes the tables, or brings them up to date.
pub(crate) fn to_write(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let mut connection = connect(path)?;
        // The switch to the log does not wait for others that open the database at the same time.
        patiently(|| connection.pragma_update(None, "journal_mode", "wal"))?;
        for (pragma, value) in [
            ("synchronous", "full"), // a commit is on disk when it returns
            ("fullfsync", "on"),     // and on macOS, too
            ("checkpoint_fullfsync", "on"),
            ("secure_delete", "on"),
        ] {
            connection.pragma_update(None, pragma, value)?;
        }
        connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
        Ok(schema::bring_up_to_date(&mut connection, schema::STEPS)?.map(|()| connection))
    };
    match open() {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(unusable)) => Err(StoreError::new(format_args!("cannot use {}: {unusable}", path.display()))),
        Err(error) => Err(failed("open", path, &error)),
    }
}

/// A connection that reads.
pub(crate) fn to_read(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let connection = connect(path)?;
        connection.pragma_update(None, "query_only", "on")?;
        Ok(connection)
    };
    open().map_err(|error| failed("open", path, &error))
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "trusted_schema", "off")?;
    Ok(connection)
}

/// Repeats what another process is in the way of.
fn patiently(mut work: impl FnMut() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match work() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < end =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}
