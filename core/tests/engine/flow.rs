//! The main flow, and what it asks for.

use grantor::client::{Output, Redirect, RequestHead, ResponseHead, Verdict};
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{Interaction, Reason, Revision, ScopeSet};
use grantor_world::player::{Player, config};
use grantor_world::{AuthorizationServer, World};
use http::HeaderMap;
use serde_json::json;

/// What was asked, without queries.
fn asked(player: &Player) -> Vec<&str> {
    player.world.asked.iter().map(|asked| asked.split('?').next().unwrap_or_default()).collect()
}

#[test]
fn challenge_discovery_registration_authorization_token_send() {
    let mut player = Player::new(config());
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(
        asked(&player),
        [
            "POST https://mcp.example.com/mcp",
            "GET https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
            "GET https://as.example.com/.well-known/oauth-authorization-server",
            "POST https://as.example.com/register",
            "GET https://as.example.com/authorize",
            "POST https://as.example.com/token",
            "POST https://mcp.example.com/mcp",
        ]
    );
    assert_eq!(player.call("ping").delivered().status(), 200);
    assert_eq!(player.world.asked.len(), 8, "the token is used again");
}

#[test]
fn a_server_without_authorization_costs_nothing() {
    let mut world = World::new();
    world.intercept = Some(Box::new(|_| Some(grantor_world::text(http::StatusCode::OK, "free"))));
    let mut player = Player::in_world(world, config()).unwrap();
    assert_eq!(player.call("ping").delivered().body(), b"free");
    assert_eq!(player.world.asked.len(), 1);
    assert!(player.prompts.is_empty());
}

#[test]
fn other_statuses_are_the_callers_business() {
    for status in [200, 202, 400, 402, 403, 404, 429, 500, 503] {
        let mut world = World::new();
        let status = http::StatusCode::from_u16(status).unwrap();
        world.intercept = Some(Box::new(move |_| Some(grantor_world::text(status, "x"))));
        let mut player = Player::in_world(world, config()).unwrap();
        assert_eq!(player.call("ping").delivered().status(), status);
    }
}

#[test]
fn mcp_scope_selection_strategy() {
    let scope_of = |player: &Player| {
        let page = player.world.asked.iter().find(|asked| asked.contains("/authorize")).unwrap();
        let url = url::Url::parse(page.strip_prefix("GET ").unwrap()).unwrap();
        url.query_pairs().find(|(name, _)| name == "scope").map(|(_, scope)| scope.into_owned())
    };
    // 1. The challenge's scope.
    let mut player = Player::new(config());
    player.world.mcp.metadata = json!({ "scopes_supported": ["other"] });
    player.call("ping").delivered();
    assert_eq!(scope_of(&player).as_deref(), Some("mcp:use"));
    // 2. All of scopes_supported.
    let mut player = Player::new(config());
    player.world.mcp.challenges = false;
    player.world.mcp.metadata = json!({ "scopes_supported": ["mcp:use", "b", "c"] });
    player.call("ping").delivered();
    assert_eq!(scope_of(&player).as_deref(), Some("mcp:use b c"));
    // Neither: the parameter is left out.
    let mut player = Player::new(config());
    player.world.mcp.base_scope = String::new();
    player.world.mcp.metadata = json!({ "scopes_supported": null });
    player.call("ping").delivered();
    assert_eq!(scope_of(&player), None);
    // Those of the configuration come on top.
    let mut player = Player::new(config().scopes(ScopeSet::parse("openid mcp:use").unwrap()));
    player.call("ping").delivered();
    assert_eq!(scope_of(&player).as_deref(), Some("openid mcp:use"));
}

#[test]
fn sep_2207_offline_access_where_supported() {
    for (supported, wanted, expected) in
        [(true, true, true), (true, false, false), (false, true, false), (false, false, false)]
    {
        let mut player = Player::new(config().offline_access(wanted));
        if supported {
            player.world.server().metadata = json!({ "scopes_supported": ["offline_access"] });
        }
        player.call("ping").delivered();
        assert_eq!(player.count("offline_access") > 0, expected, "{supported} {wanted}");
    }
}

#[test]
fn discovery_without_a_challenge() {
    let mut player = Player::new(config());
    player.world.mcp.challenges = false;
    player.call("ping").delivered();
    assert_eq!(asked(&player)[1], "GET https://mcp.example.com/.well-known/oauth-protected-resource/mcp");
}

#[test]
fn discovery_at_the_root() {
    let mut player = Player::new(config());
    player.world.mcp.challenges = false;
    player.world.mcp.has_metadata = false;
    // The root's metadata names the root as the resource; tokens are for that.
    player.world.intercept = Some(Box::new(|request| {
        (request.uri() == "https://mcp.example.com/.well-known/oauth-protected-resource").then(|| {
            let document = json!({ "resource": "https://mcp.example.com",
                "authorization_servers": ["https://as.example.com"] });
            grantor_world::json(http::StatusCode::OK, &document)
        })
    }));
    let call = player.begin("ping");
    player.run();
    drop(player.outcome(call));
    assert_eq!(
        &asked(&player)[1..4],
        [
            "GET https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
            "GET https://mcp.example.com/.well-known/oauth-protected-resource",
            "GET https://as.example.com/.well-known/oauth-authorization-server",
        ]
    );
    assert_eq!(player.count("resource=https%3A%2F%2Fmcp.example.com&"), 0);
    assert!(player.world.asked.iter().any(|asked| asked.ends_with("resource=https%3A%2F%2Fmcp.example.com")));
}

#[test]
fn three_urls_of_the_server_in_order() {
    let mut world = World::new();
    let mut server = AuthorizationServer::new("https://as.example.com/tenant1");
    server.metadata_path = Some("/tenant1/.well-known/openid-configuration".into());
    world.add(server);
    world.mcp.authorization_servers = vec!["https://as.example.com/tenant1".into()];
    let mut player = Player::in_world(world, config()).unwrap();
    player.call("ping").delivered();
    assert_eq!(
        &asked(&player)[2..5],
        [
            "GET https://as.example.com/.well-known/oauth-authorization-server/tenant1",
            "GET https://as.example.com/.well-known/openid-configuration/tenant1",
            "GET https://as.example.com/tenant1/.well-known/openid-configuration",
        ]
    );
}

#[test]
fn mcp_2025_03_26_metadata_discovery_headers() {
    for revision in [Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28] {
        let mut world = World::new();
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = seen.clone();
        world.intercept = Some(Box::new(move |request| {
            if request.uri().path().starts_with("/.well-known/") {
                let version = request.headers()["mcp-protocol-version"].to_str().unwrap().to_owned();
                log.lock().unwrap().push(version);
            }
            None
        }));
        let mut player = Player::in_world(world, config().revision(revision)).unwrap();
        player.call("ping").delivered();
        assert_eq!(*seen.lock().unwrap(), [revision.name(), revision.name()]);
    }
}

/// A server of 2025-03-26: its authorization endpoints are at its own origin, and there is no resource
/// metadata.
fn server_of_2025_03_26(with_metadata: bool) -> World {
    let mut world = World::new();
    let mut server = AuthorizationServer::new("https://mcp.example.com");
    server.iss = false;
    if !with_metadata {
        server.metadata_path = Some("/nowhere".into());
    }
    world.authorization.clear();
    world.add(server);
    world.mcp.authorization_servers = vec!["https://mcp.example.com".into()];
    world.mcp.has_metadata = false;
    world
}

#[test]
fn mcp_2025_03_26_metadata_at_the_origin() {
    let old = config().revision(Revision::V2025_03_26);
    let mut player = Player::in_world(server_of_2025_03_26(true), old).unwrap();
    player.call("ping").delivered();
    assert_eq!(player.count("oauth-protected-resource"), 0, "there is none in this revision");
}

#[test]
fn mcp_2025_03_26_fallback_endpoints() {
    let old = config().revision(Revision::V2025_03_26);
    let mut player = Player::in_world(server_of_2025_03_26(false), old).unwrap();
    player.call("ping").delivered();
    assert_eq!(player.count("POST https://mcp.example.com/register"), 1);
}

#[test]
fn the_fallback_is_off_for_other_revisions_unless_asked_for() {
    let mut player = Player::in_world(server_of_2025_03_26(false), config()).unwrap();
    let error = player.call("ping").failed();
    assert_eq!(error, grantor::error::PeerIncompatible::NoResourceMetadata.into());
    assert_eq!(player.count("/register"), 0);
    let mut quirks = grantor::Quirks::none();
    quirks.endpoint_fallback = true;
    let mut player = Player::in_world(server_of_2025_03_26(false), config().quirks(quirks)).unwrap();
    player.call("ping").delivered();
}

#[test]
fn several_accounts_share_nothing() {
    let mut player = Player::new(config().account("work"));
    player.call("ping").delivered();
    let (world, store) = (std::mem::take(&mut player.world), player.store.clone());
    let mut other = Player::in_world(world, config().account("home")).unwrap();
    other.store = store;
    let before = other.count("/authorize");
    other.call("ping").delivered();
    assert_eq!(other.count("/authorize"), before + 1, "each account is authorized by itself");
    let accounts: Vec<_> = other.store.records().map(|(key, _)| &*key.account).collect();
    assert!(accounts.contains(&"work") && accounts.contains(&"home"));
}

#[test]
fn the_user_sees_what_it_is_about() {
    let mut player = Player::new(config().account("work"));
    player.call("ping").delivered();
    let Some(Interaction::Authorize(prompt)) = player.prompts.last() else { panic!() };
    assert_eq!(&*prompt.summary.resource, "https://mcp.example.com/mcp");
    assert_eq!(prompt.summary.issuer.as_str(), "https://as.example.com");
    assert_eq!(&*prompt.summary.account, "work");
    assert_eq!(prompt.summary.scopes.to_string(), "mcp:use");
    assert_eq!(prompt.summary.reason, Reason::Unauthorized);
    assert!(!prompt.resumed);
}

#[test]
fn a_fixed_redirect_uri_asks_for_no_place() {
    let uri = "https://app.example.com/callback";
    let mut player = Player::new(config().redirect(Redirect::Fixed(uri.into())).unwrap());
    player.call("ping").delivered();
    assert!(player.prompts.iter().all(|prompt| matches!(prompt, Interaction::Authorize(_))));
    assert_eq!(player.count("redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback"), 1);
}

#[test]
fn typescript_sdk_1968_resource_is_sent_as_it_is_written() {
    let mut world = World::new();
    world.mcp.resource = "https://mcp.example.com/".into();
    world.mcp.metadata = json!({ "resource": "https://mcp.example.com" });
    let bare = grantor::client::Config::new("https://mcp.example.com", ClientMetadata::named("x")).unwrap();
    let mut player = Player::in_world(world, bare).unwrap();
    player.world.mcp.resource = "https://mcp.example.com/".into();
    let call = player.begin("ping");
    player.run();
    drop(player.outcome(call));
    assert!(player.world.asked.iter().any(|asked| asked.ends_with("resource=https%3A%2F%2Fmcp.example.com")));
}

#[test]
fn calls_that_come_while_a_token_is_on_its_way_wait_for_it() {
    let mut player = Player::new(config());
    player.holding = Some(|effect| matches!(effect, grantor::Effect::Interact(Interaction::Authorize(_))));
    let calls: Vec<_> = (0..100).map(|_| player.begin("ping")).collect();
    player.run();
    let late = player.begin("ping");
    player.run();
    player.release();
    for call in calls.into_iter().chain([late]) {
        player.outcome(call).unwrap().delivered();
    }
    assert_eq!(player.count("/authorize"), 1);
    assert_eq!(player.count("/token"), 1);
}

#[test]
fn nothing_opens_for_nobody() {
    let mut player = Player::new(config());
    player.holding = Some(|effect| matches!(effect, grantor::Effect::Http { .. }));
    let call = player.begin("ping");
    player.run();
    player.engine.cancel(call);
    player.release();
    assert!(player.prompts.is_empty(), "the call was cancelled before the browser opened");
    player.call("ping").delivered();
}

#[test]
fn the_time_of_a_response_matters_for_challenges_alone() {
    for status in [200, 202, 204, 307, 400, 402, 404, 405, 407, 429, 500, 503] {
        let outputs = [0, 1_000_000].map(|later_ms| {
            let mut player = Player::new(config());
            player.call("ping").delivered();
            let call = player
                .engine
                .authorize(player.now, RequestHead::new("GET", "https://mcp.example.com/mcp"))
                .unwrap();
            assert!(matches!(
                player.engine.poll_output(),
                Some(Output::Call { verdict: Verdict::Send(_), .. })
            ));
            let head = ResponseHead { status, headers: &HeaderMap::new() };
            assert!(!head.may_challenge());
            player.engine.report(player.now.plus_ms(later_ms), call, head).unwrap();
            let outputs: Vec<_> = std::iter::from_fn(|| player.engine.poll_output()).collect();
            format!("{outputs:?} {:?} {:?}", player.engine.poll_timeout(), player.engine)
        });
        assert_eq!(outputs[0], outputs[1], "{status}");
    }
}
