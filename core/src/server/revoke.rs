//! Tokens given back (RFC 7009).

use super::account::forget;
use super::answer::Answer;
use super::context::Cx;
use super::introspect::{find_revocable, is_of};
use super::records::Grant;
use super::request::Request;
use super::wire::{ErrorCode, OAuthError};
use crate::effect::RecordKind;

/// Ends the grant that a token stands on, and with it all tokens of it (RFC 7009 2.1). A JWT of a client that acts for
/// itself stands on none, and one that another was exchanged for on another's: they end by their time.
pub(super) async fn answer(cx: &Cx, request: &Request) -> Result<Answer, OAuthError> {
    let parameters = request.form()?;
    let client = cx.authenticate(request, &parameters).await?;
    let missing = OAuthError::new(ErrorCode::InvalidRequest, "the token is missing");
    let token = parameters.get("token")?.ok_or(missing)?;
    // RFC 7009 2.2: a token that is not good is as good as revoked.
    let Some(found) = find_revocable(cx, token).await? else { return Ok(done()) };
    if !is_of(&found, &client) {
        let description = "the token was issued to another client";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    if let Some(name) = found.grant.as_ref().filter(|_| found.owns_grant()) {
        let why = "a client gives its tokens back";
        if let Some(stored) = cx.load::<Grant>(RecordKind::IssuedGrant, name, why).await? {
            forget(cx, name, &stored.value, stored.revision).await?;
        }
    }
    Ok(done())
}

fn done() -> Answer {
    Answer::json_text(200, "{}".into())
}
