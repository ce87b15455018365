//! A bridge: an MCP server on standard input and output that is one of streamable HTTP behind authorization.

mod flags;
mod patience;
mod upstream;

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use grantor_ureq::Browser;
use serde_json::{Value, json};

pub(crate) use self::flags::Flags;
use self::upstream::Upstream;
use crate::arguments::Options;
use crate::client::{self, Client};
use crate::endpoint::Endpoint;
use crate::terminal::clean;
use crate::{Failure, servers};

/// The longest message that is taken.
const MESSAGE: u64 = 16 * 1024 * 1024;
/// So many requests are under way at once; more have to wait.
const AT_ONCE: usize = 256;

pub(crate) fn run(options: &Options, server: &str, flags: &Flags) -> Result<ExitCode, Failure> {
    let store = client::store(options)?;
    let config = flags.config(options, server)?;
    let resource = config.resource().to_string();
    let browser = Browser::default().port(flags.port.unwrap_or(0));
    let client = Client::open(options, Arc::clone(&store), config, browser)?;
    servers::add(&*store, &resource)?;
    let upstream = Arc::new(Upstream::new(Endpoint::new(client, server, flags.headers()?), Box::new(write)));
    let under_way = Arc::new(UnderWay::default());
    let mut input = io::stdin().lock();
    loop {
        let mut line = Vec::new();
        if input.by_ref().take(MESSAGE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Ok(message) = serde_json::from_slice::<Value>(&line) else {
            write(&refusal(&Value::Null, -32700, "this is no JSON, or longer than 16 MiB"));
            continue;
        };
        // Whatever comes after it needs the session that it opens.
        if message["method"] == "initialize" {
            upstream.open(&message);
            continue;
        }
        if message["method"] == "notifications/initialized" {
            upstream.send(&message); // before any request
            continue;
        }
        under_way.enter();
        let (upstream, under_way) = (Arc::clone(&upstream), Arc::clone(&under_way));
        thread::spawn(move || {
            let _leaves = Leaves(&under_way);
            upstream.send(&message);
        });
    }
    under_way.wait();
    upstream.close();
    Ok(ExitCode::SUCCESS)
}

/// Writes a message for the client, on a line of its own.
fn write(message: &Value) {
    let mut out = io::stdout().lock();
    // A client that is gone ends this process by closing the input.
    let _ = writeln!(out, "{message}").and_then(|()| out.flush());
}

/// The answer to a request that came to nothing.
fn refusal(id: &Value, code: i32, words: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": clean(words) } })
}

/// Counts the requests that are under way.
#[derive(Default)]
struct UnderWay {
    count: Mutex<usize>,
    changed: Condvar,
}

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) {
        let count = self.changed.wait_while(self.lock(), |count| *count >= AT_ONCE);
        *count.unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn leave(&self) {
        *self.lock() -= 1;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let _all = self.changed.wait_while(self.lock(), |count| *count > 0);
    }
}

struct Leaves<'a>(&'a UnderWay);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
