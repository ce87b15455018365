//! Parameters of requests: each at most once, and an empty one counts as absent (RFC 6749 3.1, 3.2).

use std::fmt;

use url::form_urlencoded;

use super::error::{ErrorCode, OAuthError};
use crate::limits;
use crate::secret::Secret;
use crate::wire::form;

/// The parameters of a query or of a form. Values do not show in `Debug`.
pub struct RequestParameters(Vec<(Box<str>, Secret)>);

const MALFORMED: OAuthError = OAuthError::new(
    ErrorCode::InvalidRequest,
    "the parameters are not form-urlencoded UTF-8, or are too many",
);

impl RequestParameters {
    /// Reads `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// `invalid_request` for what cannot be read in one way, has more than [`limits::FORM_PARAMS`] parameters, or a
    /// value larger than [`limits::CREDENTIAL`].
    pub fn read(text: &str) -> Result<Self, OAuthError> {
        let pairs = form::read(text).map_err(|_| MALFORMED)?;
        let present = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let all: Vec<_> = present.map(|(name, value)| (Box::from(name), Secret::from(value))).collect();
        if all.iter().any(|(_, value)| value.expose().len() > limits::CREDENTIAL) {
            return Err(MALFORMED);
        }
        Ok(Self(all))
    }

    /// A parameter that may be there once.
    ///
    /// # Errors
    /// `invalid_request` when it is there more than once.
    pub fn get(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        let mut all = self.all(name);
        let first = all.next();
        if all.next().is_some() {
            return Err(OAuthError::new(
                ErrorCode::InvalidRequest,
                "a parameter is repeated (RFC 6749 section 3.1)",
            ));
        }
        Ok(first)
    }

    /// All values of a parameter that may be repeated, such as `resource`.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(own, _)| **own == *name).map(|(_, value)| value.expose())
    }

    /// Whether one that may not be repeated is.
    pub(super) fn check(&self) -> Result<(), OAuthError> {
        const REPEATABLE: [&str; 2] = ["resource", "audience"];
        let singles = self.0.iter().filter(|(name, _)| !REPEATABLE.contains(&&**name));
        for (name, _) in singles {
            self.get(name)?;
        }
        Ok(())
    }

    /// The parameters in form encoding.
    pub(in crate::server) fn form(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.pairs()).finish()
    }

    pub(in crate::server) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.expose()))
    }
}

impl fmt::Debug for RequestParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
