//! What must hold for every adapter, over real sockets.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use grantor::error::{EffectError, Exchange, FailureKind, PeerMisbehaved, RedirectProblem, Work};
use grantor::{Error, limits};
use grantor_adapters::support::{call, served, setup, visit};
use grantor_adapters::{ADAPTERS, Adapter, Failed, open};
use grantor_driver::{Browser, Event};
use grantor_world::raw::{RawServer, response};
use http::{HeaderMap, HeaderValue};
use serde_json::json;

/// Everything that a client does is told to its observer in time.
#[test]
fn the_main_flow() {
    for name in ADAPTERS {
        let servers = served();
        let events = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&events);
        let setup = setup(&servers.resource).observer(move |event: Event<'_>| {
            assert!(!format!("{event:?}").contains("planted"), "{event:?}");
            if let Event::WaitingForBrowser { prompt, .. } = event {
                assert!(prompt.url.as_str().starts_with("http://127.0.0.1:"));
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        let client = open(name, setup).unwrap();
        for tool in ["ping", "write", "read", "ping"] {
            assert_eq!(call(&*client, &servers.resource, tool).unwrap(), 200, "{name}");
        }
        assert_eq!(events.load(Ordering::Relaxed), 3, "{name}: the host is told what is awaited");
    }
}

#[test]
fn many_calls_at_once() {
    for name in ADAPTERS {
        let servers = served();
        let client = open(name, setup(&servers.resource)).unwrap();
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200));
            }
        });
        servers.world().server().expire_access_tokens();
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200));
            }
        });
        assert_eq!(servers.world().server().issued, 2, "{name}: one authorization, one refresh");
    }
}

/// A world in which one exchange goes to a scripted server, and a client for it.
fn with_fault(
    name: &str,
    exchange: Exchange,
    script: impl Fn(&str, &mut std::net::TcpStream) + Send + Sync + 'static,
) -> (Error, RawServer) {
    let servers = served();
    let raw = RawServer::start(script);
    let origin = raw.origin.clone();
    {
        let mut world = servers.world();
        match exchange {
            Exchange::ResourceMetadata => {
                let challenge = format!("Bearer resource_metadata=\"{origin}/metadata\"");
                world.intercept = Some(Box::new(move |request| match request.uri().path() {
                    "/mcp" => {
                        let answer = grantor_world::text(http::StatusCode::UNAUTHORIZED, "");
                        Some(grantor_world::with(answer, "www-authenticate", &challenge))
                    }
                    // Nor is it at a place where it would be looked for next.
                    path if path.starts_with("/.well-known/oauth-protected-resource") => {
                        Some(grantor_world::text(http::StatusCode::NOT_FOUND, ""))
                    }
                    _ => None,
                }));
            }
            Exchange::ServerMetadata => world.mcp.authorization_servers = vec![origin],
            Exchange::Registration => {
                world.server().metadata = json!({ "registration_endpoint": format!("{origin}/register") });
            }
            _ => world.server().metadata = json!({ "token_endpoint": format!("{origin}/token") }),
        }
    }
    let client = open(name, setup(&servers.resource)).unwrap();
    match call(&*client, &servers.resource, "ping") {
        Err(Failed::Authorization(error)) => (error, raw),
        other => panic!("{name} {exchange}: {other:?}"),
    }
}

const EXCHANGES: [Exchange; 4] =
    [Exchange::ResourceMetadata, Exchange::ServerMetadata, Exchange::Registration, Exchange::CodeToken];

fn failed(error: &Error, exchange: Exchange) -> FailureKind {
    match error {
        Error::Effect(EffectError { what, kind, .. }) if *what == Work::Exchange(exchange) => *kind,
        other => panic!("{exchange}: {other}"),
    }
}

#[test]
fn bodies_are_read_no_further_than_their_bound() {
    for name in ADAPTERS {
        for exchange in EXCHANGES {
            let written = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&written);
            let (error, _) = with_fault(name, exchange, move |_, stream| {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(head.as_bytes());
                // Without end: the client must hang up.
                let spaces = [b' '; 64 * 1024];
                while stream.write_all(&spaces).is_ok() {
                    counted.fetch_add(spaces.len(), Ordering::Relaxed);
                }
            });
            assert_eq!(failed(&error, exchange), FailureKind::BodyTooLarge, "{name}");
            // What the sockets hold comes on top of the bound.
            let written = written.load(Ordering::Relaxed);
            assert!(written < limits::DOCUMENT_BODY + 16 * 1024 * 1024, "{name}: {written} bytes");
        }
    }
}

#[test]
fn truncated_answers() {
    for name in ADAPTERS {
        for exchange in EXCHANGES {
            for answer in [
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"issuer\":",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nff\r\n{",
                "HTTP/1.1 200 OK\r\nContent-Ty",
                "",
                "not HTTP at all\r\n\r\n",
            ] {
                let (error, _) = with_fault(name, exchange, move |_, stream| {
                    let _ = stream.write_all(answer.as_bytes());
                });
                // libcurl takes the end of a connection for the end of the head.
                if name == "smol" && answer.ends_with("Content-Ty") {
                    let blamed = matches!(error, Error::PeerMisbehaved(_) | Error::PeerIncompatible(_));
                    assert!(blamed, "{exchange}: {error}");
                    continue;
                }
                let kind = failed(&error, exchange);
                let expected = [FailureKind::Broken, FailureKind::Unreachable, FailureKind::Other];
                assert!(expected.contains(&kind), "{name} {exchange} {answer:?}: {kind:?}");
            }
        }
    }
}

#[test]
fn refused_connections() {
    for name in ADAPTERS {
        let servers = served();
        servers.world().mcp.authorization_servers = vec!["http://127.0.0.1:1".into()];
        let client = open(name, setup(&servers.resource)).unwrap();
        let Err(Failed::Authorization(error)) = call(&*client, &servers.resource, "ping") else { panic!() };
        assert_eq!(failed(&error, Exchange::ServerMetadata), FailureKind::Unreachable, "{name}");
        let words = error.to_string().to_lowercase();
        assert!(words.contains("refused") || words.contains("could not connect"), "{name}: {error}");
    }
}

/// RFC 9110 8.4. What comes coded is decoded (see the exchanges), unless it is not what it says.
#[test]
fn answers_that_are_not_coded_as_they_say() {
    for name in ADAPTERS {
        for exchange in EXCHANGES {
            let (error, raw) = with_fault(name, exchange, |_, stream| {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n";
                let _ = stream.write_all(format!("{head}Content-Length: 4\r\n\r\n\x1f\x0b{{}}").as_bytes());
            });
            let kind = failed(&error, exchange);
            assert!(matches!(kind, FailureKind::Broken | FailureKind::Other), "{name}: {kind:?}");
            assert!(!raw.heads()[0].to_lowercase().contains("gzip"), "{name}");
        }
    }
}

#[test]
fn no_http_stack_follows_redirects() {
    for name in ADAPTERS {
        for exchange in EXCHANGES {
            for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
                let (error, raw) = with_fault(name, exchange, move |_, stream| {
                    let head = format!(
                        "HTTP/1.1 {status}\r\nLocation: https://evil.example.com/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    );
                    let _ = stream.write_all(head.as_bytes());
                });
                let follows = matches!(exchange, Exchange::ResourceMetadata | Exchange::ServerMetadata);
                let problem =
                    if follows { RedirectProblem::OtherOrigin } else { RedirectProblem::Unexpected };
                assert_eq!(error, PeerMisbehaved::Redirect { exchange, problem }.into(), "{name}");
                // Of a document, the next place where it may be is asked.
                assert!(raw.requests() == 1 || follows, "{name}: {}", raw.requests());
            }
        }
    }
}

#[test]
fn requests_are_sent_as_they_are() {
    for name in ADAPTERS {
        let (_, raw) = with_fault(name, Exchange::CodeToken, |_, stream| {
            let body = r#"{"error":"invalid_grant"}"#;
            let _ = stream.write_all(response("400 Bad Request", "application/json", body).as_bytes());
        });
        let head = raw.heads()[0].to_lowercase();
        assert!(head.starts_with("post /token http/1.1"), "{head}");
        assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
        assert!(head.contains("accept: application/json"), "{head}");
        assert!(!head.contains("authorization:") && !head.contains("transfer-encoding"), "{head}");
        let (_, raw) = with_fault(name, Exchange::ServerMetadata, |_, stream| {
            let _ = stream.write_all(response("404 Not Found", "text/plain", "").as_bytes());
        });
        let heads = raw.heads();
        assert_eq!(heads.len(), 2);
        assert!(heads[0].starts_with("GET /.well-known/oauth-authorization-server HTTP/1.1"), "{}", heads[0]);
        assert!(heads[0].to_lowercase().contains("mcp-protocol-version: 2026-07-28"), "{}", heads[0]);
    }
}

#[test]
fn what_the_caller_puts_into_authorization_goes_nowhere() {
    for name in ADAPTERS {
        let raw = RawServer::start(|_, stream| {
            let _ = stream.write_all(response("200 OK", "application/json", "{}").as_bytes());
        });
        let resource = format!("{}/mcp", raw.origin);
        let client = open(name, setup(&resource)).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer of-another-server"));
        client.post(&resource, &headers, "{}").unwrap();
        assert!(!raw.heads()[0].contains("of-another-server"), "{name}");
    }
}

#[test]
fn requests_elsewhere_are_refused() {
    for name in ADAPTERS {
        let servers = served();
        let client = open(name, setup(&servers.resource)).unwrap();
        let elsewhere = format!("{}/other", servers.issuer);
        let refused = client.post(&elsewhere, &HeaderMap::new(), "{}").unwrap_err();
        assert!(refused.to_string().contains("not at or under the resource"), "{name}: {refused}");
    }
}

#[test]
fn a_user_who_does_nothing_holds_up_nobody_else() {
    for name in ADAPTERS {
        let servers = served();
        // Pages for `write` are never answered.
        let browser = Browser::open_with(|url| {
            if !url.contains("files%3Awrite") {
                visit(url);
            }
            Ok(())
        });
        let setup = setup(&servers.resource).user_agent(browser);
        let client: Arc<dyn Adapter> = open(name, setup).unwrap().into();
        call(&*client, &servers.resource, "ping").unwrap();
        let (waiting, resource) = (Arc::clone(&client), servers.resource.clone());
        thread::spawn(move || drop(call(&*waiting, &resource, "write")));
        thread::sleep(Duration::from_millis(100));
        let before = Instant::now();
        for _ in 0..10 {
            assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200);
        }
        assert!(before.elapsed() < Duration::from_secs(5), "{name}");
    }
}
