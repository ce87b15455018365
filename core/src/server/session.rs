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

fn is_secure(shared: &Shared) -> bool {
    shared.issuer_url.scheme() == "https"
}

const NAME: &str = "session";

/// `__Host-`: of this host over TLS, and set by no other (RFC 6265bis 4.1.3.2). A development server has no TLS.
fn full_name(shared: &Shared, name: &str) -> String {
    let prefix = if is_secure(shared) { "__Host-" } else { "" };
    format!("{prefix}grantor-{name}")
}

/// `Set-Cookie` for a user who has signed in.
pub(super) fn cookie(shared: &Shared, now: Now, user: &User) -> Option<HeaderValue> {
    let lifetime = shared.config.lifetimes.session.as_secs();
    let session = Session { user: user.clone(), until: now.unix_s.saturating_add(lifetime) };
    let text = encode_base64url(serde_json::to_vec(&session).ok()?);
    let tag = encode_base64url(shared.secrets.mac(Use::Session, &[text.as_bytes()]));
    set(shared, NAME, &format!("{text}.{tag}"), lifetime)
}

/// `Set-Cookie` for a user who signs out at this browser.
pub(super) fn no_cookie(shared: &Shared) -> Option<HeaderValue> {
    set(shared, NAME, "", 0)
}

/// `Set-Cookie` for `max_age` seconds.
pub(super) fn set(shared: &Shared, name: &str, value: &str, max_age: u64) -> Option<HeaderValue> {
    let (name, secure) = (full_name(shared, name), if is_secure(shared) { "; Secure" } else { "" });
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}");
    let mut value = HeaderValue::from_str(&line).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The cookie of this name that a browser sends.
pub(super) fn sent<'a>(shared: &Shared, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let name = full_name(shared, name);
    lines.flat_map(cookies).find(|(own, _)| *own == name).map(|(_, value)| value)
}

/// Whether one of the cookies of this name is as it has to be.
pub(super) fn any(shared: &Shared, line: &str, name: &str, is_good: impl Fn(&str) -> bool) -> bool {
    let name = full_name(shared, name);
    cookies(line).any(|(own, value)| own == name && is_good(value))
}

fn cookies(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split(';').filter_map(|cookie| cookie.trim().split_once('='))
}

/// The user of the cookie.
pub(super) fn user(shared: &Shared, now: Now, headers: &HeaderMap) -> Option<User> {
    let value = sent(shared, headers, NAME)?;
    let (text, tag) = value.split_once('.')?;
    let tag = decode_base64url(tag).filter(|tag| tag.len() == 32)?;
    shared.secrets.made(Use::Session, &[text.as_bytes()], &tag).then_some(())?;
    let session: Session = serde_json::from_slice(&decode_base64url(text)?).ok()?;
    (now.unix_s < session.until).then_some(session.user)
}
