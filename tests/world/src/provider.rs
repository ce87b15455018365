//! A host of the authorization server's side in memory: a store, documents by URL, users, and a client's hands. It says
//! what went wrong by panicking: it is there for tests.

// One thread plays it.
#![allow(clippy::missing_panics_doc)]

pub mod rules;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use grantor::jose::{Algorithm, SigningKey};
use grantor::server::{
    Answer, Browser, ConsentRequest, Exchange, Outcome, Page, PageContent, ProtectedResource, Provider,
    ProviderConfig, RegisteredClient, Registration, Request, Step, User, UserDecision,
};
use grantor::wire::HttpResponse;
use grantor::{Completion, Effect, Now, Reach, RecordRevision, ScopeSet, Stored};
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use url::Url;

pub const ISSUER: &str = "https://as.example.com";
pub const RESOURCE: &str = "https://mcp.example.com/mcp";
pub const REDIRECT: &str = "http://127.0.0.1:7000/callback";
pub const START: u64 = 1_800_000_000;
/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// By name: content, revision, and when nobody needs it any more.
type Records = BTreeMap<String, (String, u128, Option<u64>)>;

/// A host and its store, which outlives providers.
#[derive(Debug)]
pub struct World {
    pub provider: RefCell<Provider>,
    pub records: RefCell<Records>,
    pub now: Cell<u64>,
    pub documents: RefCell<BTreeMap<String, (u16, String)>>,
    /// What was fetched, and where the address may be.
    pub fetched: RefCell<Vec<(String, Reach)>>,
    /// The effect at which the store breaks.
    pub broken_store: Cell<bool>,
    writes: Cell<u128>,
    entropy: Cell<u64>,
}

/// What became of an effect.
#[derive(Debug)]
pub enum Done {
    /// Somebody else was first.
    Conflict,
    /// A record is gone.
    Deleted,
    /// Nobody knows.
    Failed,
    /// An answer: its status and body.
    Http(u16, String),
    /// A record and its revision.
    Loaded(Option<(String, u128)>),
    /// A record has this revision.
    Saved(u128),
}

impl Done {
    /// As an exchange takes it.
    pub fn completion(&self) -> Completion<'_> {
        match self {
            Self::Conflict => Completion::Conflict,
            Self::Deleted => Completion::Deleted,
            Self::Failed => Completion::Failed(grantor::error::Failure::new(
                grantor::error::FailureKind::Other,
                "planted",
            )),
            Self::Http(status, body) => {
                let headers: &HeaderMap = &NO_HEADERS;
                Completion::Http(HttpResponse { status: *status, headers, body: body.as_bytes() })
            }
            Self::Loaded(stored) => Completion::Loaded(stored.as_ref().map(|(record, revision)| Stored {
                record: record.as_bytes(),
                revision: RecordRevision::from_counter(*revision),
            })),
            Self::Saved(revision) => Completion::Saved(RecordRevision::from_counter(*revision)),
        }
    }
}

static NO_HEADERS: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);

pub fn files() -> ProtectedResource {
    ProtectedResource::new(RESOURCE)
        .name("Files")
        .scope("files:read", "Read your files")
        .and_then(|resource| resource.scope("files:write", "Change your files"))
        .unwrap()
}

pub fn key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa, &[3; 32]).unwrap().with_kid("k1")
}

pub fn config() -> ProviderConfig {
    ProviderConfig::new(ISSUER, &[7; 32])
        .key(key())
        .resource(files())
        .client(RegisteredClient::public("app").name("App").redirect_uri(REDIRECT))
        .client(
            RegisteredClient::with_secret("web", "s3cret")
                .redirect_uri("https://web.example.com/cb")
                .grant("client_credentials")
                .grant("urn:ietf:params:oauth:grant-type:device_code"),
        )
        .client(RegisteredClient::with_secret("resource", "r3source").introspects())
        .registration(Registration::open())
}

pub fn alice() -> User {
    User::new("alice", START - 60)
}

impl World {
    pub fn new(config: ProviderConfig) -> Self {
        Self {
            provider: RefCell::new(Provider::new(config).unwrap()),
            records: RefCell::default(),
            now: Cell::new(START),
            documents: RefCell::default(),
            fetched: RefCell::default(),
            broken_store: Cell::new(false),
            writes: Cell::new(0),
            entropy: Cell::new(0),
        }
    }

    pub fn plain() -> Self {
        Self::new(config())
    }

    pub fn pass(&self, seconds: u64) {
        self.now.set(self.now.get() + seconds);
    }

    pub fn now(&self) -> Now {
        Now::new(0, self.now.get())
    }

    pub fn entropy(&self) -> [u8; 32] {
        self.entropy.set(self.entropy.get() + 1);
        let mut entropy = [0; 32];
        entropy[..8].copy_from_slice(&self.entropy.get().to_be_bytes());
        entropy
    }

    /// Performs one effect, and gives the next step.
    pub fn perform(&self, exchange: &mut Exchange, effect: Effect) -> Step {
        let done = if self.broken_store.get() { Done::Failed } else { self.done(effect) };
        exchange.complete(self.now(), done.completion()).unwrap()
    }

    /// Performs one effect.
    pub fn done(&self, effect: Effect) -> Done {
        let now = self.now();
        match effect {
            Effect::Load { key } => {
                let records = self.records.borrow();
                let stored = records
                    .get(&key.to_string())
                    .filter(|(_, _, until)| until.is_none_or(|at| at > now.unix_s));
                Done::Loaded(stored.map(|(record, revision, _)| (record.clone(), *revision)))
            }
            Effect::Save { key, record, expect, expires_at_s } => {
                let name = key.to_string();
                let mut records = self.records.borrow_mut();
                records.retain(|_, (_, _, until)| until.is_none_or(|at| at > now.unix_s));
                let revision =
                    records.get(&name).map(|(_, revision, _)| RecordRevision::from_counter(*revision));
                if revision != expect {
                    return Done::Conflict;
                }
                self.writes.set(self.writes.get() + 1);
                records.insert(name, (record.expose().into(), self.writes.get(), expires_at_s));
                Done::Saved(self.writes.get())
            }
            Effect::Delete { key, expect } => {
                let name = key.to_string();
                let mut records = self.records.borrow_mut();
                let revision =
                    records.get(&name).map(|(_, revision, _)| RecordRevision::from_counter(*revision));
                if revision.is_some_and(|revision| revision != expect) {
                    return Done::Conflict;
                }
                records.remove(&name);
                Done::Deleted
            }
            Effect::Http { request, .. } => {
                self.fetched.borrow_mut().push((request.url.to_string(), request.reach.clone()));
                let documents = self.documents.borrow();
                let (status, body) =
                    documents.get(request.url.as_str()).cloned().unwrap_or((404, String::new()));
                Done::Http(status, body)
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn run(&self, (mut exchange, mut step): (Exchange, Step)) -> Outcome {
        loop {
            match step {
                Step::Done(outcome) => return outcome,
                Step::Perform { effect, .. } => step = self.perform(&mut exchange, effect),
                other => panic!("{other:?}"),
            }
        }
    }

    pub fn handle(&self, request: Request, user: Option<User>) -> Outcome {
        let provider = self.provider.borrow().clone();
        self.run(provider.handle(self.now(), self.entropy(), request, user))
    }

    /// The answer to a request.
    pub fn answer(&self, request: Request) -> Answer {
        match self.handle(request, None) {
            Outcome::Answer(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub fn post(&self, path: &'static str, form: &[(&str, &str)]) -> Answer {
        self.answer(post(path, form))
    }

    pub fn token(&self, form: &[(&str, &str)]) -> Answer {
        self.post("/token", form)
    }

    pub fn authorize(&self, parameters: &[(&str, &str)], user: Option<User>) -> Outcome {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        self.handle(Request::get(&format!("/authorize?{}", query.finish())), user)
    }

    /// The page that asks for consent, and the browser's cookies after it.
    pub fn consent_page(&self, parameters: &[(&str, &str)]) -> (ConsentRequest, HeaderMap) {
        let (page, cookies) = page(self.authorize(parameters, Some(alice())));
        match page.content {
            PageContent::Consent(request) => (request, cookies),
            other => panic!("{other:?}"),
        }
    }

    pub fn decide(&self, request: &ConsentRequest, cookies: &HeaderMap, decision: UserDecision) -> Outcome {
        self.run(self.deciding(request, cookies, alice(), decision))
    }

    /// The same of any user, not performed yet.
    pub fn deciding(
        &self,
        request: &ConsentRequest,
        cookies: &HeaderMap,
        user: User,
        decision: UserDecision,
    ) -> (Exchange, Step) {
        let provider = self.provider.borrow().clone();
        let browser = Browser::new(request.interaction.expose(), cookies);
        provider.decide(self.now(), self.entropy(), browser, user, decision)
    }

    /// A request, not performed yet.
    pub fn handling(&self, request: Request) -> (Exchange, Step) {
        let provider = self.provider.borrow().clone();
        provider.handle(self.now(), self.entropy(), request, None)
    }

    /// Two exchanges at once: before each effect, `first` says whether the first goes on.
    pub fn interleave(
        &self,
        a: (Exchange, Step),
        b: (Exchange, Step),
        mut first: impl FnMut() -> bool,
    ) -> (Outcome, Outcome) {
        let mut both = [(a.0, Some(a.1)), (b.0, Some(b.1))];
        let mut ends = [None, None];
        while ends.iter().any(Option::is_none) {
            let index = match &ends {
                [Some(_), _] => 1,
                [_, Some(_)] => 0,
                _ => usize::from(!first()),
            };
            let (exchange, step) = &mut both[index];
            match step.take().expect("a step") {
                Step::Done(outcome) => ends[index] = Some(outcome),
                Step::Perform { effect, .. } => *step = Some(self.perform(exchange, effect)),
                other => panic!("{other:?}"),
            }
        }
        let [Some(a), Some(b)] = ends else { unreachable!("both ended") };
        (a, b)
    }

    /// Runs an exchange of which one effect fails, the one of this number: before it is performed, or after. Whether there
    /// was such a one.
    pub fn run_failing(
        &self,
        (mut exchange, mut step): (Exchange, Step),
        number: usize,
        performed: bool,
    ) -> (Outcome, bool) {
        let mut done = 0;
        loop {
            match step {
                Step::Done(outcome) => return (outcome, done > number),
                Step::Perform { effect, .. } if done == number => {
                    if performed {
                        self.done(effect);
                    }
                    step = exchange.complete(self.now(), Done::Failed.completion()).unwrap();
                }
                Step::Perform { effect, .. } => step = self.perform(&mut exchange, effect),
                other => panic!("{other:?}"),
            }
            done += 1;
        }
    }

    /// Goes through the page and comes back with a code.
    pub fn code(&self, parameters: &[(&str, &str)]) -> String {
        let (request, cookies) = self.consent_page(parameters);
        let answer = answered(self.decide(&request, &cookies, UserDecision::Allow));
        parameter(answer.header("location"), "code").expect("a code")
    }

    /// The whole way of the client `app`.
    pub fn tokens(&self) -> Value {
        self.tokens_for(&[])
    }

    /// The same, with other parameters.
    pub fn tokens_for(&self, changes: &[(&str, &str)]) -> Value {
        let code = self.code(&asking(changes));
        let answer = self.token(&exchanging(&code));
        assert_eq!(answer.status, 200, "{}", answer.body.expose());
        json(&answer)
    }

    pub fn refresh(&self, refresh_token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", refresh_token)])
    }

    pub fn introspect(&self, token: &str) -> Value {
        let form = [("token", token), ("client_id", "resource"), ("client_secret", "r3source")];
        json(&self.post("/introspect", &form))
    }

    /// All that the store holds.
    pub fn dump(&self) -> String {
        format!("{:?}", self.records.borrow())
    }
}

pub fn post(path: &'static str, form: &[(&str, &str)]) -> Request {
    Request::post(path, &url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish())
}

pub fn register(metadata: &str) -> Request {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    Request::new(Method::POST, "/register".parse().unwrap(), headers, metadata.to_owned().into())
}

pub fn with(mut request: Request, name: HeaderName, value: &str) -> Request {
    request.headers.append(name, value.parse().unwrap());
    request
}

pub fn with_basic(request: Request, client_id: &str, secret: &str) -> Request {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{client_id}:{secret}"));
    with(request, AUTHORIZATION, &format!("Basic {encoded}"))
}

/// An authorization request of the client `app`, with changes: an empty value takes a parameter out.
pub fn asking<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("client_id", "app"),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "xyz"),
        ("scope", "files:read"),
        ("resource", RESOURCE),
    ];
    for (name, value) in changes {
        all.retain(|(own, _)| own != name);
        if !value.is_empty() {
            all.push((name, value));
        }
    }
    all
}

pub fn exchanging(code: &str) -> [(&str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ]
}

pub fn answered(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// A page, and the cookies that a browser has after it.
pub fn page(outcome: Outcome) -> (Page, HeaderMap) {
    let Outcome::Page(page) = outcome else { panic!("{outcome:?}") };
    let cookies = page.headers.get_all(SET_COOKIE).iter().map(|line| {
        let line = line.to_str().unwrap();
        (COOKIE, HeaderValue::from_str(line.split(';').next().unwrap()).unwrap())
    });
    let cookies = HeaderMap::from_iter(cookies);
    (*page, cookies)
}

/// The error of a page.
pub fn shown_error(outcome: Outcome) -> (u16, String) {
    let (page, _) = page(outcome);
    match page.content {
        PageContent::Error { code, .. } => (page.status, code.name().into()),
        other => panic!("{other:?}"),
    }
}

/// The error that went back to the client.
pub fn redirected_error(outcome: Outcome) -> String {
    let answer = answered(outcome);
    assert_eq!(answer.status, 303);
    let location = answer.header("location");
    assert!(location.starts_with(REDIRECT), "{location}");
    assert_eq!(parameter(location, "state").as_deref(), Some("xyz"), "RFC 6749 4.1.2.1");
    assert_eq!(parameter(location, "iss").as_deref(), Some(ISSUER), "RFC 9207 2");
    assert!(parameter(location, "error_description").is_some());
    assert!(parameter(location, "code").is_none());
    parameter(location, "error").expect("an error")
}

pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).unwrap();
    let mut all = url.query_pairs().filter(|(own, _)| own == name);
    all.next().map(|(_, value)| value.into_owned())
}

pub fn json(answer: &Answer) -> Value {
    serde_json::from_str(answer.body.expose()).unwrap_or_default()
}

pub fn error(answer: &Answer) -> (u16, String) {
    (answer.status, json(answer)["error"].as_str().unwrap_or_default().into())
}

pub fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

/// The claims of a JWT.
pub fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&decoded).unwrap()
}
