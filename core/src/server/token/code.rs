//! Codes for tokens (RFC 6749 4.1.3, RFC 7636 4.6).

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Asked, Tokens, check_binding, id_token_for, invalid_grant, refresh_key, refreshes, target_of};
use crate::effect::RecordKind;
use crate::jose::encode_base64url;
use crate::limits;
use crate::server::account::{forget, keep};
use crate::server::context::Cx;
use crate::server::credential::{Credential, Purpose, id_text};
use crate::server::exchange::Written;
use crate::server::issue::{AccessToken, remember};
use crate::server::records::{Grant, GrantState};
use crate::server::store::Stored;
use crate::server::wire::{ErrorCode, OAuthError};

const REFUSED: OAuthError = invalid_grant("the code is not valid, or was used before");

pub(super) async fn exchange(
    cx: &Cx,
    asked: &Asked<'_>,
    code: &str,
    redirect_uri: Option<&str>,
    verifier: &str,
) -> Result<Tokens, OAuthError> {
    check_binding(asked)?;
    let code = Credential::read(code, Purpose::Code, &cx.provider.secrets).ok_or(REFUSED)?;
    let name = id_text(&code.id);
    for _ in 0..limits::STORE_ROUNDS {
        let why = "a code leads to its grant";
        let Stored { value: grant, revision } =
            cx.load::<Grant>(RecordKind::IssuedGrant, &name, why).await?.ok_or(REFUSED)?;
        if *grant.client != *asked.client.id {
            return Err(REFUSED);
        }
        let GrantState::Issued { code: hash, challenge, redirect_uri: sent_to, nonce, until } = &grant.state
        else {
            // RFC 6749 4.1.2: what came of a code that is used twice is taken back.
            forget(cx, &name, &grant, revision).await?;
            return Err(REFUSED);
        };
        let now = cx.io.now_s();
        if !code.has_hash(hash) || now >= *until {
            return Err(REFUSED);
        }
        if redirect_uri.is_some_and(|uri| *uri != **sent_to) {
            return Err(invalid_grant("the redirect_uri is another than the code was sent to"));
        }
        if !proves(verifier, challenge) {
            return Err(invalid_grant("the code_verifier is not the one of the code_challenge"));
        }
        if grant.jkt.is_some() && grant.jkt.as_deref() != asked.jkt {
            return Err(OAuthError::new(
                ErrorCode::InvalidDpopProof,
                "the code is for another key (dpop_jkt)",
            ));
        }
        let target = target_of(&grant.scope, &grant.resources).narrow(asked.scope, asked.resources)?;
        let next = code.next(&cx.provider.secrets);
        let access = AccessToken {
            grant: Some(&code.id),
            generation: 1,
            client: &asked.client.id,
            user: grant.user.as_ref(),
            target: &target,
            jkt: asked.jkt,
            issued_at: now,
            via: None,
        };
        let issued = access.issue(cx, None).await?;
        let id = id_token_for(cx, &access, &issued.token, nonce.as_deref()).await?;
        let opaque = issued.opaque.clone();
        let mut tokens = Tokens::new(cx, &access, issued);
        tokens.id = id;
        let refresh = refreshes(asked.client);
        if refresh {
            tokens.refresh = Some(next.text(Purpose::RefreshToken, &cx.provider.secrets));
        }
        let state = GrantState::Active {
            generation: if refresh { next.number } else { 0 },
            refresh: next.hash().into(),
            at: now,
            last: None,
        };
        let mut active = Grant { state, jkt: refresh_key(asked), ..grant.clone() };
        remember(&mut active, opaque, now);
        let until = active.kept_until(cx, refresh);
        if let Some(user) = &grant.user
            && !keep(cx, &user.subject, &name).await?
        {
            return Err(REFUSED);
        }
        let why = "a code is exchanged once";
        match cx.save(RecordKind::IssuedGrant, &name, &active, Some(revision), until, why).await? {
            Written::Saved => return Ok(tokens),
            Written::Conflict => {} // somebody else exchanged it: look again
        }
    }
    Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, "the server is busy; try again"))
}

/// RFC 7636 4.1, 4.6.
fn proves(verifier: &str, challenge: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let hash = encode_base64url(Sha256::digest(verifier));
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(is_unreserved)
        && bool::from(hash.as_bytes().ct_eq(challenge.as_bytes()))
}

impl Grant {
    /// How long the record is needed: for as long as its refresh token is good, or its access tokens.
    pub(in crate::server) fn kept_until(&self, cx: &Cx, refreshes: bool) -> u64 {
        let lifetimes = &cx.provider.config.lifetimes;
        let now = cx.io.now_s();
        let access = now.saturating_add(lifetimes.access_token.as_secs());
        let idle = now.saturating_add(lifetimes.refresh_idle.as_secs());
        if refreshes { idle.min(self.ends_at).max(access) } else { access }
    }
}
