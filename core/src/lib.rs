//! MCP authorization as pure state machines: you tell it what happened, it tells you what to do next.
//!
//! Most programs want an adapter: `grantor-reqwest`, `grantor-ureq` and their siblings send authorized
//! requests in the idiom of their HTTP stack. This crate is for those who write adapters, who test, or who
//! want one exchange of the protocol without the rest.
//!
//! - [`client`]: the [`Engine`](client::Engine), which authorizes requests to a protected MCP server.
//! - `resource`: the Guard of a protected MCP server (with the feature `crypto`).
//! - [`jose`]: keys and signed tokens, made and checked.
//! - [`wire`]: every exchange as a pure pair, build the request and read the answer.
//! - [`jose`]: keys, signed tokens, client assertions and `DPoP` proofs.
//! - [`manual`]: how it is built, and what it defends against.
//!
//! # The contract of the loop
//!
//! **Inputs are methods.** [`authorize`](client::Engine::authorize) and [`report`](client::Engine::report)
//! for the host's own requests, [`complete`](client::Engine::complete) for effects,
//! [`add_entropy`](client::Engine::add_entropy), and [`handle_timeout`](client::Engine::handle_timeout). Each
//! takes the time; none blocks.
//!
//! **Outputs queue up** and are drained with [`poll_output`](client::Engine::poll_output) until it gives
//! `None`. Outputs arise from inputs only. Draining late is slow, but never wrong. After the last of them,
//! [`poll_timeout`](client::Engine::poll_timeout) says when to call `handle_timeout`, if nothing happens
//! before.
//!
//! **Effects are answered once each**, in any order, each with the [`Completion`] that its documentation
//! names. An answer of the wrong kind or to an id that was never issued is [`ApiMisuse`] and changes
//! nothing; one to an effect that is settled, because its deadline passed, is ignored. The host follows no
//! redirects, adds no credentials, and does not interpret what it carries.
//!
//! **A record is durable before the host answers `Saved`.** Tokens are used only after that.
//!
//! **Calls end** with [`Verdict::Deliver`](client::Verdict::Deliver), `Done` or `Fail`, or when the host
//! [cancels](client::Engine::cancel) them. Cancelling a call stops nothing that others wait for, and never a
//! token request.
//!
//! **Time** is two clocks, [`Now`]: a monotonic one for deadlines, the wall clock for lifetimes. Neither has
//! to be right for anything to stay safe.
//!
//! # One flow by hand
//!
//! The peers are a function here; a real host sends the requests and waits.
//!
//! ```
//! use grantor::client::{Config, Engine, Output, RequestHead, ResponseHead, Verdict};
//! use grantor::wire::{HttpResponse, client_metadata::ClientMetadata};
//! use grantor::{Completion, Effect, Interaction, Now, RecordRevision};
//! use http::HeaderMap;
//!
//! const SERVER: &str = "https://mcp.example.com/mcp";
//!
//! /// What the peers answer: the resource's metadata, the authorization server's, a registration, a token.
//! fn answer(path: &str) -> (u16, &'static str) {
//!     match path {
//!         "/.well-known/oauth-protected-resource/mcp" => (200, r#"{"resource": "https://mcp.example.com/mcp",
//!             "authorization_servers": ["https://as.example.com"]}"#),
//!         "/.well-known/oauth-authorization-server" => (200, r#"{"issuer": "https://as.example.com",
//!             "authorization_endpoint": "https://as.example.com/authorize",
//!             "token_endpoint": "https://as.example.com/token",
//!             "registration_endpoint": "https://as.example.com/register",
//!             "code_challenge_methods_supported": ["S256"],
//!             "response_types_supported": ["code"], "token_endpoint_auth_methods_supported": ["none"]}"#),
//!         "/register" => (201, r#"{"client_id": "c1", "redirect_uris": ["http://127.0.0.1:7000/"]}"#),
//!         "/token" => (200, r#"{"access_token": "t1", "token_type": "Bearer", "expires_in": 3600}"#),
//!         _ => (404, "{}"),
//!     }
//! }
//!
//! let config = Config::new(SERVER, ClientMetadata::named("Example"))?;
//! let mut engine = Engine::new(config)?;
//! let now = Now { mono_ms: 0, unix_s: 1_800_000_000 };
//! let call = engine.authorize(now, RequestHead::new("POST", SERVER))?;
//! let mut sent = Vec::new();
//! while let Some(output) = engine.poll_output() {
//!     match output {
//!         Output::Perform { op, effect, .. } => match effect {
//!             Effect::Http { request, .. } => {
//!                 let (status, body) = answer(request.url.path());
//!                 let headers = HeaderMap::from_iter([("content-type".parse()?, "application/json".parse()?)]);
//!                 let response = HttpResponse { status, headers: &headers, body: body.as_bytes() };
//!                 engine.complete(now, op, Completion::Http(response))?;
//!             }
//!             Effect::Load { .. } => engine.complete(now, op, Completion::Loaded(None))?,
//!             Effect::Save { .. } => {
//!                 engine.complete(now, op, Completion::Saved(RecordRevision::from_counter(1)))?;
//!             }
//!             Effect::Delete { .. } => engine.complete(now, op, Completion::Deleted)?,
//!             Effect::Interact(Interaction::Listen { .. }) => {
//!                 let redirect_uri = "http://127.0.0.1:7000/";
//!                 engine.complete(now, op, Completion::Listening { redirect_uri })?;
//!             }
//!             Effect::Interact(Interaction::Authorize(prompt)) => {
//!                 // The user agrees, and the browser comes back with the state it was given.
//!                 let page: url::Url = prompt.url.as_str().parse()?;
//!                 let state = page.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
//!                 let url = format!("{}?code=1234&state={state}", prompt.redirect_uri);
//!                 engine.complete(now, op, Completion::Callback { url: &url })?;
//!             }
//!             other => panic!("nothing else is asked for in this flow: {other:?}"),
//!         },
//!         Output::NeedEntropy { len } => engine.add_entropy(now, &vec![7; len]), // from the system, in earnest
//!         Output::Call { verdict: Verdict::Send(credentials), .. } => {
//!             let mut headers = HeaderMap::new();
//!             credentials.apply(&mut headers);
//!             let status = if headers.contains_key("authorization") { 200 } else { 401 };
//!             sent.push((status, headers.get("authorization").cloned()));
//!             engine.report(now, call, ResponseHead { status, headers: &HeaderMap::new() })?;
//!         }
//!         Output::Call { verdict, .. } => assert!(matches!(verdict, Verdict::Deliver), "{verdict:?}"),
//!         _ => {} // notices
//!     }
//! }
//! assert_eq!(sent.len(), 2);
//! assert_eq!(sent[1].1.as_ref().expect("a token"), "Bearer t1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(missing_docs)]
// Nothing from the outside can panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod address;
pub mod client;
pub mod diagnosis;
mod discover;
mod effect;
pub mod error;
pub mod finding;
pub mod jose;
mod key;
pub mod limits;
pub mod manual;
mod policy;
mod quirks;
#[cfg(feature = "crypto")]
pub mod resource;
mod revision;
mod scope;
mod secret;
#[cfg(feature = "crypto")]
pub mod server;
mod time;
pub mod wire;

pub use address::{Reach, UrlPolicy, UrlProblem};
pub use effect::{
    AssertionKind, AssertionRequest, AuthorizationPrompt, Completion, DevicePrompt, Effect, Interaction,
    OpId, Reason, RecordKind, RecordRevision, StoreKey, Stored, Summary,
};
pub use error::{ApiMisuse, Error, ErrorReport};
pub use finding::{Finding, Findings};
pub use key::Key;
pub use policy::{AssertionAudience, DpopPolicy, RecordPolicy, StepUpPolicy, TrustPolicy};
pub use quirks::{Quirks, ResourceParameter};
pub use revision::Revision;
pub use scope::{ScopeError, ScopeSet};
pub use secret::Secret;
pub use time::Now;
