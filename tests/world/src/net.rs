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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
#[cfg(feature = "tls")]
use tokio_rustls::TlsAcceptor;

#[cfg(feature = "tls")]
use crate::tls::Authority;
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
        Self::run(watch, [Wire::default(), Wire::default(), Wire::default()])
    }

    /// The same over TLS: the MCP server, the authorization server, or both.
    ///
    /// # Panics
    /// When there are no ports.
    #[cfg(feature = "tls")]
    pub fn secured(watch: Watch, mcp: Option<&Authority>, authorization: Option<&Authority>) -> Self {
        Self::run(watch, [mcp, authorization, None].map(|by| Wire { tls: by.map(Authority::acceptor) }))
    }

    fn run(watch: Watch, wires: [Wire; 3]) -> Self {
        let (mcp, authorization, provider) = (listen(), listen(), listen());
        let resource = format!("{}://{}/mcp", wires[0].scheme(), mcp.1);
        let issuer = format!("{}://{}", wires[1].scheme(), authorization.1);
        let provider_issuer = format!("{}://{}", wires[2].scheme(), provider.1);
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
                for ((listener, address), wire) in [mcp, authorization, provider].into_iter().zip(wires) {
                    let (world, watch) = (Arc::clone(&serving), Arc::clone(&watch));
                    let here = Here { origin: format!("{}://{address}", wire.scheme()), world, watch };
                    tokio::spawn(accept(listener, wire, here, Arc::clone(&connected)));
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

/// What is between a server and its clients beside TCP.
#[derive(Clone, Default)]
struct Wire {
    #[cfg(feature = "tls")]
    tls: Option<TlsAcceptor>,
}

impl Wire {
    #[cfg(feature = "tls")]
    fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    #[cfg(not(feature = "tls"))]
    fn scheme(&self) -> &'static str {
        "http"
    }

    /// Serves a connection to its end.
    async fn serve(self, stream: TcpStream, here: Here) {
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls {
            if let Ok(stream) = tls.accept(stream).await {
                here.serve(stream).await;
            }
            return;
        }
        here.serve(stream).await;
    }
}

async fn accept(listener: TcpListener, wire: Wire, here: Here, connections: Arc<()>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, _)) = listener.accept().await {
        let (wire, here, connected) = (wire.clone(), here.clone(), Arc::clone(&connections));
        tokio::spawn(async move {
            wire.serve(stream, here).await;
            drop(connected);
        });
    }
}

/// One of the servers.
#[derive(Clone)]
struct Here {
    origin: String,
    world: Arc<Mutex<World>>,
    watch: Watch,
}

impl Here {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(|request| self.answer(request));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        let (mut head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        head.uri = format!("{}{target}", self.origin).parse()?;
        let body = Limited::new(body, 1 << 20).collect().await?.to_bytes();
        let asked = Asked::from_parts(head, body.to_vec());
        let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let answered = self.world.lock().unwrap_or_else(PoisonError::into_inner).answer(unix_s, &asked);
        (self.watch)(&asked, &answered);
        Ok(answered.map(|body| Full::new(Bytes::from(body))))
    }
}
