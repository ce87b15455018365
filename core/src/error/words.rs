//! What a server says about its own refusal, whatever shape it gives it.
//!
//! OAuth has `error` and `error_description` (RFC 6749 5.2), problem details have `title` and `detail`
//! (RFC 9457), and gateways, frameworks and web servers have their own. Only members that are known to hold
//! words for a person are read, never others: those may repeat what was sent, or hold what was issued.

use std::borrow::Cow;

use http::header::{CONTENT_TYPE, LOCATION};
use serde_json::{Map, Value};
use url::Url;

use super::PeerText;
use super::redact::{self, Sent};
use crate::address;
use crate::limits;
use crate::secret::Secret;
use crate::wire::challenge::Challenges;
use crate::wire::form;
use crate::wire::http::HttpResponse;

/// The words of an answer, cleaned, bounded, and without anything that was sent; `None` when it has none.
pub(crate) fn of(response: &HttpResponse<'_>, sent: &Sent) -> Option<PeerText> {
    if !may_have_words(response) {
        return None;
    }
    let mut words = Words::default();
    words.read(response);
    let text = words.join();
    if text.is_empty() {
        return None;
    }
    let secrets = sent.secrets();
    let shown = PeerText::new(&redact::hide(&text, secrets.iter().chain(&words.issued)));
    (!shown.as_str().trim().is_empty()).then_some(shown)
}

/// Whether it is worth looking: a good answer is not searched, it is read by those who asked.
fn may_have_words(response: &HttpResponse<'_>) -> bool {
    let succeeded = (200..300).contains(&response.status);
    let beginning = response.body.get(..128).unwrap_or(response.body);
    let begins_as_json = || matches!(beginning.trim_ascii_start().first(), Some(b'{' | b'['));
    // Nearly no string begins like one of them.
    let may = |pair: &[u8]| matches!(pair, [b'"', b'd' | b'e' | b'f' | b'm']);
    let names = || beginning.split(|byte| *byte == b'"').skip(1);
    let complains = || {
        beginning.windows(2).any(may)
            && names().any(|text| COMPLAINTS.iter().any(|name| text.starts_with(name)))
    };
    !succeeded || !begins_as_json() || complains()
}

/// How the members of errors begin, should one come with a good status.
const COMPLAINTS: [&[u8]; 4] = [b"detail", b"error", b"fault", b"message"];

/// Pieces of text, the most telling first.
#[derive(Default)]
struct Words {
    /// Such as `invalid_grant`.
    code: Option<String>,
    pieces: Vec<String>,
    /// Where a person can read more.
    uri: Option<String>,
    /// Tokens that the answer itself carries.
    issued: Vec<Secret>,
}

/// So many pieces are told.
const PIECES: usize = 4;
/// So deep do words hide.
const DEPTH: usize = 6;

impl Words {
    fn read(&mut self, response: &HttpResponse<'_>) {
        let body = response.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(response.body).trim_ascii();
        let kind = response.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(body.get(..limits::WORDS_BODY).unwrap_or(body));
        let refuses = response.status >= 400;
        if matches!((body.first(), refuses), (Some(b'{'), _) | (Some(b'[' | b'"'), true)) {
            if let Ok(json) = serde_json::from_slice(body.get(..limits::WORDS_BODY).unwrap_or(body)) {
                self.json(&json, DEPTH);
            }
        } else if body.starts_with(b"<") || kind.contains("html") {
            self.markup(&text);
        } else if kind.starts_with(form::CONTENT_TYPE) || body.starts_with(b"error=") {
            self.form(&text);
        } else if refuses {
            // With status 200, a text alone may be a token.
            self.plain(&text);
        }
        if self.is_empty() && response.is_redirect() {
            let location = response.headers.get(LOCATION).and_then(|location| location.to_str().ok());
            if let Some(url) = location.and_then(|location| Url::parse(location).ok()) {
                self.add(&format!("go to {}", address::without_query(&url)));
            }
        }
        if self.is_empty()
            && let Some(challenge) = Challenges::of(response.headers).0.oauth()
        {
            self.code = challenge.error().map(str::to_owned);
            if let Some(description) = challenge.error_description() {
                self.add(description.as_str());
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.code.is_none() && self.pieces.is_empty()
    }

    fn add(&mut self, text: &str) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let known =
            self.pieces.iter().any(|piece| piece.contains(&text)) || self.code.as_deref() == Some(&text);
        if !text.is_empty() && !known && self.pieces.len() < PIECES {
            self.pieces.push(text);
        }
    }

    fn join(&self) -> String {
        let mut text = self.pieces.join("; ");
        if let Some(code) = self.code.as_deref().filter(|code| !text.starts_with(code)) {
            text = if text.is_empty() { code.to_owned() } else { format!("{code}: {text}") };
        }
        match &self.uri {
            Some(uri) if !text.is_empty() => format!("{text} ({uri})"),
            _ => text,
        }
    }

    fn json(&mut self, value: &Value, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else { return };
        match value {
            Value::String(text) => self.text(text, depth),
            Value::Array(items) => items.iter().take(PIECES).for_each(|item| self.json(item, depth)),
            Value::Object(members) => self.object(members, depth),
            _ => {}
        }
    }

    /// A text, which may be an answer of another server, handed on as it came.
    fn text(&mut self, text: &str, depth: usize) {
        match serde_json::from_str(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => self.json(&inner, depth),
            _ => self.add(text),
        }
    }

    fn object(&mut self, members: &Map<String, Value>, depth: usize) {
        let named = |name: &str| members.iter().find(|(own, _)| is_named(own, name)).map(|(_, value)| value);
        for name in ISSUED {
            let issued = named(name).and_then(Value::as_str);
            self.issued.extend(issued.map(Secret::from));
        }
        // Where in the request the error is.
        let place = PLACES.iter().filter_map(|name| named(name)).find_map(path);
        let told = self.pieces.len();
        for name in CODES {
            match named(name) {
                Some(Value::String(code)) if self.code.is_none() && is_code(code) => {
                    self.code = Some(code.trim().to_owned());
                }
                Some(value) => self.json(value, depth),
                None => {}
            }
        }
        for name in TEXTS {
            if let Some(value) = named(name) {
                self.json(value, depth);
            }
        }
        if let Some(list) = ["errors", "violations"].iter().find_map(|name| named(name)) {
            self.by_member(list, depth);
        }
        if let Some(Value::String(uri)) = named("error_uri").filter(|_| self.uri.is_none())
            && let Ok(uri) = Url::parse(uri)
            && matches!(uri.scheme(), "https" | "http")
        {
            self.uri = Some(uri.into());
        }
        if let (Some(place), Some(piece)) = (place, self.pieces.get_mut(told)) {
            *piece = format!("{place}: {piece}");
        }
    }

    /// Errors by the member that they are about, as frameworks for forms have them.
    fn by_member(&mut self, list: &Value, depth: usize) {
        let Value::Object(members) = list else { return self.json(list, depth) };
        let told = self.pieces.len();
        self.json(list, depth);
        if self.pieces.len() > told {
            return; // an error as others are
        }
        for (name, value) in members.iter().take(PIECES) {
            let before = self.pieces.len();
            self.json(value, depth);
            if let Some(piece) = self.pieces.get_mut(before) {
                *piece = format!("{name}: {piece}");
            }
        }
    }

    fn form(&mut self, text: &str) {
        let pairs = form::read(text).unwrap_or_default();
        let named = |name| pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        self.code = named("error").filter(|code| is_code(code)).map(str::to_owned);
        self.add(named("error_description").unwrap_or_default());
        self.issued = pairs
            .iter()
            .filter(|(name, _)| ISSUED.contains(&name.as_str()))
            .map(|(_, value)| Secret::from(value.as_str()))
            .collect();
    }

    /// The title of a web page, or the message in an XML document.
    fn markup(&mut self, text: &str) {
        for name in ["title", "h1", "message", "error_description", "faultstring", "description"] {
            if let Some(content) = element(text, name) {
                self.add(&content);
            }
            if self.pieces.len() == 2 {
                return;
            }
        }
    }

    fn plain(&mut self, text: &str) {
        let odd = text
            .chars()
            .take(limits::PEER_TEXT_CHARS)
            .filter(|c| *c == '\u{fffd}' || c.is_control() && !c.is_whitespace());
        if odd.count() == 0 {
            self.add(text);
        }
    }
}

/// Members that name the error. `error` may hold all the others.
const CODES: [&str; 4] = ["error", "error_code", "code", "fault"];
/// Members that describe it, the best first.
const TEXTS: [&str; 12] = [
    "error_description",
    "message",
    "error_message",
    "msg",
    "detail",
    "details",
    "title",
    "error_summary",
    "error_causes",
    "fault_string",
    "reason",
    "hint",
];
/// Members that say where in the request it is.
const PLACES: [&str; 6] = ["loc", "field", "param", "property", "path", "pointer"];
/// Members that hold secrets when an answer is a good one.
const ISSUED: [&str; 6] = [
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "registration_access_token",
    "device_code",
];

/// Whether a member has this name, in whatever case style its server likes.
fn is_named(own: &str, name: &str) -> bool {
    let plain = |text: &str| -> Vec<u8> {
        text.bytes()
            .filter(|byte| !matches!(byte, b'_' | b'-' | b' '))
            .map(|byte| byte.to_ascii_lowercase())
            .collect()
    };
    own == name || own.len() <= name.len() + 4 && plain(own) == plain(name)
}

/// Whether a text is a code rather than a sentence.
fn is_code(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.len() <= 64 && !text.contains(char::is_whitespace)
}

/// `body.client_id` for `["body", "client_id"]`, or a text as it is.
fn path(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let part = |part: &Value| match part {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            parts.iter().take(DEPTH).filter_map(part).collect::<Vec<_>>().join(".")
        }
        _ => return None,
    };
    (is_code(&text)).then_some(text)
}

/// The text of the first element of this name, without markup in it.
fn element(text: &str, name: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let start = lower.match_indices(&format!("<{name}")).find_map(|(at, open)| {
        let rest = lower.get(at + open.len()..)?;
        matches!(rest.as_bytes().first(), Some(b'>' | b' ' | b'\t' | b'\n' | b'\r'))
            .then(|| rest.find('>').map(|end| at + open.len() + end + 1))?
    })?;
    let end = lower.get(start..)?.find(&format!("</{name}")).map(|end| start + end)?;
    let (mut content, mut in_tag) = (String::new(), false);
    for c in text.get(start..end)?.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            c if !in_tag => content.push(c),
            _ => {}
        }
    }
    Some(unescape(&content).into_owned())
}

/// The handful of entities that titles have.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return text.into();
    }
    let pairs =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c)).into()
}

#[cfg(test)]
mod tests;
