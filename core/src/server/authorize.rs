//! The authorization endpoint (RFC 6749 4.1.1, OAuth 2.1 4.1.1).

use http::Method;

use super::account;
use super::admission::{Admitted, CodeOf, admit, error_page, issue_code, remembers, target, turned_away};
use super::context::Cx;
use super::interaction;
use super::outcome::Outcome;
use super::pushed;
use super::records::{Interaction, Purpose as Asking, User, VERSION};
use super::request::Request;
use super::target::Target;
use super::wire::{AuthorizationParameters, AuthorizationRequest, ErrorCode, OAuthError, Prompt};

pub(super) async fn answer(cx: Cx, request: Request, user: Option<User>) -> Outcome {
    let (admitted, was_pushed) = match read(&cx, &request).await {
        Ok(read) => read,
        Err(error) => return error_page(&error),
    };
    match authorize(&cx, &admitted, was_pushed, user.clone()).await {
        Ok(outcome) => outcome,
        Err(error) => turned_away(&cx, &admitted, user.as_ref(), &error).await,
    }
}

/// The request, and whether it was pushed. Whatever is wrong before the redirect URI is known to be the client's is told to the user, and goes nowhere.
async fn read(cx: &Cx, request: &Request) -> Result<(Admitted, bool), OAuthError> {
    let parameters = match request.method {
        Method::GET => AuthorizationParameters::read(request.target.query().unwrap_or_default())?,
        Method::POST => AuthorizationParameters::of(request.form()?),
        _ => return Err(OAuthError::new(ErrorCode::InvalidRequest, "this page is for GET and POST")),
    };
    match parameters.request_uri()? {
        Some(request_uri) => {
            let pushed = pushed::take(cx, request_uri, parameters.client_id()?).await?;
            Ok((admit(cx, pushed).await?, true))
        }
        None => Ok((admit(cx, parameters).await?, false)),
    }
}

async fn authorize(
    cx: &Cx,
    admitted: &Admitted,
    was_pushed: bool,
    user: Option<User>,
) -> Result<Outcome, OAuthError> {
    let Admitted { client, parameters, .. } = admitted;
    let request = parameters.request()?;
    let target = target(cx, client, &request)?;
    if cx.provider.config.pushed_requests_required && !was_pushed {
        return Err(OAuthError::new(ErrorCode::InvalidRequest, "push the request first (RFC 9126)"));
    }
    let now = cx.io.now_s();
    let has = |prompt| request.prompts.contains(&prompt);
    let again = has(Prompt::Login) || has(Prompt::SelectAccount);
    let since = match request.max_age_s {
        _ if again => Some(now),
        Some(max_age_s) => Some(now.saturating_sub(max_age_s)),
        None => None,
    };
    let user = user.filter(|user| since.is_none_or(|since| user.authenticated_at_s >= since));
    let has_acr = |user: &User| {
        let acr = user.acr.as_deref();
        request.acr_values.is_empty() || acr.is_some_and(|acr| request.acr_values.contains(&acr))
    };
    let signed_in = user.as_ref().filter(|user| has_acr(user));
    let Some(signed_in) = signed_in else {
        if has(Prompt::None) {
            return Err(OAuthError::new(ErrorCode::LoginRequired, "the user has to sign in"));
        }
        return ask(cx, admitted, &request, &target, since, user).await;
    };
    let may_remember = remembers(cx, admitted) && !has(Prompt::Consent);
    let known = account::consented(cx, &signed_in.subject, &client.id, &target.resources).await?;
    if may_remember && known.is_some_and(|known| known.covers(&target.scope)) {
        return issue_code(cx, admitted, &request, &target, signed_in, CodeOf::Consent).await;
    }
    if has(Prompt::None) {
        return Err(OAuthError::new(ErrorCode::ConsentRequired, "the user has to consent"));
    }
    ask(cx, admitted, &request, &target, since, user).await
}

/// Remembers what was asked for, and gives the page.
async fn ask(
    cx: &Cx,
    admitted: &Admitted,
    request: &AuthorizationRequest<'_>,
    target: &Target,
    since: Option<u64>,
    user: Option<User>,
) -> Result<Outcome, OAuthError> {
    let now = cx.io.now_s();
    let record = Interaction {
        v: VERSION,
        secret: "".into(),
        client: admitted.client.id.clone(),
        scope: target.scope.clone(),
        resources: target.resources.clone(),
        created_at: now,
        until: now.saturating_add(cx.provider.config.lifetimes.interaction.as_secs()),
        login_hint: request.login_hint.map(Into::into),
        acr_values: request.acr_values.iter().map(|acr| Box::from(*acr)).collect(),
        signed_in_since: since,
        purpose: Asking::Authorize {
            redirect_uri: admitted.redirect_uri.as_str().into(),
            parameters: admitted.parameters.all().form().into(),
        },
    };
    Ok(interaction::begin(cx, record, &admitted.client, user).await?)
}
