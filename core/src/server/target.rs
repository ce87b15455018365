//! What a token is for: resources and scopes (RFC 8707, RFC 6749 3.3).

use super::config::{ProtectedResource, ProviderConfig};
use super::wire::{ErrorCode, OAuthError};
use crate::address::same_resource;
use crate::scope::ScopeSet;

/// The scope of an ID token.
pub(super) const OPENID: &str = "openid";
/// The scope that asks for a refresh token (`OpenID` Connect Core 11).
pub(super) const OFFLINE: &str = "offline_access";

/// Resources by the names that the configuration has for them, and scopes of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) scope: ScopeSet,
    pub(super) resources: Vec<Box<str>>,
}

impl Target {
    /// What a request asks for, as far as the client may have it. Scopes that nobody here knows are left out, and the
    /// answer says which are left (RFC 6749 3.3).
    pub(super) fn choose(
        config: &ProviderConfig,
        allowed: &ScopeSet,
        scope: &ScopeSet,
        resources: &[&str],
    ) -> Result<Self, OAuthError> {
        let resources = named(config, scope, resources)?;
        let may = |token: &str| allowed.is_empty() || allowed.contains(token);
        let default: ScopeSet;
        let asked = if scope.iter().all(|token| matches!(token, OPENID | OFFLINE)) {
            let all = resources.iter().map(|resource| resource.default_scope());
            default = all.fold(scope.clone(), |all, own| all.union(&own));
            &default
        } else {
            scope
        };
        let known = |token: &str| {
            matches!(token, OPENID | OFFLINE)
                || may(token) && resources.iter().any(|resource| resource.has_scope(token))
        };
        let scope = ScopeSet::from_tokens(asked.iter().filter(|token| known(token))).unwrap_or_default();
        if scope.is_empty() && !asked.is_empty() {
            let description = "none of the scopes is one of the resource's that this client may have";
            return Err(OAuthError::new(ErrorCode::InvalidScope, description));
        }
        Ok(Self { scope, resources: resources.into_iter().map(|resource| resource.uri.clone()).collect() })
    }

    /// A part of it: never more than was granted (RFC 6749 6, RFC 8707 2.2).
    pub(super) fn narrow(&self, scope: &ScopeSet, resources: &[&str]) -> Result<Self, OAuthError> {
        if !self.scope.covers(scope) {
            let description = "the scope is more than the user granted";
            return Err(OAuthError::new(ErrorCode::InvalidScope, description));
        }
        let mut narrowed = Self {
            scope: if scope.is_empty() { self.scope.clone() } else { scope.clone() },
            resources: if resources.is_empty() { self.resources.clone() } else { Vec::new() },
        };
        for resource in resources {
            match self.resources.iter().find(|own| same_resource(own, resource)) {
                Some(own) if narrowed.resources.contains(own) => {}
                Some(own) => narrowed.resources.push(own.clone()),
                None => {
                    let description = "the resource is none of those that the user granted";
                    return Err(OAuthError::new(ErrorCode::InvalidTarget, description));
                }
            }
        }
        Ok(narrowed)
    }
}

/// The resources that a request names; where it names none, the only one that there is, or that has the scopes.
fn named<'a>(
    config: &'a ProviderConfig,
    scope: &ScopeSet,
    names: &[&str],
) -> Result<Vec<&'a ProtectedResource>, OAuthError> {
    let invalid = |description| OAuthError::new(ErrorCode::InvalidTarget, description);
    if names.is_empty() {
        let has_scope = |resource: &&ProtectedResource| scope.iter().any(|token| resource.has_scope(token));
        let fitting: Vec<_> = config.resources.iter().filter(has_scope).collect();
        match (&*config.resources, &*fitting) {
            ([only], _) => return Ok(vec![only]),
            (_, [_]) => return Ok(fitting),
            _ => {}
        }
        return Err(invalid("the request names no resource, and there are several (RFC 8707 section 2)"));
    }
    let mut resources: Vec<&ProtectedResource> = Vec::new();
    for name in names {
        let known = config.resources.iter().find(|resource| same_resource(&resource.uri, name));
        let known = known.ok_or(invalid("the resource is none of this server's"))?;
        if !resources.iter().any(|own| own.uri == known.uri) {
            resources.push(known);
        }
    }
    Ok(resources)
}
