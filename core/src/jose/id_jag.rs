//! Identity assertion authorization grants (draft-ietf-oauth-identity-assertion-authz-grant): what an
//! enterprise's identity provider issues for one client at one authorization server.

use std::fmt;

use super::claims::{Claims, ClaimsError, Clock};
use super::jws::Trusted;
use crate::limits;
use crate::scope::ScopeSet;

/// What an ID-JAG must be.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct IdJagRules<'a> {
    /// The identity provider.
    pub issuer: &'a str,
    /// The issuer identifier of the authorization server that is to accept it.
    pub audience: &'a str,
    /// The client's id at that authorization server.
    pub client_id: &'a str,
    /// The resources for one of which it must be (MCP extension "Enterprise-Managed Authorization" 4.3); empty for
    /// any or none.
    pub resources: &'a [&'a str],
    /// How far the issuer's clock may be off, in seconds.
    pub leeway_s: u64,
}

impl<'a> IdJagRules<'a> {
    /// For any resource, with [`limits::CLOCK_LEEWAY_S`].
    pub const fn new(issuer: &'a str, audience: &'a str, client_id: &'a str) -> Self {
        Self { issuer, audience, client_id, resources: &[], leeway_s: limits::CLOCK_LEEWAY_S }
    }
}

/// An ID-JAG that was checked: there is no other way to make one.
#[non_exhaustive]
pub struct IdJag {
    /// `sub`: the user.
    pub subject: Box<str>,
    /// `jti`: accepted once by whoever redeems it.
    pub id: Box<str>,
    /// `scope`.
    pub scopes: ScopeSet,
    /// `exp`, in seconds since 1970.
    pub expires_at_s: u64,
    payload: Vec<u8>,
}

impl IdJag {
    /// The `typ` of its header.
    pub const TYPE: &'static str = "oauth-id-jag+jwt";

    /// Checks what a signed grant says, at `unix_s` seconds since 1970.
    ///
    /// # Errors
    /// [`ClaimsError`]: one variant for each rule.
    pub fn check(grant: Trusted, rules: &IdJagRules<'_>, unix_s: u64) -> Result<Self, ClaimsError> {
        if !grant.header().is_type(Self::TYPE) {
            return Err(ClaimsError::Type);
        }
        let claims = grant.claims()?;
        claims.check_issuer(rules.issuer)?;
        claims.check_audience(|audience| audience == rules.audience)?;
        if claims.audiences()?.len() > 1 {
            return Err(ClaimsError::AudienceUntrusted);
        }
        if claims.required_text("client_id")? != rules.client_id {
            return Err(ClaimsError::ClientId);
        }
        let times = claims.check_times(Clock { unix_s, leeway_s: rules.leeway_s })?;
        times.issued.ok_or(ClaimsError::Missing { claim: "iat" })?;
        let resources = claims.resources()?;
        if !rules.resources.is_empty() && !resources.iter().any(|own| rules.resources.contains(&&**own)) {
            return Err(ClaimsError::Resource);
        }
        Ok(Self {
            subject: claims.required_text("sub")?.into(),
            id: claims.required_text("jti")?.into(),
            scopes: claims.scopes()?,
            expires_at_s: times.expires.floor_s(),
            payload: grant.into_payload(),
        })
    }

    /// All claims, such as `tenant` and `auth_time`.
    ///
    /// # Errors
    /// None in practice: they were read before.
    pub fn claims(&self) -> Result<Claims<'_>, ClaimsError> {
        Claims::parse(&self.payload)
    }
}

/// Claims are personal data, and stay out of logs.
impl fmt::Debug for IdJag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdJag")
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

    const CLAIMS: &str = r#"{"iss":"https://idp","sub":"alice","aud":"https://as","client_id":"c","jti":"j","exp":1800000300,"iat":1800000000,"resource":"https://h/mcp","scope":"a b"}"#;

    fn check(claims: &str) -> Result<IdJag, ClaimsError> {
        let mut rules = IdJagRules::new("https://idp", "https://as", "c");
        rules.resources = &["https://h/mcp"];
        IdJag::check(trusted("oauth-id-jag+jwt", claims), &rules, NOW)
    }

    #[test]
    fn id_jag_3_accepted() {
        let grant = check(CLAIMS).unwrap();
        assert_eq!((&*grant.subject, &*grant.id), ("alice", "j"));
        assert_eq!(grant.scopes.to_string(), "a b");
        assert_eq!(
            check(&with(CLAIMS, "resource", "")).unwrap_err(),
            ClaimsError::Resource,
            "MCP demands it"
        );
        assert!(check(&with(CLAIMS, "resource", r#"["https://x","https://h/mcp"]"#)).is_ok());
        assert!(!format!("{grant:?}").contains("alice"));
    }

    #[test]
    fn id_jag_3_refused() {
        let refused = |member, value| check(&with(CLAIMS, member, value)).unwrap_err();
        assert_eq!(refused("iss", r#""https://other""#), ClaimsError::Issuer);
        assert_eq!(refused("aud", r#""https://as/token""#), ClaimsError::Audience);
        assert_eq!(refused("aud", r#"["https://as","https://other"]"#), ClaimsError::AudienceUntrusted);
        assert_eq!(refused("client_id", r#""d""#), ClaimsError::ClientId);
        assert_eq!(refused("resource", r#""https://h""#), ClaimsError::Resource);
        assert_eq!(refused("exp", "1799999940"), ClaimsError::Expired);
        assert_eq!(refused("scope", r#""ü""#), ClaimsError::Scope);
        for claim in ["iss", "sub", "aud", "client_id", "jti", "exp", "iat"] {
            assert_eq!(refused(claim, ""), ClaimsError::Missing { claim });
        }
    }

    #[test]
    fn id_jag_4_typ() {
        let rules = IdJagRules::new("https://idp", "https://as", "c");
        let error = IdJag::check(trusted("JWT", CLAIMS), &rules, NOW).unwrap_err();
        assert_eq!(error, ClaimsError::Type);
    }
}
