//! How much memory things take, printed as `name: number` lines.

use std::alloc::System;
use std::mem::size_of;

use grantor::client::Engine;
use grantor_bench::Flow;
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
}
