//! Which addresses requests may be sent to: what the engine says of each to whoever resolves names.

use grantor::client::{Config, Preregistered};
use grantor::{Effect, Reach, UrlPolicy};
use grantor_world::player::{Player, config};

/// The hosts of all requests of a flow, each with its reach.
fn reaches(config: Config) -> Vec<(String, Reach)> {
    let mut player = Player::new(config);
    player.holding = Some(|effect| matches!(effect, Effect::Http { .. }));
    let call = player.begin("ping");
    let mut reaches = Vec::new();
    loop {
        player.run();
        if player.held.is_empty() {
            break;
        }
        for (op, effect) in std::mem::take(&mut player.held) {
            let Effect::Http { request, .. } = &effect else { panic!("{effect:?}") };
            reaches.push((request.url.host_str().unwrap().to_owned(), request.reach.clone()));
            player.perform(op, effect);
        }
    }
    player.outcome(call).unwrap().delivered();
    reaches
}

fn of<'a>(reaches: &'a [(String, Reach)], host: &str) -> Vec<&'a Reach> {
    let of: Vec<_> = reaches.iter().filter(|(asked, _)| asked == host).map(|(_, reach)| reach).collect();
    assert!(!of.is_empty(), "{reaches:?}");
    of
}

#[test]
fn urls_from_outside_lead_where_the_resource_lives_and_to_public_addresses() {
    let reaches = reaches(config());
    let outside = Reach::like(config().resource().as_str());
    assert!(of(&reaches, "as.example.com").into_iter().all(|reach| *reach == outside), "{reaches:?}");
    assert!(of(&reaches, "mcp.example.com").into_iter().all(|reach| *reach == Reach::Anywhere));
}

#[test]
fn hosts_that_the_configuration_names_are_not_from_outside() {
    let trusted = config().trusted_issuer("https://as.example.com");
    let other = config().preregistered(Preregistered::new("https://other.example.com", "x"));
    let anywhere = |reach: &Reach| *reach == Reach::Anywhere;
    assert!(of(&reaches(trusted), "as.example.com").into_iter().all(anywhere));
    assert!(!of(&reaches(other), "as.example.com").into_iter().any(anywhere));
}

#[test]
fn one_option_allows_private_hosts_by_address_and_by_name() {
    let mut open = UrlPolicy::default();
    open.allow_private_hosts = true;
    assert!(reaches(config().urls(open)).iter().all(|(_, reach)| *reach == Reach::Anywhere));
}
