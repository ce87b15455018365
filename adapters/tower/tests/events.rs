//! What a log is told: what was refused, to whom, and why; never anything of a token.

mod issuer;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use grantor::resource::{Refusal, RefusalReport};
use http::Request;
use serde_json::json;
use tower_service::Service as _;
use tracing::field::{Field, Visit};
use tracing::span;

use issuer::{claims, config, layer, sign};

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// A subscriber that writes each event into a line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                write!(self.0, " {}={value:?}", field.name()).unwrap();
            }
        }
        let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
}

impl Lines {
    /// The events of the Guard, in their order.
    fn take(&self) -> Vec<String> {
        let mut lines = std::mem::take(&mut *self.0.lock().unwrap());
        lines.retain(|line| line.contains(" grantor "));
        lines
    }
}

fn app() -> Router {
    Router::new().route("/mcp", post(|| async { "done" })).layer(layer(config(RESOURCE)))
}

fn request(token: Option<&str>, body: &str) -> Request<Body> {
    let mut request = Request::post("/mcp");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(body.to_owned().into()).unwrap()
}

fn tool(name: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": name } }).to_string()
}

#[tokio::test]
async fn what_was_refused_to_whom_and_why() {
    let lines = Lines::default();
    let _set = tracing::subscriber::set_default(lines.clone());
    let mut app = app();
    let good = sign(&claims(RESOURCE));
    assert_eq!(app.call(request(Some(&good), &tool("read"))).await.unwrap().status(), 200);
    assert_eq!(lines.take().len(), 1, "keys were fetched; what passes makes no event");

    let response = app.call(request(Some(&good), &tool("write"))).await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(response.extensions().get::<Refusal>(), Some(&Refusal::InsufficientScope));
    let report = response.extensions().get::<RefusalReport>().unwrap();
    assert_eq!(report.missing.to_string(), "files:write");
    let told = lines.take();
    assert_eq!(told.len(), 1, "{told:?}");
    for part in [
        "INFO grantor",
        "message=refused",
        "status=403",
        "operation=tool write",
        "issuer=https://as.example.com",
        "subject=alice",
        "client=c",
        "missing=files:write",
        "reason=the token's scope does not suffice",
    ] {
        assert!(told[0].contains(part), "{part} in {told:?}");
    }
    assert_eq!(app.call(request(None, &tool("write"))).await.unwrap().status(), 401);
    let told = lines.take().join("\n");
    assert!(told.contains("status=401") && told.contains("reason=a token is needed"), "{told}");
    assert!(!told.contains("subject"), "{told}");
}

#[tokio::test]
async fn planted_secrets_reach_no_event() {
    let lines = Lines::default();
    let _set = tracing::subscriber::set_default(lines.clone());
    let mut app = app();
    let mut own = claims(RESOURCE);
    own["planted"] = json!("planted-claim");
    let good = sign(&own);
    own["exp"] = json!(1);
    let expired = sign(&own);
    // Whom a token is for is no secret: the log names it, so that the mistake can be found.
    own["aud"] = json!("https://other.example.com");
    let foreign = sign(&own);
    let forged = format!("{}AAAA", &good[..good.len() - 4]);
    for token in [&*good, &expired, &foreign, &forged, "planted-opaque", "planted opaque"] {
        for body in [tool("write"), tool(token), tool(&format!("x {token}")), "planted-body".to_owned()] {
            let _ = app.call(request(Some(token), &body)).await.unwrap();
            let told = lines.take().join("\n");
            for part in token.split('.').chain([token]) {
                assert!(!told.contains(part), "{part} in {told}");
            }
            assert!(!told.contains("planted"), "{told}");
        }
    }
    let query = Request::post("/mcp?access_token=planted-in-query").body(Body::from(tool("write"))).unwrap();
    assert_eq!(app.call(query).await.unwrap().status(), 400);
    let told = lines.take().join("\n");
    assert!(told.contains("status=400") && !told.contains("planted"), "{told}");
}

#[tokio::test]
async fn servers_that_fail() {
    use grantor_tower::{GuardLayer, Reqwest, guard::Setup};
    let lines = Lines::default();
    let _set = tracing::subscriber::set_default(lines.clone());
    let mut config = config("http://127.0.0.1:1/mcp");
    config.servers = vec![grantor::resource::AuthorizationServer::jwt("http://127.0.0.1:9")];
    let notices = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&notices);
    let setup = Setup::new(Reqwest::new().unwrap(), config).log(move |_| *counted.lock().unwrap() += 1);
    let mut app =
        Router::new().route("/mcp", post(|| async { "done" })).layer(GuardLayer::with(setup).unwrap());
    let mut own = claims("http://127.0.0.1:1/mcp");
    own["iss"] = json!("http://127.0.0.1:9");
    assert_eq!(app.call(request(Some(&sign(&own)), &tool("write"))).await.unwrap().status(), 503);
    let told = lines.take();
    assert!(
        told.iter()
            .any(|line| line.starts_with("WARN grantor") && line.contains("issuer=http://127.0.0.1:9"))
    );
    assert!(told.iter().any(|line| line.contains("status=503")), "{told:?}");
    assert_eq!(*notices.lock().unwrap(), 1, "the host's own log is told, too");
}
