//! Which authorization server is trusted, and what a changed one gets to see.

use grantor::client::Notice;
use grantor::error::{PeerText, Refused};
use grantor::{Error, Interaction, Quirks, Reason, TrustPolicy};
use grantor_world::player::{Player, User, config};
use grantor_world::{AuthorizationServer, World};
use serde_json::json;

const NEW: &str = "https://new.example.com";

fn untrusted(issuer: &str) -> Error {
    Refused::Untrusted { issuer: PeerText::new(issuer) }.into()
}

/// The resource moves to another authorization server, and the tokens of the old one are worth nothing.
fn migrate(player: &mut Player) {
    player.world.add(AuthorizationServer::new(NEW));
    player.world.mcp.authorization_servers = vec![NEW.into()];
    player.world.authorization.get_mut("https://as.example.com").unwrap().revoke_all();
}

fn asked_of_new(player: &Player) -> Vec<&String> {
    player.world.asked.iter().filter(|asked| asked.contains(NEW)).collect()
}

#[test]
fn sep_2352_a_changed_server_gets_a_new_registration() {
    let mut player = Player::new(config());
    player.world.server().auth_method = "client_secret_basic".into();
    player.call("ping").delivered();
    migrate(&mut player);
    player.call("ping").delivered();
    assert!(player.notices.contains(&Notice::IssuerChanged {
        from: PeerText::new("https://as.example.com"),
        to: PeerText::new(NEW)
    }));
    assert_eq!(asked_of_new(&player).iter().filter(|asked| asked.contains("/register")).count(), 1);
    player.restart();
    player.call("ping").delivered();
    assert_eq!(player.count("new.example.com/authorize"), 1);
}

#[test]
fn the_host_is_asked_before_anything_goes_there() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    migrate(&mut player);
    player.user = User::DoesNotApprove;
    assert_eq!(player.call("ping").failed(), untrusted(NEW));
    assert_eq!(asked_of_new(&player), Vec::<&String>::new());
    let question = player.prompts.iter().rev().find_map(|prompt| match prompt {
        Interaction::Approve(summary) => Some(summary),
        _ => None,
    });
    let Reason::IssuerChanged { from } = &question.unwrap().reason else { panic!() };
    assert_eq!(from.as_str(), "https://as.example.com");
}

#[test]
fn the_first_use_pins() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    assert!(!player.prompts.iter().any(|prompt| matches!(prompt, Interaction::Approve(_))));
    player.restart();
    migrate(&mut player);
    player.user = User::DoesNotApprove;
    assert_eq!(player.call("ping").failed(), untrusted(NEW), "the pin survives a restart");
}

#[test]
fn pinned_only() {
    let strict = || config().trust(TrustPolicy::PinnedOnly);
    let mut player = Player::new(strict());
    assert_eq!(player.call("ping").failed(), untrusted("https://as.example.com"));
    assert!(player.prompts.is_empty());
    let mut player = Player::new(strict().trusted_issuer("https://as.example.com"));
    player.call("ping").delivered();
    migrate(&mut player);
    assert_eq!(player.call("ping").failed(), untrusted(NEW));
    // What was pinned by use stays trusted.
    let mut player = Player::new(config());
    player.call("ping").delivered();
    let (world, store) = (std::mem::take(&mut player.world), player.store.clone());
    let mut player = Player::in_world(world, strict()).unwrap();
    player.store = store;
    player.world.server().revoke_all();
    player.call("ping").delivered();
}

#[test]
fn same_origin_only() {
    let mut player = Player::new(config().trust(TrustPolicy::SameOrigin));
    assert_eq!(player.call("ping").failed(), untrusted("https://as.example.com"));
    let mut world = World::new();
    world.authorization.clear();
    world.add(AuthorizationServer::new("https://mcp.example.com/auth"));
    world.mcp.authorization_servers = vec!["https://mcp.example.com/auth".into()];
    let mut player = Player::in_world(world, config().trust(TrustPolicy::SameOrigin)).unwrap();
    player.call("ping").delivered();
}

#[test]
fn accept_asks_nothing() {
    let mut player = Player::new(config().trust(TrustPolicy::Accept));
    player.user = User::DoesNotApprove;
    player.call("write").delivered();
    migrate(&mut player);
    player.call("write").delivered();
}

#[test]
fn rfc9728_7_6_several_authorization_servers() {
    let mut world = World::new();
    world.add(AuthorizationServer::new(NEW));
    world.mcp.authorization_servers = vec![NEW.into(), "https://as.example.com".into()];
    // The first, when nothing speaks for another.
    let mut player = Player::in_world(world, config()).unwrap();
    player.call("ping").delivered();
    assert_eq!(asked_of_new(&player).len(), 4);
    // The pinned one, even when the order changes.
    player.world.mcp.authorization_servers.reverse();
    player.world.authorization.get_mut(NEW).unwrap().revoke_all();
    player.call("ping").delivered();
    assert_eq!(player.count("https://as.example.com"), 0);
    // One that is configured.
    let mut world = World::new();
    world.add(AuthorizationServer::new(NEW));
    world.mcp.authorization_servers = vec![NEW.into(), "https://as.example.com".into()];
    let mut player = Player::in_world(world, config().trusted_issuer("https://as.example.com")).unwrap();
    player.call("ping").delivered();
    assert_eq!(asked_of_new(&player).len(), 0);
}

#[test]
fn quirk_issuer_trailing_slash_is_no_change() {
    let mut world = World::new();
    world.mcp.authorization_servers = vec!["https://as.example.com/".into()];
    let mut player = Player::in_world(world, config()).unwrap();
    assert!(player.call("ping").failed().to_string().contains("RFC 8414 section 3.3"));
    let mut world = World::new();
    world.mcp.authorization_servers = vec!["https://as.example.com/".into()];
    let mut player = Player::in_world(world, config().quirks(Quirks::google())).unwrap();
    player.call("ping").delivered();
    player.world.authorization.get_mut("https://as.example.com").unwrap().revoke_all();
    player.user = User::DoesNotApprove;
    player.call("ping").delivered();
    assert!(!player.notices.iter().any(|notice| matches!(notice, Notice::IssuerChanged { .. })));
}

#[test]
fn the_old_servers_credentials_stay_for_the_way_back() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    migrate(&mut player);
    player.call("ping").delivered();
    player.world.mcp.authorization_servers = vec!["https://as.example.com".into()];
    player.world.authorization.get_mut(NEW).unwrap().revoke_all();
    player.call("ping").delivered();
    assert_eq!(player.count("https://as.example.com/register"), 1, "the registration there still holds");
}

#[test]
fn entra_takes_no_resource_parameter() {
    let mut player = Player::new(config().quirks(Quirks::entra()));
    player.world.server().metadata = json!({ "code_challenge_methods_supported": null });
    player.call("ping").delivered();
    assert_eq!(player.count("resource="), 0);
}

#[test]
fn quirk_resource_override() {
    let mut quirks = Quirks::none();
    quirks.resource_parameter = grantor::ResourceParameter::Override("urn:other".into());
    let mut player = Player::new(config().quirks(quirks));
    let call = player.begin("ping");
    player.run();
    drop(player.outcome(call));
    assert!(player.count("resource=urn%3Aother") > 0);
}
