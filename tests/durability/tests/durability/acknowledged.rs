//! What was acknowledged is there, whoever dies.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use grantor::Secret;
use grantor_driver::store::{Store, Swap};
use grantor_durability::{content, counted, store};

use crate::common::Directory;

const THREADS: usize = 8;

/// A process that saves is killed after this many acknowledgements.
fn killed_after(place: &str, acknowledgements: usize) {
    let run = acknowledgements.to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_counter"))
        .args([place, &run, &THREADS.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said: Vec<String> = lines.by_ref().take(acknowledgements).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    said.extend(lines); // what it had said by then
    let mut acknowledged = [None; THREADS];
    for line in said {
        let mut numbers = line.split(' ').map(str::parse::<u64>);
        // The last line may be half a one.
        if let (Some(Ok(thread)), Some(Ok(count))) = (numbers.next(), numbers.next()) {
            let last = &mut acknowledged[usize::try_from(thread).unwrap()];
            *last = (*last).max(Some(count));
        }
    }
    assert!(acknowledged.iter().any(Option::is_some));
    let store = store(place).unwrap();
    for (n, acknowledged) in acknowledged.into_iter().enumerate() {
        let stored = stored(&*store, &run, n);
        // One more may have been saved without a word.
        assert!(stored >= acknowledged, "{n}: {stored:?}, acknowledged was {acknowledged:?}");
        assert!(stored <= Some(acknowledged.map_or(0, |count| count + 1)), "{n}: {stored:?}");
    }
}

/// What the `n`th record has been counted up to.
fn stored(store: &dyn Store, run: &str, n: usize) -> Option<u64> {
    let record = store.load(&counted(run, n)).unwrap()?;
    let text = String::from_utf8(record.content.to_vec()).unwrap();
    let count: u64 = text.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(text, content(count), "a whole one");
    Some(count)
}

/// The server of a store is restarted again and again while threads save.
#[cfg(unix)]
pub(crate) fn while_restarted(place: &str, restarts: usize, mut restart: impl FnMut(usize)) {
    let store = store(place).unwrap();
    let (over, saves) = (AtomicBool::new(false), AtomicUsize::new(0));
    let count = &|n| {
        let (key, mut expect, mut acknowledged) = (counted("restarted", n), None, None);
        while !over.load(Ordering::SeqCst) {
            let next = acknowledged.map_or(0, |count| count + 1);
            match store.save(&key, &Secret::from(content(next)), expect).expect("servers come back in time") {
                Swap::Done(revision) => (expect, acknowledged) = (revision, Some(next)),
                Swap::Conflict => panic!("nobody else counts, and what was repeated is known"),
            }
            saves.fetch_add(1, Ordering::SeqCst);
        }
        acknowledged
    };
    let acknowledged: Vec<_> = thread::scope(|scope| {
        let counting: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || count(n))).collect();
        for n in 0..restarts {
            let before = saves.load(Ordering::SeqCst);
            while saves.load(Ordering::SeqCst) < before + 100 && !counting.iter().all(|one| one.is_finished())
            {
                thread::yield_now();
            }
            restart(n);
        }
        over.store(true, Ordering::SeqCst);
        counting.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (n, acknowledged) in acknowledged.into_iter().enumerate() {
        assert_eq!(stored(&*store, "restarted", n), acknowledged, "thread {n}: neither less nor more");
    }
}

pub(crate) fn check(place: &str) {
    for acknowledgements in [1, 10, 100, 300] {
        killed_after(place, acknowledgements);
    }
}

#[test]
fn a_process_is_killed_that_saves_in_files() {
    check(&Directory::new().place());
}

#[test]
fn a_process_is_killed_that_saves_in_sqlite() {
    check(&Directory::new().place_of("sqlite"));
}
