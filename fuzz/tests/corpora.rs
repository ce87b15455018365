//! The corpora, replayed.

use std::fs;
use std::path::Path;

/// Runs the bodies on every input of the corpora; a failure names the file.
#[test]
fn corpora_hold() {
    for (name, target) in grantor_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(files.len() >= 10, "{name}: a corpus that covers something");
        for file in files {
            let data = fs::read(&file).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&data));
            assert!(outcome.is_ok(), "{}", file.display());
        }
    }
}
