//! A server that writes whatever bytes it is told to.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use crate::{Answered, Asked};

/// Writes the answer to a request: its head, the request as a value, the connection.
type Script = Arc<dyn Fn(&str, &Asked, &mut TcpStream) + Send + Sync>;

/// A free port of 127.0.0.1 that can be closed, so that connections are refused, and opened again.
#[derive(Clone, Debug)]
pub struct Gate {
    listener: Arc<Mutex<Option<TcpListener>>>,
    address: SocketAddr,
}

impl Gate {
    /// An open one.
    ///
    /// # Panics
    /// When there is no port.
    pub fn new() -> Self {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let address = listener.local_addr().expect("an address");
        Self { listener: Arc::new(Mutex::new(Some(listener))), address }
    }

    /// The origin that leads here.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Refuses connections from now on.
    pub fn close(&self) {
        *self.listener() = None;
    }

    /// Takes connections again.
    ///
    /// # Panics
    /// When another program has taken the port and keeps it.
    pub fn open(&self) {
        let mut listener = self.listener();
        for _ in 0..1_000 {
            if listener.is_some() {
                return;
            }
            *listener = listen(self.address).ok();
            if listener.is_none() {
                thread::sleep(Duration::from_millis(10)); // a connection of somebody else's comes from this port
            }
        }
        panic!("{} is taken", self.address);
    }

    fn accept(&self) -> Option<TcpStream> {
        Some(self.listener().as_ref()?.accept().ok()?.0)
    }

    fn listener(&self) -> MutexGuard<'_, Option<TcpListener>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A scripted server on a free port of 127.0.0.1, gone when this is dropped.
pub struct RawServer {
    /// Its origin.
    pub origin: String,
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl RawServer {
    /// Starts it. Each connection serves one request, whose head the script is given.
    ///
    /// # Panics
    /// When there is no port.
    pub fn start(script: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::run(Gate::new(), Arc::new(move |head, _, stream| script(head, stream)))
    }

    /// Starts it behind this gate. Each connection serves one request.
    pub fn behind(gate: Gate, script: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::run(gate, Arc::new(move |_, asked, stream| script(asked, stream)))
    }

    fn run(gate: Gate, script: Script) -> Self {
        let origin = gate.origin();
        let (stop, requests, heads) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default(), Arc::default());
        let (stopped, counted, noted) = (Arc::clone(&stop), Arc::clone(&requests), Arc::clone(&heads));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let Some(stream) = gate.accept() else {
                    thread::sleep(Duration::from_millis(2));
                    continue;
                };
                let (script, origin) = (Arc::clone(&script), gate.origin());
                let (counted, noted) = (Arc::clone(&counted), Arc::clone(&noted));
                thread::spawn(move || serve(stream, &origin, &script, &counted, &noted));
            }
        });
        Self { origin, stop, requests, heads, thread: Some(thread) }
    }

    /// How many requests it has seen.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// The heads of the requests.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for RawServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawServer").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    mut stream: TcpStream,
    origin: &str,
    script: &Script,
    requests: &AtomicUsize,
    heads: &Mutex<Vec<String>>,
) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(n) => request.extend_from_slice(&chunk[..n]),
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let head = text.split("\r\n\r\n").next().unwrap_or_default().to_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut missing = (head.len() + 4 + length.unwrap_or(0)).saturating_sub(request.len());
    while missing > 0 {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(n) => {
                request.extend_from_slice(&chunk[..n]);
                missing = missing.saturating_sub(n);
            }
        }
    }
    let Some(asked) = read(origin, &head, request.split_off(head.len() + 4)) else { return };
    requests.fetch_add(1, Ordering::Relaxed);
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
    script(&head, &asked, &mut stream);
    if SockRef::from(&stream).linger().is_ok_and(|linger| linger.is_some()) {
        return; // it is reset
    }
    let _ = stream.flush();
    let _ = stream.shutdown(std::net::Shutdown::Write);
    // Until the other side has read it.
    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
    while stream.read(&mut chunk).is_ok_and(|n| n > 0) {}
}

fn read(origin: &str, head: &str, body: Vec<u8>) -> Option<Asked> {
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?, first.next()?);
    let mut request = http::Request::builder().method(method).uri(format!("{origin}{target}"));
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request = request.header(name.trim(), value.trim());
    }
    request.body(body).ok()
}

/// Ends the connection with a reset instead of a close, once the script returns.
pub fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Writes a whole response.
///
/// # Errors
/// When the other side is gone.
pub fn write(stream: &mut TcpStream, answer: &Answered) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {}\r\n", answer.status());
    for (name, value) in answer.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    head.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", answer.body().len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(answer.body())
}

/// A whole response with its length.
pub fn response(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
