//! The token endpoint.

mod assertion;
mod client_credentials;
mod code;
mod device;
mod exchange;
mod refresh;

use serde::Serialize;

use super::answer::Answer;
use super::client::Client;
use super::context::Cx;
use super::issue::{AccessToken, Issued, id_token};
use super::request::Request;
use super::target::{OPENID, Target};
use super::wire::{ErrorCode, OAuthError, TokenGrant, TokenRequest};
use crate::scope::ScopeSet;
use crate::secret::Secret;

/// What every grant has to do with.
pub(super) struct Asked<'a> {
    pub(super) client: &'a Client,
    pub(super) scope: &'a ScopeSet,
    pub(super) resources: &'a [&'a str],
    /// The key that the sender showed to have.
    pub(super) jkt: Option<&'a str>,
}

/// What the client gets.
pub(super) struct Tokens {
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
    pub(super) id: Option<Secret>,
    /// What the token is that another was exchanged for (RFC 8693 2.2.1).
    pub(super) issued_type: Option<&'static str>,
    pub(super) scope: ScopeSet,
    pub(super) bound: bool,
    pub(super) expires_in: u64,
}

pub(super) const fn invalid_grant(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, description)
}

pub(super) async fn answer(cx: &Cx, request: &Request) -> Result<Answer, OAuthError> {
    tokens(cx, request).await.map(|tokens| tokens.answer())
}

async fn tokens(cx: &Cx, request: &Request) -> Result<Tokens, OAuthError> {
    let parameters = request.form()?;
    let client = cx.authenticate(request, &parameters).await?;
    let asked = TokenRequest::read(&parameters)?;
    client.may(asked.grant.name())?;
    let jkt = cx.proven_key(request, &cx.provider.endpoints.token).await?;
    let context =
        Asked { client: &client, scope: &asked.scope, resources: &asked.resources, jkt: jkt.as_deref() };
    match asked.grant {
        TokenGrant::AuthorizationCode { code, redirect_uri, code_verifier } => {
            code::exchange(cx, &context, code, redirect_uri, code_verifier).await
        }
        TokenGrant::ClientCredentials => client_credentials::issue(cx, &context).await,
        TokenGrant::DeviceCode { device_code } => device::exchange(cx, &context, device_code).await,
        TokenGrant::JwtBearer { assertion } => assertion::redeem(cx, &context, assertion).await,
        TokenGrant::RefreshToken { refresh_token } => refresh::rotate(cx, &context, refresh_token).await,
        TokenGrant::TokenExchange(wanted) => exchange::exchange(cx, &context, &wanted).await,
    }
}

impl Tokens {
    pub(super) fn new(cx: &Cx, access: &AccessToken<'_>, issued: Issued) -> Self {
        let ends = access.expires_at(cx);
        Self {
            access: issued.token,
            refresh: None,
            id: None,
            issued_type: None,
            scope: access.target.scope.clone(),
            bound: access.jkt.is_some(),
            expires_in: ends.saturating_sub(cx.io.now_s()),
        }
    }

    fn answer(&self) -> Answer {
        #[derive(Serialize)]
        struct Body<'a> {
            access_token: &'a str,
            token_type: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            issued_token_type: Option<&'a str>,
            expires_in: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            refresh_token: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            id_token: Option<&'a str>,
            scope: String,
        }

        Answer::json(
            200,
            &Body {
                access_token: self.access.expose(),
                token_type: if self.bound { "DPoP" } else { "Bearer" },
                issued_token_type: self.issued_type,
                expires_in: self.expires_in,
                refresh_token: self.refresh.as_ref().map(Secret::expose),
                id_token: self.id.as_ref().map(Secret::expose),
                scope: self.scope.to_string(),
            },
        )
    }
}

/// The ID token that goes along with an access token, if `openid` was granted.
async fn id_token_for(
    cx: &Cx,
    access: &AccessToken<'_>,
    issued: &Secret,
    nonce: Option<&str>,
) -> Result<Option<Secret>, OAuthError> {
    let (true, Some(user)) = (access.target.scope.contains(OPENID), access.user) else { return Ok(None) };
    id_token(cx, access.client, user, nonce, issued, access.issued_at).await.map(Some)
}

/// Whether a client gets refresh tokens.
fn refreshes(client: &Client) -> bool {
    client.description.allows_grant("refresh_token")
}

/// The key that refresh tokens are bound to: a client that cannot authenticate shows it each time (RFC 9449 5).
fn refresh_key(asked: &Asked<'_>) -> Option<Box<str>> {
    (!asked.client.authenticated).then(|| asked.jkt.map(Into::into)).flatten()
}

/// Turns down a token that is not bound, where the client promised to bind all (RFC 9449 5.2).
fn check_binding(asked: &Asked<'_>) -> Result<(), OAuthError> {
    if asked.client.description.dpop_bound && asked.jkt.is_none() {
        let description = "the client registered for tokens bound to a key, and sends no DPoP proof";
        return Err(OAuthError::new(ErrorCode::InvalidDpopProof, description));
    }
    Ok(())
}

fn target_of(scope: &ScopeSet, resources: &[Box<str>]) -> Target {
    Target { scope: scope.clone(), resources: resources.to_vec() }
}
