//! Pushed authorization requests (RFC 9126).

use serde::Serialize;
use url::form_urlencoded;

use super::admission;
use super::answer::Answer;
use super::context::Cx;
use super::credential::{Credential, Purpose, id_text};
use super::records::{PushedRequest, VERSION};
use super::request::Request;
use super::wire::{AuthorizationParameters, ErrorCode, OAuthError, RequestParameters};
use crate::effect::RecordKind;

const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

pub(super) async fn answer(cx: &Cx, request: &Request) -> Result<Answer, OAuthError> {
    #[derive(Serialize)]
    struct Body {
        request_uri: String,
        expires_in: u64,
    }

    let parameters = request.form()?;
    let client = cx.authenticate(request, &parameters).await?;
    if parameters.get("request_uri")?.is_some() {
        return Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "a pushed request has no request_uri (RFC 9126)",
        ));
    }
    // The proof's key is the one that the code will be for (RFC 9449 10.1).
    let endpoint = cx.provider.endpoints.pushed_authorization_request.clone();
    let jkt = match request.headers.contains_key(crate::jose::dpop::HEADER) {
        true => cx.proven_key(request, &endpoint).await?,
        false => None,
    };
    let named = parameters.get("dpop_jkt")?.map(Box::from);
    if jkt.is_some() && named.is_some() && jkt != named {
        return Err(OAuthError::new(
            ErrorCode::InvalidDpopProof,
            "the DPoP proof is of another key than dpop_jkt",
        ));
    }
    let form = kept(&parameters, &client.id, jkt.as_deref().filter(|_| named.is_none()));
    // RFC 9126 2.1: checked as the authorization endpoint would.
    let admitted = admission::admit(cx, AuthorizationParameters::read(&form)?).await?;
    let checked = admitted.parameters.request()?;
    admission::target(cx, &admitted.client, &checked)?;

    let credential = Credential::new(cx.io.random(), 0, cx.io.random());
    let lifetime = cx.provider.config.lifetimes.pushed_request.as_secs();
    let until = cx.io.now_s().saturating_add(lifetime);
    let record = PushedRequest {
        v: VERSION,
        secret: credential.hash().into(),
        client: client.id.clone(),
        parameters: form.into(),
        until,
    };
    let why = "a request is pushed before the browser brings it";
    cx.save(RecordKind::PushedRequest, &id_text(&credential.id), &record, None, until, why).await?;
    let text = credential.text(Purpose::PushedRequest, &cx.provider.secrets);
    Ok(Answer::json(201, &Body { request_uri: format!("{PREFIX}{}", text.expose()), expires_in: lifetime }))
}

/// What is kept of a request: nothing that authenticates the client.
fn kept(parameters: &RequestParameters, client_id: &str, jkt: Option<&str>) -> String {
    let dropped = ["client_secret", "client_assertion", "client_assertion_type", "client_id"];
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters.pairs().filter(|(name, _)| !dropped.contains(name)));
    form.append_pair("client_id", client_id);
    if let Some(jkt) = jkt {
        form.append_pair("dpop_jkt", jkt);
    }
    form.finish()
}

/// The request that was pushed, for the client that pushed it. A browser may load the page again while it is good
/// (RFC 9126 4).
pub(super) async fn take(
    cx: &Cx,
    request_uri: &str,
    client_id: &str,
) -> Result<AuthorizationParameters, OAuthError> {
    let unknown = OAuthError::new(ErrorCode::InvalidRequestUri, "the request_uri is unknown or expired");
    let text = request_uri.strip_prefix(PREFIX).ok_or(unknown)?;
    let credential = Credential::read(text, Purpose::PushedRequest, &cx.provider.secrets).ok_or(unknown)?;
    let why = "the browser brings a request that was pushed";
    let stored = cx.load::<PushedRequest>(RecordKind::PushedRequest, &id_text(&credential.id), why).await?;
    let pushed = stored.ok_or(unknown)?.value;
    let good =
        cx.io.now_s() < pushed.until && credential.has_hash(&pushed.secret) && *pushed.client == *client_id;
    if !good {
        return Err(unknown);
    }
    RequestParameters::read(&pushed.parameters).map(AuthorizationParameters::of)
}
