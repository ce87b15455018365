//! How often passwords are tried: bounded for each name, whoever tries (RFC 6749 10.10), and without a way to lock
//! somebody out. A browser in which a user has signed in before is known by a cookie, and its tries count by themselves;
//! all browsers that are not known share one count for each name.

use http::header::{HeaderMap, HeaderValue};

use super::context::{Cx, Shared};
use super::credential::Use;
use super::outcome::Outcome;
use super::session;
use crate::jose::{decode_base64url, encode_base64url};
use crate::limits;

/// The name that somebody types in, as it is counted: directories may see the same name in all of these.
fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Tells the names apart that sign in at one browser, and tells nobody what they are.
fn cookie_name(shared: &Shared, name: &str) -> String {
    let id = encode_base64url(shared.secrets.mac(Use::KnownBrowser, &[b"name", name.as_bytes()]));
    format!("known-{}", id.get(..11).unwrap_or_default())
}

/// `Set-Cookie` for a browser in which this name has signed in.
pub(super) fn cookie(shared: &Shared, entropy: [u8; 32], name: &str) -> Option<HeaderValue> {
    let (name, browser) = (folded(name), encode_base64url(entropy));
    let tag = shared.secrets.mac(Use::KnownBrowser, &[b"tag", name.as_bytes(), browser.as_bytes()]);
    let value = format!("{browser}.{}", encode_base64url(tag));
    session::set(shared, &cookie_name(shared, &name), &value, limits::KNOWN_BROWSER_S)
}

/// The known browser that sends these headers.
fn known(shared: &Shared, headers: &HeaderMap, name: &str) -> Option<String> {
    let (browser, tag) = session::sent(shared, headers, &cookie_name(shared, name))?.split_once('.')?;
    let tag = decode_base64url(tag).filter(|tag| tag.len() == 32)?;
    let parts: [&[u8]; 3] = [b"tag", name.as_bytes(), browser.as_bytes()];
    shared.secrets.made(Use::KnownBrowser, &parts, &tag).then(|| browser.to_owned())
}

/// What is counted for a try of this name.
pub(super) fn counted(shared: &Shared, headers: &HeaderMap, name: &str) -> String {
    let name = folded(name);
    let browser = known(shared, headers, &name).unwrap_or_default();
    encode_base64url(shared.secrets.mac(Use::KnownBrowser, &[b"tries", name.as_bytes(), browser.as_bytes()]))
}

/// Counts a try before it is made, so that many at once are as many.
pub(super) async fn count(cx: Cx, counted: String) -> Outcome {
    let why = "nobody guesses the passwords of others";
    let counted = cx.count(&counted, limits::PASSWORD_ATTEMPTS, limits::PASSWORD_ATTEMPTS_S, why).await;
    counted.map_or_else(Outcome::from, |is_allowed| Outcome::Attempt { is_allowed })
}
