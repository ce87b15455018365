//! The trace: numbered, readable, in colour only on a terminal.

use std::env;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use grantor_driver::Event;
use http::{HeaderMap, Method, StatusCode};

/// Writes what happens, from several threads, in the order in which it happens.
#[derive(Debug)]
pub(crate) struct Trace {
    colour: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    step: u32,
    resource: String,
    issuer: String,
    provider: String,
}

impl Trace {
    pub(crate) fn to_stdout() -> Self {
        let colour = std::io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
        Self { colour, state: Mutex::default() }
    }

    pub(crate) fn begin(&self, resource: &str, issuer: &str, adapter: &str) {
        let mut state = self.lock();
        state.resource = resource.into();
        state.issuer = issuer.into();
        println!("MCP server            {resource}");
        println!("authorization server  {issuer}");
        println!("client                Grantor with {adapter}");
    }

    pub(crate) fn provider(&self, issuer: &str) {
        self.lock().provider = issuer.into();
        println!("identity provider     {issuer}");
    }

    pub(crate) fn chapter(&self, text: &str) {
        let _state = self.lock();
        println!("\n{}", self.paint("1", &wrapped("", text)));
    }

    pub(crate) fn result(&self, status: u16, text: &str) {
        let _state = self.lock();
        println!("{}", self.paint("32", &wrapped(INDENT, &format!("the client got {status}: {text}"))));
    }

    pub(crate) fn end(&self) {
        let state = self.lock();
        let steps = state.step;
        println!(
            "\n{}",
            self.paint(
                "1",
                &format!("Done: {steps} requests, and the user was asked only for what was new.")
            )
        );
    }

    /// What the servers saw: the requests of the MCP client proper and of the browser. Those of the
    /// engine are told by the client, with the reason.
    pub(crate) fn server(&self, method: &Method, path: &str, headers: &HeaderMap, status: StatusCode) {
        let status = status.as_u16();
        if path == "/mcp" {
            let name = headers.get("mcp-name").and_then(|name| name.to_str().ok()).unwrap_or("?");
            let (what, why) = match headers.contains_key("authorization") {
                true => ("with a token", "the host's request, authorized"),
                false => ("without a token", "the host's request; the server will say what it demands"),
            };
            let what = format!("{method} {path}, tools/call {name}, {what}");
            self.step("client", "MCP server", &what, status, why);
        } else if path == "/authorize" {
            let why = "the user decides what the client may do";
            self.step("browser", "authorization server", &format!("{method} {path}"), status, why);
        }
    }

    /// What the engine asked for, and what it has to say.
    pub(crate) fn client(&self, event: &Event<'_>) {
        match event {
            Event::Exchanged { request, why, answer } => {
                let server = self.server_at(request.url.as_str());
                let what = format!("{} {}", request.method, request.url.path());
                match answer {
                    Ok(answer) => self.step("client", server, &what, answer.status, why),
                    Err(failure) => {
                        self.note(&format!("{what} failed: {:?} {}", failure.kind, failure.detail));
                    }
                }
            }
            Event::Notice(notice) => self.note(&notice.to_string()),
            Event::WaitingForApproval { summary } => {
                self.note(&format!(
                    "the host is asked whether these scopes are all right: {}",
                    summary.new_scopes
                ));
            }
            Event::WaitingForBrowser { prompt, why } => {
                self.note(&format!("{why}: {}", prompt.summary.scopes));
                self.note(&format!("waiting for the browser at {}", prompt.url.endpoint()));
            }
            Event::WaitingForDevice { prompt, why } => {
                self.note(&format!("{why}: {}", prompt.summary.scopes));
            }
            _ => {}
        }
    }

    fn server_at(&self, url: &str) -> &'static str {
        let state = self.lock();
        if !state.provider.is_empty() && url.starts_with(&state.provider) {
            "identity provider"
        } else if url.starts_with(&state.issuer) {
            "authorization server"
        } else {
            "MCP server"
        }
    }

    fn step(&self, from: &str, to: &str, what: &str, status: u16, why: &str) {
        let mut state = self.lock();
        state.step += 1;
        let colour = if status < 400 { "32" } else { "33" };
        let first = format!("{:>2}  ", state.step);
        let line = wrapped(&first, &format!("{from} → {to}: {what} →\u{a0}{status}"));
        let answer = format!("→\u{a0}{status}");
        println!("{}", line.replace(&answer, &self.paint(colour, &format!("→ {status}"))));
        println!("{}", self.paint("2", &wrapped(INDENT, why)));
        let _ = std::io::stdout().flush();
    }

    fn note(&self, text: &str) {
        let _state = self.lock();
        println!("{}", self.paint("36", &wrapped(INDENT, text)));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands before all lines but those that begin a step.
const INDENT: &str = "    ";

/// A text in lines that fit a terminal of 80 columns; the first begins with `first`.
fn wrapped(first: &str, text: &str) -> String {
    let after = if first.is_empty() { "" } else { INDENT };
    textwrap::fill(text, textwrap::Options::new(80).initial_indent(first).subsequent_indent(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_80_columns() {
        let text = "client → authorization server: POST /register and whatever else there is to say about it";
        for first in ["", INDENT, "12  "] {
            let lines = wrapped(first, &text.repeat(3));
            assert!(
                lines.lines().count() > 2 && lines.lines().all(|line| line.chars().count() <= 80),
                "{lines}"
            );
        }
    }
}
