//! Requests a second through axum on loopback, with the layer and without it, by wrk; printed as `name: number`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::routing::post;
use grantor::jose::Algorithm;
use grantor_bench::guard::{RESOURCE, claims, key, token};
use grantor_protected_server::{config, server};
use grantor_tower::GuardLayer;
use grantor_world::mcp_server::stateless_tool_call;
use grantor_world::net::Served;
use serde_json::json;
use tokio::runtime::Runtime;

const CONNECTIONS: &str = "32";
const SECONDS: &str = "1";
const ROUNDS: usize = 15;

fn main() {
    let served = Served::start(Arc::new(|_, _| {}));
    served.world().server().signs = Some(key(Algorithm::Es256));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("tokio");
    let script = script(&served.issuer);
    // The least that a service can do, and an MCP server.
    let echo = Router::new().route("/mcp", post(|body: String| async move { body }));
    for (name, app) in [("echo", echo), ("rmcp", server())] {
        let layer = GuardLayer::new(config(RESOURCE, &served.issuer)).expect("a layer");
        let guarded = serve(&runtime, app.clone().layer(layer));
        compare(name, guarded, serve(&runtime, app), &script);
    }
}

fn serve(runtime: &Runtime, app: Router) -> SocketAddr {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    runtime.spawn(async move { axum::serve(listener, app).await });
    address
}

/// What wrk is to send.
fn script(issuer: &str) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    let mut claims = claims(issuer, now);
    claims["scope"] = json!("notes:use notes:read notes:write");
    let token = token(&key(Algorithm::Es256), &claims);
    let (headers, body) = stateless_tool_call("read_note", &json!({}));
    let mut script = format!("wrk.method = 'POST'\nwrk.body = '{body}'\n");
    for (name, value) in &headers {
        script += &format!("wrk.headers['{name}'] = '{}'\n", value.to_str().expect("text"));
    }
    script += &format!("wrk.headers['authorization'] = 'Bearer {token}'\n");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("load.lua");
    std::fs::write(&path, script).expect("a file");
    path
}

/// Takes turns, so that what else the machine does is the same for both.
fn compare(name: &str, guarded: SocketAddr, plain: SocketAddr, script: &Path) {
    let mut rounds: Vec<(f64, f64)> =
        (0..ROUNDS).map(|_| (per_second(plain, script), per_second(guarded, script))).collect();
    rounds.sort_by(|(a, b), (c, d)| (b / a).total_cmp(&(d / c)));
    let (without, with) = rounds[ROUNDS / 2];
    println!("load {name} without the layer: {without:.0}");
    println!("load {name} with the layer: {with:.0}");
    println!("load {name} ratio: {:.3}", with / without);
}

fn per_second(address: SocketAddr, script: &Path) -> f64 {
    let url = format!("http://{address}/mcp");
    let wrk = Command::new("wrk")
        .args(["-t1", "-c", CONNECTIONS, "-d", SECONDS, "-s"])
        .arg(script)
        .arg(url)
        .output()
        .expect("wrk (Debian: apt-get install wrk)");
    let said = String::from_utf8_lossy(&wrk.stdout);
    assert!(wrk.status.success() && !said.contains("Non-2xx") && !said.contains("Socket errors"), "{said}");
    let line = said.lines().find_map(|line| line.strip_prefix("Requests/sec:")).expect("a figure");
    line.trim().parse().expect("a number")
}
