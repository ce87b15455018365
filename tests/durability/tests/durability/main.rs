//! What records survive: many processes, their sudden death, damage.

mod common;
#[cfg(feature = "secret-service")]
mod keyring;
mod kill;
mod processes;
mod records;
