//! The faults: what the wire does, and what may come of it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::read::GzEncoder;
use grantor::Error;
use grantor::error::{EffectError, FailureKind, PeerMisbehaved, RedirectProblem, Refused, Work};
use grantor_adapters::Failed;
use grantor_world::raw::{reset, response};

use crate::site::Leg;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    BadGateway,
    Bomb,
    Huge,
    LengthTooLarge,
    LengthTooSmall,
    Refused,
    RedirectLoop,
    ResetInBody,
    ResetInHead,
    ServerError,
    Silent,
    Stalled,
    TooManyAfterDate,
    TooManyAfterSeconds,
    TruncatedJson,
    UnavailableAfterDate,
    UnavailableAfterSeconds,
}

pub(crate) const FAULTS: [Fault; 17] = [
    Fault::Refused,
    Fault::ResetInHead,
    Fault::ResetInBody,
    Fault::Stalled,
    Fault::Silent,
    Fault::ServerError,
    Fault::BadGateway,
    Fault::TooManyAfterSeconds,
    Fault::TooManyAfterDate,
    Fault::UnavailableAfterSeconds,
    Fault::UnavailableAfterDate,
    Fault::TruncatedJson,
    Fault::Huge,
    Fault::Bomb,
    Fault::RedirectLoop,
    Fault::LengthTooSmall,
    Fault::LengthTooLarge,
];

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::BadGateway => "502 with HTML",
            Self::Bomb => "gzip bomb",
            Self::Huge => "10 MiB body",
            Self::LengthTooLarge => "Content-Length too large",
            Self::LengthTooSmall => "Content-Length too small",
            Self::Refused => "connection refused",
            Self::RedirectLoop => "redirect loop",
            Self::ResetInBody => "reset in the body",
            Self::ResetInHead => "reset in the head",
            Self::ServerError => "500",
            Self::Silent => "no answer",
            Self::Stalled => "a byte at a time",
            Self::TooManyAfterDate => "429, Retry-After a date",
            Self::TooManyAfterSeconds => "429, Retry-After seconds",
            Self::TruncatedJson => "truncated JSON",
            Self::UnavailableAfterDate => "503, Retry-After a date",
            Self::UnavailableAfterSeconds => "503, Retry-After seconds",
        })
    }
}

const HUGE: usize = 10 * 1024 * 1024;

/// 10 MiB in 10 KiB.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bomb = Vec::new();
    GzEncoder::new(std::io::repeat(b' ').take(HUGE as u64), Compression::best())
        .read_to_end(&mut bomb)
        .unwrap();
    bomb
});

impl Fault {
    /// Whether the client has to give up by itself.
    pub(crate) fn hangs(self) -> bool {
        matches!(self, Self::Silent | Self::Stalled)
    }

    /// Answers a request wrongly; what hangs goes on until `over`.
    pub(crate) fn answer(self, target: &str, stream: &mut TcpStream, over: &AtomicBool) {
        let json = |status, body| response(status, "application/json", body);
        let busy =
            |status, after| json(status, "{}").replacen("\r\n", &format!("\r\nRetry-After: {after}\r\n"), 1);
        let in_two_seconds = "Sun, 06 Nov 1994 08:49:39 GMT\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT";
        let text = match self {
            Self::BadGateway => response("502 Bad Gateway", "text/html", "<html><h1>Bad Gateway</h1>"),
            Self::LengthTooLarge => json("200 OK", r#"{"a":"b"}"#).replacen("Length: 9", "Length: 900", 1),
            Self::LengthTooSmall => json("200 OK", r#"{"a":"b"}"#).replacen("Length: 9", "Length: 4", 1),
            Self::RedirectLoop => {
                json("302 Found", "").replacen("\r\n", &format!("\r\nLocation: {target}\r\n"), 1)
            }
            Self::ServerError => json("500 Internal Server Error", "{}"),
            Self::TooManyAfterDate => busy("429 Too Many Requests", in_two_seconds),
            Self::TooManyAfterSeconds => busy("429 Too Many Requests", "2"),
            Self::TruncatedJson => json("200 OK", r#"{"issuer":"http://127.0.0.1","access_tok"#),
            Self::UnavailableAfterDate => busy("503 Service Unavailable", in_two_seconds),
            Self::UnavailableAfterSeconds => busy("503 Service Unavailable", "2"),
            Self::Bomb | Self::Huge => {
                let coding = if self == Self::Bomb { "Content-Encoding: gzip\r\n" } else { "" };
                let huge = vec![b' '; if self == Self::Huge { HUGE } else { 0 }];
                let body = if self == Self::Bomb { &*BOMB } else { &huge };
                let head = json("200 OK", "").replacen("Length: 0", &format!("Length: {}", body.len()), 1);
                let _ = stream.write_all(head.replacen("\r\n", &format!("\r\n{coding}"), 1).as_bytes());
                let _ = stream.write_all(body);
                return;
            }
            Self::Refused => return,
            Self::ResetInBody | Self::ResetInHead => {
                let text =
                    json("200 OK", r#"{"issuer":"http://127.0.0.1","#).replacen("Length: ", "Length: 9", 1);
                let end = if self == Self::ResetInHead { 40 } else { text.len() };
                let _ = stream.write_all(&text.as_bytes()[..end]);
                return reset(stream);
            }
            Self::Silent | Self::Stalled => {
                let _ = stream.write_all(if self == Self::Silent {
                    b""
                } else {
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
                });
                while !over.load(Ordering::Relaxed)
                    && (self == Self::Silent || stream.write_all(b" ").is_ok())
                {
                    std::thread::sleep(Duration::from_millis(20));
                }
                return;
            }
        };
        let _ = stream.write_all(text.as_bytes());
    }
}

/// Whether a call may end so after this fault; says how.
pub(crate) fn check(leg: Leg, fault: Fault, outcome: Result<u16, Failed>) -> String {
    let Some(exchange) = leg.exchange() else { return check_call(fault, outcome) };
    let error = match outcome {
        Err(Failed::Authorization(error)) => error,
        other => panic!("an error of the authorization was expected: {other:?}"),
    };
    let what = Work::Exchange(exchange);
    let kind = match &error {
        Error::Effect(EffectError { what: of, kind, .. }) if *of == what => Some(*kind),
        _ => None,
    };
    let redirects = if leg.is_document() { RedirectProblem::TooMany } else { RedirectProblem::Unexpected };
    let unavailable = |status, retry_after_s| Refused::Unavailable { exchange, status, retry_after_s }.into();
    let right = match fault {
        Fault::BadGateway => error == unavailable(502, None),
        Fault::Bomb | Fault::Huge => kind == Some(FailureKind::BodyTooLarge),
        Fault::LengthTooLarge | Fault::ResetInBody | Fault::ResetInHead => kind == Some(FailureKind::Broken),
        Fault::LengthTooSmall | Fault::TruncatedJson => {
            matches!(error, Error::PeerMisbehaved(PeerMisbehaved::Json { exchange: of, .. }) if of == exchange)
        }
        // A token endpoint that cannot be reached may have moved: metadata is read again, where nobody is either.
        Fault::Refused if leg == Leg::Refresh => {
            matches!(&error, Error::Effect(EffectError { kind: FailureKind::Unreachable, .. }))
        }
        Fault::Refused => kind == Some(FailureKind::Unreachable),
        Fault::RedirectLoop => error == PeerMisbehaved::Redirect { exchange, problem: redirects }.into(),
        Fault::ServerError => error == unavailable(500, None),
        Fault::Silent | Fault::Stalled => kind == Some(FailureKind::TimedOut),
        Fault::TooManyAfterDate | Fault::TooManyAfterSeconds => error == unavailable(429, Some(2)),
        Fault::UnavailableAfterDate | Fault::UnavailableAfterSeconds => error == unavailable(503, Some(2)),
    };
    assert!(right, "not the error for this: {error:?}");
    error.to_string()
}

/// What is sent to the resource is the caller's: a response as it is, or an error of the HTTP stack.
fn check_call(fault: Fault, outcome: Result<u16, Failed>) -> String {
    let status = match fault {
        Fault::BadGateway => Some(502),
        Fault::RedirectLoop => Some(302),
        Fault::ServerError => Some(500),
        Fault::TooManyAfterDate | Fault::TooManyAfterSeconds => Some(429),
        Fault::UnavailableAfterDate | Fault::UnavailableAfterSeconds => Some(503),
        Fault::LengthTooSmall | Fault::TruncatedJson => Some(200),
        Fault::Bomb | Fault::Huge => None,
        _ => Some(0),
    };
    match (status, outcome) {
        (Some(0), Err(Failed::Other(error))) => format!("the caller's: {error}"),
        (Some(status), Ok(got)) if got == status => format!("delivered: {got}"),
        // How much of a body to read is the caller's choice.
        (None, Ok(200) | Err(Failed::Other(_))) => "delivered".into(),
        (_, other) => panic!("{other:?}"),
    }
}

/// How long the caller of the resource is made to wait by what hangs.
pub(crate) fn until(over: &AtomicBool, limit: Duration) {
    let start = Instant::now();
    while !over.load(Ordering::Relaxed) && start.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(20));
    }
    over.store(true, Ordering::Relaxed);
}
