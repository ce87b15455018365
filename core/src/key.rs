//! Keys that sign, wherever they are.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "crypto")]
use crate::jose::SigningKey;
use crate::jose::{Algorithm, PublicKey};

/// A private key: in this process, or wherever the host keeps it.
///
/// With a key held elsewhere, every signature is an [`Effect::Sign`](crate::Effect::Sign): a KMS or an HSM
/// signs, and the key never enters the process.
///
/// ```
/// use grantor::Key;
/// use grantor::jose::{Algorithm, PublicKey, SigningKey};
/// let here = Key::local(SigningKey::generate(Algorithm::Es256, &[7; 32])?);
/// let there = Key::external("projects/p/keys/1", Algorithm::Es256, here.public().clone());
/// assert_eq!(there.reference(), Some("projects/p/keys/1"));
/// # Ok::<(), grantor::jose::KeyError>(())
/// ```
#[derive(Clone)]
pub struct Key(Arc<Inner>);

enum Inner {
    Elsewhere {
        reference: Box<str>,
        algorithm: Algorithm,
        public: PublicKey,
    },
    #[cfg(feature = "crypto")]
    Local(SigningKey),
}

impl Key {
    /// A key in this process.
    #[cfg(feature = "crypto")]
    pub fn local(key: SigningKey) -> Self {
        Self(Arc::new(Inner::Local(key)))
    }

    /// A key that the host knows as `reference`, and its public half.
    pub fn external(reference: &str, algorithm: Algorithm, public: PublicKey) -> Self {
        Self(Arc::new(Inner::Elsewhere { reference: reference.into(), algorithm, public }))
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        match &*self.0 {
            Inner::Elsewhere { algorithm, .. } => *algorithm,
            #[cfg(feature = "crypto")]
            Inner::Local(key) => key.algorithm(),
        }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        match &*self.0 {
            Inner::Elsewhere { public, .. } => public,
            #[cfg(feature = "crypto")]
            Inner::Local(key) => key.public(),
        }
    }

    /// The host's name for it, when it is held elsewhere.
    pub fn reference(&self) -> Option<&str> {
        match &*self.0 {
            Inner::Elsewhere { reference, .. } => Some(reference),
            #[cfg(feature = "crypto")]
            Inner::Local(_) => None,
        }
    }

    /// The key, when it is here.
    #[cfg(feature = "crypto")]
    pub(crate) fn here(&self) -> Option<&SigningKey> {
        match &*self.0 {
            Inner::Elsewhere { .. } => None,
            Inner::Local(key) => Some(key),
        }
    }
}

/// Keys are equal when their public halves and places are.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || self.reference() == other.reference()
                && self.algorithm() == other.algorithm()
                && self.public().thumbprint() == other.public().thumbprint()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    /// Shows the public half.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm())
            .field("thumbprint", &self.public().thumbprint())
            .field("reference", &self.reference())
            .finish()
    }
}
