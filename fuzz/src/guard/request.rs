//! Requests as the input wants them, and what they want to do, read without the Guard's own reader.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grantor::resource::RequestHead;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use http::{Method, Uri};

use super::members::Members;
use super::rules::Op;
use super::setup::{METADATA_PATH, ORIGIN as OWN_ORIGIN};
use super::short::{Item, Named, credentials};
use crate::input::Input;

#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) target: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// A letter each for the method, the target, the credentials, the MCP headers, the revision, the origin
    /// and the form of the body, then the body. `tokens` are those to send.
    pub(super) fn read(input: &mut Input<'_>, mut headers: HeaderMap, tokens: &[Vec<u8>; 4]) -> Self {
        let method = input
            .letter([Method::POST, Method::GET, Method::DELETE, Method::OPTIONS, Method::HEAD].each_ref());
        let target = input.letter([
            "/mcp",
            METADATA_PATH,
            "/health",
            "/mcp?access_token=x",
            "/mcp?q=1&%61ccess%5Ftoken",
            "/mcp?q=access_token",
            "/other",
            "/Health",
            "/health/",
            "https://evil.example/mcp?x",
        ]);
        credentials(input, &mut headers, tokens);
        let named = input.letter([Named::No, Named::Right, Named::Base64, Named::Other, Named::Method]);
        let revision =
            input.letter(["", "2026-07-28", "2025-06-18", "2027-01-01", "2026-07-28x", "zzzzzzzzzz"]);
        if !revision.is_empty() {
            add(&mut headers, "mcp-protocol-version", revision.as_bytes());
        }
        let origin =
            input.letter(["", OWN_ORIGIN, "https://evil.example", "null", "https://APP.example.com"]);
        if !origin.is_empty() {
            add(&mut headers, ORIGIN.as_str(), origin.as_bytes());
        }
        let body = match input.one_of(*b"rob") {
            b'r' => input.0.to_vec(),
            form => {
                let text = String::from_utf8_lossy(input.0);
                let items: Vec<Item<'_>> = text.split('+').map(Item::read).collect();
                named.add(&mut headers, &items[0]);
                let messages: Vec<String> = items.iter().map(Item::message).collect();
                let body =
                    if form == b'o' { messages[0].clone() } else { format!("[{}]", messages.join(",")) };
                body.into_bytes()
            }
        };
        Self { method: method.clone(), target: target.parse().expect("a target"), headers, body }
    }

    pub(super) fn head(&self) -> RequestHead<'_> {
        RequestHead::new(&self.method, &self.target, &self.headers)
    }

    /// Scheme and token of what looks like OAuth's credentials, of each line.
    pub(super) fn credentials(&self) -> Vec<(String, &[u8])> {
        let lines = self.headers.get_all(AUTHORIZATION).iter();
        let split = |value: &'_ HeaderValue| {
            let text = value.as_bytes().trim_ascii();
            let at = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
            (String::from_utf8_lossy(&text[..at]).to_ascii_lowercase(), at)
        };
        lines
            .filter_map(|value| {
                let (scheme, at) = split(value);
                let token = value.as_bytes().trim_ascii()[at..].trim_ascii();
                matches!(&*scheme, "bearer" | "dpop").then_some((scheme, token))
            })
            .collect()
    }

    pub(super) fn has_token_in_query(&self) -> bool {
        let query = self.target.query().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token")
    }

    /// What the body says.
    pub(super) fn operations(&self) -> Option<Vec<Op>> {
        if self.method != Method::POST {
            return Some(vec![op("http", self.method.as_str().to_owned())]);
        }
        self.messages()?.iter().map(|(method, params, _)| operation(method.clone()?, params)).collect()
    }

    /// Method, parameters and id of each message; nothing when two readers could read two things.
    #[expect(clippy::type_complexity, reason = "read once")]
    fn messages(&self) -> Option<Vec<(Option<String>, Members, Option<String>)>> {
        let text = std::str::from_utf8(&self.body).ok()?;
        let all: Vec<Members> = if text.trim_ascii_start().starts_with('[') {
            serde_json::from_str(text).ok()?
        } else {
            vec![serde_json::from_str(text).ok()?]
        };
        let read = |members: Members| {
            let method = match members.get("method") {
                Some(method) => serde_json::from_str(method).ok()?,
                None => Some("response".to_owned()),
            };
            let params = members
                .get("params")
                .and_then(|raw| serde_json::from_str::<Members>(raw).ok())
                .unwrap_or_default();
            let id = members.get("id").map(str::to_owned);
            let clear = members.are_clear(&["method", "params", "id", "result", "error"])
                && params.are_clear(&["name", "uri", "arguments"]);
            clear.then_some((method, params, id))
        };
        all.into_iter().map(read).collect()
    }

    /// The `id` that an answer may carry, as JSON.
    pub(super) fn id(&self) -> Option<String> {
        match &mut *self.messages()? {
            [(_, _, id)] => id.take(),
            _ => None,
        }
    }

    /// What the headers say.
    pub(super) fn named(&self) -> Option<Op> {
        let single = |name: &str| {
            let mut all = self.headers.get_all(name).iter();
            let value = all.next()?.to_str().ok()?.trim_matches([' ', '\t']);
            all.next().is_none().then_some(value)
        };
        let method = single("mcp-method")?;
        let name = single("mcp-name").map(|name| match name.strip_prefix("=?base64?") {
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

    /// MCP "Server Validation": headers that are there say what the body says.
    pub(super) fn agrees(&self) -> bool {
        let has = |name: &str| self.headers.contains_key(name);
        if self.method != Method::POST || !has("mcp-method") {
            return true;
        }
        let messages = self.messages();
        let Some([(Some(method), _, _)]) = messages.as_deref() else { return false };
        let mut lines = self.headers.get_all("mcp-method").iter();
        let same = lines.next().is_some_and(|line| line.as_bytes().trim_ascii() == method.as_bytes());
        let own = self.operations().and_then(|mut all| all.pop()).map(|op| Op { arguments: None, ..op });
        let by_name = own.as_ref().is_some_and(|op| !matches!(op.kind, "http" | "method"));
        same && lines.next().is_none() && (!by_name || !has("mcp-name") || self.named() == own)
    }

    /// Whether the server behind compares headers and body.
    pub(super) fn is_compared(&self) -> bool {
        let version = self.headers.get("mcp-protocol-version").and_then(|value| value.to_str().ok());
        version.is_some_and(|version| version.trim().len() == 10 && version.trim() >= "2026-07-28")
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

/// Adds a line, if it can be one.
pub(super) fn add(headers: &mut HeaderMap, name: &str, value: &[u8]) {
    if let Ok(name) = HeaderName::from_bytes(name.as_bytes())
        && let Ok(value) = HeaderValue::from_bytes(value)
    {
        headers.append(name, value);
    }
}
