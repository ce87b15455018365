//! Assertions of others for tokens (RFC 7523 2.1): ID-JAGs of an enterprise's identity provider (MCP extension
//! "Enterprise-Managed Authorization" 4), and the tokens that a platform gives its workloads.

use super::client_credentials::without_refresh;
use super::{Asked, Tokens, check_binding, invalid_grant};
use crate::address::same_resource;
use crate::jose::{Assertion, AssertionRules, IdJag, IdJagRules, Jws, JwsError, KeySet, Trusted};
use crate::scope::ScopeSet;
use crate::server::assertion::{issuer, redeem_id};
use crate::server::config::{AssertionIssuer, TrustedIssuer};
use crate::server::context::Cx;
use crate::server::fetch::{Age, FetchError};
use crate::server::records::User;
use crate::server::target::Target;
use crate::server::wire::{ErrorCode, OAuthError};

const UNTRUSTED: OAuthError = invalid_grant("the assertion is of no issuer that is trusted here");

pub(super) async fn redeem(cx: &Cx, asked: &Asked<'_>, assertion: &str) -> Result<Tokens, OAuthError> {
    check_binding(asked)?;
    let issuer = issuer(assertion).ok_or(invalid_grant("the assertion is no signed JWT"))?;
    let trusted = cx.provider.config.trusted_issuers.iter().find(|own| *own.issuer == *issuer);
    let trusted = trusted.ok_or(UNTRUSTED)?;
    let verified = verified(cx, trusted, assertion).await?;
    match &trusted.kind {
        AssertionIssuer::IdentityProvider => identity(cx, asked, trusted, verified).await,
        AssertionIssuer::Platform(workloads) => workload(cx, asked, trusted, workloads, verified).await,
    }
}

async fn verified(cx: &Cx, issuer: &TrustedIssuer, assertion: &str) -> Result<Trusted, OAuthError> {
    let parse = || Jws::parse(assertion).map_err(|_| invalid_grant("the assertion is no signed JWT"));
    for age in [Age::Fresh, Age::JustNow] {
        let keys = keys(cx, issuer, age).await?;
        match parse()?.verify_with(&keys, &issuer.algorithms) {
            Ok(trusted) => return Ok(trusted),
            Err(JwsError::UnknownKey) => {}
            Err(_) => return Err(invalid_grant("the assertion's signature is wrong")),
        }
    }
    Err(invalid_grant("the assertion is signed with an unknown key"))
}

async fn keys(cx: &Cx, issuer: &TrustedIssuer, age: Age) -> Result<KeySet, OAuthError> {
    if let Some(keys) = &issuer.keys {
        return Ok(keys.clone());
    }
    let uri = issuer.jwks_uri.as_ref().ok_or(UNTRUSTED)?;
    cx.keys_at(uri, age).await.map_err(|error| match error {
        FetchError::Unusable => UNTRUSTED,
        FetchError::Unavailable => {
            OAuthError::new(ErrorCode::TemporarilyUnavailable, "the issuer's keys cannot be had now")
        }
    })
}

/// What the enterprise's policy allows is in the ID-JAG; the request can only ask for less.
async fn identity(
    cx: &Cx,
    asked: &Asked<'_>,
    issuer: &TrustedIssuer,
    verified: Trusted,
) -> Result<Tokens, OAuthError> {
    if !asked.client.authenticated {
        let description = "an ID-JAG is redeemed by a client that authenticates";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    let config = &cx.provider.config;
    let now = cx.io.now_s();
    let resources: Vec<&str> = config.resources.iter().map(|resource| &*resource.uri).collect();
    let rules = IdJagRules {
        resources: &resources,
        ..IdJagRules::new(&issuer.issuer, &config.issuer, &asked.client.id)
    };
    let jag = IdJag::check(verified, &rules, now)
        .map_err(|_| invalid_grant("the ID-JAG is expired, or not for this client, server and resource"))?;
    let claims = jag.claims().map_err(|_| UNTRUSTED)?;
    let named = claims.resources().map_err(|_| UNTRUSTED)?;
    let named: Vec<&str> = named.iter().map(|resource| &**resource).collect();
    for resource in asked.resources {
        if !named.iter().any(|own| same_resource(own, resource)) {
            let description = "the resource is none of those of the ID-JAG";
            return Err(OAuthError::new(ErrorCode::InvalidTarget, description));
        }
    }
    let wanted = if asked.scope.is_empty() { &jag.scopes } else { asked.scope };
    let both = wanted.iter().filter(|token| jag.scopes.is_empty() || jag.scopes.contains(token));
    let scope = ScopeSet::from_tokens(both).unwrap_or_default();
    if scope.is_empty() && !wanted.is_empty() {
        let description = "none of the scopes is one of the ID-JAG's";
        return Err(OAuthError::new(ErrorCode::InvalidScope, description));
    }
    let resources = if asked.resources.is_empty() { &named } else { asked.resources };
    let target = Target::choose(config, &asked.client.description.scope, &scope, resources)?;
    let signed_in = claims.time("auth_time").ok().flatten().map_or(now, |time| time.floor_s());
    if !redeem_id(cx, &issuer.issuer, &jag.id, jag.expires_at_s).await? {
        return Err(invalid_grant("the ID-JAG was used before"));
    }
    // One subject of each issuer: two enterprises may have users of the same name.
    let user = User::new(&format!("{}|{}", issuer.issuer, jag.subject), signed_in);
    // No refresh token: a new ID-JAG asks the enterprise's policy again.
    without_refresh(cx, asked, &target, Some(&user), None).await
}

async fn workload(
    cx: &Cx,
    asked: &Asked<'_>,
    issuer: &TrustedIssuer,
    workloads: &[(Box<str>, Box<str>)],
    verified: Trusted,
) -> Result<Tokens, OAuthError> {
    let audiences = [&*cx.provider.config.issuer, &cx.provider.endpoints.token];
    let rules =
        AssertionRules { max_lifetime_s: 24 * 60 * 60, ..AssertionRules::new(&issuer.issuer, &audiences) };
    let assertion = Assertion::check(verified, &rules, cx.io.now_s())
        .map_err(|_| invalid_grant("the assertion is expired, or not for this server"))?;
    let is_client = |(subject, client): &&(Box<str>, Box<str>)| {
        *subject == assertion.subject && *client == asked.client.id
    };
    workloads.iter().find(is_client).ok_or(invalid_grant("the workload is not this client"))?;
    // A platform hands out the same token again until it ends: it is bound by its short life (RFC 7523 3, 7).
    let target =
        Target::choose(&cx.provider.config, &asked.client.description.scope, asked.scope, asked.resources)?;
    without_refresh(cx, asked, &target, None, None).await
}
