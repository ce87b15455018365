//! Counts records up, each by a thread of its own, until it is killed: `counter PLACE THREADS`. After each save that was
//! acknowledged it prints the thread and its count.

use std::error::Error;
use std::thread;

use grantor::Secret;
use grantor_driver::store::{Store, StoreError, Swap};
use grantor_durability::{content, counted, store};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [place, threads] = arguments.as_slice() else { return Err("usage: counter PLACE THREADS".into()) };
    let (store, threads) = (store(place)?, threads.parse()?);
    thread::scope(|scope| {
        for n in 0..threads {
            let store = &store;
            scope.spawn(move || count(store, n));
        }
    });
    Ok(())
}

fn count(store: &dyn Store, n: usize) -> Result<(), StoreError> {
    let key = counted(n);
    let mut expect = None;
    for count in 0_u64.. {
        match store.save(&key, &Secret::from(content(count)), expect)? {
            Swap::Done(revision) => expect = revision,
            Swap::Conflict => return Err(StoreError::new("somebody else counts")),
        }
        println!("{n} {count}");
    }
    Ok(())
}
