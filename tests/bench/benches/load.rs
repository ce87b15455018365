//! Requests a second through axum on loopback, with the layer and without it, printed as `name: number`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use grantor::jose::Algorithm;
use grantor::resource::AuthorizationServer;
use grantor_bench::guard::{config, headers, key};
use grantor_tower::GuardLayer;
use grantor_world::net::Served;
use serde_json::{Value, json};

const CLIENTS: usize = 8;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(700);
const BODY: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file"}}"#;

fn main() {
    let served = Served::start(Arc::new(|_, _| {}));
    served.world().server().signs = Some(key(Algorithm::Es256));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("tokio");
    let mut guarded = config();
    guarded.servers = vec![AuthorizationServer::jwt(&served.issuer)];
    let app = || Router::new().route("/mcp", post(|body: String| async move { body }));
    let plain = serve(&runtime, app());
    let guarded = serve(&runtime, app().layer(GuardLayer::new(guarded).expect("a layer")));
    let request = request(&token(&served.issuer));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(round(plain, &request));
        with.push(round(guarded, &request));
    }
    let mut ratios: Vec<f64> = with.iter().zip(&without).map(|(with, without)| with / without).collect();
    ratios.sort_by(f64::total_cmp);
    let median = |all: &mut Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    println!("load without the layer: {:.0}", median(&mut without));
    println!("load with the layer: {:.0}", median(&mut with));
    println!("load permille: {:.0}", 1000.0 * ratios[ratios.len() / 2]);
}

fn serve(runtime: &tokio::runtime::Runtime, app: Router) -> SocketAddr {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    runtime.spawn(async move { axum::serve(listener, app).await });
    address
}

fn token(issuer: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs();
    let claims = json!({
        "iss": issuer, "aud": grantor_bench::guard::RESOURCE, "sub": "alice", "client_id": "c", "jti": "1",
        "iat": now, "exp": now + 3600, "scope": "mcp:use files:read",
    });
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input =
        format!("{}.{}", encode(json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k" })), encode(claims));
    let signature = key(Algorithm::Es256).sign(input.as_bytes()).expect("a signature");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn request(token: &str) -> Vec<u8> {
    let mut request = format!("POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", BODY.len());
    for (name, value) in &headers(token) {
        request.push_str(&format!("{name}: {}\r\n", value.to_str().expect("text")));
    }
    format!("{request}\r\n{BODY}").into_bytes()
}

/// Requests a second of some clients, each of which waits for its answers.
fn round(address: SocketAddr, request: &[u8]) -> f64 {
    let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (stop, done, request) = (Arc::clone(&stop), Arc::clone(&done), request.to_vec());
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(address).expect("a connection");
                stream.set_nodelay(true).expect("an option");
                let mut answer = [0; 4096];
                while !stop.load(Ordering::Relaxed) {
                    stream.write_all(&request).expect("sent");
                    let mut read = 0;
                    while !answer[..read].ends_with(BODY.as_bytes()) {
                        read += stream.read(&mut answer[read..]).expect("an answer");
                        assert!(
                            answer.starts_with(b"HTTP/1.1 200") || read < 12,
                            "{}",
                            String::from_utf8_lossy(&answer)
                        );
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    std::thread::sleep(ROUND / 4);
    let (before, started) = (done.load(Ordering::Relaxed), Instant::now());
    std::thread::sleep(ROUND);
    let count = done.load(Ordering::Relaxed) - before;
    let seconds = started.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().expect("a client"));
    count as f64 / seconds
}
