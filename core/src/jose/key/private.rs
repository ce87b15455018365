//! Private keys that sign at once. Keys in a KMS or an HSM need none of this: what is to be signed leaves
//! as an [`Unsigned`](crate::jose::Unsigned) and its signature comes back.

use std::fmt;

use serde::Serialize;
use zeroize::Zeroizing;

use super::pem::{self, Container};
use super::public::{check_use, declared_algorithm, kid, octets, octets_of_len};
use super::{EcCurve, KeyError, KeyKind, Material, PublicKey};
use crate::jose::algorithm::Algorithm;
use crate::jose::base64url;
use crate::jose::crypto::{KeyPair, RsaNumbers};
use crate::jose::object::Object;
use crate::limits;
use crate::secret::Secret;

/// A private key for one algorithm.
///
/// The key lives in the crypto library, which wipes it when it is dropped; `Debug` shows only the public
/// half.
///
/// ```
/// use grantor::jose::{Algorithm, SigningKey};
/// let key = SigningKey::generate(Algorithm::Es256, &[7; 32])?; // bytes of the host's random generator
/// let saved = key.to_jwk()?;
/// let again = SigningKey::from_jwk(saved.expose(), Algorithm::Es256)?;
/// assert_eq!(again.public().thumbprint(), key.public().thumbprint());
/// # Ok::<(), grantor::jose::KeyError>(())
/// ```
pub struct SigningKey {
    algorithm: Algorithm,
    public: PublicKey,
    pair: KeyPair,
}

/// The crypto library could not sign. With a key that it has accepted, that happens when there is no
/// memory or no system entropy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature could not be made")]
#[non_exhaustive]
pub struct SigningFailed;

impl SigningKey {
    /// Reads the first private key of a PEM text: PKCS#8 (`PRIVATE KEY`), SEC1 (`EC PRIVATE KEY`) or
    /// PKCS#1 (`RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::WrongKind`] when the key is good but not for `algorithm`.
    pub fn from_pem(pem: &str, algorithm: Algorithm) -> Result<Self, KeyError> {
        let (container, der) = pem::private_key(pem)?;
        let pair = match container {
            Container::Pkcs8 => KeyPair::from_pkcs8(&der)?,
            Container::Pkcs1 => KeyPair::from_pkcs1(&der)?,
            Container::Sec1 => KeyPair::from_sec1(&der)?,
        };
        Self::new(pair, algorithm, None)
    }

    /// Reads a private JWK. `use`, `key_ops` and `alg`, where present, must allow signing with
    /// `algorithm`; `kid` is kept.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_jwk(json: &str, algorithm: Algorithm) -> Result<Self, KeyError> {
        if json.len() > limits::PRIVATE_KEY {
            return Err(KeyError::TooLarge);
        }
        let object = Object::parse(json.as_bytes())?;
        check_use(&object, "sign")?;
        let material = Material::read(&object)?;
        let declared = declared_algorithm(&object, material.kind())?;
        if declared.is_some_and(|declared| declared != algorithm) {
            return Err(KeyError::Algorithm);
        }
        let secret = |member| octets(&object, member).map(Zeroizing::new);
        let secret_of_len = |len| octets_of_len(&object, "d", len).map(Zeroizing::new);
        let pair = match &material {
            Material::Ec { curve, point } => {
                KeyPair::from_scalar(*curve, &secret_of_len(curve.coordinate_len())?, Some(point))?
            }
            Material::Ed25519 { x } => KeyPair::from_seed(&secret_of_len(32)?, Some(x))?,
            Material::Rsa { n, e } => KeyPair::from_rsa(&RsaNumbers {
                n,
                e,
                d: &secret("d")?,
                p: &secret("p")?,
                q: &secret("q")?,
                dp: &secret("dp")?,
                dq: &secret("dq")?,
                qi: &secret("qi")?,
            })?,
        };
        Self::new(pair, algorithm, kid(&object)?)
    }

    /// Makes a key of random bytes: `ES256` or `EdDSA`. The same bytes make the same key; use them for
    /// nothing else.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] for other algorithms. [`KeyError::Invalid`] when the bytes are no P-256
    /// key, which happens once in 2^32 draws: draw again.
    pub fn generate(algorithm: Algorithm, entropy: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::EdDsa => KeyPair::from_seed(entropy, None)?,
            _ => KeyPair::from_scalar(EcCurve::P256, entropy, None)?,
        };
        Self::new(pair, algorithm, None)
    }

    fn new(pair: KeyPair, algorithm: Algorithm, kid: Option<Box<str>>) -> Result<Self, KeyError> {
        let material = pair.public()?;
        let kind = material.kind();
        if !algorithm.fits(kind) {
            return Err(KeyError::WrongKind { kind, algorithm });
        }
        let public = PublicKey::new(material, kid, Some(algorithm), Some(algorithm))?;
        Ok(Self { algorithm, public, pair })
    }

    /// This key under the name by which the other side knows it.
    #[must_use]
    pub fn with_kid(mut self, kid: &str) -> Self {
        self.public.kid = Some(kid.into());
        self
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs; for ECDSA the result is r and s of fixed length (RFC 7518 3.4).
    ///
    /// # Errors
    /// [`SigningFailed`].
    pub fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        self.pair.sign(self.algorithm, input)
    }

    /// The private JWK, to be stored as the secret that it is and read again by
    /// [`from_jwk`](Self::from_jwk).
    ///
    /// # Errors
    /// [`KeyError::NotExportable`] for RSA keys, and for Ed25519 keys that came as PEM.
    pub fn to_jwk(&self) -> Result<Secret, KeyError> {
        #[derive(Serialize)]
        struct Jwk<'a> {
            kty: &'a str,
            crv: &'a str,
            x: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            y: Option<String>,
            d: &'a str,
            alg: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            kid: Option<&'a str>,
        }

        let d = self.pair.secret()?;
        let mut text = Zeroizing::new(String::with_capacity(2 * d.len()));
        base64url::encode_onto(&*d, &mut text);
        let (kty, crv, x, y) = match &self.public.material {
            Material::Ec { curve, point } => {
                let halves = point.get(1..).and_then(|both| both.split_at_checked(curve.coordinate_len()));
                let (x, y) = halves.ok_or(KeyError::Invalid)?;
                ("EC", curve.name(), base64url::encode(x), Some(base64url::encode(y)))
            }
            Material::Ed25519 { x } => ("OKP", "Ed25519", base64url::encode(x), None),
            Material::Rsa { .. } => return Err(KeyError::NotExportable),
        };
        let jwk = Jwk { kty, crv, x, y, d: &text, alg: self.algorithm.name(), kid: self.public.kid() };
        // Room ahead, so that no half-written copy is left behind by growing.
        let mut json = Vec::with_capacity(512 + self.public.kid().map_or(0, |kid| 6 * kid.len()));
        serde_json::to_writer(&mut json, &jwk).map_err(|_| KeyError::Invalid)?;
        String::from_utf8(json).map(Secret::from).map_err(|_| KeyError::Invalid)
    }

    /// What kind of key it is.
    pub fn kind(&self) -> KeyKind {
        self.public.kind()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}
