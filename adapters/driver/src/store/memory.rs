//! Records in memory, for as long as the process lives.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use grantor::{RecordRevision, Secret, StoreKey};
use zeroize::Zeroizing;

use super::{Record, Store, StoreError, Swap, unix_s};

/// Records in memory. Share one between sessions with an `Arc`.
#[derive(Default)]
pub struct MemoryStore(Mutex<Records>);

#[derive(Default)]
struct Records {
    by_key: BTreeMap<StoreKey, Entry>,
    writes: u128,
    /// Those that expire, by when.
    expiring: BTreeSet<(u64, StoreKey)>,
}

struct Entry {
    content: Secret,
    revision: RecordRevision,
    expires_at_s: Option<u64>,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    fn save(
        &mut self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        expires_at_s: Option<u64>,
    ) -> Swap {
        if self.by_key.get(key).map(|entry| entry.revision) != expect {
            return Swap::Conflict;
        }
        self.writes += 1;
        let revision = RecordRevision::from_counter(self.writes);
        self.by_key.insert(key.clone(), Entry { content: record.clone(), revision, expires_at_s });
        self.expiring.extend(expires_at_s.map(|at_s| (at_s, key.clone())));
        Swap::Done(Some(revision))
    }

    fn forget_expired(&mut self, now_s: u64) {
        while self.expiring.first().is_some_and(|(at_s, _)| *at_s < now_s) {
            let Some((at_s, key)) = self.expiring.pop_first() else { return };
            // Unless it was written anew meanwhile.
            if self.by_key.get(&key).is_some_and(|entry| entry.expires_at_s == Some(at_s)) {
                self.by_key.remove(&key);
            }
        }
    }
}

impl Store for MemoryStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        Ok(self.lock().by_key.get(key).map(|entry| Record {
            content: Zeroizing::new(entry.content.expose().as_bytes().to_vec()),
            revision: entry.revision,
        }))
    }

    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError> {
        Ok(self.lock().save(key, record, expect, None))
    }

    fn save_until(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        expires_at_s: u64,
    ) -> Result<Swap, StoreError> {
        let mut records = self.lock();
        records.forget_expired(unix_s());
        Ok(records.save(key, record, expect, Some(expires_at_s)))
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        let mut records = self.lock();
        if records.by_key.get(key).is_some_and(|entry| entry.revision != expect) {
            return Ok(Swap::Conflict);
        }
        records.by_key.remove(key);
        Ok(Swap::Done(None))
    }

    fn blocks(&self) -> bool {
        false
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
    fn records_that_expire_are_forgotten() {
        let store = MemoryStore::default();
        let key = |n: u64| StoreKey::new(grantor::RecordKind::Proof, "https://h", &n.to_string(), None);
        let save = |n, at_s| store.save_until(&key(n), &Secret::from("x"), None, at_s).unwrap();
        for n in 0..1000 {
            assert!(matches!(save(n, 1000 + n), Swap::Done(_)), "long ago");
        }
        assert!(store.lock().by_key.len() == 1 && store.lock().expiring.len() == 1);
        let later = unix_s() + 1000;
        assert!(matches!(save(7, later), Swap::Done(_)));
        assert_eq!(save(7, later), Swap::Conflict);
        // One that is written anew stays as long as that says.
        let Swap::Done(Some(first)) = save(8, later) else { panic!() };
        store.save(&key(8), &Secret::from("for good"), Some(first)).unwrap();
        store.lock().forget_expired(later + 1);
        assert!(store.load(&key(7)).unwrap().is_none() && store.load(&key(8)).unwrap().is_some());
    }

    #[test]
    fn debug_shows_no_record() {
        let store = MemoryStore::default();
        let key = StoreKey::new(grantor::RecordKind::Grant, "https://h", "a", None);
        store.save(&key, &Secret::from("planted"), None).unwrap();
        assert!(!format!("{store:?} {:?}", store.load(&key)).contains("planted"));
    }
}
