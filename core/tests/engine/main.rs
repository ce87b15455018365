//! Whole flows of the client engine against a world in memory.

// What the core itself must not do, its tests may.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod addresses;
mod bounded;
mod callbacks;
mod challenges;
mod device;
mod discovery;
mod dpop;
mod endless;
mod enterprise;
mod errors;
mod flow;
mod grants;
mod hostile;
mod leaks;
mod lifecycle;
mod log_out;
mod misuse;
mod moved;
mod nasty;
mod options;
mod providers;
mod recordings;
mod records;
mod refresh;
mod registration;
mod restart;
mod secrets;
mod step_up;
mod tolerance;
mod troubleshooting;
mod trust;
mod waits;
