//! Secrets go where they belong: what one server issued or is owed never reaches another.

use std::sync::{Arc, Mutex};

use grantor::TrustPolicy;
use grantor::client::Config;
use grantor_world::player::{Player, User, config};
use grantor_world::{AuthorizationServer, Outcome, World};

const NEW: &str = "https://new.example.com";

/// The bodies that a server was sent, with its `Authorization` headers.
type Seen = Arc<Mutex<Vec<String>>>;

/// Two servers that take tokens back, of which the resource names the first; what the second is sent.
fn two_servers() -> (World, Seen) {
    let mut world = World::new();
    world.server().offers.revocation = true;
    let mut new = AuthorizationServer::new(NEW);
    new.offers.revocation = true;
    world.add(new);
    let seen = Seen::default();
    let log = seen.clone();
    world.intercept = Some(Box::new(move |asked| {
        if asked.uri().to_string().starts_with(NEW) {
            let header = grantor_world::header(asked.headers(), "authorization").unwrap_or_default();
            let body = String::from_utf8_lossy(asked.body());
            log.lock().unwrap().push(format!("{} {header} {body}", asked.uri().path()));
        }
        None
    }));
    (world, seen)
}

/// A player whose pending authorization at the old server is answered after the new one was discovered.
fn answered_late(config: Config) -> (Player, Seen) {
    let (world, seen) = two_servers();
    let mut player = Player::in_world(world, config).unwrap();
    player.user = User::Leaves;
    player.begin("ping");
    player.run();
    let (_, url) = player.open.remove(0);
    let back = player.visit(&url).unwrap();
    player.restart();
    // The resource has moved; the old page's port is taken, so a new page is opened at the new server.
    player.world.mcp.authorization_servers = vec![NEW.into()];
    player.redirect_uri = "http://127.0.0.1:50000/callback".into();
    player.begin("ping");
    player.run();
    assert!(player.open.remove(0).1.starts_with(NEW), "the new server's page is open");
    assert!(matches!(player.callback(&back), Outcome::Done));
    (player, seen)
}

#[test]
fn mcp_authorization_server_binding_a_late_answer_brings_its_own_servers_endpoints() {
    let (mut player, seen) = answered_late(config().trust(TrustPolicy::Accept));
    assert!(matches!(player.log_out(), Outcome::Done));
    assert_eq!(
        player.count("https://as.example.com/revoke"),
        2,
        "its tokens go back to where they came from"
    );
    assert_eq!(player.count("https://new.example.com/revoke"), 0);
    for sent in seen.lock().unwrap().iter() {
        assert!(!sent.contains("planted"), "{sent}");
    }
    assert!(!player.store.dump().contains("planted-refresh"), "the store is whole");
    player.user = User::Agrees;
    player.call("ping").delivered();
}
