//! Records in the operating system's keyring.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use grantor::{RecordRevision, Secret, StoreKey, limits};
use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

use super::lock;
use super::private::{self, Above};
use super::{Record, Store, StoreError, Swap, application_directory, record_name, revision};

/// Records in the operating system's keyring, encrypted as it does that, for any number of processes of one
/// user on one machine.
///
/// Which keyring is the application's choice, by one of the stores for the crate `keyring-core`:
/// `apple-native-keyring-store`, `windows-native-keyring-store`, on Linux
/// `dbus-secret-service-keyring-store` (on libdbus) or `zbus-secret-service-keyring-store` (which brings an
/// async runtime of its own):
///
/// ```
/// use grantor_driver::store::KeyringStore;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let keyring = keyring_core::mock::Store::new()?; // the platform's, in an application
/// let store = KeyringStore::for_application(keyring, "example-client")?;
/// # Ok(())
/// # }
/// ```
///
/// # Several processes
///
/// No keyring compares before it writes. So readers and writers of a record lock a file in a directory that
/// holds nothing else; all processes that share the service's records must name the same directory, as
/// [`for_application`](Self::for_application) does. Its place is on the machine itself, not on a network. Where a keyring is synchronised between machines, two machines do not exclude each
/// other; turn that off for this service, or give each machine an account name of its own.
///
/// # Large records
///
/// Windows stores at most 2,560 bytes in one credential. A record of more than 2,000 is kept in several, and
/// a head that names them is written last, so that a crash leaves the old record or the new one. What else it
/// leaves is removed when the record is replaced or deleted.
pub struct KeyringStore {
    keyring: Arc<CredentialStore>,
    service: String,
    locks: PathBuf,
}

/// How much one credential takes.
const PART: usize = 2_000;
/// So many make the largest record.
const PARTS: usize = limits::RECORD / PART + 1;
/// Parts are written beside those that they replace, so there are two sets of names.
const SETS: [char; 2] = ['a', 'b'];

fn part(name: &str, set: char, n: usize) -> String {
    format!("{name}.{set}{n}")
}

impl KeyringStore {
    /// A store in this keyring for the application of this name, which is also the service's, with locks in the
    /// [platform's directory](super::application_directory) for its state.
    ///
    /// # Errors
    /// When there is no such directory, or it cannot be made or used.
    pub fn for_application(keyring: Arc<CredentialStore>, name: &str) -> Result<Self, StoreError> {
        Self::new(keyring, name, application_directory(name)?.join("locks"))
    }

    /// A store in this keyring, under the name of this service, with locks in this directory, which is made
    /// if it does not exist.
    ///
    /// # Errors
    /// When the directory cannot be made or used.
    pub fn new(
        keyring: Arc<CredentialStore>,
        service: impl Into<String>,
        locks: impl Into<PathBuf>,
    ) -> Result<Self, StoreError> {
        let locks = private::directory(&locks.into(), Above::Checked)?;
        Ok(Self { keyring, service: service.into(), locks })
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        self.locks.join(format!("{name}.lock"))
    }

    fn entry(&self, name: &str) -> Result<Entry, StoreError> {
        self.keyring.build(&self.service, name, None).map_err(|error| keyring_failed(&error))
    }

    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        match self.entry(name)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(keyring_failed(&error)),
        }
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<(), StoreError> {
        self.entry(name)?.set_secret(secret).map_err(|error| keyring_failed(&error))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self.entry(name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(keyring_failed(&error)),
        }
    }

    fn head(&self, name: &str) -> Result<Option<Head>, StoreError> {
        Ok(self.get(name)?.map(Head::read))
    }

    /// The content. Of parts that are not there, nothing: the engine sees that the record is damaged.
    fn content(&self, name: &str, head: &Head) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let Some(parts) = head.parts else { return Ok(head.inline()) };
        let mut content = Zeroizing::new(Vec::with_capacity(parts.count * PART));
        for part in parts.names(name) {
            content.extend_from_slice(&self.get(&part)?.unwrap_or_default());
        }
        Ok(content)
    }

    /// Removes the parts that the record does not consist of: of the one that it has replaced, and of one that
    /// was never finished. What there is of a set begins with its first part, since it is written from there on
    /// and removed from behind.
    fn sweep(&self, name: &str, head: Option<&Head>) -> Result<(), StoreError> {
        for set in SETS {
            let used = head.and_then(|head| head.parts).filter(|parts| parts.set == set);
            let used = used.map_or(0, |parts| parts.count);
            let mut end = used;
            while end < PARTS && self.get(&part(name, set, end))?.is_some() {
                end += 1;
            }
            for n in (used..end).rev() {
                self.remove(&part(name, set, n))?;
            }
        }
        Ok(())
    }
}

impl Store for KeyringStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        let name = record_name(key);
        let _lock = lock::shared(&self.lock_path(&name))?;
        let Some(head) = self.head(&name)? else { return Ok(None) };
        Ok(Some(Record { content: self.content(&name, &head)?, revision: head.revision() }))
    }

    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError> {
        let name = record_name(key);
        let _lock = lock::exclusive(&self.lock_path(&name))?;
        let old = self.head(&name)?;
        if old.as_ref().map(Head::revision) != expect {
            return Ok(Swap::Conflict);
        }
        let content = record.expose().as_bytes();
        let new = Head::of(content, old.as_ref());
        if let Some(parts) = new.parts {
            for (part, content) in parts.names(&name).zip(content.chunks(PART)) {
                self.set(&part, content)?;
            }
        }
        self.set(&name, &new.bytes)?;
        // It is stored; what cannot be removed now is removed the next time.
        let _ = self.sweep(&name, Some(&new));
        Ok(Swap::Done(Some(new.revision())))
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        let name = record_name(key);
        let _lock = lock::exclusive(&self.lock_path(&name))?;
        let old = self.head(&name)?;
        if old.as_ref().is_some_and(|old| old.revision() != expect) {
            return Ok(Swap::Conflict);
        }
        self.remove(&name)?;
        self.sweep(&name, None)?;
        Ok(Swap::Done(None))
    }
}

impl fmt::Debug for KeyringStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringStore").field("service", &self.service).finish_non_exhaustive()
    }
}

/// The credential under a record's name: `=` and the record, or `+`, the set and number of its parts, and a
/// hash of the record.
struct Head {
    bytes: Zeroizing<Vec<u8>>,
    parts: Option<Parts>,
}

#[derive(Clone, Copy)]
struct Parts {
    set: char,
    count: usize,
}

impl Parts {
    fn names(self, name: &str) -> impl Iterator<Item = String> + use<> {
        let name = name.to_owned();
        (0..self.count).map(move |n| part(&name, self.set, n))
    }
}

impl Head {
    fn of(content: &[u8], old: Option<&Self>) -> Self {
        if content.len() < PART {
            let bytes = Zeroizing::new([b"=", content].concat());
            return Self { bytes, parts: None };
        }
        let set = if old.and_then(|old| old.parts).is_some_and(|parts| parts.set == 'a') { 'b' } else { 'a' };
        let parts = Parts { set, count: content.len().div_ceil(PART) };
        let hash: String = revision(content).0.iter().map(|byte| format!("{byte:02x}")).collect();
        let bytes = Zeroizing::new(format!("+{set}{}:{hash}", parts.count).into_bytes());
        Self { bytes, parts: Some(parts) }
    }

    fn read(bytes: Zeroizing<Vec<u8>>) -> Self {
        let parts = || {
            let (parts, _) = std::str::from_utf8(&bytes).ok()?.strip_prefix('+')?.split_once(':')?;
            let set = parts.chars().next().filter(|set| SETS.contains(set))?;
            let count = parts.get(1..)?.parse().ok()?;
            (count <= PARTS).then_some(Parts { set, count })
        };
        let parts = parts();
        Self { bytes, parts }
    }

    /// The record, or whatever else is there.
    fn inline(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.bytes.strip_prefix(b"=").unwrap_or(&self.bytes).to_vec())
    }

    fn revision(&self) -> RecordRevision {
        revision(&self.bytes)
    }
}

/// The keyring's words. Some of its errors carry what is stored, which is not shown.
fn keyring_failed(error: &Error) -> StoreError {
    match error {
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            StoreError::new("the keyring holds something that it cannot read")
        }
        Error::Ambiguous(_) => StoreError::new("the keyring holds several entries for this record"),
        error => StoreError::new(format_args!("the keyring failed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use grantor::RecordKind;
    use keyring_core::mock;

    use super::*;

    fn store(test: &str) -> (KeyringStore, PathBuf) {
        let path = std::env::temp_dir().join(format!("grantor-keyring-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        (KeyringStore::new(mock::Store::new().unwrap(), "grantor-test", &path).unwrap(), path)
    }

    fn key() -> StoreKey {
        StoreKey::new(RecordKind::Grant, "https://h", "a", None)
    }

    #[test]
    fn contract() {
        let (one, path) = store("contract");
        let two = KeyringStore::new(Arc::clone(&one.keyring), "grantor-test", &path).unwrap();
        crate::store::check_contract(&one, &two);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn no_credential_is_larger_than_windows_takes() {
        let (store, path) = store("large");
        store.save(&key(), &Secret::from("x".repeat(10_000)), None).unwrap();
        let name = record_name(&key());
        let head = store.head(&name).unwrap().unwrap();
        assert!(head.bytes.len() < 100);
        let parts: Vec<_> = head.parts.unwrap().names(&name).collect();
        assert_eq!(parts.len(), 5);
        for part in parts {
            assert!(store.get(&part).unwrap().unwrap().len() <= PART);
        }
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_crash_while_writing_leaves_the_old_record() {
        let (store, path) = store("crash");
        let (old, new) = ("o".repeat(5_000), "n".repeat(7_000));
        let Swap::Done(Some(revision)) = store.save(&key(), &Secret::from(old.as_str()), None).unwrap()
        else {
            panic!()
        };
        // All parts of the next one are written, its head is not.
        let name = record_name(&key());
        let head = Head::of(new.as_bytes(), store.head(&name).unwrap().as_ref());
        for (part, content) in head.parts.unwrap().names(&name).zip(new.as_bytes().chunks(PART)) {
            store.set(&part, content).unwrap();
        }
        let stored = store.load(&key()).unwrap().unwrap();
        assert_eq!((&stored.content[..], stored.revision), (old.as_bytes(), revision));
        // And goes on.
        assert!(matches!(store.save(&key(), &Secret::from(new.as_str()), Some(revision)), Ok(Swap::Done(_))));
        assert_eq!(&store.load(&key()).unwrap().unwrap().content[..], new.as_bytes());
        fs::remove_dir_all(path).unwrap();
    }

    /// Whether any part of either set is stored.
    fn has_parts(store: &KeyringStore) -> bool {
        let name = record_name(&key());
        SETS.iter().any(|set| (0..PARTS).any(|n| store.get(&part(&name, *set, n)).unwrap().is_some()))
    }

    #[test]
    fn nothing_stays_of_a_record_that_was_never_finished() {
        let (store, path) = store("unfinished");
        let name = record_name(&key());
        let begin = |len: usize| {
            let content = "n".repeat(len);
            let head = Head::of(content.as_bytes(), store.head(&name).unwrap().as_ref());
            for (part, content) in head.parts.unwrap().names(&name).zip(content.as_bytes().chunks(PART)) {
                store.set(&part, content).unwrap();
            }
        };
        // A process dies before it writes the head; the record is deleted, as at a log-out.
        begin(9_000);
        assert!(has_parts(&store));
        assert_eq!(
            store.delete(&key(), RecordRevision::from_counter(1)).unwrap(),
            Swap::Done(None),
            "there is no record, and nothing else either"
        );
        assert!(!has_parts(&store));
        // The same with a record, a large one after a small one and the other way round.
        for (first, unfinished, second) in [(5_000, 9_000, 3_000), (10, 20_000, 10), (9_000, 3_000, 10)] {
            let save = |len: usize, expect| {
                let record = Secret::from("o".repeat(len));
                let Swap::Done(revision) = store.save(&key(), &record, expect).unwrap() else { panic!() };
                revision
            };
            let revision = save(first, None);
            begin(unfinished);
            let revision = save(second, revision);
            assert_eq!(store.load(&key()).unwrap().unwrap().content.len(), second);
            assert_eq!(store.delete(&key(), revision.unwrap()).unwrap(), Swap::Done(None));
            assert!(!has_parts(&store), "{first} {unfinished} {second}");
        }
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_is_damaged_is_handed_out_as_it_is() {
        let (store, path) = store("damage");
        let name = record_name(&key());
        for (head, content) in [
            (b"something else" as &[u8], b"something else" as &[u8]),
            (b"+a3:0", b""),
            (b"+c1:0", b"+c1:0"),
            (b"+a99999999999:0", b"+a99999999999:0"),
            (b"\xff", b"\xff"),
            (b"", b""),
        ] {
            store.set(&name, head).unwrap();
            let stored = store.load(&key()).unwrap().unwrap();
            assert_eq!(&stored.content[..], content);
            // It can be replaced.
            let swap = store.save(&key(), &Secret::from("new"), Some(stored.revision)).unwrap();
            assert!(matches!(swap, Swap::Done(_)));
        }
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_locked_keyring_is_an_error_without_secrets() {
        let (store, path) = store("locked");
        let fail = |error| {
            let entry = store.entry(&record_name(&key())).unwrap();
            entry.as_any().downcast_ref::<mock::Cred>().unwrap().set_error(error);
            store.load(&key()).unwrap_err().to_string()
        };
        assert!(fail(Error::NoStorageAccess("it is locked".into())).contains("it is locked"));
        for shown in [
            fail(Error::BadEncoding(b"planted".to_vec())),
            fail(Error::BadDataFormat(b"planted".to_vec(), "planted".into())),
        ] {
            assert_eq!(shown, "the keyring holds something that it cannot read");
        }
        assert!(!format!("{store:?}").contains("planted"));
        fs::remove_dir_all(path).unwrap();
    }
}
