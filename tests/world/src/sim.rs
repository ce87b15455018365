//! A simulator: engines, peers, store, user and clock in one thread, driven by a stream of choices.
//!
//! It delays, drops, duplicates and reorders answers, restarts engines, lets tokens expire on the way,
//! moves the clock and misbehaves in place of the peers. After every step it checks what must hold. The
//! choices come from a seeded generator or from a fuzzer, and decide everything.

mod invariants;
mod process;

use grantor::client::{Config, Engine};
use grantor::error::FailureKind;
use grantor::{Now, RecordKind, TrustPolicy};
use http::StatusCode;
use serde_json::json;

use self::invariants::Model;
use self::process::Process;
use crate::store::access_token;
use crate::{Answered, AuthorizationServer, Consent, MemoryStore, World};

/// Where decisions come from.
pub trait Choices {
    /// A number below `n`; `None` when there are no more.
    fn below(&mut self, n: u32) -> Option<u32>;
}

/// Decisions from bytes, as a fuzzer makes them.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl Choices for Bytes<'_> {
    fn below(&mut self, n: u32) -> Option<u32> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(u32::from(*first) % n)
    }
}

/// Decisions from a seed (xorshift64*), as many as `left`.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    state: u64,
    left: u32,
}

impl Seed {
    /// This many decisions from this seed.
    pub fn new(seed: u64, decisions: u32) -> Self {
        // Neighbouring seeds must not give similar streams.
        let state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1;
        Self { state, left: decisions }
    }
}

impl Choices for Seed {
    fn below(&mut self, n: u32) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let high = (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as u32;
        Some(high % n)
    }
}

/// Processes of one user on one store, and the world around them.
#[derive(Debug)]
pub struct Sim {
    world: World,
    store: MemoryStore,
    now: Now,
    processes: Vec<Process>,
    model: Model,
    /// Where processes get their entropy.
    entropy: u64,
    /// Whether to print what happens.
    verbose: bool,
}

const ISSUERS: [&str; 2] = ["https://as.example.com", "https://new.example.com"];

impl Sim {
    /// A simulation of this many processes.
    ///
    /// # Panics
    /// Never: the configuration is a good one.
    pub fn new(processes: usize) -> Self {
        let mut world = World::new();
        world.add(AuthorizationServer::new(ISSUERS[1]));
        let processes = (0..processes.max(1)).map(|n| Process::new(config(), n)).collect();
        Self {
            world,
            store: MemoryStore::default(),
            now: Now::new(1_000_000, 1_800_000_000),
            processes,
            model: Model::default(),
            entropy: 0,
            verbose: false,
        }
    }

    /// Prints what happens, for the replay of a failure.
    #[must_use]
    pub fn verbose(self) -> Self {
        Self { verbose: true, ..self }
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>5} {}", self.model.steps, what());
        }
    }

    /// Runs until the choices end, then lets everything come right and checks that it did.
    ///
    /// # Panics
    /// When something that must hold does not.
    pub fn run(mut self, choices: &mut impl Choices) -> Summary {
        while self.step(choices).is_some() {
            self.model.steps += 1;
        }
        self.come_right();
        Summary { steps: self.model.steps, calls: self.model.calls, asked: self.world.asked.len() as u64 }
    }

    fn step(&mut self, choices: &mut impl Choices) -> Option<()> {
        let count = u32::try_from(self.processes.len()).unwrap_or(1);
        let index = choices.below(count)? as usize;
        match choices.below(16)? {
            0..=2 => {
                let tool = ["ping", "read", "write"][choices.below(3)? as usize];
                self.act(index, |process, sim| process.begin(sim, tool));
            }
            3 => {
                let which = choices.below(64)? as usize;
                self.act(index, |process, _| process.cancel(which));
            }
            4..=9 => {
                let (which, how) = (choices.below(64)? as usize, choices.below(24)?);
                let fate = fate(how, choices)?;
                self.act(index, |process, sim| process.perform(sim, which, fate));
            }
            10 => {
                let which = choices.below(64)? as usize;
                self.act(index, |process, sim| process.repeat(sim, which));
            }
            11 => {
                let by = choices.below(10)?;
                self.move_clock(by);
                self.act(index, |process, sim| process.engine.handle_timeout(sim.now));
            }
            12 => {
                let how = choices.below(8)?;
                self.model.disturbed |= how <= 3;
                self.model.restarted |= how == 0;
                self.model.left |= how == 2 || how == 3;
                match how {
                    0 => self.act(index, Process::restart),
                    1 => self.act(index, |process, sim| process.open(sim, Engine::log_in)),
                    2 => self.act(index, |process, sim| process.open(sim, Engine::log_out)),
                    3 => self.act(index, |process, sim| process.open(sim, Engine::forget)),
                    _ => {}
                }
            }
            13 => {
                let what = choices.below(13)?;
                self.change_world(what);
            }
            14 => {
                let forged = ["/callback?code=x&state=y", "/callback", "?error=x", "/favicon.ico"];
                let url = forged[choices.below(4)? as usize];
                self.act(index, |process, sim| process.forge(sim, url));
            }
            _ => {
                let which = choices.below(64)? as usize;
                self.act(index, |process, sim| process.answer_page(sim, which));
            }
        }
        Some(())
    }

    /// Lets a process act, and checks what came of it.
    fn act(&mut self, index: usize, act: impl FnOnce(&mut Process, &mut Self)) {
        let mut process = std::mem::replace(&mut self.processes[index], Process::new(config(), 0));
        act(&mut process, self);
        process.drain(self);
        self.processes[index] = process;
    }

    fn move_clock(&mut self, by: u32) {
        match by {
            0..=3 => self.now = self.now.plus_ms(u64::from(by) * 250),
            4 => self.now = self.now.plus_ms(31_000),
            5 => self.now = self.now.plus_ms(130_000),
            6 => self.now = self.now.plus_ms(3_600_000),
            7 => self.now = self.now.plus_ms(90_000_000),
            8 => self.now.unix_s = self.now.unix_s.saturating_sub(7200),
            _ => self.now.unix_s += 7200,
        }
        // Claims and tokens may have ended before those who hold them know.
        self.model.disturbed |= by >= 4;
    }

    fn change_world(&mut self, what: u32) {
        self.tell(|| format!("the world changes: {what}"));
        self.model.disturbed = true;
        let issuers = ISSUERS.map(str::to_owned);
        match what {
            0 => self.each_server(AuthorizationServer::expire_access_tokens),
            1 => self.each_server(AuthorizationServer::revoke_all),
            2 => self.each_server(AuthorizationServer::forget_clients),
            3 => self.world.mcp.authorization_servers = vec![issuers[0].clone()],
            4 => self.world.mcp.authorization_servers = vec![issuers[1].clone()],
            5 => self.each_server(|server| server.consent = Consent::Deny),
            6 => self.each_server(|server| server.consent = Consent::Only("mcp:use".into())),
            7 => self.each_server(|server| server.consent = Consent::Grant),
            8 => self.each_server(|server| server.rotation = !server.rotation),
            9 => self.each_server(|server| server.refresh_tokens = !server.refresh_tokens),
            10 => self.world.mcp.rejects_all = !self.world.mcp.rejects_all,
            11 => self.store.broken = !self.store.broken,
            _ => {
                self.model.store_lied = true;
                self.store.tamper(|key, record| {
                    if key.quarantine.is_none() {
                        record.truncate(record.len() / 2);
                    }
                });
            }
        }
    }

    fn each_server(&mut self, change: impl Fn(&mut AuthorizationServer)) {
        self.world.authorization.values_mut().for_each(change);
    }

    /// Everybody behaves, everything is answered: no call may be stuck, and the next one succeeds.
    fn come_right(&mut self) {
        self.store.broken = false;
        self.world.mcp.rejects_all = false;
        self.each_server(|server| {
            server.consent = Consent::Grant;
            server.rotation = true;
            server.refresh_tokens = true;
        });
        self.settle();
        // Pauses, claims and step-up limits end.
        self.now = self.now.plus_ms(700_000);
        self.settle();
        for index in 0..self.processes.len() {
            // A server that has forgotten a client tells nobody but the user, who can only go back; the
            // next call registers anew.
            let delivered = (0..2).any(|_| {
                let (before, spent) = (self.model.delivered, self.model.spent());
                self.act(index, |process, sim| process.begin(sim, "write"));
                self.settle();
                self.model.check_one_call(&spent);
                self.model.delivered > before
            });
            assert!(delivered, "the next call must succeed: {:?}", self.processes[index]);
        }
        self.leave();
    }

    /// Every process logs out or forgets: of tokens nothing stays, neither in the store nor at a server that revokes.
    fn leave(&mut self) {
        for index in 0..self.processes.len() {
            let leave = if self.model.steps.is_multiple_of(2) { Engine::log_out } else { Engine::forget };
            self.act(index, |process, sim| process.open(sim, leave));
            self.settle();
        }
        let left = self.store.records().find(|(key, record)| {
            key.quarantine.is_none() && key.kind == RecordKind::Grant && access_token(record).is_some()
        });
        assert!(
            left.is_none() || self.model.may_lose_track(),
            "tokens stay after the log-out: {:?}",
            left.map(|(key, _)| key)
        );
    }

    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 2_000, "it does not come to an end: {:?}", self.processes);
            let mut moved = false;
            for index in 0..self.processes.len() {
                while self.processes[index].has_work() {
                    moved = true;
                    self.act(index, |process, sim| process.perform(sim, 0, Fate::Performed));
                }
                if self.processes[index].has_page() {
                    moved = true;
                    self.act(index, |process, sim| process.answer_page(sim, 0));
                }
            }
            if moved {
                continue;
            }
            // Nothing moves by itself any more; time does.
            let due = self.processes.iter().filter_map(|process| process.engine.poll_timeout()).min();
            let open = self.processes.iter().any(Process::has_open_calls);
            match due {
                Some(due_ms) if open => {
                    self.now = self.now.plus_ms(due_ms.saturating_sub(self.now.mono_ms).max(1));
                    for index in 0..self.processes.len() {
                        self.act(index, |process, sim| process.engine.handle_timeout(sim.now));
                    }
                }
                _ => {
                    assert!(!open, "a call is stuck: {:?}", self.processes);
                    return;
                }
            }
        }
    }
}

/// What was simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Steps.
    pub steps: u64,
    /// Calls begun.
    pub calls: u64,
    /// Requests that servers saw.
    pub asked: u64,
}

/// What becomes of an effect or a sent call.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is done and answered.
    Performed,
    /// It is done, but the answer is lost; a failure is reported instead.
    Lost(FailureKind),
    /// It is not done; a failure is reported.
    Failed(FailureKind),
    /// The peer answers this instead; of the store and the user, a refusal.
    Answered(Answered),
}

fn fate(how: u32, choices: &mut impl Choices) -> Option<Fate> {
    const KINDS: [FailureKind; 5] = [
        FailureKind::Broken,
        FailureKind::TimedOut,
        FailureKind::Unreachable,
        FailureKind::BodyTooLarge,
        FailureKind::Impossible,
    ];
    Some(match how {
        0..=15 => Fate::Performed,
        16 | 17 => Fate::Lost(KINDS[choices.below(5)? as usize]),
        18 | 19 => Fate::Failed(KINDS[choices.below(5)? as usize]),
        _ => Fate::Answered(hostile(choices)?),
    })
}

/// What a hostile or broken server may answer to anything.
fn hostile(choices: &mut impl Choices) -> Option<Answered> {
    let document = |value: &serde_json::Value| crate::json(StatusCode::OK, value);
    Some(match choices.below(22)? {
        0 => crate::text(StatusCode::INTERNAL_SERVER_ERROR, "<html>"),
        1 => crate::with(crate::text(StatusCode::SERVICE_UNAVAILABLE, ""), "retry-after", "9"),
        2 => crate::with(crate::text(StatusCode::FOUND, ""), "location", "https://evil.example.com/"),
        3 => crate::with(crate::text(StatusCode::FOUND, ""), "location", "/"),
        4 => crate::respond(StatusCode::OK, "text/html", "<html>".into()),
        5 => crate::respond(StatusCode::OK, "application/json", "{\"issuer\":".into()),
        6 => document(&json!({})),
        7 => document(
            &json!({ "resource": "https://evil.example.com", "authorization_servers": ["https://evil"] }),
        ),
        8 => {
            document(&json!({ "issuer": "https://evil.example.com", "authorization_endpoint": "javascript:1",
            "token_endpoint": "http://127.0.0.1/", "code_challenge_methods_supported": ["S256"] }))
        }
        9 => document(&json!({ "access_token": "a b", "token_type": "Bearer" })),
        10 => document(&json!({ "access_token": "x", "token_type": "mac", "expires_in": -1 })),
        11 => crate::json(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_grant" })),
        12 => crate::json(StatusCode::UNAUTHORIZED, &json!({ "error": "invalid_client" })),
        13 => crate::text(StatusCode::NOT_FOUND, ""),
        16 => {
            let secret =
                json!({ "client_id": "c", "client_secret": "planted", "client_secret_expires_at": 1 });
            crate::json(StatusCode::CREATED, &secret)
        }
        17 => document(&json!({ "access_token": "planted-access", "token_type": "Bearer", "expires_in": 0,
            "refresh_token": "planted-refresh" })),
        18 => document(&json!({ "error": "invalid_request" })),
        19 => crate::with(crate::text(StatusCode::TOO_MANY_REQUESTS, ""), "retry-after", "1"),
        20 => crate::json(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_scope" })),
        21 => crate::text(StatusCode::GONE, ""),
        14 => {
            let challenge = r#"Bearer error="insufficient_scope", scope="more""#;
            crate::with(crate::text(StatusCode::FORBIDDEN, ""), "www-authenticate", challenge)
        }
        _ => {
            let challenge = r#"Basic realm="x", Bearer resource_metadata="https://evil.example.com/x""#;
            crate::with(crate::text(StatusCode::UNAUTHORIZED, ""), "www-authenticate", challenge)
        }
    })
}

fn config() -> Config {
    crate::player::config().trust(TrustPolicy::Accept)
}
