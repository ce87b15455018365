//! The tables, and how those of earlier versions become today's.

use deadpool_postgres::Pool;
use grantor_driver::store::StoreError;

use crate::trouble::Failed;

/// Each step leads from the version before it to its own, counted from 1. Steps that were released stay as they are.
pub(crate) const STEPS: &[&str] = &["
    CREATE TABLE grantor_records (
        name text PRIMARY KEY,          -- `record_name` of the key
        content bytea NOT NULL,
        revision bytea NOT NULL,        -- 16 bytes, random
        expires_at timestamptz          -- NULL for records that stay
    );
    CREATE INDEX grantor_records_expiring ON grantor_records (expires_at) WHERE expires_at IS NOT NULL;
"];

/// For those who make the tables at the same time: a lock that everybody knows, `Grnt` in letters.
const LOCK: i64 = 0x4772_6e74;

/// Takes the steps that the database lacks, all or none. Returns the version that it had.
pub(crate) async fn bring_up_to_date(pool: &Pool, steps: &[&str]) -> Result<usize, Failed> {
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    let mut version = version(&transaction).await?;
    if version < steps.len() {
        // One at a time; the others find it done.
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
        version = self::version(&transaction).await?;
    }
    if version < steps.len() {
        let table = "CREATE TABLE IF NOT EXISTS grantor_schema (version integer NOT NULL)";
        transaction.batch_execute(table).await?;
        for step in &steps[version..] {
            transaction.batch_execute(step).await?;
        }
        transaction.execute("DELETE FROM grantor_schema", &[]).await?;
        let now = i32::try_from(steps.len()).unwrap_or(i32::MAX);
        transaction.execute("INSERT INTO grantor_schema VALUES ($1)", &[&now]).await?;
    }
    transaction.commit().await?;
    Ok(version)
}

/// That the tables are of a later version, this one.
pub(crate) fn later(version: usize) -> StoreError {
    StoreError::new(format_args!(
        "cannot use the PostgreSQL database: a later version of Grantor has made its tables (schema {version}; this \
         one knows up to {}); update this program, or give it a schema of its own (`search_path`)",
        STEPS.len()
    ))
}

/// The version of the tables; 0 when there are none.
async fn version(transaction: &deadpool_postgres::Transaction<'_>) -> Result<usize, Failed> {
    let exists = transaction.query_one("SELECT to_regclass('grantor_schema') IS NOT NULL", &[]).await?;
    if !exists.get::<_, bool>(0) {
        return Ok(0);
    }
    let row = transaction.query_opt("SELECT version FROM grantor_schema", &[]).await?;
    Ok(row.map_or(0, |row| usize::try_from(row.get::<_, i32>(0)).unwrap_or(0)))
}
