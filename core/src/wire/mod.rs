//! The exchanges on the wire: for each a file, and in it how the request is built and the answer read.
//!
//! These are pure functions, for those who want full control. The engines only put them in order.

pub mod authorization;
pub mod callback;
pub mod challenge;
pub mod client_auth;
pub mod client_metadata;
pub mod device;
pub(crate) mod document;
pub(crate) mod form;
#[cfg(feature = "crypto")]
pub(crate) mod freshness;
pub mod http;
pub mod introspection;
pub(crate) mod json;
pub mod parameters;
pub mod pkce;
pub mod pushed;
pub mod registration;
pub mod resource_metadata;
pub mod revocation;
pub mod server_metadata;
#[cfg(test)]
pub(crate) mod testing;
pub mod token;
pub(crate) mod well_known;

pub use self::http::{HttpRequest, HttpResponse};
