//! What hosts see in their logs: everything that happens, and no secret.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use grantor_adapters::support::{call, served, setup};
use grantor_adapters::{ADAPTERS, open};
use grantor_driver::Traced;

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

#[test]
fn logs_show_what_happens_and_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    // One subscriber for the process: sessions work on threads of their own.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    for adapter in ADAPTERS {
        let servers = served();
        let client = open(adapter, setup(&servers.resource).observer(Traced)).unwrap();
        assert_eq!(call(&*client, &servers.resource, "write").unwrap(), 200);
        let said = log.take();
        let ours: Vec<&str> = said.lines().filter(|line| line.contains(" grantor: ")).collect();
        let has = |parts: &[&str]| ours.iter().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(
            has(&["DEBUG", "exchange", "method=GET", "oauth-protected-resource", "status=200"]),
            "{said}"
        );
        assert!(has(&["DEBUG", "exchange", "method=POST", "/token", "status=200", "why="]), "{said}");
        assert!(has(&["INFO", "waiting for the browser", "resource=", "issuer="]), "{said}");
        assert!(has(&["INFO", "notice=token issued for: "]), "{said}");
        for line in ours {
            for secret in ["planted", "code=", "state=", "verifier"] {
                assert!(!line.contains(secret), "{adapter}: {line}");
            }
        }
    }
}
