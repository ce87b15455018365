//! A session with the adapter: the first authorization, a step-up and a refresh.

use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use grantor_driver::grantor::client::{Config, Redirect};
use grantor_driver::grantor::wire::client_metadata::ClientMetadata;
use grantor_driver::grantor::{AuthorizationPrompt, Summary};
use grantor_driver::{Answer, InteractionFailure, Setup, UserAgent, Wait};
use grantor_world::World;
use grantor_world::mcp_server::tool_call;
use http::Request;

use crate::{AuthorizedClient, Stack};

const REDIRECT_URI: &str = "http://127.0.0.1:8/callback";

/// A user who agrees: opens the page, and brings back where it leads.
struct Agreeing(Stack);

impl UserAgent for Agreeing {
    fn listen(&self, _: Option<&str>) -> Result<String, InteractionFailure> {
        Ok(REDIRECT_URI.into())
    }

    fn approve(&self, _: &Summary) -> bool {
        true
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, _: &Wait) -> Result<Answer, InteractionFailure> {
        let page = Request::get(prompt.url.as_str()).body(Vec::new());
        let page = self.0.exchange(&page.map_err(InteractionFailure::impossible)?);
        let page = page.map_err(InteractionFailure::impossible)?;
        let back = page.headers().get("location").and_then(|location| location.to_str().ok());
        Ok(back.map_or(Answer::Declined, |url| Answer::Callback(url.to_owned())))
    }
}

/// Writes what was asked of the servers.
pub(crate) fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let stack = Stack(Arc::new(Mutex::new(World::new())));
    let world = || stack.0.lock().unwrap_or_else(PoisonError::into_inner);
    let resource = world().mcp.resource.clone();
    let config = Config::new(&resource, ClientMetadata::named("Own adapter"))?
        .redirect(Redirect::Fixed(REDIRECT_URI.into()))?;
    let setup = Setup::new(config).user_agent(Agreeing(stack.clone()));
    let client = AuthorizedClient::new(setup, stack.clone())?;
    for (what, tool) in [("first call", "ping"), ("more scope", "write"), ("expired token", "write")] {
        if what == "expired token" {
            world().server().expire_access_tokens();
        }
        let answer = client.send(&Request::post(&resource).body(tool_call(tool))?)?;
        writeln!(out, "{what}: {}", answer.status())?;
        for asked in world().asked.drain(..) {
            writeln!(out, "  {}", asked.split('?').next().unwrap_or_default())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    /// The whole flow runs through an adapter of one's own.
    #[test]
    fn a_session() {
        let mut out = Vec::new();
        super::run(&mut out).unwrap();
        let expected = "\
first call: 200 OK
  POST https://mcp.example.com/mcp
  GET https://mcp.example.com/.well-known/oauth-protected-resource/mcp
  GET https://as.example.com/.well-known/oauth-authorization-server
  POST https://as.example.com/register
  GET https://as.example.com/authorize
  POST https://as.example.com/token
  POST https://mcp.example.com/mcp
more scope: 200 OK
  POST https://mcp.example.com/mcp
  GET https://as.example.com/authorize
  POST https://as.example.com/token
  POST https://mcp.example.com/mcp
expired token: 200 OK
  POST https://mcp.example.com/mcp
  POST https://as.example.com/token
  POST https://mcp.example.com/mcp
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    /// The part that is the adapter is small.
    #[test]
    fn the_adapter_takes_under_100_lines() {
        let lines = include_str!("main.rs").lines().map(str::trim);
        let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
        assert!(code.count() < 100);
    }
}
