//! Locks on files, between threads and between processes.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use super::StoreError;
use super::private::{self, failed};

/// A lock file, locked. The lock ends with this, also when the process dies.
pub(super) struct Lock(File);

/// Lets one writer at a time work.
pub(super) fn exclusive(path: &Path) -> Result<Lock, StoreError> {
    let lock = open(path)?;
    lock.lock().map_err(|error| failed("lock", path, &error))?;
    Ok(Lock(lock))
}

/// The same, if nobody else has it at the moment.
pub(super) fn exclusive_if_free(path: &Path) -> Result<Option<Lock>, StoreError> {
    let lock = open(path)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(Lock(lock))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed("lock", path, &error)),
    }
}

/// Lets readers work while no writer does.
#[cfg(feature = "keyring")]
pub(super) fn shared(path: &Path) -> Result<Lock, StoreError> {
    let lock = open(path)?;
    lock.lock_shared().map_err(|error| failed("lock", path, &error))?;
    Ok(Lock(lock))
}

fn open(path: &Path) -> Result<File, StoreError> {
    private::open(path).map_err(|error| failed("open", path, &error))
}

/// So long is a note at most.
const NOTE: u64 = 64;

impl Lock {
    /// Leaves a note for whoever has the lock next, should this process die before it takes it back.
    pub(super) fn note(&mut self, note: &str) -> io::Result<()> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        self.0.write_all(note.as_bytes())
    }

    /// The note that a process has left that died.
    pub(super) fn read_note(&mut self) -> io::Result<String> {
        let mut note = String::new();
        self.0.rewind()?;
        // One that is no text is none of ours.
        let _ = (&self.0).take(NOTE).read_to_string(&mut note);
        Ok(note)
    }
}
