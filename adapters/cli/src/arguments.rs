//! What is written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::proxy::Flags;

/// Logs in to MCP servers, gets tokens, lists and calls tools.
#[derive(Debug, Parser)]
#[command(name = "grantor", version, after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) options: Options,
}

const AFTER: &str = "\
Credentials are kept in the platform's directory for application state, readable by you alone. Programs that use \
Grantor's FileStore on the same directory share them.

Exit status: 0 when it is done, 1 when it failed, 2 when it was called wrongly; of `doctor`: 1 when clients that keep \
the specifications fail, 3 when there are warnings alone.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Log in, in the browser
    Login {
        /// The MCP server's URL
        server: String,
        /// Show a code to type in on another device instead of opening a browser
        #[arg(long)]
        device: bool,
        /// Write the page's URL, and read the URL at which the browser ends
        #[arg(long, conflicts_with = "device")]
        no_browser: bool,
        /// The port of 127.0.0.1 that the browser comes back to, such as one that ssh -L forwards
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        port: u16,
        /// Ask for these scopes, too
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<String>,
    },
    /// Give the tokens back and forget them
    Logout {
        /// The MCP server's URL
        server: String,
        /// Forget the registration and the trusted authorization server as well
        #[arg(long)]
        forget: bool,
    },
    /// Show where you are logged in
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print an access token, renewed if need be
    Token {
        /// The MCP server's URL
        server: String,
        /// Print the whole header, as in: curl -H "$(grantor token --header URL)" URL
        #[arg(long)]
        header: bool,
    },
    /// List the server's tools
    Tools {
        /// The MCP server's URL
        server: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Examine a server as a client meets it, and say what is wrong
    Doctor {
        /// The MCP server's URL
        server: String,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Write a report for build pipelines (junit.xml) to this file, too
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
        /// Write a report for code scanning (SARIF 2.1.0) to this file, too
        #[arg(long, value_name = "FILE")]
        sarif: Option<PathBuf>,
        /// Show what is right as well
        #[arg(long)]
        all: bool,
        /// Go on through consent, token, refresh and step-up: you log in once or twice, and nothing of it is kept
        #[arg(long)]
        login: bool,
        /// Step up for these scopes, too, of those that the metadata does not name
        #[arg(long, value_name = "SCOPE", requires = "login")]
        scope: Vec<String>,
    },
    /// Be the server on standard input and output, for clients that speak nothing else
    Proxy {
        /// The MCP server's URL
        server: String,
        #[command(flatten)]
        flags: Flags,
    },
    /// Explain a code of the doctor
    Explain {
        /// The code; without one, all are listed
        code: Option<String>,
    },
    /// Call a tool
    Call {
        /// The MCP server's URL
        server: String,
        /// The tool's name
        tool: String,
        /// Its arguments; a value that is JSON is taken as such, all others are text
        #[arg(value_name = "KEY=VALUE")]
        arguments: Vec<String>,
        /// Print the whole result as JSON
        #[arg(long)]
        json: bool,
    },
}

/// What holds for every command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The account, where you have several at one server
    #[arg(long, global = true, default_value = "default", value_name = "NAME")]
    pub(crate) account: String,
    /// The client id that you have registered with the authorization server
    #[arg(long, global = true, value_name = "ID", env = "GRANTOR_CLIENT_ID")]
    pub(crate) client_id: Option<String>,
    /// The authorization server that --client-id is registered with; by default the one that is found first
    #[arg(long, global = true, value_name = "URL", requires = "client_id")]
    pub(crate) issuer: Option<String>,
    /// Keep the credentials in this directory
    #[arg(long, global = true, value_name = "DIRECTORY", env = "GRANTOR_STORE")]
    pub(crate) store: Option<PathBuf>,
    /// Tell what happens
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}
