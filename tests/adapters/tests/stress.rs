//! A thousand calls at once on an expired token, with callers that give up, and what may hold up whom.
//!
//! `STRESS_SEED` chooses who gives up and when.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use grantor::{AuthorizationPrompt, Secret, StoreKey, Summary};
use grantor_adapters::support::{browser, call, message, served, setup, visit};
use grantor_adapters::{ADAPTERS, Adapter, Patience, open};
use grantor_driver::store::{Record, StoreError, Swap};
use grantor_driver::{
    Answer, Browser, Event, InteractionFailure, MemoryStore, Observer, Store, UserAgent, Wait,
};
use grantor_world::net::Served;
use http::HeaderMap;

const CALLS: usize = 1000;

/// One test after the other: a process has only so many file descriptors (and see `grantor-smol`).
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// splitmix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    /// Four of ten give up: two at an await, two at a moment.
    fn patience(&mut self) -> Patience {
        match self.below(10) {
            0 | 1 => Patience::Polls(u32::try_from(self.below(8)).unwrap()),
            2 | 3 => Patience::Until(Duration::from_millis(1 + self.below(200))),
            _ => Patience::Endless,
        }
    }
}

fn seed() -> u64 {
    std::env::var("STRESS_SEED").map_or(1, |seed| seed.parse().expect("STRESS_SEED is a number"))
}

/// Lives as long as anything of a session: its setup, a task, a thread.
struct Alive(#[expect(dead_code, reason = "counted")] Arc<()>);

impl Observer for Alive {
    fn event(&self, _: Event<'_>) {}
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn a_thousand_calls_on_an_expired_token(name: &str) {
    let _alone = alone();
    let servers = served();
    let alive = Arc::new(());
    let client = open(name, setup(&servers.resource).observer(Alive(Arc::clone(&alive)))).unwrap();
    assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200);

    let mut chance = Chance(seed());
    let rounds = 3;
    let mut given_up = 0;
    for round in 0..rounds {
        servers.world().server().expire_access_tokens();
        servers.world().asked.clear();
        let issued = servers.world().server().issued;
        let calls: Vec<Patience> = (0..CALLS).map(|_| chance.patience()).collect();
        let ended = client.burst(&servers.resource, &message("ping"), &calls);
        assert_eq!(ended.len(), CALLS);
        for outcome in ended {
            match outcome {
                Ok(Some(200)) => {}
                Ok(None) => given_up += 1,
                other => panic!("{name}, seed {}, round {round}: {other:?}", seed()),
            }
        }
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200);
        let mut world = servers.world();
        let asked = |path: &str| world.asked.iter().filter(|asked| asked.contains(path)).count();
        assert_eq!((asked("/token"), asked("/authorize")), (1, 0), "{name}: one token request");
        assert_eq!(world.server().issued, issued + 1, "{name}");
        assert_eq!(world.server().reuses, 0, "{name}");
    }
    let expected = if name == "ureq" { 1 } else { rounds * CALLS / 10 };
    assert!((expected..rounds * CALLS / 2).contains(&given_up), "{name}: {given_up} gave up");

    // Nothing stays behind: no task, no thread, no connection.
    let (tasks, client) = {
        let idle = client.account("idle").unwrap();
        drop(client);
        (idle.tasks(), idle)
    };
    eventually("what a session left behind", || Arc::strong_count(&alive) == 2); // `alive` and `idle`
    if tasks.is_some() {
        // What is left on the runtime are the connections that are kept alive, and who minds them.
        eventually("tasks left behind", || client.tasks().unwrap() <= servers.connections() + 1);
    }
    drop(client);
    eventually("the last of the setup", || Arc::strong_count(&alive) == 1);
    eventually("connections left behind", || servers.connections() == 0);
}

#[test]
fn hyper() {
    a_thousand_calls_on_an_expired_token("hyper");
}

#[test]
fn reqwest() {
    a_thousand_calls_on_an_expired_token("reqwest");
}

#[test]
fn smol() {
    a_thousand_calls_on_an_expired_token("smol");
}

#[test]
fn ureq() {
    a_thousand_calls_on_an_expired_token("ureq");
}

#[test]
fn a_slow_browser_step_of_one_account_blocks_nobody_else() {
    let _alone = alone();
    for name in ADAPTERS {
        let servers = served();
        let (opened, pages) = mpsc::channel();
        let (opened, slow) = (Mutex::new(opened), AtomicUsize::new(0));
        // The first page waits until the test goes on; all others are answered at once.
        let browser = Browser::open_with(move |url| {
            if slow.fetch_add(1, Ordering::Relaxed) == 0 {
                return opened.lock().unwrap().send(url.to_owned()).map_err(|error| error.to_string());
            }
            visit(url);
            Ok(())
        });
        let client = open(name, setup(&servers.resource).user_agent(browser)).unwrap();
        let (slow, quick) = (client.account("slow").unwrap(), client.account("quick").unwrap());
        let resource = servers.resource.clone();
        let waiting = thread::spawn(move || call(&*slow, &resource, "ping").unwrap());
        let page = pages.recv().unwrap();
        let ended = quick.burst(&servers.resource, &message("ping"), &[Patience::Endless; 100]);
        assert!(ended.iter().all(|outcome| matches!(outcome, Ok(Some(200)))), "{name}: {ended:?}");
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        assert!(!waiting.is_finished(), "{name}: the slow one waits all the while");
        ureq::get(&page).call().unwrap();
        assert_eq!(waiting.join().unwrap(), 200, "{name}");
    }
}

/// What takes long, and asks meanwhile for something that needs the engine: were a lock held, this would
/// never be answered.
#[derive(Clone, Default)]
struct Meanwhile(Arc<Mutex<Option<Probe>>>, Arc<AtomicUsize>);

type Probe = Arc<dyn Fn() + Send + Sync>;

impl Meanwhile {
    fn probe(&self) {
        let probe = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(probe) = probe {
            let (answered, answer) = mpsc::channel();
            thread::spawn(move || {
                probe();
                answered.send(()).unwrap();
            });
            answer.recv_timeout(Duration::from_secs(30)).expect("the engine is free");
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct SlowStore(MemoryStore, Meanwhile);

impl Store for SlowStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        self.1.probe();
        self.0.load(key)
    }

    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<grantor::RecordRevision>,
    ) -> Result<Swap, StoreError> {
        self.1.probe();
        self.0.save(key, record, expect)
    }

    fn delete(&self, key: &StoreKey, expect: grantor::RecordRevision) -> Result<Swap, StoreError> {
        self.1.probe();
        self.0.delete(key, expect)
    }
}

struct SlowUser(Browser, Meanwhile);

impl UserAgent for SlowUser {
    fn listen(&self, preferred: Option<&str>) -> Result<String, InteractionFailure> {
        self.1.probe();
        self.0.listen(preferred)
    }

    fn approve(&self, summary: &Summary) -> bool {
        self.1.probe();
        self.0.approve(summary)
    }

    fn authorize(&self, prompt: &AuthorizationPrompt, wait: &Wait) -> Result<Answer, InteractionFailure> {
        self.1.probe();
        self.0.authorize(prompt, wait)
    }
}

#[test]
fn no_lock_is_held_across_io() {
    let _alone = alone();
    for name in ADAPTERS {
        let meanwhile = Meanwhile::default();
        let during = meanwhile.clone();
        // The servers answer when the probe has been.
        let servers = Served::start(Arc::new(move |_, _| during.probe()));
        let setup = setup(&servers.resource)
            .store(SlowStore(MemoryStore::default(), meanwhile.clone()))
            .user_agent(SlowUser(browser(), meanwhile.clone()));
        let client: Arc<dyn Adapter> = open(name, setup).unwrap().into();
        // A request that is none for this client is refused by the engine, without any I/O.
        let asking = Arc::clone(&client);
        *meanwhile.0.lock().unwrap() = Some(Arc::new(move || {
            asking.post("http://127.0.0.1:1/elsewhere", &HeaderMap::new(), "").unwrap_err();
        }));
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        servers.world().server().expire_access_tokens();
        assert_eq!(call(&*client, &servers.resource, "ping").unwrap(), 200, "{name}");
        assert!(meanwhile.1.load(Ordering::Relaxed) >= 15, "{name}: exchanges, store and user were probed");
        *meanwhile.0.lock().unwrap() = None; // it holds the client
    }
}
