//! Tokens with which a protected server calls another for its user (RFC 8693): delegation, by the operator's policy.

use super::client_credentials::without_refresh;
use super::{Asked, Tokens, check_binding};
use crate::address::same_resource;
use crate::limits;
use crate::server::config::TokenFormat;
use crate::server::context::Cx;
use crate::server::downstream::{Actors, Downstream};
use crate::server::introspect::{Found, find};
use crate::server::issue::Via;
use crate::server::target::Target;
use crate::server::wire::{ErrorCode, OAuthError, TokenExchange};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

const fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, description)
}

pub(super) async fn exchange(
    cx: &Cx,
    asked: &Asked<'_>,
    wanted: &TokenExchange<'_>,
) -> Result<Tokens, OAuthError> {
    if !asked.client.authenticated {
        let description = "a client without credentials exchanges no tokens";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    check_binding(asked)?;
    let issued_type = issued_type(cx, wanted)?;
    // RFC 8693 2.2.2: whatever is wrong with the token is invalid_request.
    let subject = find(cx, wanted.subject_token).await?.filter(Found::is_access_token);
    let subject =
        subject.ok_or(invalid("the subject_token is no access token of this server that is good"))?;
    let user = subject.user().ok_or(invalid("the subject_token is of no user"))?;
    let target = target(cx, asked, wanted, &subject)?;
    let mut actors = Actors(vec![asked.client.id.clone()]);
    actors.0.extend(subject.actors.0.iter().cloned());
    if actors.0.len() > limits::ACTORS {
        return Err(invalid("the subject_token has gone through too many exchanges"));
    }
    let via = Via { actors, until: subject.exp, parent: subject.grant.clone() };
    let tokens = without_refresh(cx, asked, &target, Some(&user), Some(&via)).await?;
    Ok(Tokens { issued_type: Some(issued_type), ..tokens })
}

/// What the token will be, as far as one was asked for that there is.
fn issued_type(cx: &Cx, wanted: &TokenExchange<'_>) -> Result<&'static str, OAuthError> {
    if wanted.actor_token.is_some() {
        return Err(invalid("the client itself is who acts: an actor_token is not taken"));
    }
    let is_jwt = cx.provider.config.token_format == TokenFormat::Jwt;
    match wanted.subject_token_type {
        ACCESS_TOKEN => {}
        JWT if is_jwt => {}
        _ => return Err(invalid("the subject_token_type is none that is exchanged: give an access token")),
    }
    match wanted.requested_token_type {
        None | Some(ACCESS_TOKEN) => Ok(ACCESS_TOKEN),
        Some(JWT) if is_jwt => Ok(JWT),
        Some(_) => Err(invalid("the requested_token_type is none that is issued: ask for an access token")),
    }
}

/// The one resource that is asked for, and scopes of the policies for it.
fn target(
    cx: &Cx,
    asked: &Asked<'_>,
    wanted: &TokenExchange<'_>,
    subject: &Found,
) -> Result<Target, OAuthError> {
    let own = cx.provider.config.clients.iter().find(|own| own.id == asked.client.id);
    let allowed = own.map_or(&[][..], |own| &*own.downstream);
    let mut policies: Vec<&Downstream> = allowed.iter().filter(|one| subject.is_for(&one.from)).collect();
    if policies.is_empty() {
        return Err(invalid("the subject_token is for no resource whose tokens this client may exchange"));
    }
    policies.retain(|policy| subject.has(&policy.needs));
    let invalid = |description| OAuthError::new(ErrorCode::InvalidTarget, description);
    let names = || asked.resources.iter().chain(&wanted.audience);
    let named = |policy: &&&Downstream| names().all(|name| same_resource(&policy.to, name));
    let mut fitting = policies.iter().filter(named);
    let first = fitting.next().ok_or(invalid("tokens of this user are not exchanged for the target"))?;
    let mut scope = first.scope.clone();
    for policy in fitting {
        if !same_resource(&policy.to, &first.to) {
            return Err(invalid("the request names no target, and there are several"));
        }
        scope = scope.union(&policy.scope);
    }
    if !scope.covers(asked.scope) {
        let description = "the scope is more than tokens of this user are exchanged for";
        return Err(OAuthError::new(ErrorCode::InvalidScope, description));
    }
    let scope = if asked.scope.is_empty() { scope } else { asked.scope.clone() };
    Ok(Target { scope, resources: vec![first.to.clone()] })
}
