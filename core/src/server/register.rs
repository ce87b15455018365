//! Dynamic client registration (RFC 7591).

use http::header::AUTHORIZATION;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::answer::Answer;
use super::context::Cx;
use super::credential::Use;
use super::metadata::METHODS;
use super::records::{DynamicClient, VERSION};
use super::request::Request;
use super::wire::{ClientDescription, ErrorCode, OAuthError};
use crate::effect::RecordKind;
use crate::jose::encode_base64url;
use crate::limits;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::client_auth::ClientAuthMethod;

pub(super) async fn answer(cx: &Cx, request: &Request) -> Result<Answer, OAuthError> {
    let Some(registration) = &cx.provider.config.registration else {
        return Ok(Answer::empty(404));
    };
    if let Some(token) = &registration.initial_access_token
        && !bears(request, token)
    {
        let description = "registering here takes an initial access token";
        return Err(OAuthError::new(ErrorCode::InvalidToken, description));
    }
    if request.body.len() > limits::CLIENT_DOCUMENT {
        let description = "the client metadata is larger than 5 KiB";
        return Err(OAuthError::new(ErrorCode::InvalidClientMetadata, description));
    }
    // RFC 7591 2: client_secret_basic is what a client gets that asks for nothing.
    let methods = [METHODS[1], METHODS[0], METHODS[2], METHODS[3]];
    let mut description =
        cx.metadata_rules(&methods, |rules| ClientDescription::read(&request.body, rules))?;
    description.methods.truncate(1);
    // RFC 7591 2 and 3.2.1: what a client gets is the server's to say. The scopes that one registers which nobody vouches
    // for protect nobody, and many register those of their first challenge: they could not step up, ever.
    description.scope = ScopeSet::new();
    let has_secret = description
        .methods
        .iter()
        .any(|method| matches!(method, ClientAuthMethod::SecretBasic | ClientAuthMethod::SecretPost));
    let json = serde_json::to_string(&description).unwrap_or_default();
    // Whoever registers the same without a secret is the same: a flood of copies is one record.
    let id = if has_secret {
        encode_base64url(cx.io.random::<16>())
    } else {
        let mac = cx.provider.secrets.mac(Use::ClientId, &[&Sha256::digest(&json)]);
        encode_base64url(mac.get(..16).unwrap_or_default())
    };
    let now = cx.io.now_s();
    let until = now.saturating_add(cx.provider.config.lifetimes.unused_registration.as_secs());
    let client = DynamicClient { v: VERSION, description, created_at: now, until };
    let why = "a client registers itself";
    let known = match has_secret {
        true => None,
        false => cx.load::<DynamicClient>(RecordKind::Client, &id, why).await?,
    };
    let mut issued_at = now;
    match known {
        // It is new for a while again: its program counts on what it just learned.
        Some(known) if known.value.until < until => {
            issued_at = known.value.created_at;
            let longer = DynamicClient { until, ..known.value };
            cx.save(RecordKind::Client, &id, &longer, Some(known.revision), until, why).await?;
        }
        Some(known) => issued_at = known.value.created_at,
        None => {
            cx.count_registration(registration.per_hour).await?;
            // Of two at once that are the same, one was first.
            cx.save(RecordKind::Client, &id, &client, None, until, why).await?;
        }
    }
    let secret = has_secret.then(|| {
        Secret::from(encode_base64url(cx.provider.secrets.mac(Use::ClientSecret, &[id.as_bytes()])))
    });
    Ok(Answer::json(201, &body(&id, issued_at, secret.as_ref(), &client.description)))
}

const BUSY: OAuthError = OAuthError::new(
    ErrorCode::TemporarilyUnavailable,
    "too many new clients have registered; try again later",
);

impl Cx {
    /// Counts a new client before it is kept.
    async fn count_registration(&self, per_hour: u32) -> Result<(), OAuthError> {
        let why = "a flood of new clients fills no store";
        let counters = limits::REGISTRATION_COUNTERS.min(per_hour).max(1);
        let counter = u32::from_be_bytes(self.io.random()) % counters;
        let name = encode_base64url(self.provider.secrets.mac(Use::Registrations, &[&counter.to_be_bytes()]));
        let fits = self.count(&name, per_hour / counters, limits::REGISTRATIONS_S, why).await?;
        fits.then_some(()).ok_or(BUSY)
    }
}

fn bears(request: &Request, token: &Secret) -> bool {
    let value = request.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = value.and_then(|value| value.split_once(' '));
    presented.is_some_and(|(scheme, own)| scheme.eq_ignore_ascii_case("bearer") && token.matches(own.trim()))
}

#[derive(Serialize)]
struct Body<'a> {
    client_id: &'a str,
    client_id_issued_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    /// Never: what is used stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tos_uri: Option<&'a str>,
    redirect_uris: &'a [Box<str>],
    grant_types: &'a [Box<str>],
    response_types: &'a [&'static str],
    token_endpoint_auth_method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dpop_bound_access_tokens: bool,
}

/// All that was registered (RFC 7591 3.2.1).
fn body<'a>(
    id: &'a str,
    issued_at: u64,
    secret: Option<&'a Secret>,
    client: &'a ClientDescription,
) -> Body<'a> {
    Body {
        client_id: id,
        client_id_issued_at: issued_at,
        client_secret: secret.map(Secret::expose),
        client_secret_expires_at: secret.map(|_| 0),
        client_name: client.client_name.as_deref(),
        client_uri: client.client_uri.as_ref().map(url::Url::as_str),
        logo_uri: client.logo_uri.as_ref().map(url::Url::as_str),
        policy_uri: client.policy_uri.as_ref().map(url::Url::as_str),
        tos_uri: client.tos_uri.as_ref().map(url::Url::as_str),
        redirect_uris: &client.redirect_uris,
        grant_types: &client.grant_types,
        response_types: if client.allows_grant("authorization_code") { &["code"] } else { &[] },
        token_endpoint_auth_method: client.methods.first().map_or("none", |method| method.name()),
        jwks: client.jwks.as_deref().and_then(|jwks| serde_json::from_str(jwks).ok()),
        jwks_uri: client.jwks_uri.as_ref().map(url::Url::as_str),
        dpop_bound_access_tokens: client.dpop_bound,
    }
}
