//! The checks that all profiles share.

use super::{Claims, ClaimsError, NumericDate, Value};

/// The present, and how far clocks may be apart.
#[derive(Clone, Copy, Debug)]
pub(in crate::jose) struct Clock {
    pub(in crate::jose) unix_s: u64,
    pub(in crate::jose) leeway_s: u64,
}

/// When a token is good.
#[derive(Clone, Copy, Debug)]
pub(in crate::jose) struct Times {
    /// `exp`.
    pub(in crate::jose) expires: NumericDate,
    /// `iat`.
    pub(in crate::jose) issued: Option<NumericDate>,
}

impl Claims<'_> {
    /// `iss` is exactly this (RFC 7519 4.1.1, RFC 8725 3.8).
    pub(in crate::jose) fn check_issuer(&self, issuer: &str) -> Result<(), ClaimsError> {
        if self.required_text("iss")? == issuer { Ok(()) } else { Err(ClaimsError::Issuer) }
    }

    /// `aud` names one that is accepted (RFC 7519 4.1.3, RFC 8725 3.9).
    pub(in crate::jose) fn check_audience(&self, accepts: impl Fn(&str) -> bool) -> Result<(), ClaimsError> {
        let ours = match self.value("aud").and_then(Value::text) {
            Some(audience) => accepts(&audience),
            None => {
                let audiences = self.audiences()?;
                if audiences.is_empty() {
                    return Err(ClaimsError::Missing { claim: "aud" });
                }
                audiences.iter().any(|audience| accepts(audience))
            }
        };
        if ours { Ok(()) } else { Err(ClaimsError::Audience) }
    }

    /// The same; where there is no `aud`, by another claim that names one of its values.
    pub(in crate::jose) fn check_audience_or(
        &self,
        accepts: impl Fn(&str) -> bool,
        other: Option<(&str, &[Box<str>])>,
    ) -> Result<(), ClaimsError> {
        match other {
            Some(other) if self.has_audience_in(other)? => Ok(()),
            _ => self.check_audience(accepts),
        }
    }

    /// `exp` is there and not over, `nbf` is not still to come, `iat` is not in the future
    /// (RFC 7519 4.1.4 to 4.1.6).
    pub(in crate::jose) fn check_times(&self, clock: Clock) -> Result<Times, ClaimsError> {
        let Clock { unix_s, leeway_s } = clock;
        let expires = self.time("exp")?.ok_or(ClaimsError::Missing { claim: "exp" })?;
        if expires.floor_s().saturating_add(leeway_s) <= unix_s {
            return Err(ClaimsError::Expired);
        }
        let latest = unix_s.saturating_add(leeway_s);
        if self.time("nbf")?.is_some_and(|not_before| not_before.ceil_s() > latest) {
            return Err(ClaimsError::NotYetValid);
        }
        let issued = self.time("iat")?;
        if issued.is_some_and(|issued| issued.floor_s() > latest) {
            return Err(ClaimsError::IssuedInFuture);
        }
        Ok(Times { expires, issued })
    }

    /// `auth_time` is at most `max_age_s` ago (RFC 9470, `OpenID` Connect Core 3.1.3.7, 13).
    pub(in crate::jose) fn check_freshness(
        &self,
        max_age_s: Option<u64>,
        clock: Clock,
    ) -> Result<(), ClaimsError> {
        let Some(max_age_s) = max_age_s else { return Ok(()) };
        let authenticated = self.time("auth_time")?.ok_or(ClaimsError::Missing { claim: "auth_time" })?;
        let latest = authenticated.floor_s().saturating_add(max_age_s).saturating_add(clock.leeway_s);
        if latest < clock.unix_s { Err(ClaimsError::AuthenticationTooOld) } else { Ok(()) }
    }

    /// `acr` is one of these, if any are asked for.
    pub(in crate::jose) fn check_acr(&self, wanted: &[&str]) -> Result<(), ClaimsError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let acr = self.text("acr")?.ok_or(ClaimsError::Acr)?;
        if wanted.contains(&&*acr) { Ok(()) } else { Err(ClaimsError::Acr) }
    }
}
