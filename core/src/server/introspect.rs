//! What a token is (RFC 7662), and whose.

use serde::Serialize;

use super::answer::Answer;
use super::client::Client;
use super::context::Cx;
use super::credential::{Credential, Purpose, id_text};
use super::downstream::Actors;
use super::metadata::ALGORITHMS;
use super::records::{Grant, GrantState, User};
use super::request::Request;
use super::wire::{ErrorCode, OAuthError};
use crate::address::same_resource;
use crate::effect::RecordKind;
use crate::jose::{Claims, Jws, KeySet};
use crate::scope::ScopeSet;

pub(super) async fn answer(cx: &Cx, request: &Request) -> Result<Answer, OAuthError> {
    let parameters = request.form()?;
    let client = cx.authenticate(request, &parameters).await?;
    if !client.authenticated {
        // RFC 7662 2.1: whoever could ask without credentials could try out tokens.
        let description = "introspection takes a client that authenticates";
        return Err(OAuthError::new(ErrorCode::InvalidClient, description));
    }
    let missing = OAuthError::new(ErrorCode::InvalidRequest, "the token is missing");
    let token = parameters.get("token")?.ok_or(missing)?;
    let found = find(cx, token).await?;
    // RFC 7662 2.2: of a token that is none of the asker's business, it learns nothing.
    let shown = found.filter(|found| client.introspects || *found.client_id == *client.id);
    Ok(match shown {
        Some(found) => Answer::json(200, &found),
        None => Answer::json_text(200, r#"{"active":false}"#.into()),
    })
}

/// A token that is good.
#[derive(Serialize)]
pub(super) struct Found {
    active: bool,
    pub(super) client_id: Box<str>,
    sub: Box<str>,
    iss: Box<str>,
    #[serde(skip_serializing_if = "ScopeText::is_empty")]
    scope: ScopeText,
    aud: Vec<Box<str>>,
    iat: u64,
    pub(super) exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Cnf>,
    /// Who acts for the user (RFC 8693 4.1).
    #[serde(rename = "act", skip_serializing_if = "Actors::is_empty")]
    pub(super) actors: Actors,
    /// The record that it stands on.
    #[serde(skip)]
    pub(super) grant: Option<Box<str>>,
    /// Whether that is of no other token.
    #[serde(skip)]
    owns_record: bool,
}

impl Found {
    pub(super) fn is_access_token(&self) -> bool {
        self.token_type.is_some()
    }

    /// Whether its record is its client's to delete: an exchanged JWT stands on another's.
    pub(super) fn owns_grant(&self) -> bool {
        self.actors.is_empty() || self.owns_record
    }

    /// The user who gave it.
    pub(super) fn user(&self) -> Option<User> {
        let user = User::new(&self.sub, self.auth_time?);
        Some(User { acr: self.acr.clone(), ..user })
    }

    pub(super) fn is_for(&self, resource: &str) -> bool {
        self.aud.iter().any(|own| same_resource(own, resource))
    }

    pub(super) fn has(&self, scope: &ScopeSet) -> bool {
        self.scope.0.covers(scope)
    }
}

#[derive(Serialize)]
struct Cnf {
    jkt: Box<str>,
}

struct ScopeText(ScopeSet);

impl ScopeText {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for ScopeText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What a token is, whichever it is; `None` for one that is not good.
pub(super) async fn find(cx: &Cx, token: &str) -> Result<Option<Found>, OAuthError> {
    let secrets = &cx.provider.secrets;
    if token.contains('.') {
        return jwt(cx, token).await;
    }
    if let Some(refresh) = Credential::read(token, Purpose::RefreshToken, secrets) {
        let found = refresh_token(cx, &refresh).await?;
        return Ok(found.and_then(|(found, is_current)| is_current.then_some(found)));
    }
    match Credential::read(token, Purpose::AccessToken, secrets) {
        Some(access) => opaque(cx, &access).await,
        None => Ok(None),
    }
}

async fn grant(cx: &Cx, name: &str) -> Result<Option<Grant>, OAuthError> {
    let why = "a token is good while its grant is";
    let stored = cx.load::<Grant>(RecordKind::IssuedGrant, name, why).await?;
    Ok(stored.map(|stored| stored.value))
}

fn found(cx: &Cx, grant: &Grant, name: Box<str>) -> Found {
    let user = grant.user.as_ref();
    Found {
        active: true,
        client_id: grant.client.clone(),
        sub: user.map_or_else(|| grant.client.clone(), |user| user.subject.clone()),
        iss: cx.provider.config.issuer.clone(),
        scope: ScopeText(grant.scope.clone()),
        aud: grant.resources.clone(),
        iat: grant.created_at,
        exp: grant.ends_at,
        token_type: None,
        auth_time: user.map(|user| user.authenticated_at_s),
        acr: user.and_then(|user| user.acr.clone()),
        cnf: grant.jkt.clone().map(|jkt| Cnf { jkt }),
        actors: Actors::default(),
        grant: Some(name),
        owns_record: true,
    }
}

/// What is to be revoked. A refresh token of any generation does: whoever lost the answer of a refresh has only the one
/// before.
pub(super) async fn find_revocable(cx: &Cx, token: &str) -> Result<Option<Found>, OAuthError> {
    match Credential::read(token, Purpose::RefreshToken, &cx.provider.secrets) {
        Some(refresh) => Ok(refresh_token(cx, &refresh).await?.map(|(found, _)| found)),
        None => find(cx, token).await,
    }
}

/// What a refresh token stands for, and whether it is good.
async fn refresh_token(cx: &Cx, token: &Credential) -> Result<Option<(Found, bool)>, OAuthError> {
    let name = id_text(&token.id);
    let Some(grant) = grant(cx, &name).await? else { return Ok(None) };
    let idle = cx.provider.config.lifetimes.refresh_idle.as_secs();
    let now = cx.io.now_s();
    let is_current = match &grant.state {
        GrantState::Active { generation, refresh, at, .. } => {
            let in_time = now < grant.ends_at && now < at.saturating_add(idle);
            *generation == token.number && token.has_hash(refresh) && in_time
        }
        GrantState::Issued { .. } => false,
    };
    Ok(Some((found(cx, &grant, name.into()), is_current)))
}

async fn opaque(cx: &Cx, token: &Credential) -> Result<Option<Found>, OAuthError> {
    let name = id_text(&token.id);
    let Some(grant) = grant(cx, &name).await? else { return Ok(None) };
    let now = cx.io.now_s();
    let Some(own) = grant.opaque.iter().find(|own| token.has_hash(&own.hash) && now < own.until) else {
        return Ok(None);
    };
    // What was taken back before takes along what came of it by exchanges.
    let mut before = grant.parent.clone();
    while let Some(name) = before {
        let Some(parent) = self::grant(cx, &name).await? else { return Ok(None) };
        before = parent.parent;
    }
    Ok(Some(Found {
        scope: ScopeText(own.scope.clone()),
        aud: own.audience.clone(),
        iat: own.at,
        exp: own.until,
        token_type: Some(if own.jkt.is_some() { "DPoP" } else { "Bearer" }),
        cnf: own.jkt.clone().map(|jkt| Cnf { jkt }),
        actors: Actors(own.actors.clone()),
        ..found(cx, &grant, name.into())
    }))
}

async fn jwt(cx: &Cx, token: &str) -> Result<Option<Found>, OAuthError> {
    let keys = KeySet::of(cx.provider.config.keys.iter().map(|key| key.public.clone()));
    let trusted = Jws::parse(token).ok().filter(|jws| jws.header().is_type("at+jwt"));
    let Some(trusted) = trusted.and_then(|jws| jws.verify_with(&keys, &ALGORITHMS).ok()) else {
        return Ok(None);
    };
    let read = || claims_of(cx, &trusted.claims().ok()?);
    let Some(found) = read() else { return Ok(None) };
    match &found.grant {
        // Revoked, or expired and forgotten.
        Some(name) if grant(cx, name).await?.is_none() => Ok(None),
        _ => Ok(Some(found)),
    }
}

fn claims_of(cx: &Cx, claims: &Claims<'_>) -> Option<Found> {
    let text = |name| claims.text(name).ok().flatten().map(Box::<str>::from);
    let exp = claims.time("exp").ok()??.floor_s();
    if exp <= cx.io.now_s() || text("iss")? != cx.provider.config.issuer {
        return None;
    }
    let jkt = match claims.confirmation().ok()? {
        crate::jose::Confirmation::Jkt(jkt) => Some(jkt),
        _ => None,
    };
    Some(Found {
        active: true,
        client_id: text("client_id")?,
        sub: text("sub")?,
        iss: cx.provider.config.issuer.clone(),
        scope: ScopeText(claims.scopes().ok()?),
        aud: claims.audiences().ok()?.into_iter().map(Into::into).collect(),
        iat: claims.time("iat").ok()??.floor_s(),
        exp,
        token_type: Some(if jkt.is_some() { "DPoP" } else { "Bearer" }),
        auth_time: claims.time("auth_time").ok()?.map(|time| time.floor_s()),
        acr: text("acr"),
        cnf: jkt.map(|jkt| Cnf { jkt }),
        actors: Actors::read(claims.raw("act"))?,
        grant: text("jti")?.split_once('.').map(|(grant, _)| grant.into()),
        owns_record: false,
    })
}

/// Whether a client may do away with a token.
pub(super) fn is_of(found: &Found, client: &Client) -> bool {
    *found.client_id == *client.id
}
