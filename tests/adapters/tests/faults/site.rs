//! The servers of one cell, behind a wire that can be broken, and a client for them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grantor::client::{Config, Timeouts};
use grantor::error::Exchange;
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{RecordKind, StoreKey};
use grantor_adapters::support::{call, visit};
use grantor_adapters::{Adapter, Failed, open};
use grantor_driver::{Browser, MemoryStore, Setup, Store as _};
use grantor_world::raw::{Gate, RawServer, write};
use grantor_world::{Asked, AuthorizationServer, McpServer, World};

use crate::fault::{self, Fault};

/// The exchanges of a flow, and the page between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leg {
    Call,
    ResourceMetadata,
    ServerMetadata,
    Registration,
    Page,
    CodeToken,
    Refresh,
}

pub(crate) const LEGS: [Leg; 6] =
    [Leg::Call, Leg::ResourceMetadata, Leg::ServerMetadata, Leg::Registration, Leg::CodeToken, Leg::Refresh];

impl Leg {
    fn of(asked: &Asked) -> Self {
        match asked.uri().path() {
            "/mcp" => Self::Call,
            "/register" => Self::Registration,
            "/authorize" => Self::Page,
            "/token" if String::from_utf8_lossy(asked.body()).contains("grant_type=refresh_token") => {
                Self::Refresh
            }
            "/token" => Self::CodeToken,
            path if path.starts_with("/.well-known/oauth-protected-resource") => Self::ResourceMetadata,
            _ => Self::ServerMetadata,
        }
    }

    /// The one whose answer leads to this one.
    fn before(self) -> Option<Self> {
        match self {
            Self::Call => None,
            Self::ResourceMetadata | Self::Refresh => Some(Self::Call),
            Self::ServerMetadata => Some(Self::ResourceMetadata),
            Self::Registration => Some(Self::ServerMetadata),
            Self::Page => Some(Self::Registration),
            Self::CodeToken => Some(Self::Page),
        }
    }

    /// Grantor's name for it; the call is the caller's.
    pub(crate) fn exchange(self) -> Option<Exchange> {
        match self {
            Self::Call => None,
            Self::ResourceMetadata => Some(Exchange::ResourceMetadata),
            Self::ServerMetadata => Some(Exchange::ServerMetadata),
            Self::Registration => Some(Exchange::Registration),
            Self::Page => Some(Exchange::Authorization),
            Self::CodeToken => Some(Exchange::CodeToken),
            Self::Refresh => Some(Exchange::RefreshToken),
        }
    }

    pub(crate) fn is_document(self) -> bool {
        matches!(self, Self::ResourceMetadata | Self::ServerMetadata)
    }
}

impl std::fmt::Display for Leg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Call => "protected call",
            Self::ResourceMetadata => "resource metadata",
            Self::ServerMetadata => "server metadata",
            Self::Registration => "registration",
            Self::Page => "page",
            Self::CodeToken => "token",
            Self::Refresh => "refresh",
        })
    }
}

/// How the wire stands.
struct Wire {
    leg: Leg,
    fault: Fault,
    gate: Gate,
    broken: AtomicBool,
    /// Ends what hangs.
    over: AtomicBool,
    met: AtomicUsize,
}

pub(crate) struct Site {
    world: Arc<Mutex<World>>,
    wire: Arc<Wire>,
    server: RawServer,
    store: Arc<MemoryStore>,
    pages: Arc<AtomicUsize>,
    client: Box<dyn Adapter>,
    resource: String,
}

impl Site {
    pub(crate) fn start(adapter: &str, leg: Leg, fault: Fault) -> Self {
        let gate = Gate::new();
        let issuer = gate.origin();
        let resource = format!("{issuer}/mcp");
        let mut world = World { mcp: McpServer::new(&resource), ..World::default() };
        world.add(AuthorizationServer::new(&issuer));
        world.mcp.authorization_servers = vec![issuer];
        let world = Arc::new(Mutex::new(world));
        let wire = Arc::new(Wire {
            leg,
            fault,
            gate: gate.clone(),
            broken: AtomicBool::new(false),
            over: AtomicBool::new(false),
            met: AtomicUsize::new(0),
        });
        let (answering, on_wire) = (Arc::clone(&world), Arc::clone(&wire));
        let server = RawServer::behind(gate, move |asked, stream| {
            if on_wire.is_broken_for(asked) {
                let target = asked.uri().to_string();
                return on_wire.fault.answer(&target, stream, &on_wire.over);
            }
            let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let answer = answering.lock().unwrap().answer(unix_s, asked);
            on_wire.before_answering(asked);
            let _ = write(stream, &answer);
        });
        let (store, pages) = (Arc::new(MemoryStore::default()), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&pages);
        let browser = Browser::open_with(move |url| {
            counted.fetch_add(1, Ordering::Relaxed);
            visit(url);
            Ok(())
        });
        let mut config = Config::new(&resource, ClientMetadata::named("Faults")).unwrap();
        if fault.hangs() {
            let mut timeouts = Timeouts::default();
            (timeouts.http_ms, timeouts.token_ms, timeouts.token_wait_ms) = (1_000, 1_000, 1_000);
            config = config.timeouts(timeouts);
        }
        let setup = Setup::new(config).store(Arc::clone(&store)).user_agent(browser);
        let client = open(adapter, setup).unwrap();
        Self { world, wire, server, store, pages, client, resource }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> usize {
        self.server.requests()
    }

    pub(crate) fn call(&self) -> Result<u16, Failed> {
        call(&*self.client, &self.resource, "ping")
    }

    pub(crate) fn break_it(&self) {
        self.wire.broken.store(true, Ordering::Relaxed);
        if self.wire.leg == Leg::Call {
            if self.wire.fault == Fault::Refused {
                self.wire.close();
            }
            if self.wire.fault.hangs() {
                // The caller has set no limit; the server gives up.
                let wire = Arc::clone(&self.wire);
                thread::spawn(move || fault::until(&wire.over, Duration::from_millis(500)));
            }
        }
    }

    pub(crate) fn mend(&mut self) {
        self.wire.broken.store(false, Ordering::Relaxed);
        self.wire.over.store(true, Ordering::Relaxed);
        self.wire.gate.open();
    }

    pub(crate) fn has_met_the_fault(&self) -> bool {
        self.wire.met.load(Ordering::Relaxed) > 0
    }

    fn record(&self, kind: RecordKind) -> Option<String> {
        let issuer =
            matches!(kind, RecordKind::Grant | RecordKind::Registration).then(|| self.server.origin.clone());
        let key = StoreKey::new(kind, &self.resource, "default", issuer.as_deref());
        let record = self.store.load(&key).unwrap()?;
        Some(String::from_utf8(record.content.to_vec()).unwrap())
    }

    /// What must outlive a fault: binding, registration, refresh token.
    pub(crate) fn records(&self) -> [Option<String>; 3] {
        let grant = self.record(RecordKind::Grant).map(|grant| {
            let (_, rest) = grant.split_once("\"refresh_token\":").unwrap();
            rest.split(',').next().unwrap().to_owned()
        });
        [self.record(RecordKind::Binding), self.record(RecordKind::Registration), grant]
    }

    pub(crate) fn check_records(&self, before: &[Option<String>; 3]) {
        for (before, after) in before.iter().zip(self.records()) {
            assert!(before.is_none() || *before == after, "a record was harmed");
        }
    }

    /// In the end, the user was asked as often as the flow demands.
    pub(crate) fn check_end(&self) {
        // A code whose exchange failed cannot be used again (RFC 6749 4.1.2).
        let expected = if self.wire.leg == Leg::CodeToken { 2 } else { 1 };
        assert_eq!(self.pages.load(Ordering::Relaxed), expected, "pages");
        let world = self.world();
        let server = world.authorization.values().next().unwrap();
        assert_eq!(server.clients.len(), 1, "registrations");
        assert_eq!(server.reuses, 0);
    }
}

impl Wire {
    fn is_broken_for(&self, asked: &Asked) -> bool {
        let broken = self.broken.load(Ordering::Relaxed) && Leg::of(asked) == self.leg;
        if broken {
            self.met.fetch_add(1, Ordering::Relaxed);
        }
        broken
    }

    /// Closes the port just before the client learns that it needs it.
    fn before_answering(&self, asked: &Asked) {
        let leads_on = self.leg.before() == Some(Leg::of(asked));
        if self.fault == Fault::Refused && self.broken.load(Ordering::Relaxed) && leads_on {
            self.close();
        }
    }

    fn close(&self) {
        self.met.fetch_add(1, Ordering::Relaxed);
        self.gate.close();
    }
}
