//! `libgrantor`: the machines of Grantor behind a C ABI. `include/grantor.h` is made from this crate by cbindgen.
//!
//! Nothing is decided here and nothing calls back: inputs are functions, outputs are read by accessors, and the
//! program performs the effects, or lets a [store] or [browser] of this library do so.
//!
//! Every pointer is checked for NULL, every text for UTF-8, every number for its meaning; a panic is caught and
//! ends the machine that it came from, never the program. `manual.md` beside this crate states ownership and
//! threading in one page.

#![allow(clippy::missing_safety_doc)] // stated once, in `manual.md`: pointers are NULL or valid, lengths are true
#![allow(non_camel_case_types)] // names of C
#![deny(missing_docs)]

pub mod border;
pub mod browser;
pub mod challenge;
pub mod client;
pub mod complete;
pub mod config;
pub mod guard;
pub mod machine;
pub mod option;
pub mod output;
mod read;
pub mod result;
#[cfg(feature = "sequences")]
pub mod sequences;
pub mod store;
pub mod system;
pub mod text;
pub mod version;
