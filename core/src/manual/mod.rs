//! Chapters to read: how Grantor is built, and what it defends against.

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("attacks.md")]
pub mod attacks {}

#[cfg(feature = "crypto")]
#[doc = include_str!("authorization_server.md")]
pub mod authorization_server {}

#[doc = include_str!("providers_client.md")]
#[cfg_attr(feature = "crypto", doc = include_str!("providers_server.md"))]
pub mod providers {}

#[cfg(feature = "crypto")]
#[doc = include_str!("scopes.md")]
pub mod scopes {}

#[doc = include_str!("stores.md")]
pub mod stores {}

#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}
