//! An authorization server that has moved: what was stored leads to fresh metadata, and errors say where it was
//! asked and what to do.

use grantor::client::Config;
use grantor::error::{Error, Failure, FailureKind, PeerText, Refused};
use grantor::{Completion, Effect, RecordKind, TrustPolicy};
use grantor_world::player::{Player, User, config};
use grantor_world::{AuthorizationServer, Outcome};
use serde_json::json;

const OLD: &str = "https://as.example.com";
const NEW: &str = "https://new.example.com";

/// A player whose access token has run out.
fn expired(config: Config) -> Player {
    let mut player = Player::new(config);
    player.world.add(AuthorizationServer::new(NEW));
    player.call("ping").delivered();
    player.wait_s(3601);
    player
}

/// Calls while these URLs cannot be reached.
fn call_without(player: &mut Player, out_of_reach: fn(&str) -> bool, log_in: bool) -> Outcome {
    player.holding = Some(|effect| matches!(effect, Effect::Http { .. }));
    let call = match log_in {
        true => player.engine.log_in(player.now),
        false => player.begin("ping"),
    };
    player.run();
    while !player.held.is_empty() {
        let (op, effect) = player.held.remove(0);
        match &effect {
            Effect::Http { request, .. } if out_of_reach(request.url.as_str()) => {
                let failure = Failure::new(FailureKind::Unreachable, "no route to host");
                player.complete(op, Completion::Failed(failure));
            }
            _ => player.perform(op, effect),
        }
        player.run();
    }
    player.holding = None;
    player.outcome(call).expect("an outcome")
}

#[test]
fn a_token_endpoint_out_of_reach_leads_to_fresh_metadata() {
    for restarts in [false, true] {
        let mut player = expired(config());
        if restarts {
            player.restart();
        }
        let page = player.count("/authorize?");
        // The same server answers elsewhere.
        player.world.server().metadata = json!({ "token_endpoint": "https://as.example.com/token?v=2" });
        let outcome = call_without(&mut player, |url| url == "https://as.example.com/token", false);
        outcome.delivered();
        assert_eq!(player.count("/authorize?"), page, "nobody is asked");
        // The new endpoint is stored.
        player.restart();
        player.wait_s(3601);
        call_without(&mut player, |url| url == "https://as.example.com/token", false).delivered();
    }
}

#[test]
fn an_outage_is_told_with_the_url_and_loses_nothing() {
    for out_of_reach in [(|url: &str| url.starts_with(OLD)) as fn(&str) -> bool, |url: &str| {
        url == "https://as.example.com/token"
    }] {
        let mut player = expired(config());
        let pages = player.prompts.len();
        let report = call_without(&mut player, out_of_reach, false).report();
        let said = report.to_string();
        assert!(said.contains(OLD) && said.contains("no route to host"), "{said}");
        assert!(matches!(report.error, Error::Effect(_)), "{said}");
        assert_eq!(player.prompts.len(), pages, "no page is opened for an outage");
        player.wait_s(60);
        player.call("ping").delivered();
        assert_eq!(player.prompts.len(), pages, "the refresh token is good still");
        assert_eq!(player.world.server().reuses, 0);
    }
}

#[test]
fn a_resource_that_names_another_server_is_followed_as_far_as_it_is_trusted() {
    let moved = |player: &mut Player| player.world.mcp.authorization_servers = vec![NEW.into()];
    let gone = |url: &str| url.starts_with(OLD);
    let mut player = expired(config());
    moved(&mut player);
    player.user = User::DoesNotApprove;
    let report = call_without(&mut player, gone, false).report();
    assert_eq!(report.error, Refused::Untrusted { issuer: PeerText::new(NEW) }.into());
    let said = report.to_string();
    assert!(said.contains("Config::trusted_issuer") && said.contains("forget"), "{said}");
    player.user = User::Agrees;
    call_without(&mut player, gone, false).delivered();
    for (config, log_in) in [
        (config().trust(TrustPolicy::Accept), false),
        (config().trusted_issuer(NEW), false),
        (config().trusted_issuer(NEW), true),
    ] {
        let mut player = expired(config);
        moved(&mut player);
        player.user = User::Agrees;
        let outcome = call_without(&mut player, gone, log_in);
        assert!(matches!(outcome, Outcome::Delivered(_) | Outcome::Done), "{outcome:?}");
        player.call("ping").delivered();
    }
}

/// A player whose resource has moved from the old server to the new one, with tokens of both stored.
fn moved() -> Player {
    let mut player = Player::new(config().list_account(true));
    player.world.server().offers.revocation = true;
    let mut new = AuthorizationServer::new(NEW);
    new.offers.revocation = true;
    player.world.add(new);
    player.call("ping").delivered();
    player.world.mcp.authorization_servers = vec![NEW.into()];
    player.world.mcp.rejects_all = true;
    player.call("ping").failed();
    player.world.mcp.rejects_all = false;
    player.wait_s(60);
    player.call("ping").delivered();
    player
}

#[test]
fn forgetting_leaves_nothing_about_the_resource() {
    for restarts in [false, true] {
        let mut player = moved();
        if restarts {
            player.restart();
        }
        assert!(matches!(player.forget(), Outcome::Done));
        let left: Vec<_> = player.store.records().map(|(key, _)| key.kind).collect();
        assert!(left.iter().all(|kind| *kind == RecordKind::Accounts), "{left:?}");
        assert!(!player.store.dump().contains("planted"), "{}", player.store.dump());
        for server in [OLD, NEW] {
            assert!(player.count(&format!("{server}/revoke")) > 0, "{server}: tokens are given back");
        }
        // It begins anew, with whatever server the resource names.
        player.world.mcp.authorization_servers = vec![OLD.into()];
        player.user = User::DoesNotApprove;
        player.call("ping").delivered();
        assert_eq!(player.count("https://as.example.com/register"), 2);
    }
}

#[test]
fn forgetting_joins_a_log_out_and_other_accounts_keep_theirs() {
    let mut player = moved();
    player.holding = Some(|effect| matches!(effect, Effect::Http { .. }));
    let log_out = player.engine.log_out(player.now);
    player.run();
    let forget = player.engine.forget(player.now);
    player.run();
    player.release();
    for call in [log_out, forget] {
        assert!(matches!(player.outcome(call), Some(Outcome::Done)));
    }
    assert!(player.store.records().all(|(key, _)| key.kind == RecordKind::Accounts));
    // Two accounts on one store.
    let mut player = Player::new(config().account("work"));
    player.call("ping").delivered();
    player.restart_with(config().account("home"));
    player.call("ping").delivered();
    assert!(matches!(player.forget(), Outcome::Done));
    assert!(player.store.records().all(|(key, _)| *key.account == *"work"));
    player.restart_with(config().account("work"));
    let asked = player.world.asked.len();
    player.call("ping").delivered();
    assert_eq!(player.world.asked.len(), asked + 1);
}

#[test]
fn forgetting_without_anything_known_or_with_a_broken_store() {
    let mut player = Player::new(config());
    assert!(matches!(player.forget(), Outcome::Done));
    player.call("ping").delivered();
    player.store.broken = true;
    let error = player.forget().failed();
    assert!(error.to_string().contains("the store is broken"), "{error}");
    player.store.broken = false;
    player.call("ping").delivered();
    assert!(matches!(player.forget(), Outcome::Done));
    assert_eq!(player.store.records().count(), 0);
}
