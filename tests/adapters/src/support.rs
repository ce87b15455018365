//! What tests of the adapters have in common: servers on loopback, a user who agrees, and calls. What cannot fail panics.

use std::sync::Arc;
use std::thread;

use grantor_driver::grantor::client::Config;
use grantor_driver::grantor::wire::client_metadata::ClientMetadata;
use grantor_driver::{Browser, Setup};
use grantor_world::mcp_server::tool_call;
use grantor_world::net::Served;
use http::{HeaderMap, HeaderValue};

use crate::{Adapter, Failed};

/// An MCP server and its authorization server.
pub fn served() -> Served {
    Served::start(Arc::new(|_, _| {}))
}

/// A client's setup, with a user who agrees.
#[expect(clippy::missing_panics_doc, reason = "the resource is a server's")]
pub fn setup(resource: &str) -> Setup {
    let config = Config::new(resource, ClientMetadata::named("Adapters")).expect("a resource");
    Setup::new(config).user_agent(browser())
}

/// A user who agrees.
pub fn browser() -> Browser {
    Browser::open_with(|url| {
        visit(url);
        Ok(())
    })
}

/// Opens the page and follows where it leads, meanwhile.
pub fn visit(url: &str) {
    let url = url.to_owned();
    thread::spawn(move || ureq::get(&url).call().map(drop));
}

/// The body of a call of this tool.
#[expect(clippy::missing_panics_doc, reason = "JSON is UTF-8")]
pub fn message(tool: &str) -> String {
    String::from_utf8(tool_call(tool)).expect("UTF-8")
}

/// Calls a tool; the status of the answer.
///
/// # Errors
/// [`Failed`].
#[expect(clippy::missing_panics_doc, reason = "tools have names that fit headers")]
pub fn call(client: &dyn Adapter, resource: &str, tool: &str) -> Result<u16, Failed> {
    let mut headers = HeaderMap::new();
    headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
    headers.insert("mcp-name", HeaderValue::from_str(tool).expect("a name"));
    client.post(resource, &headers, &message(tool)).map(|answer| answer.status)
}
