//! Signatures and assertions that come from the host: of keys that are held elsewhere, of the enterprise's
//! sign-on, of the platform that a workload runs on.

use grantor::jose::Algorithm;
use grantor::wire::token::TokenTypeUri;
use grantor::{AssertionRequest, Secret};

use crate::effects::Performed;
use grantor::error::FailureKind;

/// Signs with keys that never enter this process: a KMS, an HSM, a platform's key store.
///
/// ```
/// use grantor_driver::Signer;
/// use grantor_driver::grantor::jose::{Algorithm, SigningKey};
///
/// struct Kms(SigningKey); // in earnest: a client of the service
///
/// impl Signer for Kms {
///     fn sign(&self, key: &str, _: Algorithm, input: &[u8]) -> Result<Vec<u8>, String> {
///         assert_eq!(key, "projects/p/keys/1");
///         self.0.sign(input).map_err(|error| error.to_string())
///     }
/// }
/// ```
pub trait Signer: Send + Sync + 'static {
    /// Signs all of `input` with the key of this name; for ECDSA the result is r and s of fixed length
    /// ([`ecdsa_from_der`](grantor::jose::ecdsa_from_der) converts). It may block.
    ///
    /// # Errors
    /// Words for a person.
    fn sign(&self, key: &str, algorithm: Algorithm, input: &[u8]) -> Result<Vec<u8>, String>;
}

/// Provides assertions about the user or the workload. A function is one.
///
/// ```
/// use grantor_driver::grantor::AssertionRequest;
/// use grantor_driver::{Assertion, AssertionSource};
///
/// // A workload's token, as platforms put them into files; read anew each time.
/// let source = |_: &AssertionRequest| {
///     let token = std::fs::read_to_string("/var/run/secrets/tokens/mcp").map_err(|error| error.to_string())?;
///     Ok(Assertion::workload(token.trim()))
/// };
/// # fn check(_: impl AssertionSource) {}
/// # check(source);
/// ```
pub trait AssertionSource: Send + Sync + 'static {
    /// An assertion for this purpose. It may block.
    ///
    /// # Errors
    /// Words for a person.
    fn assertion(&self, request: &AssertionRequest) -> Result<Assertion, String>;
}

impl<F> AssertionSource for F
where
    F: Fn(&AssertionRequest) -> Result<Assertion, String> + Send + Sync + 'static,
{
    fn assertion(&self, request: &AssertionRequest) -> Result<Assertion, String> {
        self(request)
    }
}

/// An assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assertion {
    /// The assertion.
    pub token: Secret,
    /// What it is.
    pub kind: TokenTypeUri,
}

impl Assertion {
    /// The user's ID token.
    pub fn id_token(token: &str) -> Self {
        Self { token: Secret::from(token), kind: TokenTypeUri::IdToken }
    }

    /// The user's refresh token at the identity provider.
    pub fn refresh_token(token: &str) -> Self {
        Self { token: Secret::from(token), kind: TokenTypeUri::RefreshToken }
    }

    /// The user's SAML 2.0 assertion, base64url-encoded.
    pub fn saml2(token: &str) -> Self {
        Self { token: Secret::from(token), kind: TokenTypeUri::Saml2 }
    }

    /// The workload's JWT.
    pub fn workload(token: &str) -> Self {
        Self { token: Secret::from(token), kind: TokenTypeUri::Jwt }
    }
}

/// Has neither keys nor assertions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoSigner;

impl Signer for NoSigner {
    fn sign(&self, _: &str, _: Algorithm, _: &[u8]) -> Result<Vec<u8>, String> {
        Err("no signer is set up".to_owned())
    }
}

impl AssertionSource for NoSigner {
    fn assertion(&self, _: &AssertionRequest) -> Result<Assertion, String> {
        Err("no source of assertions is set up".to_owned())
    }
}

/// Something that the host vouches for.
#[derive(Debug)]
pub(crate) enum HostOp {
    Assert(Box<AssertionRequest>),
    Sign { key: Box<str>, algorithm: Algorithm, input: Vec<u8> },
}

impl HostOp {
    pub(crate) fn perform(self, signer: &dyn Signer, source: &dyn AssertionSource) -> Performed {
        let failed = |words| Performed::Failed(FailureKind::Other, words);
        match self {
            Self::Assert(request) => source.assertion(&request).map_or_else(failed, Performed::Assertion),
            Self::Sign { key, algorithm, input } => {
                signer.sign(&key, algorithm, &input).map_or_else(failed, Performed::Signed)
            }
        }
    }
}
