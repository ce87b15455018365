//! What any store must do.

use grantor::{RecordKind, Secret, StoreKey};

use super::{Store, Swap};

/// Checks that a store does what [`Store`] says, for the tests of each. `store` and `other` are two on the
/// same empty place; pass one twice where there can be only one.
///
/// # Panics
/// When it does not.
pub fn check_contract(store: &dyn Store, other: &dyn Store) {
    let key = |account: &str, issuer: Option<&str>| {
        StoreKey::new(RecordKind::Grant, "https://mcp.example.com/mcp", account, issuer)
    };
    let (a, b) = (key("a", Some("https://as")), key("a", None));
    let content =
        |store: &dyn Store, key: &StoreKey| store.load(key).unwrap().map(|record| record.content.to_vec());

    assert_eq!(content(store, &a), None);
    let Swap::Done(Some(first)) = store.save(&a, &Secret::from("one"), None).unwrap() else { panic!() };
    assert_eq!(content(other, &a).unwrap(), b"one", "the other one sees it");
    assert_eq!(other.load(&a).unwrap().unwrap().revision, first);
    assert_eq!(content(store, &b), None, "keys differ by issuer");
    assert_eq!(content(store, &key("b", Some("https://as"))), None, "keys differ by account");

    assert_eq!(other.save(&a, &Secret::from("two"), None).unwrap(), Swap::Conflict);
    let Swap::Done(Some(second)) = other.save(&a, &Secret::from("two"), Some(first)).unwrap() else {
        panic!()
    };
    assert_ne!(first, second);
    assert_eq!(store.save(&a, &Secret::from("three"), Some(first)).unwrap(), Swap::Conflict);
    assert_eq!(content(store, &a).unwrap(), b"two", "the loser changed nothing");

    assert_eq!(store.delete(&a, first).unwrap(), Swap::Conflict);
    assert_eq!(store.delete(&a, second).unwrap(), Swap::Done(None));
    assert_eq!(store.delete(&a, second).unwrap(), Swap::Done(None), "gone is gone");
    assert_eq!(content(other, &a), None);
    assert_eq!(store.save(&a, &Secret::from("four"), Some(second)).unwrap(), Swap::Conflict, "it is gone");

    // Large ones, and small ones in their place.
    let c = key("ü \u{1f511}", Some("https://as"));
    let mut expect = None;
    for length in [1, 2_000, 2_001, 40_000, 9_000, 0, grantor::limits::RECORD, 3] {
        let text = "ü7".repeat(length)[..length / 3 * 3].to_owned();
        let Swap::Done(Some(now)) = store.save(&c, &Secret::from(text.as_str()), expect).unwrap() else {
            panic!()
        };
        assert_eq!(content(other, &c).unwrap(), text.as_bytes(), "{length} bytes");
        assert_eq!(other.load(&c).unwrap().unwrap().revision, now);
        expect = Some(now);
    }
    assert_eq!(other.delete(&c, expect.unwrap()).unwrap(), Swap::Done(None));
    assert_eq!(content(store, &c), None);

    check_expiry(store, other);

    // Of many that expect the same, one wins.
    let winners: usize = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..16)
            .map(|n| {
                let (store, b) = (if n % 2 == 0 { store } else { other }, &b);
                scope.spawn(move || {
                    usize::from(store.save(b, &Secret::from(format!("{n}")), None).unwrap() != Swap::Conflict)
                })
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(winners, 1);
    check_counting(store, other);
}

/// Many count one up, each in its own time: no write is lost or done twice.
fn check_counting(store: &dyn Store, other: &dyn Store) {
    const THREADS: usize = 8;
    const EACH: usize = 5;
    let key = StoreKey::new(RecordKind::Grant, "https://mcp.example.com/mcp", "counted", None);
    let count_up = |store: &dyn Store| {
        loop {
            let stored = store.load(&key).unwrap();
            let count: usize = stored
                .as_ref()
                .map_or(0, |record| std::str::from_utf8(&record.content).unwrap().parse().unwrap());
            let expect = stored.map(|record| record.revision);
            let next = Secret::from((count + 1).to_string());
            if store.save(&key, &next, expect).unwrap() != Swap::Conflict {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for n in 0..THREADS {
            let (store, count_up) = (if n % 2 == 0 { store } else { other }, &count_up);
            scope.spawn(move || (0..EACH).for_each(|_| count_up(store)));
        }
    });
    let counted = store.load(&key).unwrap().unwrap();
    assert_eq!(&*counted.content, (THREADS * EACH).to_string().as_bytes());
}

/// What expires is there until then, and is held against others like any other record.
fn check_expiry(store: &dyn Store, other: &dyn Store) {
    let proof = |n: &str| StoreKey::new(RecordKind::Proof, "https://mcp.example.com/mcp", n, None);
    let later_s = super::unix_s() + 3600;
    let save = |store: &dyn Store, n, expect| {
        store.save_until(&proof(n), &Secret::from("used"), expect, later_s).unwrap()
    };
    let Swap::Done(Some(first)) = save(store, "1", None) else { panic!() };
    assert_eq!(save(other, "1", None), Swap::Conflict, "it is there");
    assert_eq!(other.load(&proof("1")).unwrap().unwrap().content.to_vec(), b"used");
    assert!(matches!(save(other, "2", None), Swap::Done(_)), "keys differ");
    let Swap::Done(Some(again)) = save(other, "1", Some(first)) else { panic!() };
    assert_eq!(store.delete(&proof("1"), again).unwrap(), Swap::Done(None));
    assert!(matches!(save(store, "1", None), Swap::Done(_)), "it is gone");
    // One that is over may be gone at any time; that is no error.
    let over = store.save_until(&proof("3"), &Secret::from("used"), None, super::unix_s() - 3600).unwrap();
    assert!(matches!(over, Swap::Done(_)));
    other.load(&proof("3")).unwrap();
}
