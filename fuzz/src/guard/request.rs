//! Requests as the input wants them.

use grantor::resource::RequestHead;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use http::{Method, Uri};

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
        // In the header, and in the message.
        let (revision, in_message) = input.letter([
            ("", ""),
            ("2026-07-28", ""),
            ("2025-06-18", ""),
            ("2027-01-01", ""),
            ("2026-07-28x", ""),
            ("zzzzzzzzzz", ""),
            ("2026-07-28", "2026-07-28"),
            ("", "2026-07-28"),
            ("2026-07-28", "2025-06-18"),
            ("2025-06-18", "2025-06-18"),
            ("2025-06-18", "2026-07-28"),
            ("", "2027-01-01"),
        ]);
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
                let messages: Vec<String> = items.iter().map(|item| item.message(in_message)).collect();
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
}

/// Adds a line, if it can be one.
pub(super) fn add(headers: &mut HeaderMap, name: &str, value: &[u8]) {
    if let Ok(name) = HeaderName::from_bytes(name.as_bytes())
        && let Ok(value) = HeaderValue::from_bytes(value)
    {
        headers.append(name, value);
    }
}
