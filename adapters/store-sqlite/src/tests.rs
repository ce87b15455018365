use std::fs;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

use grantor_driver::grantor::{RecordKind, limits};
use grantor_driver::store::check_contract;

use super::*;

/// A directory that is gone when this is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("grantor-sqlite-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn database(&self) -> PathBuf {
        self.0.join("records.sqlite")
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(self.database()).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(account: &str) -> StoreKey {
    StoreKey::new(RecordKind::Grant, "https://mcp.example.com/mcp", account, Some("https://as.example.com"))
}

fn save(store: &SqliteStore, account: &str, content: &str, expect: Option<RecordRevision>) -> RecordRevision {
    let Swap::Done(Some(revision)) = store.save(&key(account), &Secret::from(content), expect).unwrap()
    else {
        panic!("it is there")
    };
    revision
}

#[test]
fn contract() {
    let directory = Directory::new("contract");
    let (one, two) = (directory.open(), directory.open());
    check_contract(&one, &two);
}

#[test]
fn records_stay_when_the_store_is_opened_anew() {
    let directory = Directory::new("anew");
    let revision = save(&directory.open(), "a", "one", None);
    let record = directory.open().load(&key("a")).unwrap().unwrap();
    assert_eq!((&record.content[..], record.revision), (&b"one"[..], revision));
}

#[test]
fn opened_by_many_at_once() {
    let directory = Directory::new("many");
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for n in 0..8 {
            let (directory, barrier) = (&directory, &barrier);
            scope.spawn(move || {
                barrier.wait();
                save(&directory.open(), &n.to_string(), "one", None);
            });
        }
    });
    let store = directory.open();
    assert!((0..8).all(|n| store.load(&key(&n.to_string())).unwrap().is_some()));
}

#[test]
fn records_that_expire_are_gone_and_removed_some_at_a_time() {
    let directory = Directory::new("expiring");
    let store = directory.open();
    let proof = |n: u64| StoreKey::new(RecordKind::Proof, "https://h", &n.to_string(), None);
    let until = |n, at_s| store.save_until(&proof(n), &Secret::from("x"), None, at_s).unwrap();
    let count = "SELECT count(*) FROM records";
    let rows = || store.read(|it| it.query_row(count, (), |row| row.get::<_, i64>(0))).unwrap();
    save(&store, "a", "for good", None);
    let over_s = unix_s() - 1000;
    // Behind the writer's back, which would have removed some of them already.
    let insert = |first: u64, last: u64| {
        let connection = database::to_write(&store.path).unwrap();
        for n in first..last {
            let row = "INSERT INTO records VALUES (?1, x'', zeroblob(16), ?2)";
            connection.execute(row, (record_name(&proof(n)), database::time(over_s))).unwrap();
        }
    };
    insert(0, 600);
    assert!(store.load(&proof(1)).unwrap().is_none());
    assert_eq!(store.delete(&proof(1), RecordRevision([1; 16])).unwrap(), Swap::Done(None), "it is gone");
    let stale = store.save(&proof(2), &Secret::from("x"), Some(RecordRevision([0; 16]))).unwrap();
    assert_eq!(stale, Swap::Conflict, "there is none of this revision any more");
    let mut left = rows();
    while left > 1 {
        store.delete(&key("nobody"), RecordRevision([0; 16])).unwrap();
        let now = rows();
        assert!(now >= 1 && left - now <= 256, "{left} to {now}");
        left = now;
    }
    assert!(store.load(&key("a")).unwrap().is_some());

    let later_s = unix_s() + 1000;
    insert(0, 1);
    assert!(matches!(until(0, later_s), Swap::Done(_)), "in the place of one that is over");
    assert_eq!(until(0, later_s), Swap::Conflict);
    let Some(good) = store.load(&proof(0)).unwrap() else { panic!() };
    store.save(&proof(0), &Secret::from("y"), Some(good.revision)).unwrap();
    let expires: Option<i64> =
        store.read(|it| it.query_row("SELECT max(expires_at_s) FROM records", (), |row| row.get(0))).unwrap();
    assert_eq!(expires, None, "what is written without a time stays for good");
}

#[test]
fn a_later_schema_and_foreign_databases_are_refused_and_left_alone() {
    let directory = Directory::new("later");
    save(&directory.open(), "a", "one", None);
    let change = |sql: &str| Connection::open(directory.database()).unwrap().execute_batch(sql).unwrap();
    change("PRAGMA user_version = 7");
    let refused = SqliteStore::open(directory.database()).unwrap_err().to_string();
    assert!(refused.contains("later version of Grantor") && refused.contains("schema 7"), "{refused}");
    assert!(refused.contains("records.sqlite"), "{refused}");
    change("PRAGMA user_version = 1");
    assert!(directory.open().load(&key("a")).unwrap().is_some());

    change("PRAGMA application_id = 1");
    let refused = SqliteStore::open(directory.database()).unwrap_err().to_string();
    assert!(refused.contains("other tables than Grantor's"), "{refused}");

    fs::write(directory.database(), "planted, and long enough to be no database at all".repeat(100)).unwrap();
    let refused = SqliteStore::open(directory.database()).unwrap_err().to_string();
    assert!(refused.contains("not a database") && !refused.contains("planted"), "{refused}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new("modes");
    let store = directory.open();
    save(&store, "a", "one", None);
    assert_eq!(fs::metadata(&directory.0).unwrap().permissions().mode() & 0o777, 0o700);
    let mut files = 0;
    for entry in fs::read_dir(&directory.0).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        files += 1;
    }
    assert_eq!(files, 3, "the database, its log, and the index of that");
    fs::set_permissions(directory.database(), fs::Permissions::from_mode(0o666)).unwrap();
    let refused = SqliteStore::open(directory.database()).unwrap_err().to_string();
    assert!(refused.contains("others may write it"), "{refused}");
}

#[test]
fn nothing_of_a_deleted_record_stays_in_the_database() {
    let directory = Directory::new("deleted");
    let store = directory.open();
    let revision = save(&store, "a", &"planted".repeat(1000), None);
    let revision = save(&store, "a", "short", Some(revision));
    assert_eq!(store.delete(&key("a"), revision).unwrap(), Swap::Done(None));
    drop(store); // the last one to close writes what is in the log into the database, and removes the log
    let files: Vec<_> = fs::read_dir(&directory.0).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files, [fs::canonicalize(directory.database()).unwrap()]);
    let bytes = fs::read(&files[0]).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"planted" || window.starts_with(b"short")));
}

/// How often the log says that a transaction ended: its frames follow a header of 32 bytes, and have one of 24, in which
/// the last of a transaction has the database's size.
fn commits(directory: &Directory) -> usize {
    let log = fs::read(directory.0.join("records.sqlite-wal")).unwrap();
    let page = usize::try_from(u32::from_be_bytes(log[8..12].try_into().unwrap())).unwrap();
    log[32..].chunks_exact(24 + page).filter(|frame| frame[4..8] != [0; 4]).count()
}

#[test]
fn writes_that_wait_share_a_transaction() {
    const WRITES: usize = 64;
    let directory = Directory::new("shared");
    let store = directory.open();
    save(&store, "first", "x", None);
    let before = commits(&directory);
    // Nobody can write while another connection does, so all of them wait when it is their turn.
    let other = Connection::open(directory.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let write = |n: usize| Write::save(&key(&n.to_string()), &Secret::from("x"), None, None).unwrap();
    let answers: Vec<_> = (0..WRITES).map(|n| store.writer.hand_in(write(n / 2))).collect();
    other.execute_batch("ROLLBACK").unwrap();
    let swaps: Vec<_> = answers.into_iter().map(|answer| answer.recv().unwrap().unwrap()).collect();
    assert_eq!(commits(&directory) - before, 1);
    for pair in swaps.chunks(2) {
        assert!(matches!(pair, [Swap::Done(Some(_)), Swap::Conflict]), "and each sees those before it");
    }
}

#[test]
fn a_write_that_fails_says_so_to_all_and_the_next_works() {
    let directory = Directory::new("fails");
    let store = directory.open();
    let change = |sql: &str| Connection::open(directory.database()).unwrap().execute_batch(sql).unwrap();
    change("ALTER TABLE records RENAME TO elsewhere");
    let error = store.save(&key("a"), &Secret::from("planted"), None).unwrap_err().to_string();
    assert!(error.contains("records.sqlite") && !error.contains("planted"), "{error}");
    store.load(&key("a")).unwrap_err();
    change("ALTER TABLE elsewhere RENAME TO records");
    save(&store, "a", "one", None);
}

#[test]
fn large_records_and_damaged_ones() {
    let directory = Directory::new("large");
    let store = directory.open();
    save(&store, "a", &"x".repeat(limits::RECORD), None);
    assert_eq!(store.load(&key("a")).unwrap().unwrap().content.len(), limits::RECORD);
    Connection::open(directory.database())
        .unwrap()
        .execute("UPDATE records SET content = x'ff00fe'", ())
        .unwrap();
    assert_eq!(&store.load(&key("a")).unwrap().unwrap().content[..], b"\xff\0\xfe", "as it is");
}

#[test]
fn debug_shows_the_place_and_no_record() {
    let directory = Directory::new("debug");
    let store = directory.open();
    save(&store, "a", "planted", None);
    let shown = format!("{store:?}");
    assert!(shown.contains("records.sqlite") && !shown.contains("planted"), "{shown}");
}
