//! The operating system's keyring, a real one.

use grantor_driver::store::check_contract;
use grantor_durability::store;

use crate::common::Directory;

#[test]
fn contract() {
    let directory = Directory::new();
    let place = directory.place_of("keyring");
    check_contract(&*store(&place).unwrap(), &*store(&place).unwrap());
}
