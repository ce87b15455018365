//! Assertions that somebody made about a client or a user, as whoever redeems them checks them (RFC 7523 3).

use std::fmt;

use super::claims::{Claims, ClaimsError, Clock};
use super::jws::Trusted;
use crate::limits;

/// What an assertion must be.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AssertionRules<'a> {
    /// Who made it: the client itself (RFC 7523 3, 1 and 2), or a platform.
    pub issuer: &'a str,
    /// Whom it is about; `None` for anybody.
    pub subject: Option<&'a str>,
    /// The names of whoever redeems it, of which it must have one and no other's.
    pub audiences: &'a [&'a str],
    /// How far ahead it may end, in seconds.
    pub max_lifetime_s: u64,
    /// How far the issuer's clock may be off, in seconds.
    pub leeway_s: u64,
}

impl<'a> AssertionRules<'a> {
    /// For anybody, with [`limits::ASSERTION_S`] and [`limits::CLOCK_LEEWAY_S`].
    pub const fn new(issuer: &'a str, audiences: &'a [&'a str]) -> Self {
        Self {
            issuer,
            subject: None,
            audiences,
            max_lifetime_s: limits::ASSERTION_S,
            leeway_s: limits::CLOCK_LEEWAY_S,
        }
    }
}

/// An assertion that was checked: there is no other way to make one.
#[non_exhaustive]
pub struct Assertion {
    /// `sub`: whom it is about.
    pub subject: Box<str>,
    /// `jti`: accepted once by whoever redeems it; `None` when the assertion has none.
    pub id: Option<Box<str>>,
    /// `exp`, in seconds since 1970.
    pub expires_at_s: u64,
    payload: Vec<u8>,
}

impl Assertion {
    /// Checks what a signed assertion says, at `unix_s` seconds since 1970.
    ///
    /// # Errors
    /// [`ClaimsError`]: one variant for each rule.
    pub fn check(assertion: Trusted, rules: &AssertionRules<'_>, unix_s: u64) -> Result<Self, ClaimsError> {
        let claims = assertion.claims()?;
        claims.check_issuer(rules.issuer)?;
        let subject: Box<str> = claims.required_text("sub")?.into();
        if rules.subject.is_some_and(|expected| *expected != *subject) {
            return Err(ClaimsError::Subject);
        }
        claims.check_audience(|audience| rules.audiences.contains(&audience))?;
        // One that others redeem, too, could be replayed there.
        if !claims.audiences()?.iter().all(|audience| rules.audiences.contains(&&**audience)) {
            return Err(ClaimsError::AudienceUntrusted);
        }
        let times = claims.check_times(Clock { unix_s, leeway_s: rules.leeway_s })?;
        let expires_at_s = times.expires.floor_s();
        if expires_at_s > unix_s.saturating_add(rules.max_lifetime_s) {
            return Err(ClaimsError::TimeRange { claim: "exp" });
        }
        let id = claims.text("jti")?.map(Into::into);
        Ok(Self { subject, id, expires_at_s, payload: assertion.into_payload() })
    }

    /// All claims.
    ///
    /// # Errors
    /// None in practice: they were read before.
    pub fn claims(&self) -> Result<Claims<'_>, ClaimsError> {
        Claims::parse(&self.payload)
    }
}

/// Claims are personal data, and stay out of logs.
impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertion").field("expires_at_s", &self.expires_at_s).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests {
    use super::*;
    use crate::jose::testing::{NOW, trusted, with};

    const CLAIMS: &str = r#"{"iss":"c","sub":"c","aud":"https://as","jti":"j","exp":1800000060}"#;

    fn refused(claims: &str) -> ClaimsError {
        let rules = AssertionRules { subject: Some("c"), ..AssertionRules::new("c", &["https://as"]) };
        Assertion::check(trusted("JWT", claims), &rules, NOW).unwrap_err()
    }

    #[test]
    fn rfc7523_3_each_rule() {
        let rules = AssertionRules { subject: Some("c"), ..AssertionRules::new("c", &["https://as"]) };
        let good = Assertion::check(trusted("JWT", CLAIMS), &rules, NOW).unwrap();
        assert_eq!(good.id.as_deref(), Some("j"));
        assert_eq!(good.claims().unwrap().text("sub").unwrap().unwrap(), "c");
        assert!(!format!("{good:?}").contains("\"c\""));
        assert_eq!(refused(&with(CLAIMS, "iss", r#""d""#)), ClaimsError::Issuer);
        assert_eq!(refused(&with(CLAIMS, "sub", r#""d""#)), ClaimsError::Subject);
        assert_eq!(refused(&with(CLAIMS, "aud", r#""https://bs""#)), ClaimsError::Audience);
        let two = with(CLAIMS, "aud", r#"["https://as","https://bs"]"#);
        assert_eq!(refused(&two), ClaimsError::AudienceUntrusted);
        assert_eq!(refused(&with(CLAIMS, "exp", "1799999000")), ClaimsError::Expired);
        let far = with(CLAIMS, "exp", "1800003601");
        assert_eq!(refused(&far), ClaimsError::TimeRange { claim: "exp" });
    }
}
