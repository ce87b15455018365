//! Records in memory, for as long as the process lives.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use grantor::{RecordRevision, Secret, StoreKey};
use zeroize::Zeroizing;

use super::{Record, Store, StoreError, Swap};

/// Records in memory. Share one between sessions with an `Arc`.
#[derive(Default)]
pub struct MemoryStore(Mutex<Records>);

#[derive(Default)]
struct Records {
    by_key: BTreeMap<StoreKey, (Secret, RecordRevision)>,
    writes: u128,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        Ok(self.lock().by_key.get(key).map(|(content, revision)| Record {
            content: Zeroizing::new(content.expose().as_bytes().to_vec()),
            revision: *revision,
        }))
    }

    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError> {
        let mut records = self.lock();
        if records.by_key.get(key).map(|(_, revision)| *revision) != expect {
            return Ok(Swap::Conflict);
        }
        records.writes += 1;
        let revision = RecordRevision::from_counter(records.writes);
        records.by_key.insert(key.clone(), (record.clone(), revision));
        Ok(Swap::Done(Some(revision)))
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        let mut records = self.lock();
        if records.by_key.get(key).is_some_and(|(_, revision)| *revision != expect) {
            return Ok(Swap::Conflict);
        }
        records.by_key.remove(key);
        Ok(Swap::Done(None))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("records", &self.lock().by_key.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract() {
        let store = MemoryStore::default();
        crate::store::check_contract(&store, &store);
    }

    #[test]
    fn debug_shows_no_record() {
        let store = MemoryStore::default();
        let key = StoreKey::new(grantor::RecordKind::Grant, "https://h", "a", None);
        store.save(&key, &Secret::from("planted"), None).unwrap();
        assert!(!format!("{store:?} {:?}", store.load(&key)).contains("planted"));
    }
}
