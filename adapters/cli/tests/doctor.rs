//! The doctor before npm `oidc-provider`, set right and set wrong, and before servers of SDKs: the codes that are expected,
//! and no others.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use grantor_interop::{Person, Server, node};
use serde_json::{Value, json};

/// With a log-in, and a step-up after it.
const LOG_IN: &[&str] = &["--login", "--scope", "files:write"];

/// What the doctor finds broken. Pages that it shows are answered by somebody who agrees or does not.
fn doctor(server: &str, flags: &[&str], consents: bool) -> BTreeSet<String> {
    let store = std::env::temp_dir().join(format!("grantor-doctor-{}", std::process::id()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_grantor"))
        .args(["doctor", "--json", server])
        .args(flags)
        .env("GRANTOR_STORE", &store)
        // No browser can be opened, so the page's URL is told.
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("PATH", "")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let errors = BufReader::new(child.stderr.take().unwrap());
    let pages = thread::spawn(move || {
        let person = Person::who(consents);
        for line in errors.lines().map_while(Result::ok) {
            let Ok(page) = url::Url::parse(line.trim()) else { continue };
            let Some((_, back)) = page.query_pairs().find(|(name, _)| name == "redirect_uri") else {
                continue;
            };
            if let Ok(url) = person.visit(page.as_str(), &back) {
                let _ = ureq::get(&url).call();
            }
        }
    });
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.wait().unwrap();
    pages.join().unwrap();
    let _ = std::fs::remove_dir_all(store);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("no report: {out}"));
    let checks = report["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["outcome"] == "failed");
    failed.map(|check| check["code"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn expect(server: &Server, wrong: &str, flags: &[&str], codes: &[&str]) {
    server.set_wrong(wrong);
    let expected: BTreeSet<String> = codes.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(doctor(&server.resource, flags, true), expected, "{wrong}");
}

#[test]
fn one_that_is_right() {
    let server = Server::to_examine(&json!({}));
    expect(&server, "", &[], &[]);
    expect(&server, "", LOG_IN, &[]);
}

#[test]
fn one_mistake_at_a_time() {
    let server = Server::to_examine(&json!({}));
    for (wrong, codes) in [
        ("open", &["protected"][..]),
        ("no endpoint", &["endpoint"]),
        ("web page", &["endpoint"]),
        ("no challenge", &["challenge", "invalid-token"]),
        ("another scheme", &["challenge", "invalid-token"]),
        ("single quotes", &["challenge-syntax"]),
        ("no resource_metadata", &["challenge-metadata"]),
        ("resource_metadata without origin", &["challenge-metadata"]),
        ("no scope", &["challenge-scope"]),
        ("every token", &["bad-token"]),
        ("forbidden", &["bad-token"]),
        ("no error", &["invalid-token"]),
        ("token in the query", &["query-token"]),
        ("no preflight", &["cors"]),
        ("half a preflight", &["cors"]),
        ("hidden challenge", &["cors-challenge"]),
        ("no metadata", &["resource-metadata", "well-known"]),
        ("metadata elsewhere", &["well-known"]),
        ("other resource", &["resource-identity", "resource-metadata", "well-known"]),
        ("no server named", &["authorization-servers", "resource-metadata", "well-known"]),
        ("name as number", &["resource-document"]),
        ("metadata closed to pages", &["resource-cors"]),
        ("no server metadata", &["server-metadata"]),
        ("other issuer", &["server-identity"]),
        ("no code", &["server-usable"]),
        ("no token endpoint", &["server-usable"]),
        ("no pkce", &["pkce"]),
        ("plain pkce", &["pkce"]),
        ("scopes as text", &["server-document"]),
        ("no iss", &["iss"]),
        ("no refresh grant", &["refresh"]),
        ("server closed to pages", &["server-cors"]),
        ("page at the token endpoint", &["token-error"]),
    ] {
        expect(&server, wrong, &[], codes);
    }
}

#[test]
fn what_it_was_not_configured_to_offer() {
    let server = Server::to_examine(&json!({ "documents": false }));
    expect(&server, "", &[], &["client-document"]);
    let server = Server::to_examine(&json!({ "documents": false, "registration": false }));
    expect(&server, "", &[], &["client-document", "registration"]);
    let server = Server::to_examine(&json!({ "revocation": false }));
    expect(&server, "", &[], &["revocation"]);
}

#[test]
fn one_mistake_at_a_time_after_the_log_in() {
    let server = Server::to_examine(&json!({}));
    for (wrong, codes) in [
        ("cached tokens", &["token-cache"][..]),
        ("expiry as text", &["token-document"]),
        ("no expiry", &["token-expiry"]),
        ("no token", &["token-accepted"]),
        ("refusal without scopes", &["insufficient-scope"]),
        ("no refresh token", &["refresh-token"]),
        ("no refreshing", &["refreshed"]),
        ("no rotation", &["refresh-rotation"]),
        ("narrow step-up", &["step-up-scopes"]),
        ("no step-up", &["step-up"]),
        ("no revoking", &["revoked"]),
    ] {
        expect(&server, wrong, LOG_IN, codes);
    }
    server.set_wrong("");
    assert_eq!(doctor(&server.resource, LOG_IN, false), BTreeSet::from(["log-in".to_owned()]));
    let server = Server::to_examine(&json!({ "audience": "https://other.example.com" }));
    expect(&server, "", LOG_IN, &["token-audience"]);
}

#[test]
fn the_typescript_sdks_example_server() {
    let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [mcp, authorization] = ports.map(|listener| listener.local_addr().unwrap().port().to_string());
    let modules =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/node_modules/@modelcontextprotocol/sdk");
    let mut example = Command::new(node())
        .arg(modules.join("dist/esm/examples/server/simpleStreamableHttp.js"))
        .arg("--oauth")
        .env("MCP_PORT", &mcp)
        .env("MCP_AUTH_PORT", &authorization)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts; `tests/run setup` installs what it needs");
    let mut lines = BufReader::new(example.stdout.take().unwrap()).lines().map_while(Result::ok);
    let listening = |line: &String| line.contains("listening on port");
    assert_eq!(lines.by_ref().filter(listening).take(2).count(), 2);
    // The rest is of no interest, but must not fill the pipe.
    thread::spawn(move || lines.for_each(drop));
    let failed = doctor(&format!("http://localhost:{mcp}/mcp"), &[], true);
    example.kill().unwrap();
    example.wait().unwrap();
    // It answers 500 to a token that it does not know.
    let expected =
        ["bad-token", "challenge-scope", "client-document", "cors", "cors-challenge", "iss", "revocation"];
    assert_eq!(failed, expected.map(str::to_owned).into());
}

#[test]
fn fastmcp() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    let mut server = Command::new(tests.join(".tools/python-fastmcp/bin/python"))
        .arg(tests.join("interop/fastmcp_server.py"))
        .arg(port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts; `tests/run setup` installs what it needs");
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert_eq!(server.try_wait().unwrap(), None, "it has ended");
        thread::sleep(Duration::from_millis(50));
    }
    let failed = doctor(&format!("http://127.0.0.1:{port}/mcp"), &[], true);
    server.kill().unwrap();
    server.wait().unwrap();
    // Its resource metadata has an empty list of scopes.
    let expected =
        ["challenge-scope", "client-document", "cors", "cors-challenge", "iss", "resource-document"];
    assert_eq!(failed, expected.map(str::to_owned).into());
}
