//! A flow whose inputs are known beforehand, so that nothing but the engine is measured.

use grantor::client::{CallId, Config, Engine, Output, RequestHead, ResponseHead};
use grantor::wire::HttpResponse;
use grantor::{Completion, Now, OpId, RecordRevision};
use grantor_world::player::{Player, config};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// The cold flow: nothing stored, nothing known, until the response to the authorized call is delivered.
#[derive(Debug)]
pub struct Flow {
    config: Config,
    steps: Vec<(Now, Step)>,
    headers: HeaderMap,
}

#[derive(Debug)]
enum Step {
    Approved(OpId),
    Authorize { url: String },
    Callback { op: OpId, url: String },
    Deleted(OpId),
    Entropy(Vec<u8>),
    Http { op: OpId, status: u16, headers: HeaderMap, body: String },
    Listening { op: OpId, redirect_uri: String },
    LoadedNothing(OpId),
    Report { call: CallId, status: u16, headers: HeaderMap },
    Saved { op: OpId, revision: RecordRevision },
}

impl Flow {
    /// Plays it once against the world in memory, and keeps the answers.
    ///
    /// # Panics
    /// When the flow does not succeed.
    pub fn cold() -> Self {
        let mut player = Player::new(config());
        player.record();
        player.call("ping").delivered();
        let text = player.recording.take().expect("a recording").to_text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let steps = lines.filter_map(|line| Some((now(&line["at"]), step(line.get("in")?)))).collect();
        Self { config: player.engine.config().clone(), steps, headers: headers_of_a_call() }
    }

    /// The configuration of the engine.
    pub fn config(&self) -> Config {
        self.config.clone()
    }

    /// The flow, with the peers in memory as well.
    ///
    /// # Panics
    /// When the flow does not succeed.
    pub fn with_peers(mut player: Player) -> Player {
        player.call("ping").delivered();
        player
    }

    /// The flow through a new engine, which is authorized and idle then.
    ///
    /// # Panics
    /// When the engine asks for something else than it did when the answers were collected.
    pub fn play(&self, config: Config) -> Engine {
        let mut engine = Engine::new(config).expect("a good configuration");
        let mut outputs = 0;
        for (now, step) in &self.steps {
            self.feed(&mut engine, *now, step);
            while let Some(output) = engine.poll_output() {
                outputs += u32::from(!matches!(output, Output::Notice(_)));
            }
        }
        assert!(outputs >= 10, "the flow went through");
        engine
    }

    /// A request with a valid token, from the question whether it may be sent to the delivery of its
    /// response.
    ///
    /// # Panics
    /// When the engine does not send it at once.
    pub fn warm(&self, engine: &mut Engine, request: &mut HeaderMap, response: &HeaderMap) {
        use grantor::client::Verdict;
        let now = Now::new(2_000, 1_800_000_001);
        let head = RequestHead::new("POST", "https://mcp.example.com/mcp").headers(&self.headers);
        let call = engine.authorize(now, head).expect("a request to the resource");
        let Some(Output::Call { verdict: Verdict::Send(credentials), .. }) = engine.poll_output() else {
            panic!("not sent")
        };
        assert!(!credentials.is_empty());
        credentials.apply(request);
        engine.report(now, call, ResponseHead { status: 200, headers: response }).expect("it was sent");
        let delivered = engine.poll_output();
        assert!(matches!(delivered, Some(Output::Call { verdict: Verdict::Deliver, .. })));
    }

    fn feed(&self, engine: &mut Engine, now: Now, step: &Step) {
        let (op, completion) = match step {
            Step::Authorize { url } => {
                let head = RequestHead::new("POST", url).headers(&self.headers);
                engine.authorize(now, head).expect("a request to the resource");
                return;
            }
            Step::Entropy(bytes) => return engine.add_entropy(now, bytes),
            Step::Report { call, status, headers } => {
                let head = ResponseHead { status: *status, headers };
                return engine.report(now, *call, head).expect("the call was sent");
            }
            Step::Approved(op) => (op, Completion::Approved),
            Step::Callback { op, url } => (op, Completion::Callback { url }),
            Step::Deleted(op) => (op, Completion::Deleted),
            Step::Http { op, status, headers, body } => {
                (op, Completion::Http(HttpResponse { status: *status, headers, body: body.as_bytes() }))
            }
            Step::Listening { op, redirect_uri } => (op, Completion::Listening { redirect_uri }),
            Step::LoadedNothing(op) => (op, Completion::Loaded(None)),
            Step::Saved { op, revision } => (op, Completion::Saved(*revision)),
        };
        engine.complete(now, *op, completion).expect("the answer fits the effect");
    }
}

fn now(at: &Value) -> Now {
    let number = |index: usize| at[index].as_u64().unwrap_or_default();
    Now::new(number(0), number(1))
}

/// A line of a recording.
fn step(input: &Value) -> Step {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    if let Some(url) = input["authorize"].as_str() {
        return Step::Authorize { url: url.into() };
    }
    if let Some(bytes) = input["entropy"].as_array() {
        return Step::Entropy(bytes.iter().map(|byte| byte.as_u64().expect("a byte") as u8).collect());
    }
    if let Some(call) = input["report"].as_u64() {
        let status = input["status"].as_u64().expect("a status") as u16;
        return Step::Report { call: CallId::from_u64(call), status, headers: headers(&input["headers"]) };
    }
    let op = OpId::from_u64(input["complete"].as_u64().expect("an answer to an effect"));
    let with = &input["with"];
    match with.as_str() {
        Some("approved") => Step::Approved(op),
        Some("deleted") => Step::Deleted(op),
        Some("nothing") => Step::LoadedNothing(op),
        Some(other) => panic!("{other}"),
        None if with["listening"].is_string() => {
            Step::Listening { op, redirect_uri: text(&with["listening"]) }
        }
        None if with["callback"].is_string() => Step::Callback { op, url: text(&with["callback"]) },
        None if with["saved"].is_u64() => {
            let revision = RecordRevision::from_counter(with["saved"].as_u64().unwrap_or_default().into());
            Step::Saved { op, revision }
        }
        None => {
            let status = with["status"].as_u64().expect("a status") as u16;
            Step::Http { op, status, headers: headers(&with["headers"]), body: text(&with["body"]) }
        }
    }
}

fn headers(pairs: &Value) -> HeaderMap {
    let pairs = pairs.as_array().into_iter().flatten().map(|pair| {
        let text = |index: usize| pair[index].as_str().expect("text");
        (HeaderName::from_bytes(text(0).as_bytes()).expect("a name"), text(1).parse().expect("a value"))
    });
    pairs.collect()
}

fn headers_of_a_call() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
    headers.insert("mcp-name", HeaderValue::from_static("ping"));
    headers
}
