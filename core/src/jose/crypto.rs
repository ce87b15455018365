//! The one place where the crypto library is called.
//!
//! # Which library, and why
//!
//! Measured on one x86-64 machine, 600 bytes signed, the best of many runs, as multiples of `aws-lc-rs`:
//!
//! | | `aws-lc-rs` 1.19 | `ring` 0.17 | `RustCrypto` (p256 0.14, rsa 0.9) |
//! |---|---|---|---|
//! | ES256 sign | 1 | 1.1 | 9.9 |
//! | ES256 verify | 1 | 1.1 | 3.0 |
//! | RS256 (2048) verify | 1 | 1.4 | 11.4 |
//! | packages added to this crate | 2 | 5 | 22 for p256 and p384 alone |
//!
//! So it is `aws-lc-rs`, which rustls brings to most programs anyway. Public keys are parsed once
//! ([`Verifier`]), which saves an eighth of an RS256 check.
//!
//! # What that means for determinism
//!
//! `RS256`, `RS384`, `RS512` and `EdDSA` signatures depend on key and input alone. `ES256`, `ES384` and
//! `PS256` signatures made by a key in this process contain randomness that the library draws from the
//! system by itself: it offers no deterministic ECDSA (RFC 6979), and the library that does costs ten times
//! the signature and a third more packages. Everything else that is made here depends on its inputs alone.
//! Hosts that need every byte to repeat, such as a recorded flow, sign with `EdDSA` or outside.
//!
//! No library's error says more than "no", and none is passed on.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RsaEncoding,
    RsaKeyPair, RsaParameters,
};
use aws_lc_rs::{agreement, hmac};
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::key::{EcCurve, KeyError, Material, SigningFailed};

/// A public key, parsed for one algorithm.
#[derive(Clone)]
pub(super) struct Verifier(ParsedPublicKey);

impl Verifier {
    pub(super) fn new(material: &Material, algorithm: Algorithm) -> Result<Self, KeyError> {
        let parsed = match material {
            Material::Ec { curve: EcCurve::P256, point } => {
                ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
            }
            Material::Ec { curve: EcCurve::P384, point } => {
                ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point)
            }
            Material::Ed25519 { x } => ParsedPublicKey::new(&signature::ED25519, x),
            Material::Rsa { n, e } => {
                let kind = material.kind();
                let parameters = rsa_parameters(algorithm).ok_or(KeyError::WrongKind { kind, algorithm })?;
                PublicKeyComponents { n, e }.to_parsed_public_key(parameters)
            }
        };
        parsed.map(Self).map_err(|_| KeyError::Invalid)
    }

    /// Whether `signature` is one of `input`. ECDSA signatures must be r and s of fixed length, both in
    /// range; RSA signatures as long as the modulus.
    pub(super) fn verify(&self, input: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(input, signature).is_ok()
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Es384 => None,
    }
}

/// A private key inside the library, which wipes it when it frees it.
pub(super) enum KeyPair {
    Ec(EcCurve, EcdsaKeyPair),
    /// With its seed, where that was handed in.
    Ed25519(Ed25519KeyPair, Option<Zeroizing<Vec<u8>>>),
    Rsa(RsaKeyPair),
}

/// The numbers of a private RSA key (RFC 7518 6.3.2).
pub(super) struct RsaNumbers<'a> {
    pub(super) n: &'a [u8],
    pub(super) e: &'a [u8],
    pub(super) d: &'a [u8],
    pub(super) p: &'a [u8],
    pub(super) q: &'a [u8],
    pub(super) dp: &'a [u8],
    pub(super) dq: &'a [u8],
    pub(super) qi: &'a [u8],
}

impl KeyPair {
    /// Whatever key the structure holds.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        for curve in [EcCurve::P256, EcCurve::P384] {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(ecdsa(curve), der) {
                return Ok(Self::Ec(curve, pair));
            }
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Ok(Self::Ed25519(pair, None));
        }
        Self::rsa(RsaKeyPair::from_pkcs8(der))
    }

    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        Self::rsa(RsaKeyPair::from_der(der))
    }

    pub(super) fn from_sec1(der: &[u8]) -> Result<Self, KeyError> {
        for curve in [EcCurve::P256, EcCurve::P384] {
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(ecdsa(curve), der) {
                return Ok(Self::Ec(curve, pair));
            }
        }
        Err(KeyError::Invalid)
    }

    /// `point`, where it is known, must be the scalar's.
    pub(super) fn from_scalar(curve: EcCurve, scalar: &[u8], point: Option<&[u8]>) -> Result<Self, KeyError> {
        let computed;
        let point = match point {
            Some(point) => point,
            None => {
                computed = agreement::PrivateKey::from_private_key(agreement(curve), scalar)
                    .map_err(|_| KeyError::Invalid)?
                    .compute_public_key()
                    .map_err(|_| KeyError::Invalid)?;
                computed.as_ref()
            }
        };
        let pair = EcdsaKeyPair::from_private_key_and_public_key(ecdsa(curve), scalar, point);
        pair.map(|pair| Self::Ec(curve, pair)).map_err(|_| KeyError::Invalid)
    }

    /// `x`, where it is known, must be the seed's.
    pub(super) fn from_seed(seed: &[u8], x: Option<&[u8]>) -> Result<Self, KeyError> {
        let pair = match x {
            Some(x) => Ed25519KeyPair::from_seed_and_public_key(seed, x),
            None => Ed25519KeyPair::from_seed_unchecked(seed),
        };
        let seed = Zeroizing::new(seed.to_vec());
        pair.map(|pair| Self::Ed25519(pair, Some(seed))).map_err(|_| KeyError::Invalid)
    }

    pub(super) fn from_rsa(numbers: &RsaNumbers<'_>) -> Result<Self, KeyError> {
        let &RsaNumbers { n, e, d, p, q, dp, dq, qi } = numbers;
        let public_key = PublicKeyComponents { n, e };
        Self::rsa(RsaKeyPair::from_components(&KeyPairComponents {
            public_key,
            d,
            p,
            q,
            dP: dp,
            dQ: dq,
            qInv: qi,
        }))
    }

    fn rsa<E: ToString>(pair: Result<RsaKeyPair, E>) -> Result<Self, KeyError> {
        // The library tells its reasons by name only.
        pair.map(Self::Rsa).map_err(|error| match error.to_string().as_str() {
            "TooSmall" => KeyError::RsaTooSmall,
            "TooLarge" => KeyError::RsaTooLarge,
            _ => KeyError::Invalid,
        })
    }

    pub(super) fn public(&self) -> Result<Material, KeyError> {
        match self {
            Self::Ec(curve, pair) => {
                Ok(Material::Ec { curve: *curve, point: pair.public_key().as_ref().into() })
            }
            Self::Ed25519(pair, _) => Ok(Material::Ed25519 { x: pair.public_key().as_ref().into() }),
            Self::Rsa(pair) => {
                let (n, e) =
                    super::der::rsa_public_key(pair.public_key().as_ref()).ok_or(KeyError::Invalid)?;
                Material::rsa(n, e)
            }
        }
    }

    /// The scalar or the seed.
    pub(super) fn secret(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match self {
            Self::Ec(_, pair) => {
                let scalar: EcPrivateKeyBin<'_> =
                    pair.private_key().as_be_bytes().map_err(|_| KeyError::Invalid)?;
                Ok(Zeroizing::new(scalar.as_ref().to_vec()))
            }
            Self::Ed25519(_, Some(seed)) => Ok(seed.clone()),
            Self::Ed25519(_, None) | Self::Rsa(_) => Err(KeyError::NotExportable),
        }
    }

    pub(super) fn sign(&self, algorithm: Algorithm, input: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(_, pair) => {
                pair.sign(&random, input).map(|made| made.as_ref().to_vec()).map_err(|_| SigningFailed)
            }
            Self::Ed25519(pair, _) => {
                pair.try_sign(input).map(|made| made.as_ref().to_vec()).map_err(|_| SigningFailed)
            }
            Self::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Es384 => return Err(SigningFailed),
                };
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, input, &mut made).map_err(|_| SigningFailed)?;
                Ok(made)
            }
        }
    }
}

fn ecdsa(curve: EcCurve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        EcCurve::P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        EcCurve::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
    }
}

fn agreement(curve: EcCurve) -> &'static agreement::Algorithm {
    match curve {
        EcCurve::P256 => &agreement::ECDH_P256,
        EcCurve::P384 => &agreement::ECDH_P384,
    }
}

/// A key for HMAC with SHA-256, prepared once.
#[derive(Clone)]
pub(crate) struct MacKey(hmac::Key);

impl MacKey {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The tag of all parts in a row. The caller sees to it that no two rows read the same.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        let mut tag = [0; 32];
        tag.iter_mut().zip(context.sign().as_ref()).for_each(|(own, made)| *own = *made);
        tag
    }
}

/// Encrypts with AES-256-GCM, under a key that is used for nothing else: there is no nonce to repeat.
pub(crate) fn seal(key: &[u8; 32], context: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mut sealed = text.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    once(key)?.seal_in_place_append_tag(nonce, Aad::from(context), &mut sealed).ok()?;
    Some(sealed)
}

/// What was [`seal`]ed; `None` with another key or context.
pub(crate) fn open(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let len = once(key)?.open_in_place(nonce, Aad::from(context), &mut text).ok()?.len();
    text.truncate(len);
    Some(text)
}

fn once(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).ok()
}

/// HS256, for `client_secret_jwt` and nothing else.
pub(super) fn hs256(secret: &[u8], input: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input).as_ref().to_vec()
}
