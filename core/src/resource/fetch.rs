//! The effects of the Guard: metadata, keys, introspection, the host's own check.

use url::Url;

use super::config::Tokens;
use super::guard::Guard;
use super::missing_key::Refetch;
use super::output::{CheckId, Notice, Output};
use super::refusal::TokenProblem;
use super::server::{self, Doubt, Keys};
use super::token::Checked;
use super::used::Recording;
use crate::discover::Probe;
use crate::effect::{Completion, Effect, OpId};
use crate::error::{
    ApiMisuse, Asked, EffectError, Error, ErrorReport, Exchange, Failure, FailureKind, PeerText, Refused,
    Sent, Work,
};
use crate::finding::Findings;
use crate::jose::JwsError;
use crate::limits;
use crate::revision::Revision;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::http::HttpRequest;
use crate::wire::introspection::{self, Introspection};
use crate::wire::server_metadata;
use crate::wire::well_known::Found;

/// An effect under way.
#[derive(Debug)]
pub(super) struct Op {
    deadline_ms: u64,
    server: usize,
    task: Task,
    /// What is asked of whom, for the error that may come of it; and what no error may show.
    asked: Option<(Asked, Sent)>,
}

#[derive(Debug)]
pub(super) enum Task {
    Metadata(Probe<Url>),
    Keys,
    Ask(Question),
    Record(Recording),
}

/// What a token is.
#[derive(Debug)]
pub(super) struct Question {
    token: Secret,
    waiting: Vec<CheckId>,
    /// Who is to be asked should this server not know it.
    next: Vec<usize>,
    /// Whether somebody who may know it could not be asked, or not answer.
    missed: bool,
    host: bool,
}

/// Whether a server can be asked about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Ready,
    /// Its metadata has to be found first.
    Lost,
    Away {
        retry_after_s: u32,
    },
}

impl Guard {
    /// Answers an effect. An answer to one that is settled is ignored.
    ///
    /// # Errors
    /// [`ApiMisuse`]; nothing has changed then.
    pub fn complete(&mut self, now: Now, op: OpId, with: Completion<'_>) -> Result<(), ApiMisuse> {
        if op.0 == 0 || op.0 > self.last_op {
            return Err(ApiMisuse::UnknownOp);
        }
        let Some(open) = self.ops.get(&op) else { return Ok(()) };
        match (&with, &open.task) {
            (Completion::Failed(_), _)
            | (Completion::Saved(_) | Completion::Conflict, Task::Record(_))
            | (Completion::TokenChecked(_), Task::Ask(Question { host: true, .. }))
            | (
                Completion::Http(_),
                Task::Metadata(_) | Task::Keys | Task::Ask(Question { host: false, .. }),
            ) => {}
            _ => return Err(ApiMisuse::WrongCompletion),
        }
        if let Some(open) = self.ops.remove(&op) {
            self.settle(now, open, with);
        }
        Ok(())
    }

    /// Gives up effects whose deadline has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        let late: Vec<OpId> =
            self.ops.iter().filter(|(_, op)| op.deadline_ms <= now.mono_ms).map(|(id, _)| *id).collect();
        for id in late {
            if let Some(open) = self.ops.remove(&id) {
                self.settle(now, open, Completion::Failed(Failure::new(FailureKind::TimedOut, "")));
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), on the monotonic clock, if nothing happens
    /// before. Every input can change it.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.ops.values().map(|op| op.deadline_ms).min()
    }

    /// Keys are needed, and there are none.
    pub(super) fn wait_for_keys(&mut self, now: Now, index: usize) -> Checked {
        self.wait_for_fetch(now, index)
    }

    /// Keys are there, but not the one that is needed.
    pub(super) fn wait_for_new_keys(&mut self, now: Now, index: usize, kid: Option<&str>) -> Checked {
        let Some(server) = self.servers.get_mut(index) else { return unavailable(1) };
        if server.fetching || server.paused_until_ms > now.mono_ms {
            return self.wait_for_fetch(now, index);
        }
        match server.missing_key.find(now.mono_ms, kid, server.keys.as_ref().map(|keys| keys.at_ms)) {
            Refetch::InVain => JwsError::UnknownKey.into(),
            // It may be new; who cannot know that sends nobody into a login.
            Refetch::TooSoon { retry_after_s } => unavailable(retry_after_s),
            Refetch::Now => self.wait_for_fetch(now, index),
        }
    }

    /// Keys are used, and are not fresh any more.
    pub(super) fn refresh_keys(&mut self, now: Now, index: usize) {
        let idle = |server: &&server::Server| !server.fetching && server.paused_until_ms <= now.mono_ms;
        if self.servers.get(index).filter(idle).is_some() {
            self.fetch(now, index);
        }
    }

    /// A token names a key and is not signed with it; the issuer may have replaced the key and kept its name.
    /// Those who forge tokens wait for that, too, but take the places of no others.
    pub(super) fn wait_for_replaced_keys(&mut self, now: Now, index: usize, error: JwsError) -> Checked {
        let Some(server) = self.servers.get_mut(index) else { return unavailable(1) };
        match server.doubt(now.mono_ms) {
            Doubt::None => error.into(),
            Doubt::Open { retry_after_s } => unavailable(retry_after_s),
            Doubt::Look if server.waiting.len() >= limits::WAITING_CHECKS / 2 => unavailable(1),
            Doubt::Look => {
                if !server.fetching {
                    server.doubted_ms = Some(now.mono_ms);
                }
                self.wait_for_fetch(now, index)
            }
        }
    }

    fn wait_for_fetch(&mut self, now: Now, index: usize) -> Checked {
        let check = self.next_check();
        let Some(server) = self.servers.get_mut(index) else { return unavailable(1) };
        if server.paused_until_ms > now.mono_ms && !server.fetching {
            return unavailable(server.pause_s(now.mono_ms));
        }
        if server.waiting.len() >= limits::WAITING_CHECKS {
            return unavailable(1);
        }
        server.waiting.push(check);
        if !server.fetching {
            self.fetch(now, index);
        }
        Checked::Wait(check)
    }

    /// Begins to fetch what there is to fetch of a server: its metadata, unless it is known, then keys.
    fn fetch(&mut self, now: Now, index: usize) {
        let Some(server) = self.servers.get_mut(index) else { return };
        server.fetching = true;
        let known = server.endpoints.as_ref().filter(|endpoints| endpoints.until_ms > now.mono_ms);
        let jwks_uri = match &server.config.tokens {
            Tokens::Jwt { jwks_uri: Some(url), .. } => Some(url.clone()),
            Tokens::Jwt { .. } => known.map(|endpoints| endpoints.needed.clone()),
            _ => None,
        };
        if let Some(url) = jwks_uri {
            let request = HttpRequest::get_json(Exchange::KeySet, url);
            self.perform(now, index, Task::Keys, request, limits::KEY_SET_BODY, "the keys that sign tokens");
            return;
        }
        match server_metadata::candidates(&server.issuer()) {
            Ok(urls) => self.fetch_metadata(now, index, Probe::new(urls)),
            Err(error) => {
                let report = self.report(error.into());
                self.fetch_failed(now, index, report);
            }
        }
    }

    fn fetch_metadata(&mut self, now: Now, index: usize, mut probe: Probe<Url>) {
        let Some(url) = probe.next_url() else { return self.not_found(now, index, probe) };
        let request = server_metadata::request(url, Revision::default());
        let why = "metadata of the authorization server";
        self.perform(now, index, Task::Metadata(probe), request, limits::DOCUMENT_BODY, why);
    }

    /// No URL serves the metadata. All reasons are told; the server is left alone for as long as one of them
    /// says.
    fn not_found(&mut self, now: Now, index: usize, probe: Probe<Url>) {
        let Some(server) = self.servers.get(index) else { return };
        let mut reasons = probe.into_reasons();
        if reasons.is_empty() {
            reasons.push(self.report(server::no_metadata(server)));
        }
        reasons.sort_by_key(|report| retry_after_ms(&report.error).is_some());
        let Some(last) = reasons.pop() else { return };
        let issuer = PeerText::new(&server.config.issuer);
        for error in reasons {
            self.notice(Notice::ServerFailed { issuer: issuer.clone(), error: Box::new(error) });
        }
        self.fetch_failed(now, index, last);
    }

    fn perform(
        &mut self,
        now: Now,
        server: usize,
        task: Task,
        mut request: HttpRequest,
        max_body: usize,
        why: &'static str,
    ) {
        if let Some(server) = self.servers.get(server).filter(|_| !self.options.urls.allow_private_hosts) {
            request.reach = server.reach(&request.url);
        }
        self.start(now, server, task, Effect::Http { request: Box::new(request), max_body }, why);
    }

    pub(super) fn start(&mut self, now: Now, server: usize, task: Task, effect: Effect, why: &'static str) {
        self.last_op += 1;
        let op = OpId(self.last_op);
        let deadline_ms = now.mono_ms.saturating_add(limits::CHECK_MS);
        let asked = match &effect {
            Effect::Http { request, .. } => Some((Asked::of(request), Sent::of(request))),
            _ => None,
        };
        self.ops.insert(op, Op { deadline_ms, server, task, asked });
        self.outputs.push_back(Output::Perform { op, deadline_ms, effect, why });
    }

    fn settle(&mut self, now: Now, op: Op, with: Completion<'_>) {
        let Op { server: index, task, asked, .. } = op;
        self.answering = asked.map(|(asked, sent)| match &with {
            Completion::Http(response) => asked.answered(response, &sent),
            _ => asked,
        });
        match task {
            Task::Metadata(discovery) => self.settle_metadata(now, index, discovery, with),
            Task::Keys => {
                let read = match with {
                    Completion::Http(response) => {
                        let mut findings = Findings::new();
                        let read = server::read_keys(&response, now.mono_ms, &mut findings);
                        self.keep(index, findings);
                        read
                    }
                    other => Err(failed(Exchange::KeySet, other)),
                };
                match read {
                    Ok(keys) => self.take_keys(now, index, keys),
                    Err(error) => {
                        if let Some(server) = self.servers.get_mut(index) {
                            server.endpoints = None; // the keys may have moved
                        }
                        let report = self.report(error);
                        self.fetch_failed(now, index, report);
                    }
                }
            }
            Task::Ask(question) => self.settle_ask(now, index, question, with),
            Task::Record(recording) => self.settle_record(recording, with),
        }
        self.answering = None;
    }

    fn settle_metadata(&mut self, now: Now, index: usize, mut probe: Probe<Url>, with: Completion<'_>) {
        let Some(server) = self.servers.get(index) else { return };
        let Some((asked, redirects)) = probe.asked() else { return self.not_found(now, index, probe) };
        let found = match with {
            Completion::Http(response) => {
                let (at, urls, mut findings) = ((asked, redirects), &self.options.urls, Findings::new());
                let read = server::read_metadata(server, at, &response, urls, now.mono_ms, &mut findings);
                self.keep(index, findings);
                read.unwrap_or_else(Found::Nothing)
            }
            // All URLs are at one host.
            other => {
                let out_of_reach = matches!(&other, Completion::Failed(failure)
                    if matches!(failure.kind, FailureKind::TimedOut | FailureKind::Unreachable));
                let report = self.report(failed(Exchange::ServerMetadata, other));
                if out_of_reach && !probe.skip_origin(report.clone()) {
                    return self.fetch_failed(now, index, report);
                }
                probe.skip(report);
                return self.fetch_metadata(now, index, probe);
            }
        };
        match probe.take(found, |why| self.report(why)) {
            Some(endpoints) => {
                let Some(server) = self.servers.get_mut(index) else { return };
                server.endpoints = Some(*endpoints);
                if server.is_asked() { self.fetched(index) } else { self.fetch(now, index) }
            }
            None => self.fetch_metadata(now, index, probe),
        }
    }

    fn take_keys(&mut self, now: Now, index: usize, keys: Keys) {
        let Some(server) = self.servers.get_mut(index) else { return };
        let issuer = PeerText::new(&server.config.issuer);
        let (usable, refused) = (keys.set.keys().len(), keys.set.refused().len());
        let fresh_ms = keys.fresh_until_ms.saturating_sub(now.mono_ms);
        let old = server.keys.replace(keys);
        let new = server.keys.as_ref().map(|keys| keys.set.keys()).unwrap_or_default();
        let gone =
            |key: &crate::jose::PublicKey| !new.iter().any(|other| other.thumbprint() == key.thumbprint());
        if old.is_some_and(|old| old.set.keys().iter().any(gone)) {
            self.tokens.clear(); // some were signed with a key that does not count any more
        }
        self.fetched(index);
        self.notice(Notice::KeysFetched { issuer, usable, refused, fresh_ms });
    }

    fn fetched(&mut self, index: usize) {
        let Some(server) = self.servers.get_mut(index) else { return };
        server.fetching = false;
        server.paused_until_ms = 0;
        let waiting = std::mem::take(&mut server.waiting);
        self.ready(waiting);
    }

    fn fetch_failed(&mut self, now: Now, index: usize, error: ErrorReport) {
        let Some(server) = self.servers.get_mut(index) else { return };
        server.fetching = false;
        let waiting = std::mem::take(&mut server.waiting);
        self.pause(now, index, error);
        self.ready(waiting);
    }

    /// Leaves a server that failed alone for a while.
    fn pause(&mut self, now: Now, index: usize, error: ErrorReport) {
        let Some(server) = self.servers.get_mut(index) else { return };
        let wanted_ms = retry_after_ms(&error.error).unwrap_or(0);
        let pause_ms = wanted_ms.clamp(limits::SERVER_PAUSE_MS, limits::SERVER_PAUSE_MAX_MS);
        server.paused_until_ms = now.mono_ms.saturating_add(pause_ms);
        let issuer = PeerText::new(&server.config.issuer);
        self.notice(Notice::ServerFailed { issuer, error: Box::new(error) });
    }

    /// An error with what was asked and what came.
    fn report(&self, error: Error) -> ErrorReport {
        ErrorReport::new(error, self.answering.clone())
    }

    pub(super) fn ready(&mut self, waiting: Vec<CheckId>) {
        self.outputs.extend(waiting.into_iter().map(|check| Output::Ready { check }));
    }

    fn turn(&self, now: Now, server: usize) -> Turn {
        let Some(known) = self.servers.get(server) else { return Turn::Away { retry_after_s: 1 } };
        let asks = |op: &&Op| op.server == server && matches!(op.task, Task::Ask(_));
        if known.paused_until_ms > now.mono_ms {
            Turn::Away { retry_after_s: known.pause_s(now.mono_ms) }
        } else if known.must_be_found(now.mono_ms) {
            Turn::Lost
        } else if known.is_failing() && self.ops.values().filter(asks).count() >= limits::FAILING_ASKED {
            Turn::Away { retry_after_s: 1 }
        } else {
            Turn::Ready
        }
    }

    /// Asks these servers about a token, one after the other until one knows it, or joins those who asked
    /// before. Those that cannot be asked for now are passed over: then nobody can say that nobody knows it.
    pub(super) fn ask_these(&mut self, now: Now, token: &str, servers: Vec<usize>) -> Checked {
        if token.len() > limits::TOKEN_ASKED {
            return TokenProblem::TooLarge.into();
        }
        // Where each of them is to be asked is found out before the first is.
        let lost = servers.iter().find(|index| self.turn(now, **index) == Turn::Lost);
        if let Some(index) = lost {
            return self.wait_for_fetch(now, *index);
        }
        let check = self.next_check();
        let same = self.ops.values_mut().find_map(|op| match &mut op.task {
            Task::Ask(question) if question.token.matches(token) => Some(&mut question.waiting),
            _ => None,
        });
        if let Some(waiting) = same {
            if waiting.len() >= limits::WAITING_CHECKS {
                return unavailable(1);
            }
            waiting.push(check);
            return Checked::Wait(check);
        }
        if self.ops.len() >= limits::CHECKS_ASKED {
            return unavailable(1);
        }
        let away = |index: &usize| match self.turn(now, *index) {
            Turn::Away { retry_after_s } => Some(retry_after_s),
            _ => None,
        };
        let retry_after_s = servers.iter().filter_map(away).min();
        let question = Question {
            token: token.into(),
            waiting: vec![check],
            next: servers,
            missed: retry_after_s.is_some(),
            host: false,
        };
        match self.ask_next(now, question) {
            Ok(()) => Checked::Wait(check),
            Err(_) => unavailable(retry_after_s.unwrap_or(1)),
        }
    }

    /// Asks the next that can be asked.
    fn ask_next(&mut self, now: Now, mut question: Question) -> Result<(), Question> {
        let next = question.next.iter().position(|index| self.turn(now, *index) == Turn::Ready);
        question.missed |= next != Some(0) && !question.next.is_empty();
        let Some(index) = next.and_then(|at| question.next.drain(..=at).next_back()) else {
            return Err(question);
        };
        let Some(server) = self.servers.get(index) else { return Err(question) };
        let why = "what a token is";
        match &server.config.tokens {
            Tokens::Introspection { client, endpoint, .. } => {
                let found = server.endpoints.as_ref().map(|known| &known.needed);
                let Some(endpoint) = endpoint.as_ref().or(found) else { return Err(question) };
                let request = introspection::request(endpoint.clone(), question.token.expose(), client);
                question.host = false;
                self.perform(now, index, Task::Ask(question), request, limits::TOKEN_BODY, why);
            }
            Tokens::Host { .. } => {
                let effect = Effect::CheckToken { token: question.token.clone() };
                question.host = true;
                self.start(now, index, Task::Ask(question), effect, why);
            }
            Tokens::Jwt { .. } => return Err(question),
        }
        Ok(())
    }

    fn settle_ask(&mut self, now: Now, index: usize, mut question: Question, with: Completion<'_>) {
        // What the server cannot take of this token says nothing about the server.
        let of_token =
            matches!(&with, Completion::Http(response) if matches!(response.status, 400 | 413 | 414 | 422));
        let said = match with {
            Completion::Http(response) => {
                let mut findings = Findings::new();
                let read = introspection::read(&response, &question.token, &mut findings);
                self.keep(index, findings);
                read
            }
            Completion::TokenChecked(said) => {
                Ok(said.map_or(Introspection::Inactive, introspection::of_host))
            }
            other => Err(failed(Exchange::Introspection, other)),
        };
        let Some(server) = self.servers.get_mut(index) else { return self.ready(question.waiting) };
        match said {
            Ok(Introspection::Active(json)) => {
                server.answered();
                self.learn(now, index, question.token.expose(), Some(json.as_bytes()));
                return self.ready(question.waiting);
            }
            Ok(Introspection::Inactive) => server.answered(),
            Err(error) => {
                question.missed = true;
                if !of_token {
                    server.could_not_answer(question.token.expose());
                    self.ask_failed(now, index, error);
                }
            }
        }
        // The checks that wait go on waiting where another can be asked.
        let Err(question) = self.ask_next(now, question) else { return };
        if question.missed {
            let until_ms = now.mono_ms.saturating_add(limits::SERVER_PAUSE_MS);
            self.tokens.insert(question.token.expose(), Err(None), until_ms);
        } else {
            self.learn(now, index, question.token.expose(), None);
        }
        self.ready(question.waiting);
    }

    /// A server could not answer. One token may be to blame, which is not asked about again for a while;
    /// where several are, the server is, and is left alone if it says for how long.
    fn ask_failed(&mut self, now: Now, index: usize, error: Error) {
        let Some(server) = self.servers.get(index) else { return };
        let pauses = server.is_failing() && retry_after_ms(&error).is_some();
        let error = self.report(error);
        if pauses {
            self.pause(now, index, error);
            // After the pause it takes several again.
            if let Some(server) = self.servers.get_mut(index) {
                server.answered();
            }
            return;
        }
        let issuer = PeerText::new(&server.config.issuer);
        self.notice(Notice::ServerFailed { issuer, error: Box::new(error) });
    }
}

/// When a server wants to be asked again.
fn retry_after_ms(error: &Error) -> Option<u64> {
    match error {
        Error::Refused(Refused::Unavailable { retry_after_s: Some(seconds), .. }) => {
            Some(u64::from(*seconds).saturating_mul(1000))
        }
        _ => None,
    }
}

fn unavailable(retry_after_s: u32) -> Checked {
    Checked::Unavailable { retry_after_s }
}

fn failed(exchange: Exchange, with: Completion<'_>) -> Error {
    let failure = match with {
        Completion::Failed(failure) => failure,
        _ => Failure::new(FailureKind::Other, ""),
    };
    EffectError::new(Work::Exchange(exchange), failure).into()
}
