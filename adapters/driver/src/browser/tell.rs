//! What the user is told, and whether a browser can be opened for them.

use grantor::{AuthorizationPrompt, DevicePrompt, Summary};
use url::Url;

use super::loopback::is_loopback;

/// The application, as it is called to the user.
fn application(summary: &Summary) -> &str {
    summary.client_name.as_deref().unwrap_or("the application")
}

/// Where the user finds the page, and how the browser comes back.
pub(super) fn where_to_go(prompt: &AuthorizationPrompt) -> String {
    let Summary { resource, .. } = &prompt.summary;
    let mut words = format!(
        "To let {} use {resource}, open this page in a browser:\n\n    {}\n",
        application(&prompt.summary),
        prompt.url.as_str()
    );
    if let Some(port) = loopback_port(&prompt.redirect_uri) {
        words += &format!(
            "\nIt leads back to this machine. If the browser is on another one,\nconnect the two first:\n\n    \
             ssh -L {port}:127.0.0.1:{port} user@host\n"
        );
    }
    words
}

/// A code for another device.
pub(super) fn code(prompt: &DevicePrompt) -> String {
    format!(
        "To let {} use {}, open {} on any device and enter the code {}",
        application(&prompt.summary),
        prompt.summary.resource,
        prompt.verification_uri.as_str(),
        prompt.user_code
    )
}

/// Why the user was given up, and what would have helped.
pub(super) fn what_was_waited_for(prompt: &AuthorizationPrompt) -> String {
    let page =
        Url::parse(prompt.url.as_str()).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    format!(
        "no browser came back from {page} to {}; where none can, see `Browser::pasted`, `ssh -L` with \
         `Browser::port`, or `Flow::Device`",
        prompt.redirect_uri
    )
}

fn loopback_port(redirect_uri: &str) -> Option<u16> {
    Url::parse(redirect_uri).ok().filter(|_| is_loopback(redirect_uri))?.port_or_known_default()
}

fn environment(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn over_ssh(is_set: &impl Fn(&str) -> bool) -> bool {
    is_set("SSH_CONNECTION") || is_set("SSH_TTY")
}

/// Whether a browser could show itself to the user. Who sets `BROWSER` knows how.
fn has_display(is_set: &impl Fn(&str) -> bool) -> bool {
    let needs_one = cfg!(all(unix, not(any(target_os = "macos", target_os = "ios", target_os = "android"))));
    !needs_one || ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME"].into_iter().any(is_set)
}

/// Opens the system's browser. Returns what to tell when the user may not see it, which may be nothing but where
/// the page is.
pub(super) fn open_in_system_browser(url: &str) -> Option<String> {
    if !has_display(&environment) {
        return Some(String::new());
    }
    match open(url) {
        // It may have opened where nobody looks.
        Ok(()) => over_ssh(&environment).then(String::new),
        Err(problem) => Some(problem),
    }
}

#[cfg(feature = "browser")]
fn open(url: &str) -> Result<(), String> {
    webbrowser::open(url).map_err(|error| format!("No browser could be opened: {error}"))
}

#[cfg(not(feature = "browser"))]
fn open(_: &str) -> Result<(), String> {
    Err(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays() {
        let with = |set: &'static [&'static str]| move |name: &str| set.contains(&name);
        let linux = cfg!(all(unix, not(target_os = "macos")));
        assert_eq!(has_display(&with(&[])), !linux);
        for name in ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"] {
            assert!(has_display(&move |set: &str| set == name));
        }
        assert!(
            over_ssh(&with(&["SSH_TTY"])) && over_ssh(&with(&["SSH_CONNECTION"])) && !over_ssh(&with(&[]))
        );
    }
}
