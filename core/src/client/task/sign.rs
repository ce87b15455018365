//! What a request carries beside its parameters: the client's assertion, and the proof of the key that its
//! token is bound to. Both are signatures, made here or wherever the host keeps the key.

use std::sync::Arc;

use http::Method;
use url::Url;

use crate::client::engine::Engine;
use crate::client::state::nonces;
use crate::client::state::ops::Owner;
use crate::client::state::record::KeyRecord;
use crate::client::state::signing::{
    Addressee, Dpop, Part, Signatures, Signed, Signing, header, secret_assertion, signing_failed,
};
use crate::effect::Effect;
use crate::error::{Error, PeerIncompatible};
use crate::jose::dpop::ProofRequest;
use crate::jose::{Algorithm, ClientAssertion, Unsigned};
use crate::key::Key;
use crate::limits;
use crate::policy::{AssertionAudience, DpopPolicy};
use crate::time::Now;
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::server_metadata::{Issuer, ServerMetadata};

impl Engine {
    /// Makes what a request has to carry; `None` when a signature is awaited from the host. Asked again
    /// when that has come, the rest is made.
    pub(crate) fn sign_request(
        &mut self,
        now: Now,
        owner: Owner,
        to: Addressee<'_>,
    ) -> Result<Option<Signatures>, Error> {
        let index = self.signing.iter().position(|signing| signing.owner == owner);
        let begun = index.map(|index| self.signing.swap_remove(index));
        let mut signatures = begun.map(|signing| signing.signatures).unwrap_or_default();
        if to.server.client().needs_assertion() && signatures.assertion.is_none() {
            match self.assertion(now, owner, to)? {
                Signed::Now(assertion) => signatures.assertion = Some(assertion),
                Signed::ByHost(unsigned) => {
                    return Ok(self.await_signature(owner, signatures, Part::Assertion, unsigned));
                }
            }
        }
        if let Some(dpop) = to.dpop
            && signatures.proof.is_none()
        {
            let unsigned = self.proof(now, dpop, &Method::POST, to.endpoint, None);
            match self.sign(now, owner, &dpop.key, unsigned)? {
                Signed::Now(proof) => signatures.proof = header(&proof),
                Signed::ByHost(unsigned) => {
                    return Ok(self.await_signature(owner, signatures, Part::Proof, unsigned));
                }
            }
        }
        Ok(Some(signatures))
    }

    fn await_signature(
        &mut self,
        owner: Owner,
        signatures: Signatures,
        part: Part,
        unsigned: Unsigned,
    ) -> Option<Signatures> {
        self.signing.push(Signing { owner, signatures, unsigned: Some((part, unsigned)) });
        None
    }

    /// The host has signed.
    pub(crate) fn on_signed(&mut self, owner: Owner, signature: &[u8]) -> Result<(), Error> {
        let Some(signing) = self.signing.iter_mut().find(|signing| signing.owner == owner) else {
            return Ok(());
        };
        let Some((part, unsigned)) = signing.unsigned.take() else { return Ok(()) };
        let signed = unsigned.assemble(signature).map_err(|error| signing_failed(&error.to_string()))?;
        match part {
            Part::Assertion => signing.signatures.assertion = Some(signed),
            Part::Proof => signing.signatures.proof = header(&signed),
        }
        Ok(())
    }

    /// Gives up what waits for signatures.
    pub(crate) fn forget_signing(&mut self, owner: Owner) {
        self.signing.retain(|signing| signing.owner != owner);
    }

    fn assertion(&mut self, now: Now, owner: Owner, to: Addressee<'_>) -> Result<Signed, Error> {
        let audience = match self.config.assertion_audience {
            AssertionAudience::Issuer => to.server.issuer().as_str(),
            AssertionAudience::TokenEndpoint => to.server.token_endpoint().as_str(),
        };
        let jti = self.next_jti();
        let client = to.server.client();
        let assertion = ClientAssertion::new(&client.id, audience);
        if client.method == ClientAuthMethod::SecretJwt {
            return secret_assertion(&assertion, client, now, &jti);
        }
        let no_key = || signing_failed("there is no key for this client");
        let key = self.key_of(client, to.server.issuer()).cloned().ok_or_else(no_key)?;
        let unsigned = assertion.unsigned(key.algorithm(), key.public().kid(), now.unix_s, &jti);
        self.sign(now, owner, &key, unsigned)
    }

    /// A proof for one request (RFC 9449 4.2), to be signed.
    pub(crate) fn proof(
        &mut self,
        now: Now,
        dpop: &Dpop,
        method: &Method,
        url: &Url,
        access_token: Option<&str>,
    ) -> Unsigned {
        let jti = self.next_jti();
        let mut request = ProofRequest::new(method, url);
        request.access_token = access_token;
        request.nonce = nonces::of(&self.nonces, url);
        dpop.proofs.proof(&request, now.unix_s, &jti)
    }

    /// Signs at once, or asks the host to.
    pub(crate) fn sign(
        &mut self,
        now: Now,
        owner: Owner,
        key: &Key,
        unsigned: Unsigned,
    ) -> Result<Signed, Error> {
        #[cfg(feature = "crypto")]
        if let Some(here) = key.here() {
            let signed = unsigned.sign(here).map_err(|error| signing_failed(&error.to_string()))?;
            return Ok(Signed::Now(signed));
        }
        let effect = Effect::Sign {
            key: key.reference().unwrap_or_default().into(),
            algorithm: unsigned.algorithm(),
            input: unsigned.signing_input().to_vec(),
        };
        self.perform(now, owner, effect, limits::SIGN_MS, "the key is held elsewhere");
        Ok(Signed::ByHost(unsigned))
    }

    fn next_jti(&mut self) -> [u8; 16] {
        // Startup does not end before there is a seed, where anything has to be signed.
        self.jwt_ids.as_mut().map(|jwt_ids| jwt_ids.next()).unwrap_or_default()
    }

    /// The key by which a configured client authenticates.
    fn key_of(&self, client: &Client, issuer: &Issuer) -> Option<&Key> {
        let own = self.config.own_client(issuer.as_str(), &client.id).filter(|_| client.configured);
        own?.key.as_ref()
    }

    /// Refuses a server that takes no assertions by this client's key.
    pub(crate) fn check_assertions(&self, client: &Client, server: &ServerMetadata) -> Result<(), Error> {
        let named = &server.assertion_algorithms;
        match self.key_of(client, &server.issuer) {
            Some(key)
                if client.method == ClientAuthMethod::PrivateKeyJwt
                    && !named.is_empty()
                    && !named.iter().any(|name| **name == *key.algorithm().name()) =>
            {
                Err(PeerIncompatible::NoAlgorithm { algorithm: key.algorithm() }.into())
            }
            _ => Ok(()),
        }
    }

    /// The key that tokens of this server are to be bound to, by the policy and what the server says.
    /// `Err(None)` when there is no entropy to make one.
    pub(crate) fn choose_dpop(
        &mut self,
        server: &ServerMetadata,
    ) -> Result<Option<Arc<Dpop>>, Option<Error>> {
        let policy = self.config.dpop;
        let supported =
            |algorithm: Algorithm| server.dpop_algorithms.iter().any(|name| **name == *algorithm.name());
        let issuer = || (&server.issuer).into();
        match (policy, &self.config.dpop_key) {
            (DpopPolicy::Off, _) => Ok(None),
            (DpopPolicy::WhenSupported, _) if server.dpop_algorithms.is_empty() => Ok(None),
            // Servers that do not say so may support it all the same: the answer tells.
            (_, Some(key)) if server.dpop_algorithms.is_empty() || supported(key.algorithm()) => {
                Ok(Dpop::new(key.clone()).map(Arc::new))
            }
            (DpopPolicy::WhenSupported, Some(_)) => Ok(None),
            (_, Some(key)) => Err(Some(PeerIncompatible::NoAlgorithm { algorithm: key.algorithm() }.into())),
            (_, None) => {
                let own = [Algorithm::Es256, Algorithm::EdDsa];
                let found = own.into_iter().find(|own| server.dpop_algorithms.is_empty() || supported(*own));
                match (found, policy) {
                    (Some(algorithm), _) => self.make_key(algorithm).map(Some).ok_or(None),
                    (None, DpopPolicy::Required) => {
                        Err(Some(PeerIncompatible::NoDpop { issuer: issuer() }.into()))
                    }
                    (None, _) => Ok(None),
                }
            }
        }
    }

    #[cfg(feature = "crypto")]
    fn make_key(&mut self, algorithm: Algorithm) -> Option<Arc<Dpop>> {
        // Random bytes are no P-256 key once in 2^32 draws.
        loop {
            let entropy = self.entropy.take::<32>()?;
            if let Ok(key) = crate::jose::SigningKey::generate(algorithm, &entropy) {
                return Dpop::new(Key::local(key)).map(Arc::new);
            }
        }
    }

    #[cfg(not(feature = "crypto"))]
    fn make_key(&mut self, _: Algorithm) -> Option<Arc<Dpop>> {
        None // `Config::check` has demanded a key
    }

    /// The key of a record; `None` when it is lost.
    pub(crate) fn recorded_key(&self, record: &KeyRecord) -> Option<Arc<Dpop>> {
        record.key(self.config.dpop_key.as_ref()).and_then(Dpop::new).map(Arc::new)
    }
}
