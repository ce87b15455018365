//! Which addresses an HTTP stack may connect to.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use grantor::Reach;
use grantor::error::FailureKind;
use grantor::wire::HttpRequest;
use url::Host;

use crate::http::HttpFailure;

/// How long a name's addresses are used before it is resolved again.
const FRESH: Duration = Duration::from_secs(30);
/// How long it may take to find that a name cannot be resolved before that, too, is remembered.
const SLOW: Duration = Duration::from_secs(1);
/// So many names are remembered, far more than are in use at a time.
const NAMES: usize = 256;

/// Resolves names. It may block. A function is one.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of a name; none is an error.
    ///
    /// # Errors
    /// When it has none, or that cannot be known.
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

impl<F: Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static> Resolver for F {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self(name)
    }
}

/// The addresses that requests of Grantor's own may be sent to. Clones are the same.
///
/// Before a request is sent to a URL that came from outside, [`check`](Self::check) resolves its name, drops what its [`Reach`] does not admit, and remembers the rest. The HTTP stack asks
/// [`resolve`](Self::resolve) instead of the system, so it connects to what was checked and nothing else,
/// however often the name changes its mind in between. Names that nobody checked, such as a proxy's, are
/// resolved as ever: behind a proxy, names are the proxy's business.
#[derive(Clone)]
pub struct Addresses(Arc<Shared>);

struct Shared {
    resolver: Box<dyn Resolver>,
    /// A handful, in the order in which they were checked.
    checked: Mutex<Vec<Resolved>>,
}

struct Resolved {
    name: Box<str>,
    at: Instant,
    checked: Checked,
}

/// What a name was found to be.
#[derive(Clone)]
enum Checked {
    Admitted(Vec<IpAddr>),
    Refused,
    /// Where everything goes through a proxy, it may take long to find that out.
    Unknown {
        slow: bool,
    },
}

impl Default for Addresses {
    /// By the system's resolver.
    fn default() -> Self {
        Self::by(by_the_system)
    }
}

impl Addresses {
    /// By this resolver.
    pub fn by(resolver: impl Resolver) -> Self {
        Self(Arc::new(Shared { resolver: Box::new(resolver), checked: Mutex::default() }))
    }

    /// What has to be resolved before this request may be sent, if anything.
    pub(crate) fn to_check(&self, request: &HttpRequest) -> Option<Check> {
        match (&request.reach, request.url.host()) {
            (Reach::Like(home), Some(Host::Domain(name))) => {
                Some(Check { addresses: self.clone(), name: name.into(), home: Arc::clone(home) })
            }
            _ => None,
        }
    }

    /// Checks where this request may go; the driver does so before [`send`](crate::nonblocking::Host::send) is
    /// called. It may block when the name was not checked just before. Returns the addresses that are
    /// admitted, for a stack that takes no resolver: `None` when every address is, none when the name cannot be
    /// resolved here, which does not matter to a proxy.
    ///
    /// # Errors
    /// When the name leads to addresses that are not admitted, and to no others.
    pub fn check(&self, request: &HttpRequest) -> Result<Option<Vec<IpAddr>>, HttpFailure> {
        self.to_check(request).map(|check| check.run()).transpose()
    }

    /// What an HTTP stack connects to for this name. It may block.
    ///
    /// # Errors
    /// When there is nothing that it may connect to.
    pub fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match self.known(name) {
            None => self.0.resolver.resolve(name),
            Some((_, Checked::Admitted(addresses))) => Ok(addresses),
            Some((_, Checked::Refused)) => Err(io::Error::new(ErrorKind::PermissionDenied, REFUSED)),
            Some((_, Checked::Unknown { .. })) => {
                Err(io::Error::new(ErrorKind::NotFound, "the name cannot be resolved"))
            }
        }
    }

    fn known(&self, name: &str) -> Option<(Instant, Checked)> {
        let checked = self.0.checked.lock().unwrap_or_else(PoisonError::into_inner);
        checked.iter().find(|known| *known.name == *name).map(|known| (known.at, known.checked.clone()))
    }

    fn remember(&self, name: &str, found: Checked) {
        let mut checked = self.0.checked.lock().unwrap_or_else(PoisonError::into_inner);
        checked.retain(|known| *known.name != *name);
        if checked.len() >= NAMES {
            checked.remove(0);
        }
        checked.push(Resolved { name: name.into(), at: Instant::now(), checked: found });
    }
}

/// Whether a request may be sent to this address, for HTTP stacks that ask for each before they connect. It may block:
/// whether a private address is admitted depends on the addresses of the resource's host.
pub fn admits(request: &HttpRequest, address: IpAddr) -> bool {
    let (Reach::Like(home), Some(Host::Domain(_))) = (&request.reach, request.url.host()) else {
        return true; // by the configuration, or judged as it stands in the URL
    };
    !request.reach.admitted([address], || addresses_of(home, &by_the_system)).is_empty()
}

fn addresses_of(home: &Host, resolver: &dyn Resolver) -> Vec<IpAddr> {
    match home {
        Host::Domain(name) => resolver.resolve(name).unwrap_or_default(),
        Host::Ipv4(ip) => vec![(*ip).into()],
        Host::Ipv6(ip) => vec![(*ip).into()],
    }
}

/// A name to be resolved and judged.
pub(crate) struct Check {
    addresses: Addresses,
    name: Box<str>,
    home: Arc<Host>,
}

impl Check {
    /// It may block.
    pub(crate) fn run(&self) -> Result<Vec<IpAddr>, HttpFailure> {
        let fresh = |(at, checked): &(Instant, Checked)| {
            at.elapsed() < FRESH && !matches!(checked, Checked::Unknown { slow: false })
        };
        let known = self.addresses.known(&self.name).filter(fresh);
        match known.map_or_else(|| self.resolve(), |(_, checked)| checked) {
            Checked::Admitted(addresses) => Ok(addresses),
            Checked::Refused => Err(HttpFailure::new(FailureKind::Unreachable, REFUSED)),
            Checked::Unknown { .. } => Ok(Vec::new()),
        }
    }

    fn resolve(&self) -> Checked {
        let (resolver, begun) = (&self.addresses.0.resolver, Instant::now());
        let home = || addresses_of(&self.home, &**resolver);
        let checked = match resolver.resolve(&self.name) {
            Ok(resolved) => match Reach::Like(Arc::clone(&self.home)).admitted(resolved, home) {
                admitted if admitted.is_empty() => Checked::Refused,
                admitted => Checked::Admitted(admitted),
            },
            Err(_) => Checked::Unknown { slow: begun.elapsed() > SLOW },
        };
        self.addresses.remember(&self.name, checked.clone());
        checked
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Addresses")
    }
}

fn by_the_system(name: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<_> = (name, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    addresses.dedup();
    if addresses.is_empty() { Err(ErrorKind::NotFound.into()) } else { Ok(addresses) }
}

const REFUSED: &str = "the name leads into a private network, where the resource does not live; \
                       `UrlPolicy::allow_private_hosts` allows that";

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn request(url: &str, resource: &str) -> HttpRequest {
        let client = grantor::wire::client_auth::Client::public("c");
        let mut request = grantor::wire::introspection::request(url.parse().unwrap(), "t", &client);
        request.reach = Reach::like(resource);
        request
    }

    #[test]
    fn one_address_at_a_time() {
        let admits = |url, resource, ip: &str| admits(&request(url, resource), ip.parse().unwrap());
        let (away, local) = ("https://as.example/token", "http://127.0.0.1:3000/mcp");
        let public = "https://203.0.113.1/mcp";
        assert!(admits(away, public, "198.51.100.7"));
        assert!(!admits(away, public, "169.254.169.254"));
        assert!(!admits(away, public, "127.0.0.1"));
        assert!(admits("http://localhost:3001/token", local, "127.0.0.1"));
        assert!(admits("https://10.0.0.1/token", public, "10.0.0.1"), "judged as it stands in the URL");
    }

    /// Names by their first label: `10-0-0-1.example` is `10.0.0.1`.
    fn telling(name: &str) -> io::Result<Vec<IpAddr>> {
        let label = name.split('.').next().unwrap_or_default();
        let all = label.split("-and-").map(|ip| ip.replace('-', ".").parse());
        all.collect::<Result<_, _>>().map_err(io::Error::other)
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn names_lead_where_the_resource_lives() {
        let public = "https://198-51-100-1.example/mcp";
        let check = |name: &str, resource: &str| {
            let addresses = Addresses::by(telling);
            let request = request(&format!("https://{name}/token"), resource);
            let checked = addresses.check(&request);
            // The HTTP stack gets the same.
            assert_eq!(addresses.resolve(name).ok(), checked.clone().ok().flatten(), "{name}");
            checked.map(Option::unwrap).map_err(|failure| failure.kind)
        };
        assert_eq!(check("203-0-113-1.example", public), Ok(ips(&["203.0.113.1"])));
        for inner in ["127-0-0-1", "10-0-0-1", "192-168-1-1", "169-254-169-254", "100-64-0-1", "0-0-0-0"] {
            let name = format!("{inner}.example");
            assert_eq!(check(&name, public), Err(FailureKind::Unreachable), "{name}");
        }
        let mixed = "10-0-0-1-and-203-0-113-1.example";
        assert_eq!(check(mixed, public), Ok(ips(&["203.0.113.1"])), "what is private is left away");
        assert_eq!(check("10-0-0-1.example", "https://10-9-9-9.example/mcp"), Ok(ips(&["10.0.0.1"])));
        assert_eq!(check("10-0-0-1.example", "https://192.168.0.1/mcp"), Ok(ips(&["10.0.0.1"])));
        assert_eq!(
            check("169-254-169-254.example", "https://10-9-9-9.example/mcp"),
            Err(FailureKind::Unreachable)
        );
    }

    #[test]
    fn a_name_that_changes_its_mind_after_the_check_changes_nothing() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let addresses = Addresses::by(move |_: &str| match count.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(ips(&["203.0.113.1"])),
            _ => Ok(ips(&["169.254.169.254"])),
        });
        let request = request("https://as.example/token", "https://mcp.example/mcp");
        for _ in 0..3 {
            assert_eq!(addresses.check(&request).unwrap().unwrap(), ips(&["203.0.113.1"]));
            assert_eq!(addresses.resolve("as.example").unwrap(), ips(&["203.0.113.1"]));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn behind_a_proxy_nothing_has_to_be_resolved_here() {
        let addresses = Addresses::by(|name: &str| match name {
            "proxy.corp" => Ok(ips(&["10.0.0.1"])),
            _ => Err(ErrorKind::NotFound.into()),
        });
        let request = request("https://as.example/token", "https://mcp.example/mcp");
        assert_eq!(addresses.check(&request).unwrap(), Some(Vec::new()));
        assert!(addresses.resolve("as.example").is_err(), "but nothing is connected to unchecked");
        assert_eq!(addresses.resolve("proxy.corp").unwrap(), ips(&["10.0.0.1"]));
    }

    #[test]
    fn what_the_policy_leaves_open_is_not_resolved() {
        let addresses = Addresses::by(|_: &str| panic!("nobody asks"));
        let mut request = request("https://as.example/token", "https://mcp.example/mcp");
        assert!(addresses.to_check(&request).is_some());
        request.reach = Reach::Anywhere;
        assert!(addresses.to_check(&request).is_none());
        assert_eq!(addresses.check(&request).unwrap(), None);
        request.reach = Reach::like("https://mcp.example/mcp");
        request.url = "https://127.0.0.1/".parse().unwrap();
        assert_eq!(addresses.check(&request).unwrap(), None, "of literals, the core has judged");
    }

    #[test]
    fn few_names_are_remembered() {
        let addresses = Addresses::by(|_: &str| Ok(ips(&["203.0.113.1"])));
        for n in 0..NAMES + 10 {
            let url = format!("https://as{n}.example/token");
            addresses.check(&request(&url, "https://mcp.example/mcp")).unwrap();
        }
        assert_eq!(addresses.0.checked.lock().unwrap().len(), NAMES);
        let last = format!("as{}.example", NAMES + 9);
        assert!(addresses.known(&last).is_some() && addresses.known("as0.example").is_none());
    }
}
