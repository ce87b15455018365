//! What must hold at every step.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use grantor::client::{Engine, Output};
use grantor::wire::HttpRequest;
use grantor::{Effect, Interaction, OpId, RecordKind, Secret, StoreKey};
use url::{Url, form_urlencoded};

use crate::store::access_token;
use crate::{Asked, header};

/// What the simulation has seen.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) steps: u64,
    pub(super) calls: u64,
    pub(super) delivered: u64,
    /// Whether something happened after which even perfect clients can lose a refresh token.
    pub(super) disturbed: bool,
    /// Whether the store has given out something else than what was written.
    pub(super) store_lied: bool,
    /// Whether a process died.
    pub(super) restarted: bool,
    /// Whether a process logged out or forgot.
    pub(super) left: bool,
    /// Access tokens that the store has confirmed.
    stored: BTreeSet<String>,
    /// What was asked for, by sort, and for how many calls: each has a budget.
    spent: BTreeMap<(String, &'static str), u64>,
    /// Refresh requests that are under way: process, effect, and the refresh token. That of a grant which
    /// another has replaced may be on its way still.
    refreshing: BTreeMap<(String, OpId), String>,
}

impl Model {
    /// Whether nothing may lead to stored tokens any more: the store has lied about what did, or one process took it
    /// away while another died between storing tokens and pinning their issuer.
    pub(super) fn may_lose_track(&self) -> bool {
        self.store_lied || self.restarted && self.left
    }

    pub(super) fn saved(&mut self, key: &StoreKey, record: &Secret) {
        if key.kind == RecordKind::Grant && key.quarantine.is_none() {
            assert!(record.expose().starts_with(r#"{"v":2,"#), "records carry a version");
            self.stored.extend(access_token(record.expose().as_bytes()));
        }
    }

    pub(super) fn answered(&mut self, op: OpId, process: &str) {
        self.refreshing.remove(&(process.to_owned(), op));
    }

    pub(super) fn restarted(&mut self, process: &str) {
        self.refreshing.retain(|(other, _), _| other != process);
    }

    /// Persist first: a token is sent only after it was stored. And only in the header.
    pub(super) fn check_credentials(&self, request: &Asked) {
        let token = header(request.headers(), "authorization")
            .map(|value| value.strip_prefix("Bearer ").expect("Bearer"));
        if let Some(token) = token {
            assert!(self.stored.contains(token), "a token was sent before it was stored");
        }
        assert!(!request.uri().to_string().contains("planted"), "a secret in a URL");
    }

    /// Bounded work: whatever peers answer, no call leads to more than its budget.
    fn check_budget(&mut self, process: &str, effect: &Effect) {
        use grantor::limits;
        let (sort, per_call) = match effect {
            Effect::Http { request, .. } => match request.url.path() {
                "/register" => ("registrations", limits::REGISTRATIONS_PER_CALL),
                "/token" => ("token requests", limits::TOKEN_REQUESTS_PER_CALL + limits::REFRESHES_PER_CALL),
                _ => ("documents", limits::DOCUMENTS_PER_CALL),
            },
            Effect::Interact(Interaction::Authorize(_)) => ("pages", limits::PAGES_PER_CALL),
            Effect::Interact(_) => ("questions", limits::QUESTIONS_PER_CALL),
            _ => ("store operations", limits::STORE_OPERATIONS_PER_CALL),
        };
        let spent = self.spent.entry((process.to_owned(), sort)).or_default();
        *spent += 1;
        assert!(*spent <= self.calls.max(1) * u64::from(per_call), "{sort} without end: {spent}");
    }

    /// What was spent so far.
    pub(super) fn spent(&self) -> BTreeMap<(String, &'static str), u64> {
        self.spent.clone()
    }

    /// The same for what came since, for one call.
    pub(super) fn check_one_call(&self, before: &BTreeMap<(String, &'static str), u64>) {
        use grantor::limits;
        for (key, spent) in &self.spent {
            let spent = spent - before.get(key).copied().unwrap_or_default();
            let most = match key.1 {
                "registrations" => limits::REGISTRATIONS_PER_CALL,
                "token requests" => limits::TOKEN_REQUESTS_PER_CALL + limits::REFRESHES_PER_CALL,
                "documents" => limits::DOCUMENTS_PER_CALL,
                "pages" => limits::PAGES_PER_CALL,
                "questions" => limits::QUESTIONS_PER_CALL,
                _ => limits::STORE_OPERATIONS_PER_CALL,
            };
            assert!(spent <= u64::from(most), "{spent} {} for one call", key.1);
        }
    }

    pub(super) fn check_effect(&mut self, op: OpId, process: &str, effect: &Effect) {
        self.check_budget(process, effect);
        match effect {
            Effect::Http { request, max_body } => {
                assert!(*max_body <= grantor::limits::DOCUMENT_BODY, "bodies are bounded");
                self.check_request(op, process, request);
            }
            Effect::Interact(Interaction::Authorize(prompt)) => check_page(prompt.url.as_str()),
            Effect::Save { record, .. } => {
                assert!(record.expose().len() <= grantor::limits::RECORD, "records are bounded");
            }
            _ => {}
        }
    }

    fn check_request(&mut self, op: OpId, process: &str, request: &HttpRequest) {
        assert!(request.url.scheme() == "https", "{}", request.url);
        assert!(!request.url.as_str().contains("planted"), "a secret in a URL");
        let host = request.url.host_str().unwrap_or_default();
        let authorization = header(&request.headers, "authorization");
        assert!(
            authorization.is_none_or(|value| !value.starts_with("Bearer")),
            "a token goes to the resource alone"
        );
        let body = request.body.expose();
        let basic = authorization.and_then(|value| value.strip_prefix("Basic ")).map(|value| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(value).expect("base64");
            String::from_utf8(bytes).expect("text")
        });
        let pairs: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        // Bound credentials: what one server issued goes to no other.
        for value in pairs.iter().map(|(_, value)| value).chain(&basic) {
            for issued in value.split(':') {
                if let Some((_, origin)) = issued.split_once("-of-") {
                    assert_eq!(origin, host, "credentials of {origin} at {host}");
                }
            }
        }
        // One refresh.
        let get = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        if get("grant_type").is_some_and(|value| value == "refresh_token") {
            let token = get("refresh_token").expect("a refresh token");
            for ((other, _), used) in &self.refreshing {
                assert!(other != process || used != token, "two refreshes at once");
                assert!(other == process || self.disturbed, "two processes use a refresh token at once");
            }
            self.refreshing.insert((process.to_owned(), op), token.clone());
        }
    }

    /// Silence: no secret in what is printed.
    pub(super) fn check_silence(&self, output: &Output) {
        let shown = format!("{output:?}");
        assert!(!shown.contains("planted"), "{shown}");
    }

    pub(super) fn check_engine(&self, engine: &Engine) {
        if self.steps.is_multiple_of(16) {
            let shown = format!("{engine:?}");
            assert!(!shown.contains("planted"), "{shown}");
        }
    }
}

/// A page that a browser may open: http(s), with everything that protects the code.
fn check_page(url: &str) {
    let url = Url::parse(url).expect("a URL");
    assert_eq!(url.scheme(), "https");
    let get = |wanted: &str| {
        url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    assert_eq!(get("code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(get("code_challenge").map(|challenge| challenge.len()), Some(43));
    assert_eq!(get("state").map(|state| state.len()), Some(43));
    assert!(get("resource").is_some());
    let client = get("client_id").expect("a client");
    if let Some((_, origin)) = client.split_once("-of-") {
        assert_eq!(Some(origin), url.host_str(), "a client id goes to the server that issued it");
    }
}
