//! Credentials, MCP headers and messages in a few letters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Value, json};

use super::request::add;
use crate::input::Input;

/// A message in short: a letter for its method, the name, and arguments after a space.
pub(super) struct Item<'a> {
    method: &'a str,
    name: Option<&'a str>,
    arguments: Option<&'a str>,
}

impl<'a> Item<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let (name, arguments) = match text.split_once(' ') {
            Some((name, arguments)) => (name, Some(arguments)),
            None => (text, None),
        };
        let of = |method, name| Self { method, name: Some(name), arguments };
        match name.split_at_checked(1) {
            Some(("t", name)) => of("tools/call", name),
            Some(("r", name)) => of("resources/read", name),
            Some(("s", name)) => of("resources/subscribe", name),
            Some(("p", name)) => of("prompts/get", name),
            Some(("l", name)) => of("subscriptions/listen", name),
            Some(("c", name)) => of("completion/complete", name),
            Some((_, name)) => Self { method: name, name: None, arguments },
            None => Self { method: "tools/list", name: None, arguments },
        }
    }

    /// The message, which names this revision.
    pub(super) fn message(&self, revision: &str) -> String {
        let mut params = json!({});
        if let Some(name) = self.name {
            params = match self.method {
                "subscriptions/listen" => json!({ "notifications": { "resourceSubscriptions": [name] } }),
                "completion/complete" if name.contains(':') => json!({ "ref": { "uri": name } }),
                "completion/complete" => json!({ "ref": { "name": name } }),
                method if method.starts_with("resources/") => json!({ "uri": name }),
                _ => json!({ "name": name }),
            };
        }
        if !revision.is_empty() {
            params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": revision });
        }
        if let Some(arguments) = self.arguments {
            params["arguments"] = serde_json::from_str(arguments).unwrap_or(Value::Null);
        }
        json!({ "jsonrpc": "2.0", "id": 7, "method": self.method, "params": params }).to_string()
    }
}

/// How the headers name the operation.
#[derive(Clone, Copy)]
pub(super) enum Named {
    No,
    Right,
    Base64,
    /// Another name.
    Other,
    /// The method alone.
    Method,
}

impl Named {
    pub(super) fn add(self, headers: &mut HeaderMap, item: &Item<'_>) {
        if matches!(self, Self::No) {
            return;
        }
        add(headers, "mcp-method", item.method.as_bytes());
        let name = match (self, item.name) {
            (Self::Other, _) => "read_other".to_owned(),
            (Self::Right, Some(name)) => name.to_owned(),
            (Self::Base64, Some(name)) => format!("=?base64?{}?=", STANDARD.encode(name)),
            _ => return,
        };
        add(headers, "mcp-name", name.as_bytes());
    }
}

pub(super) fn credentials(input: &mut Input<'_>, headers: &mut HeaderMap, tokens: &[Vec<u8>; 4]) {
    let (scheme, slots): (&str, &[usize]) = input.letter([
        ("", &[][..]),
        ("Bearer ", &[0]),
        ("Bearer ", &[1]),
        ("bEARER   ", &[2]),
        ("Bearer ", &[3]),
        ("DPoP ", &[0]),
        ("DPoP ", &[1]),
        ("Bearer ", &[0, 1]),
        ("Basic ", &[0]),
        ("Bearer", &[0]),
        ("Bearer", &[]),
    ]);
    for slot in slots {
        add(headers, AUTHORIZATION.as_str(), &[scheme.as_bytes(), &tokens[*slot]].concat());
    }
    if slots.is_empty() && !scheme.is_empty() {
        add(headers, AUTHORIZATION.as_str(), scheme.as_bytes());
    }
}
