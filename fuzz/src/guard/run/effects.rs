//! What the Guard asks of the host and the peers, and what it is told.

use std::fmt::Debug;

use grantor::error::{ApiMisuse, FailureKind};
use grantor::resource::{Guard, Notice, Output};
use grantor::{Completion, Effect, Now, OpId};
use http::Method;

use super::Run;
use crate::guard::made;
use crate::guard::peers::Reply;
use crate::guard::setup::{ISSUERS, Kind};
use crate::input::Input;

impl Run<'_> {
    pub(super) fn effect(&mut self, input: &mut Input<'_>) {
        let which = input.letter([0, 1, 2, 3, 4, 5, 6, 7]);
        if self.open.is_empty() {
            return;
        }
        let op = *self.open.keys().nth(which % self.open.len()).expect("one of them");
        let reply = Reply::read(input, &self.open[&op].0);
        self.complete(op, &reply);
    }

    pub(super) fn all_good(&mut self) {
        while let Some((op, (effect, _))) = self.open.first_key_value() {
            let reply = Reply::read(&mut Input(b"g"), effect);
            self.complete(*op, &reply);
        }
    }

    fn complete(&mut self, op: OpId, reply: &Reply) {
        let Some((effect, _)) = self.open.remove(&op) else { return };
        self.settled = Some(op);
        let said = match reply {
            Reply::Checked(said) => Some(said.clone()),
            Reply::Http { status: 200, body, .. } => String::from_utf8(body.clone()).ok().and_then(|json| {
                let active: serde_json::Value = serde_json::from_str(&json).ok()?;
                active["active"].as_bool().map(|active| active.then_some(json))
            }),
            _ => None,
        };
        // What a server cannot take of a token says nothing about other tokens, and nothing good of this one.
        let token = token_of(&effect);
        let of_token = token.is_some() && matches!(reply, Reply::Http { status: 400 | 413 | 414 | 422, .. });
        match (token, said) {
            (Some(token), Some(said)) => drop(self.truth.said.insert(token, (said, self.now.mono_ms))),
            (Some(token), None) if of_token => drop(self.truth.said.remove(&token)),
            _ => {}
        }
        let result = self.both(|guard, now| guard.complete(now, op, reply.completion()));
        assert_eq!(result, Ok(()));
        let notices = self.drain();
        for notice in notices {
            assert!(!of_token || !matches!(notice, Notice::ServerFailed { .. }), "{notice:?}");
            if let (Notice::KeysFetched { issuer, .. }, Reply::Http { body, .. }) = (notice, reply) {
                let server = ISSUERS.iter().position(|own| *own == issuer.as_str()).expect("a server");
                self.truth.keys[server] = made::keys_in(body);
                self.truth.keys_at_ms = Some(self.now.mono_ms);
            }
        }
    }

    fn both<R: PartialEq + Debug>(&mut self, act: impl Fn(&mut Guard, Now) -> R) -> R {
        let result = act(&mut self.guard, self.now);
        if let Some(twin) = &mut self.twin {
            assert_eq!(act(twin, self.now), result, "the same history, the same result");
        }
        result
    }

    /// Takes what the Guard says.
    pub(super) fn drain(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        while let Some(output) = self.guard.poll_output() {
            let shown = format!("{output:?}");
            self.hidden(&shown);
            if let Some(twin) = &mut self.twin {
                assert_eq!(format!("{:?}", twin.poll_output().expect("the same")), shown);
            }
            match output {
                Output::Perform { op, deadline_ms, effect, .. } => {
                    self.performs(&effect);
                    assert!(deadline_ms > self.now.mono_ms);
                    assert!(
                        self.open.insert(op, (effect, deadline_ms)).is_none(),
                        "each effect has its own name"
                    );
                }
                Output::Ready { check } => {
                    assert!(self.waiting.remove(&check.to_u64()), "a check that waits");
                }
                Output::Notice(notice) => {
                    assert!(
                        !shown.contains(|c: char| c.is_control()),
                        "control characters are shown: {shown:?}"
                    );
                    notices.push(notice);
                }
                other => panic!("{other:?} is not known here"),
            }
        }
        assert!(self.twin.as_mut().is_none_or(|twin| twin.poll_output().is_none()));
        notices
    }

    /// Only what is asked is sent, and only over TLS.
    fn performs(&self, effect: &Effect) {
        match effect {
            Effect::Http { request, .. } => {
                assert_eq!(request.url.scheme(), "https");
                let asks = self.setup.kinds.contains(&Kind::Introspection);
                assert!(request.method == Method::GET && request.body.is_empty() || asks);
            }
            Effect::CheckToken { .. } => assert!(self.setup.kinds.contains(&Kind::Host)),
            other => panic!("{other:?} is none of the Guard's"),
        }
    }

    pub(super) fn wait(&mut self, input: &mut Input<'_>) {
        let seconds = input.letter([1, 5, 10, 31, 61, 301, 601, 3600, 7200, 90_000]);
        let skew = input.letter([0, 0, -1, -100, 10_000]);
        let on_time = input.letter([true, false]);
        let now = self.now.plus_ms(seconds * 1000);
        self.now = Now::new(now.mono_ms, now.unix_s.saturating_add_signed(skew));
        self.truth.latest_s = self.truth.latest_s.max(self.now.unix_s);
        if on_time {
            self.both(|guard, now| guard.handle_timeout(now));
            let late = |(_, deadline_ms): &(Effect, u64)| *deadline_ms <= self.now.mono_ms;
            let settled: Vec<OpId> =
                self.open.iter().filter(|(_, open)| late(open)).map(|(op, _)| *op).collect();
            for op in settled {
                self.open.remove(&op);
                self.settled = Some(op);
            }
            self.drain();
        }
    }

    /// What cannot be meant changes nothing.
    pub(super) fn misuse(&mut self, input: &mut Input<'_>) {
        let last = self.open.keys().next_back().copied().max(self.settled).map_or(0, OpId::to_u64);
        let unknown = [0, last + 1000, u64::MAX];
        let op = OpId::from_u64(input.letter(unknown));
        let reply = Reply::Failed(FailureKind::Other);
        let result = self.unchanged(|guard, now| guard.complete(now, op, reply.completion()));
        assert_eq!(result, Err(ApiMisuse::UnknownOp));
        if let Some(op) = self.settled {
            let result = self.unchanged(|guard, now| guard.complete(now, op, reply.completion()));
            assert_eq!(result, Ok(()), "late, and ignored");
        }
        if let Some((op, (effect, _))) = self.open.first_key_value() {
            let op = *op;
            let wrong = match effect {
                Effect::CheckToken { .. } => Completion::Deleted,
                _ => Completion::TokenChecked(Some("{}")),
            };
            let result = self.unchanged(|guard, now| guard.complete(now, op, wrong));
            assert_eq!(result, Err(ApiMisuse::WrongCompletion));
        }
    }

    pub(super) fn unchanged<R: PartialEq + Debug>(&mut self, act: impl Fn(&mut Guard, Now) -> R) -> R {
        let state = |guard: &Guard| (guard.token_cache_bytes(), guard.poll_timeout());
        let before = state(&self.guard);
        let result = self.both(act);
        assert_eq!(state(&self.guard), before);
        assert!(self.guard.poll_output().is_none(), "nothing has changed");
        result
    }
}

/// The token that an effect asks about.
fn token_of(effect: &Effect) -> Option<String> {
    match effect {
        Effect::CheckToken { token } => Some(token.expose().to_owned()),
        Effect::Http { request, .. } => url::form_urlencoded::parse(request.body.expose().as_bytes())
            .find(|(name, _)| name == "token")
            .map(|(_, token)| token.into_owned()),
        _ => None,
    }
}
