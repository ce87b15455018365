//! Assertions by which clients and workloads say who they are (RFC 7523).

use sha2::{Digest as _, Sha256};

use super::client::Client;
use super::context::Cx;
use super::fetch::Age;
use super::metadata::ALGORITHMS;
use super::wire::{ErrorCode, OAuthError};
use crate::effect::RecordKind;
use crate::jose::{Assertion, AssertionRules, Claims, Jws, JwsError, KeySet, encode_base64url};

/// Who says it made an assertion, to find the keys with which that can be checked.
pub(super) fn issuer(assertion: &str) -> Option<String> {
    let payload = Jws::parse(assertion).ok()?.unverified_payload().ok()?;
    Claims::parse(&payload).ok()?.required_text("iss").ok().map(Into::into)
}

/// Checks what a client made to authenticate (`private_key_jwt`).
pub(super) async fn check_client(cx: &Cx, client: &Client, text: &str) -> Result<(), OAuthError> {
    let failed = |description| OAuthError::new(ErrorCode::InvalidClient, description);
    let verified = |keys: &KeySet| {
        let jws = Jws::parse(text).map_err(|_| failed("the client_assertion is no signed JWT"))?;
        match jws.verify_with(keys, &ALGORITHMS) {
            Ok(trusted) => Ok(Some(trusted)),
            Err(JwsError::UnknownKey) => Ok(None),
            Err(_) => Err(failed("the client_assertion's signature is wrong")),
        }
    };
    let trusted = match verified(&cx.client_keys(client, Age::Fresh).await?)? {
        Some(trusted) => trusted,
        None => {
            let keys = cx.client_keys(client, Age::JustNow).await?;
            verified(&keys)?.ok_or(failed("the client_assertion is signed with an unknown key"))?
        }
    };
    // Issuer or token endpoint: RFC 7523 3 has both, its successor the issuer alone.
    let audiences = [&*cx.provider.config.issuer, &cx.provider.endpoints.token];
    let rules = AssertionRules { subject: Some(&client.id), ..AssertionRules::new(&client.id, &audiences) };
    let assertion = Assertion::check(trusted, &rules, cx.io.now_s()).map_err(|_| {
        failed("the client_assertion is expired, or not about this client and for this server")
    })?;
    if redeem(cx, &client.id, &assertion).await? {
        Ok(())
    } else {
        Err(failed("the client_assertion was used before, or has no jti"))
    }
}

/// Uses an assertion up: whether it is the first use.
pub(super) async fn redeem(cx: &Cx, issuer: &str, assertion: &Assertion) -> Result<bool, OAuthError> {
    let Some(id) = &assertion.id else { return Ok(false) };
    redeem_id(cx, issuer, id, assertion.expires_at_s).await
}

pub(super) async fn redeem_id(
    cx: &Cx,
    issuer: &str,
    id: &str,
    expires_at_s: u64,
) -> Result<bool, OAuthError> {
    let mut hasher = Sha256::new();
    hasher.update((issuer.len() as u64).to_be_bytes());
    hasher.update(issuer);
    hasher.update(id);
    let name = encode_base64url(hasher.finalize());
    let until = expires_at_s.saturating_add(2 * crate::limits::CLOCK_LEEWAY_S);
    Ok(cx.use_once(RecordKind::Assertion, &name, until, "an assertion is redeemed once").await?)
}
