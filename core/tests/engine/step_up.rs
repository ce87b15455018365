//! Challenges for more scope.

use grantor::client::Notice;
use grantor::error::Refused;
use grantor::{Effect, Interaction, Reason, ScopeSet};
use grantor_world::mcp_server::Names;
use grantor_world::player::{Player, User, config};
use grantor_world::{Consent, World};
use http::StatusCode;

fn scopes_asked(player: &Player) -> Vec<String> {
    let pages = player.world.asked.iter().filter(|asked| asked.contains("/authorize"));
    let scope = |page: &String| {
        let url = url::Url::parse(page.split(' ').nth(1).unwrap()).unwrap();
        url.query_pairs().find(|(name, _)| name == "scope").unwrap().1.into_owned()
    };
    pages.map(scope).collect()
}

#[test]
fn sep_2350_union_of_scopes() {
    let mut player = Player::new(config());
    player.call("read").delivered();
    player.call("write").delivered();
    player.call("read").delivered();
    assert_eq!(
        scopes_asked(&player),
        ["mcp:use", "mcp:use files:read", "mcp:use files:read files:write"],
        "what was granted before is kept (typescript-sdk#1582)"
    );
}

#[test]
fn a_step_up_asks_nobody_anew_and_refreshes_nothing() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    let before = player.world.asked.len();
    player.call("write").delivered();
    let asked: Vec<_> = player.world.asked[before..].iter().map(|a| a.split('?').next().unwrap()).collect();
    assert_eq!(
        asked,
        [
            "POST https://mcp.example.com/mcp",
            "GET https://as.example.com/authorize",
            "POST https://as.example.com/token",
            "POST https://mcp.example.com/mcp",
        ]
    );
}

#[test]
fn the_host_is_asked_for_new_scopes() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.user = User::DoesNotApprove;
    let error = player.call("write").failed();
    assert!(matches!(error, grantor::Error::Refused(Refused::Untrusted { .. })), "{error}");
    assert_eq!(player.count("/authorize"), 1);
    let question = player.prompts.iter().find_map(|prompt| match prompt {
        Interaction::Approve(summary) => Some(summary),
        _ => None,
    });
    let question = question.expect("a question");
    assert_eq!(question.reason, Reason::StepUp);
    assert_eq!(question.new_scopes, ScopeSet::parse("files:write").unwrap());
    assert_eq!(question.scopes, ScopeSet::parse("mcp:use files:write").unwrap());
    player.call("ping").delivered();
}

#[test]
fn a_scope_that_does_not_help_is_not_asked_for_again() {
    // The server demands what the token already has (typescript-sdk#2255).
    let mut world = World::new();
    world.mcp.tools.insert("admin".into(), "impossible".into());
    let mut player = Player::in_world(world, config()).unwrap();
    player.call("ping").delivered();
    player.world.intercept = Some(Box::new(|request| {
        let denied = request.headers().get("authorization").is_some();
        (denied && request.uri().path() == "/mcp").then(|| {
            let challenge = r#"Bearer error="insufficient_scope", scope="mcp:use""#;
            grantor_world::with(grantor_world::text(StatusCode::FORBIDDEN, ""), "www-authenticate", challenge)
        })
    }));
    let demanded = ScopeSet::parse("mcp:use").unwrap();
    assert_eq!(player.call("ping").failed(), Refused::InsufficientScope { demanded }.into());
    assert_eq!(player.count("/authorize"), 1);
}

#[test]
fn a_user_who_does_not_grant_the_scope() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.world.server().consent = Consent::Only("mcp:use".into());
    let demanded = ScopeSet::parse("files:write").unwrap();
    let refused = Refused::InsufficientScope { demanded };
    for attempt in 1..=6 {
        assert_eq!(player.call("write").failed(), refused.clone().into());
        assert_eq!(player.count("/authorize"), 1 + attempt.min(3), "once for each call, three times in all");
    }
    player.call("ping").delivered();
    player.wait_s(601);
    player.world.server().consent = Consent::Grant;
    player.call("write").delivered();
}

#[test]
fn a_server_that_asks_for_one_scope_after_the_other() {
    let mut world = World::new();
    world.mcp.tools.insert("both".into(), "a b".into());
    world.mcp.names = Names::OneByOne;
    let mut player = Player::in_world(world, config()).unwrap();
    player.call("both").delivered();
    assert_eq!(scopes_asked(&player), ["mcp:use", "mcp:use a", "mcp:use a b"]);
}

#[test]
fn endless_challenges_end() {
    // A new scope every time.
    let mut world = World::new();
    let mut n = 0;
    world.intercept = Some(Box::new(move |request| {
        (request.uri().path() == "/mcp" && request.headers().get("authorization").is_some()).then(|| {
            n += 1;
            let challenge = format!(r#"Bearer error="insufficient_scope", scope="s{n}""#);
            grantor_world::with(
                grantor_world::text(StatusCode::FORBIDDEN, ""),
                "www-authenticate",
                &challenge,
            )
        })
    }));
    let mut player = Player::in_world(world, config()).unwrap();
    player.call("ping").failed();
    assert!(player.count("/authorize") <= 6, "{}", player.count("/authorize"));
}

#[test]
fn other_calls_go_on_meanwhile() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.user = User::Leaves;
    let waiting = player.begin("write");
    player.run();
    assert_eq!(player.open.len(), 1);
    player.call("ping").delivered();
    assert!(player.outcome(waiting).is_none(), "it still waits");
}

#[test]
fn a_refresh_during_a_step_up() {
    let mut player = Player::new(config().interaction_ms(10 * 3600 * 1000));
    player.call("ping").delivered();
    player.user = User::Leaves;
    let waiting = player.begin("write");
    player.run();
    player.wait_s(3601);
    player.call("ping").delivered();
    assert_eq!(player.count("/token"), 2, "the old grant is renewed while the page is open");
    let (op, url) = player.open.remove(0);
    let back = player.visit(&url).unwrap();
    player.engine.complete(player.now, op, grantor::Completion::Callback { url: &back }).unwrap();
    player.run();
    player.outcome(waiting).unwrap().delivered();
    player.call("write").delivered();
    assert_eq!(player.count("/authorize"), 2);
}

#[test]
fn two_step_ups_at_once() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.user = User::Leaves;
    let write = player.begin("write");
    player.run();
    let read = player.begin("read");
    player.run();
    assert_eq!(player.open.len(), 1, "one page at a time");
    player.user = User::Agrees;
    let (op, url) = player.open.remove(0);
    let back = player.visit(&url).unwrap();
    player.engine.complete(player.now, op, grantor::Completion::Callback { url: &back }).unwrap();
    player.run();
    player.outcome(write).unwrap().delivered();
    player.outcome(read).unwrap().delivered();
    assert_eq!(scopes_asked(&player).last().unwrap(), "mcp:use files:write files:read");
}

#[test]
fn mcp_step_up_calls_too_late_for_the_page_are_no_attempts() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.user = User::Leaves;
    let write = player.begin("write");
    player.run();
    let reads: Vec<_> = (0..6).map(|_| player.begin("read")).collect();
    player.run();
    assert_eq!(player.open.len(), 1, "one page at a time");
    player.user = User::Agrees;
    let (op, url) = player.open.remove(0);
    let back = player.visit(&url).unwrap();
    player.engine.complete(player.now, op, grantor::Completion::Callback { url: &back }).unwrap();
    player.run();
    player.outcome(write).unwrap().delivered();
    for read in reads {
        player.outcome(read).unwrap().delivered();
    }
    assert_eq!(player.count("/authorize"), 3, "the first, and one for each step-up");
}

#[test]
fn step_ups_that_come_in_time_are_one() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    player.holding = Some(|effect| matches!(effect, Effect::Interact(Interaction::Approve(_))));
    let (write, read) = (player.begin("write"), player.begin("read"));
    player.run();
    player.release();
    player.outcome(write).unwrap().delivered();
    player.outcome(read).unwrap().delivered();
    assert_eq!(scopes_asked(&player), ["mcp:use", "mcp:use files:write files:read"]);
}

#[test]
fn a_403_without_insufficient_scope_is_delivered() {
    let mut player = Player::new(config());
    player.call("ping").delivered();
    for challenge in ["Bearer", r#"Bearer error="invalid_token""#, r#"Basic realm="x""#, ""] {
        player.world.intercept = Some(Box::new(move |_| {
            let answer = grantor_world::text(StatusCode::FORBIDDEN, "no");
            Some(if challenge.is_empty() {
                answer
            } else {
                grantor_world::with(answer, "www-authenticate", challenge)
            })
        }));
        assert_eq!(player.call("write").delivered().status(), 403);
    }
    assert_eq!(player.count("/authorize"), 1);
}

#[test]
fn notices_tell_what_happened() {
    let mut player = Player::new(config());
    player.call("write").delivered();
    let scope = ScopeSet::parse("files:write").unwrap();
    let challenged = player.notices.iter().any(
        |notice| matches!(notice, Notice::Challenged { status: 403, scope: asked, .. } if *asked == scope),
    );
    assert!(challenged);
}
