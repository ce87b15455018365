//! Slack, both flavours: a user's token by `oauth.v2.user.access`, which Slack's own MCP server uses, and a user's
//! or a bot's by `oauth.v2.access`, where an app is installed. Errors have status 200.

use grantor::client::{Config, Endpoints, KnownServer, Preregistered};
use grantor::error::{Error, PeerMisbehaved, Refused};
use grantor::wire::client_auth::ClientAuthMethod;
use grantor::{Quirks, ScopeSet, Secret};
use serde_json::{Value, json};

use super::{Seen, Site, by_hand, config, tokens};

const MCP: &str = "https://mcp.slack.com/mcp";

/// Slack's own MCP server: metadata at the root, a document that names Slack by another issuer.
fn own(resource: &str, first: Value) -> Site {
    let renewed = json!({ "ok": true, "access_token": "planted-xoxe.xoxp-2", "token_type": "user",
        "expires_in": 43200, "refresh_token": "planted-refresh-2", "scope": "search:read,chat:write",
        "team": { "id": "T012345" } });
    Site::new(MCP, &["planted-xoxe.xoxp-1", "planted-xoxe.xoxp-2"])
        .document(
            "https://mcp.slack.com/.well-known/oauth-protected-resource",
            json!({ "resource": resource, "authorization_servers": ["https://mcp.slack.com"],
                "scopes_supported": ["search:read", "chat:write"], "bearer_methods_supported": ["header"] }),
        )
        .document(
            "https://mcp.slack.com/.well-known/oauth-authorization-server",
            json!({ "issuer": "https://slack.com",
                "authorization_endpoint": "https://slack.com/oauth/v2_user/authorize",
                "token_endpoint": "https://slack.com/api/oauth.v2.user.access",
                "response_types_supported": ["code"], "response_modes_supported": ["form_post"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "code_challenge_methods_supported": ["S256"] }),
        )
        .page("https://slack.com/oauth/v2_user/authorize", &[])
        .on("POST https://slack.com/api/oauth.v2.user.access", tokens(first, renewed))
}

/// As Slack shows it: the token at the top, of type `user`, and in `authed_user` whose it is.
fn user_token() -> Value {
    json!({ "ok": true, "app_id": "A0KRD7HC3", "access_token": "planted-xoxe.xoxp-1", "token_type": "user",
        "expires_in": 43200, "refresh_token": "planted-refresh-1",
        "authed_user": { "id": "U12345", "scope": "search:read,chat:write" },
        "team": { "id": "T012345" }, "enterprise": null, "is_enterprise_install": false })
}

fn documented() -> Config {
    config(MCP)
        .quirks(Quirks::slack())
        .issuer_differs("https://mcp.slack.com", "https://slack.com")
        .preregistered(by_hand("https://mcp.slack.com"))
}

#[test]
fn slack_own_mcp_server() {
    let documented = documented().resource_identifier("https://mcp.slack.com").unwrap();
    let log = own("https://mcp.slack.com", user_token()).play(documented, 43_200);
    let page = log.one("GET https://slack.com/oauth/v2_user/authorize");
    assert_eq!(page.get("scope"), "search:read chat:write");
    let tokens = log.of("POST https://slack.com/api/oauth.v2.user.access");
    assert_eq!(tokens.len(), 2);
    for token in tokens {
        assert_eq!((token.get("client_id"), token.get("client_secret")), ("app-1", "planted-secret"));
        assert_eq!(token.authorization, None, "client_secret_post is all that Slack says it takes");
    }
}

#[test]
fn slack_issuer_needs_to_be_stated() {
    let plain = config(MCP).quirks(Quirks::slack()).preregistered(by_hand("https://mcp.slack.com"));
    let error = own("https://mcp.slack.com/", user_token()).fails(plain, documented());
    let Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { expected, got }) = error else {
        panic!("{error:?}")
    };
    assert_eq!((&*expected.to_string(), &*got.to_string()), ("https://mcp.slack.com", "https://slack.com"));
    // What is stated is one pair; no other issuer is let pass by it.
    let other =
        config(MCP).quirks(Quirks::slack()).issuer_differs("https://mcp.slack.com", "https://slack.co");
    let error = own("https://mcp.slack.com/", user_token()).fails(other, documented());
    assert!(matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { .. })), "{error:?}");
}

#[test]
fn slack_error_with_status_200() {
    let refused = json!({ "ok": false, "error": "invalid_code" });
    let (mut player, _) = own("https://mcp.slack.com/", refused).player(documented());
    let error = player.call("ping").failed();
    let Error::Refused(Refused::Token { code, .. }) = &error else { panic!("{error:?}") };
    assert_eq!(*code, "invalid_code");
}

/// An MCP server of somebody else that works with tokens of Slack's Web API: an app is installed with
/// `oauth.v2.access`.
fn installed(first: Value, renewed: Value) -> Site {
    Site::new(
        "https://mcp.example.com/mcp",
        &["planted-xoxb-1", "planted-xoxb-2", "planted-xoxp-1", "planted-xoxp-2"],
    )
    .page("https://slack.com/oauth/v2/authorize", &[])
    .on("POST https://slack.com/api/oauth.v2.access", tokens(first, renewed))
}

/// As Slack shows it for an app with both kinds of scopes.
fn both_tokens() -> Value {
    json!({ "ok": true, "access_token": "planted-xoxb-1", "token_type": "bot", "scope": "commands,chat:write",
        "expires_in": 43200, "refresh_token": "planted-refresh-1",
        "bot_user_id": "U0KRQLJ9H", "app_id": "A0KRD7HC3",
        "team": { "name": "Slack Softball Team", "id": "T9TK3CUKW" },
        "enterprise": { "name": "slack-sports", "id": "E12345678" },
        "authed_user": { "id": "U1234", "scope": "chat:write", "access_token": "planted-xoxp-1",
            "expires_in": 43200, "refresh_token": "planted-refresh-1", "token_type": "user" } })
}

fn web_api() -> Config {
    let endpoints =
        Endpoints::new("https://slack.com/oauth/v2/authorize", "https://slack.com/api/oauth.v2.access");
    let client = Preregistered::new("https://slack.com", "app-1").secret(Secret::from("planted-secret"));
    config("https://mcp.example.com/mcp")
        .authorization_server(KnownServer::with_endpoints("https://slack.com", endpoints))
        .preregistered(client.method(ClientAuthMethod::SecretBasic))
}

#[test]
fn slack_bot_token() {
    let renewed = json!({ "ok": true, "access_token": "planted-xoxb-2", "expires_in": 43200,
        "refresh_token": "planted-refresh-2", "token_type": "bot", "scope": "commands,chat:write" });
    let scopes = ScopeSet::parse("commands chat:write").unwrap();
    let log = installed(both_tokens(), renewed)
        .play(web_api().quirks(Quirks::slack_bot()).only_scopes(scopes), 43_200);
    assert_eq!(log.one("GET https://slack.com/oauth/v2/authorize").get("scope"), "commands chat:write");
    assert_eq!(log.all().last().unwrap().authorization.as_deref(), Some("Bearer planted-xoxb-2"));
    assert!(log.all().iter().all(|seen: &Seen| !seen.what.contains(".well-known")), "nothing is discovered");
}

#[test]
fn slack_user_token_of_an_installed_app() {
    // The scopes of users are another parameter here, and renewed tokens are at the top.
    let renewed = json!({ "ok": true, "access_token": "planted-xoxp-2", "expires_in": 43200,
        "refresh_token": "planted-refresh-2", "token_type": "user", "scope": "chat:write" });
    let config =
        web_api().quirks(Quirks::slack()).authorization_parameter("user_scope", "chat:write").unwrap();
    let log = installed(both_tokens(), renewed).play(config, 43_200);
    let page = log.one("GET https://slack.com/oauth/v2/authorize");
    assert_eq!((page.get("user_scope"), page.get("scope")), ("chat:write", ""));
    let sent: Vec<_> = log.of("POST https://mcp.example.com/mcp");
    assert_eq!(sent[1].authorization.as_deref(), Some("Bearer planted-xoxp-1"), "not the bot's");
    assert_eq!(sent.last().unwrap().authorization.as_deref(), Some("Bearer planted-xoxp-2"));
}

#[test]
fn slack_refusal_of_a_refresh_reaches_the_user_again() {
    let site = installed(both_tokens(), json!({ "ok": false, "error": "invalid_refresh_token" }));
    let (mut player, log) = site.player(web_api().quirks(Quirks::slack()));
    player.call("ping").delivered();
    player.wait_s(43_200);
    player.call("ping").delivered();
    assert_eq!(log.of("GET https://slack.com/oauth/v2/authorize").len(), 2);
}

#[test]
fn slack_sign_in() {
    // `openid.connect.token`: a bearer token by that name. A missing type is one, too.
    for token_type in [json!("Bearer"), Value::Null] {
        let mut answer = json!({ "ok": true, "access_token": "planted-xoxp-1", "token_type": token_type });
        if token_type.is_null() {
            answer.as_object_mut().unwrap().remove("token_type");
        }
        let (mut player, _) = installed(answer.clone(), json!({})).player(web_api().quirks(Quirks::slack()));
        player.call("ping").delivered();
        let (mut player, _) = installed(answer, json!({})).player(web_api());
        let call = player.begin("ping");
        player.run();
        let failed = matches!(player.outcome(call), Some(grantor_world::Outcome::Failed(_)));
        assert_eq!(failed, token_type.is_null(), "without the quirk");
    }
}
