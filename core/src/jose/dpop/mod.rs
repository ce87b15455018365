//! Proofs of possession (RFC 9449): with each request, a signature over its method, its URL and its token.

mod error;
mod htu;
mod make;
#[cfg(feature = "crypto")]
mod replay;
#[cfg(feature = "crypto")]
mod verify;

pub use error::DpopError;
pub use make::{ProofKey, ProofRequest};
#[cfg(feature = "crypto")]
pub(crate) use replay::{Hash as ProofHash, hash as proof_hash};
#[cfg(feature = "crypto")]
pub use replay::{ProofUse, ReplayCache};
#[cfg(feature = "crypto")]
pub use verify::{Proof, ProofRules, single_proof, verify};

/// The header of a request that carries the proof.
pub const HEADER: &str = "dpop";
/// The header of an answer that carries the next nonce (RFC 9449 8, 9).
pub const NONCE_HEADER: &str = "dpop-nonce";
/// `typ` of a proof.
const TYPE: &str = "dpop+jwt";

/// `ath`: the hash of an access token (RFC 9449 4.2).
fn token_hash(access_token: &str) -> String {
    use sha2::{Digest as _, Sha256};
    super::base64url::encode(Sha256::digest(access_token))
}

#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests;
