//! The protected server's side: the [`Guard`] decides about every request before the server sees it.
//!
//! You say which operation needs which scopes, and whose tokens count. The Guard reads the head of each
//! request, and its body where it must; checks the token for this resource and no other; and says
//! [`Allow`](Decision::Allow) or the exact [`Answer`](Decision::Answer) that the specifications ask for:
//!
//! | answer | when |
//! |---|---|
//! | 200 | the metadata of RFC 9728 |
//! | 400 | the request is malformed: two tokens, one in the URL, headers that contradict the body, what two readers read in two ways |
//! | 401 | no token, one that is no good, or an authentication that is too old or weak (RFC 9470) |
//! | 403 | the token lacks scopes; the challenge names all that the operation, or the whole batch, needs; or the policy lets nobody do it |
//! | 413 | the body is larger than it may be |
//! | 503 | the token cannot be checked, because its issuer does not answer; never a 401 |
//!
//! # One request by hand
//!
//! ```
//! use grantor::resource::{AuthorizationServer, Decision, Guard, GuardConfig, Need, Output, Policy, RequestHead};
//! use grantor::{Completion, Effect, Now};
//! use grantor::error::{Failure, FailureKind};
//! use http::{HeaderMap, Method, Uri};
//!
//! let policy = Policy::new().every("mcp:use")?.tool("write", Need::all("files:write")?);
//! let config = GuardConfig::new("https://mcp.example.com/mcp", policy)
//!     .server(AuthorizationServer::jwt("https://as.example.com"));
//! let mut guard = Guard::new(config)?;
//! let now = Now::new(0, 1_800_000_000);
//!
//! // No token: 401, and where to learn more.
//! let (target, mut headers) = (Uri::from_static("/mcp"), HeaderMap::new());
//! let head = RequestHead::new(&Method::POST, &target, &headers);
//! let Decision::Answer(answer) = guard.check(now, &head, None) else { panic!() };
//! assert_eq!(answer.status, 401);
//! assert_eq!(
//!     answer.headers["www-authenticate"],
//!     "Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", scope=\"mcp:use\""
//! );
//!
//! // A token: the issuer's keys are needed first. The host fetches; here, it fails.
//! let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FzLmV4YW1wbGUuY29tIn0.AA";
//! headers.insert("authorization", format!("Bearer {token}").parse()?);
//! let head = RequestHead::new(&Method::POST, &target, &headers);
//! let Decision::Wait(check) = guard.check(now, &head, None) else { panic!() };
//! while let Some(output) = guard.poll_output() {
//!     match output {
//!         Output::Perform { op, effect: Effect::Http { request, .. }, .. } => {
//!             assert_eq!(request.url.path(), "/.well-known/oauth-authorization-server");
//!             guard.complete(now, op, Completion::Failed(Failure::new(FailureKind::Unreachable, "")))?;
//!         }
//!         Output::Ready { check: ready } => assert_eq!(ready, check),
//!         _ => {} // notices
//!     }
//! }
//! let Decision::Answer(answer) = guard.check(now, &head, None) else { panic!() };
//! assert_eq!(answer.status, 503);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod authentication;
mod cache;
mod check;
mod config;
mod fetch;
mod grant;
mod guard;
mod message;
mod metadata;
mod mismatch;
mod missing_key;
mod operation;
mod output;
mod policy;
mod proof;
mod refusal;
mod report;
mod request;
mod server;
mod tenants;
mod token;
mod used;

pub use check::Examined;
pub use config::{
    AudienceClaim, AuthorizationServer, ChallengeScopes, Cors, Dpop, GuardConfig, GuardConfigError, Tokens,
};
pub use grant::Grant;
pub use guard::Guard;
pub use message::{Body, MessageError};
pub use mismatch::Mismatch;
pub use operation::Operation;
pub use output::{Answer, CheckId, Decision, Notice, Output};
pub use policy::{Arguments, Need, Policy, PolicyError};
pub use refusal::{Refusal, TokenProblem};
pub use report::RefusalReport;
pub use request::RequestHead;
