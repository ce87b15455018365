//! Recorded flows: every input and output of an engine as a line of JSON, to be replayed byte for byte.

use grantor::client::{CallId, Config, Engine, Output, RequestHead, ResponseHead, Verdict};
use grantor::error::{Failure, FailureKind};
use grantor::wire::HttpResponse;
use grantor::{Completion, Effect, Interaction, Now, OpId, RecordRevision, Stored};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::Answered;

/// Inputs and outputs in order.
#[derive(Clone, Debug, Default)]
pub struct Recording(Vec<Value>);

/// An input of an engine.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Input {
    Authorize { url: String, tool: String },
    Callback { url: String },
    Complete { op: u64, with: Value },
    Entropy { bytes: Vec<u8> },
    Report { call: u64, status: u16, headers: Value },
    Restart,
    Timeout,
}

impl Input {
    pub(crate) fn complete(op: OpId, completion: &Completion<'_>) -> Self {
        Self::Complete { op: op.to_u64(), with: completion_to_json(completion) }
    }

    pub(crate) fn report(call: CallId, answer: &Answered) -> Self {
        let headers = headers_to_json(answer.headers());
        Self::Report { call: call.to_u64(), status: answer.status().as_u16(), headers }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Authorize { url, tool } => json!({ "authorize": url, "tool": tool }),
            Self::Callback { url } => json!({ "callback": url }),
            Self::Complete { op, with } => json!({ "complete": op, "with": with }),
            Self::Entropy { bytes } => json!({ "entropy": bytes }),
            Self::Report { call, status, headers } => {
                json!({ "report": call, "status": status, "headers": headers })
            }
            Self::Restart => json!("restart"),
            Self::Timeout => json!("timeout"),
        }
    }
}

impl Recording {
    pub(crate) fn input(&mut self, now: Now, input: &Input) {
        self.0.push(json!({ "at": [now.mono_ms, now.unix_s], "in": input.to_json() }));
    }

    pub(crate) fn output(&mut self, output: &Output) {
        self.0.push(json!({ "out": output_to_json(output) }));
    }

    /// The lines.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Reads lines.
    ///
    /// # Panics
    /// When one is not JSON.
    pub fn from_text(text: &str) -> Self {
        Self(text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
    }

    /// Gives the inputs to a fresh engine; the lines that come of it, outputs where they arise.
    ///
    /// # Panics
    /// When an input is malformed, or the engine does not accept it.
    pub fn replay(&self, config: &Config) -> Self {
        let new = || Engine::new(config.clone()).expect("a good configuration");
        let mut engine = new();
        let mut lines = Self::default();
        for line in &self.0 {
            let Some(input) = line.get("in") else { continue };
            let number = |index: usize| line["at"][index].as_u64().expect("a time");
            let now = Now::new(number(0), number(1));
            lines.0.push(line.clone());
            if input == "restart" {
                engine = new();
            } else {
                feed(&mut engine, now, input);
            }
            while let Some(output) = engine.poll_output() {
                lines.output(&output);
            }
        }
        lines
    }

    /// The lines with outputs moved to the input that caused them: recordings drain one output at a time
    /// and answer in between, replays drain all at once.
    pub fn outputs(&self) -> Vec<&Value> {
        self.0.iter().filter_map(|line| line.get("out")).collect()
    }
}

fn feed(engine: &mut Engine, now: Now, input: &Value) {
    if let Some(url) = input["authorize"].as_str() {
        let mut headers = HeaderMap::new();
        headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
        let tool = input["tool"].as_str().expect("a tool");
        headers.insert("mcp-name", HeaderValue::from_str(tool).expect("a header"));
        engine
            .authorize(now, RequestHead::new("POST", url).headers(&headers))
            .expect("a request to the resource");
    } else if let Some(url) = input["callback"].as_str() {
        engine.callback(now, url);
    } else if let Some(op) = input["complete"].as_u64() {
        complete(engine, now, OpId::from_u64(op), &input["with"]);
    } else if let Some(bytes) = input["entropy"].as_array() {
        let bytes: Vec<u8> = bytes.iter().map(|byte| byte.as_u64().expect("a byte") as u8).collect();
        engine.add_entropy(now, &bytes);
    } else if let Some(call) = input["report"].as_u64() {
        let headers = headers_from_json(&input["headers"]);
        let status = input["status"].as_u64().expect("a status") as u16;
        let head = ResponseHead { status, headers: &headers };
        engine.report(now, CallId::from_u64(call), head).expect("the call was sent");
    } else {
        assert_eq!(input, "timeout");
        engine.handle_timeout(now);
    }
}

fn complete(engine: &mut Engine, now: Now, op: OpId, with: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (headers, body) = (headers_from_json(&with["headers"]), text(&with["body"]));
    let (redirect_uri, url, detail) =
        (text(&with["listening"]), text(&with["callback"]), text(&with["failed"]));
    let record = text(&with["record"]);
    let completion = match with.as_str() {
        Some("approved") => Completion::Approved,
        Some("conflict") => Completion::Conflict,
        Some("declined") => Completion::Declined,
        Some("deleted") => Completion::Deleted,
        Some("nothing") => Completion::Loaded(None),
        _ if with.get("listening").is_some() => Completion::Listening { redirect_uri: &redirect_uri },
        _ if with.get("callback").is_some() => Completion::Callback { url: &url },
        _ if with.get("failed").is_some() => Completion::Failed(Failure::new(FailureKind::Other, &detail)),
        _ if with.get("saved").is_some() => Completion::Saved(revision_from_json(&with["saved"])),
        _ if with.get("record").is_some() => Completion::Loaded(Some(Stored {
            record: record.as_bytes(),
            revision: revision_from_json(&with["revision"]),
        })),
        _ => Completion::Http(HttpResponse {
            status: with["status"].as_u64().expect("a status") as u16,
            headers: &headers,
            body: body.as_bytes(),
        }),
    };
    engine.complete(now, op, completion).expect("the answer fits the effect");
}

fn completion_to_json(completion: &Completion<'_>) -> Value {
    match completion {
        Completion::Approved => json!("approved"),
        Completion::Callback { url } => json!({ "callback": url }),
        Completion::Conflict => json!("conflict"),
        Completion::Declined => json!("declined"),
        Completion::Deleted => json!("deleted"),
        Completion::Failed(failure) => json!({ "failed": failure.detail }),
        Completion::Http(response) => json!({
            "status": response.status,
            "headers": headers_to_json(response.headers),
            "body": String::from_utf8_lossy(response.body),
        }),
        Completion::Listening { redirect_uri } => json!({ "listening": redirect_uri }),
        Completion::Loaded(None) => json!("nothing"),
        Completion::Loaded(Some(stored)) => json!({
            "record": String::from_utf8_lossy(stored.record),
            "revision": revision_to_json(stored.revision),
        }),
        Completion::Saved(revision) => json!({ "saved": revision_to_json(*revision) }),
        other => panic!("{other:?}"),
    }
}

fn output_to_json(output: &Output) -> Value {
    match output {
        Output::Abandon { op } => json!({ "abandon": op.to_u64() }),
        Output::Call { call, verdict } => {
            let verdict = match verdict {
                Verdict::Send(credentials) => {
                    let headers: Vec<_> = credentials
                        .iter()
                        .map(|(name, value)| json!([name.as_str(), value.to_str().expect("text")]))
                        .collect();
                    json!({ "send": headers })
                }
                Verdict::Fail(error) => json!({ "fail": error.to_string() }),
                other => json!(format!("{other:?}")),
            };
            json!({ "call": call.to_u64(), "verdict": verdict })
        }
        Output::NeedEntropy { len } => json!({ "need_entropy": len }),
        Output::Notice(notice) => json!({ "notice": notice.to_string() }),
        Output::Perform { op, deadline_ms, effect, why } => json!({
            "perform": op.to_u64(),
            "deadline": deadline_ms,
            "effect": effect_to_json(effect),
            "why": why,
        }),
        other => panic!("{other:?}"),
    }
}

fn effect_to_json(effect: &Effect) -> Value {
    let revision = |revision: &Option<RecordRevision>| revision.map(revision_to_json);
    match effect {
        Effect::Delete { key, expect } => {
            json!({ "delete": key.to_string(), "expect": revision_to_json(*expect) })
        }
        Effect::Http { request, max_body } => json!({
            "http": format!("{} {}", request.method, request.url),
            "headers": headers_to_json(&request.headers),
            "body": request.body.expose(),
            "max_body": max_body,
        }),
        Effect::Interact(Interaction::Approve(summary)) => json!({ "approve": format!("{summary:?}") }),
        Effect::Interact(Interaction::Authorize(prompt)) => json!({
            "authorize": prompt.url.as_str(),
            "redirect_uri": prompt.redirect_uri,
            "resumed": prompt.resumed,
        }),
        Effect::Interact(Interaction::Listen { preferred }) => json!({ "listen": preferred }),
        Effect::Load { key } => json!({ "load": key.to_string() }),
        Effect::Save { key, record, expect, .. } => json!({
            "save": key.to_string(),
            "record": record.expose(),
            "expect": revision(expect),
        }),
        other => panic!("{other:?}"),
    }
}

fn headers_to_json(headers: &HeaderMap) -> Value {
    // `User-Agent` holds the version, and a release changes no flow.
    let told = headers.iter().filter(|(name, _)| *name != http::header::USER_AGENT);
    told.map(|(name, value)| json!([name.as_str(), value.to_str().expect("text")])).collect()
}

fn headers_from_json(headers: &Value) -> HeaderMap {
    let pairs = headers.as_array().into_iter().flatten().map(|pair| {
        let text = |index: usize| pair[index].as_str().expect("text");
        (HeaderName::from_bytes(text(0).as_bytes()).expect("a name"), text(1).parse().expect("a value"))
    });
    pairs.collect()
}

fn revision_to_json(revision: RecordRevision) -> Value {
    json!(u128::from_be_bytes(revision.0) as u64)
}

fn revision_from_json(revision: &Value) -> RecordRevision {
    RecordRevision::from_counter(revision.as_u64().expect("a counter").into())
}
