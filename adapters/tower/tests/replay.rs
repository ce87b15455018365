//! Two processes, played by two Guards, that share used proofs by a store.

mod issuer;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use grantor::jose::dpop::{ProofKey, ProofRequest};
use grantor::resource::GuardConfigError;
use grantor::{RecordRevision, Secret, StoreKey};
use grantor_tower::GuardLayer;
use grantor_tower::guard::Setup;
use grantor_tower::store::{FileStore, MemoryStore, Record, Store, StoreError, Swap};
use http::{Method, Request};
use serde_json::json;
use tower_service::Service as _;

use issuer::{HeldKeys, claims, config, now, proof_key, sign};

const RESOURCE: &str = "https://mcp.example.com/mcp";

fn app(store: impl Store) -> Router {
    let setup = Setup::new(HeldKeys, config(RESOURCE)).store(store);
    Router::new().route("/mcp", post(|| async { "done" })).layer(GuardLayer::with(setup).unwrap())
}

fn request(id: u8) -> impl Fn() -> Request<Body> {
    let mut own = claims(RESOURCE);
    own["cnf"] = json!({ "jkt": proof_key().public().thumbprint() });
    let token = sign(&own);
    let key = ProofKey::new(proof_key().public(), proof_key().algorithm()).unwrap();
    let url = RESOURCE.parse().unwrap();
    let mut request = ProofRequest::new(&Method::POST, &url);
    request.access_token = Some(&token);
    let proof = key.proof(&request, now(), &[id; 16]).sign(&proof_key()).unwrap().expose().to_owned();
    move || {
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        Request::post("/mcp")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", &proof)
            .body(list.into())
            .unwrap()
    }
}

async fn shared_by(mut one: Router, mut two: Router) {
    for id in 1..5 {
        let request = request(id);
        let (first, second) = (one.call(request()), two.call(request()));
        let (first, second) = futures_lite::future::zip(first, second).await;
        let mut statuses = [first.unwrap().status().as_u16(), second.unwrap().status().as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "one of them");
        for app in [&mut one, &mut two] {
            assert_eq!(app.call(request()).await.unwrap().status(), 401);
        }
    }
}

#[tokio::test]
async fn rfc9449_11_1_used_once_by_processes_that_share_a_store() {
    let memory = Arc::new(MemoryStore::default());
    shared_by(app(Arc::clone(&memory)), app(memory)).await;
    let directory = std::env::temp_dir().join(format!("grantor-replay-{}", std::process::id()));
    shared_by(app(FileStore::new(&directory).unwrap()), app(FileStore::new(&directory).unwrap())).await;
    std::fs::remove_dir_all(directory).unwrap();
}

/// A store whose disk is full, then not.
#[derive(Default)]
struct Full(std::sync::atomic::AtomicBool, MemoryStore);

impl Store for Full {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        self.1.load(key)
    }

    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError> {
        if self.0.swap(true, std::sync::atomic::Ordering::Relaxed) {
            self.1.save(key, record, expect)
        } else {
            Err(StoreError::new("no space left"))
        }
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        self.1.delete(key, expect)
    }
}

#[tokio::test]
async fn a_store_that_fails_is_503_and_the_next_proof_is_good() {
    let mut app = app(Full::default());
    let response = app.call(request(1)()).await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(app.call(request(2)()).await.unwrap().status(), 200);
}

#[test]
fn without_a_store_there_is_none_to_share() {
    let mut config = config(RESOURCE);
    config.dpop.stored = true;
    assert_eq!(GuardLayer::with(Setup::new(HeldKeys, config)).unwrap_err(), GuardConfigError::NoStore);
}
