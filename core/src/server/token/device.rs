//! Device codes for tokens (RFC 8628 3.4, 3.5).

use super::{Asked, Tokens, check_binding, id_token_for, invalid_grant, refresh_key, refreshes};
use crate::effect::RecordKind;
use crate::server::account::{self, NewGrant};
use crate::server::context::Cx;
use crate::server::credential::{Credential, Purpose, id_text};
use crate::server::exchange::Written;
use crate::server::issue::{AccessToken, remember};
use crate::server::records::{Device, DeviceAnswer, GrantState};
use crate::server::store::Stored;
use crate::server::target::Target;
use crate::server::wire::{ErrorCode, OAuthError};

const EXPIRED: OAuthError = OAuthError::new(ErrorCode::ExpiredToken, "the device code has expired");

pub(super) async fn exchange(cx: &Cx, asked: &Asked<'_>, device_code: &str) -> Result<Tokens, OAuthError> {
    check_binding(asked)?;
    let refused = invalid_grant("the device code is not valid, or was used before");
    let secrets = &cx.provider.secrets;
    let code = Credential::read(device_code, Purpose::DeviceCode, secrets).ok_or(refused)?;
    let name = id_text(&code.id);
    let why = "a device asks whether its user has answered";
    let stored = cx.load::<Device>(RecordKind::Device, &name, why).await?;
    let Stored { value: device, revision } = stored.ok_or(EXPIRED)?;
    if *device.client != *asked.client.id || !code.has_hash(&device.secret) {
        return Err(refused);
    }
    let now = cx.io.now_s();
    if now >= device.until {
        return Err(EXPIRED);
    }
    let Some(answer) = &device.answer else {
        let early = now < device.next_at;
        // RFC 8628 3.5: the interval grows by 5 seconds, for this and all later requests.
        let interval = if early { device.interval.saturating_add(5) } else { device.interval };
        let polled = Device { interval, next_at: now.saturating_add(interval), ..device.clone() };
        let why = "a device asks no more often than it may";
        cx.save(RecordKind::Device, &name, &polled, Some(revision), device.until, why).await?;
        return Err(if early {
            OAuthError::new(ErrorCode::SlowDown, "ask five seconds less often")
        } else {
            OAuthError::new(ErrorCode::AuthorizationPending, "the user has not answered yet")
        });
    };
    let why = "a device code is exchanged once";
    let DeviceAnswer::Allowed { user, scope } = answer else {
        cx.delete(RecordKind::Device, &name, revision, why).await?;
        return Err(OAuthError::new(ErrorCode::AccessDenied, "the user said no"));
    };
    let granted = Target { scope: scope.clone(), resources: device.resources.clone() };
    let target = granted.narrow(asked.scope, asked.resources)?;
    let first = Credential::new(cx.io.random(), 1, cx.io.random());
    let access = AccessToken {
        grant: Some(&first.id),
        generation: 1,
        client: &asked.client.id,
        user: Some(user),
        target: &target,
        jkt: asked.jkt,
        issued_at: now,
        via: None,
    };
    let issued = access.issue(cx, None).await?;
    let id = id_token_for(cx, &access, &issued.token, None).await?;
    let refresh = refreshes(asked.client);
    let state = GrantState::Active {
        generation: if refresh { 1 } else { 0 },
        refresh: first.hash().into(),
        at: now,
        last: None,
    };
    let new = NewGrant { client: asked.client, user, target: &granted, jkt: refresh_key(asked), state };
    let mut grant = new.record(cx);
    remember(&mut grant, issued.opaque.clone(), now);
    let until = grant.kept_until(cx, refresh);
    let new_name = id_text(&first.id);
    // Before the code is used up, so that it is good still if this fails.
    account::save_new(cx, &new_name, &grant, asked.client, until).await?;
    if cx.delete(RecordKind::Device, &name, revision, why).await? == Written::Conflict {
        account::delete_grant(cx, &new_name).await?;
        return Err(refused);
    }
    let mut tokens = Tokens::new(cx, &access, issued);
    tokens.id = id;
    tokens.refresh = refresh.then(|| first.text(Purpose::RefreshToken, secrets));
    Ok(tokens)
}
