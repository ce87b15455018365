//! The world on loopback, for adapters and people.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Socket, Type};
use tokio::sync::oneshot;

use crate::{Answered, Asked, AuthorizationServer, McpServer, World};

/// Is told of every request and its answer.
pub type Watch = Arc<dyn Fn(&Asked, &Answered) + Send + Sync>;

/// Servers on free ports of 127.0.0.1, gone when this is dropped.
pub struct Served {
    world: Arc<Mutex<World>>,
    connections: Arc<()>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The URL of the MCP endpoint.
    pub resource: String,
    /// The issuer.
    pub issuer: String,
    /// What a second authorization server would be called, such as an enterprise's identity provider: its port
    /// is open, and it is there once it is [added](World::add).
    pub provider: String,
}

impl Served {
    /// An MCP server and an authorization server as in [`World::new`], each on a port of its own.
    ///
    /// # Panics
    /// When there are no ports.
    pub fn start(watch: Watch) -> Self {
        let (mcp, authorization, provider) = (listen(), listen(), listen());
        let resource = format!("http://{}/mcp", mcp.1);
        let issuer = format!("http://{}", authorization.1);
        let provider_issuer = format!("http://{}", provider.1);
        let mut world = World { mcp: McpServer::new(&resource), ..World::default() };
        world.add(AuthorizationServer::new(&issuer));
        world.mcp.authorization_servers = vec![issuer.clone()];
        let world = Arc::new(Mutex::new(world));
        let (stop, stopped) = oneshot::channel::<()>();
        let connections = Arc::new(());
        let (serving, connected) = (Arc::clone(&world), Arc::clone(&connections));
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                for (listener, address) in [mcp, authorization, provider] {
                    let connected = Arc::clone(&connected);
                    tokio::spawn(accept(
                        listener,
                        address,
                        Arc::clone(&serving),
                        Arc::clone(&watch),
                        connected,
                    ));
                }
                let _ = stopped.await;
            });
        });
        Self {
            world,
            connections,
            stop: Some(stop),
            thread: Some(thread),
            resource,
            issuer,
            provider: provider_issuer,
        }
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        // This one, the thread's and one for each listener.
        Arc::strong_count(&self.connections).saturating_sub(5)
    }

    /// The world, to look at or to change. Requests wait meanwhile.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("resource", &self.resource).field("issuer", &self.issuer).finish()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen() -> (TcpListener, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    // A thousand may knock at once; what does not fit here is a connection for the client alone.
    socket.listen(4096).expect("a listener");
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true).expect("a nonblocking listener");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    watch: Watch,
    connections: Arc<()>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, _)) = listener.accept().await {
        let (world, watch) = (Arc::clone(&world), Arc::clone(&watch));
        let service =
            service_fn(move |request| answer(request, address, Arc::clone(&world), Arc::clone(&watch)));
        let connected = Arc::clone(&connections);
        tokio::spawn(async move {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            drop(connected);
        });
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    watch: Watch,
) -> Result<hyper::Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (mut head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    head.uri = format!("http://{address}{target}").parse()?;
    let body = Limited::new(body, 1 << 20).collect().await?.to_bytes();
    let asked = Asked::from_parts(head, body.to_vec());
    let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let answered = world.lock().unwrap_or_else(PoisonError::into_inner).answer(unix_s, &asked);
    watch(&asked, &answered);
    Ok(answered.map(|body| Full::new(Bytes::from(body))))
}
