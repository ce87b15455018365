//! The authorization server's side: the [`Provider`] answers every request of clients, browsers and resources.
//!
//! Everything that it knows is in the store; the provider itself is its configuration. Each request is an
//! [`Exchange`] of its own: it asks for effects, one after the other, and ends with an [`Outcome`]. So a host answers
//! as many at once as it likes, in as many processes as it likes.
//!
//! An authorization is one record, from the moment the user agrees, and each rule is one compare-and-swap of it: a
//! code is exchanged once, a refresh token has one successor, and what is used twice takes down all that came of it.
//!
//! Signing users in and showing pages is the host's: see [`Page`].
//!
//! # One request by hand
//!
//! ```
//! use grantor::jose::{Algorithm, SigningKey};
//! use grantor::server::{Outcome, ProtectedResource, Provider, ProviderConfig, RegisteredClient, Request, Step};
//! use grantor::Now;
//!
//! let config = ProviderConfig::new("https://as.example.com", &[7; 32]) // entropy from the system, in earnest
//!     .key(SigningKey::generate(Algorithm::Es256, &[7; 32])?)
//!     .resource(ProtectedResource::new("https://mcp.example.com/mcp").scope("files:read", "Read your files")?)
//!     .client(RegisteredClient::with_secret("backup", "correct horse").grant("client_credentials"));
//! let provider = Provider::new(config)?;
//!
//! let request = Request::post("/token", "grant_type=client_credentials&client_id=backup&client_secret=correct+horse");
//! let (_, step) = provider.handle(Now::new(0, 1_800_000_000), [7; 32], request, None);
//! // This one needs nothing of the world: neither the store nor the network.
//! let Step::Done(Outcome::Answer(answer)) = step else { panic!("{step:?}") };
//! assert_eq!(answer.status, 200);
//! assert!(answer.body.expose().contains(r#""token_type":"Bearer","expires_in":600,"scope":"files:read""#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod admission;
mod answer;
mod assertion;
mod authenticate;
mod authorize;
mod client;
mod config;
mod context;
mod credential;
mod decision;
mod device;
mod downstream;
mod endpoints;
mod exchange;
mod fetch;
mod guesses;
mod interaction;
mod introspect;
mod issue;
mod keys;
mod metadata;
mod outcome;
mod page;
mod proof;
mod provider;
mod pushed;
mod records;
mod register;
mod request;
mod revoke;
mod session;
mod store;
mod target;
mod token;
pub mod wire;

pub use answer::Answer;
pub use config::{
    AssertionIssuer, Lifetimes, ProtectedResource, ProviderConfig, ProviderConfigError, RegisteredClient,
    Registration, TokenFormat, TrustedIssuer,
};
pub use downstream::Downstream;
pub use endpoints::Endpoints;
pub use exchange::{Exchange, Step};
pub use interaction::{Browser, UserDecision};
pub use keys::ProviderKey;
pub use outcome::{GrantShown, Outcome};
pub use page::{ClientShown, ConsentRequest, Known, Page, PageContent, ScopeShown, Warning};
pub use provider::Provider;
pub use records::User;
pub use request::Request;
