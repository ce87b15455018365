//! The layer inside of axum's routers, which cut off what they have matched.

mod issuer;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::routing::{any, get, post};
use grantor::jose::dpop::{ProofKey, ProofRequest};
use grantor::resource::{Grant, GuardConfig};
use grantor_tower::GuardLayer;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower_service::Service as _;

use issuer::{HeldKeys, claims, config, proof_key, token};

const RESOURCE: &str = "https://mcp.example.com/api/mcp";
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource/api/mcp";
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

fn layer(change: impl FnOnce(&mut GuardConfig)) -> GuardLayer<HeldKeys> {
    let mut config = config(RESOURCE).public_path("/health").public_path("/api/status");
    change(&mut config);
    issuer::layer(config)
}

fn inner() -> Router {
    Router::new()
        .route(
            "/mcp",
            post(|Extension(grant): Extension<Arc<Grant>>| async move { format!("{:?}", grant.subject) }),
        )
        .route("/health", get(|| async { "private" }))
        .route("/status", get(|| async { "well" }))
}

/// The routers that people write around a part.
fn nested() -> Vec<(&'static str, Router)> {
    let guard = layer(|_| {});
    let beside = |router: Router| router.route_service(&guard.metadata_path(), guard.metadata());
    vec![
        ("nest", beside(Router::new().nest("/api", inner().layer(guard.clone())))),
        ("nest_service", beside(Router::new().nest_service("/api", inner().layer(guard.clone())))),
        ("route_layer", beside(Router::new().nest("/api", inner().route_layer(guard.clone())))),
        ("outside", Router::new().nest("/api", inner()).layer(guard.clone())),
    ]
}

async fn call(app: &Router, request: Request<Body>) -> (u16, http::HeaderMap, String) {
    let response = app.clone().call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn empty(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn tokens_challenges_and_metadata() {
    for (how, app) in nested() {
        let list =
            || Request::post("/api/mcp").header("authorization", format!("Bearer {}", token(RESOURCE)));
        let (status, _, body) = call(&app, list().body(LIST.into()).unwrap()).await;
        assert_eq!((status, &*body), (200, "Some(\"alice\")"), "{how}");
        let (status, headers, _) = call(&app, Request::post("/api/mcp").body(LIST.into()).unwrap()).await;
        assert_eq!(status, 401);
        let url = format!("https://mcp.example.com{WELL_KNOWN}");
        assert!(headers["www-authenticate"].to_str().unwrap().contains(&url), "{how}");
        let (status, _, body) = call(&app, empty(WELL_KNOWN)).await;
        let document: Value = serde_json::from_str(&body).unwrap_or_default();
        assert_eq!((status, &document["resource"]), (200, &json!(RESOURCE)), "{how}");
        let post = Request::post(WELL_KNOWN).body(Body::empty()).unwrap();
        assert_eq!(call(&app, post).await.0, 405, "{how}");
    }
}

#[tokio::test]
async fn public_paths_open_what_they_say() {
    for (how, app) in nested() {
        // `/health` of the origin is public; that of the nest is another.
        assert_eq!(call(&app, empty("/api/health")).await.0, 401, "{how}");
        let (status, _, body) = call(&app, empty("/api/status")).await;
        assert_eq!((status, &*body), (200, "well"), "{how}");
    }
}

#[tokio::test]
async fn rfc9449_4_3_proofs_are_for_the_url_that_was_sent() {
    let mut id = 0;
    for (how, app) in nested() {
        let mut own = claims(RESOURCE);
        own["cnf"] = json!({ "jkt": proof_key().public().thumbprint() });
        let bound = issuer::sign(&own);
        let proof = |url: &str, id: u8| {
            let key = ProofKey::new(proof_key().public(), proof_key().algorithm()).unwrap();
            let url = url.parse().unwrap();
            let mut request = ProofRequest::new(&Method::POST, &url);
            request.access_token = Some(&bound);
            key.proof(&request, issuer::now(), &[id; 16]).sign(&proof_key()).unwrap().expose().to_owned()
        };
        for (url, expected) in [
            (RESOURCE, 200),
            ("https://mcp.example.com/mcp", 401),
            ("https://mcp.example.com/api/other", 401),
        ] {
            id += 1; // the routers share a Guard
            let request = Request::post("/api/mcp")
                .header("authorization", format!("DPoP {bound}"))
                .header("dpop", proof(url, id))
                .body(LIST.into())
                .unwrap();
            assert_eq!(call(&app, request).await.0, expected, "{how}: {url}");
        }
    }
}

/// Nests in nests.
#[tokio::test]
async fn nests_within_nests() {
    let guard = issuer::layer(config("https://mcp.example.com/a/b/mcp"));
    let app = Router::new()
        .nest("/a", Router::new().nest("/b", inner().layer(guard.clone())))
        .route_service(&guard.metadata_path(), guard.metadata());
    let path = "/.well-known/oauth-protected-resource/a/b/mcp";
    assert_eq!(call(&app, empty(path)).await.0, 200);
    assert_eq!(call(&app, empty("/a/b/health")).await.0, 401);
    let own = token("https://mcp.example.com/a/b/mcp");
    let list = Request::post("/a/b/mcp").header("authorization", format!("Bearer {own}"));
    assert_eq!(call(&app, list.body(LIST.into()).unwrap()).await.0, 200);
}

/// Where a proxy passes on nothing but the nest.
#[tokio::test]
async fn rfc9728_5_1_metadata_inside_of_the_nest() {
    let guard = layer(|config| config.metadata_url = Some("https://mcp.example.com/api/metadata".into()));
    // `any` stands for whatever a server does with other paths: the layer answers before.
    let inside = inner().route("/metadata", any(|| async { "not the layer" })).layer(guard);
    let app = Router::new().nest("/api", inside);
    let (_, headers, _) = call(&app, Request::post("/api/mcp").body(LIST.into()).unwrap()).await;
    let challenge = headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("resource_metadata=\"https://mcp.example.com/api/metadata\""), "{challenge}");
    let (status, _, body) = call(&app, empty("/api/metadata")).await;
    let document: Value = serde_json::from_str(&body).unwrap_or_default();
    assert_eq!((status, &document["resource"]), (200, &json!(RESOURCE)));
}

/// Behind a router that leaves no trace of what it cut off.
#[tokio::test]
async fn a_prefix_that_is_told() {
    let guard = layer(|_| {}).prefix("/api/").unwrap();
    let app = inner().layer(guard.clone());
    let list = |path: &str| {
        let request = Request::post(path).header("authorization", format!("Bearer {}", token(RESOURCE)));
        request.body(Body::from(LIST)).unwrap()
    };
    assert_eq!(call(&app, list("/mcp")).await.0, 200);
    assert_eq!(call(&app, empty("/health")).await.0, 401);
    assert_eq!(call(&app, empty("/status")).await.0, 200);
    assert!(guard.prefix("api").is_err());
}
