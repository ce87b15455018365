//! Access tokens that are JWTs (RFC 9068, and those of servers that do not keep to it).

use std::fmt;

use super::algorithm::Algorithm;
use super::claims::{Claims, ClaimsError, Clock, Confirmation};
use super::jws::{Header, Trusted};
use crate::limits;
use crate::scope::ScopeSet;

/// What an access token must be.
///
/// ```
/// use grantor::jose::AccessTokenRules;
/// let rules = AccessTokenRules::new("https://as.example.com", &["https://mcp.example.com/mcp"]);
/// assert!(rules.rfc9068);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AccessTokenRules<'a> {
    /// Who issues them; compared octet by octet.
    pub issuer: &'a str,
    /// The names of this resource, of which `aud` must hold one; compared octet by octet.
    pub audiences: &'a [&'a str],
    /// For tokens without `aud`: a claim, such as `client_id`, and its values that stand for this resource.
    pub audience_claim: Option<(&'a str, &'a [Box<str>])>,
    /// The claims that hold the scopes, all of them together; when empty, `scope`, or else `scp`. One that begins
    /// with a slash is a JSON Pointer.
    pub scope_claims: &'a [Box<str>],
    /// Whether the profile of RFC 9068 is demanded: `typ`, and the claims of its section 2.2. Without it a
    /// token needs `iss`, `aud` and `exp`, and must not be of another kind by its `typ` or by claims that only
    /// ID tokens, log-out tokens and refresh tokens have.
    pub rfc9068: bool,
    /// How far the issuer's clock may be off, in seconds.
    pub leeway_s: u64,
    /// How long ago the user may have authenticated, in seconds (RFC 9470).
    pub max_age_s: Option<u64>,
    /// The authentication contexts of which one is demanded (RFC 9470); empty for any.
    pub acr_values: &'a [&'a str],
}

impl<'a> AccessTokenRules<'a> {
    /// The algorithms to allow where nothing else is configured: all that are known here.
    pub const ALGORITHMS: &'static [Algorithm] = &Algorithm::ALL;

    /// RFC 9068 with [`limits::CLOCK_LEEWAY_S`].
    pub const fn new(issuer: &'a str, audiences: &'a [&'a str]) -> Self {
        Self {
            issuer,
            audiences,
            audience_claim: None,
            scope_claims: &[],
            rfc9068: true,
            leeway_s: limits::CLOCK_LEEWAY_S,
            max_age_s: None,
            acr_values: &[],
        }
    }
}

/// An access token that was checked: there is no other way to make one.
#[non_exhaustive]
pub struct AccessToken {
    /// `iss`.
    pub issuer: Box<str>,
    /// `sub`: the user, or the client itself.
    pub subject: Option<Box<str>>,
    /// `client_id`, or `azp` where that is all there is.
    pub client_id: Option<Box<str>>,
    /// `scope` or `scp`.
    pub scopes: ScopeSet,
    /// `exp`, in seconds since 1970. The token may count as valid for the leeway longer.
    pub expires_at_s: u64,
    /// To which key the token is bound. Whoever accepts the token must check the binding.
    pub confirmation: Confirmation,
    pub(crate) payload: Vec<u8>,
}

impl AccessToken {
    /// Checks what a signed token says, at `unix_s` seconds since 1970.
    ///
    /// # Errors
    /// [`ClaimsError`]: one variant for each rule.
    pub fn check(token: Trusted, rules: &AccessTokenRules<'_>, unix_s: u64) -> Result<Self, ClaimsError> {
        let accepts = |audience: &str| rules.audiences.contains(&audience);
        let checked = Self::of_claims(token.header(), &token.claims()?, rules, accepts, unix_s)?;
        Ok(Self { payload: token.into_payload(), ..checked })
    }

    /// What these claims of a signed token say, for an audience that the caller accepts. All but the payload, which is
    /// for the caller to add.
    pub(crate) fn of_claims(
        header: &Header,
        claims: &Claims<'_>,
        rules: &AccessTokenRules<'_>,
        accepts: impl Fn(&str) -> bool,
        unix_s: u64,
    ) -> Result<Self, ClaimsError> {
        check_type(header, rules)?;
        claims.check_issuer(rules.issuer)?;
        claims.check_audience_or(accepts, rules.audience_claim)?;
        if !rules.rfc9068 {
            claims.check_access_token()?;
        }
        let clock = Clock { unix_s, leeway_s: rules.leeway_s };
        let times = claims.check_times(clock)?;
        claims.check_freshness(rules.max_age_s, clock)?;
        claims.check_acr(rules.acr_values)?;
        let (subject, client_id) = (claims.text("sub")?, claims.text("client_id")?);
        if rules.rfc9068 {
            let is_there = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
            for (claim, there) in [
                ("sub", is_there(subject.as_deref())),
                ("client_id", is_there(client_id.as_deref())),
                ("jti", is_there(claims.text("jti")?.as_deref())),
                ("iat", times.issued.is_some()),
            ] {
                if !there {
                    return Err(ClaimsError::Missing { claim });
                }
            }
        }
        let client_id = client_id.map_or_else(|| claims.text("azp"), |id| Ok(Some(id)))?;
        Ok(Self {
            issuer: rules.issuer.into(),
            subject: subject.map(Into::into),
            client_id: client_id.map(Into::into),
            scopes: if rules.scope_claims.is_empty() {
                claims.scopes()?
            } else {
                claims.scopes_in(rules.scope_claims)?
            },
            expires_at_s: times.expires.floor_s(),
            confirmation: claims.confirmation()?,
            payload: Vec::new(),
        })
    }

    /// All claims, for the host's own rules.
    ///
    /// # Errors
    /// None in practice: they were read before.
    pub fn claims(&self) -> Result<Claims<'_>, ClaimsError> {
        Claims::parse(&self.payload)
    }
}

/// RFC 9068 4: `at+jwt`. Without the profile, no type or one that servers give to access tokens: others are
/// something else (RFC 8725 3.11).
fn check_type(header: &Header, rules: &AccessTokenRules<'_>) -> Result<(), ClaimsError> {
    const ACCESS: [&str; 5] = ["at+jwt", "JWT", "JOSE", "Bearer", "access_token"];
    let fits = if rules.rfc9068 {
        header.is_type("at+jwt")
    } else {
        header.typ().is_none_or(|typ| {
            let typ = typ.to_ascii_lowercase();
            // Some put their name before it: `application/okta-internal-at+jwt`.
            typ.is_empty() || typ.ends_with("-at+jwt") || ACCESS.into_iter().any(|own| header.is_type(own))
        })
    };
    if fits { Ok(()) } else { Err(ClaimsError::Type) }
}

/// Claims are personal data, and stay out of logs.
impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("issuer", &self.issuer)
            .field("scopes", &self.scopes)
            .field("expires_at_s", &self.expires_at_s)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests {
    use super::*;
    use crate::jose::testing::{NOW, trusted, with};

    const CLAIMS: &str = r#"{"iss":"https://as","aud":"https://h/mcp","exp":1800000300,"iat":1800000000,"sub":"alice","client_id":"c","jti":"j","scope":"a b"}"#;

    fn rules() -> AccessTokenRules<'static> {
        AccessTokenRules::new("https://as", &["https://h/mcp"])
    }

    fn refused(claims: &str) -> ClaimsError {
        AccessToken::check(trusted("at+jwt", claims), &rules(), NOW).unwrap_err()
    }

    #[test]
    fn rfc9068_4_accepted() {
        let token = AccessToken::check(trusted("application/at+jwt", CLAIMS), &rules(), NOW).unwrap();
        assert_eq!(token.subject.as_deref(), Some("alice"));
        assert_eq!(token.client_id.as_deref(), Some("c"));
        assert_eq!(token.scopes.to_string(), "a b");
        assert_eq!(token.expires_at_s, 1_800_000_300);
        assert_eq!(token.confirmation, Confirmation::None);
        assert_eq!(token.claims().unwrap().raw("jti"), Some(r#""j""#));
        assert!(!format!("{token:?}").contains("alice"));
    }

    #[test]
    fn rfc9068_4_typ() {
        for typ in ["JWT", "", "dpop+jwt", "oauth-id-jag+jwt"] {
            let error = AccessToken::check(trusted(typ, CLAIMS), &rules(), NOW).unwrap_err();
            assert_eq!(error, ClaimsError::Type, "{typ}");
        }
    }

    #[test]
    fn rfc9068_2_2_required_claims() {
        for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
            assert_eq!(refused(&with(CLAIMS, claim, "")), ClaimsError::Missing { claim });
        }
    }

    #[test]
    fn rfc9068_4_issuer_audience_and_times() {
        assert_eq!(refused(&with(CLAIMS, "iss", r#""https://other""#)), ClaimsError::Issuer);
        assert_eq!(refused(&with(CLAIMS, "aud", r#""https://h""#)), ClaimsError::Audience);
        assert_eq!(refused(&with(CLAIMS, "exp", "1799999940")), ClaimsError::Expired);
        assert_eq!(refused(&with(CLAIMS, "nbf", "1800000061")), ClaimsError::NotYetValid);
        assert_eq!(refused(&with(CLAIMS, "cnf", r#"{"kid":"x"}"#)), ClaimsError::Confirmation);
    }

    #[test]
    fn rfc8725_3_11_without_the_profile_other_types_are_refused_still() {
        let mut rules = rules();
        rules.rfc9068 = false;
        let minimal = r#"{"iss":"https://as","aud":"https://h/mcp","exp":1800000300,"azp":"c","scp":["a"]}"#;
        let check = |typ| AccessToken::check(trusted(typ, minimal), &rules, NOW);
        let token = check("JWT").unwrap();
        assert_eq!(token.client_id.as_deref(), Some("c"));
        assert_eq!(token.scopes.to_string(), "a");
        for typ in ["JOSE", "at+jwt", "application/at+jwt", "application/okta-internal-at+jwt", "bearer"] {
            assert!(check(typ).is_ok(), "{typ}");
        }
        for typ in [
            "dpop+jwt",
            "oauth-id-jag+jwt",
            "client-authentication+jwt",
            "logout+jwt",
            "application/secevent+jwt",
            "rt+jwt",
            "id_token",
            "at+jwt2",
            "oauth-authz-req+jwt",
            "vc+sd-jwt",
            "kb+jwt",
        ] {
            assert_eq!(check(typ).unwrap_err(), ClaimsError::Type, "{typ}");
        }
    }

    #[test]
    fn rfc9470_4_freshness_and_acr() {
        let mut rules = rules();
        rules.max_age_s = Some(60);
        let check = |claims: &str, rules: &AccessTokenRules<'_>| {
            AccessToken::check(trusted("at+jwt", claims), rules, NOW).map(|_| ())
        };
        assert_eq!(check(CLAIMS, &rules), Err(ClaimsError::Missing { claim: "auth_time" }));
        assert_eq!(check(&with(CLAIMS, "auth_time", "1799999880"), &rules), Ok(()));
        let old = with(CLAIMS, "auth_time", "1799999879");
        assert_eq!(check(&old, &rules), Err(ClaimsError::AuthenticationTooOld));
        rules.max_age_s = None;
        rules.acr_values = &["gold", "silver"];
        assert_eq!(check(CLAIMS, &rules), Err(ClaimsError::Acr));
        assert_eq!(check(&with(CLAIMS, "acr", r#""bronze""#), &rules), Err(ClaimsError::Acr));
        assert_eq!(check(&with(CLAIMS, "acr", r#""silver""#), &rules), Ok(()));
    }
}
