//! Secrets go where they belong: what one server issued or is owed never reaches another.

use std::sync::{Arc, Mutex};

use grantor::client::{CallId, Config, Notice, Output, Preregistered, ResponseHead};
use grantor::error::{Failure, FailureKind, PeerText, Refused};
use grantor::{Completion, Effect, Interaction, Reason, RecordKind, Secret, Summary, TrustPolicy};
use grantor_world::authorization_server::RegisteredClient;
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

/// Moves the resource to the new server, where the old one's tokens are worth nothing.
fn migrate(player: &mut Player) {
    player.world.mcp.authorization_servers = vec![NEW.into()];
    player.world.authorization.get_mut("https://as.example.com").unwrap().revoke_all();
}

fn questions(player: &Player) -> Vec<&Summary> {
    let mut all = Vec::new();
    for prompt in &player.prompts {
        if let Interaction::Approve(summary) = prompt {
            all.push(&**summary);
        }
    }
    all
}

#[test]
fn the_issuer_is_not_pinned_by_a_page_that_was_turned_away() {
    let (world, _) = two_servers();
    let mut player = Player::in_world(world, config()).unwrap();
    player.user = User::Declines;
    player.call("ping").failed();
    assert!(!player.store.records().any(|(key, _)| key.kind == RecordKind::Binding));
    // Nothing is pinned, in this process or the next, so another server is no change.
    player.restart();
    player.world.mcp.authorization_servers = vec![NEW.into()];
    player.user = User::DoesNotApprove;
    player.call("ping").delivered();
    assert!(questions(&player).is_empty());
    // That one is pinned now.
    player.world.mcp.authorization_servers = vec!["https://as.example.com".into()];
    player.world.authorization.get_mut(NEW).unwrap().revoke_all();
    let untrusted = Refused::Untrusted { issuer: PeerText::new("https://as.example.com") };
    assert_eq!(player.call("ping").failed(), untrusted.into());
}

#[test]
fn a_change_that_was_approved_and_turned_away_in_the_browser_is_asked_about_again() {
    for restarts in [false, true] {
        let (world, _) = two_servers();
        let mut player = Player::in_world(world, config()).unwrap();
        player.call("ping").delivered();
        migrate(&mut player);
        player.holding = Some(|effect| matches!(effect, Effect::Interact(Interaction::Authorize(_))));
        let call = player.begin("ping");
        player.run();
        let (op, _) = player.held.remove(0);
        player.complete(op, Completion::Declined);
        player.run();
        assert_eq!(player.outcome(call).unwrap().failed(), Refused::Declined.into());
        player.holding = None;
        if restarts {
            player.restart();
        }
        assert_eq!(questions(&player).len(), 1);
        player.user = User::DoesNotApprove;
        let untrusted = Refused::Untrusted { issuer: PeerText::new(NEW) };
        assert_eq!(player.call("ping").failed(), untrusted.into());
        player.user = User::Agrees;
        player.call("ping").delivered();
        assert_eq!(questions(&player).len(), 3, "asked each time");
    }
}

#[test]
fn a_binding_that_could_not_be_written_is_written_later() {
    fn is_binding(effect: &Effect) -> bool {
        matches!(effect, Effect::Save { key, .. } if key.kind == RecordKind::Binding)
    }
    let mut player = Player::new(config());
    player.holding = Some(is_binding);
    let call = player.begin("ping");
    player.run();
    let (op, _) = player.held.remove(0);
    player.complete(op, Completion::Failed(Failure::new(FailureKind::Other, "the disk is full")));
    player.run();
    player.outcome(call).unwrap().delivered();
    assert!(player.notices.contains(&Notice::StoreFailed { kind: RecordKind::Binding }));
    // It fails once more, then the store is well again.
    let call = player.begin("ping");
    player.run();
    let (op, _) = player.held.remove(0);
    player.complete(op, Completion::Failed(Failure::new(FailureKind::Other, "the disk is full")));
    player.run();
    player.outcome(call).unwrap().delivered();
    player.holding = None;
    player.call("ping").delivered();
    player.restart();
    let asked = player.world.asked.len();
    player.call("ping").delivered();
    assert_eq!(player.world.asked.len(), asked + 1, "the tokens are found by the binding");
    migrate(&mut player);
    player.world.add(AuthorizationServer::new(NEW));
    player.user = User::DoesNotApprove;
    player.call("ping").failed();
}

#[test]
fn another_process_that_pins_another_server_meanwhile_is_a_question() {
    let (world, _) = two_servers();
    let mut player = Player::in_world(world, config()).unwrap();
    player.holding =
        Some(|effect| matches!(effect, Effect::Save { key, .. } if key.kind == RecordKind::Binding));
    let call = player.begin("ping");
    player.run();
    // Another process has pinned the new server first.
    let (_, Effect::Save { key, .. }) = &player.held[0] else { panic!() };
    let mut other = Player::new(config());
    other.world.add(AuthorizationServer::new(NEW));
    other.world.mcp.authorization_servers = vec![NEW.into()];
    other.call("ping").delivered();
    let theirs = other.store.load(key).unwrap().0;
    player.store.save(key, &Secret::from(String::from_utf8(theirs).unwrap()), None);
    player.user = User::DoesNotApprove;
    player.release();
    let untrusted = Refused::Untrusted { issuer: PeerText::new("https://as.example.com") };
    assert_eq!(player.outcome(call).unwrap().failed(), untrusted.into());
    let [question] = questions(&player)[..] else { panic!() };
    assert!(matches!(&question.reason, Reason::IssuerChanged { from } if from.as_str() == NEW));
    assert!(!player.store.dump().contains("planted-access"));
    player.user = User::Agrees;
    player.call("ping").delivered();
}

/// Reports a challenge for these scopes to a new call while the host is being asked.
fn challenge_for(player: &mut Player, scope: &str, tool: &str) -> CallId {
    let call = player.begin(tool);
    let mut headers = http::HeaderMap::new();
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    headers.insert("www-authenticate", challenge.parse().unwrap());
    while player.engine.poll_output().is_some() {}
    player.engine.report(player.now, call, ResponseHead { status: 403, headers: &headers }).unwrap();
    call
}

#[test]
fn what_was_approved_is_what_is_asked_for() {
    // Challenges join while the host is being asked, after it has agreed, and while a document is fetched.
    let moments: [fn(&Effect) -> bool; 3] = [
        |effect| matches!(effect, Effect::Interact(Interaction::Approve(_))),
        |effect| matches!(effect, Effect::Interact(Interaction::Listen { .. })),
        |effect| matches!(effect, Effect::Load { key } if key.kind == RecordKind::Registration),
    ];
    for (n, moment) in moments.into_iter().enumerate() {
        let mut player = Player::new(config());
        player.call("ping").delivered();
        player.holding = Some(moment);
        player.begin("write");
        player.run();
        assert_eq!(player.held.len(), 1, "moment {n}");
        challenge_for(&mut player, "files:admin files:delete", "delete");
        player.run();
        player.release();
        let asked = questions(&player);
        assert_eq!(asked.len(), 2, "moment {n}: more scopes are another question");
        let Some(Interaction::Authorize(page)) = player.prompts.last() else { panic!() };
        for scope in page.summary.scopes.iter() {
            let approved = asked[1].scopes.contains(scope) || scope == "offline_access";
            assert!(approved, "moment {n}: {scope} was not approved");
        }
        assert!(page.url.as_str().contains("files%3Adelete"), "moment {n}");
        // Nobody agrees to the second question: nothing is asked for, and what there was is used.
        let mut player = Player::new(config());
        player.call("ping").delivered();
        player.holding = Some(moment);
        let call = player.begin("write");
        player.run();
        let joined = challenge_for(&mut player, "files:admin", "delete");
        player.user = User::Agrees;
        let pages = player.count("/authorize");
        let (op, effect) = player.held.remove(0);
        player.holding = Some(|effect| matches!(effect, Effect::Interact(Interaction::Approve(_))));
        player.perform(op, effect);
        player.run();
        let (op, _) = player.held.remove(0);
        player.complete(op, Completion::Declined);
        player.run();
        player.outcome(call).unwrap().failed();
        player.outcome(joined).unwrap().failed();
        assert_eq!(player.count("/authorize"), pages, "moment {n}");
        player.holding = None;
        player.call("ping").delivered();
    }
}

#[test]
fn tokens_of_a_process_that_died_before_it_pinned_their_issuer_are_found() {
    let mut player = Player::new(config());
    player.holding =
        Some(|effect| matches!(effect, Effect::Save { key, .. } if key.kind == RecordKind::Binding));
    player.begin("ping");
    player.run();
    assert_eq!(player.held.len(), 1);
    player.holding = None;
    player.restart();
    player.user = User::Declines;
    player.call("ping").delivered();
    assert!(!player.store.records().any(|(key, _)| key.kind == RecordKind::Pending));
    player.call("ping").delivered();
    player.restart();
    let asked = player.world.asked.len();
    player.call("ping").delivered();
    assert_eq!((player.world.asked.len(), player.count("/token")), (asked + 1, 1), "and pinned");
}

#[test]
fn rfc7591_3_the_initial_access_token_is_for_its_own_issuer() {
    for (configured, goes_along) in [
        ("https://as.example.com", true),
        ("https://as.example.com/", true),
        ("https://other.example.com", false),
        ("https://as.example.com/tenant", false),
        ("http://as.example.com", false),
    ] {
        let seen = Seen::default();
        let log = seen.clone();
        let mut world = World::new();
        world.intercept = Some(Box::new(move |asked| {
            let header = grantor_world::header(asked.headers(), "authorization").unwrap_or_default();
            log.lock().unwrap().push(format!("{} {header}", asked.uri()));
            None
        }));
        let token = Secret::from("planted-initial");
        let mut player = Player::in_world(world, config().initial_access_token(configured, token)).unwrap();
        player.call("ping").delivered();
        let seen = seen.lock().unwrap();
        let of = |text: &str| seen.iter().filter(|sent| sent.contains(text)).count();
        assert_eq!(of("Bearer planted-initial"), usize::from(goes_along), "{configured}");
        assert_eq!(of("https://as.example.com/register"), 1);
        assert!(!player.said.iter().any(|said| said.contains("planted-initial")));
    }
}

#[test]
fn a_preregistered_client_is_matched_over_a_slash_and_its_absence_is_said() {
    let elsewhere = Notice::RegisteredElsewhere { issuer: PeerText::new("https://as.example.com") };
    for (configured, is_here) in [
        ("https://as.example.com", true),
        ("https://as.example.com/", true),
        ("https://other.example.com", false),
        ("https://as.example.com/x", false),
    ] {
        let own = Preregistered::new(configured, "own").secret(Secret::from("planted-own"));
        let mut player = Player::new(config().preregistered(own));
        let server = player.world.server();
        server.auth_method = if is_here { "client_secret_basic" } else { "none" }.into();
        let client = RegisteredClient {
            secret: Some("planted-own".into()),
            redirect_uris: vec![player.redirect_uri.clone()],
            ..RegisteredClient::default()
        };
        player.world.server().clients.insert("own".into(), client);
        player.call("ping").delivered();
        assert_eq!(player.count("client_id=own"), usize::from(is_here), "{configured}");
        assert_eq!(player.count("/register"), usize::from(!is_here));
        let said = player.notices.iter().filter(|notice| **notice == elsewhere).count();
        assert_eq!(said, usize::from(!is_here), "{configured}");
        // The secret is found again after a restart, and for a refresh.
        player.restart();
        player.wait_s(3600);
        player.call("ping").delivered();
        assert_eq!(player.count("/authorize"), 1);
    }
}

/// Reports a 401 with this challenge.
fn unauthorized(player: &mut Player, call: CallId, challenge: Option<&str>) {
    let mut headers = http::HeaderMap::new();
    headers.extend(challenge.map(|text| (http::header::WWW_AUTHENTICATE, text.parse().unwrap())));
    player.engine.report(player.now, call, ResponseHead { status: 401, headers: &headers }).unwrap();
}

#[test]
fn rfc9728_5_1_a_401_that_joins_brings_its_metadata_url_and_its_scopes() {
    let is_fetch = |effect: &Effect| matches!(effect, Effect::Http { .. });
    let mut player = Player::new(config());
    let (first, joined) = (player.begin("ping"), player.begin("ping"));
    // Both are sent before either is answered.
    while let Some(output) = player.engine.poll_output() {
        if let Output::Perform { op, effect, .. } = output {
            player.perform(op, effect);
        }
    }
    player.holding = Some(is_fetch);
    unauthorized(&mut player, first, None);
    player.run();
    assert_eq!(player.held.len(), 1, "the well-known URL is asked, since no challenge named one");
    let challenge =
        "Bearer resource_metadata=\"https://mcp.example.com/custom.json\", scope=\"mcp:use more\"";
    unauthorized(&mut player, joined, Some(challenge));
    player.world.intercept = Some(Box::new(|asked| {
        let document = serde_json::json!({
            "resource": "https://mcp.example.com/mcp", "authorization_servers": ["https://as.example.com"]
        });
        let custom = asked.uri().path() == "/custom.json";
        let own = asked.uri().path() == "/.well-known/oauth-protected-resource/mcp";
        custom
            .then(|| grantor_world::json(http::StatusCode::OK, &document))
            .or_else(|| own.then(|| grantor_world::text(http::StatusCode::NOT_FOUND, "")))
    }));
    player.release();
    player.outcome(joined).unwrap().delivered();
    assert_eq!(player.count("/custom.json"), 1);
    assert!(player.count("more") > 0, "its scopes are asked for, too");
}

#[test]
fn a_late_answer_of_a_server_that_is_not_trusted_any_more_is_a_question() {
    let (world, _) = two_servers();
    let mut player = Player::in_world(world, config()).unwrap();
    player.user = User::Leaves;
    player.begin("ping");
    player.run();
    let (_, url) = player.open.remove(0);
    let back = player.visit(&url).unwrap();
    // Meanwhile the resource has moved, and the new server is pinned.
    player.restart();
    player.world.mcp.authorization_servers = vec![NEW.into()];
    player.redirect_uri = "http://127.0.0.1:50000/callback".into();
    player.user = User::Agrees;
    player.call("ping").delivered();
    player.user = User::DoesNotApprove;
    let untrusted = Refused::Untrusted { issuer: PeerText::new("https://as.example.com") };
    assert_eq!(player.callback(&back).failed(), untrusted.into());
    // What was in use stays in use, in this process and the next.
    for _ in 0..2 {
        let asked = player.world.asked.len();
        player.call("ping").delivered();
        assert_eq!(player.world.asked.len(), asked + 1);
        player.restart();
    }
}
