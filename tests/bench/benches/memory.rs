//! How much memory things take, printed as `name: number` lines.

use std::alloc::System;
use std::mem::size_of;

use grantor::client::Engine;
use grantor::jose::dpop::{ProofUse, ReplayCache};
use grantor::limits;
use grantor_bench::guard::{Checked, Kept};
use grantor_bench::{Flow, guard};
use http::header::HeaderMap;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes allocated and not freed.
fn held(stats: &Stats) -> usize {
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

fn main() {
    let flow = Flow::cold();

    let region = Region::new(ALLOCATOR);
    let mut engine = flow.play(flow.config());
    let cold = region.change();
    println!("cold flow allocations: {}", cold.allocations + cold.reallocations);
    println!("idle engine bytes: {}", size_of::<Engine>() + held(&cold));

    // The second call and all that follow; the request's headers have room, as those of a stack do.
    let (mut request, response) = (HeaderMap::with_capacity(8), HeaderMap::new());
    flow.warm(&mut engine, &mut request, &response);
    let region = Region::new(ALLOCATOR);
    for _ in 0..1000 {
        flow.warm(&mut engine, &mut request, &response);
    }
    let warm = region.change();
    println!("authorize allocations per 1000: {}", warm.allocations + warm.reallocations);
    println!("authorize bytes kept per 1000: {}", held(&warm));

    for (name, more) in [("few", 0), ("many", 200)] {
        let mut checked = Checked::es256(more, Kept::Yes);
        checked.check();
        let region = Region::new(ALLOCATOR);
        for _ in 0..1000 {
            checked.check();
        }
        let seen = region.change();
        println!("guard allocations per 1000, {name} claims: {}", seen.allocations + seen.reallocations);
    }
    distinct_tokens();
    distinct_proofs();
}

/// Ten million tokens, each seen once: what is remembered of them stays within its bound.
fn distinct_tokens() {
    let region = Region::new(ALLOCATOR);
    let mut guard = guard::asking_the_host();
    for n in 0..10_000_000u64 {
        guard::learn(&mut guard, n);
    }
    println!("bytes after 10 million tokens: {}", held(&region.change()));
    println!("of which the cache counts: {}", guard.token_cache_bytes());
}

/// Ten million proofs, each used once and then once more.
fn distinct_proofs() {
    let mut proof = guard::proof();
    let region = Region::new(ALLOCATOR);
    let mut used = ReplayCache::new(limits::REPLAY_CACHE);
    for n in 0..10_000_000u64 {
        proof.id = n.to_string().into();
        proof.accepted_until_s = guard::NOW + 300 + n / 1000;
        proof.thumbprint = (n % 1000).to_string();
        assert_eq!(used.take(guard::NOW, &proof), ProofUse::First, "{n}");
        assert_eq!(used.take(guard::NOW, &proof), ProofUse::Again, "{n}");
    }
    println!("bytes after 10 million proofs: {}", held(&region.change()));
}
