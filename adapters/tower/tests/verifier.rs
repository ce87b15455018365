//! A host that checks tokens itself, and may fail at it.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::post;
use grantor::resource::{AuthorizationServer, GuardConfig, Policy};
use grantor_tower::guard::Setup;
use grantor_tower::{GuardLayer, Reqwest};
use tower_service::Service as _;

fn app() -> Router {
    let policy = Policy::new().every("mcp:use").unwrap();
    let config = GuardConfig::new("https://mcp.example.com/mcp", policy)
        .server(AuthorizationServer::verified_by_host("https://as.example.com"));
    let setup = Setup::new(Reqwest::new().unwrap(), config).verifier(|token| async move {
        assert_ne!(token.expose(), "bad", "a bug of the host");
        Ok(Some(r#"{"sub":"alice","scope":"mcp:use","aud":"https://mcp.example.com/mcp"}"#.to_owned()))
    });
    Router::new().route("/mcp", post(|| async { "done" })).layer(GuardLayer::with(setup).unwrap())
}

fn request(token: &str) -> Request<Body> {
    let request = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
    request.body(Body::from(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)).unwrap()
}

#[tokio::test]
async fn a_verifier_that_works() {
    assert_eq!(app().call(request("good")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_verifier_that_panics_leaves_nobody_waiting() {
    let mut app = app();
    for _ in 0..2 {
        let answer = tokio::time::timeout(Duration::from_secs(10), app.call(request("bad")));
        assert_eq!(answer.await.expect("an answer").unwrap().status(), 503);
    }
}
