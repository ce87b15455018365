//! `grantor proxy` as a process: a client on its standard input and output, servers behind it.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grantor_world::Consent;
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
fn bridges_that_start_at_once_ask_the_user_once() {
    let place = Place::new();
    let mut clients: Vec<Client> = (0..8).map(|_| Client::start(&place, &[&place.resource])).collect();
    for client in &mut clients {
        client.request(
            0,
            "initialize",
            json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } }),
        );
    }
    for client in &mut clients {
        assert_eq!(client.receive()["result"]["serverInfo"]["name"], "notes");
    }
    assert_eq!(place.pages.load(Ordering::Relaxed), 1, "one page");
    assert_eq!(place.issuer.world().server().issued, 1, "and one log-in");
    // A step-up of all of them, many times each.
    for client in &mut clients {
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        for id in 1..=5 {
            client.request(id, "tools/call", json!({ "name": "write_note", "arguments": {} }));
        }
    }
    for client in &mut clients {
        for _ in 1..=5 {
            let answer = client.receive();
            assert_eq!(words(&answer), "write_note done for planted-user", "{answer}");
        }
    }
    clients.into_iter().for_each(|client| drop(client.end()));
    assert_eq!(place.pages.load(Ordering::Relaxed), 2, "one page more");
}

#[test]
fn bridges_that_start_at_once_on_an_expired_token_refresh_it_once() {
    let place = Place::new();
    place.issuer.world().server().lifetime_s = 1;
    place.must(&["login", &place.resource]);
    std::thread::sleep(Duration::from_millis(2100));
    place.issuer.world().server().lifetime_s = 3600;
    let (pages, issued) = (place.pages.load(Ordering::Relaxed), place.issuer.world().server().issued);
    let mut clients: Vec<Client> = (0..8).map(|_| Client::start(&place, &[&place.resource])).collect();
    for client in &mut clients {
        client.request(1, "tools/list", json!({}));
    }
    for client in &mut clients {
        let answer = client.receive();
        assert!(answer["result"]["tools"].is_array(), "{answer}");
    }
    clients.into_iter().for_each(|client| drop(client.end()));
    assert_eq!(place.pages.load(Ordering::Relaxed), pages, "no page");
    assert_eq!(place.issuer.world().server().issued, issued + 1, "one refresh");
}

#[test]
fn when_the_user_declines_one_bridge_the_next_one_asks() {
    let place = Place::new();
    place.issuer.world().server().consent = Consent::Deny;
    let mut clients: Vec<Client> = (0..2).map(|_| Client::start(&place, &[&place.resource])).collect();
    for client in &mut clients {
        client.request(1, "tools/list", json!({}));
    }
    for client in &mut clients {
        let answer = client.receive();
        assert!(answer["error"]["message"].as_str().unwrap().contains("access_denied"), "{answer}");
    }
    clients.into_iter().for_each(|client| drop(client.end()));
    assert_eq!(place.pages.load(Ordering::Relaxed), 2);
}

/// What `raw` answers to a message, as JSON.
fn json_answer(message: &Value, result: Value) -> (String, String) {
    let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
    ("200 OK\r\ncontent-type: application/json".into(), answer.to_string())
}

const STREAM: &str = "200 OK\r\ncontent-type: text/event-stream";

#[test]
fn the_server_is_listened_to_over_cuts_failures_and_sessions() {
    let place = Place::new();
    let streams = Arc::new(Mutex::new((1, Vec::new())));
    let seen = Arc::clone(&streams);
    let server = raw(move |request| {
        let mut streams = seen.lock().unwrap();
        let message: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let id = format!("s{}", streams.0);
        let is_lost = request.header("mcp-session-id").is_some_and(|session| session != id);
        match (request.method.as_str(), message["method"].as_str()) {
            _ if is_lost => ("404 Not Found".into(), String::new()),
            (_, Some("initialize")) => {
                let (head, body) = json_answer(&message, json!({ "protocolVersion": "2025-11-25" }));
                (format!("{head}\r\nmcp-session-id: {id}"), body)
            }
            ("GET", _) => {
                streams.1.push((id.clone(), request.header("last-event-id").map(str::to_owned)));
                let count = streams.1.len();
                match count {
                    2 => ("503 Service Unavailable".into(), String::new()),
                    _ => {
                        let said = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "count": count } });
                        (STREAM.into(), format!("retry: 1\nid: e{count}\ndata: {said}\n\n"))
                    }
                }
            }
            (_, Some("lose")) => {
                streams.0 = 2;
                ("202 Accepted".into(), String::new())
            }
            (_, Some("tools/list")) => json_answer(&message, json!({ "tools": [] })),
            _ => ("202 Accepted".into(), String::new()),
        }
    });
    let mut client = Client::start(&place, &[&server]);
    client.initialize();
    for count in [1, 3, 4] {
        assert_eq!(client.receive()["params"]["count"], count);
    }
    client.send(&json!({ "jsonrpc": "2.0", "method": "lose" }));
    // The session is lost, and with it the stream, until a request finds out.
    while streams.lock().unwrap().0 == 1 {
        std::thread::yield_now();
    }
    client.request(1, "tools/list", json!({}));
    let answered = |message: &Value| message["id"] == 1;
    while !answered(&client.receive()) {}
    while !streams.lock().unwrap().1.iter().any(|(session, _)| session == "s2") {
        client.receive();
    }
    client.end();
    let asked = streams.lock().unwrap().1.clone();
    let from: Vec<Option<&str>> = asked.iter().take(4).map(|(_, from)| from.as_deref()).collect();
    assert_eq!(from, [None, Some("e1"), Some("e1"), Some("e3")]);
    let first = asked.iter().find(|(session, _)| session == "s2").unwrap();
    assert_eq!(first.1, None, "events of one session are none of another");
}

#[test]
fn a_request_that_was_cancelled_is_not_taken_up_again() {
    let place = Place::new();
    let gets = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&gets);
    let server = raw(move |request| {
        let message: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let begun = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": {} });
        match (request.method.as_str(), message["method"].as_str()) {
            ("GET", _) => {
                *seen.lock().unwrap() += 1;
                (STREAM.into(), "id: e2\ndata:\n\n".into())
            }
            // The pause that it demands is longer than any test.
            (_, Some("tools/call")) => (STREAM.into(), format!("retry: 600000\nid: e1\ndata: {begun}\n\n")),
            _ => ("202 Accepted".into(), String::new()),
        }
    });
    let mut client = Client::start(&place, &[&server]);
    client.request(1, "tools/call", json!({ "name": "slow" }));
    assert_eq!(client.receive()["method"], "notifications/progress");
    client.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } }),
    );
    assert_eq!(client.end(), [Value::Null; 0], "a cancelled request has no answer");
    assert_eq!(*gets.lock().unwrap(), 0);
}

#[test]
fn a_refusal_of_an_unread_request_is_its_answer() {
    let place = Place::new();
    let server = raw(|_| {
        let error =
            json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": "no session" } });
        ("400 Bad Request\r\ncontent-type: application/json".into(), error.to_string())
    });
    let mut client = Client::start(&place, &[&server]);
    client.request(5, "tools/list", json!({}));
    let answer = client.receive();
    assert_eq!((&answer["id"], &answer["error"]["message"]), (&json!(5), &json!("no session")));
    assert_eq!(client.end(), [Value::Null; 0]);
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
    // The second session is listened to beside the calls: its GET comes when it comes.
    let ends: Vec<_> = methods.iter().filter(|method| *method != "GET").collect();
    assert_eq!(*ends.last().unwrap(), "DELETE", "the session is ended: {methods:?}");
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
