//! Access tokens that are JWTs (RFC 9068, and those of servers that do not keep to it).

use std::fmt;

use super::algorithm::Algorithm;
use super::claims::{Claims, ClaimsError, Clock, Confirmation};
use super::jws::Trusted;
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
    /// Whether the profile of RFC 9068 is demanded: `typ`, and the claims of its section 2.2. Without it a
    /// token needs `iss`, `aud` and `exp`, and a `typ` other than that of an ID-JAG, a proof or an
    /// assertion.
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
    payload: Box<[u8]>,
}

impl AccessToken {
    /// Checks what a signed token says, at `unix_s` seconds since 1970.
    ///
    /// # Errors
    /// [`ClaimsError`]: one variant for each rule.
    pub fn check(token: Trusted, rules: &AccessTokenRules<'_>, unix_s: u64) -> Result<Self, ClaimsError> {
        check_type(&token, rules)?;
        let claims = token.claims()?;
        claims.check_issuer(rules.issuer)?;
        claims.check_audience(rules.audiences)?;
        let clock = Clock { unix_s, leeway_s: rules.leeway_s };
        let expires = claims.check_times(clock)?;
        claims.check_freshness(rules.max_age_s, clock)?;
        claims.check_acr(rules.acr_values)?;
        if rules.rfc9068 {
            for claim in ["sub", "client_id", "jti"] {
                claims.required_text(claim)?;
            }
            claims.time("iat")?.ok_or(ClaimsError::Missing { claim: "iat" })?;
        }
        let client_id = match claims.text("client_id")? {
            Some(client_id) => Some(client_id),
            None => claims.text("azp")?,
        };
        Ok(Self {
            issuer: rules.issuer.into(),
            subject: claims.text("sub")?.map(Into::into),
            client_id: client_id.map(Into::into),
            scopes: claims.scopes()?,
            expires_at_s: expires.floor_s(),
            confirmation: claims.confirmation()?,
            payload: token.into_payload(),
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

/// RFC 9068 4: `at+jwt`. Without the profile, only types that are known to be something else are refused
/// (RFC 8725 3.11).
fn check_type(token: &Trusted, rules: &AccessTokenRules<'_>) -> Result<(), ClaimsError> {
    const OTHERS: [&str; 7] = [
        "client-authentication+jwt",
        "dpop+jwt",
        "entity-statement+jwt",
        "logout+jwt",
        "oauth-id-jag+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
    ];
    let header = token.header();
    let fits = if rules.rfc9068 {
        header.is_type("at+jwt")
    } else {
        !OTHERS.into_iter().any(|other| header.is_type(other))
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
