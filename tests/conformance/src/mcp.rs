//! As much of an MCP client as authorization needs: list tools, call them.

use std::error::Error;

use grantor::Revision;
use grantor_adapters::Adapter;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

pub(crate) struct Client<'a> {
    adapter: Box<dyn Adapter>,
    url: &'a str,
    revision: Revision,
    session: Option<HeaderValue>,
    next_id: u64,
}

impl<'a> Client<'a> {
    pub(crate) fn new(adapter: Box<dyn Adapter>, url: &'a str, revision: Revision) -> Self {
        Self { adapter, url, revision, session: None, next_id: 1 }
    }

    /// Lists the tools and calls those that the context names, else the first that is listed.
    pub(crate) fn use_tools(mut self, context: &Value) -> Result<(), Box<dyn Error>> {
        if !self.is_stateless() {
            self.initialize()?;
        }
        let listed = self.request("tools/list", json!({}))?;
        let named = context["toolCalls"].as_array().cloned().unwrap_or_default();
        let first = listed["tools"][0]["name"].as_str().map(|name| json!({ "name": name }));
        let calls = if named.is_empty() { first.into_iter().collect() } else { named };
        for call in calls {
            let arguments = call.get("arguments").cloned().unwrap_or_else(|| json!({}));
            self.request("tools/call", json!({ "name": call["name"], "arguments": arguments }))?;
        }
        Ok(())
    }

    /// From 2026-07-28 on there are no sessions; each request says what an initialization said.
    fn is_stateless(&self) -> bool {
        self.revision >= Revision::V2026_07_28
    }

    fn initialize(&mut self) -> Result<(), Box<dyn Error>> {
        let client = json!({ "name": "grantor-conformance", "version": env!("CARGO_PKG_VERSION") });
        let version = self.revision.name();
        self.request(
            "initialize",
            json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client }),
        )?;
        self.post(
            "notifications/initialized",
            &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        )?;
        Ok(())
    }

    fn request(&mut self, method: &str, mut params: Value) -> Result<Value, Box<dyn Error>> {
        if self.is_stateless() {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.revision.name(),
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let id = self.next_id;
        self.next_id += 1;
        let answer =
            self.post(method, &json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(format!("{method}: {answer}").into()),
        }
    }

    /// Sends a message; the answer to a request, from JSON or from the events of a stream.
    fn post(&mut self, method: &str, message: &Value) -> Result<Value, Box<dyn Error>> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if self.is_stateless() || method != "initialize" {
            let version = HeaderValue::from_static(self.revision.name());
            headers.insert(HeaderName::from_static("mcp-protocol-version"), version);
        }
        if self.is_stateless() {
            headers.insert(HeaderName::from_static("mcp-method"), HeaderValue::from_str(method)?);
            if let Some(name) = message["params"]["name"].as_str() {
                headers.insert(HeaderName::from_static("mcp-name"), HeaderValue::from_str(name)?);
            }
        }
        if let Some(session) = &self.session {
            headers.insert(HeaderName::from_static("mcp-session-id"), session.clone());
        }
        let answer = self.adapter.post(self.url, &headers, &message.to_string())?;
        if let Some(session) = answer.headers.get("mcp-session-id") {
            self.session = Some(session.clone());
        }
        if !(200..300).contains(&answer.status) {
            return Err(format!("{method}: status {}: {}", answer.status, answer.body).into());
        }
        if answer.body.trim().is_empty() {
            return Ok(Value::Null);
        }
        let is_stream =
            answer.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event"));
        if !is_stream {
            return Ok(serde_json::from_str(&answer.body)?);
        }
        let events = answer.body.lines().filter_map(|line| line.strip_prefix("data:"));
        let mut messages = events.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok());
        messages
            .find(|event| event["id"] == message["id"])
            .ok_or_else(|| format!("{method}: no answer").into())
    }
}
