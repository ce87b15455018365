//! A protected server: a Guard, and the documents that it may fetch.

use std::sync::Arc;

use grantor::resource::{
    Answer, AuthorizationServer, Decision, Grant, Guard, GuardConfig, Output, Policy, Refusal, RequestHead,
    TokenProblem,
};
use grantor::wire::HttpResponse;
use grantor::wire::challenge::Challenges;
use grantor::{Completion, Effect, Now};
use http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

use crate::{ISSUER, NOW, RESOURCE};

pub(crate) const METADATA: &str = "https://as.example.com/.well-known/oauth-authorization-server";
pub(crate) const KEYS: &str = "https://as.example.com/jwks";

pub(crate) struct Resource {
    guard: Guard,
    now: Now,
    documents: Vec<(String, Value)>,
    /// The URLs of all effects.
    pub(crate) fetched: Vec<String>,
}

impl Resource {
    /// One that believes an issuer with these keys.
    pub(crate) fn trusting(keys: &Value) -> Self {
        Self::with(AuthorizationServer::jwt(ISSUER), keys)
    }

    pub(crate) fn with(server: AuthorizationServer, keys: &Value) -> Self {
        let policy = Policy::new().every("mcp:use").expect("a scope");
        let config = GuardConfig::new(RESOURCE, policy).server(server);
        let metadata = json!({ "issuer": ISSUER, "jwks_uri": KEYS });
        Self {
            guard: Guard::new(config).expect("a configuration"),
            now: Now::new(1_000_000, NOW),
            documents: vec![(METADATA.into(), metadata), (KEYS.into(), keys.clone())],
            fetched: Vec::new(),
        }
    }

    /// Has another document in the world.
    pub(crate) fn serve(&mut self, url: &str, document: &Value) {
        self.documents.push((url.into(), document.clone()));
    }

    pub(crate) fn pass_s(&mut self, seconds: u64) {
        self.now = self.now.plus_ms(seconds * 1000);
    }

    /// Refuses one token for this reason, and lets the other through.
    pub(crate) fn tell(&mut self, bad: &str, good: &str, problem: impl Into<TokenProblem>) {
        let problem = problem.into();
        self.refuse(bad, problem);
        self.allow(good);
        self.refuse(bad, problem);
    }

    /// What the token grants.
    pub(crate) fn allow(&mut self, token: &str) -> Arc<Grant> {
        match self.decide(token) {
            Decision::Allow(Some(grant)) => grant,
            other => panic!("{other:?} for {token}"),
        }
    }

    /// The answer is that of RFC 6750 3.1 and RFC 9728 5.1, for this reason.
    pub(crate) fn refuse(&mut self, token: &str, problem: impl Into<TokenProblem>) {
        self.answer(token, 401, "invalid_token", Refusal::Token(problem.into()));
    }

    /// The answer is that to a malformed request, not to a bad token.
    pub(crate) fn malformed(&mut self, token: &str) {
        self.answer(token, 400, "invalid_request", Refusal::MalformedAuthorization);
    }

    fn answer(&mut self, token: &str, status: u16, error: &str, refusal: Refusal) {
        let answer = match self.decide(token) {
            Decision::Answer(answer) => answer,
            other => panic!("{other:?} for {token}"),
        };
        assert_eq!((answer.status, answer.refusal), (status, Some(refusal)), "{token}");
        check_challenge(&answer, error);
        let own = |url: &String| url == METADATA || url == KEYS;
        assert!(self.fetched.iter().all(own), "{:?}", self.fetched);
    }

    fn decide(&mut self, token: &str) -> Decision {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().expect("a header"));
        let target = Uri::from_static("/mcp");
        let head = RequestHead::new(&Method::POST, &target, &headers);
        for _ in 0..8 {
            match self.guard.check(self.now, &head, None) {
                Decision::Wait(_) => self.perform(),
                decision => return decision,
            }
        }
        panic!("it waits and waits");
    }

    fn perform(&mut self) {
        while let Some(output) = self.guard.poll_output() {
            let Output::Perform { op, effect, .. } = output else { continue };
            let Effect::Http { request, .. } = effect else { panic!("{effect:?}") };
            let url = request.url.as_str();
            self.fetched.push(url.to_owned());
            let found = self.documents.iter().find(|(own, _)| own == url);
            let (status, body) = found.map_or((404, String::new()), |(_, json)| (200, json.to_string()));
            let headers = HeaderMap::from_iter([(
                http::header::CONTENT_TYPE,
                http::HeaderValue::from_static("application/json"),
            )]);
            let response = HttpResponse { status, headers: &headers, body: body.as_bytes() };
            self.guard.complete(self.now, op, Completion::Http(response)).expect("in time");
        }
    }
}

fn check_challenge(answer: &Answer, error: &str) {
    let (challenges, malformed) = Challenges::of(&answer.headers);
    assert_eq!((malformed, challenges.iter().count()), (None, 1));
    let challenge = challenges.bearer().expect("a Bearer challenge");
    assert_eq!(challenge.error(), Some(error));
    let metadata = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
    assert_eq!(challenge.resource_metadata(), Some(metadata));
    let scope = (answer.status == 401).then_some("mcp:use");
    assert_eq!(challenge.challenge().get("scope"), scope, "MCP \"Scope Selection Strategy\"");
    assert_eq!(answer.headers["cache-control"], "no-store");
}
