//! Access tokens (RFC 9068) and ID tokens, made and signed.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::config::TokenFormat;
use super::context::Cx;
use super::credential::{Credential, Id, Purpose, id_text};
use super::downstream::Actors;
use super::keys::Signer;
use super::records::{Grant, OpaqueToken, User};
use super::target::{OFFLINE, OPENID, Target};
use super::wire::{ErrorCode, OAuthError};
use crate::jose::{Unsigned, encode_base64url, half_hash};
use crate::limits;
use crate::scope::ScopeSet;
use crate::secret::Secret;

/// What an access token says.
pub(super) struct AccessToken<'a> {
    /// Of the grant; a client that acts for itself has none.
    pub(super) grant: Option<&'a Id>,
    pub(super) generation: u32,
    pub(super) client: &'a str,
    pub(super) user: Option<&'a User>,
    pub(super) target: &'a Target,
    pub(super) jkt: Option<&'a str>,
    pub(super) issued_at: u64,
    /// Of a token that another was exchanged for.
    pub(super) via: Option<&'a Via>,
}

/// Where a token comes from that another was exchanged for (RFC 8693).
pub(super) struct Via {
    pub(super) actors: Actors,
    /// When the other ends, and so this one at the latest.
    pub(super) until: u64,
    /// The grant that the other stands on.
    pub(super) parent: Option<Box<str>>,
}

#[derive(Serialize)]
struct AccessClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: Audience<'a>,
    client_id: &'a str,
    iat: u64,
    exp: u64,
    jti: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Key<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Actors>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Several(&'a [Box<str>]),
}

#[derive(Serialize)]
struct Key<'a> {
    jkt: &'a str,
}

#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
    auth_time: u64,
    at_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
}

/// An access token, and the part of it that cannot be made again.
pub(super) struct Issued {
    pub(super) token: Secret,
    pub(super) unique: Zeroizing<Vec<u8>>,
    /// What the store must know of one that is no JWT.
    pub(super) opaque: Option<OpaqueToken>,
}

const FAILED: OAuthError = OAuthError::new(ErrorCode::ServerError, "the token could not be signed");

/// The scopes of the resource: what an access token carries.
fn of_resource(scope: &ScopeSet) -> String {
    let own: Vec<&str> = scope.iter().filter(|token| !matches!(*token, OPENID | OFFLINE)).collect();
    own.join(" ")
}

impl AccessToken<'_> {
    /// Tells what was asked for from all else that could have been: answers of before are given to the same question.
    pub(super) fn asked(&self, cx: &Cx) -> String {
        let mut hasher = Sha256::new();
        let kid = cx.provider.signing.key.as_ref().map_or("", |key| &*key.kid);
        let parts = [kid, self.jkt.unwrap_or_default()];
        let own = self.target.scope.iter().chain(self.target.resources.iter().map(|resource| &**resource));
        for part in parts.into_iter().chain(own) {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        encode_base64url(hasher.finalize().get(..12).unwrap_or_default())
    }

    pub(super) fn expires_at(&self, cx: &Cx) -> u64 {
        let own = self.issued_at.saturating_add(cx.provider.config.lifetimes.access_token.as_secs());
        self.via.map_or(own, |via| own.min(via.until))
    }

    /// Names the grant that the token stands on, where there is one.
    fn jti(&self, cx: &Cx) -> String {
        let unique = || encode_base64url(cx.io.random::<16>());
        match (self.grant, self.via.and_then(|via| via.parent.as_deref())) {
            (Some(id), _) => format!("{}.{}.{}", id_text(id), self.generation, self.asked(cx)),
            (None, Some(parent)) => format!("{parent}.x.{}", unique()),
            (None, None) => unique(),
        }
    }

    /// Makes one. `unique` is what is known of an earlier one, which comes out again then.
    pub(super) async fn issue(&self, cx: &Cx, unique: Option<&[u8]>) -> Result<Issued, OAuthError> {
        match cx.provider.config.token_format {
            TokenFormat::Jwt => self.jwt(cx, unique).await,
            TokenFormat::Opaque => self.opaque(cx, unique),
        }
    }

    async fn jwt(&self, cx: &Cx, signature: Option<&[u8]>) -> Result<Issued, OAuthError> {
        let config = &cx.provider.config;
        let jti = self.jti(cx);
        let scope = of_resource(&self.target.scope);
        let claims = AccessClaims {
            iss: &config.issuer,
            sub: self.user.map_or(self.client, |user| &user.subject),
            aud: match &*self.target.resources {
                [only] => Audience::One(only),
                several => Audience::Several(several),
            },
            client_id: self.client,
            iat: self.issued_at,
            exp: self.expires_at(cx),
            jti: &jti,
            scope: &scope,
            auth_time: self.user.map(|user| user.authenticated_at_s),
            acr: self.user.and_then(|user| user.acr.as_deref()),
            cnf: self.jkt.map(|jkt| Key { jkt }),
            act: self.via.map(|via| &via.actors),
        };
        let (token, unique) = sign(cx, &cx.provider.signing.access_token, &claims, signature).await?;
        Ok(Issued { token, unique, opaque: None })
    }

    fn opaque(&self, cx: &Cx, secret: Option<&[u8]>) -> Result<Issued, OAuthError> {
        let secret = match secret {
            Some(known) => known.try_into().map_err(|_| FAILED)?,
            None => cx.io.random::<16>(),
        };
        let id = self.grant.ok_or(FAILED)?;
        let credential = Credential::new(*id, self.generation, secret);
        let opaque = OpaqueToken {
            hash: credential.hash().into(),
            scope: self.target.scope.clone(),
            audience: self.target.resources.clone(),
            at: self.issued_at,
            until: self.expires_at(cx),
            jkt: self.jkt.map(Into::into),
            actors: self.via.map(|via| via.actors.0.clone()).unwrap_or_default(),
        };
        let token = credential.text(Purpose::AccessToken, &cx.provider.secrets);
        Ok(Issued { token, unique: Zeroizing::new(secret.to_vec()), opaque: Some(opaque) })
    }
}

/// An ID token, for whom the access token beside it is.
pub(super) async fn id_token(
    cx: &Cx,
    client: &str,
    user: &User,
    nonce: Option<&str>,
    access_token: &Secret,
    issued_at: u64,
) -> Result<Secret, OAuthError> {
    let config = &cx.provider.config;
    let algorithm = cx.provider.signing.key.as_ref().ok_or(FAILED)?.algorithm;
    let claims = IdClaims {
        iss: &config.issuer,
        sub: &user.subject,
        aud: client,
        iat: issued_at,
        exp: issued_at.saturating_add(config.lifetimes.access_token.as_secs()),
        auth_time: user.authenticated_at_s,
        at_hash: half_hash(algorithm, access_token.expose()),
        nonce,
        acr: user.acr.as_deref(),
    };
    sign(cx, &cx.provider.signing.id_token, &claims, None).await.map(|(token, _)| token)
}

async fn sign(
    cx: &Cx,
    header: &str,
    claims: &impl Serialize,
    known: Option<&[u8]>,
) -> Result<(Secret, Zeroizing<Vec<u8>>), OAuthError> {
    let key = cx.provider.signing.key.as_ref().ok_or(FAILED)?;
    let unsigned = Unsigned::with_header(key.algorithm, header, claims);
    let signature = match (known, &key.signer) {
        (Some(known), _) => known.to_vec(),
        (None, Signer::Local(key)) => key.sign(unsigned.signing_input()).map_err(|_| FAILED)?,
        (None, Signer::External(name)) => {
            let input = unsigned.signing_input().to_vec();
            cx.io.sign(name, key.algorithm, input, "access tokens are signed by a key held elsewhere").await?
        }
    };
    let token = unsigned.assemble(&signature).map_err(|_| FAILED)?;
    Ok((token, Zeroizing::new(signature)))
}

/// Keeps what the store must know of an access token.
pub(super) fn remember(grant: &mut Grant, opaque: Option<OpaqueToken>, now: u64) {
    let Some(opaque) = opaque else { return };
    grant.opaque.retain(|token| token.until > now && token.hash != opaque.hash);
    if grant.opaque.len() >= limits::OPAQUE_TOKENS {
        grant.opaque.remove(0);
    }
    grant.opaque.push(opaque);
}
