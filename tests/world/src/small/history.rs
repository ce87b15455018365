//! One history: a world, the choices that are open in it, and what must hold.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use grantor::client::{Output, ResponseHead, Verdict};
use grantor::error::{Failure, FailureKind};
use grantor::wire::HttpResponse;
use grantor::{Completion, Effect, Interaction, Now, RecordKind, Stored};
use http::Method;
use url::form_urlencoded;

use super::process::{Pending, Process, RESOURCE};
use super::{Flaw, Small, Start};
use crate::mcp_server::tool_call;
use crate::player::Player;
use crate::store::{Written, access_token};
use crate::{Answered, Asked, MemoryStore, World, asked, header, player};

/// What happens next. Processes and effects are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// This effect of this process is performed; of a token request, the server acts.
    Act(u8, u8),
    /// The answer to this token request arrives.
    Arrive(u8, u8),
    /// This token request does not arrive, or its answer does not.
    Lose(u8, u8),
    /// This process dies; another takes its place.
    Crash(u8),
    /// Time goes on to the next timer.
    Wait,
}

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A token was sent that no store has confirmed.
    NotStoredFirst,
    /// A refresh token was used twice, though nobody died and nothing was lost or late.
    RefreshedTwice,
    /// The user was asked, though there was a grant.
    AskedWithoutNeed,
    /// A call has not ended, and nothing can happen any more.
    Stuck,
    /// A call failed, though nothing went wrong.
    Failed,
    /// What is stored at the end is of no use to the next process.
    Lost,
    /// It does not come to an end.
    Endless,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// More choices than any history needs.
const MOST_CHOICES: usize = 200;

/// How late a process is woken for which nothing is under way.
const LATE_MS: u64 = 20_000;

/// A world on its way.
pub(super) struct History {
    small: Small,
    world: World,
    store: MemoryStore,
    now: Now,
    processes: [Process; 2],
    left: Small,
    /// Whether a process died, something was lost, or a timer came before an answer: then even perfect clients
    /// may lose a refresh token.
    disturbed: bool,
    /// What a question to the user shows, while there is a grant.
    question: Option<Violation>,
    /// Access tokens that were stored.
    stored: BTreeSet<String>,
    /// Refresh tokens that servers have seen.
    used: BTreeSet<String>,
    /// What servers were asked that changes them.
    asked: u64,
    entropy: u8,
    length: usize,
}

impl History {
    pub(super) fn new(small: Small) -> Result<Self, Violation> {
        let mut first = Player::new(player::config().trust(grantor::TrustPolicy::Accept));
        let mut stored = BTreeSet::new();
        if small.start == Start::Expired {
            first.call("ping").delivered();
            first.wait_s(3601);
            stored.extend(first.store.records().filter_map(|(_, record)| access_token(record)));
        }
        if small.flaw == Some(Flaw::Revoking) {
            first.world.server().revoke_all();
        }
        let Player { world, store, now, .. } = first;
        let mut history = Self {
            small,
            world,
            store,
            now,
            processes: [Process::new(now), Process::new(now)],
            left: small,
            disturbed: false,
            question: (small.start == Start::Expired).then_some(Violation::AskedWithoutNeed),
            stored,
            used: BTreeSet::new(),
            asked: 0,
            entropy: 0,
            length: 0,
        };
        for index in 0..2 {
            history.drain(index)?;
        }
        Ok(history)
    }

    /// What can happen now.
    pub(super) fn choices(&self) -> Vec<Choice> {
        let is_silent = self.small.flaw == Some(Flaw::Silent);
        let mut choices = Vec::new();
        for (process, own) in (0..).zip(&self.processes) {
            for (index, pending) in (0..).zip(&own.pending) {
                if is_silent && matches!(pending.effect, Effect::Save { .. }) {
                    continue;
                }
                let is_request = matches!(pending.effect, Effect::Http { .. });
                choices.push(match pending.answer {
                    Some(_) => Choice::Arrive(process, index),
                    None => Choice::Act(process, index),
                });
                if is_request && self.left.losses > 0 {
                    choices.push(Choice::Lose(process, index));
                }
            }
            if own.ended.is_none() && self.left.crashes > 0 {
                choices.push(Choice::Crash(process));
            }
        }
        let waits = !is_silent && self.processes.iter().any(|process| process.ended.is_none());
        let moves = choices.iter().any(|choice| !matches!(choice, Choice::Crash(_)));
        if waits && self.next_timer().is_some() && (!moves || self.left.delays > 0) {
            choices.push(Choice::Wait);
        }
        choices
    }

    fn next_timer(&self) -> Option<u64> {
        self.processes.iter().filter_map(|process| process.engine.poll_timeout()).min()
    }

    /// Goes on with a choice.
    pub(super) fn take(&mut self, choice: Choice) -> Result<(), Violation> {
        self.length += 1;
        if self.length > MOST_CHOICES {
            return Err(Violation::Endless);
        }
        match choice {
            Choice::Act(process, index) => self.act(process.into(), index.into()),
            Choice::Arrive(process, index) => {
                let Pending { op, answer, .. } =
                    self.processes[usize::from(process)].pending.remove(index.into());
                if let Some(answer) = answer {
                    self.respond(process.into(), op, &answer);
                }
                self.drain(process.into())
            }
            Choice::Lose(process, index) => {
                self.left.losses -= 1;
                let Pending { op, answer, .. } =
                    self.processes[usize::from(process)].pending.remove(index.into());
                self.disturbed |= answer.is_some();
                let failure = Failure::new(FailureKind::Broken, "lost");
                self.tell(process.into(), op, Completion::Failed(failure), &"lost");
                self.drain(process.into())
            }
            Choice::Crash(process) => {
                self.left.crashes -= 1;
                self.disturbed = true;
                self.processes[usize::from(process)] = Process::new(self.now);
                self.drain(process.into())
            }
            Choice::Wait => self.wait(),
        }
    }

    fn wait(&mut self) -> Result<(), Violation> {
        let is_busy = self.processes.iter().any(|process| !process.pending.is_empty());
        if is_busy {
            self.disturbed = true;
            self.left.delays = self.left.delays.saturating_sub(1);
        }
        let until = self.next_timer().unwrap_or_default().saturating_sub(self.now.mono_ms).max(1);
        // Who polls for another's lease to end is woken late, which is allowed, and takes fewer rounds.
        self.now = self.now.plus_ms(if is_busy { until } else { until.max(LATE_MS) });
        for index in 0..2 {
            let now = self.now;
            self.processes[index].note(now, &"time");
            self.processes[index].engine.handle_timeout(now);
            self.drain(index)?;
        }
        Ok(())
    }

    fn act(&mut self, process: usize, index: usize) -> Result<(), Violation> {
        let Pending { op, effect, .. } = self.processes[process].pending.remove(index);
        match effect {
            Effect::Http { request, max_body } => {
                self.note_request(request.body.expose())?;
                let answer = Some(self.world.answer(self.now.unix_s, &asked(&request)));
                let pending = Pending { op, effect: Effect::Http { request, max_body }, answer };
                self.processes[process].pending.insert(index, pending);
                return Ok(());
            }
            Effect::Interact(Interaction::Authorize(prompt)) => {
                let mut request = Asked::default();
                *request.uri_mut() = prompt.url.as_str().parse().expect("a URI");
                self.note_asked(&prompt.url.as_str());
                let answer = self.world.answer(self.now.unix_s, &request);
                let back = header(answer.headers(), "location").unwrap_or_default().to_owned();
                self.tell(process, op, Completion::Callback { url: &back }, &back);
            }
            Effect::Load { key } => {
                let stored = self.store.load(&key);
                let completion =
                    stored.as_ref().map(|(record, revision)| Stored { record, revision: *revision });
                self.tell(process, op, Completion::Loaded(completion), &format!("{stored:?}"));
            }
            Effect::Save { key, record, expect, .. } => {
                let expect = match self.small.flaw {
                    Some(Flaw::Overwriting) => self.store.load(&key).map(|(_, revision)| revision),
                    _ => expect,
                };
                let written = match self.small.flaw {
                    Some(Flaw::Contended) => Written::Conflict,
                    Some(Flaw::Forgetful) if key.kind == RecordKind::Grant => {
                        self.store.clone().save(&key, &record, expect)
                    }
                    _ => self.store.save(&key, &record, expect),
                };
                match written {
                    Written::Saved(revision) => {
                        self.note_stored();
                        self.tell(process, op, Completion::Saved(revision), &format!("{revision:?}"));
                    }
                    Written::Conflict => self.tell(process, op, Completion::Conflict, &"conflict"),
                }
            }
            Effect::Delete { key, expect } => {
                let gone = self.store.delete(&key, expect);
                let completion = if gone { Completion::Deleted } else { Completion::Conflict };
                self.tell(process, op, completion, &gone);
            }
            _ => {}
        }
        self.drain(process)
    }

    fn note_stored(&mut self) {
        self.stored.extend(self.store.records().filter_map(|(_, record)| access_token(record)));
    }

    /// A token request reaches the server.
    fn note_request(&mut self, body: &str) -> Result<(), Violation> {
        self.note_asked(&body);
        let mut pairs = form_urlencoded::parse(body.as_bytes());
        let token = pairs.find(|(name, _)| name == "refresh_token").map(|(_, token)| token.into_owned());
        let again = token.is_some_and(|token| !self.used.insert(token));
        if again && !self.disturbed { Err(Violation::RefreshedTwice) } else { Ok(()) }
    }

    fn note_asked(&mut self, what: &impl std::hash::Hash) {
        let mut hasher = DefaultHasher::new();
        (self.asked, self.now.unix_s).hash(&mut hasher);
        what.hash(&mut hasher);
        self.asked = hasher.finish();
    }

    fn respond(&mut self, process: usize, op: grantor::OpId, answer: &Answered) {
        let (status, headers, body) = (answer.status().as_u16(), answer.headers(), answer.body());
        self.tell(process, op, Completion::Http(HttpResponse { status, headers, body }), &(status, body));
    }

    fn tell(&mut self, process: usize, op: grantor::OpId, with: Completion<'_>, what: &impl std::hash::Hash) {
        self.processes[process].complete(self.now, op, with, what);
    }

    /// Takes the outputs. What depends on nobody else happens at once: documents, registrations, questions to
    /// the host.
    fn drain(&mut self, index: usize) -> Result<(), Violation> {
        while let Some(output) = self.processes[index].engine.poll_output() {
            match output {
                Output::Abandon { op } => self.processes[index].pending.retain(|pending| pending.op != op),
                Output::Call { verdict, .. } => self.on_verdict(index, verdict)?,
                Output::NeedEntropy { len } => {
                    self.entropy = self.entropy.wrapping_add(1);
                    let bytes: Vec<u8> =
                        (0..len).map(|n| self.entropy.wrapping_mul(31).wrapping_add(n as u8)).collect();
                    let now = self.now;
                    self.processes[index].note(now, &bytes);
                    self.processes[index].engine.add_entropy(now, &bytes);
                }
                Output::Perform { op, effect, .. } => self.on_effect(index, op, effect)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn on_effect(&mut self, index: usize, op: grantor::OpId, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Http { request, .. } if request.url.path() != "/token" => {
                if request.method == Method::POST {
                    self.note_asked(&request.body.expose());
                }
                let answer = self.world.answer(self.now.unix_s, &asked(&request));
                self.respond(index, op, &answer);
            }
            Effect::Interact(Interaction::Listen { .. }) => {
                let redirect_uri = format!("http://127.0.0.1:{}/callback", 40_000 + index);
                self.tell(index, op, Completion::Listening { redirect_uri: &redirect_uri }, &redirect_uri);
            }
            Effect::Interact(Interaction::Approve(_)) => {
                self.tell(index, op, Completion::Approved, &"approved");
            }
            effect => {
                let asks = matches!(effect, Effect::Interact(_)) && !self.disturbed;
                if let Some(violation) = self.question.clone().filter(|_| asks) {
                    return Err(violation);
                }
                self.processes[index].pending.push(Pending { op, effect, answer: None });
            }
        }
        Ok(())
    }

    fn on_verdict(&mut self, index: usize, verdict: Verdict) -> Result<(), Violation> {
        match verdict {
            Verdict::Send(credentials) => {
                let mut request = Asked::new(tool_call("ping"));
                *request.method_mut() = Method::POST;
                *request.uri_mut() = RESOURCE.parse().expect("a URI");
                credentials.apply(request.headers_mut());
                let token = header(request.headers(), "authorization")
                    .and_then(|value| value.strip_prefix("Bearer "));
                if token.is_some_and(|token| !self.stored.contains(token)) {
                    return Err(Violation::NotStoredFirst);
                }
                let answer = self.world.answer(self.now.unix_s, &request);
                let head = ResponseHead { status: answer.status().as_u16(), headers: answer.headers() };
                let (now, process) = (self.now, &mut self.processes[index]);
                process.note(now, &head.status);
                process.engine.report(now, process.call, head).expect("the call was sent");
            }
            Verdict::Deliver => self.processes[index].ended = Some(true),
            Verdict::Fail(_) if !self.disturbed && self.left.losses == self.small.losses => {
                return Err(Violation::Failed);
            }
            _ => self.processes[index].ended = Some(false),
        }
        Ok(())
    }

    /// Nothing can happen any more: everybody was told, and what is stored serves the next process.
    pub(super) fn end(mut self) -> Result<(), Violation> {
        if self.processes.iter().any(|process| process.ended.is_none()) {
            return Err(Violation::Stuck);
        }
        if self.small.flaw == Some(Flaw::Wiped) {
            self.store = MemoryStore::default();
        }
        self.now = self.now.plus_ms(3_601_000);
        self.left = Small { crashes: 0, losses: 0, delays: 0, ..self.small };
        self.question = Some(Violation::Lost);
        for fresh in 0..2 {
            self.processes[fresh] = Process::new(self.now);
            self.processes[1 - fresh].ended = Some(true);
            self.processes[1 - fresh].pending.clear();
            self.drain(fresh)?;
            while let Some(choice) =
                self.choices().into_iter().find(|choice| !matches!(choice, Choice::Crash(_)))
            {
                self.take(choice)?;
            }
            if self.processes[fresh].ended != Some(true) {
                return Err(Violation::Lost);
            }
            self.now = self.now.plus_ms(3_601_000);
        }
        Ok(())
    }

    /// What decides everything that follows.
    pub(super) fn digest(&self) -> (u64, u64) {
        let hash = |seed: u64| {
            let mut hasher = DefaultHasher::new();
            (seed, self.now.mono_ms, self.now.unix_s, self.asked, self.entropy, self.disturbed)
                .hash(&mut hasher);
            (self.left.crashes, self.left.losses, self.left.delays).hash(&mut hasher);
            self.stored.hash(&mut hasher);
            self.used.hash(&mut hasher);
            for (key, record) in self.store.records() {
                (
                    format!("{key}"),
                    record,
                    format!("{:?}", self.store.load(key).map(|(_, revision)| revision)),
                )
                    .hash(&mut hasher);
            }
            for process in &self.processes {
                (process.told(), process.ended).hash(&mut hasher);
                for pending in &process.pending {
                    let answer =
                        pending.answer.as_ref().map(|answer| (answer.status().as_u16(), answer.body()));
                    (format!("{:?}", pending.op), answer).hash(&mut hasher);
                }
            }
            hasher.finish()
        };
        (hash(1), hash(2))
    }
}
