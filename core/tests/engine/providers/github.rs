//! GitHub: its MCP server's metadata names the resource without the slash that its URL has; OAuth apps without any
//! metadata; token answers of status 200 that are errors, device polls among them.

use grantor::client::{Config, Endpoints, Flow, KnownServer};
use grantor::error::{Error, PeerMisbehaved, Refused};
use grantor::{Interaction, Quirks, ScopeSet};
use grantor_world::{Answered, json as respond};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Seen, Site, by_hand, config, tokens};

const MCP: &str = "https://api.githubcopilot.com/mcp/";
const ISSUER: &str = "https://github.com/login/oauth";
const TOKEN: &str = "POST https://github.com/login/oauth/access_token";

/// The answer for a GitHub App, whose `scope` is always empty.
fn app_answer(number: u8) -> Value {
    json!({ "access_token": format!("planted-ghu_{number}"), "expires_in": 28800,
        "refresh_token": format!("planted-refresh-{number}"), "refresh_token_expires_in": 15_897_600,
        "scope": "", "token_type": "bearer" })
}

fn copilot(token: impl Fn(&Seen) -> Answered + Send + 'static) -> Site {
    Site::new(MCP, &["planted-ghu_1", "planted-ghu_2"])
        .challenge(
            "Bearer error=\"invalid_request\", \
             error_description=\"No access token was provided in this request\", \
             resource_metadata=\"https://api.githubcopilot.com/.well-known/oauth-protected-resource/mcp/\"",
        )
        .document(
            "https://api.githubcopilot.com/.well-known/oauth-protected-resource/mcp/",
            json!({ "resource": "https://api.githubcopilot.com/mcp", "authorization_servers": [ISSUER],
                "scopes_supported": ["repo", "read:org", "gist"], "bearer_methods_supported": ["header"],
                "resource_name": "GitHub MCP Server" }),
        )
        .document(
            "https://github.com/.well-known/oauth-authorization-server/login/oauth",
            json!({ "issuer": ISSUER,
                "authorization_endpoint": "https://github.com/login/oauth/authorize",
                "token_endpoint": "https://github.com/login/oauth/access_token",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "service_documentation": "https://docs.github.com/apps",
                "code_challenge_methods_supported": ["S256"] }),
        )
        .page("https://github.com/login/oauth/authorize", &[])
        .on(TOKEN, token)
}

fn documented() -> Config {
    config(MCP).quirks(Quirks::github()).preregistered(by_hand(ISSUER))
}

#[test]
fn github_mcp_server() {
    let log = copilot(tokens(app_answer(1), app_answer(2))).play(documented(), 28_800);
    assert_eq!(log.one("GET https://github.com/login/oauth/authorize").get("scope"), "repo read:org gist");
    assert_eq!(log.of(TOKEN).len(), 2);
}

#[test]
fn github_slash_of_the_resource_needs_the_preset() {
    let site = copilot(tokens(app_answer(1), app_answer(2)));
    let error = site.fails(config(MCP).preregistered(by_hand(ISSUER)), documented());
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::ResourceMismatch { .. })), "{error:?}");
}

#[test]
fn github_error_with_status_200() {
    let (mut player, _) = copilot(|_| {
        respond(
            StatusCode::OK,
            &json!({ "error": "bad_verification_code", "error_uri": "https://docs.github.com/apps",
                "error_description": "The code passed is incorrect or expired." }),
        )
    })
    .player(documented());
    let error = player.call("ping").failed();
    let Error::Refused(Refused::Token { code, description }) = &error else { panic!("{error:?}") };
    assert_eq!(*code, "bad_verification_code");
    assert_eq!(description.as_ref().unwrap().to_string(), "The code passed is incorrect or expired.");
}

/// An MCP server of somebody else for an OAuth app, without metadata of its own.
fn own_server() -> Config {
    let endpoints = Endpoints::new(
        "https://github.com/login/oauth/authorize",
        "https://github.com/login/oauth/access_token",
    )
    .device_authorization("https://github.com/login/device/code");
    config("https://mcp.example.com/mcp")
        .quirks(Quirks::github())
        .authorization_server(KnownServer::with_endpoints(ISSUER, endpoints))
        .preregistered(by_hand(ISSUER))
        .scopes(ScopeSet::parse("repo read:org").unwrap())
}

#[test]
fn github_oauth_app_without_any_metadata() {
    // An OAuth app's token does not expire; its scopes are separated by commas, and the answer is a form when
    // nobody asks for JSON.
    let (mut player, log) = Site::new("https://mcp.example.com/mcp", &["planted-gho_1"])
        .page("https://github.com/login/oauth/authorize", &[])
        .on(TOKEN, |_| {
            let form = "access_token=planted-gho_1&scope=read%3Aorg%2Crepo&token_type=bearer";
            grantor_world::respond(
                StatusCode::OK,
                "application/x-www-form-urlencoded; charset=utf-8",
                form.into(),
            )
        })
        .player(own_server());
    player.call("ping").delivered();
    player.wait_s(100 * 24 * 3600);
    player.restart();
    player.call("ping").delivered();
    let asked: Vec<_> = log.all().into_iter().map(|seen| seen.what).collect();
    assert_eq!(
        asked,
        [
            "POST https://mcp.example.com/mcp",
            "GET https://github.com/login/oauth/authorize",
            TOKEN,
            "POST https://mcp.example.com/mcp",
            "POST https://mcp.example.com/mcp",
        ]
    );
}

#[test]
fn github_device_polls_with_status_200() {
    let polls = std::sync::atomic::AtomicUsize::new(0);
    let site = Site::new("https://mcp.example.com/mcp", &["planted-gho_1"])
        .on("POST https://github.com/login/device/code", |_| {
            respond(
                StatusCode::OK,
                &json!({ "device_code": "planted-device", "user_code": "WDJB-MJHT",
                    "verification_uri": "https://github.com/login/device", "expires_in": 899, "interval": 5 }),
            )
        })
        .on(TOKEN, move |seen| {
            assert_eq!(seen.get("grant_type"), "urn:ietf:params:oauth:grant-type:device_code");
            let answer = match polls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => json!({ "error": "authorization_pending", "error_description": "…" }),
                1 => json!({ "error": "slow_down", "error_description": "…", "interval": 10 }),
                _ => json!({ "access_token": "planted-gho_1", "token_type": "bearer", "scope": "repo,read:org" }),
            };
            respond(StatusCode::OK, &answer)
        });
    let (mut player, log) = site.player(own_server().flow(Flow::Device));
    let call = player.begin("ping");
    player.run();
    let shown = player
        .prompts
        .iter()
        .any(|prompt| matches!(prompt, Interaction::Device(prompt) if &*prompt.user_code == "WDJB-MJHT"));
    assert!(shown);
    for _ in 0..5 {
        player.wait_s(10);
    }
    assert_eq!(player.outcome(call).unwrap().delivered().body(), b"served");
    assert_eq!(log.of(TOKEN).len(), 3);
    assert_eq!(log.one("POST https://github.com/login/device/code").get("scope"), "repo read:org");
}

#[test]
fn github_device_flow_that_is_not_enabled() {
    let (mut player, _) = Site::new("https://mcp.example.com/mcp", &[])
        .on("POST https://github.com/login/device/code", |_| {
            respond(
                StatusCode::OK,
                &json!({ "error": "device_flow_disabled",
                    "error_description": "Device Flow must be explicitly enabled for this App" }),
            )
        })
        .player(own_server().flow(Flow::Device));
    let error = player.call("ping").failed();
    let Error::Refused(Refused::Token { code, .. }) = &error else { panic!("{error:?}") };
    assert_eq!(*code, "device_flow_disabled");
}
