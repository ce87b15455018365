//! An MCP server for notes: reading them, writing them, and throwing them away need different scopes.
//!
//! The whole of its authorization is [`policy`], which says what needs which scope, and one layer in
//! [`app`].

mod mcp;

use std::collections::BTreeMap;
use std::error::Error;

use axum::Router;
use grantor::resource::{AuthorizationServer, GuardConfig, Need, Policy};
use grantor_tower::GuardLayer;

/// Which operation needs which scopes.
///
/// # Panics
/// Never: the scopes are well-formed.
pub fn policy() -> Policy {
    let build = || -> Result<Policy, grantor::ScopeError> {
        Policy::new()
            .every("notes:use")?
            .method("ping", Need::public())
            .tool("list_notes", Need::all("notes:read")?)
            .tool("read_note", Need::all("notes:read")?)
            .tool("write_note", Need::all("notes:write")?)
            .tool("delete_*", Need::any("notes:delete notes:admin")?)
            .tool("export_all", Need::all("notes:admin")?.max_age_s(600))
            .tool_by_arguments(
                "share_note",
                "`notes:share`; outside of the team `notes:publish`, too",
                |call| {
                    let arguments: serde_json::Value = serde_json::from_str(call.json).unwrap_or_default();
                    let inside =
                        arguments["with"].as_str().is_some_and(|with| with.ends_with("@team.example.com"));
                    Need::all(if inside { "notes:share" } else { "notes:share notes:publish" })
                },
            )
            .resource("note://private/*", Need::all("notes:read notes:private")?)
            .resource("note://*", Need::all("notes:read")?)
            .implies("notes:write", "notes:read")?
            .implies("notes:admin", "notes:*")
            .map(|policy| {
                policy
                    .note("notes:use", "Connect, and see which tools there are")
                    .note("notes:read", "Read notes")
                    .note("notes:write", "Write and change notes")
                    .note("notes:delete", "Throw notes away")
                    .note("notes:share", "Show notes to members of the team")
                    .note("notes:publish", "Show notes to anybody")
                    .note("notes:private", "Read the private notes")
                    .note("notes:admin", "Everything")
            })
    };
    build().expect("well-formed scopes")
}

/// What each scope allows, in words for a consent page.
pub fn scope_notes() -> BTreeMap<String, String> {
    let table = policy().to_json();
    let notes = table["notes"].as_object().into_iter().flatten();
    notes.filter_map(|(scope, words)| Some((scope.clone(), words.as_str()?.to_owned()))).collect()
}

/// The configuration for this place and this issuer, whose tokens are JWTs.
pub fn config(resource: &str, issuer: &str) -> GuardConfig {
    let mut config = GuardConfig::new(resource, policy()).server(AuthorizationServer::jwt(issuer));
    config.name = Some("Notes".into());
    // rmcp compares headers and body where the revision demands it.
    config.trust_headers = true;
    config
}

/// The server without its Guard.
pub fn server() -> Router {
    Router::new().route_service("/mcp", mcp::service())
}

/// The server with its Guard, which logs with `tracing` what was refused, to whom, and why.
///
/// # Errors
/// When the configuration cannot work, or there is no HTTP client to be had.
pub fn app(config: GuardConfig) -> Result<Router, Box<dyn Error>> {
    Ok(server().layer(GuardLayer::new(config)?))
}
