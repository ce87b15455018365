//! Logging out (RFC 7009).

use grantor::client::{accounts, stored_grant};
use grantor::error::{Exchange, Refused};
use grantor::{Effect, Error, RecordKind, StoreKey};
use grantor_world::player::{User, config};
use grantor_world::{Outcome, Player};

fn logged_in() -> Player {
    let mut player = Player::new(config());
    player.world.server().offers.revocation = true;
    player.call("ping").delivered();
    player
}

#[test]
fn rfc7009_2_both_tokens_are_given_back_and_forgotten() {
    let mut player = logged_in();
    assert!(matches!(player.log_out(), Outcome::Done));
    assert_eq!(player.count("/revoke"), 2);
    assert!(!player.store.dump().contains("planted-refresh"), "the store has forgotten them too");
    let pages = player.prompts.len();
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert!(player.prompts.len() > pages, "the next call logs in again");
    assert_eq!(player.count("/register"), 1, "as the same client");
}

#[test]
fn logging_out_twice_or_without_tokens_is_nothing() {
    let mut player = Player::new(config());
    assert!(matches!(player.log_out(), Outcome::Done));
    let mut player = logged_in();
    assert!(matches!(player.log_out(), Outcome::Done));
    assert!(matches!(player.log_out(), Outcome::Done));
    assert_eq!(player.count("/revoke"), 2);
}

#[test]
fn after_a_restart_the_endpoint_is_known() {
    let mut player = logged_in();
    player.restart();
    assert!(matches!(player.log_out(), Outcome::Done));
    assert_eq!(player.count("/revoke"), 2);
    assert_eq!(player.count("oauth-authorization-server"), 1);
}

#[test]
fn a_server_that_takes_nothing_back() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    assert!(matches!(player.log_out(), Outcome::Done));
    assert_eq!(player.count("/revoke"), 0);
    assert!(!player.store.dump().contains("planted-access"));
}

#[test]
fn a_server_that_cannot_be_told_is_said_and_the_tokens_are_gone_all_the_same() {
    let mut player = logged_in();
    player.world.intercept = Some(Box::new(|asked| {
        let busy = grantor_world::text(http::StatusCode::SERVICE_UNAVAILABLE, "");
        (asked.uri().path() == "/revoke").then_some(busy)
    }));
    let error = player.log_out().failed();
    let Error::Refused(Refused::Unavailable { exchange, status: 503, .. }) = error else { panic!("{error}") };
    assert_eq!(exchange, Exchange::Revocation);
    assert!(!player.store.dump().contains("planted-access"));
}

#[test]
fn rfc7009_2_a_token_that_is_not_taken_back_keeps_no_other() {
    for (status, body) in [
        (400, r#"{"error":"invalid_request"}"#),
        (500, "<html>"),
        (503, ""),
        (401, r#"{"error":"invalid_grant"}"#),
    ] {
        let mut player = logged_in();
        player.world.intercept = Some(Box::new(move |asked| {
            let is_refresh = String::from_utf8_lossy(asked.body()).contains("token=planted-refresh");
            let status = http::StatusCode::from_u16(status).unwrap();
            let refused = || grantor_world::respond(status, "application/json", body.into());
            (asked.uri().path() == "/revoke" && is_refresh).then(refused)
        }));
        player.log_out().failed();
        assert_eq!(player.count("/revoke"), 2, "{status} {body}: the access token goes back");
        assert!(!player.store.dump().contains("planted-access"));
        player.world.intercept = None;
        player.call("ping").delivered();
        assert!(matches!(player.log_out(), Outcome::Done));
    }
}

#[test]
fn accounts_are_listed_while_they_are_logged_in() {
    let listed = |name: &str| config().account(name).list_account(true);
    let names = |player: &Player| {
        let key = StoreKey::accounts("https://mcp.example.com/mcp");
        let (record, _) = player.store.load(&key).expect("a list");
        let accounts = accounts(&record).expect("a list that can be read");
        accounts.iter().map(|account| account.name.to_string()).collect::<Vec<_>>()
    };
    let mut player = Player::new(listed("work"));
    player.call("ping").delivered();
    assert_eq!(names(&player), ["work"]);
    player.restart_with(listed("home"));
    player.call("ping").delivered();
    assert_eq!(names(&player), ["home", "work"], "switching is another engine on the same store");
    assert!(matches!(player.log_out(), Outcome::Done));
    assert_eq!(names(&player), ["work"]);
    player.restart_with(listed("work"));
    assert_eq!(player.call("ping").delivered().status(), 200, "its tokens are its own");
    assert_eq!(player.count("/authorize"), 2);
    assert!(accounts(b"{").is_err());
}

#[test]
fn a_refresh_under_way_is_waited_for() {
    let mut player = logged_in();
    player.wait_s(3601);
    player.holding =
        Some(|effect| matches!(effect, Effect::Http { request, .. } if request.url.path() == "/token"));
    let call = player.begin("ping");
    player.run();
    let log_out = player.engine.log_out(player.now);
    player.run();
    assert!(player.outcome(log_out).is_none());
    player.release();
    assert!(matches!(player.outcome(log_out), Some(Outcome::Done)));
    assert!(!player.store.dump().contains("planted-refresh"), "the new ones are gone as well");
    let _ = player.outcome(call);
}

#[test]
fn a_refresh_that_fails_does_not_end_the_log_out() {
    for expired in [false, true] {
        let mut player = logged_in();
        player.wait_s(if expired { 3601 } else { 3580 });
        player.holding =
            Some(|effect| matches!(effect, Effect::Http { request, .. } if request.url.path() == "/token"));
        player.begin("ping");
        player.run();
        let log_out = player.engine.log_out(player.now);
        player.run();
        player.world.intercept = Some(Box::new(|asked| {
            let busy = grantor_world::text(http::StatusCode::SERVICE_UNAVAILABLE, "");
            (asked.uri().path() == "/token").then_some(busy)
        }));
        player.release();
        assert!(matches!(player.outcome(log_out), Some(Outcome::Done)), "expired: {expired}");
        assert_eq!(player.count("/revoke"), 2);
        assert!(!player.store.dump().contains("planted-refresh"));
    }
}

#[test]
fn calls_that_come_meanwhile_wait_and_then_log_in_anew() {
    let mut player = logged_in();
    player.holding =
        Some(|effect| matches!(effect, Effect::Http { request, .. } if request.url.path() == "/revoke"));
    let log_out = player.engine.log_out(player.now);
    player.run();
    let call = player.begin("ping");
    player.run();
    assert!(player.outcome(call).is_none(), "the token is on its way out");
    player.release();
    assert!(matches!(player.outcome(log_out), Some(Outcome::Done)));
    assert_eq!(player.outcome(call).unwrap().delivered().status(), 200);
    assert_eq!(player.count("/authorize"), 2);
}

#[test]
fn a_login_whose_token_is_on_its_way_is_waited_for() {
    for path in ["/token", "save"] {
        let mut player = Player::new(config());
        player.world.server().offers.revocation = true;
        player.holding = Some(match path {
            "/token" => {
                |effect| matches!(effect, Effect::Http { request, .. } if request.url.path() == "/token")
            }
            _ => |effect| matches!(effect, Effect::Save { key, .. } if key.kind == RecordKind::Grant),
        });
        player.begin("ping");
        player.run();
        assert_eq!(player.held.len(), 1, "{path}");
        let log_out = player.engine.log_out(player.now);
        player.run();
        assert!(player.outcome(log_out).is_none(), "{path}");
        player.release();
        assert!(matches!(player.outcome(log_out), Some(Outcome::Done)), "{path}");
        assert_eq!(player.count("/revoke"), 2, "{path}");
        assert!(!player.store.dump().contains("planted-refresh"), "{path}");
    }
}

#[test]
fn another_process_that_wrote_the_record() {
    let mut player = logged_in();
    player.store.touch(RecordKind::Grant);
    assert!(matches!(player.log_out(), Outcome::Done));
    assert!(!player.store.dump().contains("planted-refresh"));
}

#[test]
fn tokens_that_another_process_obtained_meanwhile_go_too() {
    for forgets in [false, true] {
        let mut player = Player::new(config());
        player.world.server().offers.revocation = true;
        player.user = User::Leaves;
        player.begin("ping");
        player.run();
        // Another process begins and ends while the page is open.
        let mut other = Player::new(config());
        std::mem::swap(&mut other.world, &mut player.world);
        std::mem::swap(&mut other.store, &mut player.store);
        other.call("ping").delivered();
        std::mem::swap(&mut other.world, &mut player.world);
        std::mem::swap(&mut other.store, &mut player.store);
        let call = match forgets {
            true => player.engine.forget(player.now),
            false => player.engine.log_out(player.now),
        };
        player.run();
        assert!(matches!(player.outcome(call), Some(Outcome::Done)));
        assert!(!player.store.dump().contains("planted"), "{}", player.store.dump());
        if forgets {
            assert_eq!(player.store.records().count(), 0, "{}", player.store.dump());
        }
        assert!(player.world.asked.iter().any(|asked| asked.contains("/revoke")), "they are given back");
    }
}

#[test]
fn a_stored_grant_shows_everything_but_its_tokens() {
    let mut player = logged_in();
    let key = player.store.records().find(|(key, _)| key.kind == RecordKind::Grant).unwrap().0.clone();
    let (record, _) = player.store.load(&key).unwrap();
    let grant = stored_grant(&record).unwrap();
    assert_eq!((&*grant.issuer, grant.scopes.to_string().as_str()), ("https://as.example.com", "mcp:use"));
    assert!(grant.usable && grant.renewable && grant.expires_at_s == Some(1_800_003_600), "{grant:?}");
    assert!(!format!("{grant:?}").contains("planted"));
    assert!(stored_grant(b"{}").is_err());
    // Worthless tokens are gone from the record.
    player.world.server().revoke_all();
    player.user = User::Declines;
    player.call("ping").failed();
    let (record, _) = player.store.load(&key).unwrap();
    let grant = stored_grant(&record).unwrap();
    assert!(!grant.usable && !grant.renewable, "{grant:?}");
}
