//! The MCP endpoint of a server: requests of streamable HTTP, and the messages of what comes back.

use std::io::Read as _;
use std::ops::ControlFlow;
use std::time::Duration;

use http::request::Builder;
use http::{HeaderMap, Request, Response};
use serde_json::Value;
use ureq::Body;

use crate::Failure;
use crate::client::Client;
use crate::events::Events;

/// The largest answer that is no stream.
const ANSWER: u64 = 16 * 1024 * 1024;

/// Where the requests go.
pub(crate) struct Endpoint {
    client: Client,
    url: String,
    headers: HeaderMap,
}

/// What `initialize` has agreed on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(crate) id: Option<String>,
    pub(crate) revision: Option<String>,
}

impl Session {
    /// The one that an answer to `initialize` opens.
    pub(crate) fn of(response: &Response<Body>) -> Self {
        let id = response.headers().get("mcp-session-id").and_then(|value| value.to_str().ok());
        Self { id: id.map(str::to_owned), revision: None }
    }
}

/// How a response ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The id of the last event, where a stream can be taken up again.
    pub(crate) last: Option<String>,
    /// After which time the server wants it to be.
    pub(crate) retry: Option<Duration>,
    /// Whether any event came.
    pub(crate) heard: bool,
}

impl Endpoint {
    /// The endpoint at `url`, with these headers in each request.
    pub(crate) fn new(client: Client, url: &str, headers: HeaderMap) -> Self {
        Self { client, url: url.to_owned(), headers }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Sends a message.
    pub(crate) fn post(&self, message: &Value, session: &Session) -> Result<Response<Body>, Failure> {
        let mut request = Request::post(&self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        if let Some(method) = message["method"].as_str().filter(|method| is_plain(method)) {
            request = request.header("mcp-method", method);
        }
        let params = &message["params"];
        let name = params["name"].as_str().or_else(|| params["uri"].as_str());
        if let Some(name) = name.filter(|name| is_plain(name)) {
            request = request.header("mcp-name", name);
        }
        // Where there is no session, each message says of which revision it is.
        let stated = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
        let request = self.decorate(request, session, stated.or(session.revision.as_deref()));
        self.client.run(&self.url, &request.body(message.to_string().as_str())?)
    }

    /// Asks for what the server has to say, after the event with this id.
    pub(crate) fn get(&self, from: Option<&str>, session: &Session) -> Result<Response<Body>, Failure> {
        let mut request = Request::get(&self.url).header("accept", "text/event-stream");
        if let Some(from) = from {
            request = request.header("last-event-id", from);
        }
        let request = self.decorate(request, session, session.revision.as_deref());
        self.client.run(&self.url, &request.body("")?)
    }

    /// Ends a session, where there is one (a courtesy: servers end them by time).
    pub(crate) fn delete(&self, session: &Session) {
        if session.id.is_some() {
            let request = self.decorate(Request::delete(&self.url), session, session.revision.as_deref());
            // Whether it could be ended or not, the client is gone.
            let _ = request.body("").map(|request| self.client.run(&self.url, &request));
        }
    }

    fn decorate(&self, mut request: Builder, session: &Session, revision: Option<&str>) -> Builder {
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
        }
        if let Some(id) = &session.id {
            request = request.header("mcp-session-id", id);
        }
        if let Some(revision) = revision.filter(|revision| is_plain(revision)) {
            request = request.header("mcp-protocol-version", revision);
        }
        request
    }

    /// Hands out the messages of a response, until `hand_out` has enough. A stream that breaks off has ended: it can be
    /// taken up again.
    pub(crate) fn messages(
        &self,
        response: &mut Response<Body>,
        hand_out: &mut dyn FnMut(Value) -> ControlFlow<()>,
    ) -> Result<Ended, Failure> {
        let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let streams = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        let mut ended = Ended::default();
        if streams {
            for event in Events::of(response.body_mut().with_config().limit(u64::MAX).reader()) {
                let Ok(event) = event else { break };
                ended.heard = true;
                ended.last = event.id.or(ended.last);
                ended.retry = event.retry.or(ended.retry);
                if let Ok(message) = serde_json::from_str::<Value>(&event.data)
                    && hand_out(message).is_break()
                {
                    break;
                }
            }
            return Ok(ended);
        }
        let mut text = String::new();
        let body = response.body_mut().with_config().limit(ANSWER).reader();
        let read = std::io::BufReader::new(body).read_to_string(&mut text);
        read.map_err(|error| format!("{}: the answer broke off: {error}", self.url))?;
        if let Ok(message) = serde_json::from_str::<Value>(&text)
            && message.is_object()
            && !message["jsonrpc"].is_null()
        {
            let _ = hand_out(message);
        }
        Ok(ended)
    }
}

/// Whether a message is the answer to the request with this id. A server that refuses a request as a whole may not have
/// read its id.
pub(crate) fn answers(message: &Value, id: &Value) -> bool {
    let unread = message["id"].is_null() && !message["error"].is_null();
    message["method"].is_null() && (message["id"] == *id || unread)
}

/// Whether it may stand in a header as it is.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (b' '..0x7f).contains(&byte))
}
