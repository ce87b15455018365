//! The user's answer, and what comes of it.
//!
//! What the answer is for is kept first, and the interaction is taken off the store last: if something in between fails,
//! the user can answer again, and gets the same.

use super::admission::{Admitted, CodeOf, admit, error_page, issue_code, refused};
use super::context::Cx;
use super::device;
use super::interaction::{Asked, Open, UNKNOWN, UserDecision, allowed, find, page};
use super::outcome::Outcome;
use super::records::{Purpose as Asking, User};
use super::target::Target;
use super::wire::{AuthorizationParameters, OAuthError};
use crate::scope::ScopeSet;

pub(super) async fn resume(cx: Cx, asked: Asked, user: Option<User>) -> Outcome {
    let resumed = async { show(&cx, &find(&cx, &asked).await?, user).await };
    resumed.await.unwrap_or_else(|error| error_page(&error))
}

async fn show(cx: &Cx, open: &Open, user: Option<User>) -> Result<Outcome, OAuthError> {
    let client = cx.client(&open.record.client).await?;
    let page = page(cx, &open.record, &open.credential, &client, user).await?;
    Ok(Outcome::Page(Box::new(page)))
}

pub(super) async fn decide(cx: Cx, asked: Asked, user: User, decision: UserDecision) -> Outcome {
    decided(&cx, &asked, user, decision).await.unwrap_or_else(|error| error_page(&error))
}

async fn decided(cx: &Cx, asked: &Asked, user: User, decision: UserDecision) -> Result<Outcome, OAuthError> {
    let open = find(cx, asked).await?;
    if !open.was_shown_to(cx, &user) {
        return show(cx, &open, Some(user)).await;
    }
    let allowed = allowed(&open.record.scope, decision);
    match &open.record.purpose {
        Asking::Device { id } => {
            let outcome = device::decide(cx, id, user, allowed.ok()).await?;
            // The device is answered: nobody can answer it otherwise, so this may fail.
            let _ = open.take(cx).await;
            Ok(outcome)
        }
        Asking::Authorize { parameters, .. } => {
            let admitted = readmit(cx, parameters).await?;
            match allow(cx, &open, &admitted, &user, allowed).await {
                Ok(outcome) => {
                    // One interaction has one code, whether it is there or not: this may fail.
                    let _ = open.take(cx).await;
                    Ok(outcome)
                }
                Err(error) if error.is_for_now() || error == UNKNOWN => Err(error),
                Err(error) => {
                    open.take(cx).await?;
                    Ok(refused(cx, &admitted.response, &error))
                }
            }
        }
    }
}

/// The client may have changed since it was asked for.
async fn readmit(cx: &Cx, parameters: &str) -> Result<Admitted, OAuthError> {
    admit(cx, AuthorizationParameters::read(parameters)?).await
}

async fn allow(
    cx: &Cx,
    open: &Open,
    admitted: &Admitted,
    user: &User,
    allowed: Result<ScopeSet, OAuthError>,
) -> Result<Outcome, OAuthError> {
    let target = Target { scope: allowed?, resources: open.record.resources.clone() };
    let request = admitted.parameters.request()?;
    admitted.client.may("authorization_code")?;
    issue_code(cx, admitted, &request, &target, user, CodeOf::Interaction(&open.credential)).await
}
