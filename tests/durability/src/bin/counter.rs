//! Counts records up, each by a thread of its own, until it is killed: `counter PLACE RUN THREADS`. After each save that was
//! acknowledged it prints the thread and its count.

use std::error::Error;
use std::thread;

use grantor::Secret;
use grantor_driver::store::{Store, StoreError, Swap};
use grantor_durability::{content, counted, store};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [place, run, threads] = arguments.as_slice() else {
        return Err("usage: counter PLACE RUN THREADS".into());
    };
    let (store, threads) = (store(place)?, threads.parse()?);
    thread::scope(|scope| {
        for n in 0..threads {
            let store = &store;
            scope.spawn(move || count(store, run, n));
        }
    });
    Ok(())
}

fn count(store: &dyn Store, run: &str, n: usize) -> Result<(), StoreError> {
    let key = counted(run, n);
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
