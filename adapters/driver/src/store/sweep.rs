//! Files of records that have expired.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::private;

/// How often a directory is looked through, by however many processes.
const EVERY: Duration = Duration::from_secs(60);
/// Clocks of processes may be so far apart.
const LEEWAY: Duration = Duration::from_secs(60);

/// Notes when a file expires, in the time of its last change: what it holds stays as it is.
pub(super) fn expires(file: &fs::File, at_s: u64) -> std::io::Result<()> {
    file.set_modified(UNIX_EPOCH + Duration::from_secs(at_s))
}

/// Removes what has expired of the files that begin so, with their locks, if it is time for that. What cannot be
/// removed now is later.
pub(super) fn sweep(directory: &Path, prefix: &str) {
    let now = SystemTime::now();
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let marker = directory.join(format!("{prefix}swept"));
    if changed(&marker).is_some_and(|at| now.duration_since(at).is_ok_and(|age| age < EVERY)) {
        return;
    }
    if private::open(&marker).and_then(|marker| marker.set_modified(now)).is_err() {
        return;
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_own = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
        let is_record = path.extension().is_some_and(|extension| extension == "json");
        let is_over = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age > LEEWAY);
        if is_own && is_record && changed(&path).is_some_and(is_over) && fs::remove_file(&path).is_ok() {
            let _ = fs::remove_file(path.with_extension("lock"));
        }
    }
}
