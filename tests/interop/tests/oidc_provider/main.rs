//! All adapters against npm `oidc-provider`, whose MCP endpoint introspects tokens and checks proofs with
//! npm `jose`.

mod browser;
mod clients;
mod device;
mod dpop;
mod log_out;
mod pushed;
mod users;

use grantor::Error;
use grantor::client::Config;
use grantor::error::Refused;
use grantor::jose::{Algorithm, SigningKey};
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::{ADAPTERS, Adapter, Failed, open};
use grantor_driver::{Setup, Signer};
use grantor_interop::{OnCallback, Person, REDIRECT_URI, Records, Server, call, error};
use serde_json::Value;

/// A server with these options and a directory for records, for each adapter in turn.
fn for_each_adapter(options: &Value, name: &str, test: impl Fn(&'static str, &Server, &Records)) {
    for adapter in ADAPTERS {
        let records = Records::new(&format!("{name}-{adapter}"));
        test(adapter, &Server::with(options), &records);
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
        grantor::Key::external(Self::KEY, self.0.algorithm(), self.0.public().clone())
    }
}

impl Signer for Kms {
    fn sign(&self, key: &str, algorithm: Algorithm, input: &[u8]) -> Result<Vec<u8>, String> {
        assert_eq!((key, algorithm), (Self::KEY, self.0.algorithm()));
        self.0.sign(input).map_err(|error| error.to_string())
    }
}
