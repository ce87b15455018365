//! Whole flows of the client engine against a world in memory.

mod flow;
mod hostile;
mod leaks;
mod misuse;
mod recordings;
mod refresh;
mod registration;
mod restart;
mod step_up;
mod trust;
