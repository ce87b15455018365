//! Keys: public ones as JWK (RFC 7517), private ones as PEM, JWK or made of entropy.

mod error;
#[cfg(feature = "crypto")]
mod pem;
#[cfg(feature = "crypto")]
mod private;
mod public;
mod set;

pub use error::KeyError;
#[cfg(feature = "crypto")]
pub use private::{SigningFailed, SigningKey};
#[cfg(feature = "crypto")]
pub(super) use public::{EcCurve, Material};
pub use public::{KeyKind, PublicKey};
#[cfg(test)]
pub(crate) use set::Document as KeySetDocument;
pub use set::{KeySet, KeySetError};

#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests;
