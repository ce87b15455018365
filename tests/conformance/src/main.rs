//! The client under test of the official MCP conformance suite.
//!
//! `grantor-conformance --adapter NAME URL`: lists the tools of the MCP server at URL, calls them, and
//! exits with 0 if every request was answered. It does the same in every scenario; the suite tells it the
//! protocol version and, for some scenarios, credentials, which decide the grant (environment variables
//! `MCP_CONFORMANCE_*`). The name `rmcp` stands for the official SDK's own client around Grantor.

mod mcp;
mod sdk;
mod user;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use grantor::client::{Config, Enterprise, Flow, Preregistered, Redirect};
use grantor::jose::{Algorithm, SigningKey};
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{AssertionKind, AssertionRequest, DpopPolicy, Key, Revision, Secret, TrustPolicy};
use grantor_driver::{Assertion, AssertionSource, Setup};
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
    let setup = setup.assertions(assertions(&context));
    if adapter == "rmcp" {
        return sdk::use_tools(setup, url, revision, &context);
    }
    let adapter = grantor_adapters::open(adapter, setup)?;
    mcp::Client::new(adapter, url, revision).use_tools(&context)
}

fn config(url: &str, revision: Revision, context: &Value) -> Result<Config, Box<dyn Error>> {
    let config = Config::new(url, ClientMetadata::named("grantor-conformance"))?
        .revision(revision)
        .trust(TrustPolicy::Accept)
        .dpop(DpopPolicy::WhenSupported)
        .redirect(Redirect::Fixed(REDIRECT_URI.into()))?
        .client_id_metadata_document(CLIENT_ID_DOCUMENT)?;
    let Some(client_id) = context["client_id"].as_str() else { return Ok(config) };
    let mut client = Preregistered::bound_on_first_use(client_id);
    if let Some(secret) = context["client_secret"].as_str() {
        client = client.secret(Secret::from(secret));
    }
    if let Some(pem) = context["private_key_pem"].as_str() {
        let algorithm = context["signing_algorithm"].as_str().and_then(Algorithm::from_name);
        client = client.key(Key::local(SigningKey::from_pem(pem, algorithm.unwrap_or(Algorithm::Es256))?));
    }
    Ok(config.preregistered(client).flow(flow(context)?))
}

/// The grant for which there are credentials.
fn flow(context: &Value) -> Result<Flow, Box<dyn Error>> {
    if context["valid_jwt"].is_string() {
        return Ok(Flow::Workload);
    }
    if let (Some(issuer), Some(client_id)) =
        (context["idp_issuer"].as_str(), context["idp_client_id"].as_str())
    {
        let enterprise = Enterprise::new(issuer, Preregistered::new(issuer, client_id));
        return Ok(Flow::Enterprise(Box::new(enterprise)));
    }
    // A client with a secret may stand for a user or for itself; only the scenario's name tells.
    let for_itself =
        env::var("MCP_CONFORMANCE_SCENARIO").is_ok_and(|name| name.contains("client-credentials"));
    Ok(if for_itself { Flow::ClientCredentials } else { Flow::AuthorizationCode })
}

/// The assertions that the suite hands out.
fn assertions(context: &Value) -> impl AssertionSource + use<> {
    let text = |name: &str| context[name].as_str().unwrap_or_default().to_owned();
    let (user, workload) = (text("idp_id_token"), text("valid_jwt"));
    move |request: &AssertionRequest| {
        Ok(match request.kind {
            AssertionKind::User => Assertion::id_token(&user),
            _ => Assertion::workload(&workload),
        })
    }
}
