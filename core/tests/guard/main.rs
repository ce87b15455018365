//! The Guard from outside: requests in, answers out, each rule by its section.
#![cfg(feature = "crypto")]

mod answers;
mod asked;
mod attacks;
mod bench;
mod configured;
mod dpop;
mod headers;
mod hostile;
mod introspection;
mod keys;
mod kinds;
mod messages;
mod needs;
mod operations;
mod providers;
mod replay;
mod report;
mod tokens;
mod uris;
