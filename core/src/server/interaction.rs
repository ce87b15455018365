//! Login and consent: what is asked, and who answers. Only the browser that was asked can: it has a cookie that no
//! other site can send or set (RFC 9700 4.7, MCP "Security Best Practices", "Confused Deputy").

use std::fmt;

use http::header::{COOKIE, HeaderMap, SET_COOKIE};

use super::account;
use super::client::{Client, Origin};
use super::context::Cx;
use super::credential::{Credential, Purpose, Use, id_text};
use super::exchange::{Unavailable, Written};
use super::outcome::Outcome;
use super::page::{ConsentRequest, Page, PageContent, ScopeShown, Warning};
use super::records::{Interaction, Purpose as Asking, User};
use super::session;
use super::store::Stored;
use super::target::{OFFLINE, OPENID};
use super::wire::{ErrorCode, OAuthError, RedirectKind, redirect_kind};
use crate::effect::{RecordKind, RecordRevision};
use crate::jose::{decode_base64url, encode_base64url};
use crate::scope::ScopeSet;
use crate::secret::Secret;

/// A browser that sends a form.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Browser<'a> {
    /// The hidden field of the form: [`ConsentRequest::interaction`].
    pub interaction: &'a str,
    /// The headers of the request, for its cookies.
    pub headers: &'a HeaderMap,
}

impl<'a> Browser<'a> {
    /// A browser that sent this field and these headers.
    pub fn new(interaction: &'a str, headers: &'a HeaderMap) -> Self {
        Self { interaction, headers }
    }

    pub(super) fn owned(&self) -> Asked {
        let cookies = self.headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        Asked {
            interaction: self.interaction.into(),
            cookies: Secret::from(cookies.collect::<Vec<_>>().join("; ")),
        }
    }
}

impl fmt::Debug for Browser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Browser")
    }
}

pub(super) struct Asked {
    interaction: Secret,
    cookies: Secret,
}

/// What a user says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserDecision {
    /// Yes, to all of it.
    Allow,
    /// Yes, to these scopes of it.
    AllowOnly(ScopeSet),
    /// No.
    Deny,
}

pub(super) const UNKNOWN: OAuthError = OAuthError::new(
    ErrorCode::InvalidRequest,
    "this page was answered before, is too old, or was opened in another browser",
);

/// Remembers what is asked, and gives the page and the cookie.
pub(super) async fn begin(
    cx: &Cx,
    mut record: Interaction,
    client: &Client,
    user: Option<User>,
) -> Result<Outcome, Unavailable> {
    let credential = Credential::new(cx.io.random(), 0, cx.io.random());
    record.secret = credential.hash().into();
    let why = "the user is asked";
    cx.save(RecordKind::Interaction, &id_text(&credential.id), &record, None, record.until, why).await?;
    let mut page = page(cx, &record, &credential, client, user).await?;
    let max_age = record.until.saturating_sub(record.created_at);
    // `Lax`, for a browser that comes back from the login page of another site; forms of other sites come without it.
    let value = encode_base64url(cx.provider.secrets.mac(Use::Cookie, &[&credential.id]));
    if let Some(cookie) = session::set(&cx.provider, &cookie_name(&credential), &value, max_age) {
        page.headers.append(SET_COOKIE, cookie);
    }
    Ok(Outcome::Page(Box::new(page)))
}

fn cookie_name(credential: &Credential) -> String {
    id_text(&credential.id).get(..8).unwrap_or_default().to_owned()
}

/// An interaction that a browser takes part in.
pub(super) struct Open {
    pub(super) record: Interaction,
    pub(super) credential: Credential,
    revision: RecordRevision,
    /// To whom its page was shown that asks for consent, by number.
    shown_to: u32,
}

/// Who a page was shown to, as a number in its hidden field. A page to sign in was shown to nobody, and answers nothing.
fn shown_to(cx: &Cx, credential: &Credential, user: &User) -> u32 {
    let mac = cx.provider.secrets.mac(Use::Shown, &[&credential.id, user.subject.as_bytes()]);
    mac.first_chunk().map_or(1, |number| u32::from_be_bytes(*number)).max(1)
}

/// The interaction that a browser takes part in.
pub(super) async fn find(cx: &Cx, asked: &Asked) -> Result<Open, OAuthError> {
    let secrets = &cx.provider.secrets;
    let credential =
        Credential::read(asked.interaction.expose(), Purpose::Interaction, secrets).ok_or(UNKNOWN)?;
    let (credential, shown_to) = (credential.numbered(0), credential.number);
    let is_own = |value: &str| {
        let tag = decode_base64url(value).unwrap_or_default();
        tag.len() == 32 && secrets.made(Use::Cookie, &[&credential.id], &tag)
    };
    if !session::any(&cx.provider, asked.cookies.expose(), &cookie_name(&credential), is_own) {
        return Err(UNKNOWN);
    }
    let why = "the user answers";
    let stored = cx.load::<Interaction>(RecordKind::Interaction, &id_text(&credential.id), why).await?;
    let Stored { value: record, revision } = stored.ok_or(UNKNOWN)?;
    let fresh = cx.io.now_s() < record.until && credential.has_hash(&record.secret);
    fresh.then_some(Open { record, credential, revision, shown_to }).ok_or(UNKNOWN)
}

impl Open {
    /// Whether this user was shown what is asked, and may answer. A browser may have another user by now, or one who has
    /// not signed in as the client wants.
    pub(super) fn was_shown_to(&self, cx: &Cx, user: &User) -> bool {
        is_fresh(&self.record, user) && self.shown_to == shown_to(cx, &self.credential, user)
    }

    /// Takes it off the store: whether nobody did before.
    pub(super) async fn take(&self, cx: &Cx) -> Result<(), OAuthError> {
        let why = "the user answers once";
        let name = id_text(&self.credential.id);
        match cx.delete(RecordKind::Interaction, &name, self.revision, why).await? {
            Written::Saved => Ok(()),
            Written::Conflict => Err(UNKNOWN),
        }
    }
}

pub(super) async fn page(
    cx: &Cx,
    record: &Interaction,
    credential: &Credential,
    client: &Client,
    user: Option<User>,
) -> Result<Page, Unavailable> {
    let user = user.filter(|user| is_fresh(record, user));
    let known = match &user {
        Some(user) => account::consented(cx, &user.subject, &client.id, &record.resources).await?,
        None => None,
    };
    let known = known.unwrap_or_default();
    let must_sign_in = user.as_ref().is_none_or(|user| {
        let acr = user.acr.as_deref();
        // The host does what it can: whoever signed in for this page goes on.
        user.authenticated_at_s < record.created_at
            && !record.acr_values.is_empty()
            && acr.is_none_or(|acr| record.acr_values.iter().all(|wanted| **wanted != *acr))
    });
    let redirect_uri = match &record.purpose {
        Asking::Authorize { redirect_uri, .. } => Some(redirect_uri.clone()),
        Asking::Device { .. } => None,
    };
    let shown_to = match &user {
        Some(user) if !must_sign_in => shown_to(cx, credential, user),
        _ => 0,
    };
    let request = ConsentRequest {
        interaction: credential.numbered(shown_to).text(Purpose::Interaction, &cx.provider.secrets),
        user,
        login_hint: record.login_hint.clone(),
        acr_values: record.acr_values.clone(),
        client: client.shown(),
        warnings: warnings(cx, client, redirect_uri.as_deref()),
        redirect_uri,
        scopes: scopes(cx, record, &known),
        resources: resource_names(cx, record),
    };
    let content = if must_sign_in { PageContent::SignIn(request) } else { PageContent::Consent(request) };
    Ok(Page::new(200, content))
}

fn is_fresh(record: &Interaction, user: &User) -> bool {
    record.signed_in_since.is_none_or(|since| user.authenticated_at_s >= since)
}

fn warnings(cx: &Cx, client: &Client, redirect_uri: Option<&str>) -> Vec<Warning> {
    let schemes = cx.provider.config.redirect_schemes.iter().map(|scheme| &**scheme);
    let target = match redirect_uri {
        None => Some(Warning::CodeFromElsewhere),
        Some(uri) => {
            (redirect_kind(uri, schemes) != Some(RedirectKind::Https)).then_some(Warning::AnyLocalProgram)
        }
    };
    let name = (client.origin == Origin::Dynamic).then_some(Warning::NameIsNotVerified);
    target.into_iter().chain(name).collect()
}

fn scopes(cx: &Cx, record: &Interaction, known: &ScopeSet) -> Vec<ScopeShown> {
    let described = |token: &str| {
        let resources = cx.provider.config.resources.iter();
        let mut all = resources.filter(|own| record.resources.contains(&own.uri)).flat_map(|own| &own.scopes);
        let own = all.find(|(own, _)| **own == *token).map(|(_, description)| description.clone());
        own.unwrap_or_else(|| match token {
            OPENID => "Know who you are".into(),
            OFFLINE => "Keep its access while you are away".into(),
            other => other.into(),
        })
    };
    let shown = |token: &str| ScopeShown {
        token: token.into(),
        description: described(token),
        allowed_before: known.contains(token),
    };
    record.scope.iter().map(shown).collect()
}

fn resource_names(cx: &Cx, record: &Interaction) -> Vec<Box<str>> {
    let own = cx.provider.config.resources.iter().filter(|own| record.resources.contains(&own.uri));
    own.map(|resource| resource.name.clone().unwrap_or_else(|| resource.uri.clone())).collect()
}

/// What the user allowed of what was asked for.
pub(super) fn allowed(asked: &ScopeSet, decision: UserDecision) -> Result<ScopeSet, OAuthError> {
    let denied = OAuthError::new(ErrorCode::AccessDenied, "the user said no");
    match decision {
        UserDecision::Allow => Ok(asked.clone()),
        UserDecision::AllowOnly(only) => {
            let both =
                ScopeSet::from_tokens(asked.iter().filter(|token| only.contains(token))).unwrap_or_default();
            if both.is_empty() && !asked.is_empty() { Err(denied) } else { Ok(both) }
        }
        UserDecision::Deny => Err(denied),
    }
}
