//! What a token that was checked grants.

use std::fmt;

use url::Url;

use super::config::AuthorizationServer;
use super::policy::Bits;
use crate::address::same_resource;
use crate::jose::{AccessToken, Claims, ClaimsError, Confirmation};
use crate::scope::ScopeSet;

/// What a token grants: there is no other way to make one than to check a token.
#[non_exhaustive]
pub struct Grant {
    /// Who issued it.
    pub issuer: Box<str>,
    /// `sub`: the user, or the client itself.
    pub subject: Option<Box<str>>,
    /// `client_id`, or `azp` where that is all there is.
    pub client_id: Option<Box<str>>,
    /// Its scopes, as the token names them.
    pub scopes: ScopeSet,
    /// When it expires, in seconds since 1970, if it says so.
    pub expires_at_s: Option<u64>,
    /// To which key it is bound.
    pub confirmation: Confirmation,
    /// When the user authenticated, in seconds since 1970.
    pub auth_time_s: Option<u64>,
    /// How the user authenticated.
    pub acr: Option<Box<str>>,
    pub(super) worth: Bits,
    claims: Vec<u8>,
}

impl Grant {
    /// All claims, or members of the introspection answer, for the host's own rules.
    ///
    /// # Errors
    /// None in practice: they were read before.
    pub fn claims(&self) -> Result<Claims<'_>, ClaimsError> {
        Claims::parse(&self.claims)
    }

    /// About how much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        let texts = [&self.subject, &self.client_id, &self.acr].into_iter().flatten();
        let scopes: usize = self.scopes.iter().map(|scope| scope.len() + 24).sum();
        size_of::<Self>()
            + self.claims.capacity()
            + self.issuer.len()
            + scopes
            + texts.map(|text| text.len()).sum::<usize>()
    }

    /// From a token that was checked and its claims, all but the claims themselves.
    pub(super) fn of_jwt(
        token: AccessToken,
        claims: &Claims<'_>,
        worth: impl FnOnce(&ScopeSet) -> Bits,
    ) -> Result<Self, ClaimsError> {
        Ok(Self {
            worth: worth(&token.scopes),
            auth_time_s: claims.time("auth_time")?.map(crate::jose::NumericDate::floor_s),
            acr: claims.text("acr")?.map(Into::into),
            issuer: token.issuer,
            subject: token.subject,
            client_id: token.client_id,
            scopes: token.scopes,
            expires_at_s: Some(token.expires_at_s),
            confirmation: token.confirmation,
            claims: Vec::new(),
        })
    }

    pub(super) fn by(self, issuer: &str) -> Self {
        Self { issuer: issuer.into(), ..self }
    }

    pub(super) fn with_claims(self, json: Vec<u8>) -> Self {
        Self { claims: json, ..self }
    }

    /// From what an authorization server or a host says about a token (RFC 7662 2.2).
    pub(super) fn of_facts(
        json: &[u8],
        rules: &FactRules<'_>,
        worth: impl FnOnce(&ScopeSet) -> Bits,
    ) -> Result<Self, ClaimsError> {
        let claims = Claims::parse(json)?;
        let server = rules.server;
        let is_other =
            |name: &str| *server.issuer != *name && !server.known_as.iter().any(|own| **own == *name);
        if claims.text("iss")?.is_some_and(|issuer| is_other(&issuer)) {
            return Err(ClaimsError::Issuer);
        }
        let audiences = claims.audiences()?;
        let by_claim = match &server.audience_claim {
            Some(audience) => claims.has_audience_in(audience.parts())?,
            None => false,
        };
        if audiences.is_empty() && rules.audience_demanded && !by_claim {
            return Err(ClaimsError::Missing { claim: "aud" });
        }
        if !audiences.is_empty() && !audiences.iter().any(|audience| is_ours(audience, rules.audiences)) {
            return Err(ClaimsError::Audience);
        }
        // Google writes its times as strings.
        let expires = claims.time_or_digits("exp")?.map(crate::jose::NumericDate::floor_s);
        if expires.is_some_and(|expires| expires.saturating_add(rules.leeway_s) <= rules.unix_s) {
            return Err(ClaimsError::Expired);
        }
        let latest = rules.unix_s.saturating_add(rules.leeway_s);
        if claims.time_or_digits("nbf")?.is_some_and(|time| time.ceil_s() > latest) {
            return Err(ClaimsError::NotYetValid);
        }
        if claims.time_or_digits("iat")?.is_some_and(|time| time.floor_s() > latest) {
            return Err(ClaimsError::IssuedInFuture);
        }
        let scopes = if server.scope_claims.is_empty() {
            claims.scopes()?
        } else {
            claims.scopes_in(&server.scope_claims)?
        };
        let confirmation = claims.confirmation()?;
        check_kind(&claims, &confirmation)?;
        Ok(Self {
            worth: worth(&scopes),
            issuer: server.issuer.clone(),
            subject: claims.text("sub")?.map(Into::into),
            client_id: claims.text("client_id")?.map(Into::into),
            scopes,
            expires_at_s: expires,
            confirmation,
            auth_time_s: claims.time("auth_time")?.map(crate::jose::NumericDate::floor_s),
            acr: claims.text("acr")?.map(Into::into),
            claims: json.into(),
        })
    }
}

/// What the facts of a token are held against.
pub(super) struct FactRules<'a> {
    pub(super) server: &'a AuthorizationServer,
    pub(super) audiences: &'a [Box<str>],
    pub(super) audience_demanded: bool,
    pub(super) leeway_s: u64,
    pub(super) unix_s: u64,
}

/// That it is an access token: servers call refresh tokens and ID tokens active, too (RFC 7662 2.2 `token_type`).
fn check_kind(claims: &Claims<'_>, confirmation: &Confirmation) -> Result<(), ClaimsError> {
    claims.check_access_token()?;
    let is = |kind: &str, names: &[&str]| names.iter().any(|name| kind.eq_ignore_ascii_case(name));
    if let Some(kind) = claims.text("token_type")? {
        if !is(&kind, &["Bearer", "DPoP", "access_token"]) {
            return Err(ClaimsError::WrongType { claim: "token_type" });
        }
        if is(&kind, &["DPoP"]) && *confirmation == Confirmation::None {
            return Err(ClaimsError::Missing { claim: "cnf" });
        }
    }
    Ok(())
}

/// Whether an audience is this resource: octet by octet, or by the same URL where only scheme and host
/// are written in another case (MCP "Canonical Server URI").
pub(super) fn is_ours(audience: &str, ours: &[Box<str>]) -> bool {
    ours.iter().any(|own| **own == *audience)
        || Url::parse(audience).is_ok() && ours.iter().any(|own| same_resource(own, audience))
}

/// Claims are personal data, and stay out of logs.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("issuer", &self.issuer)
            .field("scopes", &self.scopes)
            .field("expires_at_s", &self.expires_at_s)
            .finish_non_exhaustive()
    }
}
