//! What is particular to reqwest.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use grantor_reqwest::grantor::error::{EffectError, FailureKind};
use grantor_reqwest::grantor::{self, AuthorizationPrompt, Summary};
use grantor_reqwest::{
    Answer, AuthorizedClient, Browser, BuildError, ClientMetadata, Config, Error, InteractionFailure, Setup,
    UserAgent, Wait,
};
use grantor_world::mcp_server::tool_call;
use grantor_world::net::Served;
use grantor_world::raw::RawServer;
use reqwest::Client;

fn setup(resource: &str) -> Setup {
    let config = Config::new(resource, ClientMetadata::named("reqwest")).unwrap();
    Setup::new(config).user_agent(Browser::open_with(|url| {
        let url = url.to_owned();
        std::thread::spawn(move || ureq::get(&url).call().map(drop));
        Ok(())
    }))
}

fn served() -> Served {
    Served::start(Arc::new(|_, _| {}))
}

#[tokio::test]
async fn requests_and_responses_are_reqwests_own() {
    let servers = served();
    let client = AuthorizedClient::new(setup(&servers.resource)).unwrap();
    let request = client.http().post(&servers.resource).body(tool_call("write")).header("x-own", "1");
    let response: reqwest::Response = client.send(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let request: reqwest::Request =
        client.http().post(&servers.resource).body(tool_call("ping")).build().unwrap();
    assert!(client.execute(request).await.unwrap().text().await.unwrap().contains("ping done"));
}

#[tokio::test]
async fn bodies_stream() {
    let (go, went) = std::sync::mpsc::channel::<()>();
    let went = std::sync::Mutex::new(went);
    let raw = RawServer::start(move |_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(format!("{head}data: 1\n\n").as_bytes());
        let _ = stream.flush();
        went.lock().unwrap().recv().unwrap(); // the rest comes when the client has seen the first part
        let _ = stream.write_all(b"data: 2\n\n");
    });
    let resource = format!("{}/mcp", raw.origin);
    let client = AuthorizedClient::new(setup(&resource)).unwrap();
    let mut response = client.send(client.http().get(&resource)).await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "data: 1\n\n");
    go.send(()).unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "data: 2\n\n");
    assert!(response.chunk().await.unwrap().is_none());
}

#[tokio::test]
async fn a_body_that_can_be_read_once() {
    let servers = served();
    let client = AuthorizedClient::new(setup(&servers.resource)).unwrap();
    let once = || {
        let body = reqwest::Body::wrap(http_body_util::Full::new(bytes::Bytes::from(tool_call("ping"))));
        client.http().post(&servers.resource).body(body)
    };
    let error = client.send(once()).await.unwrap_err();
    assert!(matches!(error, Error::NotReplayable), "{error}");
    assert_eq!(client.send(once()).await.unwrap().status(), 200, "the token is there now");
}

#[tokio::test]
async fn dropping_a_call_cancels_that_call_alone() {
    let servers = served();
    let client = AuthorizedClient::new(setup(&servers.resource)).unwrap();
    let request = || client.http().post(&servers.resource).body(tool_call("ping"));
    for _ in 0..20 {
        let _ = tokio::time::timeout(Duration::from_micros(300), client.send(request())).await;
    }
    assert_eq!(client.send(request()).await.unwrap().status(), 200);
    for millis in 0..20 {
        servers.world().server().expire_access_tokens();
        let _ = tokio::time::timeout(Duration::from_millis(millis), client.send(request())).await;
    }
    assert_eq!(client.send(request()).await.unwrap().status(), 200);
    assert_eq!(servers.world().server().reuses, 0, "no refresh token was used twice");
    let pages = servers.world().asked.iter().filter(|asked| asked.contains("/authorize")).count();
    assert!(pages <= 2, "{pages}");
}

#[tokio::test]
async fn the_callers_settings_hold() {
    let servers = served();
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("x-everywhere", "1".parse().unwrap());
    let builder = move || Client::builder().default_headers(headers.clone());
    let http = builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    // A builder is for Grantor's requests as well, and headers are not.
    let refused = AuthorizedClient::with_builder(setup(&servers.resource), builder);
    assert!(matches!(refused, Err(BuildError::Headers(what)) if what.contains("x-everywhere")));
    let client = AuthorizedClient::with_client(setup(&servers.resource), http).unwrap();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    servers.world().intercept = Some(Box::new(move |request| {
        let has = request.headers().contains_key("x-everywhere");
        log.lock().unwrap().push(has == (request.uri().path() == "/mcp"));
        None
    }));
    let request = client.http().post(&servers.resource).body(tool_call("ping"));
    client.send(request).await.unwrap();
    assert!(seen.lock().unwrap().iter().all(|right| *right) && seen.lock().unwrap().len() == 7);
}

/// Whatever the caller's client does, Grantor's requests go by another.
#[tokio::test]
async fn a_client_that_follows_redirects_takes_no_credentials_along() {
    let servers = served();
    let elsewhere = RawServer::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    });
    let location = elsewhere.origin.clone();
    servers.world().intercept = Some(Box::new(move |request| {
        (request.uri().path() == "/register").then(|| {
            let answer = grantor_world::text(http::StatusCode::TEMPORARY_REDIRECT, "");
            grantor_world::with(answer, "location", &location)
        })
    }));
    let client = AuthorizedClient::with_client(setup(&servers.resource), Client::new()).unwrap();
    let error = client.send(client.http().post(&servers.resource).body(tool_call("ping"))).await.unwrap_err();
    assert!(error.to_string().contains("redirect"), "{error}");
    assert_eq!(elsewhere.requests(), 0);
}

/// Grantor's requests go by the proxy of the settings that are theirs, which resolves names that nobody here can.
#[tokio::test]
async fn behind_a_proxy_names_are_the_proxys_business() {
    let servers = served();
    servers.world().mcp.authorization_servers = vec!["http://as.localhost:1".into()];
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let (seen, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in proxy.incoming().map_while(Result::ok) {
            let mut line = String::new();
            let _ = std::io::BufReader::new(&stream).read_line(&mut line);
            let _ =
                stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            seen.send(line).unwrap();
        }
    });
    let settings = move || {
        let by = reqwest::Proxy::all(&address).unwrap().no_proxy(reqwest::NoProxy::from_string("127.0.0.1"));
        Client::builder().proxy(by)
    };
    let nowhere = |name: &str| Err(std::io::Error::other(format!("{name} is unknown")));
    let setup = setup(&servers.resource).resolver(nowhere);
    let client = AuthorizedClient::with_clients(setup, Client::new(), settings).unwrap();
    let error = client.send(client.http().post(&servers.resource).body(tool_call("ping"))).await.unwrap_err();
    let asked: Vec<_> = asked.try_iter().collect();
    assert!(!asked.is_empty(), "{error}");
    assert!(asked.iter().all(|line| line.starts_with("GET http://as.localhost:1/")), "{asked:?}");
}

#[tokio::test]
async fn timeouts_of_the_callers_client() {
    let servers = served();
    let slow = RawServer::start(|_, _| std::thread::sleep(Duration::from_secs(3)));
    servers.world().mcp.authorization_servers = vec![slow.origin.clone()];
    let builder = || Client::builder().timeout(Duration::from_millis(200));
    let client = AuthorizedClient::with_builder(setup(&servers.resource), builder).unwrap();
    let error = client.send(client.http().post(&servers.resource).body(tool_call("ping"))).await.unwrap_err();
    let Error::Authorization(report) = error else { panic!("{error}") };
    let grantor::Error::Effect(EffectError { kind, .. }) = report.error else { panic!("{report}") };
    assert_eq!(kind, FailureKind::TimedOut);
}

#[tokio::test]
async fn accounts() {
    let servers = served();
    let client = AuthorizedClient::new(setup(&servers.resource)).unwrap();
    let (work, home) = (client.account("work").unwrap(), client.account("home").unwrap());
    for client in [&work, &home, &work] {
        client.send(client.http().post(&servers.resource).body(tool_call("ping"))).await.unwrap();
    }
    assert_eq!(servers.world().server().issued, 2);
    assert!(client.account("").is_err());
}

/// The page is shown elsewhere, and the callback comes to the application's own endpoint.
struct WebApplication(std::sync::mpsc::Sender<String>);

impl UserAgent for WebApplication {
    fn listen(&self, _: Option<&str>) -> Result<String, InteractionFailure> {
        unreachable!("the redirect URI is fixed")
    }

    fn approve(&self, _: &Summary) -> bool {
        true
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, _: &Wait) -> Result<Answer, InteractionFailure> {
        self.0.send(prompt.url.as_str().to_owned()).map_err(InteractionFailure::impossible)?;
        Ok(Answer::Later)
    }
}

#[tokio::test]
async fn a_web_application() {
    let servers = served();
    let (page, pages) = std::sync::mpsc::channel();
    let uri = "http://127.0.0.1:8/callback";
    let config = Config::new(&servers.resource, ClientMetadata::named("web")).unwrap();
    let config = config.redirect(grantor::client::Redirect::Fixed(uri.into())).unwrap();
    let client = AuthorizedClient::new(Setup::new(config).user_agent(WebApplication(page))).unwrap();
    let calling = client.clone();
    let resource = servers.resource.clone();
    let call =
        tokio::spawn(
            async move { calling.send(calling.http().post(&resource).body(tool_call("ping"))).await },
        );
    let url = tokio::task::spawn_blocking(move || pages.recv().unwrap()).await.unwrap();
    let browser = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let response = browser.get(&url).send().await.unwrap();
    let back = response.headers()["location"].to_str().unwrap();
    client.session().callback("/callback?code=x&state=forged").await.unwrap_err();
    client.session().callback(back).await.unwrap();
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
}

#[test]
fn the_client_outlives_no_runtime() {
    // Made outside of any runtime, used in one and then in another.
    let servers = served();
    let client = AuthorizedClient::new(setup(&servers.resource)).unwrap();
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let request = client.http().post(&servers.resource).body(tool_call("ping"));
        assert_eq!(runtime.block_on(client.send(request)).unwrap().status(), 200);
    }
}
