//! URLs: which ones may be used, what belongs to a resource, when two name the same resource.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use url::{Host, Url};

use crate::error::PeerMisbehaved;
use crate::limits;

/// Which URLs from outside are used. One policy for every one of them: metadata, endpoints, issuers,
/// redirects.
///
/// Without options: https; http only to a loopback host; no user info and no fragment; a private,
/// link-local or loopback host only when the resource itself lives in the same kind of place. The core
/// resolves no names, so what a *name* may resolve to goes along with each request: [`Reach`].
///
/// ```
/// use grantor::{UrlPolicy, UrlProblem};
/// let resource = "https://mcp.example.com/mcp".parse()?;
/// let policy = UrlPolicy::default();
/// assert_eq!(policy.check(&"https://as.example.com".parse()?, &resource), Ok(()));
/// assert_eq!(policy.check(&"https://169.254.169.254/".parse()?, &resource), Err(UrlProblem::PrivateHost));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UrlPolicy {
    /// Lets metadata of a public resource point to private, link-local and loopback hosts.
    ///
    /// For networks where the resource has a public name and the authorization server does not. It
    /// opens the door to requests forged by a hostile resource (SSRF).
    pub allow_private_hosts: bool,
    development_hosts: Option<Arc<[Box<str>]>>,
}

/// Which addresses a request may be sent to. The policy for URLs, continued for what names resolve to: a
/// hostile resource must not make its clients send requests into their own network (SSRF) by a public name
/// with a private address.
///
/// Whoever sends the request resolves the name, connects to addresses that are [admitted](Self::admitted)
/// and to no others, and does not resolve it again in between. Where a proxy resolves, that is the proxy's
/// business.
///
/// ```
/// use grantor::Reach;
/// let reach = Reach::like("https://mcp.example.com/mcp");
/// let resolved = ["198.51.100.7".parse()?, "169.254.169.254".parse()?];
/// assert_eq!(reach.admitted(resolved, || vec!["203.0.113.1".parse().unwrap()]), [resolved[0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// Any address: the configuration names this host, or allows private hosts.
    #[default]
    Anywhere,
    /// The URL came from outside. Public addresses; private, link-local and loopback ones only if this host,
    /// the resource's, has an address of the same kind.
    Like(Arc<Host>),
}

impl Reach {
    /// Where URLs from outside may lead that concern the resource or server at this URL.
    pub fn like(url: &str) -> Self {
        Url::parse(url)
            .map_or_else(|_| Self::Like(Arc::new(Host::Ipv4(Ipv4Addr::BROADCAST))), |url| Self::of(&url))
    }

    pub(crate) fn of(url: &Url) -> Self {
        // Without a host, like no place that there is.
        let host = url.host().map_or(Host::Ipv4(Ipv4Addr::BROADCAST), |host| host.to_owned());
        Self::Like(Arc::new(host))
    }

    /// Those of the resolved addresses that may be connected to. `home` resolves the resource's host, and is
    /// only asked when that matters.
    pub fn admitted(
        &self,
        resolved: impl IntoIterator<Item = IpAddr>,
        home: impl FnOnce() -> Vec<IpAddr>,
    ) -> Vec<IpAddr> {
        let Self::Like(_) = self else { return resolved.into_iter().collect() };
        let (mut home, mut places) = (Some(home), Vec::new());
        let mut admits = |ip: &IpAddr| {
            let place = Place::of_ip(*ip);
            if place == Place::Public {
                return true;
            }
            if let Some(home) = home.take() {
                places = home().into_iter().map(Place::of_ip).collect();
            }
            place != Place::Nowhere && places.contains(&place)
        };
        resolved.into_iter().filter(|ip| admits(ip)).collect()
    }
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlProblem {
    /// It has a fragment.
    Fragment,
    /// http, to a host that is not loopback (OAuth 2.1 1.5).
    Insecure,
    /// At another origin than the resource's, where that is demanded.
    OtherOrigin,
    /// A private, link-local or loopback host, though the resource does not live there.
    PrivateHost,
    /// It has a query where none is allowed (RFC 8414 2).
    Query,
    /// A scheme other than http and https.
    Scheme,
    /// Not an absolute URL with a host.
    Syntax,
    /// Longer than [`limits::URL`].
    TooLong,
    /// It carries a user name or password.
    UserInfo,
}

impl fmt::Display for UrlProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fragment => "it has a fragment",
            Self::Insecure => "it is not https",
            Self::OtherOrigin => "it is not at the resource's own origin",
            Self::PrivateHost => "it points into a private network",
            Self::Query => "it has a query",
            Self::Scheme => "its scheme is neither https nor http",
            Self::Syntax => "it is not an absolute URL",
            Self::TooLong => "it is too long",
            Self::UserInfo => "it carries a user name or password",
        })
    }
}

impl UrlPolicy {
    /// The same, with http allowed to this host: **for development only**. Whoever is on the way there reads
    /// and changes everything, tokens and secrets included. With an engine each request to it is told as
    /// [`Notice::PlainHttp`](crate::client::Notice::PlainHttp).
    ///
    /// The host is a name or an address as URLs write it, without a port: `keycloak`, `mcp.test`,
    /// `192.168.7.2`, `[fd00::7]`. No other is meant, its subdomains neither. One that is named here may be
    /// private, too.
    ///
    /// ```
    /// use grantor::{UrlPolicy, UrlProblem};
    /// let resource = "http://mcp.test:8080/mcp".parse()?;
    /// let policy = UrlPolicy::default().development_host("mcp.test").development_host("keycloak");
    /// assert_eq!(policy.check(&"http://keycloak:8080/realms/dev".parse()?, &resource), Ok(()));
    /// assert_eq!(policy.check(&"http://other/".parse()?, &resource), Err(UrlProblem::Insecure));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn development_host(self, host: &str) -> Self {
        let before = self.development_hosts.iter().flat_map(|hosts| hosts.iter().cloned());
        let hosts = before.chain([host.to_ascii_lowercase().into()]).collect();
        Self { development_hosts: Some(hosts), ..self }
    }

    /// Reads a URL that came from outside, in the context of `resource`.
    ///
    /// # Errors
    /// [`PeerMisbehaved::Url`], naming `field`, when the policy forbids it.
    pub fn read(&self, text: &str, field: &'static str, resource: &Url) -> Result<Url, PeerMisbehaved> {
        self.parse(text, resource).map_err(|problem| PeerMisbehaved::Url { field, problem })
    }

    /// As [`read`](Self::read), with the problem alone.
    pub(crate) fn parse(&self, text: &str, resource: &Url) -> Result<Url, UrlProblem> {
        if text.len() > limits::URL {
            return Err(UrlProblem::TooLong);
        }
        let url = Url::parse(text).map_err(|_| UrlProblem::Syntax)?;
        self.check(&url, resource)?;
        Ok(url)
    }

    /// Checks a URL in the context of `resource`.
    ///
    /// # Errors
    /// The first problem found.
    pub fn check(&self, url: &Url, resource: &Url) -> Result<(), UrlProblem> {
        self.check_shape(url)?;
        let place = Place::of(url);
        let allowed = place == Place::Public
            || place == Place::of(resource)
            || self.allow_private_hosts
            || self.is_development_host(url);
        if allowed { Ok(()) } else { Err(UrlProblem::PrivateHost) }
    }

    /// The part of the policy that holds for every URL, also for those of the caller.
    pub(crate) fn check_shape(&self, url: &Url) -> Result<(), UrlProblem> {
        match check_shape(url) {
            Err(UrlProblem::Insecure) if self.is_development_host(url) => {
                // http is the first thing that is looked at; the rest is as with https.
                let mut secure = url.clone();
                match secure.set_scheme("https") {
                    Ok(()) => check_shape(&secure),
                    Err(()) => Err(UrlProblem::Insecure),
                }
            }
            checked => checked,
        }
    }

    /// Whether the URL is that of a host that was named for development.
    pub(crate) fn is_development_host(&self, url: &Url) -> bool {
        let hosts = self.development_hosts.as_deref().unwrap_or_default();
        !hosts.is_empty() && url.host_str().is_some_and(|host| hosts.iter().any(|named| **named == *host))
    }
}

/// Whether a URL goes over a network without TLS, which only a development host may.
pub(crate) fn is_plain_http(url: &Url) -> bool {
    url.scheme() == "http" && !is_loopback(url)
}

/// What holds for every URL, whatever the policy.
fn check_shape(url: &Url) -> Result<(), UrlProblem> {
    if url.as_str().len() > limits::URL {
        return Err(UrlProblem::TooLong);
    }
    match url.scheme() {
        "https" => {}
        "http" if Place::of(url) == Place::Loopback => {}
        "http" => return Err(UrlProblem::Insecure),
        _ => return Err(UrlProblem::Scheme),
    }
    if !has_plain_host(url) {
        return Err(UrlProblem::Syntax);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlProblem::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(UrlProblem::Fragment);
    }
    Ok(())
}

/// Whether the URL has a host that is an address or a name as names are: URLs may hold more, such as `$` and quotes,
/// which no name in the DNS needs, and which other readers take for something else.
pub(crate) fn has_plain_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        }
        host => host.is_some(),
    }
}

/// Whether `url` is at or under `resource`: same origin, the same path or one below it.
pub(crate) fn is_within(url: &Url, resource: &Url) -> bool {
    let base = resource.path().trim_end_matches('/');
    url.origin() == resource.origin()
        && url.path().strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A URL as it may be shown: without user, query and fragment.
pub(crate) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // URLs that can have no user have none.
    let _ = (url.set_username(""), url.set_password(None));
    url.into()
}

/// Whether two identifiers name the same resource: equal when read as URLs, so that case of scheme and
/// host, a default port and the empty path do not count; everything else does. Parsers mend what is no URI, each
/// in its own way, so that equals nothing.
pub(crate) fn same_resource(a: &str, b: &str) -> bool {
    let same = || matches!((Url::parse(a), Url::parse(b)), (Ok(a), Ok(b)) if a == b);
    a == b || is_uri(a) && is_uri(b) && same()
}

/// Whether a text has the characters of an absolute URI (RFC 3986 2) with an authority alone, so that all
/// readers read it alike: no blanks, backslashes, controls, or letters that look like others.
pub(crate) fn is_uri(text: &str) -> bool {
    let is_of_uri = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    text.bytes().all(is_of_uri) && text.contains("://")
}

/// Whether a text is a URL as its serialization writes it, but for the case of scheme and host, a default port,
/// and the slash of an empty path.
pub(crate) fn is_written_plainly(text: &str, url: &Url) -> bool {
    let port = match url.scheme() {
        "https" => ":443",
        _ => ":80",
    };
    let canonical = url.as_str();
    let host = url.host_str().map_or(0, str::len);
    let end = (url.scheme().len() + "://".len() + host).min(canonical.len());
    let (authority, rest) = canonical.split_at_checked(end).unwrap_or((canonical, ""));
    let is_one = |authority: &str| {
        let (own, own_rest) = text.split_at_checked(authority.len()).unwrap_or_default();
        let is_bare = || url.path() == "/" && rest.strip_suffix('/') == Some(own_rest);
        own.eq_ignore_ascii_case(authority) && (own_rest == rest || is_bare())
    };
    is_uri(text) && (is_one(authority) || url.port().is_none() && is_one(&format!("{authority}{port}")))
}

/// Whether the URL's host is the machine itself.
pub(crate) fn is_loopback(url: &Url) -> bool {
    Place::of(url) == Place::Loopback
}

/// Top-level labels that are not of the public DNS (RFC 6762, RFC 8375, ICANN's reservation of `internal`, and
/// those that RFC 6762 appendix G lists as used inside networks), and those of container platforms.
const PRIVATE_TOP_LEVELS: &[&str] =
    &["corp", "docker", "home", "internal", "intranet", "lan", "local", "localdomain", "private", "svc"];
/// The names of clouds' metadata services, which hand out credentials.
const METADATA_SERVICES: &[&str] =
    &["instance-data", "instance-data.ec2.internal", "metadata", "metadata.goog", "metadata.google.internal"];

/// Where a host lives, as far as its literal tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Public,
    Loopback,
    Private,
    LinkLocal,
    /// Addresses that no server has: unspecified, multicast, reserved.
    Nowhere,
}

impl Place {
    fn of(url: &Url) -> Self {
        match url.host() {
            Some(Host::Domain(name)) => Self::of_name(name),
            Some(Host::Ipv4(ip)) => Self::of_v4(ip),
            Some(Host::Ipv6(ip)) => Self::of_v6(ip),
            None => Self::Nowhere,
        }
    }

    /// What a name says without being resolved. Names that no public DNS answers for lead into whatever network
    /// the machine is in.
    fn of_name(name: &str) -> Self {
        let name = name.strip_suffix('.').unwrap_or(name);
        let last = name.rsplit('.').next().unwrap_or(name);
        match last {
            "localhost" => Self::Loopback,
            _ if METADATA_SERVICES.contains(&name) => Self::LinkLocal,
            // A single label is completed by the machine's search domains.
            _ if last.len() == name.len() || name.ends_with(".home.arpa") => Self::Private,
            _ if PRIVATE_TOP_LEVELS.contains(&last) => Self::Private,
            _ => Self::Public,
        }
    }

    fn of_ip(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Self {
        let [a, b, c, _] = ip.octets();
        match (a, b) {
            (127, _) => Self::Loopback,
            (10, _) | (192, 168) | (172, 16..=31) | (100, 64..=127) | (198, 18 | 19) => Self::Private,
            (169, 254) => Self::LinkLocal,
            // IETF protocol assignments, metadata services of clouds among them.
            (192, 0) if matches!(c, 0 | 2) => Self::Nowhere,
            (0 | 224.., _) => Self::Nowhere,
            _ => Self::Public,
        }
    }

    fn of_v6(ip: Ipv6Addr) -> Self {
        // Addresses that carry an IPv4 one lead to it: mapped, translated (RFC 2765), NAT64 (RFC 6052), 6to4
        // (RFC 3056), Teredo (RFC 4380, where the bits are inverted), ISATAP (RFC 5214).
        let [s0, s1, s2, s3, s4, s5, s6, s7] = ip.segments();
        let v4 = |high: u16, low: u16| {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Self::of_v4(Ipv4Addr::new(a, b, c, d))
        };
        match (s0, s1, s2, s3, s4, s5) {
            (0, 0, 0, 0, 0, 0xffff) | (0, 0, 0, 0, 0xffff, 0) | (0x64, 0xff9b, 0, 0, 0, 0) => v4(s6, s7),
            (0x2002, ..) => v4(s1, s2),
            (0x2001, 0, ..) => v4(!s6, !s7),
            (.., 0 | 0x200, 0x5efe) if Self::is_not_public(v4(s6, s7)) => v4(s6, s7),
            _ if ip == Ipv6Addr::LOCALHOST => Self::Loopback,
            (0, 0, 0, 0, 0, 0) | (0xff00.., ..) => Self::Nowhere,
            (0xfe80..=0xfebf, ..) => Self::LinkLocal,
            (0xfc00..=0xfdff | 0xfec0..=0xfeff, ..) | (0x64, 0xff9b, 1, ..) => Self::Private,
            // Discard-only (RFC 6666), ORCHID (RFC 4843, 7343).
            (0x100, 0, 0, 0, ..) | (0x2001, 0x10..=0x2f, ..) => Self::Nowhere,
            _ => Self::Public,
        }
    }

    fn is_not_public(self) -> bool {
        self != Self::Public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn problem(text: &str, resource: &str) -> Option<UrlProblem> {
        match UrlPolicy::default().read(text, "x", &url(resource)) {
            Ok(_) => None,
            Err(PeerMisbehaved::Url { problem, .. }) => Some(problem),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn oauth21_1_5_https_only() {
        let public = "https://mcp.example.com/mcp";
        assert_eq!(problem("https://as.example.com/token", public), None);
        assert_eq!(problem("http://as.example.com/token", public), Some(UrlProblem::Insecure));
        assert_eq!(problem("javascript:alert(1)", public), Some(UrlProblem::Scheme));
        assert_eq!(problem("file:///etc/passwd", public), Some(UrlProblem::Scheme));
        assert_eq!(problem("ms-settings:privacy", public), Some(UrlProblem::Scheme));
        assert_eq!(problem("/token", public), Some(UrlProblem::Syntax));
        assert_eq!(problem("https://u:p@as.example.com/", public), Some(UrlProblem::UserInfo));
        assert_eq!(problem("https://as.example.com/#x", public), Some(UrlProblem::Fragment));
        for host in
            ["a$b.example", "a'b.example", "a`b.example", "a&b.example", "a;b.example", "a(b).example", "a*b"]
        {
            assert_eq!(problem(&format!("https://{host}/"), public), Some(UrlProblem::Syntax), "{host}");
        }
        assert_eq!(problem("https://a_b-c.xn--e1afmkfd.example./", public), None);
        let long = format!("https://as.example.com/{}", "x".repeat(limits::URL));
        assert_eq!(problem(&long, public), Some(UrlProblem::TooLong));
    }

    #[test]
    fn private_hosts_only_from_the_same_place() {
        let public = "https://mcp.example.com/mcp";
        for host in [
            "127.0.0.1",
            "localhost",
            "a.localhost",
            "localhost.",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[fd00::1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::a00:1]",
            "[2002:a00:1::]",
            "2130706433",
            "0x7f.1",
            "[ff02::1]",
            "127.0.0.1.",
            "127.1",
            "0177.0.0.1",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[::ffff:0:10.0.0.1]",
            "[64:ff9b::169.254.169.254]",
            "[64:ff9b:1::10.0.0.1]",
            "[2001:0:1:2:3:4:f5ff:fffe]",
            "[2001:470:1::5efe:10.0.0.1]",
            "[fd00:ec2::254]",
            "192.0.0.192",
            "100.100.100.200",
            "LOCALHOST",
            "localhost.localdomain",
            "ip6-localhost",
            "router",
            "printer.local",
            "vault.internal",
            "metadata.google.internal",
            "metadata.google.internal.",
            "metadata.goog",
            "instance-data",
            "db.corp",
            "nas.lan",
            "nas.home.arpa",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "host.docker.internal",
        ] {
            assert_eq!(problem(&format!("https://{host}/"), public), Some(UrlProblem::PrivateHost), "{host}");
        }
        assert_eq!(problem("http://localhost:9/", "http://127.0.0.1:8/mcp"), None);
        assert_eq!(problem("https://10.1.1.1/", "https://192.168.0.9/mcp"), None);
        assert_eq!(
            problem("https://169.254.169.254/", "https://192.168.0.9/mcp"),
            Some(UrlProblem::PrivateHost)
        );
        assert_eq!(problem("https://as.example.com/", "http://127.0.0.1:8/mcp"), None);
        assert_eq!(problem("https://as.internal/", "https://mcp.internal/mcp"), None);
        assert_eq!(problem("https://10.0.0.1/", "https://mcp/mcp"), None);
        let metadata = "https://metadata.google.internal/";
        assert_eq!(problem(metadata, "https://mcp.internal/mcp"), Some(UrlProblem::PrivateHost));
        for host in
            ["192.0.43.7", "[2600::1]", "local.example.com", "internal.example.com", "a.localhost.com"]
        {
            assert_eq!(problem(&format!("https://{host}/"), public), None, "{host} is public");
        }
        let open = UrlPolicy { allow_private_hosts: true, ..UrlPolicy::default() };
        assert!(open.read("https://10.0.0.1/", "x", &url(public)).is_ok());
        assert!(open.read("http://10.0.0.1/", "x", &url(public)).is_err(), "still https only");
    }

    #[test]
    fn resolved_addresses_only_from_the_same_place() {
        let admitted = |resolved: &str, home: &str| -> bool {
            let home: IpAddr = home.parse().unwrap();
            let reach = Reach::like("https://mcp.example.com/mcp");
            !reach.admitted([resolved.parse().unwrap()], || vec![home]).is_empty()
        };
        for inner in [
            "127.0.0.1",
            "10.0.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "0.0.0.0",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
        ] {
            assert!(!admitted(inner, "203.0.113.1"), "{inner}");
        }
        for public in ["198.51.100.7", "2001:db8::1", "64:ff9b::c633:6407"] {
            assert!(admitted(public, "203.0.113.1") && admitted(public, "10.0.0.1"), "{public}");
        }
        assert!(admitted("10.0.0.1", "192.168.3.4") && admitted("::1", "127.0.0.1"));
        assert!(!admitted("169.254.169.254", "10.0.0.1") && !admitted("0.0.0.0", "0.0.0.0"));
    }

    #[test]
    fn the_resource_is_resolved_only_when_that_matters() {
        let reach = Reach::of(&url("https://mcp.example.com/mcp"));
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(reach.admitted([ip("198.51.100.7")], || panic!("nobody asks")), [ip("198.51.100.7")]);
        let mut asked = 0;
        let resolved = [ip("10.0.0.1"), ip("198.51.100.7"), ip("10.0.0.2")];
        let home = || {
            asked += 1;
            vec![]
        };
        assert_eq!(reach.admitted(resolved, home), [ip("198.51.100.7")]);
        assert_eq!(asked, 1);
        assert_eq!(Reach::Anywhere.admitted([ip("10.0.0.1")], || panic!("nobody asks")), [ip("10.0.0.1")]);
        assert!(Reach::like("no URL").admitted([ip("10.0.0.1")], Vec::new).is_empty());
    }

    #[test]
    fn http_to_development_hosts_that_are_named() {
        let resource = url("https://mcp.example.com/mcp");
        let policy = UrlPolicy::default().development_host("Keycloak").development_host("10.0.0.7");
        for good in ["http://keycloak:8080/realms/dev", "http://10.0.0.7/", "https://10.0.0.7/"] {
            assert_eq!(policy.check(&url(good), &resource), Ok(()), "{good}");
        }
        for (bad, problem) in [
            ("http://a.keycloak/", UrlProblem::Insecure),
            ("http://keycloak.example.com/", UrlProblem::Insecure),
            ("http://10.0.0.8/", UrlProblem::Insecure),
            ("https://10.0.0.8/", UrlProblem::PrivateHost),
            ("http://u@keycloak/", UrlProblem::UserInfo),
            ("http://keycloak/#x", UrlProblem::Fragment),
            ("ftp://keycloak/", UrlProblem::Scheme),
        ] {
            assert_eq!(policy.check(&url(bad), &resource), Err(problem), "{bad}");
        }
        assert!(is_plain_http(&url("http://keycloak/")));
        assert!(!is_plain_http(&url("https://keycloak/")) && !is_plain_http(&url("http://localhost/")));
    }

    #[test]
    fn reach_of_a_token() {
        let resource = url("https://h/mcp");
        for inside in ["https://h/mcp", "https://h/mcp/", "https://h/mcp/a?b=c", "https://H:443/mcp"] {
            assert!(is_within(&url(inside), &resource), "{inside}");
        }
        for outside in [
            "https://h/mcp2",
            "https://h/",
            "https://h/mcp/../x",
            "https://h/mcp/%2e%2e/x",
            "http://h/mcp",
            "https://h:444/mcp",
            "https://h.evil/mcp",
            "https://g/mcp",
        ] {
            assert!(!is_within(&url(outside), &resource), "{outside}");
        }
        assert!(is_within(&url("https://h/any"), &url("https://h")));
        assert!(is_within(&url("https://h/mcp"), &url("https://h/mcp/")));
    }

    #[test]
    fn rfc9728_3_3_identical_resources() {
        assert!(same_resource("https://H", "https://h/"));
        assert!(same_resource("https://h:443/mcp", "https://h/mcp"));
        assert!(!same_resource("https://h/mcp", "https://h/mcp/"));
        assert!(!same_resource("https://h/mcp", "https://h/MCP"));
        assert!(!same_resource("https://h/mcp?a", "https://h/mcp"));
        for mended in
            [r"https:\\h\mcp", " https://h/mcp", "https:h/mcp", "https://h/m\tcp", "https://\u{ff48}/mcp"]
        {
            assert!(!same_resource(mended, "https://h/mcp"), "{mended}");
        }
    }

    #[test]
    fn what_is_shown_is_what_is_asked() {
        let plain = |text: &str| is_written_plainly(text, &url(text));
        for good in [
            "https://h",
            "https://h/",
            "HTTPS://H/a",
            "https://h:443/a",
            "https://h:8443/a/",
            "https://h:8443",
            "http://localhost",
        ] {
            assert!(plain(good), "{good}");
        }
        for bad in [
            "https://h/a/../b",
            r"https://h\@evil",
            "https://h/a b",
            "https://h/a\n",
            " https://h",
            "https://\u{440}aypal.com",
            "https://h/\u{202e}moc",
            "https://%61s.example.com",
            "https://0x7f.1",
            "https:h",
        ] {
            assert!(!plain(bad), "{bad:?}");
        }
    }
}
