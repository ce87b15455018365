//! The loopback receiver: a web server for one request (RFC 8252 7.3).
//!
//! Other programs of this machine and any page in the browser can connect to it. None of them can keep it
//! busy: it is one thread that waits for nobody, each connection has a bounded time for its whole exchange, and
//! when there are too many, the one that has taken longest makes room for the next.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use url::{Host, Url};

use grantor::wire::callback::{Arrival, Returned};

use super::connection::{Connection, Progress};
use super::page::Landing;
use super::{Answer, Wait};

/// Connections that are served at once. Browsers open a few ahead of need and leave them idle.
const CONNECTIONS: usize = 32;
/// How long a connection has at least, since a browser's request follows its connection at once.
const GRACE: Duration = Duration::from_millis(200);
/// How often new connections, what came on others, and the end of the wait are looked for.
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

    /// Waits for the request that ends the wait; gives every other one a page and goes on. `otherwise` is asked now and
    /// then whether the answer came by another way.
    pub(super) fn wait(
        &self,
        visit: &Visit<'_>,
        wait: &Wait,
        mut otherwise: impl FnMut() -> Option<Answer>,
    ) -> Option<Answer> {
        let mut connections = Vec::new();
        while !wait.is_over() {
            self.accept(&mut connections);
            let mut answer = None;
            connections.retain_mut(|connection: &mut Connection| match connection.proceed(self, visit) {
                Progress::Answer(ended) => {
                    answer.get_or_insert(ended);
                    false
                }
                Progress::Over => false,
                Progress::Waits => true,
            });
            if let Some(answer) = answer.or_else(&mut otherwise) {
                return Some(answer);
            }
            thread::sleep(TICK);
        }
        None
    }

    /// Takes what has connected. When there is no room, those that wait get it from those that have had their
    /// time, in the order in which they came.
    fn accept(&self, connections: &mut Vec<Connection>) {
        for listener in &self.listeners {
            loop {
                if connections.len() >= CONNECTIONS {
                    let now = Instant::now();
                    let slowest = (0..connections.len()).max_by_key(|n| connections[*n].age(now));
                    match slowest.filter(|n| connections[*n].age(now) >= GRACE) {
                        Some(slowest) => drop(connections.swap_remove(slowest)),
                        None => return,
                    }
                }
                match listener.accept() {
                    Ok((stream, _)) => connections.extend(Connection::new(stream)),
                    Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                    Err(_) => break,
                }
            }
        }
    }

    /// The path that the browser comes back to.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether a `Host` header names this machine and port.
    pub(super) fn is_own_host(&self, host: &str) -> bool {
        let own = |name: &str| host == format!("{name}:{}", self.port) || self.port == 80 && host == name;
        own("127.0.0.1")
            || own("localhost")
            || own("[::1]")
            || host
                .strip_suffix(&format!(":{}", self.port))
                .and_then(|ip| ip.parse::<Ipv4Addr>().ok())
                .is_some_and(|ip| ip.is_loopback())
    }
}

/// What visitors are judged by, and what they get to see.
pub(super) struct Visit<'a> {
    /// What a request is to the prompt that waits.
    pub(super) judge: &'a dyn Fn(Returned<'_>) -> Arrival,
    /// The page for a request, in the languages of its browser.
    pub(super) page: &'a dyn Fn(Landing, &str) -> String,
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

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

    fn visit() -> Visit<'static> {
        Visit {
            judge: &|returned| match returned.target {
                target if target.contains("state=right") => Arrival::Answer,
                target if target.contains("state=") => Arrival::OtherState,
                _ if returned.fetch_mode == Some("navigate") => Arrival::Refusal,
                _ => Arrival::WithoutState,
            },
            page: &|landing, languages| format!("<html>{landing:?} {languages}"),
        }
    }

    fn wait() -> Wait {
        Wait::until(Instant::now() + Duration::from_secs(20))
    }

    /// Waits for a target with `state=right` while `then` plays the browser.
    fn with_browser(then: impl FnOnce(&Receiver) + Send) -> Option<Answer> {
        let receiver = Receiver::on_port(0).unwrap();
        thread::scope(|scope| {
            let browser = scope.spawn(|| then(&receiver));
            let target = receiver.wait(&visit(), &wait(), || None);
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
            assert!(wrong.starts_with("HTTP/1.1 400") && wrong.contains("NotAsked"), "{wrong}");
            assert!(ask(receiver, "POST /callback HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 405"));
            let page = get(receiver, "/callback?code=c&state=right");
            assert!(page.starts_with("HTTP/1.1 200") && page.contains("Agreed"), "{page}");
            assert!(
                page.contains("Cache-Control: no-store") && page.contains("Referrer-Policy: no-referrer")
            );
        });
        assert_eq!(target, Some(Answer::Callback("/callback?code=c&state=right".into())));
    }

    #[test]
    fn hostile_connections_hold_up_nobody() {
        let target = with_browser(|receiver| {
            let silent: Vec<_> =
                (0..8).map(|_| TcpStream::connect(("127.0.0.1", receiver.port)).unwrap()).collect();
            assert!(ask(receiver, "\u{1}\u{2}\r\n\r\n").starts_with("HTTP/1.1 400"));
            let long = format!("GET /callback?{} HTTP/1.1\r\n", "x".repeat(33 * 1024));
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
        assert_eq!(receiver.wait(&visit(), &short, || None), None);
        let abandoned = wait();
        abandoned.abandon();
        assert_eq!(receiver.wait(&visit(), &abandoned, || None), None);
    }

    /// Connections that send a byte now and then, and come back when they are closed.
    #[test]
    fn dripping_connections_hold_up_nobody() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let over = AtomicBool::new(false);
        let ready = std::sync::Barrier::new(4);
        let target = with_browser(|receiver| {
            thread::scope(|scope| {
                let drip = || {
                    let connect = || TcpStream::connect(("127.0.0.1", receiver.port)).ok();
                    let mut streams: Vec<_> = (0..CONNECTIONS).map(|_| connect()).collect();
                    ready.wait();
                    while !over.load(Ordering::Relaxed) {
                        for stream in &mut streams {
                            let sent = stream.as_mut().is_some_and(|stream| stream.write_all(b"G").is_ok());
                            if !sent {
                                *stream = connect();
                            }
                        }
                        thread::sleep(TICK);
                    }
                };
                (0..3).for_each(|_| drop(scope.spawn(drip)));
                ready.wait();
                let begun = Instant::now();
                assert!(get(receiver, "/callback?state=wrong").starts_with("HTTP/1.1 400"));
                assert!(get(receiver, "/callback?state=right").starts_with("HTTP/1.1 200"));
                over.store(true, Ordering::Relaxed);
                assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
            });
        });
        assert!(target.is_some());
    }

    #[test]
    fn a_connection_that_never_ends_its_request_is_closed() {
        let receiver = Receiver::on_port(0).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", receiver.port)).unwrap();
        stream.write_all(b"GET /callback").unwrap();
        let mut connections = Vec::new();
        while connections.is_empty() {
            receiver.accept(&mut connections);
        }
        let connection = &mut connections[0];
        assert!(matches!(connection.proceed(&receiver, &visit()), Progress::Waits));
        connection.grow_old();
        assert!(matches!(connection.proceed(&receiver, &visit()), Progress::Over));
    }

    #[test]
    fn a_refusal_without_state_that_the_users_browser_brings() {
        let refusal = "/callback?error=access_denied";
        let target = with_browser(|receiver| {
            let page = get(receiver, refusal);
            assert!(page.starts_with("HTTP/1.1 400") && page.contains("Unclear"), "{page}");
            let host = format!("Host: 127.0.0.1:{}\r\n", receiver.port);
            let fetch = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
            let page = ask(receiver, &format!("GET {refusal} HTTP/1.1\r\n{host}{fetch}\r\n"));
            assert!(page.starts_with("HTTP/1.1 200") && page.contains("Declined"), "{page}");
        });
        assert_eq!(target, Some(Answer::CallbackWithoutState(refusal.into())));
    }

    #[test]
    fn an_answer_in_the_path() {
        let target = with_browser(|receiver| {
            assert!(get(receiver, "/callbacks?state=right").starts_with("HTTP/1.1 404"));
            assert!(get(receiver, "/callback&code=c&state=right").starts_with("HTTP/1.1 200"));
        });
        assert_eq!(target, Some(Answer::Callback("/callback&code=c&state=right".into())));
    }

    /// OAuth 2.0 Form Post Response Mode.
    #[test]
    fn an_answer_in_a_form() {
        let target = with_browser(|receiver| {
            let post = |kind: &str, body: &str| {
                let head = format!("POST /callback HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", receiver.port);
                let rest = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                ask(receiver, &(head + &rest))
            };
            assert!(post("text/plain", "state=right").starts_with("HTTP/1.1 405"));
            let form = "application/x-www-form-urlencoded; charset=utf-8";
            assert!(post(form, "code=c&state=wrong").starts_with("HTTP/1.1 400"));
            assert!(post(form, &"x".repeat(40_000)).starts_with("HTTP/1.1 4"));
            assert!(post(form, "code=c&state=right").starts_with("HTTP/1.1 200"));
        });
        assert_eq!(target, Some(Answer::Callback("/callback?code=c&state=right".into())));
    }

    #[test]
    fn an_answer_that_comes_by_another_way() {
        let receiver = Receiver::on_port(0).unwrap();
        let mut asked = 0;
        let pasted = || {
            asked += 1;
            (asked == 3).then(|| Answer::Callback("pasted".to_owned()))
        };
        assert_eq!(receiver.wait(&visit(), &wait(), pasted), Some(Answer::Callback("pasted".into())));
    }

    /// RFC 8252 7.3: `localhost` may be either address, so the receiver is at both.
    #[test]
    fn rfc8252_7_3_both_loopback_addresses() {
        let receiver = Receiver::at(&format!("http://localhost:{}/callback", free_port())).unwrap();
        thread::scope(|scope| {
            let port = receiver.port;
            let browser = scope.spawn(move || {
                let ask = |address: (&str, u16), state: &str| {
                    let mut stream = TcpStream::connect(address).ok()?;
                    let request =
                        format!("GET /callback?state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
                    stream.write_all(request.as_bytes()).unwrap();
                    let mut answer = String::new();
                    let _ = stream.read_to_string(&mut answer);
                    Some(answer)
                };
                if let Some(answer) = ask(("::1", port), "wrong") {
                    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
                }
                assert!(ask(("127.0.0.1", port), "right").unwrap().starts_with("HTTP/1.1 200"));
            });
            assert!(receiver.wait(&visit(), &wait(), || None).is_some());
            browser.join().unwrap();
        });
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
