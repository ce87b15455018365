//! Three processes refresh one client's tokens at once, and one of them is killed between two effects.
//!
//! The others go on. The user is asked again only when the dead process had refreshed and not stored: the refresh token
//! is spent then (RFC 9700 4.14.2).

use std::sync::Arc;

use grantor_adapters::ADAPTERS;
use grantor_world::net::Served;

use crate::common::{Client, kill};

/// More than a process has operations of its store until it has refreshed, or knows that another has.
const MOST: usize = 6;
/// Who races.
const PROCESSES: usize = 3;

pub(crate) fn check(place: &str) {
    let served = Served::start(Arc::new(|_, _| {}));
    let start = |n: usize, arguments: &[String]| {
        Client::start(ADAPTERS[n % ADAPTERS.len()], &served.resource, place, arguments)
    };
    let mut first = start(0, &[]);
    first.begin();
    assert_eq!(first.said().as_deref(), Some("200"));
    let counts = || {
        let mut world = served.world();
        let pages = world.asked.iter().filter(|asked| asked.contains("/authorize?")).count();
        let server = world.server();
        [server.issued, u64::try_from(pages).unwrap(), server.reuses]
    };
    let (mut kills, mut lost) = (0, 0);
    for side in ["before", "after"] {
        for point in 0..MOST {
            served.world().server().expire_access_tokens();
            let before = counts();
            let mut victim = start(point, &[side.to_owned(), point.to_string()]);
            let mut others: Vec<_> = (1..PROCESSES).map(|n| start(point + n, &[])).collect();
            victim.begin();
            others.iter_mut().for_each(Client::begin);
            let is_killed = match victim.said().as_deref() {
                Some("stopped") => {
                    kill(&victim.process());
                    true
                }
                said => {
                    assert_eq!(said, Some("200"), "{side} {point}: it had no such point");
                    false
                }
            };
            for other in &mut others {
                assert_eq!(other.said().as_deref(), Some("200"), "{side} {point}");
            }
            let now = counts();
            let more: Vec<_> = now.iter().zip(before).map(|(now, before)| now - before).collect();
            match more[..] {
                [1, 0, 0] => {} // one refresh
                // A refresh that was lost, what the others found of it, and a page for each that found it before
                // another's was answered.
                [2, 1, 0 | 1] | [3, 2, 0 | 1] if is_killed && side == "before" => lost += 1,
                _ => panic!("{side} {point}: issued, pages, reuses {more:?}, killed {is_killed}"),
            }
            kills += usize::from(is_killed);
        }
    }
    println!("{kills} kills, {lost} of them after a refresh and before its save");
    assert!(kills >= MOST / 2, "{kills}");
    assert!(lost <= 1, "{lost}: there is one such point");
}
