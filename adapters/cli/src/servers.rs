//! The servers that somebody has logged in to, kept in the store beside their records.

use std::collections::BTreeSet;

use grantor_ureq::Store;
use grantor_ureq::driver::store::Swap;
use grantor_ureq::grantor::{RecordKind, Secret, StoreKey};

use crate::Failure;

/// So often another process may be faster.
const ROUNDS: u8 = 16;

fn key() -> StoreKey {
    StoreKey::new(RecordKind::Accounts, "servers of the command grantor", "", None)
}

/// All of them, in order.
pub(crate) fn all(store: &dyn Store) -> Result<BTreeSet<String>, Failure> {
    let Some(record) = store.load(&key())? else { return Ok(BTreeSet::new()) };
    Ok(serde_json::from_slice(&record.content).unwrap_or_default())
}

/// Adds one.
pub(crate) fn add(store: &dyn Store, server: &str) -> Result<(), Failure> {
    change(store, |servers| servers.insert(server.to_owned()))
}

/// Removes one.
pub(crate) fn remove(store: &dyn Store, server: &str) -> Result<(), Failure> {
    change(store, |servers| servers.remove(server))
}

/// Makes a change if it is one.
fn change(store: &dyn Store, change: impl Fn(&mut BTreeSet<String>) -> bool) -> Result<(), Failure> {
    for _ in 0..ROUNDS {
        let record = store.load(&key())?;
        let mut servers: BTreeSet<String> = record
            .as_ref()
            .and_then(|record| serde_json::from_slice(&record.content).ok())
            .unwrap_or_default();
        if !change(&mut servers) {
            return Ok(());
        }
        let content = Secret::from(serde_json::to_string(&servers)?);
        if store.save(&key(), &content, record.map(|record| record.revision))? != Swap::Conflict {
            return Ok(());
        }
    }
    Err("other processes keep writing the list of servers; try again".into())
}
