//! `cargo demo`: one MCP session from the first 401 to the last refresh.
//!
//! Everything runs in this process and on loopback: the example `protected_server`, an MCP server behind the
//! Guard whose tools need different scopes; an authorization server with dynamic registration and rotating
//! refresh tokens; and a client. The trace shows who asked whom what, with what status, and why.

mod grant;
mod server;
mod trace;

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use grantor::client::Config;
use grantor::jose::{Algorithm, SigningKey};
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::{ADAPTERS, Adapter};
use grantor_driver::{Browser, Event, Setup};
use grantor_world::Consent;
use grantor_world::mcp_server::stateless_tool_call;
use grantor_world::net::Served;
use serde_json::{Value, json};

use crate::server::McpServer;
use crate::trace::Trace;

/// How long access tokens are valid, in seconds: short enough to wait for.
const LIFETIME_S: u64 = 3;

const USAGE: &str = "\
usage: cargo demo [-- OPTIONS]

  --grant NAME     gets tokens by another grant than the user's browser: client-credentials,
                   device, enterprise or workload
  --browser        opens the real browser instead of approving by itself
  --adapter NAME   the HTTP stack of the client: reqwest (default), hyper, smol or ureq
  --help           prints this";

struct Options {
    adapter: String,
    browser: bool,
    grant: Option<String>,
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the demo failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options { adapter: ADAPTERS[0].into(), browser: false, grant: None };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--adapter" => options.adapter = args.next().ok_or("--adapter needs a name")?,
            "--browser" => options.browser = true,
            "--grant" => options.grant = Some(args.next().ok_or("--grant needs a name")?.replace('_', "-")),
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown option {other}")),
        }
    }
    if !ADAPTERS.contains(&options.adapter.as_str()) {
        return Err(format!("no adapter {}; there are {}", options.adapter, ADAPTERS.join(", ")));
    }
    if let Some(grant) = options.grant.as_deref().filter(|grant| !grant::NAMES.contains(grant)) {
        return Err(format!("no grant {grant}; there are {}", grant::NAMES.join(", ")));
    }
    Ok(Some(options))
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let trace = Arc::new(Trace::to_stdout());
    let watched = Arc::clone(&trace);
    let servers = Served::start(Arc::new(move |asked, answered| {
        watched.server(asked.method(), asked.uri().path(), asked.headers(), answered.status());
    }));
    {
        let mut world = servers.world();
        let server = world.server();
        server.signs = Some(SigningKey::generate(Algorithm::Es256, &[7; 32])?.with_kid("demo"));
        server.lifetime_s = LIFETIME_S;
        if options.browser {
            server.consent = Consent::AskInPage;
            server.scope_notes = grantor_protected_server::scope_notes();
        }
    }
    let mcp = McpServer::start(&servers.issuer, &trace)?;
    trace.begin(&mcp.resource, &servers.issuer, &options.adapter);
    if options.grant.as_deref() == Some("enterprise") {
        trace.provider(&servers.provider);
    }

    let client = grantor_adapters::open(&options.adapter, setup(options, &mcp, &servers, &trace)?)?;
    trace.chapter("The client calls the tool `read_note`. It knows nothing but the server's URL.");
    call(&*client, &mcp, "read_note", &trace)?;
    trace.chapter("It calls `read_note` again.");
    call(&*client, &mcp, "read_note", &trace)?;
    trace.chapter("It calls `write_note`, which needs a scope that its token lacks.");
    call(&*client, &mcp, "write_note", &trace)?;
    trace.chapter(&format!("After {LIFETIME_S} seconds the token has expired. It calls `write_note` again."));
    std::thread::sleep(Duration::from_secs(LIFETIME_S));
    call(&*client, &mcp, "write_note", &trace)?;
    trace.end();
    Ok(())
}

/// The client's side: who it is, how it shows pages, who is told what happens.
fn setup(
    options: &Options,
    mcp: &McpServer,
    servers: &Served,
    trace: &Arc<Trace>,
) -> Result<Setup, Box<dyn Error>> {
    let config = Config::new(&mcp.resource, ClientMetadata::named("Grantor demo"))?;
    let setup = match &options.grant {
        Some(name) => grant::prepare(name, servers, config)?,
        None if options.browser => Setup::new(config).user_agent(Browser::default()),
        None => Setup::new(config).user_agent(Browser::open_with(approve)),
    };
    let observed = Arc::clone(trace);
    Ok(setup.observer(move |event: Event<'_>| observed.client(&event)))
}

/// Stands in for a browser and a user who agrees: opens the page and follows where it leads.
fn approve(url: &str) -> Result<(), String> {
    let url = url.to_owned();
    std::thread::spawn(move || ureq::get(&url).call().map(drop));
    Ok(())
}

fn call(client: &dyn Adapter, mcp: &McpServer, tool: &str, trace: &Trace) -> Result<(), Box<dyn Error>> {
    let (headers, body) = stateless_tool_call(tool, &json!({}));
    let answer = client.post(&mcp.resource, &headers, &body)?;
    let json: Value = serde_json::from_str(&answer.body)?;
    trace.result(answer.status, json["result"]["content"][0]["text"].as_str().unwrap_or_default());
    Ok(())
}
