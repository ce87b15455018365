//! Proofs of possession at the token endpoint (RFC 9449 5, 8, 11.1).

use http::header::{HeaderName, HeaderValue};
use url::Url;

use super::answer::Answer;
use super::context::Cx;
use super::credential::Use;
use super::metadata::ALGORITHMS;
use super::request::Request;
use super::wire::{ErrorCode, OAuthError};
use crate::effect::RecordKind;
use crate::jose::dpop::{self, DpopError, ProofRules, proof_hash};
use crate::jose::encode_base64url;
use crate::limits;

impl Cx {
    /// The key that the sender of a request has, by its thumbprint; `None` when it shows none.
    pub(super) async fn proven_key(
        &self,
        request: &Request,
        url: &str,
    ) -> Result<Option<Box<str>>, OAuthError> {
        let invalid = |description| OAuthError::new(ErrorCode::InvalidDpopProof, description);
        let proof =
            dpop::single_proof(&request.headers).map_err(|_| invalid("there is more than one DPoP proof"))?;
        let Some(proof) = proof else {
            if self.provider.config.dpop_required {
                return Err(invalid("the DPoP proof is missing"));
            }
            return Ok(None);
        };
        let url = Url::parse(url).map_err(|_| invalid("the DPoP proof is for another URL"))?;
        let nonces = self.nonces();
        let accepted: Vec<&str> = nonces.iter().flatten().map(String::as_str).collect();
        let rules = ProofRules {
            algorithms: &ALGORITHMS,
            nonces: &accepted,
            ..ProofRules::new(&request.method, &url)
        };
        let proof = dpop::verify(proof, &rules, self.io.now_s()).map_err(|error| match error {
            DpopError::Nonce => OAuthError::new(ErrorCode::UseDpopNonce, "use the nonce of this answer"),
            DpopError::Method | DpopError::Url => invalid("the DPoP proof is for another request"),
            DpopError::TooOld | DpopError::TooNew => invalid("the DPoP proof is too old, or from the future"),
            _ => invalid("the DPoP proof is malformed, or its signature is wrong"),
        })?;
        let name = encode_base64url(proof_hash(&proof));
        let until = proof.accepted_until_s.saturating_add(limits::CLOCK_LEEWAY_S);
        if self.use_once(RecordKind::Proof, &name, until, "a proof is used once").await? {
            Ok(Some(proof.thumbprint.into()))
        } else {
            Err(invalid("the DPoP proof was used before"))
        }
    }

    /// The nonces that are accepted now: the current one and the one before.
    fn nonces(&self) -> Option<[String; 2]> {
        self.provider.config.dpop_nonces.then(|| {
            let window = self.io.now_s() / limits::DPOP_NONCE_S;
            [window, window.saturating_sub(1)].map(|window| {
                let mac = self.provider.secrets.mac(Use::Nonce, &[&window.to_be_bytes()]);
                encode_base64url(mac.get(..16).unwrap_or_default())
            })
        })
    }

    /// Tells a client that sends proofs the nonce for its next (RFC 9449 8.2).
    pub(super) fn add_nonce(&self, request: &Request, answer: &mut Answer) {
        let sends_proofs = request.headers.contains_key(dpop::HEADER) || self.provider.config.dpop_required;
        if sends_proofs
            && let Some([current, _]) = self.nonces()
            && let Ok(value) = HeaderValue::from_str(&current)
        {
            answer.headers.insert(HeaderName::from_static(dpop::NONCE_HEADER), value);
        }
    }
}
