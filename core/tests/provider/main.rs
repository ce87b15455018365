//! The authorization server's endpoints, against a host in memory.

// What the core itself must not do, its tests may.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod attacks;
mod authorize;
mod clients;
mod consent;
mod devices;
mod effects;
mod exchange;
mod leaks;
mod rules;
mod settings;
mod tokens;
mod world;
