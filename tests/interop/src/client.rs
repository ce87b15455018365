//! MCP clients that nobody here wrote, as processes that are told what to call.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::Person;

/// Where their browsers come back to. Nothing listens there.
pub const REDIRECT_URI: &str = "http://127.0.0.1:7777/callback";

/// A client that runs.
#[derive(Debug)]
pub struct ForeignClient {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Python `mcp`.
    Python,
    /// npm `@modelcontextprotocol/client`.
    TypeScript,
    /// The same, with tokens that are bound to a key.
    TypeScriptDpop,
    /// npm `@modelcontextprotocol/sdk`, the generation before.
    TypeScriptV1,
}

impl ForeignClient {
    /// Starts one for this server.
    ///
    /// # Panics
    /// When it does not start; `tests/run` installs what it needs.
    pub fn start(kind: Kind, resource: &str) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = match kind {
            Kind::Python => {
                let own = here.join("../.tools/python/bin/python");
                let mut command = Command::new(if own.exists() { own } else { "python3".into() });
                command.arg(here.join("mcp_client.py"));
                command
            }
            _ => {
                let mut command = Command::new(crate::node());
                command.arg(here.join("mcp-client.mjs")).arg(match kind {
                    Kind::TypeScriptV1 => "v1",
                    Kind::TypeScriptDpop => "dpop",
                    _ => "v2",
                });
                command
            }
        };
        let mut child = command
            .arg(resource)
            .arg(REDIRECT_URI)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the client starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, input, output }
    }

    /// Calls a tool, while the person does in the browser what is asked of them.
    ///
    /// # Errors
    /// What the client says went wrong.
    ///
    /// # Panics
    /// When the client dies.
    pub fn call(&mut self, tool: &str, person: &Person) -> Result<String, String> {
        writeln!(self.input, "{tool}").expect("the client reads");
        loop {
            let line = self.output.next().expect("the client answers").expect("text");
            let Ok(said) = serde_json::from_str::<Value>(&line) else { continue };
            if let Some(page) = said["authorize"].as_str() {
                let back = person.visit(page, REDIRECT_URI)?;
                writeln!(self.input, "{back}").expect("the client reads");
            } else if let Some(text) = said["result"].as_str() {
                return Ok(text.to_owned());
            } else if let Some(error) = said["error"].as_str() {
                return Err(error.to_owned());
            }
        }
    }
}

impl Drop for ForeignClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
