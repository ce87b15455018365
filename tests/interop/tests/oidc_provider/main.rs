//! All adapters against npm `oidc-provider`, whose MCP endpoint introspects tokens and checks proofs with
//! npm `jose`.

mod browser;
mod clients;
mod device;
mod dpop;
mod log_out;
mod pushed;
mod users;

use std::path::PathBuf;

use grantor::client::Config;
use grantor::error::Refused;
use grantor::jose::{Algorithm, SigningKey};
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{AuthorizationPrompt, Error, Summary};
use grantor_adapters::{ADAPTERS, Adapter, Failed, open};
use grantor_driver::{Answer, FileStore, InteractionFailure, Setup, Signer, UserAgent, Wait};
use grantor_interop::{Person, Server};
use http::HeaderMap;
use serde_json::{Value, json};

const REDIRECT_URI: &str = "http://127.0.0.1:49999/callback";

/// A server with these options and a directory for records, for each adapter in turn.
fn for_each_adapter(options: &Value, name: &str, test: impl Fn(&'static str, &Server, &Records)) {
    for adapter in ADAPTERS {
        let records = Records::new(&format!("{name}-{adapter}"));
        test(adapter, &Server::with(options), &records);
    }
}

/// A directory that goes away.
struct Records(PathBuf);

impl Records {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("grantor-interop-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn store(&self) -> FileStore {
        FileStore::new(&self.0).unwrap()
    }

    /// The files with their contents.
    fn copy(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    }

    /// Whether this text stands in any of them.
    fn hold(&self, text: &str) -> bool {
        self.copy().iter().any(|(_, content)| String::from_utf8_lossy(content).contains(text))
    }

    /// The value of this member in whatever record has it.
    fn value(&self, name: &str) -> Option<String> {
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

fn config(server: &Server) -> Config {
    Config::new(&server.resource, ClientMetadata::named("Grantor interop")).unwrap()
}

fn setup(config: Config, records: &Records, person: &Person) -> Setup {
    Setup::new(config).store(records.store()).user_agent(OnCallback(person.clone()))
}

fn open_for(adapter: &str, config: Config, records: &Records, person: &Person) -> Box<dyn Adapter> {
    open(adapter, setup(config, records, person)).unwrap()
}

/// Brings the callback itself, without a receiver.
struct OnCallback(Person);

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
fn call(client: &dyn Adapter, server: &Server, tool: &str) -> Result<Value, Failed> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool } });
    let answer = client.post(&server.resource, &HeaderMap::new(), &body.to_string())?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Ok(serde_json::from_str::<Value>(&answer.body).unwrap()["result"].clone())
}

/// What a call ended with.
#[track_caller]
fn error<T>(outcome: Result<T, Failed>) -> Error {
    match outcome {
        Err(Failed::Authorization(error)) => error,
        Err(Failed::Other(other)) => panic!("{other}"),
        Ok(_) => panic!("it succeeded"),
    }
}

/// The error code of a token request that was refused.
#[track_caller]
fn refused<T>(outcome: Result<T, Failed>) -> String {
    match error(outcome) {
        Error::Refused(Refused::Token { code, .. }) => code.to_string(),
        other => panic!("{other}"),
    }
}

/// A key for tests; other bytes make another.
fn local_key(byte: u8) -> SigningKey {
    SigningKey::generate(Algorithm::Es256, &[byte; 32]).unwrap()
}

/// Stands for a KMS: the key is nowhere but here.
struct Kms(SigningKey);

impl Kms {
    const KEY: &str = "kms://keys/1";

    fn key(&self) -> grantor::Key {
        grantor::Key::elsewhere(Self::KEY, self.0.algorithm(), self.0.public().clone())
    }
}

impl Signer for Kms {
    fn sign(&self, key: &str, algorithm: Algorithm, input: &[u8]) -> Result<Vec<u8>, String> {
        assert_eq!((key, algorithm), (Self::KEY, self.0.algorithm()));
        self.0.sign(input).map_err(|error| error.to_string())
    }
}
