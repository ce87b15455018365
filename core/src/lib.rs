//! MCP authorization as pure state machines.

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
mod effect;
pub mod error;
pub mod limits;
mod policy;
mod quirks;
mod revision;
mod scope;
mod secret;
mod time;
pub mod wire;

pub use address::{UrlPolicy, UrlProblem};
pub use effect::{
    AuthorizationPrompt, Completion, Effect, Interaction, OpId, Reason, RecordKind, RecordRevision, StoreKey,
    Stored, Summary,
};
pub use error::{ApiMisuse, Error};
pub use policy::TrustPolicy;
pub use quirks::{Quirks, ResourceParameter};
pub use revision::Revision;
pub use scope::{ScopeError, ScopeSet};
pub use secret::Secret;
pub use time::Now;
