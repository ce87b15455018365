//! What is particular to isahc on smol.

use std::io::Write as _;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_lite::{AsyncReadExt as _, future, io::Cursor};
use grantor_smol::grantor::error::{EffectError, FailureKind};
use grantor_smol::grantor::{self};
use grantor_smol::{AuthorizedClient, Browser, ClientMetadata, Config, Error, Setup};
use grantor_world::mcp_server::tool_call;
use grantor_world::net::Served;
use grantor_world::raw::RawServer;
use http::{Request, Response};
use isahc::config::{Configurable as _, RedirectPolicy};
use isahc::{AsyncBody, AsyncReadResponseExt as _, HttpClient};

fn setup(resource: &str) -> Setup {
    let config = Config::new(resource, ClientMetadata::named("smol")).unwrap();
    Setup::new(config).user_agent(Browser::open_with(|url| {
        let url = url.to_owned();
        std::thread::spawn(move || ureq::get(&url).call().map(drop));
        Ok(())
    }))
}

fn served() -> Served {
    Served::start(Arc::new(|_, _| {}))
}

fn request<B>(servers: &Served, body: B) -> Request<B> {
    Request::post(&servers.resource).body(body).unwrap()
}

fn client(servers: &Served) -> AuthorizedClient {
    AuthorizedClient::new(setup(&servers.resource)).unwrap()
}

#[test]
fn requests_are_of_http_and_responses_isahcs_own() {
    let servers = served();
    let client = client(&servers);
    smol::block_on(async {
        let mut response: Response<AsyncBody> =
            client.send(request(&servers, tool_call("write"))).await.unwrap();
        assert!(String::from_utf8(response.bytes().await.unwrap()).unwrap().contains("write done"));
        assert_eq!(client.send(request(&servers, "{}")).await.unwrap().status(), 200);
        assert_eq!(client.send(request(&servers, ())).await.unwrap().status(), 200);
        let get = Request::get(&servers.resource).body(()).unwrap();
        assert_eq!(client.send(get).await.unwrap().status(), 404, "whatever the status");
    });
}

#[test]
fn bodies_stream() {
    let (go, went) = mpsc::channel::<()>();
    let went = Mutex::new(went);
    let raw = RawServer::start(move |_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(format!("{head}data: 1\n\n").as_bytes());
        let _ = stream.flush();
        went.lock().unwrap().recv().unwrap(); // the rest comes when the client has seen the first part
        let _ = stream.write_all(b"data: 2\n\n");
    });
    let resource = format!("{}/mcp", raw.origin);
    let client = AuthorizedClient::new(setup(&resource)).unwrap();
    smol::block_on(async {
        let response = client.send(Request::get(&resource).body(()).unwrap()).await.unwrap();
        let mut body = response.into_body();
        let mut first = [0; 9];
        body.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"data: 1\n\n");
        go.send(()).unwrap();
        let mut rest = String::new();
        body.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "data: 2\n\n");
    });
}

#[test]
fn a_body_that_can_be_read_once() {
    let servers = served();
    let client = client(&servers);
    smol::block_on(async {
        let once = || request(&servers, AsyncBody::from_reader(Cursor::new(tool_call("ping"))));
        let error = client.send(once()).await.unwrap_err();
        assert!(matches!(error, Error::NotReplayable), "{error}");
        let mut response = client.send(once()).await.unwrap();
        assert_eq!(response.status(), 200, "the token is there now");
        assert!(String::from_utf8(response.bytes().await.unwrap()).unwrap().contains("ping done"));
    });
}

#[test]
fn any_executor() {
    let servers = served();
    let client = client(&servers);
    let executor = smol::Executor::new();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (client, request) = (client.clone(), request(&servers, tool_call("ping")));
            executor.spawn(async move { client.send(request).await.unwrap().status() })
        })
        .collect();
    future::block_on(executor.run(async {
        for call in calls {
            assert_eq!(call.await, 200);
        }
    }));
    assert_eq!(servers.world().server().issued, 1);
    assert_eq!(future::block_on(client.send(request(&servers, tool_call("ping")))).unwrap().status(), 200);
}

#[test]
fn connections_are_used_again() {
    let servers = served();
    let client = client(&servers);
    smol::block_on(async {
        for _ in 0..50 {
            let mut response = client.send(request(&servers, tool_call("ping"))).await.unwrap();
            response.consume().await.unwrap();
        }
    });
    assert!(servers.connections() <= 6, "{} connections", servers.connections());
}

#[test]
fn the_callers_client_without_its_redirects() {
    let servers = served();
    let raw = RawServer::start(|_, stream| {
        let head =
            "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(head.as_bytes());
    });
    let follows = || {
        let builder = HttpClient::builder().redirect_policy(RedirectPolicy::Follow);
        builder.default_header("x-everywhere", "1").build().unwrap()
    };
    let resource = format!("{}/mcp", raw.origin);
    let client = AuthorizedClient::with_client(setup(&resource), follows()).unwrap();
    smol::block_on(async {
        let get = Request::get(&resource).redirect_policy(RedirectPolicy::Follow).body(()).unwrap();
        assert_eq!(client.send(get).await.unwrap().status(), 302);
        assert_eq!(raw.requests(), 1);
    });
    assert!(raw.heads()[0].contains("x-everywhere: 1"));
    let client = AuthorizedClient::with_client(setup(&servers.resource), follows()).unwrap();
    assert_eq!(smol::block_on(client.send(request(&servers, tool_call("ping")))).unwrap().status(), 200);
}

#[test]
fn timeouts_of_the_callers_client() {
    let servers = served();
    let slow = RawServer::start(|_, _| std::thread::sleep(Duration::from_secs(3)));
    servers.world().mcp.authorization_servers = vec![slow.origin.clone()];
    let settings = || HttpClient::builder().timeout(Duration::from_millis(300));
    let client = AuthorizedClient::with_builder(setup(&servers.resource), settings).unwrap();
    let error = smol::block_on(client.send(request(&servers, tool_call("ping")))).unwrap_err();
    let Error::Authorization(report) = error else { panic!("{error}") };
    let grantor::Error::Effect(EffectError { kind, .. }) = report.error else { panic!("{report}") };
    assert_eq!(kind, FailureKind::TimedOut);
}

#[test]
fn dropping_a_call_cancels_that_call_alone() {
    let servers = served();
    let client = client(&servers);
    let request = || request(&servers, tool_call("ping"));
    smol::block_on(async {
        assert_eq!(client.send(request()).await.unwrap().status(), 200);
        for millis in 0..20 {
            servers.world().server().expire_access_tokens();
            let given_up = async {
                smol::Timer::after(Duration::from_millis(millis)).await;
                None
            };
            future::or(async { client.send(request()).await.ok() }, given_up).await;
        }
        assert_eq!(client.send(request()).await.unwrap().status(), 200);
    });
    assert_eq!(servers.world().server().reuses, 0, "no refresh token was used twice");
}

#[test]
fn accounts() {
    let servers = served();
    let client = client(&servers);
    let (work, home) = (client.account("work").unwrap(), client.account("home").unwrap());
    for client in [&work, &home, &work] {
        smol::block_on(client.send(request(&servers, tool_call("ping")))).unwrap();
    }
    assert_eq!(servers.world().server().issued, 2);
}
