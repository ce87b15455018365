//! One Guard from its first request to its last.

mod decisions;
mod effects;

use std::collections::{BTreeMap, BTreeSet};

use grantor::resource::{Answer, Decision, Guard, MessageError, Refusal};
use grantor::{Effect, Now, OpId, limits};
use http::Method;
use http::header::HeaderMap;

use super::answer;
use super::made::{self, Jwt, Proofs};
use super::request::{self, Request};
use super::rules::Op;
use super::setup::{PUBLIC_PATH, START, Setup};
use super::truth::{NONCE_S, Truth};
use crate::input::{Input, planted};

/// Checks of one request until it is decided: a server's metadata, keys, another server's, and two more.
const ROUNDS: usize = 6;
/// A cache in which there is room for any token: without that, its server is asked each time.
const ROOM: usize = 1 << 16;

/// A Guard with the host and the peers around it.
pub(super) struct Run<'a> {
    setup: Setup,
    guard: Guard,
    /// One that is told the same.
    twin: Option<Guard>,
    now: Now,
    truth: Truth,
    /// What nobody is shown.
    secrets: Vec<String>,
    /// Part of every token that is made here, so that no other text of the input is one.
    planted: String,
    tokens: [Vec<u8>; 4],
    headers: HeaderMap,
    proofs: Option<Proofs<'a>>,
    last_nonce: Option<String>,
    last: Option<Request>,
    open: BTreeMap<OpId, (Effect, u64)>,
    settled: Option<OpId>,
    waiting: BTreeSet<u64>,
}

impl<'a> Run<'a> {
    pub(super) fn new(data: &[u8], letters: &mut Input<'_>) -> Self {
        let setup = Setup::read(data, letters);
        let guard = setup.guard();
        let twin = setup.twin.then(|| setup.guard());
        let planted = planted(data, "token");
        let mut secrets = setup.secrets();
        secrets.push(planted.clone());
        Self {
            setup,
            guard,
            twin,
            now: Now::new(1_000_000, START),
            truth: Truth::new(),
            secrets,
            planted,
            tokens: Default::default(),
            headers: HeaderMap::new(),
            proofs: None,
            last_nonce: None,
            last: None,
            open: BTreeMap::new(),
            settled: None,
            waiting: BTreeSet::new(),
        }
    }

    pub(super) fn step(&mut self, mut input: Input<'a>) {
        let Some(what) = input.0.split_off_first() else { return };
        match what {
            b't' => self.make_token(input),
            b'p' => self.proofs = Some(Proofs::read(&mut input)),
            b'h' => {
                let at = input.0.iter().position(|byte| *byte == b':').unwrap_or(input.0.len());
                let (name, value) = input.0.split_at(at);
                if let Ok(name) = std::str::from_utf8(name) {
                    request::add(&mut self.headers, name, value.get(1..).unwrap_or_default());
                }
            }
            b'r' => self.request(&mut input),
            b'q' => {
                if let Some(request) = self.last.take() {
                    self.ask(request);
                }
            }
            b'e' => self.effect(&mut input),
            b'g' => self.all_good(),
            b'w' => self.wait(&mut input),
            b'u' => self.misuse(&mut input),
            _ => {}
        }
        assert!(self.guard.token_cache_bytes() <= self.setup.token_cache_bytes, "memory is bounded");
        let deadline = self.open.values().map(|(_, deadline_ms)| *deadline_ms).min();
        assert_eq!(self.guard.poll_timeout(), deadline);
        assert!(!self.open.is_empty() || self.waiting.is_empty(), "no check waits for nothing");
    }

    /// All checks that wait end, and when peers answer well so do those that come.
    pub(super) fn end(&mut self) {
        self.all_good();
        assert!(self.open.is_empty() && self.waiting.is_empty());
        self.hidden(&format!("{:?}", self.guard));
        let Some(request) = self.last.take().filter(|_| self.setup.token_cache_bytes > ROOM) else { return };
        let ends = (0..ROUNDS).any(|_| {
            let decision = self.decide(&request, false);
            self.all_good();
            !matches!(decision, Decision::Wait(_))
        });
        assert!(ends, "it waits and waits");
    }

    fn make_token(&mut self, mut input: Input<'_>) {
        let slot = input.letter([0, 1, 2, 3]);
        let how = input.one_of(*b"abcdef");
        let text = String::from_utf8_lossy(input.0);
        self.tokens[slot] = match how {
            b'd' => format!("opaque-{}-{slot}", self.planted).into_bytes(),
            b'e' => input.0.to_vec(),
            b'f' => {
                let (header, claims) = text.split_once('|').unwrap_or((&text, "{}"));
                let claims = made::claims(claims, serde_json::json!({ "planted": self.planted }));
                self.remember(Jwt::sign(0, header.to_owned(), claims))
            }
            key => {
                let key = usize::from(key - b'a');
                self.remember(Jwt::access(key, &text, &self.planted))
            }
        };
    }

    fn remember(&mut self, jwt: Jwt) -> Vec<u8> {
        // What is signed is the input's own unless something is planted in it.
        if jwt.claims.contains(&self.planted) {
            self.secrets.push(jwt.signature().to_owned());
        }
        let text = jwt.text.clone().into_bytes();
        self.truth.jwts.push(jwt);
        text
    }

    fn request(&mut self, input: &mut Input<'_>) {
        let mut request = Request::read(input, std::mem::take(&mut self.headers), &self.tokens);
        if let Some(proofs) = self.proofs
            && let [(_, token)] = &request.credentials()[..]
        {
            let token = String::from_utf8_lossy(token).into_owned();
            let nonce = self.last_nonce.as_deref();
            let proof = proofs.make(self.now, request.method.as_str(), &token, nonce);
            request::add(&mut request.headers, "dpop", proof.text.as_bytes());
            self.truth.proofs.push(proof);
        }
        self.ask(request);
    }

    /// As a host asks: by the head, then with the body if that is wanted.
    fn ask(&mut self, request: Request) {
        let mut decision = self.decide(&request, false);
        if let Decision::NeedBody { max } = decision {
            let anonymous = request.credentials().is_empty();
            let most = if anonymous { limits::ANONYMOUS_BODY } else { usize::MAX };
            assert_eq!((max, &request.method), (self.setup.max_body.min(most), &Method::POST));
            if request.body.len() > max {
                let answer = self.guard.too_large(&request.head());
                assert_eq!(answer.status, 413);
                self.answered(&answer, &request, None);
                self.last = Some(request);
                return;
            }
            decision = self.decide(&request, true);
            assert!(!matches!(decision, Decision::NeedBody { .. }), "it has the body");
        } else if matches!(decision, Decision::Answer(_)) {
            let with_body = self.decide(&request, true);
            assert!(!matches!(with_body, Decision::Allow(_)), "what the head rules out no body allows");
        }
        self.last = Some(request);
    }

    /// Asks, and asks again, which changes nothing.
    fn decide(&mut self, request: &Request, with_body: bool) -> Decision {
        let body = with_body.then_some(&*request.body);
        let decision = self.check(request, body);
        self.hidden(&format!("{decision:?}"));
        let ops = self.operations(request, with_body);
        if with_body && matches!(decision, Decision::Allow(_)) {
            assert!(
                request.target.path() == PUBLIC_PATH || request.agrees(),
                "headers say what the body says"
            );
        }
        match &decision {
            Decision::Allow(None) => self.truth.allowed_without(request, ops.as_deref(), &self.setup),
            Decision::Allow(Some(grant)) => {
                self.truth.allowed(grant, request, ops.as_deref(), &self.setup, self.now);
            }
            Decision::Answer(answer) => self.answered(answer, request, ops.as_deref()),
            Decision::Wait(check) => {
                assert!(self.waiting.insert(check.to_u64()), "each check has its own name");
                return decision;
            }
            _ => return decision,
        }
        match (&decision, self.check(request, body)) {
            (Decision::Answer(first), Decision::Answer(second)) => {
                // Who has a token and a proof, and lacks something else, has used the proof.
                let lacks = [
                    Refusal::InsufficientScope,
                    Refusal::InsufficientAuthentication,
                    Refusal::Message(MessageError::Contradictory),
                ];
                let used =
                    self.is_used(&second) && first.refusal.is_some_and(|refusal| lacks.contains(&refusal));
                assert!(*first == second || used, "{first:?}, then {second:?}");
            }
            (Decision::Allow(None), Decision::Allow(None)) => {}
            (Decision::Allow(Some(first)), Decision::Allow(Some(second))) => {
                assert_eq!(format!("{first:?}"), format!("{second:?}"));
                assert!(!request.headers.contains_key("dpop") || request.credentials()[0].0 == "bearer");
            }
            (Decision::Allow(Some(_)), Decision::Answer(answer)) => {
                assert!(self.is_used(&answer), "a proof is good once: {answer:?}");
            }
            (first, second) => panic!("{first:?}, then {second:?}"),
        }
        decision
    }

    /// What the request wants to do, as far as it may count.
    fn operations(&self, request: &Request, with_body: bool) -> Option<Vec<Op>> {
        if with_body || request.method != Method::POST {
            return request.operations();
        }
        if self.setup.table.is_uniform() {
            return Some(vec![Op { kind: "method", name: String::new(), arguments: None }]);
        }
        if !self.setup.trust_headers || !request.is_compared() {
            return None;
        }
        // Headers say nothing of arguments.
        let op = request.named().filter(|op| !self.setup.table.depends_on_arguments(op))?;
        Some(vec![op])
    }

    fn answered(&mut self, answer: &Answer, request: &Request, ops: Option<&[Op]>) {
        self.hidden(&format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body)));
        answer::check(answer, request, &self.setup);
        if let Some(nonce) = answer.headers.get("dpop-nonce") {
            // Also where too many proofs are remembered.
            assert!(self.setup.nonces && matches!(answer.status, 401 | 503));
            let nonce = nonce.to_str().expect("text").to_owned();
            self.truth.nonces.insert(nonce.clone(), self.now.unix_s / NONCE_S);
            self.last_nonce = Some(nonce);
        }
        self.unknown_key(answer);
        if let Some(ops) = ops {
            self.lacking(answer, request, ops);
        }
    }

    fn hidden(&self, text: &str) {
        for secret in &self.secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in {text}");
        }
    }
}
