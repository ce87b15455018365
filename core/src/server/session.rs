//! Who is signed in at a browser, as a cookie that only this provider can make. A host may use sessions of its own
//! instead.

use http::header::{COOKIE, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use super::context::Shared;
use super::credential::Use;
use super::records::User;
use crate::jose::{decode_base64url, encode_base64url};
use crate::time::Now;

#[derive(Serialize, Deserialize)]
struct Session {
    user: User,
    until: u64,
}

fn name(shared: &Shared) -> &'static str {
    if is_secure(shared) { "__Host-grantor-session" } else { "grantor-session" }
}

fn is_secure(shared: &Shared) -> bool {
    shared.issuer_url.scheme() == "https"
}

/// `Set-Cookie` for a user who has signed in.
pub(super) fn cookie(shared: &Shared, now: Now, user: &User) -> Option<HeaderValue> {
    let lifetime = shared.config.lifetimes.session.as_secs();
    let session = Session { user: user.clone(), until: now.unix_s.saturating_add(lifetime) };
    let text = encode_base64url(serde_json::to_vec(&session).ok()?);
    let tag = encode_base64url(shared.secrets.mac(Use::Session, &[text.as_bytes()]));
    set(shared, &format!("{text}.{tag}"), lifetime)
}

/// `Set-Cookie` for a user who signs out at this browser.
pub(super) fn no_cookie(shared: &Shared) -> Option<HeaderValue> {
    set(shared, "", 0)
}

fn set(shared: &Shared, value: &str, max_age: u64) -> Option<HeaderValue> {
    let (name, secure) = (name(shared), if is_secure(shared) { "; Secure" } else { "" });
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}");
    let mut value = HeaderValue::from_str(&line).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The user of the cookie.
pub(super) fn user(shared: &Shared, now: Now, headers: &HeaderMap) -> Option<User> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookies = lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let (_, value) = cookies.into_iter().find(|(own, _)| *own == name(shared))?;
    let (text, tag) = value.split_once('.')?;
    let tag = decode_base64url(tag).filter(|tag| tag.len() == 32)?;
    shared.secrets.made(Use::Session, &[text.as_bytes()], &tag).then_some(())?;
    let session: Session = serde_json::from_slice(&decode_base64url(text)?).ok()?;
    (now.unix_s < session.until).then_some(session.user)
}
