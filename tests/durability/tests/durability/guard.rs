//! Protected servers that share used proofs of possession (RFC 9449 11.1), each with a connection of its own.

use std::future::Future;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_lite::future;
use grantor::error::FailureKind;
use grantor::jose::dpop::{ProofKey, ProofRequest};
use grantor::jose::{Algorithm, SigningKey};
use grantor::resource::{AuthorizationServer, Decision, GuardConfig, Policy, RequestHead};
use grantor::wire::HttpRequest;
use grantor_driver::guard::{Guarded, Setup};
use grantor_driver::nonblocking::Host;
use grantor_driver::{HttpAnswer, HttpFailure};
use grantor_durability::store;
use http::{HeaderMap, Method, Uri};

use crate::common::Directory;

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// A host without a network: tokens are checked by a function.
struct Offline;

impl Host for Offline {
    async fn send(&self, _: &HttpRequest, _: usize) -> Result<HttpAnswer, HttpFailure> {
        Err(HttpFailure::new(FailureKind::Impossible, "there is no network"))
    }

    fn sleep(&self, _: Duration) -> impl Future<Output = ()> + Send {
        future::pending()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        thread::spawn(|| future::block_on(task));
    }
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256, &[8; 32]).unwrap()
}

fn server(place: &str) -> Guarded<Offline> {
    let policy = Policy::new().every("mcp:use").unwrap();
    let config = GuardConfig::new(RESOURCE, policy)
        .server(AuthorizationServer::verified_by_host("https://as.example.com"));
    let setup = Setup::new(Offline, config).store(store(place).unwrap());
    let verified = setup.verifier(|_| async {
        let thumbprint = key().public().thumbprint();
        Ok(Some(format!(
            r#"{{"sub":"alice","scope":"mcp:use","aud":"{RESOURCE}","cnf":{{"jkt":"{thumbprint}"}}}}"#
        )))
    });
    verified.build().unwrap()
}

fn request(id: u8) -> HeaderMap {
    let key = key();
    let url = RESOURCE.parse().unwrap();
    let mut request = ProofRequest::new(&Method::POST, &url);
    request.access_token = Some("token");
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let proof = ProofKey::new(key.public(), key.algorithm()).unwrap().proof(&request, now_s, &[id; 16]);
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "DPoP token".parse().unwrap());
    headers.insert("dpop", proof.sign(&key).unwrap().expose().parse().unwrap());
    headers
}

/// Whether the server lets a request through; else it answers 401.
fn allows(server: &Guarded<Offline>, headers: &HeaderMap) -> bool {
    let target = Uri::from_static("/mcp");
    let head = RequestHead::new(&Method::POST, &target, headers);
    let list = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    match future::block_on(server.check(head, Some(list))) {
        Decision::Allow(_) => true,
        Decision::Answer(answer) => {
            assert_eq!(answer.status, 401, "{answer:?}");
            false
        }
        other => panic!("{other:?}"),
    }
}

/// Of many servers that get the same proof at once, one accepts it.
pub(crate) fn check(place: &str) {
    let servers: Vec<_> = (0..4).map(|_| server(place)).collect();
    for id in 1..8 {
        let headers = request(id);
        let accepted: usize = thread::scope(|scope| {
            let asked: Vec<_> =
                servers.iter().map(|server| scope.spawn(|| allows(server, &headers))).collect();
            asked.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        });
        assert_eq!(accepted, 1, "proof {id}");
        assert!(servers.iter().all(|server| !allows(server, &headers)), "and nobody later");
    }
}

#[test]
fn rfc9449_11_1_used_once_by_servers_on_one_directory() {
    check(&Directory::new().place());
}

#[test]
fn rfc9449_11_1_used_once_by_servers_on_one_sqlite_database() {
    check(&Directory::new().place_of("sqlite"));
}
