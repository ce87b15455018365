//! ID tokens (`OpenID` Connect Core 2, 3.1.3.7): who the user of an account is.

use std::fmt;

use sha2::{Digest as _, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::algorithm::Algorithm;
use super::base64url;
use super::claims::{Claims, ClaimsError, Clock};
use super::jws::Trusted;
use crate::limits;

/// What an ID token must be.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct IdTokenRules<'a> {
    /// The issuer, compared octet by octet.
    pub issuer: &'a str,
    /// The client that asked for it.
    pub client_id: &'a str,
    /// Audiences besides the client that are trusted.
    pub other_audiences: &'a [&'a str],
    /// The `nonce` of the authorization request; where one was sent, the token must hold it.
    pub nonce: Option<&'a str>,
    /// The `max_age` of the authorization request, in seconds.
    pub max_age_s: Option<u64>,
    /// The `acr_values` of the authorization request, of which one is demanded; empty for any.
    pub acr_values: &'a [&'a str],
    /// The access token that came along; checked against `at_hash` where the ID token has one.
    pub access_token: Option<&'a str>,
    /// How far the issuer's clock may be off, in seconds.
    pub leeway_s: u64,
}

impl<'a> IdTokenRules<'a> {
    /// The rules that hold always, with [`limits::CLOCK_LEEWAY_S`].
    pub const fn new(issuer: &'a str, client_id: &'a str) -> Self {
        Self {
            issuer,
            client_id,
            other_audiences: &[],
            nonce: None,
            max_age_s: None,
            acr_values: &[],
            access_token: None,
            leeway_s: limits::CLOCK_LEEWAY_S,
        }
    }
}

/// An ID token that was checked: there is no other way to make one.
#[non_exhaustive]
pub struct IdToken {
    /// `sub`: the user, by a name that the issuer never gives to another.
    pub subject: Box<str>,
    /// `exp`, in seconds since 1970.
    pub expires_at_s: u64,
    /// `auth_time`, in seconds since 1970.
    pub authenticated_at_s: Option<u64>,
    /// `acr`.
    pub acr: Option<Box<str>>,
    payload: Vec<u8>,
}

impl IdToken {
    /// Checks what a signed token says, at `unix_s` seconds since 1970.
    ///
    /// The token is [`Trusted`] by its signature, or because it came straight from the token endpoint
    /// ([`Jws::received_from_issuer`](super::Jws::received_from_issuer)).
    ///
    /// # Errors
    /// [`ClaimsError`]: one variant for each rule.
    pub fn check(token: Trusted, rules: &IdTokenRules<'_>, unix_s: u64) -> Result<Self, ClaimsError> {
        if token.header().typ().is_some() && !token.header().is_type("jwt") {
            return Err(ClaimsError::Type);
        }
        let claims = token.claims()?;
        claims.check_issuer(rules.issuer)?;
        claims.check_audience(|audience| audience == rules.client_id)?;
        let trusted = |own: &str| own == rules.client_id || rules.other_audiences.contains(&own);
        if !claims.audiences()?.iter().all(|audience| trusted(audience)) {
            return Err(ClaimsError::AudienceUntrusted);
        }
        if claims.text("azp")?.is_some_and(|azp| azp != rules.client_id) {
            return Err(ClaimsError::AuthorizedParty);
        }
        let clock = Clock { unix_s, leeway_s: rules.leeway_s };
        let times = claims.check_times(clock)?;
        times.issued.ok_or(ClaimsError::Missing { claim: "iat" })?;
        if let Some(nonce) = rules.nonce {
            let own = claims.text("nonce")?.ok_or(ClaimsError::Nonce)?;
            if !bool::from(own.as_bytes().ct_eq(nonce.as_bytes())) {
                return Err(ClaimsError::Nonce);
            }
        }
        claims.check_freshness(rules.max_age_s, clock)?;
        claims.check_acr(rules.acr_values)?;
        if let (Some(access_token), Some(hash)) = (rules.access_token, claims.text("at_hash")?)
            && *hash != half_hash(token.header().algorithm(), access_token)
        {
            return Err(ClaimsError::AccessTokenHash);
        }
        let subject = claims.required_text("sub")?;
        if subject.len() > limits::STRING {
            return Err(ClaimsError::WrongType { claim: "sub" });
        }
        Ok(Self {
            subject: subject.into(),
            expires_at_s: times.expires.floor_s(),
            authenticated_at_s: claims.time("auth_time")?.map(super::claims::NumericDate::floor_s),
            acr: claims.text("acr")?.map(Into::into),
            payload: token.into_payload(),
        })
    }

    /// All claims, such as `email` and `name`.
    ///
    /// # Errors
    /// None in practice: they were read before.
    pub fn claims(&self) -> Result<Claims<'_>, ClaimsError> {
        Claims::parse(&self.payload)
    }
}

/// The left half of the hash of the token's algorithm (`OpenID` Connect Core 3.1.3.6).
pub(crate) fn half_hash(algorithm: Algorithm, text: &str) -> String {
    let half = |hash: &[u8]| base64url::encode(hash.get(..hash.len() / 2).unwrap_or_default());
    match algorithm {
        Algorithm::Es256 | Algorithm::Ps256 | Algorithm::Rs256 => half(&Sha256::digest(text)),
        Algorithm::Es384 | Algorithm::Rs384 => half(&Sha384::digest(text)),
        Algorithm::EdDsa | Algorithm::Rs512 => half(&Sha512::digest(text)),
    }
}

/// Claims are personal data, and stay out of logs.
impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken").field("expires_at_s", &self.expires_at_s).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests {
    use super::*;
    use crate::jose::testing::{NOW, trusted, with};

    const CLAIMS: &str = r#"{"iss":"https://op","aud":"c","exp":1800000300,"iat":1800000000,"sub":"alice"}"#;

    fn check(claims: &str, change: impl Fn(&mut IdTokenRules<'_>)) -> Result<IdToken, ClaimsError> {
        let mut rules = IdTokenRules::new("https://op", "c");
        change(&mut rules);
        IdToken::check(trusted("JWT", claims), &rules, NOW)
    }

    fn refused(claims: &str) -> ClaimsError {
        check(claims, |_| {}).unwrap_err()
    }

    #[test]
    fn openid_connect_core_2_accepted() {
        let token = check(&with(CLAIMS, "email", r#""a@b""#), |_| {}).unwrap();
        assert_eq!(&*token.subject, "alice");
        assert_eq!(token.claims().unwrap().text("email").unwrap().unwrap(), "a@b");
        assert!(!format!("{token:?}").contains("alice"));
        let rules = IdTokenRules::new("https://op", "c");
        let access = IdToken::check(trusted("at+jwt", CLAIMS), &rules, NOW);
        assert_eq!(access.unwrap_err(), ClaimsError::Type, "RFC 8725 3.11");
    }

    #[test]
    fn openid_connect_core_3_1_3_7_2_issuer() {
        assert_eq!(refused(&with(CLAIMS, "iss", r#""https://op/""#)), ClaimsError::Issuer);
    }

    #[test]
    fn openid_connect_core_3_1_3_7_3_audience() {
        assert_eq!(refused(&with(CLAIMS, "aud", r#""other""#)), ClaimsError::Audience);
        let two = with(CLAIMS, "aud", r#"["c","d"]"#);
        assert_eq!(refused(&two), ClaimsError::AudienceUntrusted);
        assert!(check(&two, |rules| rules.other_audiences = &["d"]).is_ok());
    }

    #[test]
    fn openid_connect_core_3_1_3_7_5_authorized_party() {
        assert_eq!(refused(&with(CLAIMS, "azp", r#""d""#)), ClaimsError::AuthorizedParty);
        assert!(check(&with(CLAIMS, "azp", r#""c""#), |_| {}).is_ok());
    }

    #[test]
    fn openid_connect_core_3_1_3_7_9_and_10_times() {
        assert_eq!(refused(&with(CLAIMS, "exp", "1799999940")), ClaimsError::Expired);
        assert_eq!(refused(&with(CLAIMS, "iat", "1800000061")), ClaimsError::IssuedInFuture);
        for claim in ["iss", "sub", "aud", "exp", "iat"] {
            assert_eq!(refused(&with(CLAIMS, claim, "")), ClaimsError::Missing { claim });
        }
    }

    #[test]
    fn openid_connect_core_3_1_3_7_11_nonce() {
        let nonce = |claims: &str| check(claims, |rules| rules.nonce = Some("n")).map(|_| ());
        assert_eq!(nonce(CLAIMS), Err(ClaimsError::Nonce));
        assert_eq!(nonce(&with(CLAIMS, "nonce", r#""m""#)), Err(ClaimsError::Nonce));
        assert_eq!(nonce(&with(CLAIMS, "nonce", r#""n""#)), Ok(()));
    }

    #[test]
    fn openid_connect_core_3_1_3_7_12_acr() {
        let acr = |claims: &str| check(claims, |rules| rules.acr_values = &["gold"]);
        assert_eq!(acr(CLAIMS).unwrap_err(), ClaimsError::Acr);
        assert_eq!(acr(&with(CLAIMS, "acr", r#""gold""#)).unwrap().acr.as_deref(), Some("gold"));
    }

    #[test]
    fn openid_connect_core_3_1_3_7_13_auth_time() {
        let age = |claims: &str| check(claims, |rules| rules.max_age_s = Some(0));
        assert_eq!(age(CLAIMS).unwrap_err(), ClaimsError::Missing { claim: "auth_time" });
        let old = age(&with(CLAIMS, "auth_time", "1799999939"));
        assert_eq!(old.unwrap_err(), ClaimsError::AuthenticationTooOld);
        let fresh = age(&with(CLAIMS, "auth_time", "1799999940")).unwrap();
        assert_eq!(fresh.authenticated_at_s, Some(1_799_999_940));
    }

    #[test]
    fn openid_connect_core_3_1_3_8_access_token_hash() {
        let hash = |hash: &str| {
            let claims = with(CLAIMS, "at_hash", &format!("\"{hash}\""));
            check(&claims, |rules| rules.access_token = Some("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"))
                .map(|_| ())
        };
        assert_eq!(hash("77QmUPtjPfzWtF2AnpK9RQ"), Ok(()));
        assert_eq!(hash("77QmUPtjPfzWtF2AnpK9RA"), Err(ClaimsError::AccessTokenHash));
        assert!(check(CLAIMS, |rules| rules.access_token = Some("x")).is_ok(), "optional in the code flow");
        assert_eq!(half_hash(Algorithm::EdDsa, "x").len(), 43);
        assert_eq!(half_hash(Algorithm::Es384, "x").len(), 32);
    }
}
