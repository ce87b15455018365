//! What a flow has done: the request of each exchange, and what its answer leads to.

pub(crate) mod approve;
pub(crate) mod assertion;
pub(crate) mod authorize;
pub(crate) mod budget;
pub(crate) mod current_records;
pub(crate) mod detached;
pub(crate) mod device;
pub(crate) mod discover;
pub(crate) mod exchange;
pub(crate) mod identity;
pub(crate) mod lease;
pub(crate) mod nonces;
pub(crate) mod pending;
pub(crate) mod quarantine;
pub(crate) mod rediscover;
pub(crate) mod refresh_token;
pub(crate) mod register;
pub(crate) mod relocate;
pub(crate) mod sign;
pub(crate) mod still_known;
pub(crate) mod store_token;
pub(crate) mod wait;
