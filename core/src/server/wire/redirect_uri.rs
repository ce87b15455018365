//! Redirect URIs: what may be registered, and what is one that was (RFC 9700 2.1, RFC 8252 7, 8).

use url::{Host, Url};

use crate::address::{is_loopback, is_uri};
use crate::limits;

/// Where a redirect URI leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectKind {
    /// A web server, which the name in its certificate tells from others.
    Https,
    /// The user's own machine, where any program can listen (RFC 8252 8.3).
    Loopback,
    /// A program that registered the scheme, which any other can too (RFC 8252 8.4).
    PrivateScheme,
}

/// What a redirect URI is; `None` for one that may not be registered: relative, with a fragment or user info, http
/// to another machine, or of a scheme that a browser acts on itself. A private scheme has a dot, as the reversed name
/// of a domain has (RFC 8252 7.1), unless the operator allows it by name.
pub fn redirect_kind<'a>(uri: &str, schemes: impl IntoIterator<Item = &'a str>) -> Option<RedirectKind> {
    // RFC 3986 2: in all other characters two readers could see two URIs.
    let is_written = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if uri.len() > limits::URL || !uri.bytes().all(is_written) {
        return None;
    }
    let url = Url::parse(uri).ok()?;
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    match url.scheme() {
        // Written as it is read, so that nobody reads it otherwise.
        "https" => (has_host(&url) && is_canonical(uri, &url)).then_some(RedirectKind::Https),
        "http" => (is_loopback(&url) && is_canonical(uri, &url)).then_some(RedirectKind::Loopback),
        scheme if scheme.contains('.') || schemes.into_iter().any(|own| own == scheme) => {
            Some(RedirectKind::PrivateScheme)
        }
        _ => None,
    }
}

fn has_host(url: &Url) -> bool {
    url.host_str().is_some_and(|host| !host.is_empty())
}

/// But for the slash of an empty path and the default port.
fn is_canonical(uri: &str, url: &Url) -> bool {
    crate::address::is_written_plainly(uri, url)
}

/// Whether a redirect URI is one of those that were registered: the same text; and to a loopback address on any port
/// (RFC 8252 7.3), of the same host by name.
pub fn is_registered<'a>(uri: &str, registered: impl IntoIterator<Item = &'a str>) -> bool {
    registered.into_iter().any(|own| own == uri || is_same_loopback(uri, own))
}

fn is_same_loopback(uri: &str, own: &str) -> bool {
    let (Some((uri, rest)), Some((own, own_rest))) = (loopback(uri), loopback(own)) else { return false };
    uri == own && rest == own_rest
}

/// The host of a URI to a loopback address, and all that follows its port.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let after = uri.strip_prefix("http://")?;
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, rest) = after.split_at_checked(end)?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let url = Url::parse(uri).ok().filter(|_| is_uri(uri) && is_port)?;
    let named = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
    let same = match url.host()? {
        Host::Domain(domain) => domain == host,
        Host::Ipv4(ip) => ip.to_string() == host,
        Host::Ipv6(ip) => format!("[{ip}]") == host,
    };
    (named && same && url.fragment().is_none()).then_some((host, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9700_2_1_exact_match() {
        let registered = ["https://app.example.com/cb"];
        assert!(is_registered("https://app.example.com/cb", registered));
        for trick in [
            "https://app.example.com/cb/",
            "https://app.example.com/cb/../evil",
            "https://app.example.com/cb%2f..%2fevil",
            "https://app.example.com/cb?next=evil",
            "https://app.example.com/CB",
            "https://app.example.com/cb#x",
            "https://app.example.com:443/cb",
            "https://app.example.com:8443/cb",
            "https://user@app.example.com/cb",
            "https://app.example.com@evil.example/cb",
            "https://app.example.com.evil.example/cb",
            "https://\u{430}pp.example.com/cb",
            "http://app.example.com/cb",
            "https://app.example.com\\@evil.example/cb",
            "HTTPS://app.example.com/cb",
            " https://app.example.com/cb",
            "https://app.example.com/cb\n",
            "//app.example.com/cb",
        ] {
            assert!(!is_registered(trick, registered), "{trick:?}");
        }
    }

    #[test]
    fn rfc8252_7_3_any_port_of_the_same_loopback_host() {
        for (registered, good) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"),
            ("http://127.0.0.1:3000/cb", "http://127.0.0.1:51004/cb"),
            ("http://127.0.0.1:3000/cb", "http://127.0.0.1/cb"),
            ("http://[::1]/cb", "http://[::1]:61023/cb"),
            ("http://localhost:3000/cb?a=b", "http://localhost:1/cb?a=b"),
            ("http://127.0.0.1", "http://127.0.0.1:7"),
        ] {
            assert!(is_registered(good, [registered]), "{good}");
        }
        for (registered, bad) in [
            ("http://127.0.0.1/cb", "http://localhost:3000/cb"),
            ("http://localhost/cb", "http://127.0.0.1:3000/cb"),
            ("http://localhost/cb", "http://localhost.evil.example:3000/cb"),
            ("http://localhost/cb", "http://localhost:3000@evil.example/cb"),
            ("http://localhost/cb", "http://evil.localhost/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:3000/cb2"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:3000/cb/../x"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb"),
            ("http://127.0.0.1/cb", "https://127.0.0.1:3000/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.2:3000/cb"),
            ("http://127.0.0.1/cb", "http://2130706433:3000/cb"),
            ("http://127.0.0.1/cb", "http://127.1/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:3000/cb#x"),
            ("http://app.example.com/cb", "http://app.example.com:8080/cb"),
            ("https://127.0.0.1/cb", "https://127.0.0.1:3000/cb"),
        ] {
            assert!(!is_registered(bad, [registered]), "{bad}");
        }
    }

    #[test]
    fn rfc8252_7_what_may_be_registered() {
        let kind = |uri| redirect_kind(uri, ["cursor"]);
        assert_eq!(kind("https://app.example.com/cb"), Some(RedirectKind::Https));
        assert_eq!(kind("http://127.0.0.1/cb"), Some(RedirectKind::Loopback));
        assert_eq!(kind("http://localhost:3000/"), Some(RedirectKind::Loopback));
        assert_eq!(kind("http://[::1]/"), Some(RedirectKind::Loopback));
        assert_eq!(kind("com.example.app:/cb"), Some(RedirectKind::PrivateScheme));
        assert_eq!(
            kind("cursor://anysphere.cursor-retrieval/oauth/callback"),
            Some(RedirectKind::PrivateScheme)
        );
        for bad in [
            "",
            "/cb",
            "http://app.example.com/cb",
            "https://app.example.com/cb#fragment",
            "https://user:pass@app.example.com/cb",
            "https:///cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "blob:x",
            "about:blank",
            "other://callback",
            "urn:ietf:wg:oauth:2.0:oob",
            "https://app.example.com/a/../b",
            "https://\u{440}aypal.com/",
            "https://app.example.com/a b",
        ] {
            assert_eq!(kind(bad), None, "{bad:?}");
        }
        assert_eq!(kind(&format!("https://a.example/{}", "x".repeat(limits::URL))), None);
    }
}
