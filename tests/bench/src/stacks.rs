//! The HTTP stacks that there are adapters for, each with Grantor and without, against a server on loopback.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_lite::AsyncReadExt as _;
use grantor::client::Config;
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{Now, Secret};
use grantor_driver::{MemoryStore, Setup, Store};
use grantor_hyper::{AuthorizedClient, Body, Https};
use grantor_world::mcp_server::{McpServer, tool_call};
use grantor_world::net::Served;
use grantor_world::{Player, World, json};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;

/// So many requests are under way at a time.
const AT_ONCE: usize = 8;

/// A resource, and a client's side of it with a valid token in its store.
#[derive(Debug)]
pub struct Authorized {
    /// The URL of the resource.
    pub url: String,
    /// The setup.
    pub setup: Setup,
}

/// A server on loopback whose every path is a resource of its own. It answers calls of whoever has a token.
#[derive(Debug)]
pub struct Server(Served);

impl Server {
    /// Starts it.
    pub fn start() -> Self {
        let served = Served::start(Arc::new(|_, _| {}));
        served.world().intercept = Some(Box::new(|request| {
            let bearer = |value: &HeaderValue| value.as_bytes().starts_with(b"Bearer ");
            let known = request.headers().get(AUTHORIZATION).is_some_and(bearer);
            let status = if known { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            let call: Value = serde_json::from_slice(request.body()).unwrap_or_default();
            let content = serde_json::json!([{ "type": "text", "text": "done" }]);
            let result = serde_json::json!({ "content": content, "isError": false });
            Some(json(status, &serde_json::json!({ "jsonrpc": "2.0", "id": call["id"], "result": result })))
        }));
        Self(served)
    }

    /// Setups for so many resources, on one store.
    ///
    /// # Panics
    /// When a flow in memory fails.
    pub fn setups(&self, count: usize) -> Vec<Authorized> {
        let store = Arc::new(MemoryStore::default());
        let authorized = |n| {
            let url = format!("{}/{n}", self.0.resource);
            let config = Config::new(&url, ClientMetadata::named("Bench")).expect("a good resource");
            put_token(&*store, &config, &url);
            Authorized { url, setup: Setup::new(config).store(Arc::clone(&store)) }
        };
        (0..count).map(authorized).collect()
    }

    /// Forgets what was asked.
    pub fn forget(&self) {
        self.0.world().asked = Vec::new();
    }
}

/// Authorizes in memory, and stores what came of it.
fn put_token(store: &dyn Store, config: &Config, url: &str) {
    let mut world = World { mcp: McpServer::new(url), ..World::new() };
    world.mcp.authorization_servers = vec!["https://as.example.com".into()];
    let mut player = Player::in_world(world, config.clone()).expect("a good configuration");
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    player.now = Now::new(1_000, unix.as_secs());
    player.call("ping").delivered();
    for (key, record) in player.store.records() {
        let record = Secret::from(String::from_utf8_lossy(record).into_owned());
        store.save(key, &record, None).expect("room in memory");
    }
}

/// An HTTP stack.
pub trait Stack {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Sends requests that have a token from the beginning.
    fn plain(&self, requests: usize);

    /// Sends requests that Grantor authorizes.
    fn authorized(&self, requests: usize);

    /// Clients that share the HTTP client, each after its first call.
    fn clients(&self, setups: &[Authorized]) -> Box<dyn Any>;
}

/// All of them, with a client for this resource.
///
/// # Panics
/// When one cannot be made.
pub fn stacks(resource: &Authorized) -> Vec<Box<dyn Stack>> {
    vec![
        Box::new(Opened::<grantor_reqwest::AuthorizedClient>::new(resource, Runtime::tokio())),
        Box::new(Opened::<AuthorizedClient<Https>>::new(resource, Runtime::tokio())),
        Box::new(Opened::<grantor_smol::AuthorizedClient>::new(resource, Runtime::Smol)),
        Box::new(Opened::<grantor_ureq::AuthorizedAgent>::new(resource, Runtime::Threads)),
    ]
}

/// A client that authorizes.
trait Client: Clone + Send + 'static {
    const NAME: &'static str;

    /// The stack's own client.
    type Http: Clone + Send + 'static;

    fn open(setup: Setup) -> Self;
    fn share(http: &Self::Http, setup: Setup) -> Self;
    fn http(&self) -> Self::Http;
    fn plain(http: &Self::Http, url: &str, token: &HeaderValue) -> impl Future<Output = u16> + Send;
    fn authorized(&self, url: &str) -> impl Future<Output = u16> + Send;
}

/// A client on its runtime.
struct Opened<C> {
    client: C,
    runtime: Runtime,
    url: String,
    token: HeaderValue,
}

impl<C: Client> Opened<C> {
    fn new(resource: &Authorized, runtime: Runtime) -> Self {
        let client = C::open(resource.setup.clone());
        // As a program has it that got its token at run time.
        let token = format!("Bearer {}", "planted-access-1-2YotnFZFEjr1zCsicMWpAA");
        let mut token = HeaderValue::try_from(token).expect("a header");
        token.set_sensitive(true);
        Self { client, runtime, url: resource.url.clone(), token }
    }

    /// Does something so often, shared among those that are at it.
    fn each<F: Future<Output = u16> + Send>(
        &self,
        count: usize,
        send: impl Fn(usize) -> F + Clone + Send + 'static,
    ) {
        self.runtime.run((0..AT_ONCE).map(|first| {
            let send = send.clone();
            async move {
                for n in (first..count).step_by(AT_ONCE) {
                    assert_eq!(send(n).await, 200);
                }
            }
        }));
    }
}

impl<C: Client + Sync> Stack for Opened<C>
where
    C::Http: Sync,
{
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn plain(&self, requests: usize) {
        let what = Arc::new((self.client.http(), self.url.clone(), self.token.clone()));
        self.each(requests, move |_| {
            let what = Arc::clone(&what);
            async move { C::plain(&what.0, &what.1, &what.2).await }
        });
    }

    fn authorized(&self, requests: usize) {
        let what = Arc::new((self.client.clone(), self.url.clone()));
        self.each(requests, move |_| {
            let what = Arc::clone(&what);
            async move { what.0.authorized(&what.1).await }
        });
    }

    fn clients(&self, setups: &[Authorized]) -> Box<dyn Any> {
        let http = self.client.http();
        let clients: Arc<Vec<C>> =
            Arc::new(setups.iter().map(|one| C::share(&http, one.setup.clone())).collect());
        let urls: Arc<Vec<String>> = Arc::new(setups.iter().map(|one| one.url.clone()).collect());
        let called = Arc::clone(&clients);
        self.each(setups.len(), move |n| {
            let (called, urls) = (Arc::clone(&called), Arc::clone(&urls));
            async move { called[n].authorized(&urls[n]).await }
        });
        Box::new(clients)
    }
}

enum Runtime {
    Smol,
    Threads,
    Tokio(Box<tokio::runtime::Runtime>),
}

impl Runtime {
    fn tokio() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self::Tokio(Box::new(runtime.expect("a runtime")))
    }

    /// Runs all of them to the end.
    fn run<F: Future<Output = ()> + Send + 'static>(&self, work: impl Iterator<Item = F>) {
        match self {
            Self::Smol => {
                let tasks: Vec<_> = work.map(smol::spawn).collect();
                tasks.into_iter().for_each(smol::block_on);
            }
            Self::Threads => {
                let threads: Vec<_> = work.map(|one| thread::spawn(|| smol::block_on(one))).collect();
                threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            }
            Self::Tokio(runtime) => runtime.block_on(async {
                let tasks: Vec<_> = work.map(tokio::spawn).collect();
                for task in tasks {
                    task.await.expect("no panic");
                }
            }),
        }
    }
}

fn request<B>(url: &str, token: Option<&HeaderValue>, body: B) -> Request<B> {
    let mut request = Request::post(url).body(body).expect("a URI");
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(token) = token {
        request.headers_mut().insert(AUTHORIZATION, token.clone());
    }
    request
}

impl Client for grantor_reqwest::AuthorizedClient {
    const NAME: &'static str = "reqwest";

    type Http = reqwest::Client;

    fn open(setup: Setup) -> Self {
        Self::new(setup).expect("a client")
    }

    fn share(http: &Self::Http, setup: Setup) -> Self {
        Self::with_client(setup, http.clone()).expect("a client")
    }

    fn http(&self) -> Self::Http {
        self.http().clone()
    }

    async fn plain(http: &Self::Http, url: &str, token: &HeaderValue) -> u16 {
        let request = http.post(url).header(CONTENT_TYPE, "application/json").body(tool_call("ping"));
        let response = request.header(AUTHORIZATION, token).send().await.expect("a response");
        let status = response.status().as_u16();
        response.bytes().await.expect("a body");
        status
    }

    async fn authorized(&self, url: &str) -> u16 {
        let request = self.http().post(url).header(CONTENT_TYPE, "application/json").body(tool_call("ping"));
        let response = self.send(request).await.expect("a response");
        let status = response.status().as_u16();
        response.bytes().await.expect("a body");
        status
    }
}

impl Client for AuthorizedClient<Https> {
    const NAME: &'static str = "hyper";

    type Http = hyper_util::client::legacy::Client<Https, Body>;

    fn open(setup: Setup) -> Self {
        Self::new(setup).expect("a client")
    }

    fn share(http: &Self::Http, setup: Setup) -> Self {
        Self::with_client(setup, http.clone()).expect("a client")
    }

    fn http(&self) -> Self::Http {
        self.http().clone()
    }

    async fn plain(http: &Self::Http, url: &str, token: &HeaderValue) -> u16 {
        let request = request(url, Some(token), tool_call("ping").into());
        let (head, body) = http.request(request).await.expect("a response").into_parts();
        body.collect().await.expect("a body");
        head.status.as_u16()
    }

    async fn authorized(&self, url: &str) -> u16 {
        let request = request(url, None, tool_call("ping"));
        let (head, body) = self.send(request).await.expect("a response").into_parts();
        body.collect().await.expect("a body");
        head.status.as_u16()
    }
}

impl Client for grantor_smol::AuthorizedClient {
    const NAME: &'static str = "smol";

    type Http = isahc::HttpClient;

    fn open(setup: Setup) -> Self {
        Self::new(setup).expect("a client")
    }

    fn share(http: &Self::Http, setup: Setup) -> Self {
        Self::with_client(setup, http.clone()).expect("a client")
    }

    fn http(&self) -> Self::Http {
        self.http().clone()
    }

    async fn plain(http: &Self::Http, url: &str, token: &HeaderValue) -> u16 {
        let request = request(url, Some(token), tool_call("ping"));
        let (head, mut body) = http.send_async(request).await.expect("a response").into_parts();
        body.read_to_end(&mut Vec::new()).await.expect("a body");
        head.status.as_u16()
    }

    async fn authorized(&self, url: &str) -> u16 {
        let request = request(url, None, tool_call("ping"));
        let (head, mut body) = self.send(request).await.expect("a response").into_parts();
        body.read_to_end(&mut Vec::new()).await.expect("a body");
        head.status.as_u16()
    }
}

impl Client for grantor_ureq::AuthorizedAgent {
    const NAME: &'static str = "ureq";

    type Http = ureq::Agent;

    fn open(setup: Setup) -> Self {
        Self::new(setup).expect("an agent")
    }

    fn share(http: &Self::Http, setup: Setup) -> Self {
        Self::with_agent(setup, http.clone()).expect("an agent")
    }

    fn http(&self) -> Self::Http {
        self.agent().clone()
    }

    async fn plain(http: &Self::Http, url: &str, token: &HeaderValue) -> u16 {
        let mut response = http.run(request(url, Some(token), tool_call("ping"))).expect("a response");
        response.body_mut().read_to_vec().expect("a body");
        response.status().as_u16()
    }

    async fn authorized(&self, url: &str) -> u16 {
        let mut response = self.run(request(url, None, tool_call("ping"))).expect("a response");
        response.body_mut().read_to_vec().expect("a body");
        response.status().as_u16()
    }
}
