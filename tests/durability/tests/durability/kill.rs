//! A process is killed (SIGKILL) before and after every effect of a whole flow and of a refresh, and
//! another one finishes.
//!
//! The user is asked again only where the specifications leave no other way:
//! - The user has agreed, and the process died before the tokens were stored. The code came to the dead
//!   process alone, lives for minutes, is not written down, and is used once (RFC 6749 4.1.2): of a code
//!   that is found after a crash nobody knows whether it was used, and using it twice is an attack.
//! - The server has rotated the refresh token, and the process died before the new one was stored. The old
//!   one is spent; using it twice revokes the grant (RFC 9700 4.14.2).

use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use grantor_adapters::ADAPTERS;
use grantor_durability::Side;
use grantor_world::net::Served;
use http::StatusCode;

use crate::common::{Client, Directory, kill};

/// Where to kill.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// At an operation of the store or the user agent.
    Local(usize, Side),
    /// At an HTTP request, of Grantor or of the caller.
    Http(usize, Side),
}

/// Kills a process when the server sees a certain request.
#[derive(Default)]
struct Killer {
    victim: Option<Arc<Mutex<Child>>>,
    at: Option<(usize, Side)>,
    seen: usize,
}

impl Killer {
    /// Sees a request, or its answer; whether it struck.
    fn see(&mut self, side: Side) -> bool {
        let n = self.seen;
        if side == Side::After {
            self.seen += 1;
        }
        let strikes = self.at == Some((n, side));
        if let Some(victim) = self.victim.take_if(|_| strikes) {
            self.at = None;
            kill(&victim);
        }
        strikes
    }
}

struct Trial {
    adapter: &'static str,
    served: Served,
    directory: Directory,
    killer: Arc<Mutex<Killer>>,
    /// How often the user has agreed.
    consents: Arc<AtomicUsize>,
}

impl Trial {
    fn new(adapter: &'static str) -> Self {
        let killer = Arc::<Mutex<Killer>>::default();
        let (watching, intercepting) = (Arc::clone(&killer), Arc::clone(&killer));
        let consents = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&consents);
        let served = Served::start(Arc::new(move |asked, answer| {
            if asked.uri().path() == "/authorize" && answer.status() == StatusCode::FOUND {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            watching.lock().unwrap().see(Side::After);
        }));
        served.world().intercept = Some(Box::new(move |_| {
            let struck = intercepting.lock().unwrap().see(Side::Before);
            struck.then(|| grantor_world::text(StatusCode::GONE, "nobody reads this"))
        }));
        Self { adapter, served, directory: Directory::new(), killer, consents }
    }

    /// Calls the server from a process of its own. `None` when that was killed.
    fn call(&self, point: Option<Point>) -> Option<String> {
        let arguments = match point {
            Some(Point::Local(n, Side::Before)) => vec!["before".to_owned(), n.to_string()],
            Some(Point::Local(n, Side::After)) => vec!["after".to_owned(), n.to_string()],
            _ => Vec::new(),
        };
        let mut client =
            Client::start(self.adapter, &self.served.resource, &self.directory.place(), &arguments);
        let at = match point {
            Some(Point::Http(n, side)) => Some((n, side)),
            _ => None,
        };
        *self.killer.lock().unwrap() = Killer { victim: Some(client.process()), at, seen: 0 };
        client.begin();
        let said = client.said().filter(|said| said != "stopped");
        *self.killer.lock().unwrap() = Killer::default();
        said
    }

    fn consents(&self) -> usize {
        self.consents.load(Ordering::SeqCst)
    }

    fn registrations(&self) -> usize {
        self.served.world().server().clients.len()
    }

    fn issued(&self) -> u64 {
        self.served.world().server().issued
    }

    /// Whether the stored access token is one that the server accepts.
    fn has_stored_tokens(&self) -> bool {
        let Some(grant) = self.directory.record("grant") else { return false };
        let Some(token) = grant["access_token"].as_str() else { return false };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.served.world().server().check(token, now).is_some()
    }

    /// After a kill: another process finishes, and asks for nothing that was there already. Returns how
    /// often the user was asked once more.
    fn finish(&self, spent: impl Fn(&Self) -> bool) -> usize {
        let (consents, registrations) = (self.consents(), self.registrations());
        let registered = self.directory.record("registration").is_some();
        let (stored, spent) = (self.has_stored_tokens(), spent(self));
        assert_eq!(self.call(None).as_deref(), Some("200"));
        let again = self.consents() - consents;
        if stored || !spent {
            assert_eq!(again, usize::from(consents == 0), "nothing was spent: stored {stored}");
        } else {
            assert!(again <= 1, "{again}");
        }
        let more = self.registrations() - registrations;
        assert!(more <= usize::from(!registered), "registered again");
        // And that is the end of it.
        let (consents, issued) = (self.consents(), self.issued());
        assert_eq!(self.call(None).as_deref(), Some("200"));
        assert_eq!((self.consents(), self.issued()), (consents, issued));
        if consents == 0 { 0 } else { again.min(consents - 1) }
    }
}

/// A call without any records.
fn flow(trial: &Trial, point: Point) -> Option<usize> {
    let said = trial.call(Some(point));
    if said.is_some() {
        assert_eq!(said.as_deref(), Some("200"));
        return None;
    }
    Some(trial.finish(|trial| trial.consents() > 0))
}

/// A call with a token that the server does not accept any more.
fn refresh(trial: &Trial, point: Point) -> Option<usize> {
    assert_eq!(trial.call(None).as_deref(), Some("200"));
    trial.served.world().server().expire_access_tokens();
    let said = trial.call(Some(point));
    if said.is_some() {
        assert_eq!(said.as_deref(), Some("200"));
        return None;
    }
    Some(trial.finish(|trial| trial.issued() > 1))
}

/// More than any flow has.
const MOST: usize = 20;

/// Kills at every point until there is none left.
fn everywhere(name: &str, most: usize, play: fn(&Trial, Point) -> Option<usize>) {
    let mut points = Vec::new();
    for side in [Side::Before, Side::After] {
        points.extend((0..MOST).map(|n| Point::Local(n, side)));
        points.extend((0..MOST).map(|n| Point::Http(n, side)));
    }
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(point) = points.get(index) else { return };
                    let trial = Trial::new(ADAPTERS[index % ADAPTERS.len()]);
                    let asked_again = play(&trial, *point);
                    outcomes.lock().unwrap().push((index, asked_again));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_unstable();
    let mut again = Vec::new();
    let mut kills = 0;
    for run in outcomes.chunks(MOST) {
        let killed = run.iter().filter(|(_, asked)| asked.is_some()).count();
        assert!((3..MOST).contains(&killed), "{killed} of {MOST}");
        assert!(run[killed..].iter().all(|(_, asked)| asked.is_none()), "the points are in order");
        kills += killed;
        again.extend(run.iter().filter(|(_, asked)| *asked == Some(1)).map(|(index, _)| points[*index]));
    }
    println!("{name}: killed at {kills} points; the user was asked once more at {}: {again:?}", again.len());
    assert!(again.len() <= most, "{again:?}");
}

#[test]
fn between_every_two_effects_of_a_flow() {
    // After the page, after the callback, before and after the token request, before the save.
    everywhere("flow", 5, flow);
}

#[test]
fn between_every_two_effects_of_a_refresh() {
    // After the token request, before the save.
    everywhere("refresh", 2, refresh);
}

/// A process that is killed while it writes leaves a file with tokens in it. What has the directory open already
/// removes it with the record, as a log-out does; what opens it, at once.
#[test]
fn in_the_middle_of_a_write() {
    use std::fs;
    use std::process::Command;

    use grantor::StoreKey;
    use grantor_driver::store::Swap;
    use grantor_driver::{FileStore, Store as _};

    let key = StoreKey::accounts("https://mcp.example.com/mcp");
    for by_opening in [false, true] {
        let directory = Directory::new();
        let store = FileStore::new(&directory.0).unwrap();
        let left = || {
            let files = directory.files().into_iter();
            files.filter(|path| path.extension().is_some_and(|it| it == "new")).collect::<Vec<_>>()
        };
        let is_left = (0..200).any(|_| {
            let child = Command::new(env!("CARGO_BIN_EXE_writer")).arg(&directory.0).spawn().unwrap();
            let child = Mutex::new(child);
            while left().is_empty() {
                thread::yield_now();
            }
            kill(&child);
            !left().is_empty()
        });
        assert!(is_left, "no process was killed in time");
        if by_opening {
            drop(FileStore::new(&directory.0).unwrap());
            assert_eq!(left(), [""; 0].map(std::path::PathBuf::from));
        }
        // The record is a whole one, if there is one yet.
        if let Some(record) = store.load(&key).unwrap() {
            assert_eq!(record.content.len(), 200_000);
            assert_eq!(store.delete(&key, record.revision).unwrap(), Swap::Done(None));
        } else {
            store.delete(&key, grantor::RecordRevision::from_counter(0)).unwrap();
        }
        for file in directory.files() {
            assert_eq!(file.extension().unwrap(), "lock", "{file:?}");
            assert_eq!(fs::read(file).unwrap(), b"");
        }
    }
}
