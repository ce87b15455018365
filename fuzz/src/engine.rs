//! Engines as sequences of operations.

use grantor_world::sim::{Bytes, Sim};

/// Engines of one to three processes against peers, users, a store and a clock that misbehave as the
/// bytes say. The simulation asserts the invariants after every step, and that all comes right in the
/// end.
pub fn engine(data: &[u8]) {
    let Some((processes, choices)) = data.split_first() else { return };
    Sim::new(1 + usize::from(*processes) % 3).run(&mut Bytes(choices));
}
