//! Processes that share the records of one account, against a server that rotates refresh tokens and
//! revokes the grant when one is used twice (RFC 9700 4.14.2).

use std::sync::Arc;

use grantor_adapters::ADAPTERS;
use grantor_world::net::Served;

use crate::common::{Client, Directory};

const PROCESSES: usize = 8;
const ROUNDS: u64 = 6;

fn start(served: &Served, store: &str) -> Vec<Client> {
    let adapter = |n: usize| ADAPTERS[n % ADAPTERS.len()];
    (0..PROCESSES).map(|n| Client::start(adapter(n), &served.resource, store, &[])).collect()
}

/// All of them call at once.
fn call(clients: &mut [Client]) {
    clients.iter_mut().for_each(Client::begin);
    for client in clients {
        assert_eq!(client.said().as_deref(), Some("200"));
    }
}

fn pages(served: &Served) -> usize {
    served.world().asked.iter().filter(|asked| asked.contains("/authorize?")).count()
}

pub(crate) fn check(store: &str) {
    let served = Served::start(Arc::new(|_, _| {}));
    let mut first = Client::start(ADAPTERS[0], &served.resource, store, &[]);
    call(std::slice::from_mut(&mut first));
    let mut lasting = start(&served, store);
    for round in 1..=ROUNDS {
        served.world().server().expire_access_tokens();
        if round % 2 == 0 {
            call(&mut lasting);
        } else {
            call(&mut start(&served, store)); // who knows nothing but the records
        }
        let mut world = served.world();
        let server = world.server();
        assert_eq!((server.issued, server.reuses), (1 + round, 0), "one token request for each expiry");
    }
    assert_eq!(pages(&served), 1, "nobody was logged out");
}

#[test]
fn eight_processes_that_refresh_at_once() {
    check(&Directory::new().place());
}

#[test]
fn eight_processes_on_one_sqlite_database() {
    check(&Directory::new().place_of("sqlite"));
}

#[cfg(feature = "secret-service")]
#[test]
fn eight_processes_on_one_keyring() {
    check(&Directory::new().place_of("keyring"));
}
