//! The client: an [`Engine`] that authorizes requests to one protected resource for one account.
//!
//! The contract of the loop stands at the top of the crate's documentation. The files: `engine`
//! is the public type, `flow` what it has under way and the plan, `task` one exchange each with a server, the
//! host or the store, `state` what is held and stored.

mod config;
mod engine;
mod flow;
mod output;
mod state;
mod task;

pub use self::config::{
    Config, ConfigError, Endpoints, Enterprise, Flow, KnownServer, Preregistered, Redirect, Timeouts,
};
pub use self::engine::Engine;
pub use self::output::{CallId, Credentials, Notice, Output, RequestHead, ResponseHead, Verdict};
pub use self::state::account::{Account, StoredGrant};
pub use self::state::record::{accounts, stored_grant};
