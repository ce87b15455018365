//! `cargo run -p grantor-authorization-server`: an authorization server that runs.

use std::error::Error;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use grantor_authorization_server::{UserFile, add_user, app, client, config, store};
use grantor_driver::MemoryStore;
use grantor_driver::store::application_directory;
use tokio::net::TcpListener;

/// An authorization server for MCP, with its records in a file.
#[derive(Parser)]
struct Options {
    /// Where users, key, secret and records are [default: the platform's directory for this program]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
    /// The port of 127.0.0.1 to listen on; 0 for a free one
    #[arg(long, default_value_t = 8088)]
    port: u16,
    /// The issuer, as clients see it [default: http://127.0.0.1:PORT]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Keeps records in memory, where they end with the program
    #[arg(long)]
    memory: bool,
    /// The protected MCP server that tokens are for
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8089/mcp")]
    resource: String,
    /// Adds a user, whose password is read from standard input, and ends
    #[arg(long, value_name = "NAME")]
    add_user: Option<String>,
    /// A client that is registered by you
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// The secret of that client; without it, the client is a public one
    #[arg(long, value_name = "SECRET", requires = "client", env = "CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// A redirect URI of that client
    #[arg(long, value_name = "URI", requires = "client")]
    redirect_uri: Vec<String>,
    /// Lets that client have tokens of its own, without a user
    #[arg(long, requires = "client_secret")]
    client_credentials: bool,
    /// How long access tokens live
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    access_token: u64,
    /// Demands a nonce in proofs of possession
    #[arg(long)]
    dpop_nonces: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let directory = match options.data {
        Some(directory) => directory,
        None => application_directory("grantor-authorization-server")?,
    };
    let store = store(&directory)?; // makes the directory, for its owner only
    let user_file = directory.join("users");
    if let Some(name) = options.add_user {
        let mut password = String::new();
        std::io::stdin().lock().read_line(&mut password)?;
        add_user(&user_file, &name, password.trim_end_matches(['\r', '\n']))?;
        println!("{name} can sign in now.");
        return Ok(());
    }
    let users = UserFile::read(&user_file)?;
    if users.is_empty() {
        eprintln!(
            "There is no user yet. Add one: echo PASSWORD | cargo run -p grantor-authorization-server -- --add-user NAME"
        );
    }
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
    let issuer = match options.issuer {
        Some(issuer) => issuer,
        None => format!("http://{}", listener.local_addr()?),
    };
    let access_token = Duration::from_secs(options.access_token);
    let mut config =
        config(&issuer, &options.resource, &directory)?.lifetimes(|all| all.access_token = access_token);
    if options.dpop_nonces {
        config = config.dpop_nonces();
    }
    if let Some(id) = &options.client {
        let client = client(id, options.client_secret.as_deref(), &options.redirect_uri);
        config = config.client(if options.client_credentials {
            client.grant("client_credentials")
        } else {
            client
        });
    }
    let app =
        if options.memory { app(config, MemoryStore::default(), users)? } else { app(config, store, users)? };
    println!("Authorization server: {issuer}");
    println!("What users have allowed: {issuer}/account");
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}
