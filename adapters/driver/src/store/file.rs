//! Records in files: one for each, readable by its owner only, replaced as a whole.

use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use grantor::{RecordRevision, Secret, StoreKey, limits};
use zeroize::Zeroizing;

use super::lock::{self, Lock};
use super::private::{self, Above, failed, sync_directory};
use super::{Record, Store, StoreError, Swap, application_directory, record_name, revision, sweep};

/// Records in a directory, for any number of processes of one user.
///
/// [`for_application`](Self::for_application) chooses the directory that the platform has for this:
///
/// ```no_run
/// use grantor_driver::FileStore;
/// let store = FileStore::for_application("example-client")?;
/// # Ok::<(), grantor_driver::store::StoreError>(())
/// ```
///
/// A record is a file named by a hash of its key. It is written beside its place under a name that nobody can
/// guess, flushed to disk, and moved there, so that readers see the old record or the new one and nothing else,
/// also after a crash. Writers of one record exclude each other by a lock on a file beside it. What a process
/// leaves behind that dies while it writes is removed by the next one that writes or deletes the record, or
/// opens the directory. The revision is a hash of the content, so that copies and backups keep theirs.
///
/// A record that could not be read is kept beside the others, as `KIND-unreadable-HASH.json`. Of a record that
/// is deleted nothing stays but its lock, which is empty.
///
/// The content is not encrypted: whoever can read the user's files can read the tokens.
///
/// # Who else can read and write
///
/// On Unix: nobody but root. Files have mode 0600, whatever the umask says, and a directory that is made has
/// mode 0700. Links are not followed. A directory or file is refused when it belongs to another user or others
/// may write it, and a directory also when others may replace one above it, up to the user's home.
///
/// On Windows: who the permissions of the directory say, which files inherit. Below the user's profile, and so
/// in the directory of [`for_application`](Self::for_application), that is the user, administrators and the
/// system. A directory elsewhere is not checked.
#[derive(Clone, Debug)]
pub struct FileStore {
    directory: PathBuf,
}

/// So many random bytes make a name that nobody guesses.
const SUFFIX: usize = 8;

impl FileStore {
    /// A store in the [platform's directory](application_directory) for the state of the application of this
    /// name, which is made if it does not exist.
    ///
    /// # Errors
    /// As of [`new`](Self::new), and when there is no such directory.
    pub fn for_application(name: &str) -> Result<Self, StoreError> {
        Self::new(application_directory(name)?.join("credentials"))
    }

    /// A store in this directory, which is made if it does not exist. Give an absolute path: a relative one
    /// changes with the working directory.
    ///
    /// # Errors
    /// When the directory cannot be made or used, or others may write or replace it.
    pub fn new(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open(&directory.into(), Above::Checked)
    }

    /// The same without a look at the directories above: for volumes of containers, whose root belongs to
    /// another user or a group, where nobody else is on the machine.
    ///
    /// # Errors
    /// When the directory itself cannot be made or used, or others may write it.
    pub fn trusting_parents(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open(&directory.into(), Above::Trusted)
    }

    fn open(directory: &Path, above: Above) -> Result<Self, StoreError> {
        let store = Self { directory: private::directory(directory, above)? };
        store.sweep()?;
        Ok(store)
    }

    fn path(&self, key: &StoreKey) -> PathBuf {
        self.directory.join(format!("{}.json", record_name(key)))
    }

    /// Removes what processes have left behind that died while they wrote.
    fn sweep(&self) -> Result<(), StoreError> {
        let failed = |error: io::Error| failed("read", &self.directory, &error);
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if let Some(record) = record_of(&path)
                && let Some(_lock) = lock::exclusive_if_free(&record.with_extension("lock"))?
            {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Locks a record, and removes what the last one to lock it has left behind.
    fn lock(&self, path: &Path) -> Result<Lock, StoreError> {
        let lock_path = path.with_extension("lock");
        let mut lock = lock::exclusive(&lock_path)?;
        let note = lock.read_note().map_err(|error| failed("read", &lock_path, &error))?;
        if !note.is_empty() {
            if is_suffix(&note) {
                remove(&beside(path, &note))?;
            }
            lock.note("").map_err(|error| failed("write", &lock_path, &error))?;
        }
        Ok(lock)
    }

    /// Replaces a record if it is of revision `expect`.
    fn swap(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        expires_at_s: Option<u64>,
    ) -> Result<Swap, StoreError> {
        let path = self.path(key);
        let mut lock = self.lock(&path)?;
        let stored = read(&path).map_err(|error| failed("read", &path, &error))?;
        if stored.map(|stored| stored.revision) != expect {
            return Ok(Swap::Conflict);
        }
        let content = record.expose().as_bytes();
        self.replace(&path, &mut lock, content, expires_at_s)
            .map_err(|error| failed("write", &path, &error))?;
        Ok(Swap::Done(Some(revision(content))))
    }

    /// Writes a record durably: beside its place first, so that nobody ever sees half of it.
    fn replace(
        &self,
        path: &Path,
        lock: &mut Lock,
        content: &[u8],
        expires_at_s: Option<u64>,
    ) -> io::Result<()> {
        let mut random = [0; SUFFIX];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let suffix: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let beside = beside(path, &suffix);
        lock.note(&suffix)?;
        let written = private::create(&beside).and_then(|mut file| {
            file.write_all(content)?;
            // Before anybody sees it: a record whose time came later would count as one that is over.
            if let Some(at_s) = expires_at_s {
                sweep::expires(&file, at_s)?;
            }
            file.sync_all()
        });
        let moved = written.and_then(|()| fs::rename(&beside, path));
        if moved.is_err() {
            let _ = fs::remove_file(&beside);
        }
        lock.note("")?;
        moved?;
        sync_directory(&self.directory)
    }
}

/// Where a record is written before it is moved to its place.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    path.with_extension(format!("{suffix}.new"))
}

fn is_suffix(text: &str) -> bool {
    text.len() == 2 * SUFFIX && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The record that this file was to become, if it is one of ours that was not moved to its place.
fn record_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(".new")?;
    // Earlier versions had no suffix.
    let (record, suffix) = name.split_once('.').map_or((name, None), |(name, suffix)| (name, Some(suffix)));
    let (kind, hash) = record.rsplit_once('-')?;
    let is_ours = kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        && hash.len() == 32
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        && suffix.is_none_or(is_suffix);
    is_ours.then(|| path.with_file_name(format!("{record}.json")))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("delete", path, &error)),
        _ => Ok(()),
    }
}

impl Store for FileStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        let path = self.path(key);
        read(&path).map_err(|error| failed("read", &path, &error))
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
        sweep::sweep(&self.directory, &format!("{}-", key.kind));
        self.swap(key, record, expect, Some(expires_at_s))
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        let path = self.path(key);
        let _lock = self.lock(&path)?;
        remove(&path.with_extension("new"))?; // of an earlier version
        match read(&path).map_err(|error| failed("read", &path, &error))? {
            Some(stored) if stored.revision != expect => return Ok(Swap::Conflict),
            Some(_) => {
                let gone = fs::remove_file(&path).and_then(|()| sync_directory(&self.directory));
                gone.map_err(|error| failed("delete", &path, &error))?;
            }
            None => {}
        }
        Ok(Swap::Done(None))
    }
}

/// Reads a record; of one that is larger than any record, as much as shows that.
fn read(path: &Path) -> io::Result<Option<Record>> {
    let file = match private::read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Zeroizing::new(Vec::with_capacity(16 * 1024));
    file.take(limits::RECORD as u64 + 1).read_to_end(&mut content)?;
    let revision = revision(&content);
    Ok(Some(Record { content, revision }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use grantor::RecordKind;

    fn directory(name: &str) -> PathBuf {
        private::tests::nothing(&format!("file-store-{name}"))
    }

    fn key() -> StoreKey {
        StoreKey::new(RecordKind::Grant, "https://h", "a", None)
    }

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn contract() {
        let path = directory("contract");
        let (one, two) = (FileStore::new(&path).unwrap(), FileStore::new(&path).unwrap());
        crate::store::check_contract(&one, &two);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn records_that_expire_are_forgotten() {
        let path = directory("expiring");
        let store = FileStore::new(&path).unwrap();
        let key = |n: u64| StoreKey::new(RecordKind::Proof, "https://h", &n.to_string(), None);
        let now = super::super::unix_s();
        let save = |n, at_s| store.save_until(&key(n), &Secret::from("x"), None, at_s).unwrap();
        let good = StoreKey::new(RecordKind::Grant, "https://h", "a", None);
        store.save(&good, &Secret::from("for good"), None).unwrap();
        for n in 0..10 {
            assert!(matches!(save(n, now - 1000), Swap::Done(_)));
        }
        assert!(matches!(save(10, now + 1000), Swap::Done(_)));
        assert_eq!(save(10, now + 1000), Swap::Conflict);
        // Not more often than once in a while, so the clock is turned back.
        let marker = fs::File::options().write(true).open(path.join("proof-swept")).unwrap();
        marker.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert!(matches!(save(11, now + 1000), Swap::Done(_)));
        let names =
            || fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left = names().filter(|name| name.starts_with("proof-") && name.ends_with(".json"));
        assert_eq!(left.count(), 2, "the two that are good");
        assert_eq!(names().filter(|name| name.starts_with("proof-") && name.ends_with(".lock")).count(), 2);
        assert_eq!(store.load(&good).unwrap().unwrap().content.as_slice(), b"for good");
        fs::remove_dir_all(path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = directory("modes").join("nested");
        let store = FileStore::new(&path).unwrap();
        let key = StoreKey::new(RecordKind::Grant, "https://h/../..", "../../a\n", Some("https://as"));
        store.save(&key, &Secret::from("x"), None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let mut files = 0;
        for entry in fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
            files += 1;
        }
        assert_eq!(files, 2, "a record and its lock");
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn errors_name_the_file_and_not_its_content() {
        let path = directory("errors");
        let store = FileStore::new(&path).unwrap();
        let key = StoreKey::new(RecordKind::Grant, "https://h", "a", None);
        fs::create_dir(store.path(&key)).unwrap();
        let error = store.save(&key, &Secret::from("planted"), None).unwrap_err().to_string();
        assert!(error.contains("grant-") && !error.contains("planted"), "{error}");
        fs::write(path.join("file"), "").unwrap();
        assert!(FileStore::new(path.join("file")).is_err());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_huge_file_is_not_read_whole() {
        let path = directory("huge");
        let store = FileStore::new(&path).unwrap();
        let key = StoreKey::new(RecordKind::Grant, "https://h", "a", None);
        fs::write(store.path(&key), vec![b'x'; limits::RECORD * 4]).unwrap();
        assert_eq!(store.load(&key).unwrap().unwrap().content.len(), limits::RECORD + 1);
        fs::remove_dir_all(path).unwrap();
    }

    /// What a process leaves behind that dies after it wrote and before it moved.
    fn die_while_writing(store: &FileStore, content: &str) -> PathBuf {
        let path = store.path(&key());
        let mut lock = store.lock(&path).unwrap();
        let suffix = "0123456789abcdef";
        lock.note(suffix).unwrap();
        let left = beside(&path, suffix);
        private::create(&left).unwrap().write_all(content.as_bytes()).unwrap();
        left
    }

    #[test]
    fn what_a_dead_process_has_left_is_gone_with_the_next_write_deletion_or_opening() {
        let path = directory("left");
        let store = FileStore::new(&path).unwrap();
        let Swap::Done(Some(revision)) = store.save(&key(), &Secret::from("old"), None).unwrap() else {
            panic!()
        };
        let left = die_while_writing(&store, "planted");
        assert!(left.exists());
        assert_eq!(&store.load(&key()).unwrap().unwrap().content[..], b"old");
        let Swap::Done(Some(revision)) = store.save(&key(), &Secret::from("new"), Some(revision)).unwrap()
        else {
            panic!()
        };
        assert!(!left.exists(), "by a write");

        let left = die_while_writing(&store, "planted");
        drop(FileStore::new(&path).unwrap());
        assert!(!left.exists(), "by an opening");
        let old = store.path(&key()).with_extension("new");
        fs::write(&old, "planted").unwrap();
        drop(FileStore::new(&path).unwrap());
        assert!(!old.exists(), "of an earlier version, too");

        let left = die_while_writing(&store, "planted");
        fs::write(&old, "planted").unwrap();
        assert_eq!(store.delete(&key(), revision).unwrap(), Swap::Done(None));
        assert!(!left.exists() && !old.exists(), "by a deletion");
        let lock = store.path(&key()).with_extension("lock");
        assert_eq!(names(&path), [lock.file_name().unwrap().to_str().unwrap()], "nothing stays but the lock");
        assert_eq!(fs::read(lock).unwrap(), b"");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn files_of_those_who_write_and_of_others_stay() {
        let path = directory("stay");
        let store = FileStore::new(&path).unwrap();
        let left = die_while_writing(&store, "x");
        let writing = store.lock(&store.path(&key()).with_file_name("other.json")).unwrap();
        for name in ["notes.new", "grant-1.new", "grant-0123456789abcdef0123456789abcdef.x.new", "a.json"] {
            fs::write(path.join(name), "x").unwrap();
        }
        let lock = lock::exclusive(&store.path(&key()).with_extension("lock")).unwrap();
        drop(FileStore::new(&path).unwrap());
        assert!(left.exists(), "somebody has the lock, and may be writing");
        drop((lock, writing));
        drop(FileStore::new(&path).unwrap());
        assert!(!left.exists());
        assert_eq!(
            names(&path).iter().filter(|name| !name.ends_with(".lock")).count(),
            4,
            "{:?}",
            names(&path)
        );
        // A note that is none of ours names nothing.
        fs::write(store.path(&key()).with_extension("lock"), "/../../etc/x").unwrap();
        store.save(&key(), &Secret::from("x"), None).unwrap();
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_save_that_fails_leaves_nothing_behind() {
        let path = directory("fails");
        let store = FileStore::new(&path).unwrap();
        let record = store.path(&key());
        let mut lock = store.lock(&record).unwrap();
        fs::create_dir(&record).unwrap();
        store.replace(&record, &mut lock, b"planted", None).unwrap_err();
        drop(lock);
        assert_eq!(names(&path).iter().filter(|name| name.ends_with(".new")).count(), 0);
        fs::remove_dir(&record).unwrap();
        assert!(matches!(store.save(&key(), &Secret::from("x"), None), Ok(Swap::Done(_))));
        fs::remove_dir_all(path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn links_and_files_of_others_are_not_used() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};

        let path = directory("links");
        let victim = path.with_extension("victim");
        fs::write(&victim, "precious").unwrap();
        let store = FileStore::new(&path).unwrap();
        let record = store.path(&key());
        let fails = |what: &str| {
            assert!(store.load(&key()).is_err(), "{what}");
            assert!(store.save(&key(), &Secret::from("planted"), None).is_err(), "{what}");
            assert_eq!(fs::read(&victim).unwrap(), b"precious", "{what}");
        };
        symlink(&victim, &record).unwrap();
        fails("a record that is a link");
        fs::remove_file(&record).unwrap();

        let lock = record.with_extension("lock");
        fs::remove_file(&lock).unwrap();
        symlink(&victim, &lock).unwrap();
        assert!(store.save(&key(), &Secret::from("planted"), None).is_err());
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        fs::remove_file(&lock).unwrap();

        // The name that was predictable once.
        symlink(&victim, record.with_extension("new")).unwrap();
        let Swap::Done(Some(revision)) = store.save(&key(), &Secret::from("token"), None).unwrap() else {
            panic!()
        };
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(fs::symlink_metadata(&record).unwrap().mode() & 0o7777, 0o600);
        assert!(fs::symlink_metadata(&record).unwrap().is_file());

        // Readable by others: closed again. Writable by others: who knows what it holds.
        let chmod = |mode| fs::set_permissions(&record, fs::Permissions::from_mode(mode)).unwrap();
        chmod(0o644);
        assert_eq!(&store.load(&key()).unwrap().unwrap().content[..], b"token");
        assert_eq!(fs::metadata(&record).unwrap().mode() & 0o777, 0o600);
        for mode in [0o666, 0o620, 0o602] {
            chmod(mode);
            let error = store.load(&key()).unwrap_err().to_string();
            assert!(error.contains("others may write it (chmod go-w)"), "{error}");
        }
        chmod(0o600);
        if fs::metadata(&record).unwrap().uid() == 0 {
            chown(&record, Some(65534), None).unwrap();
            assert!(store.load(&key()).unwrap_err().to_string().contains("belongs to another user"));
            chown(&record, Some(0), None).unwrap();
        }
        // Nothing is lost.
        assert!(matches!(store.save(&key(), &Secret::from("x"), Some(revision)), Ok(Swap::Done(_))));
        fs::remove_dir_all(path).unwrap();
        fs::remove_file(victim).unwrap();
    }
}
