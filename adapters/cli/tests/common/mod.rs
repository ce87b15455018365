//! The command as a process, and servers for it.
#![allow(dead_code)] // each test program uses its part

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use grantor::jose::{Algorithm, SigningKey};
use grantor_protected_server::{app, config};
use grantor_world::net::Served;

/// The protected server on a free port, an authorization server beside it, and an empty store.
pub(crate) struct Place {
    pub(crate) resource: String,
    pub(crate) issuer: Served,
    pub(crate) store: PathBuf,
    /// What commands have written to standard error.
    said: Arc<Mutex<String>>,
    /// How many pages they have shown.
    pub(crate) pages: Arc<AtomicUsize>,
    readers: Mutex<Vec<JoinHandle<()>>>,
    _runtime: tokio::runtime::Runtime,
}

/// What a command did.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let issuer = Served::start(Arc::new(|_, _| {}));
        issuer.world().server().signs =
            Some(SigningKey::generate(Algorithm::Es256, &[7; 32]).unwrap().with_kid("k"));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let resource = format!("http://{}/mcp", listener.local_addr().unwrap());
        let app = app(config(&resource, &issuer.issuer)).unwrap();
        runtime.spawn(async move { axum::serve(listener, app).await });
        let name = format!("grantor-cli-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let store = std::env::temp_dir().join(name);
        let (said, pages, readers) = (Arc::default(), Arc::default(), Mutex::default());
        Self { resource, issuer, store, said, pages, readers, _runtime: runtime }
    }

    /// Starts the command. Pages that it shows are opened by somebody who agrees.
    pub(crate) fn start(&self, arguments: &[&str], with_input: bool) -> Child {
        let mut child = Command::new(env!("CARGO_BIN_EXE_grantor"))
            .args(arguments)
            .env("GRANTOR_STORE", &self.store)
            // No browser can be opened, so the page's URL is told.
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env("PATH", "")
            .stdin(if with_input { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (said, pages) = (Arc::clone(&self.said), Arc::clone(&self.pages));
        let reader = thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                if line.trim().starts_with("http") && line.contains("/authorize?") {
                    let page = line.trim().to_owned();
                    pages.fetch_add(1, Ordering::Relaxed);
                    thread::spawn(move || ureq::get(&page).call().map(drop));
                }
                let mut said = said.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        self.readers.lock().unwrap().push(reader);
        child
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.said.lock().unwrap().clear();
        let mut child = self.start(arguments, false);
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = child.wait().unwrap().code().unwrap();
        for reader in self.readers.lock().unwrap().drain(..) {
            reader.join().unwrap();
        }
        Done { code, out, err: self.said.lock().unwrap().clone() }
    }

    /// The same; it must succeed.
    pub(crate) fn must(&self, arguments: &[&str]) -> Done {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {}", done.err);
        assert!(!done.err.contains("eyJ"), "a token is told: {}", done.err);
        done
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.store);
    }
}

/// A request as it came.
pub(crate) struct Request {
    pub(crate) method: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A server without authorization that answers with this head and body; its URL.
pub(crate) fn raw(answer: impl Fn(&Request) -> (String, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || serve(&stream.unwrap(), &*answer));
        }
    });
    url
}

/// Answers one request, and closes.
fn serve(mut stream: &TcpStream, answer: &dyn Fn(&Request) -> (String, String)) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut request = Request {
        method: line.split(' ').next().unwrap_or_default().to_owned(),
        headers: Vec::new(),
        body: String::new(),
    };
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        let (name, value) = line.split_once(':').unwrap();
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request.body = String::from_utf8(body).unwrap();
    let (head, body) = answer(&request);
    let _ = write!(
        stream,
        "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}
