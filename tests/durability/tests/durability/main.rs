//! What records survive: many processes, their sudden death, damage.

mod acknowledged;
mod common;
mod guard;
#[cfg(feature = "secret-service")]
mod keyring;
mod kill;
#[cfg(unix)]
#[path = "../../../../examples/authorization_server/tests/flows/person.rs"]
mod person;
#[cfg(unix)]
mod postgres;
mod processes;
#[cfg(unix)]
mod providers;
mod races;
mod records;
#[cfg(unix)]
mod servers;
#[cfg(unix)]
mod valkey;
