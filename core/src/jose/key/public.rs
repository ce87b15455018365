//! Public keys as JWK (RFC 7517, RFC 7518 6, RFC 8037), and their thumbprints (RFC 7638).

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::KeyError;
use crate::jose::algorithm::Algorithm;
use crate::jose::base64url;
#[cfg(feature = "crypto")]
use crate::jose::crypto::Verifier;
use crate::jose::object::Object;
use crate::limits;

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// An Edwards curve key for `EdDSA`.
    Ed25519,
    /// An elliptic curve key for `ES256`.
    P256,
    /// An elliptic curve key for `ES384`.
    P384,
    /// An RSA key.
    Rsa {
        /// The length of its modulus.
        bits: usize,
    },
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::Rsa { bits } => write!(f, "{bits} bit RSA"),
        }
    }
}

/// The curves of ECDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::jose) enum EcCurve {
    P256,
    P384,
}

impl EcCurve {
    pub(in crate::jose) const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    pub(in crate::jose) const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    const fn kind(self) -> KeyKind {
        match self {
            Self::P256 => KeyKind::P256,
            Self::P384 => KeyKind::P384,
        }
    }
}

/// The numbers of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::jose) enum Material {
    /// The point uncompressed: 4, x, y.
    Ec { curve: EcCurve, point: Box<[u8]> },
    /// The point as RFC 8032 encodes it.
    Ed25519 { x: Box<[u8]> },
    /// Big-endian, without leading zeros.
    Rsa { n: Box<[u8]>, e: Box<[u8]> },
}

impl Material {
    pub(super) fn read(object: &Object<'_>) -> Result<Self, KeyError> {
        let text = |member| object.text(member).map_err(|_| KeyError::Malformed { member });
        let kty = text("kty")?.ok_or(KeyError::Missing { member: "kty" })?;
        match &*kty {
            "EC" => {
                let curve = match &*text("crv")?.ok_or(KeyError::Missing { member: "crv" })? {
                    "P-256" => EcCurve::P256,
                    "P-384" => EcCurve::P384,
                    _ => return Err(KeyError::Curve),
                };
                let len = curve.coordinate_len();
                let mut point = Vec::with_capacity(1 + 2 * len);
                point.push(4);
                point.extend(octets_of_len(object, "x", len)?);
                point.extend(octets_of_len(object, "y", len)?);
                Ok(Self::Ec { curve, point: point.into() })
            }
            "OKP" => match &*text("crv")?.ok_or(KeyError::Missing { member: "crv" })? {
                "Ed25519" => Ok(Self::Ed25519 { x: octets_of_len(object, "x", 32)?.into() }),
                _ => Err(KeyError::Curve),
            },
            "RSA" => Self::rsa(octets(object, "n")?, octets(object, "e")?),
            "oct" => Err(KeyError::Symmetric),
            _ => Err(KeyError::Type),
        }
    }

    /// Checks what the mathematics leave open. RFC 7518 6.3.1 forbids leading zeros.
    pub(in crate::jose) fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Self, KeyError> {
        let (Some(&first), Some(&last)) = (n.first(), n.last()) else {
            return Err(KeyError::Malformed { member: "n" });
        };
        if first == 0 || last % 2 == 0 {
            return Err(KeyError::Malformed { member: "n" });
        }
        let bits = bit_len(&n);
        if bits < limits::RSA_BITS_MIN {
            return Err(KeyError::RsaTooSmall);
        }
        if bits > limits::RSA_BITS_MAX {
            return Err(KeyError::RsaTooLarge);
        }
        if e.first() == Some(&0) {
            return Err(KeyError::Malformed { member: "e" });
        }
        let odd = e.last().is_some_and(|last| last % 2 == 1);
        if !odd || e == [1] || bit_len(&e) > 33 {
            return Err(KeyError::RsaExponent);
        }
        Ok(Self::Rsa { n: n.into(), e: e.into() })
    }

    pub(in crate::jose) fn kind(&self) -> KeyKind {
        match self {
            Self::Ec { curve, .. } => curve.kind(),
            Self::Ed25519 { .. } => KeyKind::Ed25519,
            Self::Rsa { n, .. } => KeyKind::Rsa { bits: bit_len(n) },
        }
    }

    /// The members that make the key, in the order of RFC 7638 3.2.
    fn members(&self) -> Members {
        let base64 = |bytes: &[u8]| Some(base64url::encode(bytes));
        match self {
            Self::Ec { curve, point } => {
                let (x, y) = point
                    .get(1..)
                    .unwrap_or_default()
                    .split_at_checked(curve.coordinate_len())
                    .unwrap_or_default();
                Members {
                    crv: Some(curve.name()),
                    kty: "EC",
                    x: base64(x),
                    y: base64(y),
                    ..Members::default()
                }
            }
            Self::Ed25519 { x } => {
                Members { crv: Some("Ed25519"), kty: "OKP", x: base64(x), ..Members::default() }
            }
            Self::Rsa { n, e } => Members { kty: "RSA", n: base64(n), e: base64(e), ..Members::default() },
        }
    }
}

fn bit_len(bytes: &[u8]) -> usize {
    let leading = bytes.first().map_or(0, |first| first.leading_zeros() as usize);
    bytes.len() * 8 - leading
}

/// The bytes of a member.
pub(super) fn octets(object: &Object<'_>, member: &'static str) -> Result<Vec<u8>, KeyError> {
    let malformed = KeyError::Malformed { member };
    let text = object.text(member).map_err(|_| malformed)?.ok_or(KeyError::Missing { member })?;
    base64url::decode(&text).ok_or(malformed)
}

pub(super) fn octets_of_len(
    object: &Object<'_>,
    member: &'static str,
    len: usize,
) -> Result<Vec<u8>, KeyError> {
    let bytes = octets(object, member)?;
    if bytes.len() == len { Ok(bytes) } else { Err(KeyError::Malformed { member }) }
}

/// Members in lexicographic order.
#[derive(Default, Serialize)]
struct Members {
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    kty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

/// The members in which a private key shows (RFC 7518 6, RFC 8037 2).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key for signatures, with what its JWK says about its use.
///
/// ```
/// use grantor::jose::{KeyKind, PublicKey};
/// let key = PublicKey::from_jwk(
///     r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
/// )?;
/// assert_eq!(key.kind(), KeyKind::Ed25519);
/// assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
/// # Ok::<(), grantor::jose::KeyError>(())
/// ```
#[derive(Clone)]
pub struct PublicKey {
    pub(super) material: Material,
    pub(super) kid: Option<Box<str>>,
    algorithm: Option<Algorithm>,
    /// Parsed once, for each algorithm that the key may be used with.
    #[cfg(feature = "crypto")]
    verifiers: Vec<(Algorithm, Verifier)>,
}

impl PublicKey {
    /// Reads a JWK; `use`, `key_ops` and `alg` must allow verifying signatures.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::Private`] for a key that carries private members.
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        if json.len() > limits::PRIVATE_KEY {
            return Err(KeyError::TooLarge);
        }
        Self::from_object(&Object::parse(json.as_bytes())?, None)
    }

    /// Reads a key for one algorithm, as a proof carries it.
    #[cfg(feature = "crypto")]
    pub(in crate::jose) fn for_algorithm(json: &str, algorithm: Algorithm) -> Result<Self, KeyError> {
        Self::from_object(&Object::parse(json.as_bytes())?, Some(algorithm))
    }

    pub(super) fn from_object(object: &Object<'_>, only: Option<Algorithm>) -> Result<Self, KeyError> {
        // A symmetric key has `k`, which is worth its own message.
        if object.text("kty") == Ok(Some("oct".into())) {
            return Err(KeyError::Symmetric);
        }
        if PRIVATE_MEMBERS.iter().any(|member| object.has(member)) {
            return Err(KeyError::Private);
        }
        check_use(object, "verify")?;
        let material = Material::read(object)?;
        let algorithm = declared_algorithm(object, material.kind())?;
        if let (Some(wanted), Some(declared)) = (only, algorithm)
            && wanted != declared
        {
            return Err(KeyError::Algorithm);
        }
        let kid = kid(object)?;
        Self::new(material, kid, algorithm, only)
    }

    pub(super) fn new(
        material: Material,
        kid: Option<Box<str>>,
        algorithm: Option<Algorithm>,
        only: Option<Algorithm>,
    ) -> Result<Self, KeyError> {
        let kind = material.kind();
        if let Some(algorithm) = only
            && !algorithm.fits(kind)
        {
            return Err(KeyError::WrongKind { kind, algorithm });
        }
        #[cfg(feature = "crypto")]
        let verifiers = Algorithm::ALL
            .into_iter()
            .filter(|own| own.fits(kind) && only.or(algorithm).is_none_or(|allowed| allowed == *own))
            .map(|own| Ok((own, Verifier::new(&material, own)?)))
            .collect::<Result<_, KeyError>>()?;
        Ok(Self {
            material,
            kid,
            algorithm,
            #[cfg(feature = "crypto")]
            verifiers,
        })
    }

    /// What it is.
    pub fn kind(&self) -> KeyKind {
        self.material.kind()
    }

    /// `kid`: the name under which tokens refer to it.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The same key under the name by which tokens know it.
    #[cfg(feature = "crypto")]
    pub(crate) fn with_kid(mut self, kid: &str) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// Whether it may verify signatures of this algorithm: its kind fits, and its `alg` names no other.
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        algorithm.fits(self.kind()) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// The JWK with the members that make the key and nothing else, as a `DPoP` header carries it.
    pub fn to_jwk(&self) -> String {
        serde_json::to_string(&self.material.members()).unwrap_or_default()
    }

    /// The SHA-256 thumbprint (RFC 7638), the `jkt` of RFC 9449.
    pub fn thumbprint(&self) -> String {
        base64url::encode(Sha256::digest(self.to_jwk()))
    }

    #[cfg(feature = "crypto")]
    pub(in crate::jose) fn verifier(&self, algorithm: Algorithm) -> Option<&Verifier> {
        self.verifiers.iter().find(|(own, _)| *own == algorithm).map(|(_, verifier)| verifier)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("kind", &self.kind())
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("thumbprint", &self.thumbprint())
            .finish()
    }
}

/// Compares the keys themselves, not their names.
impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.material == other.material
    }
}

impl Eq for PublicKey {}

/// `use` and `key_ops` (RFC 7517 4.2, 4.3).
pub(super) fn check_use(object: &Object<'_>, operation: &str) -> Result<(), KeyError> {
    let key_use = object.text("use").map_err(|_| KeyError::Use)?;
    if key_use.is_some_and(|key_use| key_use != "sig") {
        return Err(KeyError::Use);
    }
    let Some(operations) = object.get("key_ops") else { return Ok(()) };
    let operations = operations.texts(limits::JSON_MEMBERS).ok_or(KeyError::Operations)?;
    if operations.iter().any(|own| own == operation) { Ok(()) } else { Err(KeyError::Operations) }
}

pub(super) fn declared_algorithm(object: &Object<'_>, kind: KeyKind) -> Result<Option<Algorithm>, KeyError> {
    let Some(name) = object.text("alg").map_err(|_| KeyError::Algorithm)? else { return Ok(None) };
    let algorithm = Algorithm::from_name(&name).filter(|algorithm| algorithm.fits(kind));
    algorithm.map(Some).ok_or(KeyError::Algorithm)
}

pub(super) fn kid(object: &Object<'_>) -> Result<Option<Box<str>>, KeyError> {
    let kid = object.text("kid").map_err(|_| KeyError::Malformed { member: "kid" })?;
    if kid.as_ref().is_some_and(|kid| kid.len() > limits::STRING) {
        return Err(KeyError::TooLarge);
    }
    Ok(kid.map(|kid| kid.into()))
}
