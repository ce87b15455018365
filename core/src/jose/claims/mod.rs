//! Claims of JWTs (RFC 7519), and the checks that all profiles share.

mod check;
mod error;
mod kind;
mod named;

use std::borrow::Cow;
use std::fmt;

pub(super) use check::Clock;
pub use error::ClaimsError;

use super::object::{Object, ObjectError, Value};
use crate::limits;
use crate::scope::ScopeSet;

/// The claims of a token, borrowed from it. Reading one does not check it.
#[derive(Clone)]
pub struct Claims<'a>(Object<'a>);

impl<'a> Claims<'a> {
    /// Reads a claims set.
    ///
    /// # Errors
    /// [`ClaimsError::Syntax`], [`ClaimsError::Repeated`] and [`ClaimsError::TooLarge`].
    pub fn parse(json: &'a [u8]) -> Result<Self, ClaimsError> {
        Object::parse(json).map(Self).map_err(|error| match error {
            ObjectError::Repeated => ClaimsError::Repeated,
            ObjectError::Syntax => ClaimsError::Syntax,
            ObjectError::TooLarge => ClaimsError::TooLarge,
        })
    }

    /// The JSON text of a claim, if it is there and not `null`.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.value(name).map(Value::raw)
    }

    /// Whether a claim is there, be it `null`.
    pub fn has(&self, name: &str) -> bool {
        self.0.has(name)
    }

    fn value(&self, name: &str) -> Option<Value<'a>> {
        self.0.get(name)
    }

    /// A claim that is a string, if it is there.
    ///
    /// # Errors
    /// [`ClaimsError::WrongType`].
    pub fn text(&self, claim: &'static str) -> Result<Option<Cow<'a, str>>, ClaimsError> {
        self.0.text(claim).map_err(|_| ClaimsError::WrongType { claim })
    }

    /// A claim that is a string and must be there and not be empty.
    ///
    /// # Errors
    /// [`ClaimsError::WrongType`] and [`ClaimsError::Missing`].
    pub fn required_text(&self, claim: &'static str) -> Result<Cow<'a, str>, ClaimsError> {
        self.text(claim)?.filter(|text| !text.is_empty()).ok_or(ClaimsError::Missing { claim })
    }

    /// A `NumericDate` (RFC 7519 2), if it is there: a number, whole or not, in seconds; never a string.
    ///
    /// # Errors
    /// [`ClaimsError::WrongType`], and [`ClaimsError::TimeRange`] for a time after the year 9999, such as
    /// one in milliseconds.
    pub fn time(&self, claim: &'static str) -> Result<Option<NumericDate>, ClaimsError> {
        let Some(value) = self.value(claim) else { return Ok(None) };
        let (floor_s, fraction) = value.number().ok_or(ClaimsError::WrongType { claim })?;
        if u64::try_from(floor_s).is_ok_and(|time| time > limits::LATEST_TIME_S) {
            return Err(ClaimsError::TimeRange { claim });
        }
        Ok(Some(NumericDate { floor_s, fraction }))
    }

    /// As [`time`](Self::time), also for a string of digits, in answers of servers that write all members as strings.
    #[cfg(feature = "crypto")]
    pub(crate) fn time_or_digits(&self, claim: &'static str) -> Result<Option<NumericDate>, ClaimsError> {
        let Some(text) = self.value(claim).and_then(Value::text) else { return self.time(claim) };
        let wrong = ClaimsError::WrongType { claim };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit()).then_some(&*text).ok_or(wrong)?;
        let floor_s = digits.parse::<u64>().map_err(|_| wrong)?;
        match i64::try_from(floor_s).ok().filter(|_| floor_s <= limits::LATEST_TIME_S) {
            Some(floor_s) => Ok(Some(NumericDate { floor_s, fraction: false })),
            None => Err(ClaimsError::TimeRange { claim }),
        }
    }

    /// `aud`: a string or an array of strings (RFC 7519 4.1.3); empty when absent.
    ///
    /// # Errors
    /// [`ClaimsError::WrongType`], also for more than [`limits::AUDIENCES`].
    pub fn audiences(&self) -> Result<Vec<Cow<'a, str>>, ClaimsError> {
        let Some(value) = self.value("aud") else { return Ok(Vec::new()) };
        value.texts(limits::AUDIENCES).ok_or(ClaimsError::WrongType { claim: "aud" })
    }

    /// `resource`: a string or an array of strings; empty when absent.
    ///
    /// # Errors
    /// [`ClaimsError::WrongType`].
    pub fn resources(&self) -> Result<Vec<Cow<'a, str>>, ClaimsError> {
        let Some(value) = self.value("resource") else { return Ok(Vec::new()) };
        value.texts(limits::AUDIENCES).ok_or(ClaimsError::WrongType { claim: "resource" })
    }

    /// `scope`, or where it is absent `scp`, each as a string of tokens (RFC 8693 4.2) or an array of
    /// them, as some servers write it; empty when both are absent.
    ///
    /// # Errors
    /// [`ClaimsError::WrongType`], and [`ClaimsError::Scope`] for tokens that are none.
    pub fn scopes(&self) -> Result<ScopeSet, ClaimsError> {
        let claim = if self.value("scope").is_some() { "scope" } else { "scp" };
        let Some(value) = self.value(claim) else { return Ok(ScopeSet::new()) };
        let scopes = match value.text() {
            Some(text) => ScopeSet::parse(&text),
            None => {
                let tokens = value.texts(limits::SCOPES_READ).ok_or(ClaimsError::WrongType { claim })?;
                ScopeSet::from_tokens(tokens.iter().map(|token| &**token))
            }
        };
        scopes.map_err(|_| ClaimsError::Scope)
    }

    /// `cnf` (RFC 7800): to which key the token is bound.
    ///
    /// # Errors
    /// [`ClaimsError::WrongType`], and [`ClaimsError::Confirmation`] for a method that is unknown: whoever
    /// cannot check it must not accept the token.
    pub fn confirmation(&self) -> Result<Confirmation, ClaimsError> {
        let Some(value) = self.value("cnf") else { return Ok(Confirmation::None) };
        let wrong = ClaimsError::WrongType { claim: "cnf" };
        let cnf = value.object().map_err(|_| wrong)?;
        if let Some(jkt) = cnf.text("jkt").map_err(|_| wrong)? {
            return Ok(Confirmation::Jkt(jkt.into()));
        }
        if let Some(hash) = cnf.text("x5t#S256").map_err(|_| wrong)? {
            return Ok(Confirmation::Certificate(hash.into()));
        }
        Err(ClaimsError::Confirmation)
    }
}

/// Claims are personal data, and stay out of logs.
impl fmt::Debug for Claims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}

/// A time in a token, in seconds since 1970-01-01T00:00:00Z; before that it is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate {
    floor_s: i64,
    fraction: bool,
}

impl NumericDate {
    /// Whole seconds, with what follows cut off; nothing before 1970.
    pub fn floor_s(self) -> u64 {
        u64::try_from(self.floor_s).unwrap_or(0)
    }

    /// Whole seconds, with what follows counted as one; nothing before 1970.
    pub fn ceil_s(self) -> u64 {
        u64::try_from(self.floor_s.saturating_add(self.fraction.into())).unwrap_or(0)
    }
}

/// To which key a token is bound (RFC 7800).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Confirmation {
    /// To a client's certificate (RFC 8705), by its hash.
    Certificate(Box<str>),
    /// To a `DPoP` key (RFC 9449 6.1), by its thumbprint.
    Jkt(Box<str>),
    /// To none: whoever has the token may use it.
    #[default]
    None,
}

#[cfg(test)]
mod tests;
