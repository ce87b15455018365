//! One process: an engine, its calls, and the effects that are under way.

use grantor::client::{CallId, Config, Engine, Output, RequestHead, ResponseHead, Verdict};
use grantor::error::{Failure, FailureKind};
use grantor::wire::HttpResponse;
use grantor::{Completion, Effect, Interaction, Now, OpId, Stored};
use http::{HeaderMap, Method, StatusCode};

use super::{Fate, Sim};
use crate::mcp_server::tool_call;
use crate::store::Written;
use crate::{Answered, Asked, asked, header};

/// An engine and what it waits for.
pub(super) struct Process {
    pub(super) engine: Engine,
    redirect_uri: String,
    calls: Vec<Call>,
    work: Vec<Work>,
    pages: Vec<(OpId, String)>,
    settled: Vec<OpId>,
}

struct Call {
    id: CallId,
    request: Asked,
    sends: u8,
}

/// Something that can happen next: an effect, or a call on the wire.
enum Work {
    /// Until when somebody waits for it is with it; the answer may come later all the same.
    Effect(OpId, Effect, u64),
    Sent(CallId, Asked),
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process")
            .field("engine", &self.engine)
            .field("calls", &self.calls.len())
            .field("work", &self.work.len())
            .finish_non_exhaustive()
    }
}

impl Process {
    pub(super) fn new(config: Config, n: usize) -> Self {
        Self {
            engine: Engine::new(config).expect("a good configuration"),
            redirect_uri: format!("http://127.0.0.1:{}/callback", 40_000 + n),
            calls: Vec::new(),
            work: Vec::new(),
            pages: Vec::new(),
            settled: Vec::new(),
        }
    }

    pub(super) fn restart(&mut self, sim: &mut Sim) {
        sim.model.restarted(&self.redirect_uri);
        sim.tell(|| format!("{} restarts", self.redirect_uri));
        self.engine = Engine::new(self.engine.config().clone()).expect("the same configuration");
        self.calls.clear();
        self.work.clear();
        self.pages.clear();
        self.settled.clear();
    }

    pub(super) fn has_work(&self) -> bool {
        !self.work.is_empty()
    }

    pub(super) fn has_page(&self) -> bool {
        !self.pages.is_empty()
    }

    pub(super) fn has_open_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    pub(super) fn begin(&mut self, sim: &mut Sim, tool: &str) {
        if self.calls.len() >= 32 {
            return;
        }
        let mut request = Asked::new(tool_call(tool));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = sim.world.mcp.resource.parse().expect("a URI");
        let headers: &mut HeaderMap = request.headers_mut();
        headers.insert("mcp-method", "tools/call".parse().expect("a header"));
        headers.insert("mcp-name", tool.parse().expect("a header"));
        let url = sim.world.mcp.resource.clone();
        let head = RequestHead::new("POST", &url).headers(request.headers());
        let id = self.engine.authorize(sim.now, head).expect("a request to the resource");
        self.calls.push(Call { id, request, sends: 0 });
        sim.model.calls += 1;
    }

    pub(super) fn cancel(&mut self, which: usize) {
        if self.calls.is_empty() {
            return;
        }
        let call = self.calls.remove(which % self.calls.len());
        self.engine.cancel(call.id);
        self.work.retain(|work| !matches!(work, Work::Sent(id, _) if *id == call.id));
    }

    /// Logs in or out, or forgets.
    pub(super) fn open(&mut self, sim: &mut Sim, what: impl FnOnce(&mut Engine, Now) -> CallId) {
        if self.calls.len() >= 32 {
            return;
        }
        let call = what(&mut self.engine, sim.now);
        sim.tell(|| format!("{} opens {call:?}", self.redirect_uri));
        sim.model.calls += 1;
        self.calls.push(Call { id: call, request: Asked::default(), sends: 0 });
    }

    /// A callback out of nowhere.
    pub(super) fn forge(&mut self, sim: &mut Sim, url: &str) {
        self.open(sim, |engine, now| engine.callback(now, url));
    }

    /// Answers an effect that was answered before.
    pub(super) fn repeat(&mut self, sim: &mut Sim, which: usize) {
        if !self.settled.is_empty() {
            let op = self.settled[which % self.settled.len()];
            let outcome = self.engine.complete(sim.now, op, Completion::Approved);
            assert_eq!(outcome, Ok(()), "an answer to a settled effect is ignored");
        }
    }

    /// The user answers an open page.
    pub(super) fn answer_page(&mut self, sim: &mut Sim, which: usize) {
        if self.pages.is_empty() {
            return;
        }
        let (op, url) = self.pages.remove(which % self.pages.len());
        let mut request = Asked::default();
        *request.uri_mut() = url.parse().expect("a URI");
        let answer = sim.world.answer(sim.now.unix_s, &request);
        let back = match answer.status() {
            StatusCode::FOUND => header(answer.headers(), "location").unwrap_or_default().to_owned(),
            // An error page, such as for a client that the server has forgotten: the user gives up.
            _ => return self.complete(sim, op, Completion::Declined),
        };
        self.complete(sim, op, Completion::Callback { url: &back });
    }

    /// Lets something that is under way happen.
    pub(super) fn perform(&mut self, sim: &mut Sim, which: usize, fate: Fate) {
        if self.work.is_empty() {
            return;
        }
        match self.work.remove(which % self.work.len()) {
            Work::Sent(id, request) => self.answer_call(sim, id, &request, fate),
            Work::Effect(op, effect, _) => match fate {
                Fate::Failed(kind) => self.fail(sim, op, kind),
                Fate::Lost(kind) => {
                    sim.model.disturbed = true;
                    lose(sim, effect);
                    self.fail(sim, op, kind);
                }
                Fate::Answered(answer) => self.answer_falsely(sim, op, &effect, &answer),
                Fate::Performed => self.perform_effect(sim, op, effect),
            },
        }
    }

    fn answer_call(&mut self, sim: &mut Sim, id: CallId, request: &Asked, fate: Fate) {
        let answer = match fate {
            Fate::Performed => sim.world.answer(sim.now.unix_s, request),
            Fate::Answered(answer) => answer,
            Fate::Lost(_) | Fate::Failed(_) => {
                self.engine.cancel(id);
                self.calls.retain(|call| call.id != id);
                return;
            }
        };
        let head = ResponseHead { status: answer.status().as_u16(), headers: answer.headers() };
        self.engine.report(sim.now, id, head).expect("the call was sent");
    }

    fn answer_falsely(&mut self, sim: &mut Sim, op: OpId, effect: &Effect, answer: &Answered) {
        match effect {
            Effect::Http { .. } => self.respond(sim, op, answer),
            Effect::Interact(Interaction::Listen { .. }) => {
                self.complete(sim, op, Completion::Listening { redirect_uri: "http://evil.example.com/" });
            }
            Effect::Interact(_) => self.complete(sim, op, Completion::Declined),
            Effect::Load { .. } => {
                sim.model.store_lied = true;
                let revision = grantor::RecordRevision::from_counter(u128::MAX);
                self.complete(sim, op, Completion::Loaded(Some(Stored { record: b"garbage", revision })));
            }
            _ => self.complete(sim, op, Completion::Conflict),
        }
    }

    fn perform_effect(&mut self, sim: &mut Sim, op: OpId, effect: Effect) {
        match effect {
            Effect::Http { request, .. } => {
                let answer = sim.world.answer(sim.now.unix_s, &asked(&request));
                self.respond(sim, op, &answer);
            }
            Effect::Interact(Interaction::Listen { .. }) => {
                let redirect_uri = self.redirect_uri.clone();
                self.complete(sim, op, Completion::Listening { redirect_uri: &redirect_uri });
            }
            Effect::Interact(Interaction::Approve(_)) => self.complete(sim, op, Completion::Approved),
            Effect::Interact(Interaction::Authorize(prompt)) => {
                self.pages.push((op, prompt.url.as_str().to_owned()));
            }
            _ if sim.store.broken => self.fail(sim, op, FailureKind::Other),
            Effect::Load { key } => {
                let stored = sim.store.load(&key);
                let stored = stored.as_ref().map(|(record, revision)| Stored { record, revision: *revision });
                self.complete(sim, op, Completion::Loaded(stored));
            }
            Effect::Save { key, record, expect, .. } => match sim.store.save(&key, &record, expect) {
                Written::Saved(revision) => {
                    sim.model.saved(&key, &record);
                    self.complete(sim, op, Completion::Saved(revision));
                }
                Written::Conflict => self.complete(sim, op, Completion::Conflict),
            },
            Effect::Delete { key, expect } => {
                let done = sim.store.delete(&key, expect);
                self.complete(sim, op, if done { Completion::Deleted } else { Completion::Conflict });
            }
            _ => {}
        }
    }

    fn respond(&mut self, sim: &mut Sim, op: OpId, answer: &Answered) {
        let (status, headers, body) = (answer.status().as_u16(), answer.headers(), answer.body());
        self.complete(sim, op, Completion::Http(HttpResponse { status, headers, body }));
    }

    fn fail(&mut self, sim: &mut Sim, op: OpId, kind: FailureKind) {
        self.complete(sim, op, Completion::Failed(Failure::new(kind, "simulated")));
    }

    fn complete(&mut self, sim: &mut Sim, op: OpId, completion: Completion<'_>) {
        sim.tell(|| format!("{} {op:?}: {completion:?}", self.redirect_uri));
        sim.model.answered(op, self.redirect_uri.as_str());
        self.engine.complete(sim.now, op, completion).expect("the answer fits the effect");
        if self.settled.len() < 64 {
            self.settled.push(op);
        }
    }

    /// Takes the outputs, and checks each.
    pub(super) fn drain(&mut self, sim: &mut Sim) {
        let mut outputs = 0;
        while let Some(output) = self.engine.poll_output() {
            outputs += 1;
            assert!(outputs < 1_000, "outputs without end");
            sim.model.check_silence(&output);
            sim.tell(|| format!("{}: {output:?}", self.redirect_uri));
            match output {
                Output::Abandon { op } => {
                    self.pages.retain(|(open, _)| *open != op);
                    self.work.retain(|work| !matches!(work, Work::Effect(open, ..) if *open == op));
                    sim.model.answered(op, &self.redirect_uri);
                }
                Output::Call { call, verdict } => self.on_verdict(sim, call, verdict),
                Output::NeedEntropy { len } => {
                    sim.entropy += 1;
                    let bytes: Vec<u8> = (0..len as u64).map(|n| (sim.entropy * 31 + n * 7) as u8).collect();
                    self.engine.add_entropy(sim.now, &bytes);
                }
                Output::Perform { op, effect, deadline_ms, .. } => {
                    sim.model.check_effect(op, &self.redirect_uri, &effect);
                    self.work.push(Work::Effect(op, effect, deadline_ms));
                    let late =
                        |work: &&Work| matches!(work, Work::Effect(.., until) if *until <= sim.now.mono_ms);
                    let late = self.work.iter().filter(late).count();
                    assert!(self.work.len() - late <= 48, "effects pile up");
                }
                _ => {}
            }
        }
        sim.model.check_engine(&self.engine);
    }

    fn on_verdict(&mut self, sim: &mut Sim, id: CallId, verdict: Verdict) {
        let index = self.calls.iter().position(|call| call.id == id).expect("verdicts are for open calls");
        match verdict {
            Verdict::Send(credentials) => {
                self.calls[index].sends += 1;
                assert!(self.calls[index].sends <= grantor::limits::SENDS_PER_CALL, "sent without end");
                let mut request = self.calls[index].request.clone();
                credentials.apply(request.headers_mut());
                sim.model.check_credentials(&request);
                self.work.push(Work::Sent(id, request));
            }
            Verdict::Deliver => {
                sim.model.delivered += 1;
                self.calls.remove(index);
            }
            _ => {
                self.calls.remove(index);
            }
        }
    }
}

/// Does what is asked for, and tells nobody.
fn lose(sim: &mut Sim, effect: Effect) {
    match effect {
        Effect::Http { request, .. } => drop(sim.world.answer(sim.now.unix_s, &asked(&request))),
        _ if sim.store.broken => {}
        Effect::Save { key, record, expect, .. } => {
            if let Written::Saved(_) = sim.store.save(&key, &record, expect) {
                sim.model.saved(&key, &record);
            }
        }
        Effect::Delete { key, expect } => {
            sim.store.delete(&key, expect);
        }
        _ => {}
    }
}
