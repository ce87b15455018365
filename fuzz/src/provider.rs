//! The authorization server as sequences of requests.

use grantor_world::provider::rules::play;
use grantor_world::sim::Bytes;

/// Users, clients, devices and attackers do what the bytes say, some of it at once. The model of the rules says after each
/// request what its answer must be.
pub fn provider(data: &[u8]) {
    play(&mut Bytes(data));
}
