//! Database servers of a test's own, in a directory of their own, spoken to by a socket in it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use grantor_world::tls::Authority;

use crate::common::Directory;

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At once, as by a loss of power: what is not on disk is gone.
    Crash,
    /// In order, cutting connections off.
    Orderly,
}

/// A `PostgreSQL` server, as a user of its own where the test is root's, since it refuses to be root's.
pub(crate) struct Postgres {
    directory: Directory,
    /// Its certificate and key.
    files: Option<Directory>,
    /// Its own settings.
    options: Vec<String>,
    /// How to connect to it.
    to: String,
    child: Child,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With TLS by the certificate of this authority, also at a port of 127.0.0.1, which it returns.
    pub(crate) fn start_with_tls(authority: &Authority) -> (Self, u16) {
        let port = free_port();
        let files = Directory::new();
        fs::create_dir(&files.0).unwrap();
        let (certificate, key) = authority.server_pem();
        let written = [("ssl_cert_file", certificate), ("ssl_key_file", key)].map(|(setting, pem)| {
            let path = files.0.join(setting);
            fs::write(&path, pem).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            give_to_postgres(&path);
            format!("{setting}={}", path.display())
        });
        let listen = format!("port={port}");
        let [certificate, key] = &written;
        let options = ["ssl=on", "listen_addresses=127.0.0.1", &listen, certificate, key];
        let mut server = Self::with(&options);
        server.to = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
        server.files = Some(files);
        (server, port)
    }

    fn with(options: &[&str]) -> Self {
        let directory = Directory::new();
        fs::create_dir(&directory.0).unwrap();
        give_to_postgres(&directory.0);
        let made = as_postgres("initdb")
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
                "--pgdata",
            ])
            .arg(directory.0.join("data"))
            .current_dir("/")
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let child = Self::run(&directory.0, &options);
        let to = format!("host={} user=postgres dbname=postgres", directory.place());
        Self { directory, files: None, options, to, child }
    }

    pub(crate) fn to(&self) -> &str {
        &self.to
    }

    fn run(directory: &Path, options: &[String]) -> Child {
        as_postgres("postgres")
            .arg("-D")
            .arg(directory.join("data"))
            .arg("-k")
            .arg(directory)
            .args(["-c", "listen_addresses=", "-c", "shared_buffers=16MB", "-c", "max_connections=200"])
            .args(options.iter().flat_map(|option| ["-c", option]))
            .current_dir("/")
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub(crate) fn place(&self) -> String {
        format!("postgres:{}", self.to)
    }

    /// Has a statement done, and returns what it says.
    pub(crate) fn sql(&self, statement: &str) -> String {
        self.sql_at(5432, statement)
    }

    /// The same where the server has another port, after which its socket is named.
    pub(crate) fn sql_at(&self, port: u16, statement: &str) -> String {
        let done = Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-h"])
            .arg(&self.directory.0)
            .args(["-p", &port.to_string(), "-c", statement])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn restart(&mut self, end: End) {
        self.end(end);
        self.child = Self::run(&self.directory.0, &self.options);
    }

    fn end(&mut self, end: End) {
        // Its own words: QUIT leaves everything as it is, INT cuts connections off and writes all down.
        signal(if end == End::Crash { "QUIT" } else { "INT" }, &self.child);
        self.child.wait().unwrap();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end(End::Crash);
    }
}

/// A Valkey or Redis server that keeps what it answers.
pub(crate) struct Valkey {
    directory: Directory,
    /// Its own settings.
    options: Vec<String>,
    to: String,
    child: Child,
}

impl Valkey {
    pub(crate) fn start() -> Self {
        let directory = Directory::new();
        fs::create_dir(&directory.0).unwrap();
        Self::with(directory, Vec::new())
    }

    /// With TLS by the certificate of this authority, also at a port of 127.0.0.1, which it returns.
    pub(crate) fn start_with_tls(authority: &Authority) -> (Self, u16) {
        let port = free_port();
        let directory = Directory::new();
        fs::create_dir(&directory.0).unwrap();
        let (certificate, key) = authority.server_pem();
        let mut options: Vec<_> =
            ["--bind", "127.0.0.1", "--tls-auth-clients", "no", "--tls-port"].map(str::to_owned).into();
        options.push(port.to_string());
        for (option, pem) in [
            ("--tls-cert-file", certificate),
            ("--tls-key-file", key),
            ("--tls-ca-cert-file", authority.pem()),
        ] {
            let path = directory.0.join(option);
            fs::write(&path, pem).unwrap();
            options.extend([option.to_owned(), path.display().to_string()]);
        }
        (Self::with(directory, options), port)
    }

    fn with(directory: Directory, options: Vec<String>) -> Self {
        let to = format!("unix://{}/socket", directory.place());
        let child = Self::run(&directory.0, &options);
        Self { directory, options, to, child }
    }

    fn run(directory: &Path, options: &[String]) -> Child {
        Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(installed(&["valkey-server", "redis-server"]))
            .args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(directory)
            .arg("--unixsocket")
            .arg(directory.join("socket"))
            .args(options)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub(crate) fn to(&self) -> &str {
        &self.to
    }

    pub(crate) fn place(&self) -> String {
        format!("valkey:{}", self.to)
    }

    /// A connection to look into it.
    pub(crate) fn look(&self) -> redis::Connection {
        redis::Client::open(self.to()).unwrap().get_connection().unwrap()
    }

    pub(crate) fn restart(&mut self, end: End) {
        self.end(end);
        self.child = Self::run(&self.directory.0, &self.options);
    }

    fn end(&mut self, end: End) {
        signal(if end == End::Crash { "KILL" } else { "TERM" }, &self.child);
        self.child.wait().unwrap();
    }
}

impl Drop for Valkey {
    fn drop(&mut self) {
        self.end(End::Crash);
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn give_to_postgres(path: &Path) {
    if is_root() {
        let user = |flag| {
            let id = Command::new("id").args([flag, "postgres"]).output().unwrap();
            let id = String::from_utf8(id.stdout).unwrap();
            id.trim().parse().expect("the package has made a user `postgres`")
        };
        chown(path, Some(user("-u")), Some(user("-g"))).unwrap();
    }
}

/// A program of `PostgreSQL`'s that ends with this test.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.arg(installed(&[program]));
    command
}

/// The first of these programs that there is, on the path or where Debian has those of `PostgreSQL`.
fn installed(programs: &[&str]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<_> = std::env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    directories.extend(versions.map(|version| version.path().join("bin")));
    let all =
        programs.iter().flat_map(|program| directories.iter().map(move |directory| directory.join(program)));
    let found = all.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{programs:?} is not installed; `tests/run stores` says what to do"))
}

fn signal(name: &str, child: &Child) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
