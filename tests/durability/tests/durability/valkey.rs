//! Records in Valkey or Redis. `tests/run stores` runs these, which need its server.

use grantor::{RecordKind, RecordRevision, Secret, StoreKey};
use grantor_driver::store::{Store as _, Swap, check_contract, record_name, unix_s};
use grantor_durability::store;
use grantor_valkey::ValkeyStore;
use grantor_world::tls::Authority;
use redis::Commands as _;

use crate::servers::{End, Valkey};
use crate::{acknowledged, guard, processes, providers, races};

fn key(n: usize) -> StoreKey {
    StoreKey::new(RecordKind::Proof, "https://mcp.example.com/mcp", &n.to_string(), None)
}

fn entry(key: &StoreKey) -> String {
    format!("grantor:1:{}", record_name(key))
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn contract() {
    let server = Valkey::start();
    check_contract(&*store(&server.place()).unwrap(), &*store(&server.place()).unwrap());
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn eight_processes_that_refresh_at_once() {
    processes::check(&Valkey::start().place());
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn rfc9449_11_1_used_once_by_servers_on_one_database() {
    guard::check(&Valkey::start().place());
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn a_process_is_killed_that_saves() {
    acknowledged::check(&Valkey::start().place());
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn three_processes_race_and_one_is_killed() {
    races::check(&Valkey::start().place());
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn three_providers_exchange_a_code_once() {
    providers::race(&Valkey::start().place());
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn refresh_tokens_outlive_providers_that_are_killed() {
    providers::survive(&Valkey::start().place(), |kill, round| kill(round % 3));
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn refresh_tokens_outlive_restarts_of_the_database() {
    let mut server = Valkey::start();
    let end = |n| if n % 2 == 0 { End::Crash } else { End::Orderly };
    providers::survive(&server.place(), |_, round| server.restart(end(round)));
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn restarted_while_threads_save() {
    let mut server = Valkey::start();
    let end = |n| if n % 2 == 0 { End::Crash } else { End::Orderly };
    acknowledged::while_restarted(&server.place(), 4, |n| server.restart(end(n)));
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn records_expire_by_the_server() {
    let server = Valkey::start();
    let store = ValkeyStore::connect(server.to()).unwrap();
    let mut look = server.look();
    let until = |n, expect, at_s| store.save_until(&key(n), &Secret::from("used"), expect, at_s).unwrap();
    let Swap::Done(Some(first)) = until(1, None, unix_s() + 1000) else { panic!() };
    let mut left_ms = || -> i64 { look.pttl(entry(&key(1))).unwrap() };
    let left = left_ms();
    assert!((900_000..=1_001_000).contains(&left), "{left}");
    // Written anew without a time it stays.
    store.save(&key(1), &Secret::from("for good"), Some(first)).unwrap();
    assert_eq!(left_ms(), -1);

    let Swap::Done(Some(over)) = until(2, None, unix_s() - 1000) else { panic!() };
    while store.load(&key(2)).unwrap().is_some() {}
    assert_eq!(until(2, Some(over), unix_s() + 1000), Swap::Conflict, "it is gone");
    assert_eq!(store.delete(&key(2), over).unwrap(), Swap::Done(None), "it is gone");
    assert!(matches!(until(2, None, unix_s() + 1000), Swap::Done(_)));
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn scripts_that_the_server_has_forgotten_are_loaded_again() {
    let server = Valkey::start();
    let store = ValkeyStore::connect(server.to()).unwrap();
    let Swap::Done(Some(first)) = store.save(&key(1), &Secret::from("one"), None).unwrap() else { panic!() };
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut server.look()).unwrap();
    let Swap::Done(Some(second)) = store.save(&key(1), &Secret::from("two"), Some(first)).unwrap() else {
        panic!()
    };
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut server.look()).unwrap();
    assert_eq!(store.delete(&key(1), first).unwrap(), Swap::Conflict);
    assert_eq!(store.delete(&key(1), second).unwrap(), Swap::Done(None));
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn what_others_have_put_in_a_records_place() {
    let server = Valkey::start();
    let store = ValkeyStore::connect(server.to()).unwrap();
    let mut look = server.look();
    look.set::<_, _, ()>(entry(&key(1)), "short").unwrap();
    let error = store.load(&key(1)).unwrap_err().to_string();
    assert!(error.contains("under the name of a record"), "{error}");
    assert_eq!(
        store.save(&key(1), &Secret::from("x"), None).unwrap(),
        Swap::Conflict,
        "it is not overwritten"
    );
    look.lpush::<_, _, ()>(entry(&key(2)), "planted").unwrap();
    for error in [
        store.load(&key(2)).unwrap_err(),
        store.save(&key(2), &Secret::from("planted"), None).unwrap_err(),
        store.delete(&key(2), RecordRevision([1; 16])).unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.contains("WRONGTYPE") && !error.contains("planted"), "{error}");
    }
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn a_server_that_may_not_be_used_says_why() {
    let server = Valkey::start();
    drop(ValkeyStore::connect(server.to()).unwrap()); // waits until it has started
    redis::cmd("CONFIG").arg(&["SET", "requirepass", "secret"]).exec(&mut server.look()).unwrap();
    let refused = |to: &str| ValkeyStore::connect(to).unwrap_err().to_string();
    let without = refused(server.to());
    assert!(without.contains("NOAUTH"), "{without}");
    let wrong = refused(&format!("{}?pass=planted", server.to()));
    assert!(wrong.contains("WRONGPASS") || wrong.contains("uthentication"), "{wrong}");
    assert!(!wrong.contains("planted"), "{wrong}");
    let store = ValkeyStore::connect(&format!("{}?pass=secret", server.to())).unwrap();
    assert!(matches!(store.save(&key(1), &Secret::from("one"), None).unwrap(), Swap::Done(_)));
}

#[test]
#[ignore = "needs Valkey or Redis"]
fn tls_with_certificates_that_are_trusted() {
    let authority = Authority::new();
    let (server, port) = Valkey::start_with_tls(&authority);
    let to = format!("valkeys://127.0.0.1:{port}");
    let store = ValkeyStore::connect_trusting(&to, &authority.pem()).unwrap();
    assert!(matches!(store.save(&key(1), &Secret::from("one"), None).unwrap(), Swap::Done(_)));
    assert!(ValkeyStore::connect(server.to()).unwrap().load(&key(1)).unwrap().is_some());
    // The system does not know this authority.
    let refused = ValkeyStore::connect(&to).unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}
