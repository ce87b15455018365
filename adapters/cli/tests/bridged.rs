//! `grantor proxy` between clients and a server that others wrote: the SDKs' over standard input and output, and the
//! TypeScript SDK's server behind npm `oidc-provider`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use grantor_interop::{Person, Server, node};
use serde_json::{Value, json};

fn interop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop")
}

/// Lets a client run its script through the bridge; what it prints. Somebody agrees to the pages that the bridge shows;
/// how many those were.
fn run(mut client: Command, server: &Server, store: &str) -> (Value, usize) {
    let store = std::env::temp_dir().join(format!("grantor-bridged-{}-{store}", std::process::id()));
    let mut child = client
        .args([env!("CARGO_BIN_EXE_grantor"), "proxy", &server.resource])
        .current_dir(interop())
        .env("GRANTOR_STORE", &store)
        // No browser can be opened, so the page's URL is told.
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("PATH", "")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts; `tests/run setup` installs what it needs");
    let errors = BufReader::new(child.stderr.take().unwrap());
    let pages = thread::spawn(move || {
        let person = Person::who(true);
        let mut said = String::new();
        for line in errors.lines().map_while(Result::ok) {
            said += &format!("{line}\n");
            let Ok(page) = url::Url::parse(line.trim()) else { continue };
            let Some((_, back)) = page.query_pairs().find(|(name, _)| name == "redirect_uri") else {
                continue;
            };
            if let Ok(url) = person.visit(page.as_str(), &back) {
                let _ = ureq::get(&url).call();
            }
        }
        (person.asked(), said)
    });
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.wait().unwrap();
    let (asked, said) = pages.join().unwrap();
    let _ = std::fs::remove_dir_all(store);
    (serde_json::from_str(&out).unwrap_or_else(|_| panic!("no result: {out}\n{said}")), asked)
}

fn check(client: Command, name: &str) {
    // A token's life is shorter than the script, so it is renewed on the way.
    let server = Server::to_examine(&json!({ "bridge": true, "lifetime": 1 }));
    let (result, pages) = run(client, &server, name);
    assert_eq!(result["tools"], json!(["talk", "ask", "cut", "write"]));
    let said = json!({ "talk": "talked", "ask": "the model says nothing to a question", "cut": "and yet it answers",
        "write": "written" });
    assert_eq!(result["said"], said);
    assert_eq!(result["logs"], json!(["talking"]));
    let progress: Vec<f64> =
        result["progress"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert_eq!(progress, [1.0, 2.0]);
    assert_eq!(pages, 2, "a log-in, and a step-up");
}

#[test]
fn the_typescript_sdks_client() {
    let mut client = Command::new(node());
    client.arg(interop().join("bridge-client.mjs"));
    check(client, "typescript");
}

#[test]
fn the_python_sdks_client() {
    let mut client = Command::new(interop().join("../.tools/python-mcp1/bin/python"));
    client.arg(interop().join("bridge_client.py"));
    check(client, "python");
}
