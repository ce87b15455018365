//! The main flow and its variants.

use grantor_world::player::{Player, config};

#[test]
fn cold_flow() {
    let mut player = Player::new(config());
    let answer = player.call("read").delivered();
    println!("{}", player.said.join("\n"));
    println!("{:#?}", player.world.asked);
    assert_eq!(answer.status(), 200);
}
