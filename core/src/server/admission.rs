//! Authorization requests whose client and redirect URI are known: from here on, the client is told how they end.

use super::account::{self, NewGrant};
use super::answer::Answer;
use super::client::{Client, Origin, UNKNOWN};
use super::context::Cx;
use super::credential::{Credential, Purpose, id_text};
use super::exchange::Unavailable;
use super::outcome::Outcome;
use super::page::{Page, PageContent};
use super::records::{GrantState, User};
use super::target::Target;
use super::wire::{
    AuthorizationParameters, AuthorizationRequest, AuthorizationResponse, OAuthError, RedirectKind,
    redirect_kind,
};

/// An authorization that may be answered to its redirect URI, well or badly.
pub(super) struct Admitted {
    pub(super) client: Client,
    pub(super) redirect_uri: String,
    pub(super) parameters: AuthorizationParameters,
    pub(super) response: AuthorizationResponse,
}

/// Finds client and redirect URI.
pub(super) async fn admit(cx: &Cx, parameters: AuthorizationParameters) -> Result<Admitted, OAuthError> {
    let client = cx.client(parameters.client_id()?).await?;
    let registered = client.description.redirect_uris.iter().map(|uri| &**uri);
    let redirect_uri = parameters.redirect_uri(registered)?;
    let response = AuthorizationResponse::new(&redirect_uri, &parameters, &cx.provider.config.issuer);
    Ok(Admitted { client, redirect_uri, parameters, response })
}

pub(super) fn error_page(error: &OAuthError) -> Outcome {
    let content = PageContent::Error { code: error.code, description: error.description };
    Outcome::Page(Box::new(Page::new(
        if error.code == UNKNOWN.code { 400 } else { error.code.status() },
        content,
    )))
}

pub(super) fn refused(cx: &Cx, response: &AuthorizationResponse, error: &OAuthError) -> Outcome {
    let error_uri = cx.provider.config.error_uri.as_deref();
    Outcome::Answer(Answer::redirect(&response.error_with(error, error_uri)))
}

pub(super) fn target(
    cx: &Cx,
    client: &Client,
    request: &AuthorizationRequest<'_>,
) -> Result<Target, OAuthError> {
    client.may("authorization_code")?;
    Target::choose(&cx.provider.config, &client.description.scope, &request.scope, &request.resources)
}

/// Whether a consent of before counts. Where any program can receive the code, only the user can tell who asks
/// (RFC 8252 8.6, RFC 6749 10.2).
pub(super) fn remembers(cx: &Cx, admitted: &Admitted) -> bool {
    let config = &cx.provider.config;
    let schemes = config.redirect_schemes.iter().map(|scheme| &**scheme);
    let is_own = redirect_kind(&admitted.redirect_uri, schemes) == Some(RedirectKind::Https);
    is_own && admitted.client.origin != Origin::Dynamic || config.loopback_consent_remembered
}

/// Grants, and sends the browser back with a code.
pub(super) async fn issue_code(
    cx: &Cx,
    admitted: &Admitted,
    request: &AuthorizationRequest<'_>,
    target: &Target,
    user: &User,
) -> Result<Outcome, OAuthError> {
    let code = Credential::new(cx.io.random(), 0, cx.io.random());
    let until = cx.io.now_s().saturating_add(cx.provider.config.lifetimes.code.as_secs());
    let state = GrantState::Issued {
        code: code.hash().into(),
        challenge: request.code_challenge.into(),
        redirect_uri: admitted.redirect_uri.as_str().into(),
        nonce: request.nonce.map(Into::into),
        until,
    };
    let jkt = request.dpop_jkt.map(Into::into);
    let new = NewGrant { client: &admitted.client, user, target, jkt, state };
    let grant = new.record(cx);
    account::save_new(cx, &id_text(&code.id), &grant, &admitted.client, until).await?;
    let code = code.text(Purpose::Code, &cx.provider.secrets);
    Ok(Outcome::Answer(Answer::redirect(&admitted.response.code(code.expose()))))
}

impl From<Unavailable> for Outcome {
    fn from(unavailable: Unavailable) -> Self {
        error_page(&unavailable.into())
    }
}
