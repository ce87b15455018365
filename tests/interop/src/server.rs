//! Authorization servers with an MCP endpoint, as processes.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

/// A running authorization server and an MCP endpoint that accepts its tokens.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Its end is the server's end.
    _input: ChildStdin,
    /// The URL of the MCP endpoint.
    pub resource: String,
    /// The issuer.
    pub issuer: String,
    control: String,
}

/// What a client has asked the authorization server for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchanged {
    /// The endpoint.
    pub path: String,
    /// `grant_type`; empty elsewhere.
    pub grant: String,
    /// How the client authenticated; empty when it failed.
    pub client_auth: String,
    /// Whether the request carried a proof (RFC 9449).
    pub proof: bool,
    /// The server's error; empty when there was none.
    pub error: String,
    /// The server's words for it.
    pub description: String,
}

impl Server {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not start; `tests/run` installs what it needs.
    pub fn start() -> Self {
        Self::with(&json!({}))
    }

    /// Starts one with these options; `oidc-provider.mjs` lists them.
    ///
    /// # Panics
    /// When it does not start; `tests/run` installs what it needs.
    pub fn with(options: &Value) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(crate::node());
        command.arg(here.join("oidc-provider.mjs")).arg(options.to_string());
        Self::run(command)
    }

    /// Starts an `oidc-provider` that can be told what to do wrong; `doctor.mjs` lists what.
    ///
    /// # Panics
    /// When it does not start; `tests/run` installs what it needs.
    pub fn to_examine(options: &Value) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(crate::node());
        command.arg(here.join("doctor.mjs")).arg(options.to_string());
        Self::run(command)
    }

    /// Has it do this wrong, or nothing.
    ///
    /// # Panics
    /// When it does not obey.
    pub fn set_wrong(&self, what: &str) {
        ureq::post(&self.control).send(what).expect("the server obeys");
    }

    /// Starts the authorization server of the MCP Python SDK, of this generation, with these options;
    /// `mcp_authorization_server.py` lists them.
    ///
    /// # Panics
    /// When it does not start; `tests/run` installs what it needs.
    pub fn of_python_sdk(generation: u8, options: &Value) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = if generation == 1 { "python-mcp1" } else { "python" };
        let mut command = Command::new(here.join("../.tools").join(folder).join("bin/python"));
        command.arg(here.join("mcp_authorization_server.py")).arg(options.to_string());
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        let mut child = command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts; `tests/run setup` installs what it needs");
        let input = child.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let first = loop {
            let line = lines.next().expect("the server says where it is").expect("text");
            if line.starts_with('{') {
                break line;
            }
        };
        // The rest is of no interest, but must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let urls: Value = serde_json::from_str(&first).expect("JSON");
        let get = |name: &str| urls[name].as_str().expect("a URL").to_owned();
        Self {
            child,
            _input: input,
            resource: get("resource"),
            issuer: get("issuer"),
            control: get("control"),
        }
    }

    /// Starts one for a resource that lives elsewhere, with tokens in this format: `jwt` or `opaque`.
    ///
    /// # Panics
    /// As [`with`](Self::with).
    pub fn of(resource: &str, scopes: &str, format: &str) -> Self {
        let scopes: Vec<&str> = scopes.split(' ').collect();
        Self::with(&json!({ "resource": resource, "scopes": scopes, "format": format }))
    }

    /// Changes something behind the client's back.
    ///
    /// # Panics
    /// When the server does not do it.
    pub fn control(&self, what: &Value) {
        ureq::post(&self.control).send(what.to_string()).expect("the server obeys");
    }

    /// What the server's control says: what clients have asked for since it was asked last, and what it knows.
    ///
    /// # Panics
    /// When the server does not say.
    pub fn state(&self) -> Value {
        let mut answer = ureq::post(&self.control).send_empty().expect("the server answers");
        let text = answer.body_mut().read_to_string().expect("text");
        serde_json::from_str(&text).expect("JSON")
    }

    /// What clients have asked the authorization server for since this was asked last, or something was
    /// changed.
    ///
    /// # Panics
    /// When the server does not say.
    pub fn exchanges(&self) -> Vec<Exchanged> {
        let answer = self.state();
        let read = |one: &Value| {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            Exchanged {
                path: text("path"),
                grant: text("grant"),
                client_auth: text("client_auth"),
                proof: one["proof"] == true,
                error: text("error"),
                description: text("description"),
            }
        };
        answer["exchanges"].as_array().expect("a list").iter().map(read).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
