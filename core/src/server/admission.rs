//! Authorization requests whose client and redirect URI are known: from here on, the client is told how they end.

use super::account::{self, NewGrant};
use super::answer::Answer;
use super::client::{Client, Origin, UNKNOWN};
use super::context::Cx;
use super::credential::{Credential, Purpose, Use, id_text};
use super::exchange::{Unavailable, Written};
use super::interaction;
use super::outcome::Outcome;
use super::page::{Page, PageContent};
use super::records::{Grant, GrantState, User};
use super::store::Stored;
use super::target::Target;
use super::wire::{
    AuthorizationParameters, AuthorizationRequest, AuthorizationResponse, OAuthError, RedirectKind,
    redirect_kind,
};
use crate::effect::RecordKind;
use crate::secret::Secret;

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

/// Ends a request that no user has answered. A browser is sent on only where somebody trusts whoever is there: else this
/// server would send whoever follows a link of its own to any web server that somebody named (RFC 9700 4.11.2).
pub(super) async fn turned_away(
    cx: &Cx,
    admitted: &Admitted,
    user: Option<&User>,
    error: &OAuthError,
) -> Outcome {
    if is_trusted(cx, admitted, user).await {
        return refused(cx, &admitted.response, error);
    }
    let error_uri = cx.provider.config.error_uri.as_deref();
    let content = PageContent::GoBack {
        client: admitted.client.shown(),
        to: Secret::from(admitted.response.error_with(error, error_uri)),
        code: error.code,
        description: error.description,
    };
    Outcome::Page(Box::new(Page::new(error.code.status(), content)))
}

/// By the operator, who registered the client, or by the user, who consented to it before. Programs on the user's own
/// machine are no place to be lured to.
async fn is_trusted(cx: &Cx, admitted: &Admitted, user: Option<&User>) -> bool {
    let Admitted { client, redirect_uri, .. } = admitted;
    if client.origin == Origin::Configured || kind(cx, redirect_uri) != Some(RedirectKind::Https) {
        return true;
    }
    match user {
        Some(user) => account::has_consented(cx, &user.subject, &client.id).await.unwrap_or(false),
        None => false,
    }
}

fn kind(cx: &Cx, redirect_uri: &str) -> Option<RedirectKind> {
    let schemes = cx.provider.config.redirect_schemes.iter().map(|scheme| &**scheme);
    redirect_kind(redirect_uri, schemes)
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
    let is_own = kind(cx, &admitted.redirect_uri) == Some(RedirectKind::Https);
    is_own && admitted.client.origin != Origin::Dynamic || config.loopback_consent_remembered
}

/// What a code comes from.
pub(super) enum CodeOf<'a> {
    /// A consent of before.
    Consent,
    /// An interaction: each has one code.
    Interaction(&'a Credential),
}

/// Grants, and sends the browser back with a code.
pub(super) async fn issue_code(
    cx: &Cx,
    admitted: &Admitted,
    request: &AuthorizationRequest<'_>,
    target: &Target,
    user: &User,
    of: CodeOf<'_>,
) -> Result<Outcome, OAuthError> {
    let code = match of {
        CodeOf::Consent => Credential::new(cx.io.random(), 0, cx.io.random()),
        CodeOf::Interaction(credential) => credential.derived(Use::Code, &cx.provider.secrets),
    };
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
    let name = id_text(&code.id);
    if account::save_new(cx, &name, &grant, &admitted.client, until).await? == Written::Conflict {
        // It was answered before. Whoever did not learn the code gets the same, while it is good.
        let why = "a page is answered once";
        let stored = cx.load::<Grant>(RecordKind::IssuedGrant, &name, why).await?;
        let is_same = stored.is_some_and(|Stored { value, .. }| {
            let same_user = value.user.is_some_and(|own| own.subject == user.subject);
            same_user && matches!(&value.state, GrantState::Issued { code: hash, .. } if code.has_hash(hash))
        });
        if !is_same {
            return Err(interaction::UNKNOWN);
        }
    }
    let code = code.text(Purpose::Code, &cx.provider.secrets);
    Ok(Outcome::Answer(Answer::redirect(&admitted.response.code(code.expose()))))
}

impl From<Unavailable> for Outcome {
    fn from(unavailable: Unavailable) -> Self {
        error_page(&unavailable.into())
    }
}
