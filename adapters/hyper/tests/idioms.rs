//! What is particular to hyper.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use grantor_hyper::grantor::error::{EffectError, FailureKind};
use grantor_hyper::grantor::{self};
use grantor_hyper::{AuthorizedClient, Body, Browser, ClientMetadata, Config, Error, Https, Setup};
use grantor_world::mcp_server::tool_call;
use grantor_world::net::Served;
use grantor_world::raw::RawServer;
use http::{Request, Response, Uri};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::{Service, ServiceBuilder, ServiceExt as _};

fn setup(resource: &str) -> Setup {
    let config = Config::new(resource, ClientMetadata::named("hyper")).unwrap();
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

fn client(servers: &Served) -> AuthorizedClient<Https> {
    AuthorizedClient::new(setup(&servers.resource)).unwrap()
}

#[tokio::test]
async fn requests_are_of_http_and_responses_hypers_own() {
    let servers = served();
    let client = client(&servers);
    let response: Response<Incoming> = client.send(request(&servers, tool_call("write"))).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("write done"));
    assert_eq!(client.send(request(&servers, "{}")).await.unwrap().status(), 200);
    assert_eq!(client.send(request(&servers, Full::new(Bytes::from("{}")))).await.unwrap().status(), 200);
    assert_eq!(client.send(request(&servers, Empty::<Bytes>::new())).await.unwrap().status(), 200);
    let extended = Request::get(&servers.resource).extension(7_u8).body(()).unwrap();
    assert_eq!(client.send(extended).await.unwrap().status(), 404, "whatever the status");
}

#[tokio::test]
async fn bodies_stream() {
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
    let mut body = client.send(Request::get(&resource).body(()).unwrap()).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
    go.send(()).unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: 2\n\n");
    assert!(body.frame().await.is_none());
}

/// A body in parts, without a length.
struct Parts(Vec<&'static str>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop().map(|part| Ok(Frame::data(Bytes::from(part)))))
    }
}

#[tokio::test]
async fn a_body_that_can_be_read_once() {
    let servers = served();
    let client = client(&servers);
    let once = || request(&servers, Body::streaming(Parts(vec!["}", "{\"id\": 1"])));
    assert!(once().body().try_clone().is_none());
    assert_eq!(format!("{:?}", once().body()), "Body(streaming)");
    let error = client.send(once()).await.unwrap_err();
    assert!(matches!(error, Error::NotReplayable), "{error}");
    let response = client.send(once()).await.unwrap();
    assert_eq!(response.status(), 200, "the token is there now");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("\"id\":1"), "all parts arrived");
}

#[tokio::test]
async fn a_tower_service() {
    let servers = served();
    let named = |mut request: Request<Vec<u8>>| {
        request.headers_mut().insert("mcp-name", "ping".parse().unwrap());
        request
    };
    let mut service =
        ServiceBuilder::new().timeout(Duration::from_secs(30)).map_request(named).service(client(&servers));
    for _ in 0..2 {
        let call = service.ready().await.unwrap().call(request(&servers, tool_call("ping")));
        assert_eq!(call.await.unwrap().status(), 200);
    }
    assert_eq!(client(&servers).oneshot(request(&servers, "{}")).await.unwrap().status(), 200);
}

/// A connector of the caller: counts its connections.
#[derive(Clone)]
struct Counting(HttpConnector, Arc<AtomicUsize>);

impl Service<Uri> for Counting {
    type Response = <HttpConnector as Service<Uri>>::Response;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = <HttpConnector as Service<Uri>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Uri>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.call(uri)
    }
}

#[tokio::test]
async fn the_callers_connector() {
    let servers = served();
    let count = Arc::new(AtomicUsize::new(0));
    let connector = Counting(HttpConnector::new(), Arc::clone(&count));
    let client = AuthorizedClient::with_connector(setup(&servers.resource), connector).unwrap();
    for tool in ["ping", "write", "ping"] {
        let response = client.send(request(&servers, tool_call(tool))).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    // Answers of the resource that are only about authorization are not read, so their connections end.
    let connections = count.load(Ordering::Relaxed);
    let requests = servers.world().asked.iter().filter(|asked| !asked.contains("/authorize")).count();
    assert!((2..requests).contains(&connections), "{connections} connections for {requests} requests");
}

#[tokio::test]
async fn the_callers_client() {
    let servers = served();
    let http: Client<_, Body> =
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(HttpConnector::new());
    let client = AuthorizedClient::with_client(setup(&servers.resource), http).unwrap();
    let request = request(&servers, Body::from(tool_call("ping")));
    assert_eq!(client.send(request).await.unwrap().status(), 200);
    let plain = Request::post(&servers.resource).body(Body::from(())).unwrap();
    assert_eq!(client.http().request(plain).await.unwrap().status(), 401, "the plain client has no token");
}

#[tokio::test]
async fn timeouts_of_the_callers_connector() {
    let servers = served();
    // The resource answers, the authorization server's connection times out.
    let mcp: Uri = servers.resource.parse().unwrap();
    let connector = tower::service_fn(move |uri: Uri| {
        let known = uri.port_u16() == mcp.port_u16();
        Box::pin(async move {
            if known {
                HttpConnector::new().call(uri).await.map_err(io::Error::other)
            } else {
                Err(io::ErrorKind::TimedOut.into())
            }
        })
    });
    let client = AuthorizedClient::with_connector(setup(&servers.resource), connector).unwrap();
    let error = client.send(request(&servers, tool_call("ping"))).await.unwrap_err();
    let Error::Authorization(report) = error else { panic!("{error}") };
    let grantor::Error::Effect(EffectError { kind, .. }) = report.error else { panic!("{report}") };
    assert_eq!(kind, FailureKind::TimedOut);
}

#[tokio::test]
async fn dropping_a_call_cancels_that_call_alone() {
    let servers = served();
    let client = client(&servers);
    let request = || request(&servers, tool_call("ping"));
    assert_eq!(client.send(request()).await.unwrap().status(), 200);
    for millis in 0..20 {
        servers.world().server().expire_access_tokens();
        let _ = tokio::time::timeout(Duration::from_millis(millis), client.send(request())).await;
    }
    assert_eq!(client.send(request()).await.unwrap().status(), 200);
    assert_eq!(servers.world().server().reuses, 0, "no refresh token was used twice");
}

#[tokio::test]
async fn accounts() {
    let servers = served();
    let client = client(&servers);
    let (work, home) = (client.account("work").unwrap(), client.account("home").unwrap());
    for client in [&work, &home, &work] {
        client.send(request(&servers, tool_call("ping"))).await.unwrap();
    }
    assert_eq!(servers.world().server().issued, 2);
}
