//! One connection to the loopback receiver: one request, one page.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use grantor::wire::callback::{Arrival, Returned};

use super::Answer;
use super::loopback::{Receiver, Visit};
use super::page::Landing;

/// A request, with the form in its body if it has one.
const REQUEST: usize = 32 * 1024;
/// How long a connection may take for all of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the other side may take to read the page. It fits into what the system holds ready.
const WRITING: Duration = Duration::from_millis(100);
/// How long an answered connection is kept, so that closing it does not cut the page off.
const ENDING: Duration = Duration::from_secs(1);

/// A connection under way.
pub(super) struct Connection {
    stream: TcpStream,
    since: Instant,
    until: Instant,
    state: State,
}

enum State {
    Reading(Vec<u8>),
    /// The page is sent.
    Ending(Instant),
}

/// How far it is.
pub(super) enum Progress {
    Answer(Answer),
    Over,
    Waits,
}

/// What a request is about.
struct Request {
    target: String,
    host: String,
    languages: String,
    fetch_mode: Option<String>,
    fetch_dest: Option<String>,
}

impl Request {
    fn returned(&self) -> Returned<'_> {
        let mut returned = Returned::to(&self.target);
        returned.fetch_mode = self.fetch_mode.as_deref();
        returned.fetch_dest = self.fetch_dest.as_deref();
        returned
    }

    /// Whether it goes to this path. Some servers put their answer to it as it is, without a question mark.
    fn is_to(&self, path: &str) -> bool {
        let rest = self.target.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['?', '&', ';', '/']))
    }
}

/// What was read so far.
enum Parsed {
    Partial,
    Refused(&'static str),
    Whole(Request),
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Option<Self> {
        stream.set_nonblocking(true).ok()?;
        let since = Instant::now();
        Some(Self { stream, since, until: since + PATIENCE, state: State::Reading(Vec::new()) })
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// As if all its time had passed.
    #[cfg(test)]
    pub(super) fn grow_old(&mut self) {
        self.until = self.since;
    }

    /// Goes on as far as that is possible without waiting.
    pub(super) fn proceed(&mut self, receiver: &Receiver, visit: &Visit<'_>) -> Progress {
        match &mut self.state {
            _ if Instant::now() >= self.until => Progress::Over,
            State::Reading(read) => match read_more(&mut self.stream, read) {
                Ok(true) => {
                    let parsed = parse(read);
                    self.answer(parsed, receiver, visit)
                }
                Ok(false) => Progress::Waits,
                Err(_) => Progress::Over,
            },
            State::Ending(since) if since.elapsed() > ENDING => Progress::Over,
            State::Ending(_) => match self.stream.read(&mut [0; 4096]) {
                Ok(n) if n > 0 => Progress::Waits,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Progress::Waits,
                _ => Progress::Over,
            },
        }
    }

    fn answer(&mut self, parsed: Parsed, receiver: &Receiver, visit: &Visit<'_>) -> Progress {
        let request = match parsed {
            Parsed::Partial => return Progress::Waits,
            Parsed::Refused(status) => return self.respond(status, ""),
            Parsed::Whole(request) => request,
        };
        if !receiver.is_own_host(&request.host) {
            // Some page in the browser plays a trick with names (DNS rebinding).
            self.respond("421 Misdirected Request", "")
        } else if !request.is_to(receiver.path()) {
            self.respond("404 Not Found", "") // a favicon, most likely
        } else {
            let arrival = (visit.judge)(request.returned());
            let page = (visit.page)(Landing::of(arrival, &request.target), &request.languages);
            match arrival {
                Arrival::Answer | Arrival::Refusal => drop(self.respond("200 OK", &page)),
                _ => return self.respond("400 Bad Request", &page),
            }
            Progress::Answer(match arrival {
                Arrival::Answer => Answer::Callback(request.target),
                _ => Answer::CallbackWithoutState(request.target),
            })
        }
    }

    /// Sends a response that keeps nothing: the URL of the page holds the code, so it goes into no cache and
    /// no referrer, and the page may load nothing.
    fn respond(&mut self, status: &str, body: &str) -> Progress {
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        self.state = State::Ending(Instant::now());
        match self.send(response.as_bytes()) {
            Ok(()) => Progress::Waits,
            Err(_) => Progress::Over,
        }
    }

    fn send(&mut self, response: &[u8]) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        self.stream.set_write_timeout(Some(WRITING))?;
        self.stream.write_all(response)?;
        self.stream.shutdown(Shutdown::Write)?;
        self.stream.set_nonblocking(true)
    }
}

/// Reads what has come; whether that was anything.
fn read_more(stream: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<bool> {
    let (mut chunk, before) = ([0; 4096], read.len());
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => read.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(read.len() > before),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if read.len() > REQUEST {
            return Ok(true);
        }
    }
}

fn parse(read: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let too_large = Parsed::Refused("431 Request Header Fields Too Large");
    match request.parse(read) {
        Ok(httparse::Status::Complete(end)) => understand(&request, &read[end..]),
        Ok(httparse::Status::Partial) if read.len() <= REQUEST => Parsed::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => too_large,
        Err(_) => Parsed::Refused("400 Bad Request"),
    }
}

fn understand(request: &httparse::Request<'_, '_>, body: &[u8]) -> Parsed {
    let values = |name: &'static str| {
        let of_name = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
        request
            .headers
            .iter()
            .filter(of_name)
            .map(|header| std::str::from_utf8(header.value).unwrap_or_default())
    };
    let (mut hosts, Some(path)) = (values("host"), request.path) else {
        return Parsed::Refused("400 Bad Request");
    };
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Parsed::Refused("400 Bad Request") };
    let target = match request.method {
        Some("GET") => path.to_owned(),
        // Some servers answer with a form (OAuth 2.0 Form Post Response Mode), whatever they were asked for.
        Some("POST") if values("content-type").any(is_form) => {
            let length = values("content-length").next().and_then(|length| length.parse::<usize>().ok());
            match length.filter(|length| *length <= REQUEST) {
                None => return Parsed::Refused("413 Content Too Large"),
                Some(length) if body.len() < length => return Parsed::Partial,
                Some(length) => {
                    let form = String::from_utf8_lossy(&body[..length]);
                    format!("{path}{}{form}", if path.contains('?') { '&' } else { '?' })
                }
            }
        }
        _ => return Parsed::Refused("405 Method Not Allowed"),
    };
    let header = |name| values(name).next().map(str::to_owned);
    let (fetch_mode, fetch_dest) = (header("sec-fetch-mode"), header("sec-fetch-dest"));
    let languages = header("accept-language").unwrap_or_default();
    Parsed::Whole(Request { target, host: host.to_owned(), languages, fetch_mode, fetch_dest })
}

fn is_form(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
