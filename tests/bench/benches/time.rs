//! How long things take.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use grantor::client::{Output, RequestHead, ResponseHead, Verdict};
use grantor::jose::{Algorithm, SigningKey};
use grantor::wire::HttpResponse;
use grantor::wire::challenge::Challenges;
use grantor::wire::client_auth::Client;
use grantor::wire::pkce::Verifier;
use grantor::wire::token::{self, Grant, TokenRequest};
use grantor::{DpopPolicy, Findings, Quirks, Secret};
use grantor_bench::{Flow, RmcpFlow, SHAPES, typical};
use grantor_world::player::{Player, config};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, AuthorizationCode, ClientId, PkceCodeVerifier, RedirectUrl, TokenUrl};
use url::Url;

fn authorize(c: &mut Criterion) {
    let mut group = c.benchmark_group("authorize");
    let flow = Flow::cold();
    let mut engine = flow.play(flow.config());
    let (mut request, response) = (HeaderMap::with_capacity(8), HeaderMap::new());
    group.bench_function("grantor", |b| b.iter(|| flow.warm(&mut engine, &mut request, &response)));
    let mut value = HeaderValue::from_static("Bearer 2YotnFZFEjr1zCsicMWpAA2YotnFZFEjr1zCsicMWpAA");
    value.set_sensitive(true);
    let rmcp = RmcpFlow::play();
    group.bench_function("rmcp", |b| b.iter(|| black_box(rmcp.access_token())));
    group.bench_function("insert", |b| {
        b.iter(|| black_box(&mut request).insert(AUTHORIZATION, value.clone()));
    });
    group.finish();
}

/// A call with a token that is bound to a key, and the signature that it cannot do without.
fn bound(c: &mut Criterion) {
    let mut group = c.benchmark_group("bound");
    let mut player = Player::new(config().dpop(DpopPolicy::Required));
    player.world.server().offers.dpop = true;
    player.call("ping").delivered();
    let (mut engine, now, url) = (player.engine, player.now, player.world.mcp.resource);
    let (mut request, response) = (HeaderMap::with_capacity(8), HeaderMap::new());
    let mut call = || {
        let call = engine.authorize(now, RequestHead::new("POST", &url)).expect("a call");
        while let Some(output) = engine.poll_output() {
            if let Output::Call { verdict: Verdict::Send(credentials), .. } = output {
                credentials.apply(black_box(&mut request));
                let head = ResponseHead { status: 200, headers: &response };
                engine.report(now, call, head).expect("it was sent");
            }
        }
    };
    call();
    group.bench_function("grantor", |b| b.iter(&mut call));
    assert!(request.contains_key("dpop"));
    let key = SigningKey::generate(Algorithm::Es256, &[7; 32]).expect("a key");
    let input = request["dpop"].as_bytes().to_vec();
    group.bench_function("signature", |b| b.iter(|| key.sign(black_box(&input)).expect("a signature")));
    group.finish();
}

fn flow(c: &mut Criterion) {
    let mut group = c.benchmark_group("flow");
    let flow = Flow::cold();
    // Both with all that they make and drop.
    group.bench_function("engine", |b| b.iter(|| flow.play(flow.config())));
    group.bench_function("rmcp", |b| b.iter(RmcpFlow::play));
    group.bench_function("with peers", |b| {
        b.iter_batched(|| Player::new(config()), Flow::with_peers, BatchSize::SmallInput);
    });
    group.finish();
}

/// Everything that the engine reads of a challenge.
fn read(header: &str) -> bool {
    let (challenges, _) = Challenges::parse_leniently([header]);
    let Some(bearer) = challenges.bearer() else { return false };
    bearer.scope().is_ok() | bearer.resource_metadata().is_some() | bearer.error().is_some()
}

fn challenge(c: &mut Criterion) {
    let mut group = c.benchmark_group("challenge");
    group.measurement_time(Duration::from_millis(400));
    for (name, shape) in SHAPES {
        for kib in [16, 32, 64] {
            let header = shape(kib * 1024 - 64);
            group.bench_function(format!("{name} {kib}"), |b| b.iter(|| read(black_box(&header))));
        }
    }
    group.bench_function("typical", |b| b.iter(|| read(black_box(typical()))));
    group.bench_function("typical, http-auth", |b| {
        b.iter(|| http_auth::parse_challenges(black_box(typical())).expect("a good header").len());
    });
    group.finish();
}

const ANSWER: &str = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"bearer","expires_in":3600,"refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","scope":"files:read files:write"}"#;
const REDIRECT_URI: &str = "http://127.0.0.1:49152/callback";
const VERIFIER: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

/// A code exchanged for a token: the request built, the answer read.
fn exchange(c: &mut Criterion) {
    let mut group = c.benchmark_group("exchange");
    let endpoint = Url::parse("https://as.example.com/token").expect("a URL");
    let client = Client::public("client");
    let (verifier, code) = (Verifier::from_entropy(&[7; 32]), Secret::from("code"));
    let grant = Grant::AuthorizationCode { code: &code, redirect_uri: REDIRECT_URI, verifier: &verifier };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let quirks = Quirks::none();
    group.bench_function("grantor", |b| {
        b.iter(|| {
            let request = TokenRequest {
                endpoint: &endpoint,
                client: &client,
                grant,
                resource: None,
                assertion: None,
                proof: None,
            };
            black_box(request.request(&quirks));
            let response = HttpResponse { status: 200, headers: &headers, body: ANSWER.as_bytes() };
            token::read(&request, &response, &quirks, &mut Findings::new()).expect("a token")
        });
    });
    let other = BasicClient::new(ClientId::new("client".into()))
        .set_auth_uri(AuthUrl::new("https://as.example.com/authorize".into()).expect("a URL"))
        .set_token_uri(TokenUrl::new("https://as.example.com/token".into()).expect("a URL"))
        .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.into()).expect("a URL"));
    let answer = |request: oauth2::HttpRequest| -> Result<oauth2::HttpResponse, http::Error> {
        black_box(request);
        http::Response::builder().header("content-type", "application/json").body(ANSWER.as_bytes().to_vec())
    };
    group.bench_function("oauth2", |b| {
        b.iter(|| {
            other
                .exchange_code(AuthorizationCode::new("code".into()))
                .set_pkce_verifier(PkceCodeVerifier::new(VERIFIER.into()))
                .request(&answer)
                .expect("a token")
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    targets = authorize, bound, flow, exchange, challenge
}
criterion_main!(benches);
