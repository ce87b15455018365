//! Checking proofs (RFC 9449 4.3).

use std::fmt;

use http::{HeaderMap, Method};
use subtle::ConstantTimeEq as _;
use url::Url;

use super::{DpopError, HEADER, TYPE, htu, token_hash};
use crate::jose::algorithm::Algorithm;
use crate::jose::jws::{Jws, JwsError};
use crate::jose::key::PublicKey;
use crate::limits;

/// The one proof of a request, if it has any (check 1).
///
/// # Errors
/// [`DpopError::Multiple`], and [`DpopError::Token`] for a header that is no text.
pub fn single_proof(headers: &HeaderMap) -> Result<Option<&str>, DpopError> {
    let mut all = headers.get_all(HEADER).iter();
    let Some(proof) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(DpopError::Multiple);
    }
    proof.to_str().map(Some).map_err(|_| DpopError::Token(JwsError::Parts))
}

/// What a proof must be.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ProofRules<'a> {
    /// The algorithms that are accepted.
    pub algorithms: &'a [Algorithm],
    /// The request's method.
    pub method: &'a Method,
    /// The request's URL as the client sees it.
    pub url: &'a Url,
    /// The access token that came along: its hash must be in the proof.
    pub access_token: Option<&'a str>,
    /// The thumbprint of the key that the access token is bound to
    /// ([`Confirmation::Jkt`](crate::jose::Confirmation::Jkt)).
    pub jkt: Option<&'a str>,
    /// The nonces that are accepted, the current one and perhaps the one before; empty when this server
    /// gives out none.
    pub nonces: &'a [&'a str],
    /// How old a proof may be, in seconds.
    pub max_age_s: u64,
    /// How far the client's clock may be ahead, in seconds.
    pub leeway_s: u64,
}

impl<'a> ProofRules<'a> {
    /// For a request without access token, with all algorithms, [`limits::DPOP_AGE_S`] and
    /// [`limits::CLOCK_LEEWAY_S`].
    pub const fn new(method: &'a Method, url: &'a Url) -> Self {
        Self {
            algorithms: &Algorithm::ALL,
            method,
            url,
            access_token: None,
            jkt: None,
            nonces: &[],
            max_age_s: limits::DPOP_AGE_S,
            leeway_s: limits::CLOCK_LEEWAY_S,
        }
    }
}

impl fmt::Debug for ProofRules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofRules").field("method", &self.method).finish_non_exhaustive()
    }
}

/// A proof that was checked: there is no other way to make one.
///
/// What is left to the caller is memory: that the pair of thumbprint and `jti` was not seen before, for as
/// long as the proof is accepted (RFC 9449 11.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proof {
    /// The thumbprint of the key: `jkt` for a token that is to be bound to it.
    pub thumbprint: String,
    /// `jti`, at most [`limits::DPOP_JTI`] bytes.
    pub id: Box<str>,
    /// When it was made, in seconds since 1970.
    pub issued_at_s: u64,
    /// Until when it is accepted: how long to remember `id`.
    pub accepted_until_s: u64,
}

/// Checks a proof at `unix_s` seconds since 1970, in the order of RFC 9449 4.3.
///
/// # Errors
/// [`DpopError`]: one variant for each check.
pub fn verify(proof: &str, rules: &ProofRules<'_>, unix_s: u64) -> Result<Proof, DpopError> {
    let jws = Jws::parse_with_key(proof, limits::DPOP_PROOF)?;
    if !jws.header().is_type(TYPE) {
        return Err(DpopError::Type);
    }
    let algorithm = jws.header().algorithm();
    if !rules.algorithms.contains(&algorithm) {
        return Err(JwsError::AlgorithmForbidden(algorithm).into());
    }
    let jwk = jws.header().jwk.as_deref().ok_or(DpopError::KeyMissing)?;
    let key = PublicKey::for_algorithm(jwk, algorithm).map_err(DpopError::Key)?;
    let trusted = jws.verify(&key, rules.algorithms)?;
    let claims = trusted.claims()?;

    let id = claims.required_text("jti")?;
    let method = claims.required_text("htm")?;
    let url = claims.required_text("htu")?;
    let issued = claims.time("iat")?.ok_or(DpopError::Missing { claim: "iat" })?;
    if id.len() > limits::DPOP_JTI {
        return Err(DpopError::IdTooLong);
    }
    if method != rules.method.as_str() {
        return Err(DpopError::Method);
    }
    let url = Url::parse(&url).map_err(|_| DpopError::Url)?;
    if htu::normal(&url) != htu::normal(rules.url) {
        return Err(DpopError::Url);
    }
    if !rules.nonces.is_empty() {
        let nonce = claims.text("nonce")?.ok_or(DpopError::Nonce)?;
        let known = rules.nonces.iter().filter(|known| same(&nonce, known)).count();
        if known == 0 {
            return Err(DpopError::Nonce);
        }
    }
    if issued.floor_s() > unix_s.saturating_add(rules.leeway_s) {
        return Err(DpopError::TooNew);
    }
    let accepted_until_s = issued.floor_s().saturating_add(rules.max_age_s);
    if accepted_until_s < unix_s {
        return Err(DpopError::TooOld);
    }
    if let Some(access_token) = rules.access_token {
        let hash = claims.text("ath")?.ok_or(DpopError::AccessToken)?;
        if !same(&hash, &token_hash(access_token)) {
            return Err(DpopError::AccessToken);
        }
    }
    let thumbprint = key.thumbprint();
    if rules.jkt.is_some_and(|jkt| !same(jkt, &thumbprint)) {
        return Err(DpopError::Binding);
    }
    Ok(Proof { thumbprint, id: id.into(), issued_at_s: issued.floor_s(), accepted_until_s })
}

fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}
