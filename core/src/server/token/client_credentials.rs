//! Tokens for the client itself (RFC 6749 4.4).

use super::{Asked, Tokens, check_binding};
use crate::effect::RecordKind;
use crate::scope::ScopeSet;
use crate::server::config::TokenFormat;
use crate::server::context::Cx;
use crate::server::credential::id_text;
use crate::server::issue::{AccessToken, Via, remember};
use crate::server::records::{Grant, GrantState, User, VERSION};
use crate::server::target::{OFFLINE, OPENID, Target};
use crate::server::wire::{ErrorCode, OAuthError};

pub(super) async fn issue(cx: &Cx, asked: &Asked<'_>) -> Result<Tokens, OAuthError> {
    if !asked.client.authenticated {
        let description = "a client without credentials has no grant of its own";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    check_binding(asked)?;
    let mut target =
        Target::choose(&cx.provider.config, &asked.client.description.scope, asked.scope, asked.resources)?;
    // There is no user to identify, and nothing to refresh.
    let own = target.scope.iter().filter(|token| !matches!(*token, OPENID | OFFLINE));
    target.scope = ScopeSet::from_tokens(own).unwrap_or_default();
    without_refresh(cx, asked, &target, None, None).await
}

/// A token without a refresh token. One that is no JWT has a record, in which the resource's question finds it.
pub(super) async fn without_refresh(
    cx: &Cx,
    asked: &Asked<'_>,
    target: &Target,
    user: Option<&User>,
    via: Option<&Via>,
) -> Result<Tokens, OAuthError> {
    let now = cx.io.now_s();
    let opaque = cx.provider.config.token_format == TokenFormat::Opaque;
    let id = opaque.then(|| cx.io.random::<16>());
    let access = AccessToken {
        grant: id.as_ref(),
        generation: 0,
        client: &asked.client.id,
        user,
        target,
        jkt: asked.jkt,
        issued_at: now,
        via,
    };
    let issued = access.issue(cx, None).await?;
    if let Some(id) = &id {
        let ends_at = access.expires_at(cx);
        let mut grant = Grant {
            v: VERSION,
            client: asked.client.id.clone(),
            user: user.cloned(),
            scope: target.scope.clone(),
            resources: target.resources.clone(),
            created_at: now,
            ends_at,
            jkt: None,
            parent: via.and_then(|via| via.parent.clone()),
            state: GrantState::Active { generation: 0, refresh: "".into(), at: now, last: None },
            opaque: Vec::new(),
        };
        remember(&mut grant, issued.opaque.clone(), now);
        let why = "an access token is known before it is used";
        cx.save(RecordKind::IssuedGrant, &id_text(id), &grant, None, ends_at, why).await?;
    }
    Ok(Tokens::new(cx, &access, issued))
}
