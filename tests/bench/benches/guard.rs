//! How long the Guard takes, beside what else checks tokens.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_lite::future::block_on;
use grantor::jose::{Algorithm, SigningKey};
use grantor_bench::guard::{Checked, ISSUER, Kept, RESOURCE, claims, config, headers, jwks, key, token};
use grantor_tower::GuardLayer;
use grantor_world::net::Served;
use http::{Request, Response};
use http_body_util::Full;
use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};
use serde_json::Value;
use tower_layer::Layer as _;
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_service::Service;

/// The public key as aws-lc-rs takes it.
fn parsed(key: &SigningKey) -> ParsedPublicKey {
    let jwk: Value = serde_json::from_str(&key.public().to_jwk()).expect("JSON");
    let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().expect("a member")).expect("base64url");
    let parsed = if key.algorithm() == Algorithm::Rs256 {
        let number = |octets: Vec<u8>| {
            let octets = if octets[0] >= 0x80 { [vec![0], octets].concat() } else { octets };
            der(2, &octets)
        };
        let both = [number(part("n")), number(part("e"))].concat();
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der(0x30, &both))
    } else {
        let point = [&[4][..], &part("x"), &part("y")].concat();
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
    };
    parsed.expect("a key")
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut all = vec![tag];
    match length {
        0..128 => all.push(length as u8),
        128..256 => all.extend([0x81, length as u8]),
        _ => all.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    all.extend_from_slice(content);
    all
}

fn tokens(c: &mut Criterion) {
    let mut group = c.benchmark_group("guard");
    let mut seen = Checked::es256(0, Kept::Yes);
    group.bench_function("seen", |b| b.iter(|| seen.check()));
    let mut seen = Checked::es256(200, Kept::Yes);
    group.bench_function("seen, 200 claims", |b| b.iter(|| seen.check()));
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let name = algorithm.name();
        let mut unseen = Checked::new(algorithm, 0, Kept::No);
        group.bench_function(format!("unseen {name}"), |b| b.iter(|| unseen.check()));

        let public = parsed(&key(algorithm));
        let (input, signature) = unseen.token.rsplit_once('.').expect("a token");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        group.bench_function(format!("bare signature {name}"), |b| {
            b.iter(|| public.verify_sig(black_box(input.as_bytes()), &signature).expect("a good signature"));
        });

        let set: JwkSet = serde_json::from_str(&jwks(&key(algorithm))).expect("keys");
        let decoding = DecodingKey::from_jwk(&set.keys[0]).expect("a key");
        let mut validation = Validation::new(name.parse().expect("an algorithm"));
        validation.set_audience(&[RESOURCE]);
        validation.set_issuer(&[ISSUER]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
        let fresh = token(&key(algorithm), &claims(ISSUER, now));
        group.bench_function(format!("jsonwebtoken {name}"), |b| {
            b.iter(|| {
                jsonwebtoken::decode::<Value>(black_box(&fresh), &decoding, &validation)
                    .expect("a good token")
            });
        });
    }
    group.finish();
}

/// A service that does nothing.
#[derive(Clone)]
struct Idle;

impl<B> Service<Request<B>> for Idle {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(Full::new(Bytes::new()))))
    }
}

fn request(token: &str) -> Request<Full<Bytes>> {
    let mut request = Request::post("/mcp").body(Full::new(Bytes::from_static(b"{}"))).expect("a request");
    *request.headers_mut() = headers(token);
    request
}

/// Both layers around the same service, with the same token.
fn layers(c: &mut Criterion) {
    let mut group = c.benchmark_group("layer");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("tokio");
    let _entered = runtime.enter();
    let key = key(Algorithm::Es256);
    let served = Served::start(std::sync::Arc::new(|_, _| {}));
    served.world().server().signs = Some(grantor_bench::guard::key(Algorithm::Es256));
    // The same token for both; its issuer is the one that serves the keys.
    let token = token(&key, &claims(&served.issuer, now));
    for (name, bytes) in [("seen", 1 << 20), ("unseen", 0)] {
        let mut config = config();
        config.servers = vec![grantor::resource::AuthorizationServer::jwt(&served.issuer)];
        config.token_cache_bytes = bytes;
        let mut service = GuardLayer::new(config).expect("a layer").layer(Idle);
        let first = runtime.block_on(service.call(request(&token))).expect("an answer");
        assert_eq!(first.status(), 200);
        group.bench_function(format!("grantor {name}"), |b| {
            b.iter(|| assert_eq!(block_on(service.call(request(&token))).expect("an answer").status(), 200));
        });
    }
    let tenant =
        TenantConfiguration::static_builder(jwks(&key)).audiences(&[RESOURCE]).build().expect("a tenant");
    let other =
        runtime.block_on(<OAuth2ResourceServer>::builder().add_tenant(tenant).build()).expect("a server");
    let mut service = other.into_layer().layer(Idle);
    let first = runtime.block_on(service.call(request(&token))).expect("an answer");
    assert_eq!(first.status(), 200);
    group.bench_function("tower-oauth2-resource-server", |b| {
        b.iter(|| assert_eq!(block_on(service.call(request(&token))).expect("an answer").status(), 200));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(800));
    targets = tokens, layers
}
criterion_main!(benches);
