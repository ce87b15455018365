//! The user's answer, and what comes of it.

use super::admission::{Admitted, admit, error_page, issue_code, refused};
use super::context::Cx;
use super::device;
use super::interaction::{Asked, UserDecision, allowed, find, page, taken};
use super::outcome::Outcome;
use super::records::{Interaction, Purpose as Asking, User};
use super::target::Target;
use super::wire::{AuthorizationParameters, OAuthError};

pub(super) async fn resume(cx: Cx, asked: Asked, user: Option<User>) -> Outcome {
    let resumed = async {
        let (stored, credential) = find(&cx, &asked).await?;
        let client = cx.client(&stored.value.client).await?;
        let page = page(&cx, &stored.value, &credential, &client, user).await?;
        Ok::<_, OAuthError>(Outcome::Page(Box::new(page)))
    };
    resumed.await.unwrap_or_else(|error| error_page(&error))
}

pub(super) async fn decide(cx: Cx, asked: Asked, user: User, decision: UserDecision) -> Outcome {
    let record = match taken(&cx, &asked, &user).await {
        Ok(taken) => taken,
        Err(error) => return error_page(&error),
    };
    match &record.purpose {
        Asking::Device { id } => device::decide(&cx, &record, id, user, decision).await,
        Asking::Authorize { parameters, .. } => {
            let admitted = match readmit(&cx, parameters).await {
                Ok(admitted) => admitted,
                Err(error) => return error_page(&error),
            };
            let answered = answered(&cx, &record, &admitted, &user, decision).await;
            answered.unwrap_or_else(|error| refused(&cx, &admitted.response, &error))
        }
    }
}

/// The client may have changed since it was asked for.
async fn readmit(cx: &Cx, parameters: &str) -> Result<Admitted, OAuthError> {
    admit(cx, AuthorizationParameters::read(parameters)?).await
}

async fn answered(
    cx: &Cx,
    record: &Interaction,
    admitted: &Admitted,
    user: &User,
    decision: UserDecision,
) -> Result<Outcome, OAuthError> {
    let scope = allowed(&record.scope, decision)?;
    let request = admitted.parameters.request()?;
    let target = Target { scope, resources: record.resources.clone() };
    admitted.client.may("authorization_code")?;
    issue_code(cx, admitted, &request, &target, user).await
}
