//! The host in memory.

pub(crate) use grantor_world::provider::*;
