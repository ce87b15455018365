//! Random histories against the model of the rules; the fuzz target `provider` searches for others.

use grantor_world::provider::rules::play;
use grantor_world::sim::Seed;

#[test]
fn no_history_breaks_the_rules() {
    let issued: usize = (1..=60).map(|seed| play(&mut Seed::new(seed * 0x9e37_79b9, 400))).sum();
    assert!(issued > 400, "{issued}");
}
