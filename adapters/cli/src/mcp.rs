//! A session with an MCP server over streamable HTTP, for as long as a command takes.

use std::io::{BufReader, Read as _};

use grantor_ureq::AuthorizedAgent;
use http::{Request, Response};
use serde_json::{Value, json};
use ureq::Body;

use crate::Failure;
use crate::client;
use crate::events::Events;

/// With `initialize`; for servers of 2025-03-26 and later.
const WITH_SESSION: &str = "2025-11-25";
/// Without.
const STATELESS: &str = "2026-07-28";
/// The largest message that is read.
const MESSAGE: u64 = 16 * 1024 * 1024;
/// So many pages of a list.
const PAGES: usize = 100;

/// A server that answers.
pub(crate) struct Server {
    agent: AuthorizedAgent,
    url: String,
    revision: String,
    session: Option<String>,
    requests: u64,
}

impl Server {
    /// Greets the server, as its revision of MCP wants it.
    ///
    /// # Errors
    /// When it cannot be reached, or is no MCP server.
    pub(crate) fn connect(agent: AuthorizedAgent, url: &str) -> Result<Self, Failure> {
        let mut server =
            Self { agent, url: url.to_owned(), revision: WITH_SESSION.into(), session: None, requests: 0 };
        let client = json!({ "name": "grantor", "version": env!("CARGO_PKG_VERSION") });
        let hello = json!({ "protocolVersion": WITH_SESSION, "capabilities": {}, "clientInfo": client });
        match server.exchange("initialize", hello)? {
            Ok(result) => {
                if let Some(revision) = result["protocolVersion"].as_str() {
                    server.revision = revision.to_owned();
                }
                server.notify("notifications/initialized")?;
            }
            // A server that knows no sessions any more says so, in one of several ways; the next request shows.
            Err(_) => server.revision = STATELESS.into(),
        }
        Ok(server)
    }

    /// Everything that a list method lists.
    ///
    /// # Errors
    /// The server's own words.
    pub(crate) fn list(&mut self, method: &str, member: &str) -> Result<Vec<Value>, Failure> {
        let (mut all, mut cursor) = (Vec::new(), Value::Null);
        for _ in 0..PAGES {
            let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
            let mut result = self.request(method, params)?;
            match result[member].take() {
                Value::Array(items) => all.extend(items),
                _ => return Err(format!("{} answered {method} without `{member}`", self.url).into()),
            }
            cursor = result["nextCursor"].take();
            if cursor.is_null() {
                return Ok(all);
            }
        }
        Err(format!("{} lists without end: {PAGES} pages of {method}", self.url).into())
    }

    /// A request; its result.
    ///
    /// # Errors
    /// The server's own words.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        let url = self.url.clone();
        self.exchange(method, params)?.map_err(|words| format!("{url} refuses {method}: {words}").into())
    }

    /// A request; its result, or what the server said instead.
    fn exchange(&mut self, method: &str, mut params: Value) -> Result<Result<Value, String>, Failure> {
        self.requests += 1;
        let id = self.requests;
        if self.revision.as_str() >= STATELESS {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.revision,
                "io.modelcontextprotocol/clientInfo": { "name": "grantor", "version": env!("CARGO_PKG_VERSION") },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let name = params["name"].as_str().map(str::to_owned);
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut response = self.post(method, name.as_deref(), &message)?;
        if method == "initialize" {
            let session = response.headers().get("mcp-session-id").and_then(|value| value.to_str().ok());
            self.session = session.map(str::to_owned);
        }
        let status = response.status();
        let Some(mut answer) = self.read(&mut response, id)? else {
            return Ok(Err(format!("it answered {status}, and no message")));
        };
        if !answer["result"].is_null() {
            return Ok(Ok(answer["result"].take()));
        }
        let words = answer["error"]["message"].as_str().unwrap_or("no words");
        Ok(Err(format!("{words} ({status}, error {})", answer["error"]["code"])))
    }

    fn notify(&mut self, method: &str) -> Result<(), Failure> {
        self.post(method, None, &json!({ "jsonrpc": "2.0", "method": method })).map(drop)
    }

    fn post(&self, method: &str, name: Option<&str>, message: &Value) -> Result<Response<Body>, Failure> {
        let mut request = Request::post(&self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-method", method);
        if method != "initialize" {
            request = request.header("mcp-protocol-version", &self.revision);
        }
        if let Some(name) = name.filter(|name| name.bytes().all(|byte| (b' '..0x7f).contains(&byte))) {
            request = request.header("mcp-name", name);
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        self.agent.run(request.body(message.to_string())?).map_err(|error| client::words(&self.url, error))
    }

    /// The message that answers a request, if one came; as JSON, or as an event of a stream.
    fn read(&self, response: &mut Response<Body>, id: u64) -> Result<Option<Value>, Failure> {
        let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let streams = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        let body = response.body_mut().with_config().limit(MESSAGE).reader();
        if !streams {
            let mut text = String::new();
            BufReader::new(body).read_to_string(&mut text).map_err(|error| self.broken(&error))?;
            return Ok(serde_json::from_str(&text).ok().filter(Value::is_object));
        }
        for event in Events::of(body) {
            let event = event.map_err(|error| self.broken(&error))?;
            let message: Option<Value> = serde_json::from_str(&event.data).ok();
            if let Some(message) = message.filter(|message| message["id"] == id) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn broken(&self, error: &std::io::Error) -> Failure {
        format!("{}: the answer broke off: {error}", self.url).into()
    }
}

impl Drop for Server {
    /// Ends the session, where there is one (a courtesy: servers end them by time).
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            let request = Request::delete(&self.url)
                .header("mcp-session-id", session)
                .header("mcp-protocol-version", &self.revision)
                .body(());
            // Whether it could be ended or not, the command is over.
            let _ = request.map(|request| self.agent.run(request));
        }
    }
}
