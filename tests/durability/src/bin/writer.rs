//! Writes one record again and again until it is killed: `writer DIRECTORY`.

use std::error::Error;

use grantor::{RecordKind, Secret, StoreKey};
use grantor_driver::store::Swap;
use grantor_driver::{FileStore, Store as _};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: writer DIRECTORY")?;
    let store = FileStore::new(directory)?;
    let key = StoreKey::accounts("https://mcp.example.com/mcp");
    assert_eq!(key.kind, RecordKind::Accounts);
    let mut revision = store.load(&key)?.map(|record| record.revision);
    for n in 0_u64.. {
        let record = Secret::from(format!("{n:>20}").repeat(10_000));
        if let Swap::Done(Some(written)) = store.save(&key, &record, revision)? {
            revision = Some(written);
        }
    }
    Ok(())
}
