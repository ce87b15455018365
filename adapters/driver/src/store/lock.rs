//! Locks on files, between threads and between processes.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::StoreError;

/// Lets one writer at a time work. The lock ends with the file, also when the process dies.
pub(super) fn exclusive(path: &Path) -> Result<File, StoreError> {
    let lock = open(path)?;
    lock.lock().map_err(|error| failed("lock", path, &error))?;
    Ok(lock)
}

/// Lets readers work while no writer does.
#[cfg(feature = "keyring")]
pub(super) fn shared(path: &Path) -> Result<File, StoreError> {
    let lock = open(path)?;
    lock.lock_shared().map_err(|error| failed("lock", path, &error))?;
    Ok(lock)
}

fn open(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    private(options.read(true).write(true).create(true).truncate(false))
        .open(path)
        .map_err(|error| failed("open", path, &error))
}

pub(super) fn failed(verb: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::new(format_args!("cannot {verb} {}: {error}", path.display()))
}

#[cfg(unix)]
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

/// Elsewhere, files inherit the permissions of the directory, which is the user's own.
#[cfg(not(unix))]
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
pub(super) fn create_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
pub(super) fn create_private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}
