//! What records survive: many processes, their sudden death, damage.

mod acknowledged;
mod common;
mod guard;
#[cfg(feature = "secret-service")]
mod keyring;
mod kill;
mod processes;
mod records;
