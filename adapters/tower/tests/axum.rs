//! The layer around axum, over loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::jose::{Algorithm, SigningKey};
use grantor::resource::{AuthorizationServer, Cors, Grant, GuardConfig, Need, Policy};
use grantor_tower::GuardLayer;
use grantor_world::net::Served;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

struct Running {
    origin: String,
    issuer: Served,
    asked: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256, &[7; 32]).unwrap().with_kid("k")
}

async fn mcp(Extension(grant): Extension<Arc<Grant>>, body: Bytes) -> String {
    format!("{} sent {}", grant.subject.as_deref().unwrap_or_default(), body.len())
}

fn start(change: impl FnOnce(&mut GuardConfig)) -> Running {
    let asked = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&asked);
    let issuer = Served::start(Arc::new(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    issuer.world().server().signs = Some(key());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let policy = Policy::new().every("mcp:use").unwrap().tool("write", Need::all("files:write").unwrap());
    let resource = format!("{origin}/mcp");
    let mut config = GuardConfig::new(&resource, policy)
        .server(AuthorizationServer::jwt(&issuer.issuer))
        .public_path("/health");
    change(&mut config);
    let app = Router::new()
        .route("/mcp", post(mcp).get(|| async { "stream" }))
        .route("/health", get(|| async { "well" }))
        .route("/echo", post(|request: Request| async { Body::new(request.into_body()) }))
        .layer(GuardLayer::new(config).unwrap());
    runtime.spawn(async move { axum::serve(listener, app).await });
    Running { origin, issuer, asked, _runtime: runtime }
}

impl Running {
    fn token(&self, scope: &str, jti: &str) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": self.issuer.issuer, "aud": format!("{}/mcp", self.origin), "sub": "alice", "client_id": "c",
            "scope": scope, "jti": jti, "iat": now, "exp": now + 300,
        });
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input =
            format!("{}.{}", encode(json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k" })), encode(claims));
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(key().sign(input.as_bytes()).unwrap()))
    }

    fn post(&self, path: &str, token: Option<&str>, body: &str) -> (u16, http::HeaderMap, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.post(format!("{}{path}", self.origin)).header("origin", "https://app");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(body).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), response.headers().clone(), text)
    }
}

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const WRITE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write"}}"#;

#[test]
fn metadata_challenge_and_grant() {
    let running = start(|_| {});
    let document =
        ureq::get(format!("{}/.well-known/oauth-protected-resource/mcp", running.origin)).call().unwrap();
    let document: Value = serde_json::from_str(&document.into_body().read_to_string().unwrap()).unwrap();
    assert_eq!(document["authorization_servers"], json!([running.issuer.issuer]));
    let (status, headers, _) = running.post("/mcp", None, LIST);
    assert_eq!(status, 401);
    assert!(headers["www-authenticate"].to_str().unwrap().contains("resource_metadata=\"http://127.0.0.1:"));
    let token = running.token("mcp:use", "1");
    assert_eq!(running.post("/mcp", Some(&token), LIST).2, format!("alice sent {}", LIST.len()));
    let (status, headers, body) = running.post("/mcp", Some(&token), WRITE);
    assert_eq!(status, 403);
    assert!(headers["www-authenticate"].to_str().unwrap().contains("scope=\"mcp:use files:write\""));
    assert!(body.contains("insufficient_scope"));
    let token = running.token("mcp:use files:write", "2");
    assert_eq!(running.post("/mcp", Some(&token), WRITE).0, 200);
    assert_eq!(running.asked.load(Ordering::Relaxed), 2, "metadata and keys, once");
    let health = ureq::get(format!("{}/health", running.origin)).call().unwrap();
    assert_eq!(health.into_body().read_to_string().unwrap(), "well");
    assert_eq!(running.post("/echo", None, LIST).0, 401, "whatever is not public");
    assert_eq!(running.post("/echo", Some(&token), LIST).2, LIST, "the body arrives as it was");
}

#[test]
fn bodies_over_the_bound() {
    let running = start(|config| config.max_body = 100);
    let token = running.token("mcp:use", "1");
    assert_eq!(running.post("/mcp", Some(&token), &" ".repeat(101)).0, 413);
    assert_eq!(running.post("/mcp", None, &" ".repeat(101)).0, 401, "no token: nothing is read");
}

#[test]
fn bodies_are_streamed_on_where_nobody_has_to_read_them() {
    let running = start(|config| {
        config.max_body = 100;
        config.policy = Policy::new().every("mcp:use").unwrap();
    });
    let token = running.token("mcp:use", "1");
    let large = " ".repeat(1 << 20);
    assert_eq!(running.post("/mcp", Some(&token), &large).2, format!("alice sent {}", large.len()));
}

#[test]
fn pages_of_accepted_origins_may_read_the_answers() {
    let running = start(|config| config.cors = Cors::Any);
    let token = running.token("mcp:use", "1");
    for (token, status) in [(None, 401), (Some(&*token), 200)] {
        let (got, headers, _) = running.post("/mcp", token, LIST);
        assert_eq!(got, status);
        assert_eq!(headers["access-control-allow-origin"], "*");
    }
}

#[test]
fn many_at_once_fetch_once() {
    let running = Arc::new(start(|_| {}));
    let threads: Vec<_> = (0..20)
        .map(|n| {
            let running = Arc::clone(&running);
            std::thread::spawn(move || {
                let token = running.token("mcp:use", &n.to_string());
                assert_eq!(running.post("/mcp", Some(&token), LIST).0, 200);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(running.asked.load(Ordering::Relaxed), 2);
}

#[test]
fn an_issuer_that_is_gone_is_503() {
    let mut running = start(|config| {
        config.servers = vec![AuthorizationServer::jwt("http://127.0.0.1:9")];
    });
    running.issuer.issuer = "http://127.0.0.1:9".into();
    let (status, headers, _) = running.post("/mcp", Some(&running.token("mcp:use", "1")), LIST);
    assert_eq!(status, 503);
    assert!(headers.contains_key("retry-after"));
}

#[tokio::test]
async fn any_tower_service_of_any_body() {
    use tower_service::Service as _;
    #[derive(Clone)]
    struct Inner;
    impl tower_service::Service<http::Request<grantor_tower::GuardBody<http_body_util::Full<Bytes>>>> for Inner {
        type Response = http::Response<http_body_util::Full<Bytes>>;
        type Error = std::convert::Infallible;
        type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn call(
            &mut self,
            _: http::Request<grantor_tower::GuardBody<http_body_util::Full<Bytes>>>,
        ) -> Self::Future {
            std::future::ready(Ok(http::Response::new(http_body_util::Full::new(Bytes::from_static(
                b"inner",
            )))))
        }
    }
    let config = GuardConfig::new("https://h/mcp", Policy::new().method("ping", Need::public()))
        .server(AuthorizationServer::jwt("https://as"));
    let mut service = tower_layer::Layer::layer(&GuardLayer::new(config).unwrap(), Inner);
    let ping = http_body_util::Full::new(Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#));
    let response = service.call(http::Request::post("/mcp").body(ping).unwrap()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "inner");
}
