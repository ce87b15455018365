//! The command `grantor`: whoever runs or uses an MCP server logs in with it, gets tokens for curl, and calls tools.
//!
//! A host of the engine like any other: what is OAuth is decided there. Standard output carries what a pipe wants and
//! nothing else; what a person is told goes to standard error.

mod arguments;
mod client;
mod doctor;
mod endpoint;
mod events;
mod junit;
mod log_in;
mod mcp;
mod proxy;
mod sarif;
mod servers;
mod status;
mod terminal;
mod token;
mod tools;
mod turn;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command};
use crate::terminal::clean;

/// Words for a person: what went wrong, and what to do.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let Arguments { command, mut options } = Arguments::parse();
    let done = match command {
        Command::Login { server, device, no_browser, port, scope } => {
            log_in::log_in(&options, &server, &log_in::How { device, no_browser, port, scope })
        }
        Command::Logout { server, forget } => log_in::log_out(&options, &server, forget),
        Command::Status { json } => status::show(&options, json),
        Command::Token { server, header } => token::show(&options, &server, header),
        Command::Tools { server, json } => tools::list(&options, &server, json),
        Command::Doctor { server, json, junit, sarif, all, login, scope } => {
            let report = doctor::Report { json, junit, sarif, all, login, scope };
            doctor::examine(&options, &server, &report)
        }
        Command::Proxy { server, flags } => {
            options.verbose |= flags.debug;
            proxy::run(&options, &server, &flags)
        }
        Command::Explain { code } => doctor::explain(code.as_deref()),
        Command::Call { server, tool, arguments, json } => {
            tools::call(&options, &server, &tool, &arguments, json)
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("grantor: {}", clean(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}
