//! The engine under simulation.
//!
//! `GRANTOR_SEED=n` replays one seed, `GRANTOR_SEEDS=n` runs more of them.

use std::env;
use std::panic::catch_unwind;

use grantor_world::sim::{Seed, Sim};

fn number(name: &str) -> Option<u64> {
    Some(env::var(name).ok()?.parse().expect("a number"))
}

fn play(seed: u64, verbose: bool) {
    let sim = Sim::new(1 + seed as usize % 3);
    let sim = if verbose { sim.verbose() } else { sim };
    sim.run(&mut Seed::new(seed, 400));
}

#[test]
fn seeds() {
    if let Some(seed) = number("GRANTOR_SEED") {
        return play(seed, true);
    }
    for seed in 0..number("GRANTOR_SEEDS").unwrap_or(2_000) {
        if catch_unwind(|| play(seed, false)).is_err() {
            panic!(
                "seed {seed} fails; replay: GRANTOR_SEED={seed} cargo test -p grantor-world --test simulation -- --nocapture"
            );
        }
    }
}
