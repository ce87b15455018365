//! The effects of the Guard: metadata, keys, introspection, the host's own check.

use std::collections::VecDeque;

use url::Url;

use super::config::Tokens;
use super::guard::Guard;
use super::output::{CheckId, Notice, Output};
use super::refusal::TokenProblem;
use super::server::{self, Endpoints, Keys};
use super::sought::Sought;
use super::token::Checked;
use crate::effect::{Completion, Effect, OpId};
use crate::error::{
    ApiMisuse, Asked, EffectError, Error, ErrorReport, Exchange, Failure, FailureKind, PeerText, Sent, Work,
};
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
enum Task {
    /// The metadata of an authorization server: what was asked, after how many redirects, what is left.
    Metadata {
        asked: Url,
        redirects: u8,
        left: VecDeque<Url>,
    },
    Keys,
    /// What a token is: who waits, and who is to be asked next should this server not know it.
    Ask {
        token: Secret,
        waiting: Vec<CheckId>,
        next: Vec<usize>,
        host: bool,
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
        let host = matches!(open.task, Task::Ask { host: true, .. });
        match (&with, host) {
            (Completion::Failed(_), _)
            | (Completion::Http(_), false)
            | (Completion::TokenChecked(_), true) => {}
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
        match server.sought.find(now.mono_ms, kid, server.keys.as_ref().map(|keys| keys.at_ms)) {
            Sought::InVain => JwsError::UnknownKey.into(),
            // It may be new; who cannot know that sends nobody into a login.
            Sought::TooSoon { retry_after_s } => unavailable(retry_after_s),
            Sought::Now => self.wait_for_fetch(now, index),
        }
    }

    /// Keys are used, and are not fresh any more.
    pub(super) fn refresh_keys(&mut self, now: Now, index: usize) {
        let idle = |server: &&server::Server| !server.fetching && server.paused_until_ms <= now.mono_ms;
        if self.servers.get(index).filter(idle).is_some() {
            self.fetch(now, index);
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
            Tokens::Jwt { .. } => known.and_then(|endpoints| endpoints.jwks_uri.clone()),
            _ => None,
        };
        if let Some(url) = jwks_uri {
            let request = HttpRequest::get_json(Exchange::KeySet, url);
            self.perform(now, index, Task::Keys, request, limits::KEY_SET_BODY, "the keys that sign tokens");
            return;
        }
        match server_metadata::candidates(&server.issuer()) {
            Ok(urls) => self.fetch_metadata(now, index, urls.into(), 0),
            Err(error) => self.fetch_failed(now, index, error.into()),
        }
    }

    fn fetch_metadata(&mut self, now: Now, index: usize, mut left: VecDeque<Url>, redirects: u8) {
        let Some(asked) = left.pop_front() else {
            let error = self.servers.get(index).map(server::no_endpoint);
            if let Some(error) = error {
                self.fetch_failed(now, index, error);
            }
            return;
        };
        let request = server_metadata::request(asked.clone(), Revision::default());
        let task = Task::Metadata { asked, redirects, left };
        self.perform(
            now,
            index,
            task,
            request,
            limits::DOCUMENT_BODY,
            "metadata of the authorization server",
        );
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

    fn start(&mut self, now: Now, server: usize, task: Task, effect: Effect, why: &'static str) {
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
            Task::Metadata { asked, redirects, left } => {
                self.settle_metadata(now, index, (asked, redirects, left), with);
            }
            Task::Keys => {
                let read = match with {
                    Completion::Http(response) => server::read_keys(&response, now.mono_ms),
                    other => Err(failed(Exchange::KeySet, other)),
                };
                match read {
                    Ok(keys) => self.take_keys(now, index, keys),
                    Err(error) => {
                        if let Some(server) = self.servers.get_mut(index) {
                            server.endpoints = None; // the keys may have moved
                        }
                        self.fetch_failed(now, index, error);
                    }
                }
            }
            Task::Ask { token, waiting, next, .. } => {
                self.settle_ask(now, index, &token, waiting, next, with);
            }
        }
        self.answering = None;
    }

    fn settle_metadata(
        &mut self,
        now: Now,
        index: usize,
        (asked, redirects, mut left): (Url, u8, VecDeque<Url>),
        with: Completion<'_>,
    ) {
        let Some(server) = self.servers.get(index) else { return };
        let read = match with {
            Completion::Http(response) => {
                server::read_metadata(server, &asked, redirects, &response, &self.options.urls, now.mono_ms)
            }
            other => Err(failed(Exchange::ServerMetadata, other)),
        };
        match read {
            Ok(Found::Document(endpoints)) => self.take_endpoints(now, index, *endpoints),
            Ok(Found::Nothing) => self.fetch_metadata(now, index, left, 0),
            Ok(Found::Redirected(url)) => {
                left.push_front(url);
                self.fetch_metadata(now, index, left, redirects.saturating_add(1));
            }
            Err(error) => self.fetch_failed(now, index, error),
        }
    }

    fn take_endpoints(&mut self, now: Now, index: usize, endpoints: Endpoints) {
        let Some(server) = self.servers.get_mut(index) else { return };
        let is_jwt = matches!(server.config.tokens, Tokens::Jwt { .. });
        let wanted = if is_jwt { &endpoints.jwks_uri } else { &endpoints.introspection };
        if wanted.is_none() {
            let error = server::no_endpoint(server);
            return self.fetch_failed(now, index, error);
        }
        server.endpoints = Some(endpoints);
        if is_jwt {
            self.fetch(now, index);
        } else {
            self.fetched(index);
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

    fn fetch_failed(&mut self, now: Now, index: usize, error: Error) {
        let Some(server) = self.servers.get_mut(index) else { return };
        server.fetching = false;
        let waiting = std::mem::take(&mut server.waiting);
        self.pause(now, index, error);
        self.ready(waiting);
    }

    /// Leaves a server that failed alone for a while.
    fn pause(&mut self, now: Now, index: usize, error: Error) {
        let Some(server) = self.servers.get_mut(index) else { return };
        let wanted_ms = match &error {
            Error::Refused(crate::error::Refused::Unavailable { retry_after_s: Some(seconds), .. }) => {
                u64::from(*seconds).saturating_mul(1000)
            }
            _ => 0,
        };
        let pause_ms = wanted_ms.clamp(limits::SERVER_PAUSE_MS, limits::SERVER_PAUSE_MAX_MS);
        server.paused_until_ms = now.mono_ms.saturating_add(pause_ms);
        let issuer = PeerText::new(&server.config.issuer);
        let error = Box::new(ErrorReport::new(error, self.answering.clone()));
        self.notice(Notice::ServerFailed { issuer, error });
    }

    fn ready(&mut self, waiting: Vec<CheckId>) {
        self.outputs.extend(waiting.into_iter().map(|check| Output::Ready { check }));
    }

    /// Asks one server about a token, or joins those who asked before.
    pub(super) fn ask_one(&mut self, now: Now, token: &str, index: usize, next: Vec<usize>) -> Checked {
        if token.len() > limits::TOKEN_ASKED {
            return TokenProblem::TooLarge.into();
        }
        // Where each of them is to be asked is found out before the first is.
        let lost =
            |index: &usize| self.servers.get(*index).is_some_and(|server| server.must_be_found(now.mono_ms));
        if let Some(index) = [index].iter().chain(&next).copied().find(lost) {
            return self.wait_for_fetch(now, index);
        }
        let check = self.next_check();
        let same = self.ops.values_mut().find_map(|op| match &mut op.task {
            Task::Ask { token: asked, waiting, .. } if asked.matches(token) => Some(waiting),
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
        self.begin_ask(now, token, index, vec![check], next, check)
    }

    fn begin_ask(
        &mut self,
        now: Now,
        token: &str,
        index: usize,
        waiting: Vec<CheckId>,
        next: Vec<usize>,
        check: CheckId,
    ) -> Checked {
        let Some(server) = self.servers.get(index) else { return unavailable(1) };
        if server.paused_until_ms > now.mono_ms {
            return unavailable(server.pause_s(now.mono_ms));
        }
        let secret = Secret::from(token);
        match &server.config.tokens {
            Tokens::Introspection { client, endpoint, .. } => {
                let found = server.endpoints.as_ref().and_then(|known| known.introspection.as_ref());
                let Some(endpoint) = endpoint.as_ref().or(found) else { return unavailable(1) };
                let request = introspection::request(endpoint.clone(), token, client);
                let task = Task::Ask { token: secret, waiting, next, host: false };
                self.perform(now, index, task, request, limits::TOKEN_BODY, "what a token is");
            }
            Tokens::Host { .. } => {
                let effect = Effect::CheckToken { token: secret.clone() };
                let task = Task::Ask { token: secret, waiting, next, host: true };
                self.start(now, index, task, effect, "what a token is");
            }
            Tokens::Jwt { .. } => return unavailable(1),
        }
        Checked::Wait(check)
    }

    fn settle_ask(
        &mut self,
        now: Now,
        index: usize,
        token: &Secret,
        waiting: Vec<CheckId>,
        next: Vec<usize>,
        with: Completion<'_>,
    ) {
        // What the server cannot take of this token says nothing about the server.
        let of_token =
            matches!(&with, Completion::Http(response) if matches!(response.status, 400 | 413 | 414 | 422));
        let said = match with {
            Completion::Http(response) => introspection::read(&response, token).map(|said| match said {
                Introspection::Active(json) => Some(json.as_bytes().to_vec()),
                Introspection::Inactive => None,
            }),
            Completion::TokenChecked(said) => Ok(said.map(|json| json.as_bytes().to_vec())),
            other => Err(failed(Exchange::Introspection, other)),
        };
        match said {
            Ok(Some(json)) => self.learn(now, index, token.expose(), Some(&json)),
            Ok(None) => {
                let mut next = next.into_iter();
                if let Some(other) = next.next() {
                    // The checks that wait go on waiting, unless the other cannot be asked.
                    let first = waiting.first().copied().unwrap_or(CheckId(0));
                    let kept = waiting.clone();
                    let asked = self.begin_ask(now, token.expose(), other, waiting, next.collect(), first);
                    match asked {
                        Checked::Wait(check) if check == first => return,
                        _ => return self.ready(kept),
                    }
                }
                self.learn(now, index, token.expose(), None);
            }
            Err(_) if of_token => {
                let until_ms = now.mono_ms.saturating_add(limits::SERVER_PAUSE_MS);
                self.tokens.insert(token.expose(), Err(None), until_ms);
            }
            Err(error) => self.pause(now, index, error),
        }
        self.ready(waiting);
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
