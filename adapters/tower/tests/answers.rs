//! What the layer adds to answers, and what it tells those around it; in memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use grantor::resource::{AuthorizationServer, Cors, GuardConfig, MessageError, Need, Policy, Refusal};
use grantor_tower::GuardLayer;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;

const APP: &str = "https://app.example.com";
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// Without a token, `/health` passes at once, and `ping` after its body was read.
fn app(cors: Cors) -> Router {
    let policy = Policy::new().every("mcp:use").unwrap().method("ping", Need::public());
    let mut config = GuardConfig::new("https://mcp.example.com/mcp", policy)
        .server(AuthorizationServer::jwt("https://as.example.com"))
        .public_path("/health");
    config.cors = cors;
    let own = [
        ("vary", "accept-encoding"),
        ("access-control-expose-headers", "x-request-id"),
        ("x-request-id", "7"),
    ];
    Router::new()
        .route("/health", get(move || async move { (own, "well") }))
        .route("/mcp", post(move || async move { (own, "pong") }))
        .layer(GuardLayer::new(config).unwrap())
}

fn origins() -> Cors {
    Cors::Origins(vec![APP.into()])
}

async fn call(mut app: Router, request: Request<Body>) -> Response {
    tower_service::Service::call(&mut app, request).await.unwrap()
}

fn requests(origin: Option<&str>) -> [Request<Body>; 2] {
    [Request::get("/health").body(Body::empty()), Request::post("/mcp").body(PING.into())].map(|request| {
        let mut request = request.unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        request
    })
}

fn all(headers: &HeaderMap, name: &str) -> String {
    headers.get_all(name).iter().map(|line| line.to_str().unwrap()).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn cors_headers_stand_beside_those_of_the_server() {
    for request in requests(Some(APP)) {
        let response = call(app(origins()), request).await;
        assert_eq!(response.status(), 200);
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-origin"], APP);
        assert_eq!(all(headers, "vary"), "accept-encoding, origin");
        let exposed = all(headers, "access-control-expose-headers");
        assert!(exposed.starts_with("x-request-id, www-authenticate, "), "{exposed}");
        assert_eq!(headers["x-request-id"], "7");
    }
}

#[tokio::test]
async fn rfc9110_12_5_5_answers_vary_by_origin_also_without_one() {
    for request in requests(None) {
        let response = call(app(origins()), request).await;
        assert_eq!(all(response.headers(), "vary"), "accept-encoding, origin");
        assert!(!response.headers().contains_key("access-control-allow-origin"));
    }
    let refused = call(app(origins()), Request::post("/mcp").body(LIST.into()).unwrap()).await;
    assert_eq!((refused.status().as_u16(), all(refused.headers(), "vary")), (401, "origin".into()));
    for request in requests(Some(APP)) {
        let response = call(app(Cors::Off), request).await;
        assert_eq!(all(response.headers(), "vary"), "accept-encoding");
    }
}

#[tokio::test]
async fn the_refusal_is_for_layers_outside() {
    async fn log(mut response: Response) -> Response {
        if let Some(refusal) = response.extensions().get::<Refusal>().copied() {
            response.headers_mut().insert("x-why", refusal.to_string().parse().unwrap());
        }
        response
    }
    let app = || app(Cors::Off).layer(map_response(log));
    let refused = call(app(), Request::post("/mcp").body(LIST.into()).unwrap()).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-why"]),
        (401, &"a token is needed".parse().unwrap())
    );
    let token = || Request::post("/mcp").header("authorization", "Bearer x");
    let refused = call(app(), token().body(LIST.into()).unwrap()).await;
    assert!(matches!(refused.extensions().get(), Some(Refusal::Token(_))));
    for request in requests(None) {
        assert_eq!(call(app(), request).await.extensions().get::<Refusal>(), None);
    }
    let metadata = Request::get("/.well-known/oauth-protected-resource/mcp").body(Body::empty()).unwrap();
    assert_eq!(call(app(), metadata).await.extensions().get::<Refusal>(), None);
}

/// The client goes away after some bytes.
struct Broken(bool);

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(if std::mem::replace(&mut self.0, true) {
            Err(std::io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(http_body::Frame::data(Bytes::from_static(b"{")))
        }))
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_answered_like_any_refusal() {
    let request = Request::post("/mcp").header("origin", APP).body(Body::new(Broken(false))).unwrap();
    let response = call(app(origins()), request).await;
    assert_eq!(response.status(), 400);
    assert_eq!(response.extensions().get(), Some(&Refusal::Message(MessageError::Syntax)));
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], APP);
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["connection"], "close");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["code"], -32700);
}
