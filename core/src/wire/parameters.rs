//! Parameters of the caller's own, beside those that a request has.

use crate::limits;
use crate::secret::Secret;

/// Parameters that some server wants beyond the specifications: Google's `access_type`, Auth0's `audience`.
///
/// None of them can be one that Grantor sets, so none weakens what a request says. Names are compared
/// without regard to case, since some servers read them so. Values do not show in `Debug`.
///
/// ```
/// use grantor::wire::parameters::{ParameterError, Parameters};
/// let parameters = Parameters::new().with("access_type", "offline")?.with("prompt", "consent")?;
/// assert_eq!(parameters.iter().collect::<Vec<_>>(), [("access_type", "offline"), ("prompt", "consent")]);
/// assert_eq!(Parameters::new().with("state", "1").unwrap_err(), ParameterError::Reserved { name: "state" });
/// # Ok::<(), ParameterError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(Box<str>, Secret)>);

/// Why a parameter cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// The name is empty, or has other characters than letters, digits, `-`, `.` and `_` (RFC 6749 A).
    #[error("a parameter's name has letters, digits, `-`, `.` and `_` only")]
    Name,
    /// Grantor sets this parameter, or it would take the place of what Grantor sets.
    #[error("`{name}` is set by Grantor and cannot be an extra parameter")]
    Reserved {
        /// The parameter.
        name: &'static str,
    },
    /// All names and values together are larger than [`limits::EXTRA_PARAMETERS`].
    #[error("the extra parameters are too large")]
    TooLarge,
}

/// What Grantor sets in authorization, pushed, device and token requests, and what speaks in place of these
/// (`request`, `request_uri`, RFC 9101 5).
const RESERVED: [&str; 27] = [
    "acr_values",
    "assertion",
    "authorization_details",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "dpop_jkt",
    "grant_type",
    "max_age",
    "nonce",
    "redirect_uri",
    "refresh_token",
    "request",
    "request_uri",
    "requested_token_type",
    "resource",
    "response_type",
    "scope",
    "state",
    "subject_token",
    "subject_token_type",
];

impl Parameters {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The same with this one; a value that the name had before is replaced (RFC 6749 3.1: no parameter
    /// twice).
    ///
    /// # Errors
    /// [`ParameterError`].
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, ParameterError> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(ParameterError::Name);
        }
        if let Some(name) = RESERVED.into_iter().find(|reserved| reserved.eq_ignore_ascii_case(name)) {
            return Err(ParameterError::Reserved { name });
        }
        self.0.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self.0.push((name.into(), Secret::from(value)));
        let size: usize = self.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        if size > limits::EXTRA_PARAMETERS { Err(ParameterError::TooLarge) } else { Ok(self) }
    }

    /// The same with all of `others`, which replace those of the same name.
    pub(crate) fn replaced_by(mut self, others: &Self) -> Self {
        self.0.retain(|(own, _)| others.iter().all(|(name, _)| !own.eq_ignore_ascii_case(name)));
        self.0.extend(others.0.iter().cloned());
        self
    }

    /// Names and values, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.expose()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grantor_sets_is_reserved() {
        for reserved in RESERVED {
            for name in [reserved.to_owned(), reserved.to_uppercase()] {
                let refused = Parameters::new().with(&name, "x").unwrap_err();
                assert_eq!(refused, ParameterError::Reserved { name: reserved }, "{name}");
                assert!(refused.to_string().contains(reserved));
            }
        }
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn rfc6749_a_names() {
        for bad in ["", "a b", "a=b", "a&scope", "scope[]", "ä", "a\n"] {
            assert_eq!(Parameters::new().with(bad, "x"), Err(ParameterError::Name), "{bad}");
        }
        for good in ["access_type", "audience", "user_scope", "login_hint", "x-y.z", "domain_hint"] {
            assert!(Parameters::new().with(good, "").is_ok(), "{good}");
        }
    }

    #[test]
    fn rfc6749_3_1_no_parameter_twice() {
        let parameters = Parameters::new().with("prompt", "login").unwrap().with("a", "1").unwrap();
        let parameters = parameters.with("PROMPT", "consent").unwrap();
        assert_eq!(parameters.iter().collect::<Vec<_>>(), [("a", "1"), ("PROMPT", "consent")]);
    }

    #[test]
    fn bounded_and_without_values_in_debug() {
        let long = "x".repeat(limits::EXTRA_PARAMETERS);
        assert_eq!(Parameters::new().with("a", &long), Err(ParameterError::TooLarge));
        assert!(!format!("{:?}", Parameters::new().with("a", "planted").unwrap()).contains("planted"));
    }
}
