//! MCP authorization as pure state machines.

mod address;
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
pub use error::{ApiMisuse, Error};
pub use policy::TrustPolicy;
pub use quirks::{Quirks, ResourceParameter};
pub use revision::Revision;
pub use scope::{ScopeError, ScopeSet};
pub use secret::Secret;
pub use time::Now;
