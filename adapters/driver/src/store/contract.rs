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
}
