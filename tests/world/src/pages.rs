//! Pages for people: consent, and the code of another device.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::StatusCode;
use url::Url;

use crate::Answered;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}\
h1{font-size:1.5rem}li{margin:.3rem 0}code{overflow-wrap:anywhere}\
.from{opacity:.75}button,input{font:inherit;padding:.5rem 1.2rem;margin:.3rem .3rem .3rem 0}";

/// What a page has to tell about an authorization.
pub(crate) struct Asked<'a> {
    /// The name that the client gave itself.
    pub(crate) client_name: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) scope: &'a str,
    /// Where the browser goes next; `None` for another device.
    pub(crate) redirect_uri: Option<&'a str>,
    /// What each scope allows, in words.
    pub(crate) scopes: &'a BTreeMap<String, String>,
    /// Whether the resource demands that the user has just signed in.
    pub(crate) sign_in: bool,
}

/// Asks for consent.
pub(crate) fn consent(asked: &Asked<'_>, hidden: &[(&str, &str)]) -> Answered {
    let client = if asked.client_name.is_empty() { asked.client_id } else { asked.client_name };
    let mut page = format!(
        "<h1>{} wants access</h1><p>It asks to use <code>{}</code> in your name, and to:</p><ul>",
        escaped(client),
        escaped(asked.resource),
    );
    for scope in asked.scope.split(' ').filter(|scope| !scope.is_empty()) {
        let _ = match asked.scopes.get(scope) {
            Some(words) => write!(page, "<li>{} <code>({})</code></li>", escaped(words), escaped(scope)),
            None => write!(page, "<li><code>{}</code></li>", escaped(scope)),
        };
    }
    if asked.scope.is_empty() {
        page.push_str("<li>do whatever this server allows by default</li>");
    }
    page.push_str("</ul>");
    if asked.sign_in {
        page.push_str("<p>The server wants you to sign in again for this: your answer counts as that.</p>");
    }
    let from = match asked.redirect_uri {
        Some(uri) => format!("Your answer goes to {}.", escaped(&place(uri))),
        None => "Your answer goes to the device that shows the code.".to_owned(),
    };
    let _ = write!(
        page,
        "<p class=from>The name is the client's own; nobody has checked it. {from}</p><form method=post>"
    );
    for (name, value) in hidden {
        let _ = write!(page, "<input type=hidden name=\"{}\" value=\"{}\">", escaped(name), escaped(value));
    }
    page.push_str(
        "<button name=decision value=allow>Allow</button> <button name=decision value=deny>Deny</button></form>",
    );
    respond("Allow access?", &page)
}

/// Asks for the code that another device shows; says first what is wrong with the last one.
pub(crate) fn code_of_a_device(problem: &str) -> Answered {
    let page = format!(
        "<h1>Connect a device</h1><p>{}</p><form method=get><label>The code that the device shows: \
         <input name=user_code autofocus autocomplete=off></label> <button>Continue</button></form>",
        escaped(problem)
    );
    respond("Connect a device", &page)
}

/// Says what has become of it.
pub(crate) fn done(text: &str) -> Answered {
    respond("Done", &format!("<h1>{}</h1><p>You can close this page.</p>", escaped(text)))
}

fn respond(title: &str, body: &str) -> Answered {
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>\
         <meta name=viewport content=\"width=device-width\"><style>{STYLE}</style><body>{body}"
    );
    crate::respond(StatusCode::OK, "text/html; charset=utf-8", page)
}

/// Who gets an answer that is sent to this URI.
fn place(redirect_uri: &str) -> String {
    match Url::parse(redirect_uri).ok().and_then(|url| Some(url.host_str()?.to_owned())) {
        Some(host) if ["127.0.0.1", "[::1]", "localhost"].contains(&host.as_str()) => {
            "a program on this computer".to_owned()
        }
        Some(host) => host,
        None => redirect_uri.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
