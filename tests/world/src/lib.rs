//! A whole MCP world in memory: resource, authorization servers, user, store and clock.
//!
//! Tests, benchmarks, fuzz targets and the demo all play against this. It is strict where the
//! specifications are: PKCE, redirect URIs, client authentication, resource indicators, rotation with
//! reuse detection. Every secret that it makes contains `planted`, so that a leak is easy to find.

pub mod authorization_server;
pub mod grants;
pub mod mcp_server;
#[cfg(feature = "net")]
pub mod net;
mod pages;
pub mod player;
pub mod provider;
pub mod raw;
pub mod recording;
pub mod sim;
pub mod small;
pub mod store;
#[cfg(feature = "tls")]
pub mod tls;

pub use authorization_server::{AuthorizationServer, Consent};
pub use mcp_server::McpServer;
pub use player::{Outcome, Player};
pub use store::MemoryStore;

use std::collections::BTreeMap;
use std::fmt;

use http::{HeaderMap, Request, Response, StatusCode};
use url::Url;

/// A request with its whole body.
pub type Asked = Request<Vec<u8>>;
/// A response with its whole body.
pub type Answered = Response<Vec<u8>>;

/// Answers some requests in place of the servers.
pub type Intercept = Box<dyn FnMut(&Asked) -> Option<Answered> + Send>;

/// Changes an answer.
pub type Bend = Box<dyn FnMut(&Asked, Answered) -> Answered + Send>;

/// The servers, by origin.
#[derive(Default)]
pub struct World {
    /// The MCP server.
    pub mcp: McpServer,
    /// The authorization servers, by origin.
    pub authorization: BTreeMap<String, AuthorizationServer>,
    /// What to answer instead.
    pub intercept: Option<Intercept>,
    /// What becomes of every answer on its way: real peers stray from specifications.
    pub bend: Option<Bend>,
    /// What was asked, in order: method and URL.
    pub asked: Vec<String>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl World {
    /// An MCP server at `https://mcp.example.com/mcp` with an authorization server at
    /// `https://as.example.com`.
    pub fn new() -> Self {
        let mut world = Self { mcp: McpServer::new("https://mcp.example.com/mcp"), ..Self::default() };
        world.add(AuthorizationServer::new("https://as.example.com"));
        world.mcp.authorization_servers = vec!["https://as.example.com".into()];
        world
    }

    /// Adds an authorization server.
    pub fn add(&mut self, server: AuthorizationServer) {
        self.authorization.insert(origin(&server.issuer), server);
    }

    /// The first authorization server that the MCP server names.
    ///
    /// # Panics
    /// When it names none that is here.
    pub fn server(&mut self) -> &mut AuthorizationServer {
        let origin = origin(&self.mcp.authorization_servers[0]);
        self.authorization.get_mut(&origin).expect("an authorization server")
    }

    /// Answers a request at this time.
    pub fn answer(&mut self, unix_s: u64, request: &Asked) -> Answered {
        self.asked.push(format!("{} {}", request.method(), request.uri()));
        let answer = self.polite_answer(unix_s, request);
        match &mut self.bend {
            Some(bend) => bend(request, answer),
            None => answer,
        }
    }

    fn polite_answer(&mut self, unix_s: u64, request: &Asked) -> Answered {
        if let Some(intercept) = &mut self.intercept
            && let Some(answer) = intercept(request)
        {
            return answer;
        }
        let origin = origin(&request.uri().to_string());
        if let Some(server) = self.authorization.get_mut(&origin)
            && let Some(answer) = server.answer(unix_s, request)
        {
            return answer;
        }
        if origin == self::origin(&self.mcp.resource) {
            let servers = &self.authorization;
            return self.mcp.answer(unix_s, request, |token| {
                servers.values().find_map(|server| server.check(token, unix_s))
            });
        }
        text(StatusCode::NOT_FOUND, "nothing here")
    }
}

/// A request of the core's, as servers see it.
///
/// # Panics
/// When its URL is no URI.
pub fn asked(request: &grantor::wire::HttpRequest) -> Asked {
    let mut asked = Asked::new(request.body.expose().as_bytes().to_vec());
    *asked.method_mut() = request.method.clone();
    *asked.uri_mut() = request.url.as_str().parse().expect("a URI");
    *asked.headers_mut() = request.headers.clone();
    asked
}

/// Scheme, host and port of a URL.
pub fn origin(url: &str) -> String {
    Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// A JSON response.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Answered {
    respond(status, "application/json", body.to_string())
}

/// A text response.
pub fn text(status: StatusCode, body: &str) -> Answered {
    respond(status, "text/plain; charset=utf-8", body.to_owned())
}

/// A response of this content type.
///
/// # Panics
/// When the content type cannot be a header.
pub fn respond(status: StatusCode, content_type: &str, body: String) -> Answered {
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", content_type.parse().expect("a content type"));
    response
}

/// Adds a header.
///
/// # Panics
/// When the value cannot be one.
pub fn with(mut response: Answered, name: &'static str, value: &str) -> Answered {
    response.headers_mut().append(name, value.parse().expect("a header value"));
    response
}

/// A header as text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
