//! What requests want to do, read without the Guard's own reader.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grantor::limits;
use http::Method;

use super::members::Members;
use super::request::Request;
use super::rules::Op;

/// The one revision, of those that there are, whose servers compare headers and body.
const COMPARED: &str = "2026-07-28";

struct Message {
    method: Option<String>,
    params: Members,
    id: Option<String>,
    /// The revision that it names.
    revision: Option<String>,
}

impl Message {
    /// Nothing when two readers could read two things.
    fn read(members: &Members) -> Option<Self> {
        let method = match members.get("method") {
            Some(method) => serde_json::from_str(method).ok()?,
            None => Some("response".to_owned()),
        };
        let params = object(members.get("params"))?;
        let meta = object(params.get("_meta"))?;
        let revision: Option<String> = match meta.get(REVISION) {
            Some(revision) => serde_json::from_str(revision).ok()?,
            None => None,
        };
        object(params.get("arguments"))?;
        let id = members.get("id").filter(|_| members.get("method").is_some()).filter(|id| is_id(id));
        let clear = members.are_clear(&["method", "params", "id", "result", "error"])
            && params.are_clear(&["name", "uri", "arguments", "notifications", "ref", "_meta"])
            && meta.are_clear(&[REVISION]);
        let id = id.map(str::to_owned);
        clear.then_some(Self { method, params, id, revision })
    }

    /// What it is about, and what else.
    fn operations(&self) -> Option<Vec<Op>> {
        let method = self.method.clone()?;
        let text = |members: &Members, name: &str| -> Option<Option<String>> {
            members.get(name).map_or(Some(None), |text| serde_json::from_str(text).ok())
        };
        let mut all = vec![operation(method.clone(), &self.params)?];
        all.extend(text(&self.params, "uri")?.map(|uri| op("resource", uri)));
        // Of other methods, what is no object says nothing.
        let own = |member: &str, method: &str| {
            let json = self.params.get(member);
            object(json.filter(|json| self.method.as_deref() == Some(method) || json.starts_with(['{', '['])))
        };
        let notifications = own("notifications", "subscriptions/listen")?;
        if let Some(uris) = notifications.get("resourceSubscriptions") {
            let uris: Option<Vec<String>> = serde_json::from_str(uris).ok()?;
            all.extend(uris.into_iter().flatten().map(|uri| op("resource", uri)));
        }
        let reference = own("ref", "completion/complete")?;
        for (name, kind) in [("name", "prompt"), ("uri", "resource")] {
            all.extend(text(&reference, name)?.map(|name| op(kind, name)));
        }
        let clear =
            notifications.are_clear(&["resourceSubscriptions"]) && reference.are_clear(&["name", "uri"]);
        clear.then_some(all)
    }
}

const REVISION: &str = "io.modelcontextprotocol/protocolVersion";

/// A string or a number. Longer ones are not looked at, and make no request of a message.
fn is_id(json: &str) -> bool {
    json.len() <= limits::STRING
        && json.starts_with(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
}

/// The members of an object; none where there is no value. Nothing for what is no object.
fn object(json: Option<&str>) -> Option<Members> {
    match json {
        Some("null") | None => Some(Members::default()),
        Some(json) => serde_json::from_str(json).ok(),
    }
}

impl Request {
    /// What the body says.
    pub(super) fn operations(&self) -> Option<Vec<Op>> {
        if self.method != Method::POST {
            return Some(vec![op("http", self.method.as_str().to_owned())]);
        }
        let all: Option<Vec<Vec<Op>>> = self.messages()?.iter().map(Message::operations).collect();
        Some(all?.into_iter().flatten().collect())
    }

    fn messages(&self) -> Option<Vec<Message>> {
        let text = std::str::from_utf8(&self.body).ok()?;
        let all: Vec<Members> = if text.trim_ascii_start().starts_with('[') {
            serde_json::from_str(text).ok()?
        } else {
            vec![serde_json::from_str(text).ok()?]
        };
        all.iter().map(Message::read).collect()
    }

    /// The `id` that an answer may carry, as JSON.
    pub(super) fn id(&self) -> Option<String> {
        match &mut *self.messages()? {
            [message] => message.id.take(),
            _ => None,
        }
    }

    /// The value of a header that is there once.
    fn single(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.get_all(name).iter();
        let value = all.next()?.to_str().ok()?.trim_matches([' ', '\t']);
        all.next().is_none().then_some(value)
    }

    /// What the headers say.
    pub(super) fn named(&self) -> Option<Op> {
        let method = self.single("mcp-method")?;
        let name = self.single("mcp-name").map(|name| match name.strip_prefix("=?base64?") {
            Some(rest) => {
                let bytes = STANDARD.decode(rest.strip_suffix("?=")?).ok()?;
                String::from_utf8(bytes).ok()
            }
            None => Some(name.to_owned()),
        });
        let mut params = Members::default();
        if let Some(name) = name {
            let raw = serde_json::value::to_raw_value(&name?).ok()?;
            params.0.extend([("name".to_owned(), raw.clone()), ("uri".to_owned(), raw)]);
        }
        operation(method.to_owned(), &params)
    }

    /// MCP "Server Validation": headers that are there say what the body says, and those that must be there
    /// are.
    pub(super) fn agrees(&self) -> bool {
        if self.method != Method::POST {
            return true;
        }
        let Some(messages) = self.messages() else { return false };
        let revision = self.single("mcp-protocol-version");
        let of_header = |message: &Message| match (revision, message.revision.as_deref()) {
            (Some(revision), Some(own)) => revision == own,
            (None, Some(own)) => own != COMPARED,
            (_, None) => true,
        };
        if !messages.iter().all(of_header) {
            return false;
        }
        let has = |name: &str| self.headers.contains_key(name);
        if !has("mcp-method") {
            let needed = has("mcp-name") || messages.iter().any(|message| message.id.is_some());
            return revision != Some(COMPARED) || !needed;
        }
        let [message] = &messages[..] else { return false };
        let Some(method) = message.method.as_deref() else { return false };
        if self.single("mcp-method") != Some(method) {
            return false;
        }
        let own = operation(method.to_owned(), &message.params).map(|op| Op { arguments: None, ..op });
        if own.as_ref().is_none_or(|own| own.kind == "method") {
            return true;
        }
        if has("mcp-name") {
            return self.named() == own;
        }
        revision != Some(COMPARED) || matches!(method, "resources/subscribe" | "resources/unsubscribe")
    }

    /// Whether the server behind compares all with the body that counts.
    pub(super) fn is_compared(&self) -> bool {
        const ALL_IN_HEADERS: [&str; 15] = [
            "initialize",
            "logging/setLevel",
            "ping",
            "prompts/get",
            "prompts/list",
            "resources/list",
            "resources/read",
            "resources/templates/list",
            "server/discover",
            "tasks/cancel",
            "tasks/get",
            "tasks/list",
            "tasks/result",
            "tools/call",
            "tools/list",
        ];
        let method = self.single("mcp-method").unwrap_or_default();
        let in_headers = ALL_IN_HEADERS.contains(&method) || method.starts_with("notifications/");
        self.single("mcp-protocol-version") == Some(COMPARED) && in_headers
    }
}

fn op(kind: &'static str, name: String) -> Op {
    Op { kind, name, arguments: None }
}

fn operation(method: String, params: &Members) -> Option<Op> {
    let text = |name: &str| serde_json::from_str::<String>(params.get(name)?).ok();
    Some(match &*method {
        "tools/call" => {
            let arguments = params.get("arguments").map(str::to_owned);
            Op { arguments, ..op("tool", text("name")?) }
        }
        "prompts/get" => op("prompt", text("name")?),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => op("resource", text("uri")?),
        _ => op("method", method),
    })
}
