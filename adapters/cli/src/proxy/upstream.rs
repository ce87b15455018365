//! The server of the bridge: its session, its streams, and what comes of each message.

use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use grantor_ureq::AuthorizedAgent;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};
use ureq::Body;

use super::refusal;
use crate::client;
use crate::events::Events;

/// The largest answer that is no stream.
const ANSWER: u64 = 16 * 1024 * 1024;
/// So often a stream that broke off is taken up again without anything new.
const RESUMES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);
/// An error of the bridge itself, in JSON-RPC's range for servers.
const BROKEN: i32 = -32000;

/// Takes what is for the client.
type Write = Box<dyn Fn(&Value) + Send + Sync>;

pub(super) struct Upstream {
    agent: AuthorizedAgent,
    url: String,
    headers: HeaderMap,
    write: Write,
    session: Mutex<Session>,
    /// Held by the one that opens a lost session again.
    renewing: Mutex<()>,
}

/// What `initialize` has agreed on.
#[derive(Clone, Default)]
struct Session {
    /// The client's own message, for when the server forgets the session.
    hello: Option<Value>,
    id: Option<String>,
    revision: Option<String>,
    /// Grows with each session.
    generation: u64,
}

/// Why a message has no answer, in words.
type Words = String;

impl Upstream {
    pub(super) fn new(agent: AuthorizedAgent, url: &str, headers: HeaderMap, write: Write) -> Self {
        Self {
            agent,
            url: url.to_owned(),
            headers,
            write,
            session: Mutex::default(),
            renewing: Mutex::default(),
        }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the session with the client's `initialize`.
    pub(super) fn open(self: &Arc<Self>, hello: &Value) {
        *self.session() = Session { hello: Some(hello.clone()), ..Session::default() };
        match self.greet(hello) {
            Ok(answer) => {
                (self.write)(&answer);
                self.listen();
            }
            Err(words) => (self.write)(&refusal(&hello["id"], BROKEN, &words)),
        }
    }

    /// Sends `initialize`; its answer.
    fn greet(&self, hello: &Value) -> Result<Value, Words> {
        let mut response = self.post(hello, &Session::default())?;
        let id = response.headers().get("mcp-session-id").and_then(|value| value.to_str().ok());
        let id = id.map(str::to_owned);
        let mut answer = None;
        self.messages(&mut response, &mut |message| {
            let answers = message["id"] == hello["id"] && message["method"].is_null();
            if answers { answer = Some(message) } else { (self.write)(&message) }
        })?;
        let answer =
            answer.ok_or_else(|| format!("{} answered {}, and no message", self.url, response.status()))?;
        let mut session = self.session();
        session.id = id;
        session.revision = answer["result"]["protocolVersion"].as_str().map(str::to_owned);
        session.generation += 1;
        Ok(answer)
    }

    /// Sends a message, and hands on what comes back.
    pub(super) fn send(&self, message: &Value) {
        let id = &message["id"];
        let is_request = !id.is_null() && !message["method"].is_null();
        if let Err(words) = self.exchange(message)
            && is_request
        {
            (self.write)(&refusal(id, BROKEN, &words));
        }
    }

    fn exchange(&self, message: &Value) -> Result<(), Words> {
        let session = self.session().clone();
        let mut response = self.post(message, &session)?;
        if response.status() == StatusCode::NOT_FOUND && session.id.is_some() {
            // The server has forgotten the session (MCP "Session Management").
            let session = self.renew(session.generation)?;
            response = self.post(message, &session)?;
        }
        let status = response.status();
        let mut answered = message["id"].is_null() || message["method"].is_null();
        let mut last = None;
        let mut hand_on = |received: Value| {
            answered |= received["id"] == message["id"] && received["method"].is_null();
            (self.write)(&received);
        };
        last = self.messages(&mut response, &mut hand_on)?.or(last);
        for _ in 0..RESUMES {
            let Some(from) = last.clone().filter(|_| !answered) else { break };
            // A stream may break off; what it had still to say is asked for (MCP "Resumability and Redelivery").
            thread::sleep(PAUSE);
            let mut hand_on = |received: Value| {
                answered |= received["id"] == message["id"] && received["method"].is_null();
                (self.write)(&received);
            };
            let mut resumed = self.get(Some(&from))?;
            if !resumed.status().is_success() {
                break;
            }
            last = self.messages(&mut resumed, &mut hand_on)?.or(Some(from));
        }
        match answered {
            true => Ok(()),
            false => Err(format!("{} answered {status}, and no message to this request", self.url)),
        }
    }

    /// Opens a new session after one that was lost; several threads may find out at once.
    fn renew(&self, lost: u64) -> Result<Session, Words> {
        let _one = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        let hello = {
            let session = self.session();
            if session.generation != lost {
                return Ok(session.clone());
            }
            session.hello.clone()
        };
        let hello = hello.ok_or("the server has forgotten a session that was never opened")?;
        self.greet(&hello)?;
        let session = self.session().clone();
        self.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }), &session)?;
        Ok(session)
    }

    /// Listens to what the server says by itself, where it does.
    fn listen(self: &Arc<Self>) {
        if self.session().id.is_none() {
            return;
        }
        let (upstream, generation) = (Arc::clone(self), self.session().generation);
        thread::spawn(move || {
            let (mut last, mut quiet) = (None, 0);
            while quiet < RESUMES && upstream.session().generation == generation {
                let Ok(mut stream) = upstream.get(last.as_deref()) else { return };
                if !stream.status().is_success() {
                    return; // most servers have nothing to say: 405
                }
                let mut heard = false;
                let ended = upstream.messages(&mut stream, &mut |message| {
                    heard = true;
                    (upstream.write)(&message);
                });
                last = ended.unwrap_or_default().or(last);
                quiet = if heard { 0 } else { quiet + 1 };
                thread::sleep(PAUSE);
            }
        });
    }

    /// Ends the session.
    pub(super) fn close(&self) {
        let session = self.session().clone();
        if session.id.is_some() {
            let request = self.decorate(Request::delete(&self.url), &session).body(());
            // Whether it could be ended or not, the client is gone.
            let _ = request.map(|request| self.agent.run(request));
        }
    }

    fn post(&self, message: &Value, session: &Session) -> Result<Response<Body>, Words> {
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
        let session = match stated {
            Some(revision) => &Session { revision: Some(revision.to_owned()), ..session.clone() },
            None => session,
        };
        let request = self.decorate(request, session).body(message.to_string());
        let request = request.map_err(|error| error.to_string())?;
        self.agent.run(request).map_err(|error| client::words(&self.url, error).to_string())
    }

    fn get(&self, from: Option<&str>) -> Result<Response<Body>, Words> {
        let session = self.session().clone();
        let mut request = Request::get(&self.url).header("accept", "text/event-stream");
        if let Some(from) = from {
            request = request.header("last-event-id", from);
        }
        let request = self.decorate(request, &session).body(()).map_err(|error| error.to_string())?;
        self.agent.run(request).map_err(|error| client::words(&self.url, error).to_string())
    }

    fn decorate(&self, mut request: http::request::Builder, session: &Session) -> http::request::Builder {
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
        }
        if let Some(id) = &session.id {
            request = request.header("mcp-session-id", id);
        }
        if let Some(revision) = session.revision.as_deref().filter(|revision| is_plain(revision)) {
            request = request.header("mcp-protocol-version", revision);
        }
        request
    }

    /// Hands out the messages of a response; the id of the last event, if it was a stream that can be taken up again.
    fn messages(
        &self,
        response: &mut Response<Body>,
        hand_out: &mut dyn FnMut(Value),
    ) -> Result<Option<String>, Words> {
        let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            let mut last = None;
            for event in Events::of(response.body_mut().with_config().limit(u64::MAX).reader()) {
                // A stream that breaks off is taken up again from its last event.
                let Ok(event) = event else { break };
                last = event.id.or(last);
                if let Ok(message) = serde_json::from_str::<Value>(&event.data) {
                    hand_out(message);
                }
            }
            return Ok(last);
        }
        let mut text = String::new();
        let body = response.body_mut().with_config().limit(ANSWER).reader();
        let mut body = std::io::BufReader::new(body);
        body.read_to_string(&mut text)
            .map_err(|error| format!("{}: the answer broke off: {error}", self.url))?;
        match serde_json::from_str::<Value>(&text) {
            Ok(message) if message.is_object() && !message["jsonrpc"].is_null() => hand_out(message),
            _ => {}
        }
        Ok(None)
    }
}

/// Whether it may stand in a header as it is.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (b' '..0x7f).contains(&byte))
}
