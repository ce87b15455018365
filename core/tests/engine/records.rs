//! Records that are cut off, damaged, foreign or too large.

use grantor::client::Notice;
use grantor::error::{EffectError, FailureKind, RecordProblem, Work};
use grantor::{Effect, Error, RecordKind, RecordPolicy, limits};
use grantor_world::player::{Player, User, config};

const KINDS: [RecordKind; 4] =
    [RecordKind::Binding, RecordKind::Grant, RecordKind::Pending, RecordKind::Registration];

/// A player whose store holds a record of each kind.
fn with_all_records() -> Player {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    // A step-up that waits for the browser leaves its pending record.
    player.user = User::Leaves;
    player.begin("write");
    player.run();
    player.user = User::Agrees;
    for kind in KINDS {
        assert!(player.store.records().any(|(key, _)| key.kind == kind), "{kind}");
    }
    player
}

fn record(player: &Player, kind: RecordKind) -> Vec<u8> {
    player.store.records().find(|(key, _)| key.kind == kind && key.quarantine.is_none()).unwrap().1.to_vec()
}

/// What is quarantined of a kind.
fn kept(player: &Player, kind: RecordKind) -> Vec<Vec<u8>> {
    let quarantined = player.store.records().filter(|(key, _)| key.kind == kind && key.quarantine.is_some());
    quarantined.map(|(_, content)| content.to_vec()).collect()
}

/// Damages the record of a kind, restarts, and expects that it is told, quarantined, and made good again.
fn check_fresh_start(kind: RecordKind, content: &[u8]) {
    let mut player = with_all_records();
    player.restart();
    player.store.tamper(|key, record| {
        if key.kind == kind {
            *record = content.to_vec();
        }
    });
    player.call("write").delivered();
    let told = |notice: &Notice| matches!(notice, Notice::RecordUnreadable { kind: of, .. } if *of == kind);
    assert!(player.notices.iter().any(told), "{kind}: {}", String::from_utf8_lossy(content));
    match kept(&player, kind).as_slice() {
        [] => assert!(content.is_empty()),
        [one] if std::str::from_utf8(content).is_ok() => {
            assert!(content.starts_with(one) && one.len() == content.len().min(limits::RECORD));
        }
        [_] => {}
        more => panic!("{} copies", more.len()),
    }
    player.restart();
    player.notices.clear();
    let before = player.world.asked.len();
    player.call("write").delivered();
    assert_eq!(player.world.asked.len(), before + 1, "the new records are good");
    assert!(!player.notices.iter().any(told));
    assert!(!player.said.join("\n").contains("planted"));
}

#[test]
fn every_length_of_every_record() {
    let player = with_all_records();
    for kind in KINDS {
        let whole = record(&player, kind);
        for length in 0..whole.len() {
            check_fresh_start(kind, &whole[..length]);
        }
    }
}

#[test]
fn every_byte_of_every_record() {
    let player = with_all_records();
    for kind in KINDS {
        let whole = record(&player, kind);
        for index in 0..whole.len() {
            // One bit each, another one for each byte; the eighth makes it no UTF-8.
            let mut damaged = whole.clone();
            damaged[index] ^= 1 << (index % 8);
            check_fresh_start(kind, &damaged);
        }
    }
}

#[test]
fn other_versions_and_other_things() {
    let player = with_all_records();
    for kind in KINDS {
        let whole = String::from_utf8(record(&player, kind)).unwrap();
        assert!(whole.starts_with("{\"v\":2,"), "records carry a version");
        for other in [
            whole.replacen("\"v\":2", "\"v\":3", 1).into_bytes(),
            whole.replacen("\"v\":2", "\"v\":1", 1).into_bytes(),
            br#"{"v":0}"#.to_vec(),
            br#"{"v":4294967295,"of":"the future"}"#.to_vec(),
            b"null".to_vec(),
            b"[]".to_vec(),
            b"<html>".to_vec(),
            b"\xff\xfe\x00".to_vec(),
            vec![b'['; limits::RECORD],
            vec![b' '; limits::RECORD + 1],
        ] {
            check_fresh_start(kind, &other);
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    let whole = with_all_records();
    let cases: [(&[u8], RecordProblem, &str); 3] = [
        (br#"{"v":7,"x":"planted"}"#, RecordProblem::Version(7), "the grant record is of version 7"),
        (b"planted", RecordProblem::Damaged, "the grant record is damaged"),
        (&vec![b' '; limits::RECORD + 1], RecordProblem::TooLarge, "the grant record is too large"),
    ];
    for (content, problem, words) in cases {
        let mut player = Player::new(config().unreadable_records(RecordPolicy::Fail));
        (player.store, player.now) = (whole.store.clone(), whole.now);
        player.store.tamper(|key, record| {
            if key.kind == RecordKind::Grant {
                *record = content.to_vec();
            }
        });
        let before: Vec<_> = player.store.records().map(|(_, content)| content.to_vec()).collect();
        for _ in 0..2 {
            match player.call("ping").failed() {
                Error::Effect(EffectError {
                    what: Work::Store,
                    kind: FailureKind::Unreadable,
                    detail,
                    ..
                }) => {
                    assert!(detail.unwrap().as_str().starts_with(words));
                }
                other => panic!("{other}"),
            }
        }
        assert!(player.notices.contains(&Notice::RecordUnreadable { kind: RecordKind::Grant, problem }));
        let after: Vec<_> = player.store.records().map(|(_, content)| content.to_vec()).collect();
        assert_eq!(before, after, "nothing was touched");
        assert_eq!(player.world.asked.len(), 0, "and nobody asked");
    }
}

#[test]
fn no_record_is_replaced_before_it_is_kept() {
    for kind in KINDS {
        let mut player = with_all_records();
        player.restart();
        player.store.tamper(|key, record| {
            if key.kind == kind {
                *record = b"damaged".to_vec();
            }
        });
        player.holding =
            Some(|effect| matches!(effect, Effect::Save { key, .. } if key.quarantine.is_some()));
        let call = player.begin("write");
        player.run();
        assert_eq!(player.held.len(), 1, "{kind}");
        assert_eq!(record(&player, kind), b"damaged");
        // The store fails: so does the call, and the record stays.
        player.store.broken = true;
        player.release();
        let error = player.outcome(call).unwrap().failed().to_string();
        assert!(error.contains("could not be kept: the store is broken"), "{error}");
        player.store.broken = false;
        assert_eq!(record(&player, kind), b"damaged");
        player.call("write").delivered();
        assert_eq!(kept(&player, kind), [b"damaged"]);
    }
}

#[test]
fn the_same_damage_is_kept_once() {
    let mut player = with_all_records();
    for _ in 0..3 {
        player.store.tamper(|key, record| {
            if key.kind == RecordKind::Grant && key.quarantine.is_none() {
                *record = b"damaged".to_vec();
            }
        });
        player.restart();
        player.call("ping").delivered();
    }
    assert_eq!(kept(&player, RecordKind::Grant), [b"damaged"]);
}

#[test]
fn a_record_damaged_during_a_refresh() {
    let mut player = with_all_records();
    player.world.server().expire_access_tokens();
    player.holding = Some(|effect| matches!(effect, Effect::Http { .. }));
    let call = player.begin("ping");
    player.run();
    player.store.tamper(|key, record| {
        if key.kind == RecordKind::Grant {
            *record = b"damaged".to_vec();
        }
    });
    player.release();
    player.outcome(call).unwrap().delivered();
    assert_eq!(kept(&player, RecordKind::Grant), [b"damaged"]);
    player.restart();
    player.call("ping").delivered();
    assert_eq!(player.world.server().reuses, 0, "the new tokens were stored");
}
