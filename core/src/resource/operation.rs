//! What a request wants to do, as far as scopes depend on it.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::limits;

/// The header that names the JSON-RPC method (MCP 2026-07-28 "Standard Request Headers").
pub(super) static METHOD_HEADER: HeaderName = HeaderName::from_static("mcp-method");
/// The header that names the tool, prompt or resource.
pub(super) static NAME_HEADER: HeaderName = HeaderName::from_static("mcp-name");
/// The header that names the revision.
pub(super) static VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// One operation of an MCP server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation<'a> {
    /// A request that is no message: opening a stream with GET, ending a session with DELETE.
    Http(Cow<'a, str>),
    /// Any other method, by its name; responses to requests of the server have the name `response`.
    Method(Cow<'a, str>),
    /// `prompts/get`, by the prompt's name.
    Prompt(Cow<'a, str>),
    /// `resources/read`, `resources/subscribe` or `resources/unsubscribe`, by the URI.
    Resource(Cow<'a, str>),
    /// `tools/call`, by the tool's name.
    Tool(Cow<'a, str>),
}

/// Listening to changes; which resources it is about stands in the body alone.
pub(super) const LISTEN: &str = "subscriptions/listen";
/// Completing arguments; which prompt or resource it is about stands in the body alone.
pub(super) const COMPLETE: &str = "completion/complete";

/// The method name that stands for answers to requests of the server (before 2026-07-28).
pub(super) const RESPONSE: &str = "response";

/// A header that is wrong (MCP 2026-07-28 "Server Validation").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadHeader;

/// Which parameter of a method names what it is about.
pub(super) fn subject_of(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => Some("uri"),
        _ => None,
    }
}

/// Whether servers must compare `Mcp-Method` and `Mcp-Name` of this method with all of the body that scopes
/// depend on (MCP "Standard Request Headers"). A method that is none of MCP's may be about a resource.
pub(super) fn is_told_by_headers(method: &str) -> bool {
    const WITHOUT_RESOURCE: [&str; 14] = [
        "initialize",
        "logging/setLevel",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "server/discover",
        "tasks/cancel",
        "tasks/get",
        "tasks/list",
        "tasks/result",
        "tools/call",
        "tools/list",
    ];
    method == "resources/read" || WITHOUT_RESOURCE.contains(&method) || method.starts_with("notifications/")
}

impl<'a> Operation<'a> {
    /// The operation of a method and what it is about.
    pub(super) fn new(method: Cow<'a, str>, subject: Option<Cow<'a, str>>) -> Option<Self> {
        Some(match (&*method, subject) {
            ("tools/call", name) => Self::Tool(name?),
            ("prompts/get", name) => Self::Prompt(name?),
            ("resources/read" | "resources/subscribe" | "resources/unsubscribe", uri) => Self::Resource(uri?),
            _ => Self::Method(method),
        })
    }

    /// The operation that the headers name; `None` when they do not say enough.
    pub(super) fn of_headers(headers: &'a HeaderMap) -> Result<Option<Self>, BadHeader> {
        let Some(method) = single(headers, &METHOD_HEADER)? else { return Ok(None) };
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadHeader);
        }
        let subject = single(headers, &NAME_HEADER)?.map(decode).transpose()?;
        Ok(Self::new(Cow::Borrowed(method), subject))
    }

    /// The same, owned.
    pub fn into_owned(self) -> Operation<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Http(method) => Operation::Http(own(method)),
            Self::Method(name) => Operation::Method(own(name)),
            Self::Prompt(name) => Operation::Prompt(own(name)),
            Self::Resource(uri) => Operation::Resource(own(uri)),
            Self::Tool(name) => Operation::Tool(own(name)),
        }
    }

    /// The name of its kind, and its own.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Http(method) => ("http", method),
            Self::Method(name) => ("method", name),
            Self::Prompt(name) => ("prompt", name),
            Self::Resource(uri) => ("resource", uri),
            Self::Tool(name) => ("tool", name),
        }
    }
}

impl fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.parts();
        write!(f, "{kind} {}", crate::error::PeerText::new(name))
    }
}

/// The value of a header that may be there once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, BadHeader> {
    let mut all = headers.get_all(name).iter();
    let Some(value) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(BadHeader);
    }
    text(value).map(Some)
}

fn text(value: &HeaderValue) -> Result<&str, BadHeader> {
    let text = value.to_str().map_err(|_| BadHeader)?;
    if text.len() > limits::OPERATION_NAME { Err(BadHeader) } else { Ok(text.trim_ascii()) }
}

/// Takes the Base64 form away (MCP 2026-07-28 "Value Encoding"). The markers are case-sensitive; what
/// looks like them must be well-formed.
fn decode(value: &str) -> Result<Cow<'_, str>, BadHeader> {
    let Some(encoded) = value.strip_prefix("=?base64?") else { return Ok(Cow::Borrowed(value)) };
    let encoded = encoded.strip_suffix("?=").ok_or(BadHeader)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| BadHeader)?;
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| BadHeader)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, name: Option<&str>) -> Result<Option<Operation<'static>>, BadHeader> {
        let mut headers = HeaderMap::new();
        headers.insert(&METHOD_HEADER, HeaderValue::from_bytes(method.as_bytes()).unwrap());
        if let Some(name) = name {
            headers.insert(&NAME_HEADER, HeaderValue::from_bytes(name.as_bytes()).unwrap());
        }
        Operation::of_headers(&headers).map(|operation| operation.map(Operation::into_owned))
    }

    #[test]
    fn owned_is_the_same() {
        for operation in [
            Operation::Http("GET".into()),
            Operation::Method("ping".into()),
            Operation::Prompt("p".into()),
            Operation::Resource("r".into()),
            Operation::Tool("t".into()),
        ] {
            assert_eq!(operation.clone().into_owned(), operation);
        }
    }

    #[test]
    fn mcp_standard_request_headers() {
        assert_eq!(read("tools/call", Some("get_weather")), Ok(Some(Operation::Tool("get_weather".into()))));
        assert_eq!(read("prompts/get", Some("p")), Ok(Some(Operation::Prompt("p".into()))));
        let uri = "file:///projects/myapp/config.json";
        assert_eq!(read("resources/read", Some(uri)), Ok(Some(Operation::Resource(uri.into()))));
        assert_eq!(read("tools/list", None), Ok(Some(Operation::Method("tools/list".into()))));
        assert_eq!(read("tools/call", None), Ok(None), "the body has to say");
        assert_eq!(read("Tools/Call", Some("x")), Ok(Some(Operation::Method("Tools/Call".into()))));
        assert_eq!(Operation::of_headers(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn mcp_value_encoding() {
        for (encoded, name) in [
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界"),
            ("=?base64?IHBhZGRlZCA=?=", " padded "),
            ("=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="),
            ("=?BASE64?eA==?=", "=?BASE64?eA==?="),
        ] {
            assert_eq!(
                read("tools/call", Some(encoded)),
                Ok(Some(Operation::Tool(name.into()))),
                "{encoded}"
            );
        }
        for broken in [
            "=?base64?",
            "=?base64?eA==",
            "=?base64?eA?=",
            "=?base64?e?=",
            "=?base64?!!!!?=",
            "=?base64?/w==?=",
        ] {
            assert_eq!(read("tools/call", Some(broken)), Err(BadHeader), "{broken}");
        }
    }

    #[test]
    fn mcp_server_validation_bad_headers() {
        assert_eq!(read("tools/call", Some("日本")), Err(BadHeader), "invalid characters");
        assert_eq!(read("", None), Err(BadHeader));
        assert_eq!(read("tools/call", Some(&"x".repeat(limits::OPERATION_NAME + 1))), Err(BadHeader));
        let mut headers = HeaderMap::new();
        headers.append(&METHOD_HEADER, HeaderValue::from_static("tools/list"));
        headers.append(&METHOD_HEADER, HeaderValue::from_static("tools/call"));
        assert_eq!(Operation::of_headers(&headers), Err(BadHeader));
    }
}
