//! A session with an MCP server over streamable HTTP, for as long as a command takes.

use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::Failure;
use crate::endpoint::{self, Endpoint, Session};

/// With `initialize`; for servers of 2025-03-26 and later.
const WITH_SESSION: &str = "2025-11-25";
/// Without.
const STATELESS: &str = "2026-07-28";
/// So many pages of a list.
const PAGES: usize = 100;

/// A server that answers.
pub(crate) struct Server {
    endpoint: Endpoint,
    session: Session,
    requests: u64,
}

impl Server {
    /// Greets the server, as its revision of MCP wants it.
    ///
    /// # Errors
    /// When it cannot be reached, or is no MCP server.
    pub(crate) fn connect(endpoint: Endpoint) -> Result<Self, Failure> {
        let mut server = Self { endpoint, session: Session::default(), requests: 0 };
        let client = json!({ "name": "grantor", "version": env!("CARGO_PKG_VERSION") });
        let hello = json!({ "protocolVersion": WITH_SESSION, "capabilities": {}, "clientInfo": client });
        let answer = server.exchange("initialize", hello)?;
        // A server that knows no sessions any more says so, in one of several ways; the next request shows.
        let revision = match &answer {
            Ok(result) => result["protocolVersion"].as_str().unwrap_or(WITH_SESSION),
            Err(_) => STATELESS,
        };
        server.session.revision = Some(revision.to_owned());
        if answer.is_ok() {
            let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            server.endpoint.post(&initialized, &server.session)?;
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
                _ => {
                    return Err(
                        format!("{} answered {method} without `{member}`", self.endpoint.url()).into()
                    );
                }
            }
            cursor = result["nextCursor"].take();
            if cursor.is_null() {
                return Ok(all);
            }
        }
        Err(format!("{} lists without end: {PAGES} pages of {method}", self.endpoint.url()).into())
    }

    /// A request; its result.
    ///
    /// # Errors
    /// The server's own words.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        let url = self.endpoint.url().to_owned();
        self.exchange(method, params)?.map_err(|words| format!("{url} refuses {method}: {words}").into())
    }

    /// A request; its result, or what the server said instead.
    fn exchange(&mut self, method: &str, mut params: Value) -> Result<Result<Value, String>, Failure> {
        self.requests += 1;
        let id = self.requests;
        if let Some(revision) = self.session.revision.as_deref().filter(|revision| *revision >= STATELESS) {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": revision,
                "io.modelcontextprotocol/clientInfo": { "name": "grantor", "version": env!("CARGO_PKG_VERSION") },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut response = self.endpoint.post(&message, &self.session)?;
        if method == "initialize" {
            self.session = Session::of(&response);
        }
        let (status, mut answer) = (response.status(), None);
        self.endpoint.messages(
            &mut response,
            &mut |message| match endpoint::answers(&message, &id.into()) {
                true => {
                    answer = Some(message);
                    ControlFlow::Break(())
                }
                false => ControlFlow::Continue(()),
            },
        )?;
        let Some(mut answer) = answer else {
            return Ok(Err(format!("it answered {status}, and no message")));
        };
        if !answer["result"].is_null() {
            return Ok(Ok(answer["result"].take()));
        }
        let words = answer["error"]["message"].as_str().unwrap_or("no words");
        Ok(Err(format!("{words} ({status}, error {})", answer["error"]["code"])))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.endpoint.delete(&self.session);
    }
}
