//! The tables, and how those of earlier versions become today's.

use std::fmt;

use rusqlite::{Connection, TransactionBehavior};

/// Each step leads from the version before it to its own, counted from 1. Steps that were released stay as they are.
pub(crate) const STEPS: &[&str] = &["
    CREATE TABLE records (
        name TEXT PRIMARY KEY NOT NULL,  -- `record_name` of the key
        content BLOB NOT NULL,
        revision BLOB NOT NULL,          -- 16 bytes, random
        expires_at_s INTEGER             -- since 1970; NULL for records that stay
    ) STRICT;
    CREATE INDEX expiring ON records (expires_at_s) WHERE expires_at_s IS NOT NULL;
"];

/// In the file's header, for `file` and for whoever opens it by mistake: `Grnt`.
const APPLICATION: i32 = 0x4772_6e74;

/// Why a database cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Somebody else's.
    Foreign,
    /// Of a later version of Grantor, this one.
    Later(usize),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => {
                f.write_str("the database holds other tables than Grantor's; give it a file of its own")
            }
            Self::Later(version) => write!(
                f,
                "a later version of Grantor has written it (schema {version}; this one reads up to {}); update \
                 this program, or give it a file of its own",
                STEPS.len()
            ),
        }
    }
}

/// Takes the steps that the database lacks, all or none.
pub(crate) fn bring_up_to_date(
    connection: &mut Connection,
    steps: &[&str],
) -> rusqlite::Result<Result<(), Unusable>> {
    // One process at a time; the others find it done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |pragma| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let tables: u32 = transaction.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    let version = usize::try_from(number("user_version")?).unwrap_or(0);
    if number("application_id")? != APPLICATION && (tables > 0 || version > 0) {
        return Ok(Err(Unusable::Foreign));
    }
    if version > steps.len() {
        return Ok(Err(Unusable::Later(version)));
    }
    if version < steps.len() {
        for step in &steps[version..] {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", u32::try_from(steps.len()).unwrap_or(u32::MAX))?;
    }
    transaction.commit()?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> usize {
        let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        usize::try_from(version).unwrap()
    }

    #[test]
    fn an_older_database_takes_the_steps_that_it_lacks() {
        let mut connection = Connection::open_in_memory().unwrap();
        bring_up_to_date(&mut connection, STEPS).unwrap().unwrap();
        let row = "INSERT INTO records VALUES ('grant-1', x'6f6e65', zeroblob(16), NULL)";
        connection.execute(row, ()).unwrap();
        assert_eq!(version(&connection), STEPS.len());

        let next = "ALTER TABLE records ADD COLUMN note TEXT NOT NULL DEFAULT 'none'";
        let later: Vec<_> = STEPS.iter().copied().chain([next]).collect();
        for _ in 0..2 {
            bring_up_to_date(&mut connection, &later).unwrap().unwrap();
            assert_eq!(version(&connection), later.len());
        }
        let kept = connection.query_row("SELECT content, note FROM records", (), |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
        });
        assert_eq!(kept.unwrap(), (b"one".to_vec(), "none".to_owned()));
        let refused = bring_up_to_date(&mut connection, STEPS).unwrap();
        assert_eq!(refused, Err(Unusable::Later(later.len())));
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        bring_up_to_date(&mut connection, STEPS).unwrap().unwrap();
        let broken: Vec<_> = STEPS.iter().copied().chain(["CREATE TABLE half (x)", "nonsense"]).collect();
        bring_up_to_date(&mut connection, &broken).unwrap_err();
        assert_eq!(version(&connection), STEPS.len());
        bring_up_to_date(&mut connection, STEPS).unwrap().unwrap();
        connection.execute("SELECT * FROM half", ()).unwrap_err();
    }
}
