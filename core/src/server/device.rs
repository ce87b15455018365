//! Devices without a browser (RFC 8628).

use serde::Serialize;

use super::admission::error_page;
use super::answer::Answer;
use super::context::Cx;
use super::credential::{Credential, Purpose, Use, id_text};
use super::exchange::{Unavailable, Written};
use super::interaction;
use super::outcome::Outcome;
use super::page::{Page, PageContent};
use super::records::{Device, DeviceAnswer, Interaction, Purpose as Asking, User, UserCode, VERSION};
use super::request::Request;
use super::store::Stored;
use super::target::Target;
use super::wire::{OAuthError, TokenRequest};
use crate::effect::RecordKind;
use crate::jose::encode_base64url;
use crate::limits;
use crate::scope::ScopeSet;

/// Letters that no word is made of, and none that looks like another (RFC 8628 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LEN: usize = 8;
const INTERVAL_S: u64 = 5;

/// The device authorization endpoint (RFC 8628 3.1).
pub(super) async fn answer(cx: &Cx, request: &Request) -> Result<Answer, OAuthError> {
    #[derive(Serialize)]
    struct Body<'a> {
        device_code: &'a str,
        user_code: &'a str,
        verification_uri: &'a str,
        verification_uri_complete: String,
        expires_in: u64,
        interval: u64,
    }

    let parameters = request.form()?;
    let client = cx.authenticate(request, &parameters).await?;
    client.may("urn:ietf:params:oauth:grant-type:device_code")?;
    let (scope, resources) = TokenRequest::target(&parameters)?;
    let target = Target::choose(&cx.provider.config, &client.description.scope, &scope, &resources)?;
    let now = cx.io.now_s();
    let lifetime = cx.provider.config.lifetimes.device_code.as_secs();
    let until = now.saturating_add(lifetime);
    let credential = Credential::new(cx.io.random(), 0, cx.io.random());
    let id = id_text(&credential.id);
    let device = Device {
        v: VERSION,
        secret: credential.hash().into(),
        client: client.id.clone(),
        scope: target.scope,
        resources: target.resources,
        until,
        next_at: now,
        interval: INTERVAL_S,
        answer: None,
    };
    cx.save(RecordKind::Device, &id, &device, None, until, "a device waits for its user").await?;
    let record = UserCode { v: VERSION, device: id.into(), until };
    let user_code = loop {
        let code = new_code(cx);
        let why = "the user finds the device by a short code";
        let name = record_name(cx, &code);
        if cx.save(RecordKind::UserCode, &name, &record, None, until, why).await? == Written::Saved {
            break code;
        }
    };
    let shown = format!(
        "{}-{}",
        user_code.get(..LEN / 2).unwrap_or_default(),
        user_code.get(LEN / 2..).unwrap_or_default()
    );
    let page = &cx.provider.endpoints.device_page;
    Ok(Answer::json(
        200,
        &Body {
            device_code: credential.text(Purpose::DeviceCode, &cx.provider.secrets).expose(),
            user_code: &shown,
            verification_uri: page,
            verification_uri_complete: format!("{page}?user_code={shown}"),
            expires_in: lifetime,
            interval: INTERVAL_S,
        },
    ))
}

fn new_code(cx: &Cx) -> String {
    // 20 divides 240: larger bytes would prefer some letters.
    let mut code = String::with_capacity(LEN);
    while code.len() < LEN {
        let random: [u8; 32] = cx.io.random();
        let letters = random.iter().filter(|byte| **byte < 240);
        code.extend(
            letters.filter_map(|byte| LETTERS.get(usize::from(byte % 20)).map(|letter| char::from(*letter))),
        );
    }
    code.truncate(LEN);
    code
}

/// Nobody who reads the store can type the code in.
fn record_name(cx: &Cx, code: &str) -> String {
    encode_base64url(cx.provider.secrets.mac(Use::UserCode, &[code.as_bytes()]))
}

/// A user typed in a code: the device is shown, and what it wants.
pub(super) async fn enter(cx: Cx, user_code: String, user: User) -> Outcome {
    entered(&cx, &user_code, user).await.unwrap_or_else(|error| error_page(&error))
}

async fn entered(cx: &Cx, user_code: &str, user: User) -> Result<Outcome, OAuthError> {
    if !may_try(cx, &user).await? {
        return Ok(Outcome::Page(Box::new(Page::new(429, PageContent::UnknownUserCode))));
    }
    let Some((id, device)) = find(cx, user_code).await? else {
        return Ok(Outcome::Page(Box::new(Page::new(200, PageContent::UnknownUserCode))));
    };
    let client = cx.client(&device.client).await?;
    let record = Interaction {
        v: VERSION,
        secret: "".into(),
        client: client.id.clone(),
        scope: device.scope,
        resources: device.resources,
        created_at: cx.io.now_s(),
        until: device.until,
        login_hint: None,
        acr_values: Vec::new(),
        signed_in_since: None,
        purpose: Asking::Device { id },
    };
    Ok(interaction::begin(cx, record, &client, Some(user)).await?)
}

/// Counts a try before it is made, so that many at once are as many. The count is the user's who types: nobody locks out
/// another (RFC 8628 5.1).
async fn may_try(cx: &Cx, user: &User) -> Result<bool, Unavailable> {
    let why = "nobody guesses the codes of others";
    let name =
        encode_base64url(cx.provider.secrets.mac(Use::UserCode, &[b"attempts", user.subject.as_bytes()]));
    cx.count(&name, limits::USER_CODE_ATTEMPTS, limits::USER_CODE_ATTEMPTS_S, why).await
}

async fn find(cx: &Cx, user_code: &str) -> Result<Option<(Box<str>, Device)>, Unavailable> {
    // RFC 8628 6.1: what the eye adds, such as a dash or a lower case, is no part of the code.
    let code: String =
        user_code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    if code.len() != LEN {
        return Ok(None);
    }
    let why = "the user finds the device by a short code";
    let Some(stored) = cx.load::<UserCode>(RecordKind::UserCode, &record_name(cx, &code), why).await? else {
        return Ok(None);
    };
    let id = stored.value.device;
    let device = cx.load::<Device>(RecordKind::Device, &id, why).await?;
    let waiting =
        |stored: &Stored<Device>| stored.value.answer.is_none() && stored.value.until > cx.io.now_s();
    Ok(device.filter(waiting).map(|stored| (id, stored.value)))
}

/// The user's answer, for the device to fetch.
pub(super) async fn decide(
    cx: &Cx,
    id: &str,
    user: User,
    allowed: Option<ScopeSet>,
) -> Result<Outcome, OAuthError> {
    let is_allowed = allowed.is_some();
    let answer = match allowed {
        Some(scope) => DeviceAnswer::Allowed { user, scope },
        None => DeviceAnswer::Denied,
    };
    let done = || {
        let content = PageContent::DeviceDone { allowed: is_allowed };
        Ok(Outcome::Page(Box::new(Page::new(200, content))))
    };
    for _ in 0..limits::STORE_ROUNDS {
        let why = "the user answers for the device";
        let stored = match cx.load::<Device>(RecordKind::Device, id, why).await? {
            Some(stored) if stored.value.answer.is_none() => stored,
            // The answer was kept, and the user did not learn it.
            Some(stored) if stored.value.answer.as_ref() == Some(&answer) => return done(),
            _ => return Ok(Outcome::Page(Box::new(Page::new(200, PageContent::UnknownUserCode)))),
        };
        let answered = Device { answer: Some(answer.clone()), ..stored.value };
        let until = answered.until;
        match cx.save(RecordKind::Device, id, &answered, Some(stored.revision), until, why).await? {
            Written::Saved => return done(),
            Written::Conflict => {} // the device asked meanwhile
        }
    }
    Err(Unavailable.into())
}
