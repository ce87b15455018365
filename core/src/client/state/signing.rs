//! Signatures that requests carry, and the keys they are made with.

use std::fmt;

use http::HeaderValue;
use sha2::{Digest as _, Sha256};
use url::Url;
use zeroize::Zeroizing;

use crate::client::state::failure::effect_error;
use crate::client::state::ops::Owner;
use crate::client::state::server::Server;
use crate::error::{Error, Failure, FailureKind, Work};
use crate::jose::dpop::ProofKey;
use crate::jose::{ClientAssertion, Unsigned};
use crate::key::Key;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::client_auth::Client;

/// What a request carries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signatures {
    pub(crate) assertion: Option<Secret>,
    pub(crate) proof: Option<HeaderValue>,
}

/// A request that waits for signatures.
pub(crate) struct Signing {
    pub(crate) owner: Owner,
    pub(crate) signatures: Signatures,
    pub(crate) unsigned: Option<(Part, Unsigned)>,
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing").field("owner", &self.owner).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Part {
    Assertion,
    Proof,
}

/// Where a request to an authorization server goes, and whose it is.
#[derive(Clone, Copy)]
pub(crate) struct Addressee<'a> {
    pub(crate) server: &'a Server,
    /// The endpoint that is asked.
    pub(crate) endpoint: &'a Url,
    pub(crate) dpop: Option<&'a Dpop>,
}

/// A key that tokens are bound to (RFC 9449).
#[derive(Clone, Debug)]
pub(crate) struct Dpop {
    pub(crate) key: Key,
    pub(crate) proofs: ProofKey,
}

impl Dpop {
    pub(crate) fn new(key: Key) -> Option<Self> {
        let proofs = ProofKey::new(key.public(), key.algorithm()).ok()?;
        Some(Self { key, proofs })
    }
}

/// Makes `jti` values: unguessable, and no two the same.
pub(crate) struct JwtIds {
    pub(crate) seed: Zeroizing<[u8; 32]>,
    pub(crate) made: u64,
}

impl fmt::Debug for JwtIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtIds").field("made", &self.made).finish_non_exhaustive()
    }
}

impl JwtIds {
    pub(crate) fn new(seed: Zeroizing<[u8; 32]>) -> Self {
        Self { seed, made: 0 }
    }

    pub(crate) fn next(&mut self) -> [u8; 16] {
        let digest = Sha256::new().chain_update(*self.seed).chain_update(self.made.to_be_bytes()).finalize();
        self.made += 1;
        let mut jti = [0; 16];
        jti.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        jti
    }
}

/// A signature that is there, or that the host was asked for.
pub(crate) enum Signed {
    #[cfg_attr(not(feature = "crypto"), expect(dead_code, reason = "nothing is signed here"))]
    Now(Secret),
    ByHost(Unsigned),
}

#[cfg(feature = "crypto")]
pub(crate) fn secret_assertion(
    assertion: &ClientAssertion<'_>,
    client: &Client,
    now: Now,
    jti: &[u8; 16],
) -> Result<Signed, Error> {
    let secret = client.secret.as_ref().ok_or_else(|| signing_failed("there is no secret"))?;
    let made = assertion.with_secret(secret, now.unix_s, jti);
    made.map(Signed::Now).map_err(|error| signing_failed(&error.to_string()))
}

#[cfg(not(feature = "crypto"))]
pub(crate) fn secret_assertion(
    _: &ClientAssertion<'_>,
    _: &Client,
    _: Now,
    _: &[u8; 16],
) -> Result<Signed, Error> {
    Err(signing_failed("client_secret_jwt needs the feature `crypto`"))
}

pub(crate) fn signing_failed(detail: &str) -> Error {
    effect_error(Work::Signing, Failure::new(FailureKind::Other, detail))
}

/// A signed proof as the header that carries it.
pub(crate) fn header(proof: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(proof.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9449_4_2_jti_never_repeats() {
        let mut jwt_ids = JwtIds::new(Zeroizing::new([1; 32]));
        let made: std::collections::BTreeSet<_> = (0..1000).map(|_| jwt_ids.next()).collect();
        assert_eq!(made.len(), 1000);
        assert_ne!(JwtIds::new(Zeroizing::new([2; 32])).next(), JwtIds::new(Zeroizing::new([1; 32])).next());
        assert!(!format!("{jwt_ids:?}").contains("1, 1"));
    }
}
