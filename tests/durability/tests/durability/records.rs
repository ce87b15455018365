//! Record files that are damaged, foreign, or no files at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use grantor::RecordPolicy;
use grantor::client::Config;
use grantor::wire::client_metadata::ClientMetadata;
use grantor_adapters::{ADAPTERS, Adapter, open};
use grantor_driver::{Browser, FileStore, Setup};
use grantor_world::net::Served;
use http::{HeaderMap, HeaderValue};

use crate::common::Directory;

const KINDS: [&str; 3] = ["binding", "grant", "registration"];

struct Site {
    served: Served,
    directory: Directory,
    adapter: &'static str,
}

impl Site {
    /// Servers, and the records of a client that has called them.
    fn new(adapter: &'static str) -> Self {
        let served = Served::start(Arc::new(|_, _| {}));
        let site = Self { served, directory: Directory::new(), adapter };
        assert_eq!(site.call("ping"), "200");
        site
    }

    fn client(&self, policy: RecordPolicy) -> Box<dyn Adapter> {
        let browser = Browser::open_with(|url| {
            let url = url.to_owned();
            thread::spawn(move || ureq::get(&url).call().map(drop));
            Ok(())
        });
        let config = Config::new(&self.served.resource, ClientMetadata::named("Records")).unwrap();
        let setup = Setup::new(config.unreadable_records(policy)).user_agent(browser);
        open(self.adapter, setup.store(FileStore::new(&self.directory.0).unwrap())).unwrap()
    }

    /// The status, or the error, of a call by a new client.
    fn call(&self, tool: &str) -> String {
        self.call_under(RecordPolicy::StartAnew, tool)
    }

    fn call_under(&self, policy: RecordPolicy, tool: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
        let body = String::from_utf8(grantor_world::mcp_server::tool_call(tool)).unwrap();
        match self.client(policy).post(&self.served.resource, &headers, &body) {
            Ok(answer) => answer.status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.directory.file(kind).unwrap()
    }

    fn quarantined(&self) -> Vec<PathBuf> {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let files = self.directory.files().into_iter();
        files.filter(|path| name(path).contains("-unreadable-") && name(path).ends_with(".json")).collect()
    }

    fn asked(&self) -> usize {
        self.served.world().asked.len()
    }
}

#[test]
fn damaged_files_are_kept_and_replaced() {
    for adapter in ADAPTERS {
        for kind in KINDS {
            let site = Site::new(adapter);
            let path = site.file(kind);
            let whole = fs::read(&path).unwrap();
            let version = String::from_utf8_lossy(&whole).replacen("\"v\":2", "\"v\":3", 1).into_bytes();
            for damaged in [whole[..whole.len() / 2].to_vec(), version, b"\x00\xff".to_vec(), b"{}".to_vec()]
            {
                fs::write(&path, &damaged).unwrap();
                assert_eq!(site.call("write"), "200", "{adapter} {kind}");
                let kept = site.quarantined();
                let holds = |path: &PathBuf| fs::read(path).unwrap() == damaged;
                assert!(std::str::from_utf8(&damaged).is_err() || kept.iter().any(holds), "{adapter} {kind}");
                // For the next round, only the user can help again.
                site.served.world().server().revoke_all();
            }
            assert_eq!(site.quarantined().len(), 4, "{adapter} {kind}");
        }
    }
}

#[test]
fn files_that_somebody_wants_to_look_at_stay() {
    let site = Site::new(ADAPTERS[0]);
    let path = site.file("grant");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, b"damaged").unwrap();
    let asked = site.asked();
    let error = site.call_under(RecordPolicy::Fail, "ping");
    assert_eq!(error, "credential store: the record cannot be read: the grant record is damaged");
    assert_eq!((fs::read(&path).unwrap(), site.asked()), (b"damaged".to_vec(), asked));
    fs::write(&path, whole).unwrap();
    assert_eq!(site.call_under(RecordPolicy::Fail, "ping"), "200");
    assert_eq!(site.asked(), asked + 1);
}

/// What is no record, and cannot be read as one: an error that names the file, and nothing lost.
#[test]
fn files_that_cannot_be_read() {
    for adapter in ADAPTERS {
        let site = Site::new(adapter);
        for kind in ["binding", "grant"] {
            let path = site.file(kind);
            let away = path.with_extension("away");
            fs::rename(&path, &away).unwrap();
            fs::create_dir(&path).unwrap();
            let asked = site.asked();
            let error = site.call("ping");
            assert!(error.starts_with("credential store: failed: cannot read "), "{adapter}: {error}");
            assert!(error.contains(&*path.to_string_lossy()), "{adapter}: {error}");
            fs::remove_dir(&path).unwrap();
            fs::rename(&away, &path).unwrap();
            assert_eq!(site.call("ping"), "200");
            assert_eq!(site.asked(), asked + 1, "nothing was asked for again");
        }
    }
}

/// Records of another user are not used, and permissions bind everybody but root, so a root's test does this
/// as somebody else.
#[cfg(unix)]
#[test]
fn files_of_somebody_else() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

    use crate::common::Client;

    let site = Site::new(ADAPTERS[0]);
    let path = site.file("grant");
    let closed = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let is_root = fs::metadata(&path).unwrap().uid() == 0;
    let call = || {
        let mut client = Client::start_as(is_root, site.adapter, &site.served.resource, &site.directory.0);
        client.begin();
        client.said().unwrap()
    };
    let asked = site.asked();
    if is_root {
        let error = call();
        assert!(error.starts_with("cannot use ") && error.contains("belongs to another user"), "{error}");
        for file in site.directory.files().iter().chain([&site.directory.0]) {
            chown(file, Some(65534), None).unwrap();
        }
    }
    closed(0o000);
    let error = call();
    assert!(error.starts_with("credential store: failed: cannot read "), "{error}");
    assert!(error.contains("ermission denied"), "{error}");
    closed(0o666);
    let error = call();
    assert!(error.contains("others may write it"), "{error}");
    assert_eq!(site.asked(), asked);
    closed(0o600);
    assert_eq!(call(), "200");
    assert_eq!(site.asked(), asked + 1, "nothing was asked for again");
}
