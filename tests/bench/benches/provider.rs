//! What the authorization server's most frequent requests take, with records in memory, beside the signature that
//! they cannot do without.

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use grantor::jose::{Algorithm, SigningKey};
use grantor::server::{
    Answer, Browser, Exchange, Outcome, PageContent, ProtectedResource, Provider, ProviderConfig,
    RegisteredClient, Request, Step, User, UserDecision,
};
use grantor::{Completion, Effect, Now, RecordRevision, StoreKey, Stored};
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use serde_json::Value;

const NOW: Now = Now::new(0, 1_800_000_000);

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256, &[7; 32]).unwrap()
}

/// A provider with its records.
struct Server {
    provider: Provider,
    records: HashMap<StoreKey, (String, u128)>,
    writes: u128,
    entropy: u64,
}

impl Server {
    fn new() -> Self {
        let resource =
            ProtectedResource::new("https://mcp.example.com/mcp").scope("files:read", "Read").unwrap();
        let config = ProviderConfig::new("https://as.example.com", &[7; 32])
            .key(key())
            .resource(resource)
            .client(RegisteredClient::public("app").redirect_uri("http://127.0.0.1/cb"))
            .client(RegisteredClient::with_secret("job", "s3cret").grant("client_credentials"));
        let provider = Provider::new(config).unwrap();
        Self { provider, records: HashMap::new(), writes: 0, entropy: 0 }
    }

    fn run(&mut self, start: impl FnOnce(&Provider, [u8; 32]) -> (Exchange, Step)) -> Outcome {
        self.entropy += 1;
        let mut entropy = [1; 32];
        entropy[..8].copy_from_slice(&self.entropy.to_be_bytes());
        let (mut exchange, mut step) = start(&self.provider, entropy);
        loop {
            step = match step {
                Step::Done(outcome) => return outcome,
                Step::Perform { effect: Effect::Load { key }, .. } => {
                    let stored = self.records.get(&*key).map(|(record, revision)| Stored {
                        record: record.as_bytes(),
                        revision: RecordRevision::from_counter(*revision),
                    });
                    exchange.complete(NOW, Completion::Loaded(stored)).unwrap()
                }
                Step::Perform { effect: Effect::Save { key, record, .. }, .. } => {
                    self.writes += 1;
                    self.records.insert(*key, (record.expose().to_owned(), self.writes));
                    let revision = RecordRevision::from_counter(self.writes);
                    exchange.complete(NOW, Completion::Saved(revision)).unwrap()
                }
                Step::Perform { effect: Effect::Delete { key, .. }, .. } => {
                    self.records.remove(&*key);
                    exchange.complete(NOW, Completion::Deleted).unwrap()
                }
                other => panic!("{other:?}"),
            };
        }
    }

    fn answer(&mut self, request: Request) -> Answer {
        match self.run(|provider, entropy| provider.handle(NOW, entropy, request, None)) {
            Outcome::Answer(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// The first refresh token, by way of the consent page.
    fn refresh_token(&mut self) -> String {
        let ask = Request::get(
            "/authorize?client_id=app&response_type=code&code_challenge_method=S256&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        );
        let user = User::new("alice", NOW.unix_s);
        let signed_in = Some(user.clone());
        let Outcome::Page(page) = self.run(|provider, entropy| provider.handle(NOW, entropy, ask, signed_in))
        else {
            panic!("no page")
        };
        let PageContent::Consent(consent) = &page.content else { panic!("no consent") };
        let cookie = page.headers[SET_COOKIE].to_str().unwrap().split(';').next().unwrap();
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookie).unwrap())]);
        let browser = Browser::new(consent.interaction.expose(), &headers);
        let decided =
            self.run(|provider, entropy| provider.decide(NOW, entropy, browser, user, UserDecision::Allow));
        let Outcome::Answer(answer) = decided else { panic!("no redirect") };
        let code =
            answer.header("location").split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
        let form = format!(
            "grant_type=authorization_code&client_id=app&code={code}&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
        refresh_of(&self.answer(Request::post("/token", &form)))
    }

    fn refresh(&mut self, token: &str) -> String {
        let form = format!("grant_type=refresh_token&client_id=app&refresh_token={token}");
        refresh_of(&self.answer(Request::post("/token", &form)))
    }
}

fn refresh_of(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(answer.body.expose()).unwrap();
    body["refresh_token"].as_str().expect("a refresh token").to_owned()
}

fn provider(c: &mut Criterion) {
    let mut group = c.benchmark_group("provider");
    let key = key();
    group.bench_function("signature", |b| b.iter(|| black_box(key.sign(&[7; 400]).unwrap())));
    let mut server = Server::new();
    let mut token = server.refresh_token();
    group.bench_function("refresh", |b| b.iter(|| token = server.refresh(&token)));
    let form = "grant_type=client_credentials&client_id=job&client_secret=s3cret";
    group.bench_function("client_credentials", |b| {
        b.iter(|| assert_eq!(server.answer(Request::post("/token", form)).status, 200));
    });
    group.finish();
}

criterion_group!(benches, provider);
criterion_main!(benches);
