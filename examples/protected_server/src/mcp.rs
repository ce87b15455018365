//! The MCP server itself: a few tools that remember nothing, for the revisions with a handshake and for
//! those without.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use grantor::resource::Grant;
use serde_json::{Value, json};

const TOOLS: [(&str, &str); 6] = [
    ("list_notes", "Lists the notes"),
    ("read_note", "Reads a note"),
    ("write_note", "Writes a note"),
    ("share_note", "Shows a note to somebody"),
    ("delete_note", "Throws a note away"),
    ("export_all", "Exports all notes"),
];

/// Answers one message. Whoever sent it is known by now, and may do what it asks for.
pub(crate) async fn answer(grant: Option<Extension<Arc<Grant>>>, body: Bytes) -> Response {
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(id) = message.get("id") else { return StatusCode::ACCEPTED.into_response() };
    let user = grant.and_then(|grant| grant.subject.clone()).unwrap_or_else(|| "nobody".into());
    let answer = match result(&message, &user) {
        Some(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        None => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "Method not found" } })
        }
    };
    Json(answer).into_response()
}

fn result(message: &Value, user: &str) -> Option<Value> {
    let info = json!({ "name": "notes", "version": env!("CARGO_PKG_VERSION") });
    Some(match message["method"].as_str()? {
        "initialize" => json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": { "tools": {} },
            "serverInfo": info,
        }),
        "server/discover" => json!({
            "resultType": "complete",
            "supportedVersions": ["2026-07-28", "2025-11-25", "2025-06-18"],
            "capabilities": { "tools": {} },
            "serverInfo": info,
            "ttlMs": 0,
            "cacheScope": "private",
        }),
        "ping" => json!({}),
        "tools/list" => {
            let schema = json!({ "type": "object" });
            let tool = |(name, about)| json!({ "name": name, "description": about, "inputSchema": schema });
            let tools: Vec<Value> = TOOLS.into_iter().map(tool).collect();
            json!({ "resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "private" })
        }
        "tools/call" => {
            let name = message["params"]["name"].as_str()?;
            TOOLS.iter().find(|(tool, _)| *tool == name)?;
            let text = format!("{name} done for {user}");
            json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }] })
        }
        _ => return None,
    })
}
