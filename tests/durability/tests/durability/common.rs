//! Client processes, and what they leave on disk.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A client process; killed when this is dropped.
pub(crate) struct Client {
    child: Arc<Mutex<Child>>,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn start(adapter: &str, resource: &str, store: &str, arguments: &[String]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
        command.args([adapter, resource, store]).args(arguments);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child: Arc::new(Mutex::new(child)), input, output: BufReader::new(output) }
    }

    /// As `nobody` if need be. That one may not see the place where programs are built.
    #[cfg(unix)]
    pub(crate) fn start_as(nobody: bool, adapter: &str, resource: &str, directory: &Path) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        use std::os::unix::process::CommandExt as _;
        let program = directory.with_extension("client");
        if !program.exists() {
            fs::copy(env!("CARGO_BIN_EXE_client"), &program).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new(program);
        if nobody {
            command.uid(65534);
        }
        command.current_dir("/").args([adapter, resource]).arg(directory);
        Self::spawn(command)
    }

    /// Has it call the server.
    pub(crate) fn begin(&mut self) {
        let _ = self.input.write_all(b"call\n");
    }

    /// What it says; nothing when it is dead.
    pub(crate) fn said(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).unwrap_or(0);
        (read > 0).then(|| line.trim().to_owned())
    }

    pub(crate) fn process(&self) -> Arc<Mutex<Child>> {
        Arc::clone(&self.child)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        kill(&self.child);
    }
}

/// SIGKILL: the process has no say in it.
pub(crate) fn kill(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap();
    let _ = child.kill();
    let _ = child.wait();
}

/// A directory for records, gone when this is dropped.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("grantor-durability-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    /// Its name, as a client takes it.
    pub(crate) fn place(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    /// The same for a store of this kind.
    pub(crate) fn place_of(&self, kind: &str) -> String {
        format!("{kind}:{}", self.place())
    }

    /// All files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
    }

    /// The record of this kind.
    pub(crate) fn record(&self, kind: &str) -> Option<Value> {
        let content = fs::read(self.file(kind)?).ok()?;
        Some(serde_json::from_slice::<Value>(&content).unwrap()["record"].clone())
    }

    /// Its file.
    pub(crate) fn file(&self, kind: &str) -> Option<PathBuf> {
        self.files().into_iter().find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with(kind) && name.ends_with(".json") && !name.contains("unreadable")
        })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        let _ = fs::remove_file(self.0.with_extension("client"));
    }
}
