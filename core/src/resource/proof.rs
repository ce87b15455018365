//! Proofs of possession (RFC 9449 7.1, 9).

use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use super::grant::Grant;
use super::guard::Guard;
use super::output::CheckId;
use super::refusal::{Refusal, TokenProblem};
use super::request::{Presented, RequestHead, Scheme};
use crate::jose::dpop::{self, DpopError, Proof, ProofRules, ProofUse};
use crate::jose::{Algorithm, Confirmation};
use crate::limits;
use crate::time::Now;

/// Why nothing shows that the sender has the token's key, and the nonce to use next time.
pub(super) struct Unproven {
    pub(super) refusal: Refusal,
    pub(super) nonce: Option<String>,
}

impl From<Refusal> for Unproven {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, nonce: None }
    }
}

impl Guard {
    /// The key that the sender has to have, by its thumbprint; `None` when the token is bound to none.
    fn binding<'g>(&self, presented: Presented<'_>, grant: &'g Grant) -> Result<Option<&'g str>, Unproven> {
        let problem = match (&grant.confirmation, presented.scheme) {
            (Confirmation::Certificate(_), _) => TokenProblem::CertificateBound,
            (Confirmation::Jkt(_), Scheme::Bearer) => TokenProblem::DowngradedToBearer,
            (Confirmation::None, Scheme::Dpop) => TokenProblem::NotBound,
            (Confirmation::None, Scheme::Bearer) if self.options.dpop.required => TokenProblem::Unbound,
            (Confirmation::None, Scheme::Bearer) => return Ok(None),
            (Confirmation::Jkt(jkt), Scheme::Dpop) => return Ok(Some(jkt)),
        };
        Err(Refusal::Token(problem).into())
    }

    /// The proof of a token that is bound to a key, verified but for its being used once.
    pub(super) fn verify_proof(
        &self,
        now: Now,
        request: &RequestHead<'_>,
        presented: Presented<'_>,
        grant: &Grant,
    ) -> Result<Option<Proof>, Unproven> {
        let Some(jkt) = self.binding(presented, grant)? else { return Ok(None) };
        let token = presented.text()?;
        let nonces = self.nonces(now);
        let current = nonces.as_ref().map(|[current, _]| current.clone());
        let wrong = |error| Unproven { refusal: Refusal::Proof(error), nonce: current.clone() };
        let missing = DpopError::Missing { claim: "proof" };
        let proof = dpop::single_proof(request.headers).map_err(wrong)?.ok_or_else(|| wrong(missing))?;
        let accepted: Vec<&str> = nonces.iter().flatten().map(String::as_str).collect();
        let mut url = self.resource.clone();
        url.set_path(request.target.path());
        let algorithms = &self.options.dpop.algorithms;
        let algorithms = if algorithms.is_empty() { &Algorithm::ALL[..] } else { algorithms };
        let rules = ProofRules {
            algorithms,
            access_token: Some(token),
            jkt: Some(jkt),
            nonces: &accepted,
            leeway_s: self.options.leeway_s,
            ..ProofRules::new(request.method, &url)
        };
        dpop::verify(proof, &rules, now.unix_s).map(Some).map_err(wrong)
    }

    /// Uses a proof, which can be done once. Where that is recorded in the store, the check waits for it.
    pub(super) fn use_proof(&mut self, now: Now, proof: &Proof) -> Result<Option<CheckId>, Unproven> {
        let used = match self.recorded(proof) {
            Some(outcome) => outcome.map(|()| None),
            None => match self.proofs.take(now.unix_s, proof) {
                ProofUse::First if self.options.dpop.stored => self.record(now, proof).map(Some),
                ProofUse::First => Ok(None),
                ProofUse::Again => Err(Refusal::ProofReplayed),
                ProofUse::Unknown => Err(Refusal::Unavailable),
            },
        };
        let refusal = match used {
            Ok(waits) => return Ok(waits),
            Err(refusal) => refusal,
        };
        let nonce = self.nonces(now).map(|[current, _]| current);
        Err(Unproven { refusal, nonce })
    }

    /// The nonce for the next proof.
    pub(super) fn nonce(&self, now: Now) -> Option<HeaderValue> {
        let [current, _] = self.nonces(now)?;
        HeaderValue::from_str(&current).ok()
    }

    /// The nonce of this time and the one before: a hash of the seed and the time, so that several
    /// processes agree, and nobody else can foretell it.
    fn nonces(&self, now: Now) -> Option<[String; 2]> {
        let seed = self.options.dpop.nonce_seed.as_ref()?;
        let window = now.unix_s / limits::DPOP_NONCE_S;
        let nonce = |window: u64| {
            let mut hasher = Sha256::new();
            hasher.update(seed.expose());
            hasher.update(window.to_be_bytes());
            crate::jose::encode_base64url(hasher.finalize())
        };
        Some([nonce(window), nonce(window.saturating_sub(1))])
    }
}
