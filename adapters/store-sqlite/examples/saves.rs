//! How many records can be saved in a second: one at a time, and by many threads that share flushes.
//!
//!     cargo run --release -p grantor-sqlite --example saves [DIRECTORY]
//!
//! The directory says which disk; without one it is the temporary one, which may be memory.

use std::error::Error;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use grantor_driver::Store as _;
use grantor_driver::grantor::{RecordKind, Secret, StoreKey};
use grantor_driver::store::Swap;
use grantor_sqlite::SqliteStore;

const TIME: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn Error>> {
    let above = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = above.join(format!("grantor-saves-{}", std::process::id()));
    let store = SqliteStore::trusting_parents(directory.join("records.sqlite"))?;
    for threads in [1, 8, 32, 128] {
        println!("{threads:>4} threads: {:>7.0} saves per second", saves(&store, threads));
    }
    drop(store);
    Ok(std::fs::remove_dir_all(directory)?)
}

/// Every thread replaces a record of its own again and again.
fn saves(store: &SqliteStore, threads: usize) -> f64 {
    let started = Instant::now();
    let count: u32 = thread::scope(|scope| {
        let work = |n| move || replace(store, &format!("{threads}-{n}"), started);
        let running: Vec<_> = (0..threads).map(|n| scope.spawn(work(n))).collect();
        running.into_iter().map(|thread| thread.join().expect("a thread that saves")).sum()
    });
    f64::from(count) / started.elapsed().as_secs_f64()
}

fn replace(store: &SqliteStore, account: &str, started: Instant) -> u32 {
    let key = StoreKey::new(RecordKind::Grant, "https://mcp.example.com/mcp", account, None);
    let record = Secret::from("x".repeat(3000));
    let (mut count, mut expect) = (0, None);
    while started.elapsed() < TIME {
        let Ok(Swap::Done(revision)) = store.save(&key, &record, expect) else { panic!("the store fails") };
        (count, expect) = (count + 1, revision);
    }
    count
}
