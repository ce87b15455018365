//! Where records are kept.

mod file;
mod memory;

pub use file::FileStore;
pub use memory::MemoryStore;

use std::sync::Arc;

use grantor::{RecordRevision, Secret, StoreKey};
use zeroize::Zeroizing;

/// Keeps records by key, with compare-and-swap.
///
/// Methods may block; async hosts call them on a thread that may. Two stores on the same place, also in
/// two processes, must see each other's writes, and only one of two that expect the same revision may
/// succeed: tokens are lost or revoked otherwise.
pub trait Store: Send + Sync + 'static {
    /// The record, and its revision.
    ///
    /// # Errors
    /// When it cannot be known what is stored.
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError>;

    /// Stores a record durably if the stored one is of revision `expect`, or there is none and `expect`
    /// is `None`.
    ///
    /// # Errors
    /// When it is not certain that the record is stored.
    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError>;

    /// Deletes a record if it is of revision `expect`. That there is none counts as done.
    ///
    /// # Errors
    /// When it is not certain that the record is gone.
    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError>;
}

/// A record as it is stored.
#[derive(Clone)]
pub struct Record {
    /// Its content.
    pub content: Zeroizing<Vec<u8>>,
    /// Its revision.
    pub revision: RecordRevision,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// Another revision is stored; nothing was changed.
    Conflict,
    /// It is done. The revision of the record; none for one that was deleted.
    Done(Option<RecordRevision>),
}

/// A store that does not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(String);

impl StoreError {
    /// An error in words for a person; no record's content.
    pub fn new(words: impl std::fmt::Display) -> Self {
        Self(words.to_string())
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        (**self).load(key)
    }

    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError> {
        (**self).save(key, record, expect)
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        (**self).delete(key, expect)
    }
}

/// What any store must do, to be called by the tests of each.
#[cfg(test)]
pub(crate) fn check_contract(store: &dyn Store, other: &dyn Store) {
    use grantor::RecordKind;

    let key = |account: &str, issuer: Option<&str>| {
        StoreKey::new(RecordKind::Grant, "https://mcp.example.com/mcp", account, issuer)
    };
    let (a, b) = (key("a", Some("https://as")), key("a", None));
    let content =
        |store: &dyn Store, key: &StoreKey| store.load(key).unwrap().map(|record| record.content.to_vec());

    assert_eq!(content(store, &a), None);
    let Swap::Done(Some(first)) = store.save(&a, &Secret::from("one"), None).unwrap() else { panic!() };
    assert_eq!(content(other, &a).unwrap(), b"one", "the other one sees it");
    assert_eq!(other.load(&a).unwrap().unwrap().revision, first);
    assert_eq!(content(store, &b), None, "keys differ by issuer");
    assert_eq!(content(store, &key("b", Some("https://as"))), None, "keys differ by account");

    assert_eq!(other.save(&a, &Secret::from("two"), None).unwrap(), Swap::Conflict);
    let Swap::Done(Some(second)) = other.save(&a, &Secret::from("two"), Some(first)).unwrap() else {
        panic!()
    };
    assert_ne!(first, second);
    assert_eq!(store.save(&a, &Secret::from("three"), Some(first)).unwrap(), Swap::Conflict);
    assert_eq!(content(store, &a).unwrap(), b"two", "the loser changed nothing");

    assert_eq!(store.delete(&a, first).unwrap(), Swap::Conflict);
    assert_eq!(store.delete(&a, second).unwrap(), Swap::Done(None));
    assert_eq!(store.delete(&a, second).unwrap(), Swap::Done(None), "gone is gone");
    assert_eq!(content(other, &a), None);
    assert_eq!(store.save(&a, &Secret::from("four"), Some(second)).unwrap(), Swap::Conflict, "it is gone");

    // Of many that expect the same, one wins.
    let winners: usize = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..16)
            .map(|n| {
                let (store, b) = (if n % 2 == 0 { store } else { other }, &b);
                scope.spawn(move || {
                    usize::from(store.save(b, &Secret::from(format!("{n}")), None).unwrap() != Swap::Conflict)
                })
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(winners, 1);
}
