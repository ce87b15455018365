//! `grantor proxy` as a process: a client on its standard input and output, servers behind it.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::common::{Place, raw};

/// A client that speaks to the bridge.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Client {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut child = place.start(&[&["proxy"], arguments].concat(), true);
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    fn request(&mut self, id: u64, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
    }

    fn receive(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "the bridge has ended");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no message: {line}"))
    }

    fn initialize(&mut self) -> Value {
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } });
        self.request(0, "initialize", params);
        let answer = self.receive();
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        answer
    }

    /// The client goes; the bridge ends with it.
    fn end(mut self) -> Vec<Value> {
        drop(self.input.take());
        let left =
            (&mut self.output).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        assert!(self.child.wait().unwrap().success());
        left
    }
}

fn words(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_default()
}

#[test]
fn calls_at_once_with_a_step_up_among_them() {
    let place = Place::new();
    let mut client = Client::start(&place, &[&place.resource]);
    let hello = client.initialize();
    assert_eq!(hello["result"]["serverInfo"]["name"], "notes", "{hello}");
    for id in 1..=40 {
        let tool = if id == 20 { "write_note" } else { "list_notes" };
        client.request(id, "tools/call", json!({ "name": tool, "arguments": {} }));
    }
    let mut answers = BTreeMap::new();
    for _ in 1..=40 {
        let answer = client.receive();
        assert!(answers.insert(answer["id"].as_u64().unwrap(), answer).is_none(), "answered once");
    }
    assert_eq!(words(&answers[&20]), "write_note done for planted-user");
    for answer in answers.values() {
        assert!(words(answer).contains(" done for planted-user"), "{answer}");
    }
    assert_eq!(client.end(), [Value::Null; 0]);
}

#[test]
fn several_bridges_share_one_log_in() {
    let place = Place::new();
    let mut first = Client::start(&place, &[&place.resource]);
    first.initialize();
    first.request(1, "tools/list", json!({}));
    assert_eq!(first.receive()["result"]["tools"].as_array().unwrap().len(), 6);
    let issued = place.issuer.world().server().issued;
    let mut second = Client::start(&place, &[&place.resource, "--transport", "http-first", "--debug"]);
    second.initialize();
    second.request(1, "tools/list", json!({}));
    assert_eq!(second.receive()["result"]["tools"].as_array().unwrap().len(), 6);
    assert_eq!(place.issuer.world().server().issued, issued, "one log-in");
    first.end();
    second.end();
}

#[test]
fn a_lost_session_is_opened_again() {
    let place = Place::new();
    let sessions = Arc::new(Mutex::new((0, Vec::new())));
    let seen = Arc::clone(&sessions);
    let server = raw(move |request| {
        let mut sessions = seen.lock().unwrap();
        let message: Value = serde_json::from_str(&request.body).unwrap_or_default();
        sessions.1.push(message["method"].as_str().unwrap_or(&request.method).to_owned());
        let current = format!("s{}", sessions.0);
        match message["method"].as_str() {
            _ if request.method != "POST" => ("405 Method Not Allowed".into(), String::new()),
            Some("initialize") => {
                sessions.0 += 1;
                let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": { "protocolVersion": "2025-11-25" } });
                (
                    format!("200 OK\r\ncontent-type: application/json\r\nmcp-session-id: s{}", sessions.0),
                    answer.to_string(),
                )
            }
            _ if request.header("mcp-session-id") != Some(&current) => {
                ("404 Not Found".into(), String::new())
            }
            Some("notifications/initialized") => ("202 Accepted".into(), String::new()),
            Some("forget") => {
                sessions.0 = 100;
                ("202 Accepted".into(), String::new())
            }
            _ => {
                assert_eq!(request.header("mcp-protocol-version"), Some("2025-11-25"));
                assert_eq!(request.header("x-own"), Some("a b"));
                let answer =
                    json!({ "jsonrpc": "2.0", "id": message["id"], "result": { "session": current } });
                ("200 OK\r\ncontent-type: application/json".into(), answer.to_string())
            }
        }
    });
    let mut client = Client::start(&place, &[&server, "--header", "X-Own: a b"]);
    client.initialize();
    client.request(1, "tools/list", json!({}));
    assert_eq!(client.receive()["result"]["session"], "s1");
    sessions.lock().unwrap().0 = 100;
    client.request(2, "tools/list", json!({}));
    assert_eq!(client.receive()["result"]["session"], "s101", "the client notices nothing");
    client.end();
    let methods = sessions.lock().unwrap().1.clone();
    assert_eq!(methods.iter().filter(|method| *method == "initialize").count(), 2, "{methods:?}");
    assert_eq!(methods.last().unwrap(), "DELETE", "the session is ended");
}

#[test]
fn a_stream_that_breaks_off_is_taken_up_again() {
    let place = Place::new();
    let server = raw(move |request| {
        let message: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let stream = "200 OK\r\ncontent-type: text/event-stream".to_owned();
        let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": {} });
        let result = json!({ "jsonrpc": "2.0", "id": 7, "result": { "done": true } });
        match (request.method.as_str(), request.header("last-event-id")) {
            ("POST", _) if message["id"] == 7 => (stream, format!("id: e1\ndata: {progress}\n\n")),
            ("POST", _) => {
                let error = json!({ "jsonrpc": "2.0", "id": message["id"], "error": { "code": -32601, "message": "no" } });
                ("200 OK\r\ncontent-type: application/json".into(), error.to_string())
            }
            ("GET", Some("e1")) => (stream, format!("id: e2\ndata: {result}\n\n")),
            _ => ("405 Method Not Allowed".into(), String::new()),
        }
    });
    let mut client = Client::start(&place, &[&server]);
    client.request(7, "tools/call", json!({ "name": "slow" }));
    assert_eq!(client.receive()["method"], "notifications/progress");
    assert_eq!(client.receive()["result"]["done"], true);
    client.request(8, "tools/call", json!({ "name": "none" }));
    assert_eq!(client.receive()["error"]["code"], -32601, "the server's own error is the client's");
    client.end();
}

#[test]
fn what_goes_wrong_is_an_answer() {
    let place = Place::new();
    let broken = raw(|_| ("500 Internal Server Error".into(), "<html>".into()));
    let mut client = Client::start(&place, &[&broken]);
    client.request(1, "tools/list", json!({}));
    let answer = client.receive();
    assert_eq!((answer["id"].as_u64(), answer["error"]["code"].as_i64()), (Some(1), Some(-32000)));
    assert!(answer["error"]["message"].as_str().unwrap().contains("500"), "{answer}");
    writeln!(client.input.as_mut().unwrap(), "this is no JSON").unwrap();
    assert_eq!(client.receive()["error"]["code"], -32700);
    client.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } }),
    );
    assert_eq!(client.end(), [Value::Null; 0], "a notification has no answer");
}

#[test]
fn flags_of_mcp_remote_are_understood_or_refused_with_a_hint() {
    let place = Place::new();
    for (flags, words) in [
        (&["--transport", "sse-only"][..], "sse"),
        (&["--header", "Authorization: Bearer x"], "Authorization header is what this command makes"),
        (&["--header", "nothing"], "Name: value"),
        (&["--static-oauth-client-info", "{planted"], "not followed by JSON"),
        (&["--ignore-tool", "x"], "unexpected argument"),
    ] {
        let done = place.run(&[&["proxy", &place.resource], flags].concat());
        assert_ne!(done.code, 0);
        assert!(done.err.contains(words) && !done.err.contains("planted"), "{flags:?}: {}", done.err);
        assert_eq!(done.out, "");
    }
}
