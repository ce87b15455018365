//! Plays an engine against the world: performs its effects, sends its calls, moves the clock.

use grantor::client::{
    CallId, Config, ConfigError, Engine, Notice, Output, RequestHead, ResponseHead, Verdict,
};
use grantor::error::{ErrorReport, Failure, FailureKind};
use grantor::jose::SigningKey;
use grantor::wire::HttpResponse;
use grantor::wire::client_metadata::ClientMetadata;
use grantor::wire::token::TokenTypeUri;
use grantor::{AssertionRequest, Completion, Effect, Error, Interaction, Now, OpId, Stored};
use http::{HeaderMap, Method, StatusCode};

use crate::mcp_server::tool_call;
use crate::recording::{Input, Recording};
use crate::store::Written;
use crate::{Answered, Asked, MemoryStore, World, asked, header};

/// How a call ended.
#[derive(Debug)]
pub enum Outcome {
    /// The resource's response.
    Delivered(Answered),
    /// The callback was accepted.
    Done,
    /// Without.
    Failed(Box<ErrorReport>),
}

impl Outcome {
    /// The response.
    ///
    /// # Panics
    /// When there is none.
    pub fn delivered(self) -> Answered {
        match self {
            Self::Delivered(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// The error.
    ///
    /// # Panics
    /// When there is none.
    pub fn failed(self) -> Error {
        match self {
            Self::Failed(report) => report.error,
            other => panic!("{other:?}"),
        }
    }

    /// The error with what was asked, what came, and what to do.
    ///
    /// # Panics
    /// When there is none.
    pub fn report(self) -> ErrorReport {
        match self {
            Self::Failed(report) => *report,
            other => panic!("{other:?}"),
        }
    }
}

/// What the user's side does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// Approves questions and follows pages.
    Agrees,
    /// Declines everything.
    Declines,
    /// Does not approve questions, but follows pages.
    DoesNotApprove,
    /// Leaves pages open.
    Leaves,
}

/// An engine and its surroundings.
#[derive(Debug)]
pub struct Player {
    /// The engine.
    pub engine: Engine,
    /// The servers.
    pub world: World,
    /// The store.
    pub store: MemoryStore,
    /// The clock.
    pub now: Now,
    /// The user.
    pub user: User,
    /// Everything that the engine has said, for leak tests: as `Debug` and as text.
    pub said: Vec<String>,
    /// The notices.
    pub notices: Vec<Notice>,
    /// The prompts that were shown: their summaries, and whether they were pages.
    pub prompts: Vec<Interaction>,
    /// Pages that the user left open.
    pub open: Vec<(OpId, String)>,
    /// Effects that are held back, when `holding` says so.
    pub held: Vec<(OpId, Effect)>,
    /// Which effects to hold back.
    pub holding: Option<fn(&Effect) -> bool>,
    /// What went in and came out, when [`record`](Self::record) was called.
    pub recording: Option<Recording>,
    /// What the host has to say about the user or the workload.
    pub assertion: Option<(String, TokenTypeUri)>,
    /// What it was asked for.
    pub assertions_asked: Vec<AssertionRequest>,
    /// The key that the host keeps, by name.
    pub signer: (String, SigningKey),
    /// How often it has signed.
    pub signatures: u64,
    calls: Vec<(CallId, Asked)>,
    answers: Vec<(CallId, Answered)>,
    outcomes: Vec<(CallId, Outcome)>,
    /// Where the entropy goes on: the same for every player, unless it is set apart.
    pub entropy: u8,
    /// The redirect URI that the receiver takes; with the preferred one when `None`.
    pub redirect_uri: String,
}

/// A configuration for the world's MCP server.
///
/// # Panics
/// Never: the world's resource is a good one.
pub fn config() -> Config {
    Config::new("https://mcp.example.com/mcp", ClientMetadata::named("Player")).expect("a good resource")
}

impl Player {
    /// A player for the usual world.
    ///
    /// # Panics
    /// When the configuration is refused.
    pub fn new(config: Config) -> Self {
        Self::in_world(World::new(), config).expect("a good configuration")
    }

    /// A player in this world.
    ///
    /// # Errors
    /// When the configuration is refused.
    pub fn in_world(world: World, config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            engine: Engine::new(config)?,
            world,
            store: MemoryStore::default(),
            now: Now::new(1_000, 1_800_000_000),
            user: User::Agrees,
            said: Vec::new(),
            notices: Vec::new(),
            prompts: Vec::new(),
            open: Vec::new(),
            held: Vec::new(),
            holding: None,
            recording: None,
            assertion: None,
            assertions_asked: Vec::new(),
            signer: ("kms/1".into(), crate::grants::signing_key()),
            signatures: 0,
            calls: Vec::new(),
            answers: Vec::new(),
            outcomes: Vec::new(),
            entropy: 0,
            redirect_uri: "http://127.0.0.1:49152/callback".into(),
        })
    }

    /// Records from here on.
    pub fn record(&mut self) {
        self.recording = Some(Recording::default());
    }

    fn note(&mut self, input: impl FnOnce(Now) -> Input) {
        let now = self.now;
        if let Some(recording) = &mut self.recording {
            recording.input(now, &input(now));
        }
    }

    /// Throws the engine away and starts another one on the same store, as a new process would.
    ///
    /// # Panics
    /// When the configuration is refused.
    pub fn restart(&mut self) {
        self.note(|_| Input::Restart);
        self.restart_with(self.engine.config().clone());
    }

    /// The same with another configuration.
    ///
    /// # Panics
    /// When the configuration is refused.
    pub fn restart_with(&mut self, config: Config) {
        self.engine = Engine::new(config).expect("a good configuration");
        self.calls.clear();
        self.answers.clear();
        self.outcomes.clear();
        self.open.clear();
        self.held.clear();
    }

    /// Moves both clocks.
    pub fn wait_s(&mut self, seconds: u64) {
        self.now = self.now.plus_ms(seconds * 1000);
        self.note(|_| Input::Timeout);
        self.engine.handle_timeout(self.now);
        self.run();
    }

    /// Calls a tool and plays until nothing moves.
    ///
    /// # Panics
    /// When the call has not ended by then.
    pub fn call(&mut self, tool: &str) -> Outcome {
        let call = self.begin(tool);
        self.run();
        self.outcome(call).unwrap_or_else(|| panic!("the call of {tool} is stuck: {:?}", self.engine))
    }

    /// Calls a tool as clients of older revisions do, with no header that names it.
    ///
    /// # Panics
    /// When the call has not ended by then.
    pub fn call_unnamed(&mut self, tool: &str) -> Outcome {
        let call = self.begin_with(tool, HeaderMap::new());
        self.run();
        self.outcome(call).unwrap_or_else(|| panic!("the call of {tool} is stuck: {:?}", self.engine))
    }

    /// Begins to call a tool.
    ///
    /// # Panics
    /// When the engine refuses the request.
    pub fn begin(&mut self, tool: &str) -> CallId {
        let mut headers = HeaderMap::new();
        headers.insert("mcp-method", "tools/call".parse().expect("a header"));
        headers.insert("mcp-name", tool.parse().expect("a header"));
        self.begin_with(tool, headers)
    }

    fn begin_with(&mut self, tool: &str, headers: HeaderMap) -> CallId {
        let url = self.world.mcp.resource.clone();
        let head = RequestHead::new("POST", &url).headers(&headers);
        self.note(|_| Input::Authorize { url: url.clone(), tool: tool.into() });
        let call = self.engine.authorize(self.now, head).expect("a request to the resource");
        let mut request = Asked::new(tool_call(tool));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.parse().expect("a URI");
        *request.headers_mut() = headers;
        self.calls.push((call, request));
        call
    }

    /// Brings a callback that comes without its prompt.
    ///
    /// # Panics
    /// When the call has not ended in the end.
    pub fn callback(&mut self, url: &str) -> Outcome {
        self.note(|_| Input::Callback { url: url.into() });
        let call = self.engine.callback(self.now, url);
        self.run();
        self.outcome(call).unwrap_or_else(|| panic!("the callback is stuck: {:?}", self.engine))
    }

    /// Gets a token, without a request.
    ///
    /// # Panics
    /// When the call has not ended in the end.
    pub fn log_in(&mut self) -> Outcome {
        let call = self.engine.log_in(self.now);
        self.run();
        self.outcome(call).unwrap_or_else(|| panic!("the log-in is stuck: {:?}", self.engine))
    }

    /// Gives the tokens back.
    ///
    /// # Panics
    /// When the call has not ended in the end.
    pub fn log_out(&mut self) -> Outcome {
        let call = self.engine.log_out(self.now);
        self.run();
        self.outcome(call).unwrap_or_else(|| panic!("the log-out is stuck: {:?}", self.engine))
    }

    /// Forgets everything about the resource.
    ///
    /// # Panics
    /// When the call has not ended in the end.
    pub fn forget(&mut self) -> Outcome {
        let call = self.engine.forget(self.now);
        self.run();
        self.outcome(call).unwrap_or_else(|| panic!("forgetting is stuck: {:?}", self.engine))
    }

    /// How a call ended, if it has.
    pub fn outcome(&mut self, call: CallId) -> Option<Outcome> {
        let index = self.outcomes.iter().position(|(id, _)| *id == call)?;
        Some(self.outcomes.remove(index).1)
    }

    /// Plays until the engine has nothing more to say.
    pub fn run(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            if let Some(recording) = &mut self.recording {
                recording.output(&output);
            }
            self.said.push(format!("{output:?}"));
            match output {
                Output::Call { call, verdict } => self.on_verdict(call, verdict),
                Output::NeedEntropy { len } => {
                    let bytes: Vec<u8> = (0..len).map(|n| self.entropy.wrapping_add(n as u8)).collect();
                    self.entropy = self.entropy.wrapping_add(64);
                    self.note(|_| Input::Entropy { bytes: bytes.clone() });
                    self.engine.add_entropy(self.now, &bytes);
                }
                Output::Notice(notice) => {
                    self.said.push(notice.to_string());
                    self.notices.push(notice);
                }
                Output::Perform { op, effect, why, .. } => {
                    self.said.push(why.to_owned());
                    if self.holding.is_some_and(|holds| holds(&effect)) {
                        self.held.push((op, effect));
                    } else {
                        self.perform(op, effect);
                    }
                }
                _ => {}
            }
        }
    }

    /// Performs what was held back, in order.
    pub fn release(&mut self) {
        self.holding = None;
        for (op, effect) in std::mem::take(&mut self.held) {
            self.perform(op, effect);
        }
        self.run();
    }

    fn on_verdict(&mut self, call: CallId, verdict: Verdict) {
        match verdict {
            Verdict::Send(credentials) => {
                let Some((_, request)) = self.calls.iter().find(|(id, _)| *id == call) else { return };
                let mut request = request.clone();
                credentials.apply(request.headers_mut());
                let answer = self.world.answer(self.now.unix_s, &request);
                let head = ResponseHead { status: answer.status().as_u16(), headers: answer.headers() };
                self.note(|_| Input::report(call, &answer));
                self.engine.report(self.now, call, head).expect("the call was sent");
                self.answers.retain(|(id, _)| *id != call);
                self.answers.push((call, answer));
            }
            Verdict::Deliver => {
                if let Some(index) = self.answers.iter().position(|(id, _)| *id == call) {
                    let (_, answer) = self.answers.remove(index);
                    self.outcomes.push((call, Outcome::Delivered(answer)));
                }
            }
            Verdict::Done => self.outcomes.push((call, Outcome::Done)),
            Verdict::Fail(error) => {
                self.said.push(format!("{error} {error:?}"));
                self.outcomes.push((call, Outcome::Failed(error)));
            }
            _ => {}
        }
    }

    /// Performs an effect.
    ///
    /// # Panics
    /// When the engine does not accept the answer.
    pub fn perform(&mut self, op: OpId, effect: Effect) {
        let now = self.now;
        let broken = Completion::Failed(Failure::new(FailureKind::Other, "the store is broken"));
        match effect {
            Effect::Http { request, .. } => {
                let answer = self.world.answer(now.unix_s, &asked(&request));
                let (status, headers) = (answer.status().as_u16(), answer.headers());
                let response = HttpResponse { status, headers, body: answer.body() };
                self.complete(op, Completion::Http(response));
            }
            Effect::Assert(request) => {
                let assertion = self.assertion.clone();
                self.assertions_asked.push(*request);
                match &assertion {
                    Some((token, kind)) => {
                        self.complete(op, Completion::Assertion { token, kind: *kind });
                    }
                    None => self.complete(op, Completion::Declined),
                }
            }
            Effect::Sign { key, algorithm, input } => {
                assert_eq!(*key, *self.signer.0, "the key that is configured");
                assert_eq!(algorithm, self.signer.1.algorithm());
                self.signatures += 1;
                let signature = self.signer.1.sign(&input).expect("a signature");
                self.complete(op, Completion::Signed { signature: &signature });
            }
            Effect::Interact(interaction) => self.interact(op, &interaction),
            _ if self.store.broken => self.complete(op, broken),
            Effect::Load { key } => {
                let stored = self.store.load(&key);
                let stored = stored.as_ref().map(|(record, revision)| Stored { record, revision: *revision });
                self.complete(op, Completion::Loaded(stored));
            }
            Effect::Save { key, record, expect, .. } => match self.store.save(&key, &record, expect) {
                Written::Saved(revision) => self.complete(op, Completion::Saved(revision)),
                Written::Conflict => self.complete(op, Completion::Conflict),
            },
            Effect::Delete { key, expect } => {
                let gone = self.store.delete(&key, expect);
                let completion = if gone { Completion::Deleted } else { Completion::Conflict };
                self.complete(op, completion);
            }
            _ => {}
        }
    }

    /// Answers an effect.
    ///
    /// # Panics
    /// When the engine does not accept the answer.
    pub fn complete(&mut self, op: OpId, completion: Completion<'_>) {
        self.note(|_| Input::complete(op, &completion));
        self.engine.complete(self.now, op, completion).expect("the answer fits the effect");
    }

    fn interact(&mut self, op: OpId, interaction: &Interaction) {
        self.prompts.push(interaction.clone());
        let redirect_uri = self.redirect_uri.clone();
        let url;
        let completion = match (interaction, &self.user) {
            (Interaction::Listen { .. }, _) => Completion::Listening { redirect_uri: &redirect_uri },
            (_, User::Declines) | (Interaction::Approve(_), User::DoesNotApprove) => Completion::Declined,
            (Interaction::Approve(_), _) => Completion::Approved,
            (Interaction::Authorize(prompt), User::Leaves) => {
                self.open.push((op, prompt.url.as_str().to_owned()));
                return;
            }
            (Interaction::Authorize(prompt), _) => {
                match self.visit(prompt.url.as_str()) {
                    Some(location) => url = location,
                    None => return, // an error page; the user sits before it
                }
                Completion::Callback { url: &url }
            }
            _ => return,
        };
        self.complete(op, completion);
    }

    /// Opens a page and follows its redirect back; `None` when it does not redirect.
    ///
    /// # Panics
    /// When the URL is no URI.
    pub fn visit(&mut self, url: &str) -> Option<String> {
        let mut request = Asked::new(Vec::new());
        *request.uri_mut() = url.parse().expect("a URI");
        let answer = self.world.answer(self.now.unix_s, &request);
        let redirects = answer.status() == StatusCode::FOUND;
        redirects.then(|| header(answer.headers(), "location").unwrap_or_default().to_owned())
    }

    /// How often a path was asked for.
    pub fn count(&self, what: &str) -> usize {
        self.world.asked.iter().filter(|asked| asked.contains(what)).count()
    }
}
