//! What the engine holds, and what is stored.

pub(crate) mod acquisition;
pub(crate) mod budget;
pub(crate) mod calls;
pub(crate) mod entropy;
pub(crate) mod grant;
pub(crate) mod nonces;
pub(crate) mod ops;
pub(crate) mod record;
pub(crate) mod server;
pub(crate) mod step_up;
