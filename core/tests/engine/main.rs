//! Whole flows of the client engine against a world in memory.

mod flow;
