//! What was acknowledged is there, whoever dies.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use grantor_durability::{counted, store};

use crate::common::Directory;

const THREADS: usize = 8;

/// A process that saves is killed after this many acknowledgements.
fn killed_after(place: &str, acknowledgements: usize) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_counter"))
        .args([place, &THREADS.to_string()])
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
        let stored = store.load(&counted(n)).unwrap().map(|record| {
            let text = String::from_utf8(record.content.to_vec()).unwrap();
            let count: u64 = text.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(text, format!("{count} ").repeat(1500), "a whole one");
            count
        });
        // One more may have been saved without a word.
        assert!(stored >= acknowledged, "{n}: {stored:?}, acknowledged was {acknowledged:?}");
        assert!(stored <= Some(acknowledged.map_or(0, |count| count + 1)), "{n}: {stored:?}");
        if let Some(record) = store.load(&counted(n)).unwrap() {
            store.delete(&counted(n), record.revision).unwrap();
        }
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
    check(&format!("sqlite:{}", Directory::new().place()));
}
