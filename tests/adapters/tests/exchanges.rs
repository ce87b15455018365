//! Grantor's own requests over real sockets: what goes along, where they may go, what comes back coded.

use std::io::{self, Write as _};
use std::net::{IpAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use grantor::client::Config;
use grantor::error::{EffectError, FailureKind, Work};
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{Error, UrlPolicy, limits};
use grantor_adapters::support::{browser, call, setup};
use grantor_adapters::{ADAPTERS, Adapter, Failed, open, open_adding};
use grantor_driver::Setup;
use grantor_world::net::Served;
use grantor_world::raw::RawServer;
use http::HeaderMap;
use serde_json::json;

fn failed(outcome: Result<u16, Failed>) -> (FailureKind, String) {
    match outcome {
        Err(Failed::Authorization(Error::Effect(error))) => (error.kind, EffectError::to_string(&error)),
        other => panic!("{other:?}"),
    }
}

/// The headers that requests came with, by path.
type Seen = Arc<Mutex<Vec<(String, HeaderMap)>>>;

fn watched() -> (Served, Seen) {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let served = Served::start(Arc::new(move |asked, _| {
        log.lock().unwrap().push((asked.uri().path().to_owned(), asked.headers().clone()));
    }));
    (served, seen)
}

/// An API key and a cookie that the caller's HTTP client adds to everything go to the resource alone, through
/// registration, the code, a refresh and the log-out.
#[test]
fn what_the_callers_client_adds_never_reaches_an_authorization_server() {
    for name in ADAPTERS {
        let (servers, seen) = watched();
        let planted = [("x-api-key", "planted-key"), ("cookie", "planted=cookie")];
        let client = open_adding(name, setup(&servers.resource), &planted).unwrap();
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        servers.world().server().expire_access_tokens();
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        client.log_out().unwrap();
        let seen = seen.lock().unwrap();
        for (path, headers) in &*seen {
            let has = headers.values().any(|value| value.to_str().unwrap_or_default().contains("planted"));
            assert_eq!(has, path == "/mcp", "{name}: {path} {headers:?}");
        }
        for path in ["/register", "/token", "/.well-known/oauth-protected-resource/mcp"] {
            assert!(seen.iter().any(|(asked, _)| asked == path), "{name}: {path} was not asked");
        }
    }
}

/// Whatever the HTTP stack would say of itself, requests to authorization servers name the client and Grantor.
#[test]
fn rfc9110_10_1_5_every_stack_sends_the_clients_user_agent() {
    for name in ADAPTERS {
        let (servers, seen) = watched();
        let client = open(name, setup(&servers.resource)).unwrap();
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        let seen = seen.lock().unwrap();
        // The page is the browser's, and what goes to the resource is the caller's.
        for (path, headers) in seen.iter().filter(|(path, _)| path != "/authorize" && path != "/mcp") {
            let agents: Vec<_> = headers.get_all("user-agent").iter().collect();
            assert_eq!(agents.len(), 1, "{name}: {path} {agents:?}");
            assert!(
                agents[0].to_str().unwrap().starts_with("Adapters grantor/"),
                "{name}: {path} {agents:?}"
            );
        }
    }
}

/// Nothing but what was made here: no cookie of theirs comes back either.
#[test]
fn no_cookie_of_an_authorization_server_is_sent_back() {
    for name in ADAPTERS {
        let (servers, seen) = watched();
        let client = open(name, setup(&servers.resource)).unwrap();
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        let usual = [
            "accept",
            "accept-encoding",
            "authorization",
            "connection",
            "content-length",
            "content-type",
            "host",
            "mcp-protocol-version",
            "user-agent",
        ];
        for (path, headers) in seen.lock().unwrap().iter().filter(|(path, _)| path != "/mcp") {
            if path == "/authorize" || path == "/callback" {
                continue; // the browser
            }
            let unknown: Vec<_> = headers.keys().filter(|name| !usual.contains(&name.as_str())).collect();
            assert!(unknown.is_empty(), "{name}: {path} {unknown:?}");
            assert_eq!(headers["accept-encoding"], "identity", "{name}: {path}");
        }
    }
}

/// A name that no system knows, at which the servers' issuer is reached.
const NAMED: &str = "as.localhost";

/// Has the authorization server be this issuer, at which nothing but Grantor is to look it up.
fn rename(servers: &Served, issuer: &str) {
    let mut world = servers.world();
    world.mcp.authorization_servers = vec![servers.issuer.clone()];
    world.server().issuer = issuer.to_owned();
    world.server().metadata = json!({ "authorization_endpoint": format!("{}/authorize", servers.issuer) });
    world.mcp.authorization_servers = vec![issuer.to_owned()];
}

fn ips(texts: &[&str]) -> io::Result<Vec<IpAddr>> {
    texts.iter().map(|text| text.parse().map_err(io::Error::other)).collect()
}

/// The resource lives on this machine, so the authorization server may; what lives elsewhere in the private
/// network, such as the cloud's metadata, may not be asked.
#[test]
fn names_that_lead_into_a_private_network_are_not_connected_to() {
    for name in ADAPTERS {
        for (host, inner) in [
            (NAMED, &["169.254.169.254"] as &[_]),
            (NAMED, &["10.0.0.1", "192.168.0.1"]),
            ("as.example.com", &["fd00::1"]),
            ("as.example.com", &["100.100.100.200"]),
            ("as.example.com", &["0.0.0.0"]),
        ] {
            let (servers, _) = watched();
            match host == NAMED {
                true => rename(&servers, &servers.issuer.replace("127.0.0.1", host)),
                false => servers.world().mcp.authorization_servers = vec![format!("https://{host}")],
            }
            let client = open(name, setup(&servers.resource).resolver(move |_: &str| ips(inner))).unwrap();
            let (kind, words) = failed(call(&*client, &servers.resource, "ping"));
            assert_eq!(kind, FailureKind::Unreachable, "{name} {host}: {words}");
            assert!(words.contains("private network") && words.contains("allow_private_hosts"), "{words}");
            // Nothing is lost: with a well-behaved server, the next client gets in.
            rename(&servers, &servers.issuer.clone());
            assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        }
    }
}

/// What was checked is connected to, whatever the name says a moment later.
#[test]
fn names_that_change_between_check_and_connection() {
    for name in ADAPTERS {
        let (servers, _) = watched();
        rename(&servers, &servers.issuer.replace("127.0.0.1", NAMED));
        let count = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&count);
        let setup = setup(&servers.resource).resolver(move |name: &str| {
            assert_eq!(name, NAMED);
            match counted.fetch_add(1, Ordering::SeqCst) {
                0 => ips(&["10.0.0.1", "127.0.0.1"]),
                _ => ips(&["169.254.169.254"]),
            }
        });
        let client = open(name, setup).unwrap();
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        assert_eq!(count.load(Ordering::SeqCst), 1, "{name}: resolved once");
    }
}

#[test]
fn private_addresses_are_open_by_option() {
    for name in ADAPTERS {
        let raw = RawServer::start(|_, stream| {
            let _ =
                stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        });
        let port = raw.origin.rsplit(':').next().unwrap().to_owned();
        let (servers, _) = watched();
        servers.world().mcp.authorization_servers = vec![format!("http://{NAMED}:{port}")];
        let mut open_policy = UrlPolicy::default();
        open_policy.allow_private_hosts = true;
        let config = Config::new(&servers.resource, ClientMetadata::named("Open")).unwrap().urls(open_policy);
        let local = |_: &str| ips(&["127.0.0.1"]);
        let client = open(name, Setup::new(config).user_agent(browser()).resolver(local)).unwrap();
        assert!(call(&*client, &servers.resource, "ping").is_err());
        if name != "smol" {
            assert!(raw.requests() > 0, "{name}: it was asked"); // libcurl resolves itself what is not checked
        }
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn coded(stream: &mut TcpStream, coding: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body);
}

/// Servers whose token endpoint answers coded.
fn with_coded_tokens(
    name: &str,
    coding: &'static str,
    body: Vec<u8>,
) -> (Served, Box<dyn Adapter>, RawServer) {
    let raw = RawServer::start(move |_, stream| coded(stream, coding, &body));
    let (servers, _) = watched();
    servers.world().server().metadata = json!({ "token_endpoint": format!("{}/token", raw.origin) });
    servers.world().intercept = Some(Box::new(|request| {
        let authorized = request.headers().contains_key("authorization") && request.uri().path() == "/mcp";
        authorized.then(|| grantor_world::text(http::StatusCode::OK, "in"))
    }));
    let client = open(name, setup(&servers.resource)).unwrap();
    (servers, client, raw)
}

/// RFC 9110 8.4: nobody asked for a coding, and yet it comes.
#[test]
fn coded_answers_are_decoded() {
    let tokens = br#"{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}"#;
    for name in ADAPTERS {
        for coding in ["gzip", "x-gzip", "identity, gzip"] {
            let (servers, client, raw) = with_coded_tokens(name, coding, gzip(tokens));
            assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name} {coding}");
            assert!(raw.heads()[0].to_lowercase().contains("accept-encoding: identity"), "{name}");
        }
    }
}

#[test]
fn coded_answers_end_at_the_bound() {
    let bomb = gzip(&vec![b' '; 100 * limits::TOKEN_BODY]);
    for name in ADAPTERS {
        let (servers, client, _raw) = with_coded_tokens(name, "gzip", bomb.clone());
        let (kind, words) = failed(call(&*client, &servers.resource, "ping"));
        assert_eq!(kind, FailureKind::BodyTooLarge, "{name}: {words}");
    }
}

#[test]
fn codings_that_nobody_knows_are_named() {
    for name in ADAPTERS {
        let (servers, client, _raw) = with_coded_tokens(name, "compress", b"\x1f\x9d\x90".to_vec());
        let outcome = call(&*client, &servers.resource, "ping");
        let Err(Failed::Authorization(Error::Effect(error))) = &outcome else {
            panic!("{name}: {outcome:?}")
        };
        assert!(matches!(error.what, Work::Exchange(_)) && error.to_string().contains("Content-Encoding"));
    }
}
