//! JOSE implementations that nobody here wrote, each a process that answers one line of JSON with another.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A running counterpart.
#[derive(Debug)]
pub struct Counterpart {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Counterpart {
    /// npm `jose`.
    pub fn npm_jose() -> Self {
        Self::start(Command::new(crate::node()).arg("jose.mjs"))
    }

    /// Python `joserfc`.
    pub fn joserfc() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/python/bin/python");
        let python = if own.exists() { own } else { "python3".into() };
        Self::start(Command::new(python).arg("joserfc_counterpart.py"))
    }

    fn start(command: &mut Command) -> Self {
        let mut child = command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts; `tests/run setup` installs what it needs");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, input, output }
    }

    /// What it answers; `error` in it when it refuses.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.input, "{request}").expect("it reads");
        let answer = self.output.next().expect("it answers; `tests/run setup` installs what it needs");
        serde_json::from_str(&answer.expect("text")).expect("JSON")
    }

    /// What it answers to a request that it must not refuse.
    ///
    /// # Panics
    /// When it refuses.
    pub fn get(&mut self, request: &Value) -> Value {
        let answer = self.ask(request);
        assert!(answer.get("error").is_none(), "{request} gave {answer}");
        answer
    }

    /// A new private key of its making: JWK and PEM.
    pub fn generate(&mut self, algorithm: &str) -> (Value, String) {
        let mut answer = self.get(&json!({"op": "generate", "alg": algorithm}));
        let pem = answer["pem"].as_str().expect("PEM").to_owned();
        (answer["jwk"].take(), pem)
    }

    /// A token of its making.
    pub fn sign(&mut self, header: &Value, payload: &str, jwk: &Value) -> String {
        let answer = self.get(&json!({"op": "sign", "header": header, "payload": payload, "jwk": jwk}));
        answer["token"].as_str().expect("a token").to_owned()
    }
}

impl Drop for Counterpart {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
