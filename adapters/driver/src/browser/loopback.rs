//! The loopback receiver: a web server for one request (RFC 8252 7.3).

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver as Incoming, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use url::{Host, Url};

use super::Wait;
use super::page;

/// Connections that are served at once. Browsers open a few ahead of need and leave them idle.
const CONNECTIONS: usize = 32;
/// The head of a request.
const HEAD: usize = 32 * 1024;
/// How long a connection may take to send it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often new connections and the end of the wait are looked for.
const TICK: Duration = Duration::from_millis(20);

/// A place on the user's machine that a browser can come back to.
#[derive(Debug)]
pub(super) struct Receiver {
    redirect_uri: String,
    path: String,
    port: u16,
    listeners: Vec<TcpListener>,
}

/// Whether a redirect URI leads to this machine.
pub(super) fn is_loopback(redirect_uri: &str) -> bool {
    let host = Url::parse(redirect_uri).ok().filter(|url| url.scheme() == "http").and_then(|url| host(&url));
    host.is_some()
}

/// The addresses of a loopback URL. `localhost` is both, since browsers choose either.
fn host(url: &Url) -> Option<Vec<SocketAddr>> {
    let port = url.port_or_known_default()?;
    let (v4, v6) =
        (SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    match url.host()? {
        Host::Domain("localhost") => Some(vec![v4, v6]),
        Host::Ipv4(ip) if ip.is_loopback() => Some(vec![SocketAddr::from((ip, port))]),
        Host::Ipv6(ip) if ip.is_loopback() => Some(vec![v6]),
        _ => None,
    }
}

impl Receiver {
    /// On this port, or on any free one if it is 0.
    pub(super) fn on_port(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = listener.local_addr()?.port();
        let redirect_uri = format!("http://127.0.0.1:{port}/callback");
        Self::with(redirect_uri, "/callback".into(), port, vec![listener])
    }

    /// At this redirect URI.
    pub(super) fn at(redirect_uri: &str) -> io::Result<Self> {
        let url = Url::parse(redirect_uri).map_err(|_| ErrorKind::InvalidInput)?;
        let addresses = host(&url).ok_or(ErrorKind::InvalidInput)?;
        let port = url.port_or_known_default().unwrap_or_default();
        let mut listeners = Vec::new();
        let mut failure = None;
        for address in addresses {
            match TcpListener::bind(address) {
                Ok(listener) => listeners.push(listener),
                Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(error),
                Err(error) => failure = Some(error), // a machine without IPv6, or without IPv4
            }
        }
        match failure {
            Some(error) if listeners.is_empty() => Err(error),
            _ => Self::with(redirect_uri.to_owned(), url.path().to_owned(), port, listeners),
        }
    }

    fn with(redirect_uri: String, path: String, port: u16, listeners: Vec<TcpListener>) -> io::Result<Self> {
        for listener in &listeners {
            listener.set_nonblocking(true)?;
        }
        Ok(Self { redirect_uri, path, port, listeners })
    }

    pub(super) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits for the request that answers; gives every other one a page and goes on. Returns the
    /// request's target.
    pub(super) fn wait(&self, answers: impl Fn(&str) -> bool, wait: &Wait) -> Option<String> {
        let (found, targets) = mpsc::channel();
        let serving = Arc::new(Mutex::new(0));
        while !wait.is_over() {
            self.accept(&found, &serving);
            if let Some(target) = first_answer(&targets, &answers) {
                return Some(target);
            }
        }
        None
    }

    /// Gives each new connection a thread of its own, so that one that sends nothing holds up no other.
    fn accept(&self, found: &Sender<Request>, serving: &Arc<Mutex<usize>>) {
        for listener in &self.listeners {
            while let Ok((stream, _)) = listener.accept() {
                let mut count = serving.lock().unwrap_or_else(PoisonError::into_inner);
                if *count >= CONNECTIONS {
                    continue; // dropping it closes it
                }
                let (found, serving_now) = (found.clone(), Arc::clone(serving));
                let (path, port) = (self.path.clone(), self.port);
                let serve = move || {
                    let _ = serve(stream, &path, port, &found);
                    *serving_now.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
                };
                if thread::Builder::new().name("grantor-callback".into()).spawn(serve).is_ok() {
                    *count += 1;
                }
            }
        }
    }
}

/// A request to the right path; who decides about it sends back whether it is the answer.
struct Request {
    target: String,
    verdict: Sender<bool>,
}

fn first_answer(requests: &Incoming<Request>, answers: &impl Fn(&str) -> bool) -> Option<String> {
    let deadline = Instant::now() + TICK;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let request = requests.recv_timeout(left).ok()?;
        let is_answer = answers(&request.target);
        let _ = request.verdict.send(is_answer);
        if is_answer {
            // The page is on its way; the connection's thread sees to it.
            return Some(request.target);
        }
    }
}

/// Serves one connection: one request, one page.
fn serve(mut stream: TcpStream, path: &str, port: u16, found: &Sender<Request>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let Some(target) = read_head(&mut stream)? else { return Ok(()) };
    match target {
        Err(status) => respond(&mut stream, status, ""),
        Ok(Head { target, host }) => {
            let own_path = target.split('?').next() == Some(path);
            if !is_own_host(&host, port) {
                // Some page in the browser plays a trick with names (DNS rebinding).
                respond(&mut stream, "421 Misdirected Request", "")
            } else if !own_path {
                respond(&mut stream, "404 Not Found", "") // a favicon, most likely
            } else {
                let (verdict, decided) = mpsc::channel();
                let asked = found.send(Request { target, verdict }).is_ok();
                let is_answer = asked && decided.recv_timeout(PATIENCE).unwrap_or(false);
                match is_answer {
                    true => respond(&mut stream, "200 OK", page::RECEIVED),
                    false => respond(&mut stream, "400 Bad Request", page::NOT_ASKED),
                }
            }
        }
    }
}

struct Head {
    target: String,
    host: String,
}

/// Reads the head of a request: `None` when the connection ends before, a status when it is not one to
/// answer.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<Result<Head, &'static str>>> {
    let deadline = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&head) {
            Ok(httparse::Status::Complete(_)) => return Ok(Some(understand(&request))),
            Ok(httparse::Status::Partial) if head.len() < HEAD => {}
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Ok(Some(Err("431 Request Header Fields Too Large")));
            }
            Err(_) => return Ok(Some(Err("400 Bad Request"))),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            n => head.extend_from_slice(&chunk[..n]),
        }
    }
}

fn understand(request: &httparse::Request<'_, '_>) -> Result<Head, &'static str> {
    if request.method != Some("GET") {
        return Err("405 Method Not Allowed");
    }
    let mut hosts = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
    let host = hosts.next().and_then(|header| std::str::from_utf8(header.value).ok());
    match (request.path, host, hosts.next()) {
        (Some(target), Some(host), None) => Ok(Head { target: target.into(), host: host.into() }),
        _ => Err("400 Bad Request"),
    }
}

/// Whether a `Host` header names this machine.
fn is_own_host(host: &str, port: u16) -> bool {
    let own = |name: &str| host == format!("{name}:{port}") || port == 80 && host == name;
    own("127.0.0.1")
        || own("localhost")
        || own("[::1]")
        || host
            .strip_suffix(&format!(":{port}"))
            .and_then(|ip| ip.parse::<Ipv4Addr>().ok())
            .is_some_and(|ip| ip.is_loopback())
}

/// Writes a response that keeps nothing: the URL of the page holds the code, so it goes into no cache and
/// no referrer, and the page may load nothing.
fn respond(stream: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
         frame-ancestors 'none'\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(response.as_bytes())?;
    stream.flush()?;
    // Until the other side has read it, so that closing does not cut it off.
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut rest = [0; 512];
    while stream.read(&mut rest).is_ok_and(|n| n > 0) {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends bytes and reads the response.
    fn ask(receiver: &Receiver, bytes: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", receiver.port)).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    fn get(receiver: &Receiver, target: &str) -> String {
        ask(receiver, &format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", receiver.port))
    }

    fn wait() -> Wait {
        Wait::until(Instant::now() + Duration::from_secs(20))
    }

    /// Waits for a target with `state=right` while `then` plays the browser.
    fn with_browser(then: impl FnOnce(&Receiver) + Send) -> Option<String> {
        let receiver = Receiver::on_port(0).unwrap();
        thread::scope(|scope| {
            let browser = scope.spawn(|| then(&receiver));
            let target = receiver.wait(|target| target.contains("state=right"), &wait());
            browser.join().unwrap();
            target
        })
    }

    #[test]
    fn the_answer_among_others() {
        let target = with_browser(|receiver| {
            assert!(get(receiver, "/favicon.ico").starts_with("HTTP/1.1 404"));
            assert!(get(receiver, "/").starts_with("HTTP/1.1 404"));
            let wrong = get(receiver, "/callback?code=x&state=wrong");
            assert!(wrong.starts_with("HTTP/1.1 400") && wrong.contains("answers nothing"), "{wrong}");
            assert!(ask(receiver, "POST /callback HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 405"));
            let page = get(receiver, "/callback?code=c&state=right");
            assert!(page.starts_with("HTTP/1.1 200") && page.contains("lang=\"en\""), "{page}");
            assert!(
                page.contains("Cache-Control: no-store") && page.contains("Referrer-Policy: no-referrer")
            );
        });
        assert_eq!(target.as_deref(), Some("/callback?code=c&state=right"));
    }

    #[test]
    fn hostile_connections_hold_up_nobody() {
        let target = with_browser(|receiver| {
            let silent: Vec<_> =
                (0..8).map(|_| TcpStream::connect(("127.0.0.1", receiver.port)).unwrap()).collect();
            assert!(ask(receiver, "\u{1}\u{2}\r\n\r\n").starts_with("HTTP/1.1 400"));
            let long = format!("GET /callback?{} HTTP/1.1\r\n", "x".repeat(HEAD));
            assert!(ask(receiver, &long).starts_with("HTTP/1.1 431"));
            let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
            assert!(ask(receiver, &many).starts_with("HTTP/1.1 431"));
            let rebound = "GET /callback?state=right HTTP/1.1\r\nHost: evil.example\r\n\r\n";
            assert!(ask(receiver, rebound).starts_with("HTTP/1.1 421"));
            let twice = "GET /callback?state=right HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
            assert!(ask(receiver, twice).starts_with("HTTP/1.1 400"));
            assert!(get(receiver, "/callback?state=right").starts_with("HTTP/1.1 200"));
            drop(silent);
        });
        assert!(target.is_some());
    }

    #[test]
    fn waits_no_longer_than_it_may() {
        let receiver = Receiver::on_port(0).unwrap();
        let short = Wait::until(Instant::now() + Duration::from_millis(50));
        assert_eq!(receiver.wait(|_| true, &short), None);
        let abandoned = wait();
        abandoned.abandon();
        assert_eq!(receiver.wait(|_| true, &abandoned), None);
    }

    #[test]
    fn the_same_port_again() {
        let uri = Receiver::on_port(0).unwrap().redirect_uri().to_owned();
        let receiver = Receiver::at(&uri).unwrap();
        assert_eq!(receiver.redirect_uri(), uri);
        assert!(Receiver::at(&uri).is_err(), "it is in use");
        let local = Receiver::at(&format!("http://localhost:{}/cb", free_port())).unwrap();
        assert_eq!(local.path, "/cb");
        assert!(
            is_loopback("http://[::1]:1/") && !is_loopback("https://127.0.0.1/") && !is_loopback("http://h/")
        );
    }

    fn free_port() -> u16 {
        Receiver::on_port(0).unwrap().port
    }
}
