//! What is to be signed, here or elsewhere, and how the signature comes to it.

use std::fmt;

use serde::Serialize;

use crate::jose::algorithm::Algorithm;
use crate::jose::base64url;
#[cfg(feature = "crypto")]
use crate::jose::key::{SigningFailed, SigningKey};
use crate::secret::Secret;

/// A signature of the wrong length for its algorithm: for ECDSA, r and s of fixed length are wanted
/// (RFC 7518 3.4); [`ecdsa_from_der`](crate::jose::ecdsa_from_der) converts the other form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is no {algorithm} signature (RFC 7518 section 3): {got} bytes")]
#[non_exhaustive]
pub struct SignatureFormat {
    /// What it should be.
    pub algorithm: Algorithm,
    /// Its length in bytes.
    pub got: usize,
}

/// A JWS without its signature.
///
/// With a key at hand: [`sign`](Self::sign). With a key elsewhere: hand out
/// [`signing_input`](Self::signing_input), and [`assemble`](Self::assemble) with the answer.
#[must_use = "it is to be signed"]
#[derive(Clone, PartialEq, Eq)]
pub struct Unsigned {
    algorithm: Algorithm,
    input: String,
}

impl Unsigned {
    /// Header and claims as they will be signed.
    pub(crate) fn new(algorithm: Algorithm, header: &impl Serialize, claims: &impl Serialize) -> Self {
        Self { algorithm, input: input(header, claims) }
    }

    /// With a header that is encoded already.
    pub(crate) fn with_header(algorithm: Algorithm, header: &str, claims: &impl Serialize) -> Self {
        Self { algorithm, input: join(header, claims) }
    }

    /// What the signature must be made with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The bytes to be signed (RFC 7515 5.1); hashing them is part of the algorithm.
    pub fn signing_input(&self) -> &[u8] {
        self.input.as_bytes()
    }

    /// Adds a signature that was made elsewhere. It is not verified.
    ///
    /// # Errors
    /// [`SignatureFormat`].
    pub fn assemble(self, signature: &[u8]) -> Result<Secret, SignatureFormat> {
        let fits = match self.algorithm.signature_len() {
            Some(len) => signature.len() == len,
            None => (256..=1024).contains(&signature.len()),
        };
        if !fits {
            return Err(SignatureFormat { algorithm: self.algorithm, got: signature.len() });
        }
        Ok(self.finish(signature))
    }

    /// Signs with a key at hand.
    ///
    /// # Errors
    /// [`SigningFailed`], also when the key is for another algorithm than the header says.
    #[cfg(feature = "crypto")]
    pub fn sign(self, key: &SigningKey) -> Result<Secret, SigningFailed> {
        if key.algorithm() != self.algorithm {
            return Err(SigningFailed);
        }
        let signature = key.sign(self.input.as_bytes())?;
        Ok(self.finish(&signature))
    }

    fn finish(self, signature: &[u8]) -> Secret {
        let mut token = self.input;
        token.push('.');
        base64url::encode_onto(signature, &mut token);
        Secret::from(token)
    }
}

/// Header and claims, encoded, with a dot between.
pub(in crate::jose) fn input(header: &impl Serialize, claims: &impl Serialize) -> String {
    join(&encoded(header), claims)
}

fn join(header: &str, claims: &impl Serialize) -> String {
    let claims = json(claims);
    // Room for the signature too.
    let mut input = String::with_capacity(header.len() + claims.len().div_ceil(3) * 4 + 256);
    input.push_str(header);
    input.push('.');
    base64url::encode_onto(&claims, &mut input);
    input
}

pub(crate) fn encoded(header: &impl Serialize) -> String {
    base64url::encode(json(header))
}

/// Headers and claims here are structures of strings and numbers, which always have a JSON form.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

impl fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsigned").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
