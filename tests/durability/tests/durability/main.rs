//! What records survive: many processes, their sudden death, damage.

mod common;
mod kill;
mod processes;
mod records;
