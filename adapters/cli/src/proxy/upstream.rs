//! The server of the bridge: its session, its streams, and what comes of each message.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use http::StatusCode;
use serde_json::{Value, json};

use super::patience::{Patience, Requests};
use super::refusal;
use crate::Failure;
use crate::client::Unreachable;
use crate::endpoint::{self, Ended, Endpoint, Session};

/// An error of the bridge itself, in JSON-RPC's range for servers.
const BROKEN: i32 = -32000;

/// Takes what is for the client.
type Write = Box<dyn Fn(&Value) + Send + Sync>;

pub(super) struct Upstream {
    endpoint: Endpoint,
    write: Write,
    opened: Mutex<Opened>,
    /// Held by the one that opens a lost session again.
    renewing: Mutex<()>,
    requests: Requests,
}

/// The session that is open.
#[derive(Clone, Default)]
struct Opened {
    /// The client's own message, for when the server forgets the session.
    hello: Option<Value>,
    session: Session,
    /// Grows with each session.
    generation: u64,
}

impl Upstream {
    pub(super) fn new(endpoint: Endpoint, write: Write) -> Self {
        let (opened, renewing, requests) = (Mutex::default(), Mutex::default(), Requests::default());
        Self { endpoint, write, opened, renewing, requests }
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the session with the client's `initialize`.
    pub(super) fn open(self: &Arc<Self>, hello: &Value) {
        {
            let mut opened = self.opened();
            *opened =
                Opened { hello: Some(hello.clone()), generation: opened.generation, ..Opened::default() };
        }
        match self.greet(hello) {
            Ok(answer) => {
                (self.write)(&answer);
                self.listen();
            }
            Err(words) => (self.write)(&refusal(&hello["id"], BROKEN, &words.to_string())),
        }
    }

    /// Sends `initialize`; its answer.
    fn greet(&self, hello: &Value) -> Result<Value, Failure> {
        let mut response = self.endpoint.post(hello, &Session::default())?;
        let (mut session, mut answer) = (Session::of(&response), None);
        self.endpoint.messages(&mut response, &mut |message| {
            match endpoint::answers(&message, &hello["id"]) {
                true => answer = Some(message),
                false => (self.write)(&message),
            }
            ControlFlow::Continue(())
        })?;
        let mut answer = answer.ok_or_else(|| {
            format!("{} answered {}, and no message", self.endpoint.url(), response.status())
        })?;
        answer["id"] = hello["id"].clone();
        session.revision = answer["result"]["protocolVersion"].as_str().map(str::to_owned);
        let mut opened = self.opened();
        opened.session = session;
        opened.generation += 1;
        Ok(answer)
    }

    /// Sends a message, and hands on what comes back.
    pub(super) fn send(self: &Arc<Self>, message: &Value) {
        let id = &message["id"];
        if id.is_null() || message["method"].is_null() {
            if message["method"] == "notifications/cancelled" {
                self.requests.cancel(&message["params"]["requestId"]);
            }
            // Nobody waits for an answer.
            let _ = self.exchange(message);
            return;
        }
        self.requests.begin(id);
        if let Err(words) = self.exchange(message) {
            (self.write)(&refusal(id, BROKEN, &words.to_string()));
        }
        self.requests.end(id);
    }

    fn exchange(self: &Arc<Self>, message: &Value) -> Result<(), Failure> {
        let opened = self.opened().clone();
        let mut session = opened.session;
        let mut response = self.endpoint.post(message, &session)?;
        if response.status() == StatusCode::NOT_FOUND && session.id.is_some() {
            // The server has forgotten the session (MCP "Session Management").
            session = self.renew(opened.generation)?;
            response = self.endpoint.post(message, &session)?;
        }
        let (status, id) = (response.status(), &message["id"]);
        let answered = Cell::new(id.is_null() || message["method"].is_null());
        let mut hand_on = |mut received: Value| {
            if !answered.get() && endpoint::answers(&received, id) {
                answered.set(true);
                received["id"] = id.clone();
            }
            (self.write)(&received);
            ControlFlow::Continue(())
        };
        let mut ended = self.endpoint.messages(&mut response, &mut hand_on)?;
        let mut last = ended.last.take();
        let mut patience = Patience::default();
        // A stream may break off; what it had still to say is asked for (MCP "Resumability and Redelivery").
        while !answered.get()
            && let Some(from) = last.clone()
        {
            let pause = patience.after(&ended);
            if patience.is_over() {
                break;
            }
            if !self.requests.wait(id, pause) {
                return Ok(()); // the client wants it no more
            }
            ended = match self.endpoint.get(Some(&from), &session) {
                Ok(mut resumed) if resumed.status().is_success() => {
                    // Servers may leave a stream open that was taken up again.
                    let mut until_answered = |received| match hand_on(received) {
                        ControlFlow::Continue(()) if answered.get() => ControlFlow::Break(()),
                        flow => flow,
                    };
                    self.endpoint.messages(&mut resumed, &mut until_answered)?
                }
                Ok(refused) if !is_for_now(refused.status()) => break,
                Ok(_) => Ended::default(),
                Err(error) if error.is::<Unreachable>() => Ended::default(),
                Err(error) => return Err(error),
            };
            last = ended.last.take().or(last);
        }
        match answered.get() {
            true => Ok(()),
            false => {
                Err(format!("{} answered {status}, and no message to this request", self.endpoint.url())
                    .into())
            }
        }
    }

    /// Opens a new session after one that was lost; several threads may find out at once.
    fn renew(self: &Arc<Self>, lost: u64) -> Result<Session, Failure> {
        let _one = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        let hello = {
            let opened = self.opened();
            if opened.generation != lost {
                return Ok(opened.session.clone());
            }
            opened.hello.clone()
        };
        let hello = hello.ok_or("the server has forgotten a session that was never opened")?;
        self.greet(&hello)?;
        let session = self.opened().session.clone();
        self.endpoint.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }), &session)?;
        self.listen();
        Ok(session)
    }

    /// Listens to what the server says by itself, where it does, for as long as the session lasts.
    fn listen(self: &Arc<Self>) {
        let Opened { session, generation, .. } = self.opened().clone();
        if session.id.is_none() {
            return;
        }
        let upstream = Arc::clone(self);
        thread::spawn(move || {
            let (mut last, mut patience) = (None, Patience::default());
            while upstream.opened().generation == generation {
                let ended = match upstream.endpoint.get(last.as_deref(), &session) {
                    Ok(mut stream) if stream.status().is_success() => {
                        let hand_on = &mut |message| {
                            (upstream.write)(&message);
                            ControlFlow::Continue(())
                        };
                        upstream.endpoint.messages(&mut stream, hand_on).unwrap_or_default()
                    }
                    // Most servers have nothing to say: 405. One that has lost the session says so to the next request.
                    Ok(refused) if !is_for_now(refused.status()) => return,
                    Ok(_) => Ended::default(),
                    Err(error) if error.is::<Unreachable>() => Ended::default(),
                    // Nobody is asked again and again for what the client has not asked for.
                    Err(_) => return,
                };
                let pause = patience.after(&ended);
                last = ended.last.or(last);
                thread::sleep(pause);
            }
        });
    }

    /// Ends the session, and the listening to it.
    pub(super) fn close(&self) {
        let session = {
            let mut opened = self.opened();
            opened.generation += 1;
            std::mem::take(&mut opened.session)
        };
        self.endpoint.delete(&session);
    }
}

/// Whether a refusal says nothing about later.
fn is_for_now(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || status == StatusCode::TOO_MANY_REQUESTS
}
