//! How much memory idle clients of different resources take beyond their HTTP stack, printed as
//! `name: number` lines.

use std::alloc::System;
use std::thread;
use std::time::Duration;

use grantor_bench::{Server, stacks};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CLIENTS: usize = 10_000;

/// Bytes allocated and not freed, once nothing moves any more.
fn held(server: &Server) -> usize {
    let now = || {
        server.forget();
        let stats = ALLOCATOR.stats();
        stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
    };
    let mut last = now();
    loop {
        thread::sleep(Duration::from_millis(100));
        let next = now();
        if next == last {
            return next;
        }
        last = next;
    }
}

fn main() {
    let server = Server::start();
    let resources = server.setups(CLIENTS);
    for stack in stacks(&resources[0]) {
        // What the HTTP client and the runtime need is there then.
        drop(stack.clients(&resources[..CLIENTS / 10]));
        let before = held(&server);
        let clients = stack.clients(&resources);
        println!("{} bytes per idle client: {}", stack.name(), (held(&server) - before) / CLIENTS);
        drop(clients);
    }
}
