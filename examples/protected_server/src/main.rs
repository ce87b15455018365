//! `cargo run -p grantor-protected-server`: an MCP server that is protected.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use grantor::jose::{Algorithm, SigningKey};
use grantor_protected_server::{app, config, policy, scope_notes};
use grantor_world::Consent;
use grantor_world::grants::Device;
use grantor_world::net::Served;
use tokio::net::TcpListener;

const USAGE: &str = "\
usage: cargo run -p grantor-protected-server [-- OPTIONS]

  --issuer URL     accepts the tokens of this authorization server: JWTs by RFC 9068.
                   Without it, one runs in this process; its users agree to everything
  --port NUMBER    the port of 127.0.0.1 to listen on (a free one by default)
  --leeway SECONDS how far the clocks of others may be off (60 by default)
  --scopes         prints which operation needs which scopes, and ends
  --scopes-json    the same as JSON
  --help           prints this";

#[derive(Default)]
struct Options {
    issuer: Option<String>,
    port: u16,
    leeway_s: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--leeway" => match args.next().and_then(|seconds| seconds.parse().ok()) {
                Some(seconds) => options.leeway_s = Some(seconds),
                None => return misused("--leeway needs a number of seconds"),
            },
            "--scopes" => {
                print!("{}", policy().to_markdown());
                return ExitCode::SUCCESS;
            }
            "--scopes-json" => {
                println!("{:#}", policy().to_json());
                return ExitCode::SUCCESS;
            }
            "--issuer" => match args.next().filter(|url| !url.starts_with("--")) {
                Some(url) => options.issuer = Some(url),
                None => return misused("--issuer needs a URL"),
            },
            "--port" => match args.next().and_then(|port| port.parse().ok()) {
                Some(port) => options.port = port,
                None => return misused("--port needs a number up to 65535"),
            },
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => return misused(&format!("unknown option {other}")),
        }
    }
    match serve(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the server failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn misused(problem: &str) -> ExitCode {
    eprintln!("{problem}\n\n{USAGE}");
    ExitCode::from(2)
}

async fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    // Ends with this process.
    let own = match &options.issuer {
        Some(_) => None,
        None => Some(authorization_server()?),
    };
    let issuer = options.issuer.or_else(|| Some(own.as_ref()?.issuer.clone())).unwrap_or_default();
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
    let resource = format!("http://{}/mcp", listener.local_addr()?);
    let mut config = config(&resource, &issuer);
    if let Some(seconds) = options.leeway_s {
        config.leeway_s = seconds;
    }
    let app = app(config)?;
    println!("MCP server:           {resource}");
    println!("authorization server: {issuer}");
    println!(
        "Connect any MCP client. It needs no credentials: you agree in the browser, or with a device code."
    );
    Ok(axum::serve(listener, app).await?)
}

/// An authorization server in this process, with a page that asks the user.
fn authorization_server() -> Result<Served, Box<dyn Error>> {
    let served = Served::start(Arc::new(|_, _| {}));
    {
        let mut world = served.world();
        let server = world.server();
        // Known to all: for a demonstration alone.
        server.signs = Some(SigningKey::generate(Algorithm::Es256, &[7; 32])?.with_kid("demo"));
        server.consent = Consent::AskInPage;
        server.devices = true;
        server.offers.device = Device::AskInPage;
        server.scope_notes = scope_notes();
    }
    Ok(served)
}
