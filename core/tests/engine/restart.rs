//! What survives a restart, and what several processes make of one store.

use grantor::client::Notice;
use grantor::error::{PeerMisbehaved, RecordProblem};
use grantor::{Completion, Effect, Interaction, RecordKind};
use grantor_world::AuthorizationServer;
use grantor_world::player::{Player, User, config};
use serde_json::Value;

fn is_page(effect: &Effect) -> bool {
    matches!(effect, Effect::Interact(Interaction::Authorize(_)))
}

/// A player that has left the page open; its URL.
fn before_the_page() -> (Player, String) {
    let mut player = Player::new(config());
    player.user = User::Leaves;
    player.begin("ping");
    player.run();
    let (_, url) = player.open.remove(0);
    (player, url)
}

#[test]
fn tokens_survive() {
    let mut player = Player::new(config());
    player.call("write").delivered();
    let before = player.world.asked.len();
    player.restart();
    player.call("write").delivered();
    assert_eq!(player.world.asked.len(), before + 1, "only the request itself");
}

#[test]
fn a_callback_after_a_restart_completes() {
    let (mut player, url) = before_the_page();
    let back = player.visit(&url).unwrap();
    player.restart();
    assert!(matches!(player.callback(&back), grantor_world::Outcome::Done));
    player.user = User::Declines;
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 1);
}

#[test]
fn an_open_page_is_taken_up_again() {
    let (mut player, _) = before_the_page();
    player.restart();
    player.user = User::Agrees;
    player.call("ping").delivered();
    assert_eq!(player.count("/authorize"), 1, "the page of before is the one that was answered");
    assert_eq!(player.count("/register"), 1);
    let Some(Interaction::Authorize(prompt)) = player.prompts.last() else { panic!() };
    assert!(prompt.resumed);
}

#[test]
fn a_page_is_not_taken_up_where_its_port_is_taken() {
    let (mut player, _) = before_the_page();
    player.restart();
    player.redirect_uri = "http://127.0.0.1:50000/callback".into();
    player.user = User::Agrees;
    player.call("ping").delivered();
    let Some(Interaction::Authorize(prompt)) = player.prompts.last() else { panic!() };
    assert!(!prompt.resumed);
    assert_eq!(&*prompt.redirect_uri, "http://127.0.0.1:50000/callback");
}

#[test]
fn a_page_is_taken_up_only_while_it_lasts() {
    let (mut player, url) = before_the_page();
    let back = player.visit(&url).unwrap();
    player.restart();
    player.now = player.now.plus_ms(601_000);
    let unasked = player.callback(&back).failed();
    assert_eq!(unasked, PeerMisbehaved::CallbackUnasked.into());
    player.user = User::Agrees;
    player.call("ping").delivered();
    assert_eq!(player.count("/authorize"), 2);
}

#[test]
fn a_forged_callback_after_a_restart() {
    let (mut player, _) = before_the_page();
    player.restart();
    for forged in
        ["/callback?code=x&state=guess", "/callback?code=x", "/callback?error=access_denied&state=x"]
    {
        assert_eq!(player.callback(forged).failed(), PeerMisbehaved::CallbackUnasked.into());
    }
    assert_eq!(player.callback("/callback?code=%ff").failed(), PeerMisbehaved::CallbackSyntax.into());
    assert_eq!(player.count("/token"), 0);
}

#[test]
fn a_web_application_brings_the_callback_while_the_prompt_is_open() {
    let mut player = Player::new(config());
    player.user = User::Leaves;
    let call = player.begin("ping");
    player.run();
    let (op, url) = player.open.remove(0);
    let back = player.visit(&url).unwrap();
    assert!(matches!(player.callback(&back), grantor_world::Outcome::Done));
    player.outcome(call).unwrap().delivered();
    // The prompt's own answer comes too late and is ignored.
    assert_eq!(player.engine.complete(player.now, op, Completion::Callback { url: &back }), Ok(()));
    assert!(player.said.iter().any(|said| said.starts_with("Abandon")), "the host is told to stop waiting");
}

#[test]
fn a_denied_callback_after_a_restart() {
    let (mut player, url) = before_the_page();
    player.world.server().consent = grantor_world::Consent::Deny;
    let back = player.visit(&url).unwrap();
    player.restart();
    let error = player.callback(&back).failed();
    assert!(error.to_string().contains("access_denied"), "{error}");
    assert_eq!(player.callback(&back).failed(), PeerMisbehaved::CallbackUnasked.into(), "it is over");
}

#[test]
fn mcp_remote_235_parallel_processes_do_not_overwrite_each_others_verifiers() {
    let (mut a, first) = before_the_page();
    let mut b = Player::new(config());
    b.redirect_uri = "http://127.0.0.1:50000/callback".into();
    b.entropy = 99;
    std::mem::swap(&mut a.world, &mut b.world);
    b.store = a.store.clone();
    b.user = User::Leaves;
    b.begin("ping");
    b.run();
    let (_, second) = b.open.remove(0);
    assert_ne!(first, second);
    // A third process gets both callbacks.
    for url in [first, second] {
        let back = b.visit(&url).unwrap();
        let mut c = Player::new(config());
        std::mem::swap(&mut c.world, &mut b.world);
        c.store = b.store.clone();
        let outcome = c.callback(&back);
        assert!(matches!(outcome, grantor_world::Outcome::Done), "{outcome:?}");
        std::mem::swap(&mut c.world, &mut b.world);
    }
}

#[test]
fn a_lost_race_for_the_pending_record_is_won_later() {
    let mut player = Player::new(config());
    player.holding =
        Some(|effect| matches!(effect, Effect::Save { key, .. } if key.kind == RecordKind::Pending));
    let call = player.begin("ping");
    player.run();
    // Another process writes first.
    let (_, Effect::Save { key, record, .. }) = &player.held[0] else { panic!() };
    let ours: Value = serde_json::from_str(record.expose()).unwrap();
    let state = ours["record"]["authorizations"][0]["state"].as_str().unwrap();
    player.store.save(key, record, None);
    player.store.edit(RecordKind::Pending, state, "theirs");
    player.release();
    player.outcome(call).unwrap().delivered();
    let left = player.store.records().find(|(key, _)| key.kind == RecordKind::Pending).unwrap();
    let left = String::from_utf8_lossy(left.1).into_owned();
    assert!(left.contains("theirs"), "the other one's is still there: {left}");
}

#[test]
fn nothing_of_an_authorization_stays_after_it() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    assert!(player.store.records().all(|(key, _)| key.kind != RecordKind::Pending));
    player.user = User::Declines;
    player.call("write").failed();
    assert!(player.store.records().all(|(key, _)| key.kind != RecordKind::Pending));
}

#[test]
fn restarts_between_any_two_effects() {
    // The process dies after each effect of a whole flow in turn; the next one finishes.
    let mut steps = 0;
    for dies_after in 0.. {
        let mut player = Player::new(config());
        let call = player.begin("write");
        let mut performed = 0;
        player.holding = Some(|_| true);
        player.run();
        while performed < dies_after && !player.held.is_empty() {
            let (op, effect) = player.held.remove(0);
            player.perform(op, effect);
            performed += 1;
            player.run();
        }
        if player.outcome(call).is_some() {
            break;
        }
        player.holding = None;
        player.restart();
        player.call("write").delivered();
        player.call("read").delivered();
        assert_eq!(player.world.server().reuses, 0);
        steps += 1;
    }
    assert!(steps > 20, "{steps}");
}

#[test]
fn a_second_process_that_dies_with_its_answer() {
    // The process dies after each effect in turn; the next one, once its call is answered, with one of the things that
    // it still had to do undone. Nobody is asked again after that.
    for dies_after in 0.. {
        let mut ended = false;
        for undone in 0..2 {
            let mut player = Player::new(config());
            player.holding = Some(|_| true);
            let call = player.begin("ping");
            player.run();
            for _ in 0..dies_after {
                perform_last(&mut player);
            }
            ended = player.outcome(call).is_some();
            player.restart();
            let call = player.begin("ping");
            player.run();
            while player.outcome(call).is_none() {
                perform_last(&mut player);
            }
            if undone < player.held.len() {
                player.held.remove(undone);
            }
            while !player.held.is_empty() {
                perform_last(&mut player);
            }
            player.restart();
            player.holding = None;
            let issued = player.world.server().issued;
            player.call("ping").delivered();
            assert_eq!(player.world.server().issued, issued, "after {dies_after} effects, without {undone}");
        }
        if ended {
            assert!(dies_after > 8, "{dies_after}");
            break;
        }
    }
}

#[test]
fn nothing_stays_of_tokens_whose_issuer_was_never_pinned() {
    for expired in [false, true] {
        for forgets in [false, true] {
            // The process dies with the tokens stored and their issuer not pinned.
            let mut player = Player::new(config());
            player.holding =
                Some(|effect| matches!(effect, Effect::Save { key, .. } if key.kind == RecordKind::Binding));
            player.begin("ping");
            player.run();
            assert!(player.store.dump().contains("planted-access"));
            player.restart();
            player.holding = None;
            // The next one finds the resource at another server.
            player.world.add(AuthorizationServer::new("https://new.example.com"));
            player.world.mcp.authorization_servers = vec!["https://new.example.com".into()];
            if expired {
                player.now = player.now.plus_ms(86_400_000);
                player.call("ping").delivered();
            }
            let call = match forgets {
                true => player.engine.forget(player.now),
                false => player.engine.log_out(player.now),
            };
            player.run();
            assert!(matches!(player.outcome(call), Some(grantor_world::Outcome::Done)));
            assert!(!player.store.dump().contains("planted"), "{}", player.store.dump());
        }
    }
}

/// Performs the effect that was asked for last.
fn perform_last(player: &mut Player) {
    if let Some((op, effect)) = player.held.pop() {
        player.perform(op, effect);
        player.run();
    }
}

#[test]
fn unreadable_records_are_replaced() {
    let garbage: [&[u8]; 6] = [b"", b"{", b"\xff\xfe", b"null", br#"{"v":1}"#, br#"{"v":2,"issuer":"x"}"#];
    for bytes in garbage {
        let mut player = Player::new(config());
        player.call("ping").delivered();
        player.store.tamper(|_, record| *record = bytes.to_vec());
        player.restart();
        player.call("ping").delivered();
        assert!(
            player.notices.iter().any(|notice| matches!(notice, Notice::RecordUnreadable { .. })),
            "{bytes:?}"
        );
        player.restart();
        let before = player.world.asked.len();
        player.call("ping").delivered();
        assert_eq!(player.world.asked.len(), before + 1, "the new records are good");
    }
}

#[test]
fn a_record_with_a_token_that_no_header_may_carry() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.store.edit(RecordKind::Grant, "planted-access", "planted\\r\\nx: y");
    player.restart();
    player.call("ping").delivered();
    let problem = RecordProblem::Damaged;
    assert!(player.notices.contains(&Notice::RecordUnreadable { kind: RecordKind::Grant, problem }));
}

#[test]
fn a_broken_store_is_told_and_mended() {
    let mut player = Player::new(config());
    player.store.broken = true;
    for _ in 0..3 {
        let error = player.call("ping").failed();
        assert!(error.to_string().contains("the store is broken"), "{error}");
    }
    player.store.broken = false;
    player.call("ping").delivered();
}

#[test]
fn a_page_that_cannot_be_waited_for_any_more() {
    let (mut player, _) = before_the_page();
    player.restart();
    player.user = User::Agrees;
    player.holding = Some(is_page);
    let call = player.begin("ping");
    player.run();
    let (op, effect) = player.held.remove(0);
    assert!(matches!(effect, Effect::Interact(Interaction::Authorize(prompt)) if prompt.resumed));
    let failure = grantor::error::Failure::new(grantor::error::FailureKind::Impossible, "the port is taken");
    player.engine.complete(player.now, op, Completion::Failed(failure)).unwrap();
    player.run();
    player.release();
    player.outcome(call).unwrap().delivered();
}

#[test]
fn adopted_tokens_that_are_rejected_are_renewed() {
    let mut a = Player::new(config());
    a.call("ping").delivered();
    let mut b = Player::new(config());
    let share = |from: &mut Player, to: &mut Player| {
        std::mem::swap(&mut from.world, &mut to.world);
        to.store = from.store.clone();
        to.now = from.now;
    };
    // Another process renews; then the server ends what that one got, too.
    a.world.server().expire_access_tokens();
    share(&mut a, &mut b);
    b.call("ping").delivered();
    b.world.server().expire_access_tokens();
    share(&mut b, &mut a);
    a.call("ping").delivered();
    assert_eq!(a.count("/authorize"), 1, "the refresh token is good; the user need not be asked");
    assert_eq!(a.world.server().issued, 3);
}

#[test]
fn a_process_that_ends_with_its_call_leaves_nothing_pending() {
    for broken in [false, true] {
        let mut player = Player::new(config());
        player.holding = Some(|effect| matches!(effect, Effect::Delete { .. }));
        let call = player.begin("ping");
        player.run();
        assert_eq!(player.held.len(), 1);
        assert!(player.outcome(call).is_none(), "the next process would wait for the page");
        player.store.broken = broken;
        player.release();
        player.outcome(call).unwrap().delivered();
        assert_eq!(player.notices.contains(&Notice::StoreFailed { kind: RecordKind::Pending }), broken);
        let left = player.store.records().any(|(key, _)| key.kind == RecordKind::Pending);
        assert_eq!(left, broken, "if it cannot be removed, the call goes on all the same");
    }
}
