//! Records in files: one for each, readable by its owner only, replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use grantor::{RecordRevision, Secret, StoreKey, limits};
use zeroize::Zeroizing;

use super::lock::{self, failed};
use super::{Record, Store, StoreError, Swap, name, revision};

/// Records in a directory, for any number of processes.
///
/// A record is a file named by a hash of its key, with mode 0600 in a directory with mode 0700. It is
/// written beside its place, flushed to disk, and moved there, so that readers see the old record or the
/// new one and nothing else, also after a crash. Writers of one record exclude each other by a lock on a
/// file beside it. The revision is a hash of the content, so that copies and backups keep theirs.
///
/// A record that could not be read is kept beside the others, as `KIND-unreadable-HASH.json`. Its lock is
/// the only thing that stays when a record is deleted.
///
/// The content is not encrypted: whoever can read the user's files can read the tokens.
#[derive(Clone, Debug)]
pub struct FileStore {
    directory: PathBuf,
}

impl FileStore {
    /// A store in this directory, which is made if it does not exist.
    ///
    /// # Errors
    /// When the directory cannot be made or used.
    pub fn new(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = directory.into();
        lock::create_private_directory(&directory).map_err(|error| failed("make", &directory, &error))?;
        Ok(Self { directory })
    }

    fn path(&self, key: &StoreKey) -> PathBuf {
        self.directory.join(format!("{}.json", name(key)))
    }

    /// Writes a record durably: beside its place first, so that nobody ever sees half of it.
    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let beside = path.with_extension("new");
        let mut file =
            lock::private(OpenOptions::new().write(true).create(true).truncate(true)).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_directory(&self.directory)
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
        let path = self.path(key);
        let _lock = lock::exclusive(&path.with_extension("lock"))?;
        let stored = read(&path).map_err(|error| failed("read", &path, &error))?;
        if stored.map(|stored| stored.revision) != expect {
            return Ok(Swap::Conflict);
        }
        let content = record.expose().as_bytes();
        self.replace(&path, content).map_err(|error| failed("write", &path, &error))?;
        Ok(Swap::Done(Some(revision(content))))
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        let path = self.path(key);
        let _lock = lock::exclusive(&path.with_extension("lock"))?;
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
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Zeroizing::new(Vec::with_capacity(16 * 1024));
    file.take(limits::RECORD as u64 + 1).read_to_end(&mut content)?;
    let revision = revision(&content);
    Ok(Some(Record { content, revision }))
}

/// Makes a rename durable.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use grantor::RecordKind;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("grantor-file-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn contract() {
        let path = directory("contract");
        let (one, two) = (FileStore::new(&path).unwrap(), FileStore::new(&path).unwrap());
        crate::store::check_contract(&one, &two);
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
}
