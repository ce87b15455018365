//! The flags of `mcp-remote`, which people have in the configurations of their clients.

use clap::Args;
use grantor_ureq::Config;
use grantor_ureq::grantor::client::Preregistered;
use grantor_ureq::grantor::{ScopeSet, Secret};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::Failure;
use crate::arguments::Options;
use crate::client::{self, PlainHttp};

/// How the bridge is built.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// The port of 127.0.0.1 that the browser comes back to
    pub(crate) port: Option<u16>,
    /// Add this header to requests to the MCP server, as in "Name: value"; ${NAME} is taken from the environment
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// The client that you have registered, as JSON, or @ and a file with it
    #[arg(long, value_name = "JSON", conflicts_with = "client_id")]
    static_oauth_client_info: Option<String>,
    /// Only `scope` is used of it
    #[arg(long, value_name = "JSON")]
    static_oauth_client_metadata: Option<String>,
    /// Allow plain http to the server's host; whoever is on the way reads the tokens
    #[arg(long)]
    allow_http: bool,
    /// Seconds to wait for the user in the browser
    #[arg(long, value_name = "SECONDS")]
    auth_timeout: Option<u64>,
    /// `http-only` and `http-first` are what this does
    #[arg(long, value_name = "WAY", value_parser = transport)]
    transport: Option<String>,
    /// Tell what happens; as --verbose
    #[arg(long)]
    pub(crate) debug: bool,
}

fn transport(way: &str) -> Result<String, String> {
    match way {
        "http-only" | "http-first" => Ok(way.to_owned()),
        _ => Err(
            "the transport of 2024-11-05 (sse) is not spoken here; leave this out, most servers have both"
                .into(),
        ),
    }
}

impl Flags {
    pub(crate) fn config(&self, options: &Options, server: &str) -> Result<Config, Failure> {
        let plain = if self.allow_http { PlainHttp::Allowed } else { PlainHttp::Refused };
        let mut config = client::config(options, server, plain)?;
        if let Some(info) = &self.static_oauth_client_info {
            let info = read("--static-oauth-client-info", info)?;
            let Some(id) = info["client_id"].as_str() else {
                return Err("--static-oauth-client-info has no client_id".into());
            };
            let client = Preregistered::bound_on_first_use(id);
            config = config.preregistered(match info["client_secret"].as_str() {
                Some(secret) => client.secret(Secret::from(secret)),
                None => client,
            });
        }
        if let Some(metadata) = &self.static_oauth_client_metadata {
            let metadata = read("--static-oauth-client-metadata", metadata)?;
            if let Some(scope) = metadata["scope"].as_str() {
                config = config.scopes(ScopeSet::parse(scope)?);
            }
        }
        if let Some(seconds) = self.auth_timeout {
            config = config.interaction_ms(seconds.saturating_mul(1000));
        }
        Ok(config)
    }

    /// The headers to add.
    pub(crate) fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        for header in &self.header {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| format!("`{header}` is no header; write \"Name: value\""))?;
            let name: HeaderName =
                name.trim().parse().map_err(|_| format!("`{name}` is no name of a header"))?;
            if name == http::header::AUTHORIZATION {
                return Err(
                    "the Authorization header is what this command makes; a server with keys of its own \
                            needs no authorization by OAuth"
                        .into(),
                );
            }
            let mut value = HeaderValue::from_str(&from_environment(value.trim()))
                .map_err(|_| format!("the value of {name} is none that a header may have"))?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        Ok(headers)
    }
}

/// JSON, or `@` and the file that has it.
fn read(flag: &str, text: &str) -> Result<Value, Failure> {
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| format!("{flag}: {file}: {error}"))?,
        None => text.to_owned(),
    };
    // What is wrong with it is not told in its own words: it may hold a secret.
    serde_json::from_str(&text).map_err(|_| format!("{flag} is not followed by JSON").into())
}

/// With each `${NAME}` replaced.
fn from_environment(text: &str) -> String {
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        done.push_str(before);
        done.push_str(&std::env::var(name).unwrap_or_default());
        rest = after;
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_from_the_environment() {
        let home = std::env::var("PATH").unwrap();
        assert_eq!(from_environment("a ${PATH} b ${GRANTOR_NO_SUCH_NAME}c ${"), format!("a {home} b c ${{"));
    }
}
