//! What the tests hold of Grantor: its records, its user, its calls.

use std::path::PathBuf;

use grantor::{AuthorizationPrompt, Error, Summary};
use grantor_adapters::{Adapter, Failed};
use grantor_driver::{Answer, FileStore, InteractionFailure, UserAgent, Wait};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::{Person, Server};

/// Where the browser comes back to. Nothing listens there.
pub const REDIRECT_URI: &str = "http://127.0.0.1:49999/callback";

/// A directory that goes away.
#[derive(Debug)]
pub struct Records(PathBuf);

impl Records {
    /// An empty one.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("grantor-interop-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    /// The store in it.
    ///
    /// # Panics
    /// When the directory cannot be made.
    pub fn store(&self) -> FileStore {
        FileStore::new(&self.0).unwrap()
    }

    /// The files with their contents.
    pub fn copy(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    }

    /// Whether this text stands in any of them.
    pub fn hold(&self, text: &str) -> bool {
        self.copy().iter().any(|(_, content)| String::from_utf8_lossy(content).contains(text))
    }

    /// The value of this member in whatever record has it.
    pub fn value(&self, name: &str) -> Option<String> {
        self.copy().iter().find_map(|(_, content)| {
            let record: Value = serde_json::from_slice(content).ok()?;
            find(&record, name)
        })
    }
}

fn find(value: &Value, name: &str) -> Option<String> {
    let object = value.as_object()?;
    let own = object.get(name).and_then(Value::as_str).map(str::to_owned);
    own.or_else(|| object.values().find_map(|inner| find(inner, name)))
}

impl Drop for Records {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Brings the callback itself, without a receiver.
#[derive(Debug)]
pub struct OnCallback(pub Person);

impl UserAgent for OnCallback {
    fn listen(&self, _: Option<&str>) -> Result<String, InteractionFailure> {
        Ok(REDIRECT_URI.into())
    }

    fn approve(&self, _: &Summary) -> bool {
        true
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, _: &Wait) -> Result<Answer, InteractionFailure> {
        let back = self.0.visit(prompt.url.as_str(), REDIRECT_URI);
        back.map(Answer::Callback).map_err(InteractionFailure::impossible)
    }
}

/// Calls a tool; its result.
///
/// # Errors
/// What the client says went wrong.
///
/// # Panics
/// When the answer is none of the tool's.
pub fn call(client: &dyn Adapter, server: &Server, tool: &str) -> Result<Value, Failed> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool } });
    let answer = client.post(&server.resource, &HeaderMap::new(), &body.to_string())?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Ok(serde_json::from_str::<Value>(&answer.body).unwrap()["result"].clone())
}

/// What a call ended with.
///
/// # Panics
/// When it succeeded, or failed otherwise than by its authorization.
#[track_caller]
pub fn error<T>(outcome: Result<T, Failed>) -> Error {
    match outcome {
        Err(Failed::Authorization(error)) => error,
        Err(Failed::Other(other)) => panic!("{other}"),
        Ok(_) => panic!("it succeeded"),
    }
}
