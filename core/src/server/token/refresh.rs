//! Refresh tokens: each has one successor, and one that is used when it is old takes down its grant (RFC 9700 4.14.2,
//! OAuth 2.1 4.3.1).

use super::{Asked, Tokens, check_binding, id_token_for, invalid_grant, target_of};
use crate::effect::RecordKind;
use crate::limits;
use crate::server::account::forget;
use crate::server::context::Cx;
use crate::server::credential::{Credential, Purpose, id_text};
use crate::server::exchange::Written;
use crate::server::issue::{AccessToken, remember};
use crate::server::records::{Grant, GrantState, LastAnswer};
use crate::server::store::Stored;
use crate::server::wire::{ErrorCode, OAuthError};

const REFUSED: OAuthError = invalid_grant("the refresh token is not valid, expired, or was revoked");

pub(super) async fn rotate(cx: &Cx, asked: &Asked<'_>, refresh_token: &str) -> Result<Tokens, OAuthError> {
    check_binding(asked)?;
    let secrets = &cx.provider.secrets;
    let presented = Credential::read(refresh_token, Purpose::RefreshToken, secrets).ok_or(REFUSED)?;
    let name = id_text(&presented.id);
    for _ in 0..limits::STORE_ROUNDS {
        let why = "a refresh token leads to its grant";
        let Stored { value: grant, revision } =
            cx.load::<Grant>(RecordKind::IssuedGrant, &name, why).await?.ok_or(REFUSED)?;
        let GrantState::Active { generation, refresh, at, last } = &grant.state else { return Err(REFUSED) };
        if *grant.client != *asked.client.id {
            return Err(REFUSED);
        }
        if grant.jkt.is_some() && grant.jkt.as_deref() != asked.jkt {
            return Err(OAuthError::new(ErrorCode::InvalidDpopProof, "the refresh token is for another key"));
        }
        let now = cx.io.now_s();
        let lifetimes = &cx.provider.config.lifetimes;
        if now >= grant.ends_at || now >= at.saturating_add(lifetimes.refresh_idle.as_secs()) {
            return Err(REFUSED);
        }
        let target = target_of(&grant.scope, &grant.resources).narrow(asked.scope, asked.resources)?;
        let is_current = presented.number == *generation && presented.has_hash(refresh);
        // A clock that was set back makes no window longer.
        let in_time = now.abs_diff(*at) < lifetimes.retry.as_secs();
        let successor = if in_time { presented.next_of(secrets, *generation, refresh) } else { None };
        let is_retry = successor.is_some();
        let next = successor.unwrap_or_else(|| presented.next(secrets));
        let mut access = AccessToken {
            grant: Some(&presented.id),
            generation: next.number,
            client: &grant.client,
            user: grant.user.as_ref(),
            target: &target,
            jkt: asked.jkt,
            issued_at: now,
            via: None,
        };
        if is_retry {
            // The answer was lost, or several of the client's processes asked at once: it is the same again.
            access.issued_at = *at;
            let same = last.as_ref().filter(|last| *last.asked == *access.asked(cx));
            let unique = same.and_then(|last| presented.open(secrets, &last.sealed));
            let issued = access.issue(cx, unique.as_ref().map(|unique| unique.as_slice())).await?;
            let is_new = issued.opaque.is_some() && unique.is_none();
            let opaque = issued.opaque.clone();
            let id = id_token_for(cx, &access, &issued.token, None).await?;
            let mut tokens = Tokens::new(cx, &access, issued);
            tokens.refresh = Some(next.text(Purpose::RefreshToken, secrets));
            tokens.id = id;
            if !is_new {
                return Ok(tokens);
            }
            let mut known = grant.clone();
            remember(&mut known, opaque, now);
            let until = known.kept_until(cx, true);
            let why = "an access token is known before it is used";
            match cx.save(RecordKind::IssuedGrant, &name, &known, Some(revision), until, why).await? {
                Written::Saved => return Ok(tokens),
                Written::Conflict => continue,
            }
        }
        if !is_current {
            // Genuine and old: two have it, and nobody knows who is who.
            forget(cx, &name, &grant, revision).await?;
            return Err(invalid_grant("the refresh token was used before; the grant is revoked"));
        }
        let issued = access.issue(cx, None).await?;
        let asked_for = access.asked(cx);
        let sealed = presented.seal(secrets, &issued.unique);
        let opaque = issued.opaque.clone();
        let id = id_token_for(cx, &access, &issued.token, None).await?;
        let mut tokens = Tokens::new(cx, &access, issued);
        tokens.refresh = Some(next.text(Purpose::RefreshToken, secrets));
        tokens.id = id;
        let last = sealed.map(|sealed| LastAnswer { asked: asked_for.into(), sealed: sealed.into() });
        let state =
            GrantState::Active { generation: next.number, refresh: next.hash().into(), at: now, last };
        let mut rotated = Grant { state, ..grant.clone() };
        remember(&mut rotated, opaque, now);
        let until = rotated.kept_until(cx, true);
        let why = "a refresh token has one successor";
        match cx.save(RecordKind::IssuedGrant, &name, &rotated, Some(revision), until, why).await? {
            Written::Saved => {
                cx.renew(asked.client).await;
                return Ok(tokens);
            }
            Written::Conflict => {} // somebody else used it: look again
        }
    }
    Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, "the server is busy; try again"))
}
