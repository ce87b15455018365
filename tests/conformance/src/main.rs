//! The client under test of the official MCP conformance suite.
//!
//! `grantor-conformance --adapter NAME URL`: lists the tools of the MCP server at URL, calls them, and
//! exits with 0 if every request was answered. It does the same in every scenario; the suite tells it the
//! protocol version and, for some scenarios, credentials (environment variables `MCP_CONFORMANCE_*`).

mod mcp;
mod user;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use grantor::client::{Config, Preregistered, Redirect};
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{Revision, Secret, TrustPolicy};
use grantor_driver::Setup;
use serde_json::Value;

const USAGE: &str = "usage: grantor-conformance --adapter NAME URL";
const REDIRECT_URI: &str = "http://localhost:3000/callback";
const CLIENT_ID_DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [flag, adapter, url] = args.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if flag != "--adapter" {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    match run(adapter, url) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(adapter: &str, url: &str) -> Result<(), Box<dyn Error>> {
    let version =
        env::var("MCP_CONFORMANCE_PROTOCOL_VERSION").unwrap_or_else(|_| Revision::default().to_string());
    let revision =
        Revision::from_name(&version).ok_or_else(|| format!("unknown protocol version {version}"))?;
    let context = match env::var("MCP_CONFORMANCE_CONTEXT") {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) => Value::Null,
    };
    let setup = Setup::new(config(url, revision, &context)?).user_agent(user::Suite);
    let adapter = grantor_adapters::open(adapter, setup)?;
    mcp::Client::new(adapter, url, revision).use_tools(&context)
}

fn config(url: &str, revision: Revision, context: &Value) -> Result<Config, Box<dyn Error>> {
    let config = Config::new(url, ClientMetadata::named("grantor-conformance"))?
        .revision(revision)
        .trust(TrustPolicy::Accept)
        .redirect(Redirect::Fixed(REDIRECT_URI.into()))?
        .client_id_metadata_document(CLIENT_ID_DOCUMENT)?;
    let Some(client_id) = context["client_id"].as_str() else { return Ok(config) };
    let client = Preregistered::bound_on_first_use(client_id);
    Ok(config.preregistered(match context["client_secret"].as_str() {
        Some(secret) => client.secret(Secret::from(secret)),
        None => client,
    }))
}
