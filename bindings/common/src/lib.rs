//! What Grantor's bindings to other languages have in common: settings by name ([`Settings`]), from which the
//! configurations of the machines are made, and errors by whose fault they are ([`Fault`]).
//!
//! Names are the same in every language, so that one table of them can be documented, and a setting that is added
//! here is there for all.

#![deny(missing_docs)]

mod client;
mod fault;
mod guard;
mod names;
mod settings;

pub use client::{client, enterprise, preregistered};
pub use fault::{Blame, Fault};
pub use guard::guard;
pub use names::{failure_kind, failure_name, notice_name, snake, variant};
pub use settings::{Kind, Problem, Settings, Shape, Value};
