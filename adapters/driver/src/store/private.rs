//! Directories and files that nobody else can read, write or replace.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::StoreError;

/// Whether the directories above a private one are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Above {
    Checked,
    Trusted,
}

/// The directory where the platform has applications keep their state, for the application of this name.
///
/// `$XDG_STATE_HOME/NAME` or `~/.local/state/NAME` on Linux, `~/Library/Application Support/NAME` on macOS,
/// `%LOCALAPPDATA%\NAME` on Windows: on this machine, not synchronised with others.
///
/// # Errors
/// When the name cannot be a directory's, or the user has no home.
pub fn application_directory(name: &str) -> Result<PathBuf, StoreError> {
    use etcetera::BaseStrategy as _;
    let forbidden =
        |c: char| c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    if name.trim_matches(['.', ' ']) != name || name.is_empty() || name.contains(forbidden) {
        return Err(StoreError::new(format_args!("{name:?} cannot be the name of a directory")));
    }
    let base = etcetera::base_strategy::choose_native_strategy()
        .map_err(|_| StoreError::new("the user has no home directory"))?;
    // What etcetera calls data on Windows is copied between the user's machines, and locks are not.
    let state =
        if cfg!(windows) { base.cache_dir() } else { base.state_dir().unwrap_or_else(|| base.data_dir()) };
    Ok(state.join(name))
}

pub(super) fn failed(verb: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::new(format_args!("cannot {verb} {}: {error}", path.display()))
}

fn unsafe_because(words: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, words.to_string())
}

/// Opens a private directory, which is made if it does not exist. Returns its name without links.
pub(super) fn directory(path: &Path, above: Above) -> Result<PathBuf, StoreError> {
    make(path).map_err(|error| failed("make", path, &error))?;
    let real = real(path).map_err(|error| failed("use", path, &error))?;
    system::check_directory(&real, above).map_err(|error| failed("use", &real, &error))?;
    Ok(real)
}

fn make(path: &Path) -> io::Result<()> {
    match system::make_directory(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                make(parent)?;
            }
            system::make_directory(path)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

#[cfg(unix)]
fn real(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// Canonical names are of a kind of their own there, which not every program takes.
#[cfg(not(unix))]
fn real(path: &Path) -> io::Result<PathBuf> {
    std::path::absolute(path)
}

/// Opens a private file to read it.
pub(super) fn read(path: &Path) -> io::Result<File> {
    let file = system::private(OpenOptions::new().read(true)).open(path)?;
    system::check_file(&file)?;
    Ok(file)
}

/// Opens a private file to read and write it; makes it if there is none.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = system::private(options.read(true).write(true).create(true).truncate(false)).open(path)?;
    system::check_file(&file)?;
    Ok(file)
}

/// Makes a private file where there is nothing, not even a link.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let file = system::private(OpenOptions::new().write(true).create_new(true)).open(path)?;
    system::check_file(&file)?;
    Ok(file)
}

/// Prepares the place of one private file that something else will open by its name, such as a database: makes the
/// directory and the file if they do not exist, as [`FileStore`](super::FileStore) makes its own, and refuses them when
/// somebody else may have written them or may replace them. Returns the file's name without links.
///
/// A file that exists is looked at and not opened: on Unix, to close it again would end the locks that this process
/// holds on it.
///
/// # Errors
/// When the file cannot be made, or others may write or replace it.
pub fn private_file(path: &Path) -> Result<PathBuf, StoreError> {
    file(path, Above::Checked)
}

/// The same without a look at the directories above the file's own
/// ([`FileStore::trusting_parents`](super::FileStore::trusting_parents)).
///
/// # Errors
/// When the file cannot be made, or others may write it or its directory.
pub fn private_file_trusting_parents(path: &Path) -> Result<PathBuf, StoreError> {
    file(path, Above::Trusted)
}

fn file(path: &Path, above: Above) -> Result<PathBuf, StoreError> {
    /// Nobody opens a file by its name that another thread is about to close.
    static MAKING: Mutex<()> = Mutex::new(());

    let name =
        path.file_name().ok_or_else(|| StoreError::new(format_args!("{} names no file", path.display())))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = directory(parent, above)?;
    let path = directory.join(name);
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    match create(&path) {
        Ok(_) => sync_directory(&directory),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => system::check_path(&path),
        Err(error) => Err(error),
    }
    .map_err(|error| failed("use", &path, &error))?;
    Ok(path)
}

/// Makes a rename or a removal durable.
#[cfg(unix)]
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
mod system {
    use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    use std::path::Path;

    use rustix::fs::OFlags;

    use super::{Above, unsafe_because};

    const STICKY: u32 = 0o1000;
    const WRITABLE_BY_OTHERS: u32 = 0o022;

    fn own_uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    pub(super) fn make_directory(path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)?;
        // Whatever the directory above passes on.
        fs::set_permissions(path, Permissions::from_mode(0o700))
    }

    /// Follows no link, and does not wait for whoever has a pipe.
    pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
    }

    pub(super) fn check_file(file: &File) -> io::Result<()> {
        if is_closed(&file.metadata()?)? {
            return Ok(());
        }
        file.set_permissions(Permissions::from_mode(0o600))
    }

    /// The same by name, for a file in a directory that is private.
    pub(super) fn check_path(path: &Path) -> io::Result<()> {
        if is_closed(&fs::symlink_metadata(path)?)? {
            return Ok(());
        }
        fs::set_permissions(path, Permissions::from_mode(0o600))
    }

    /// Whether only the owner can read a file that only the owner could have written.
    fn is_closed(metadata: &Metadata) -> io::Result<bool> {
        if !metadata.is_file() {
            return Err(unsafe_because("it is no regular file"));
        }
        check_own(metadata)?;
        Ok(metadata.mode() & 0o777 == 0o600)
    }

    /// Nobody else could have written it.
    fn check_own(metadata: &Metadata) -> io::Result<()> {
        if metadata.uid() != own_uid() {
            return Err(unsafe_because("it belongs to another user"));
        }
        if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
            return Err(unsafe_because("others may write it (chmod go-w)"));
        }
        Ok(())
    }

    /// The directory is the user's own, and nobody else can put another one in its place. What is above the
    /// user's home is not looked at: who can replace that has everything anyway.
    pub(super) fn check_directory(path: &Path, above: Above) -> io::Result<()> {
        check_own(&fs::metadata(path)?)?;
        let home = std::env::home_dir().and_then(|home| fs::canonicalize(home).ok());
        if above == Above::Trusted || home.as_deref() == Some(path) {
            return Ok(());
        }
        for parent in path.ancestors().skip(1) {
            let metadata = fs::metadata(parent)?;
            let because = |what: &str| unsafe_because(format_args!("{}, above it, {what}", parent.display()));
            if metadata.uid() != own_uid() && metadata.uid() != 0 {
                return Err(because("belongs to another user"));
            }
            if metadata.mode() & WRITABLE_BY_OTHERS != 0 && metadata.mode() & STICKY == 0 {
                return Err(because("can be written by others"));
            }
            if home.as_deref() == Some(parent) {
                break;
            }
        }
        Ok(())
    }
}

/// Elsewhere, files and directories inherit the permissions of the one above, which on Windows is the user's
/// own below their profile.
#[cfg(not(unix))]
mod system {
    use std::fs::{self, File, OpenOptions};
    use std::io;
    use std::path::Path;

    use super::{Above, unsafe_because};

    pub(super) fn make_directory(path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn check_file(file: &File) -> io::Result<()> {
        if file.metadata()?.is_file() { Ok(()) } else { Err(unsafe_because("it is no regular file")) }
    }

    pub(super) fn check_path(path: &Path) -> io::Result<()> {
        let is_file = fs::symlink_metadata(path)?.is_file();
        if is_file { Ok(()) } else { Err(unsafe_because("it is no regular file")) }
    }

    pub(super) fn check_directory(path: &Path, _: Above) -> io::Result<()> {
        if fs::metadata(path)?.is_dir() { Ok(()) } else { Err(unsafe_because("it is no directory")) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A name in the temporary directory at which there is nothing.
    pub(crate) fn nothing(test: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("grantor-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn the_platforms_directory_for_state() {
        let directory = application_directory("Example App").unwrap();
        assert!(directory.is_absolute() && directory.ends_with("Example App"), "{directory:?}");
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "a:b", "a\0", " a", "a.", "a\n"] {
            assert!(application_directory(name).is_err(), "{name:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_that_others_may_write_or_replace() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

        let base = nothing("private-file");
        let path = base.join("inner/records.sqlite");
        let made = private_file(&path).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(base.join("inner")).unwrap().mode() & 0o777, 0o700);
        fs::write(&made, "content").unwrap();
        let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        chmod(&made, 0o644);
        assert_eq!(private_file(&path).unwrap(), made);
        assert_eq!(fs::metadata(&made).unwrap().mode() & 0o777, 0o600, "closed again");
        assert_eq!(fs::read(&made).unwrap(), b"content");
        chmod(&made, 0o620);
        assert!(private_file(&path).unwrap_err().to_string().contains("others may write it (chmod go-w)"));
        chmod(&made, 0o600);
        chmod(&base, 0o777);
        assert!(private_file(&path).unwrap_err().to_string().contains("above it, can be written by others"));
        private_file_trusting_parents(&path).unwrap();
        chmod(&base, 0o700);
        symlink(&made, base.join("inner/link")).unwrap();
        assert!(private_file(&base.join("inner/link")).unwrap_err().to_string().contains("no regular file"));
        assert!(private_file(Path::new("/")).unwrap_err().to_string().contains("names no file"));
        fs::remove_dir_all(base).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn directories_that_others_may_write_or_replace() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};

        let base = nothing("directories");
        let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = |path: &Path| directory(path, Above::Checked).unwrap_err().to_string();
        let own = base.join("own");
        assert_eq!(directory(&own, Above::Checked).unwrap(), fs::canonicalize(&own).unwrap());
        assert_eq!(fs::metadata(&own).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(&base).unwrap().mode() & 0o777, 0o700, "and what was made above it");

        for mode in [0o777, 0o770, 0o722, 0o1777] {
            chmod(&own, mode);
            assert!(refused(&own).contains("others may write it (chmod go-w)"), "{mode:o}");
            assert_eq!(fs::metadata(&own).unwrap().mode() & 0o7777, mode, "it stays as it is");
        }
        chmod(&own, 0o755);
        directory(&own, Above::Checked).unwrap();

        // One above it, in which others could rename it; a sticky one keeps them from that.
        chmod(&base, 0o777);
        assert!(refused(&own).contains("above it, can be written by others"));
        assert!(refused(&base.join("new")).contains("above it, can be written by others"));
        directory(&own, Above::Trusted).unwrap();
        chmod(&base, 0o1777);
        directory(&own, Above::Checked).unwrap();
        chmod(&base, 0o700);

        // A link is what it leads to.
        let shared = base.join("shared");
        fs::create_dir(&shared).unwrap();
        chmod(&shared, 0o777);
        symlink(&shared, base.join("link")).unwrap();
        assert!(refused(&base.join("link")).contains("others may write it"));
        assert!(refused(&base.join("link/inner")).contains("above it"));
        symlink(base.join("nowhere"), base.join("dangling")).unwrap();
        directory(&base.join("dangling"), Above::Checked).unwrap_err();
        fs::write(base.join("file"), "").unwrap();
        directory(&base.join("file"), Above::Checked).unwrap_err();

        if fs::metadata(&base).unwrap().uid() == 0 {
            chown(&own, Some(65534), None).unwrap();
            assert!(refused(&own).contains("belongs to another user"));
            assert!(refused(&own.join("inner")).contains("above it, belongs to another user"));
        }
        fs::remove_dir_all(base).unwrap();
    }
}
