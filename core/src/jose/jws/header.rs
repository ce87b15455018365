//! The protected header (RFC 7515 4).

use super::JwsError;
use crate::jose::algorithm::Algorithm;
use crate::jose::object::{Object, ObjectError};

/// What a header says, as far as anything here listens to it.
#[derive(Clone, Debug)]
pub struct Header {
    pub(in crate::jose) algorithm: Algorithm,
    kid: Option<Box<str>>,
    typ: Option<Box<str>>,
    /// A key as JSON, for proofs.
    pub(in crate::jose) jwk: Option<Box<str>>,
}

impl Header {
    pub(super) fn parse(json: &[u8]) -> Result<Self, JwsError> {
        let object = Object::parse(json).map_err(|error| match error {
            ObjectError::Repeated => JwsError::HeaderRepeated,
            ObjectError::Syntax => JwsError::Header,
            ObjectError::TooLarge => JwsError::TooLarge,
        })?;
        let text = |name| object.text(name).map_err(|_| JwsError::Header);
        let name = text("alg")?.ok_or(JwsError::AlgorithmMissing)?;
        let algorithm = match Algorithm::from_name(&name) {
            Some(algorithm) => algorithm,
            None if name.eq_ignore_ascii_case("none") => return Err(JwsError::AlgorithmNone),
            None if matches!(&*name, "HS256" | "HS384" | "HS512") => {
                return Err(JwsError::AlgorithmSymmetric);
            }
            None => return Err(JwsError::AlgorithmUnknown),
        };
        if object.has("crit") {
            return Err(JwsError::Critical);
        }
        if object.has("b64") {
            return Err(JwsError::Unencoded);
        }
        Ok(Self {
            algorithm,
            kid: text("kid")?.map(Into::into),
            typ: text("typ")?.map(Into::into),
            jwk: object.get("jwk").map(|jwk| jwk.raw().into()),
        })
    }

    /// `alg`.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `kid`: the name of the key.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `typ`: what kind of token it is (RFC 8725 3.11).
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// Whether `typ` is this media type, with or without `application/`, in any case (RFC 7515 4.1.9).
    pub fn is_type(&self, subtype: &str) -> bool {
        self.typ().is_some_and(|typ| {
            let own = match typ.split_once('/') {
                Some((kind, own)) if kind.eq_ignore_ascii_case("application") => own,
                _ => typ,
            };
            own.eq_ignore_ascii_case(subtype)
        })
    }
}
