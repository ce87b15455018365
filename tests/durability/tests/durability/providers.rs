//! Three processes that are one authorization server, on one database: codes are exchanged once, and refresh tokens outlive
//! processes that are killed and databases that are restarted.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use grantor_authorization_server::add_user;
use serde_json::Value;

use crate::common::Directory;
use crate::person::{NAME, PASSWORD, Person};

const PROCESSES: usize = 3;
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1:1/callback";

/// The processes; they are killed when this is dropped.
struct Providers {
    data: Directory,
    place: String,
    ports: Vec<u16>,
    children: Vec<Mutex<Child>>,
}

impl Providers {
    fn start(place: &str) -> Self {
        let data = Directory::new();
        let path = std::path::PathBuf::from(data.place());
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        // The first one makes the key and the secret that all of them have.
        add_user(&path.join("users"), NAME, PASSWORD).unwrap();
        let ports: Vec<u16> = (0..PROCESSES).map(|_| free_port()).collect();
        let mut all = Self { data, place: place.into(), ports, children: Vec::new() };
        for n in 0..PROCESSES {
            all.children.push(Mutex::new(all.run(n)));
        }
        all
    }

    fn run(&self, n: usize) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provider"));
        command.args([&self.data.place(), &self.ports[n].to_string(), &self.url(0), &self.place]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "listening\n");
        child
    }

    fn url(&self, n: usize) -> String {
        format!("http://127.0.0.1:{}", self.ports[n % PROCESSES])
    }

    /// As `kill -9` does, at whatever it is doing.
    fn kill_and_restart(&self, n: usize) {
        let mut child = self.children[n].lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        *child = self.run(n);
    }

    /// Status and body of a token request to one of them; nothing when there is no answer.
    fn token(&self, n: usize, form: &[(&str, &str)]) -> Option<(u16, Value)> {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent: ureq::Agent = config.timeout_global(Some(Duration::from_secs(20))).build().into();
        let mut answer = agent.post(format!("{}/token", self.url(n))).send_form(form.iter().copied()).ok()?;
        let body = answer.body_mut().read_to_string().ok()?;
        Some((answer.status().as_u16(), serde_json::from_str(&body).unwrap_or_default()))
    }

    fn code(&self) -> String {
        let url = format!(
            "{}/authorize?client_id=app&response_type=code&code_challenge={CHALLENGE}&code_challenge_method=S256&\
             redirect_uri={}&scope=notes:read",
            self.url(0),
            REDIRECT.replace(':', "%3A").replace('/', "%2F"),
        );
        let back = Person::default().authorize(&url);
        back.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned()
    }

    fn exchange(&self, n: usize, code: &str) -> Option<(u16, Value)> {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "app"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.token(n, &form)
    }

    fn refresh(&self, n: usize, token: &str) -> Option<(u16, Value)> {
        self.token(n, &[("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", token)])
    }
}

impl Drop for Providers {
    fn drop(&mut self) {
        for child in &self.children {
            let mut child = child.lock().unwrap();
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Of a hundred that exchange one code at once, one gets tokens, and the others are its end.
pub(crate) fn race(place: &str) {
    let providers = Providers::start(place);
    for _ in 0..3 {
        let code = providers.code();
        let barrier = Barrier::new(100);
        let race = |n| {
            barrier.wait();
            loop {
                let (status, body) = providers.exchange(n, &code).expect("an answer");
                // So many write the same record that some are asked to try again.
                if status != 503 {
                    return (status, body);
                }
            }
        };
        let answers: Vec<(u16, Value)> = thread::scope(|scope| {
            let race = &race;
            let all: Vec<_> = (0..100).map(|n| scope.spawn(move || race(n))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let won: Vec<&Value> =
            answers.iter().filter(|(status, _)| *status == 200).map(|(_, body)| body).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        let lost = answers.iter().filter(|(status, body)| *status == 400 && body["error"] == "invalid_grant");
        assert_eq!(lost.count(), 99, "{answers:?}");
        // RFC 6749 4.1.2, RFC 9700 4.14.2: what came of a code that is used again is taken back.
        let (status, body) = providers.refresh(1, won[0]["refresh_token"].as_str().unwrap()).unwrap();
        assert_eq!((status, &body["error"]), (400, &"invalid_grant".into()));
    }
}

/// Grants that are refreshed without a pause while something breaks again and again, and clients that do what clients do:
/// ask again, with the same token.
pub(crate) fn survive(place: &str, mut breaks: impl FnMut(&dyn Fn(usize), usize) + Send) {
    let providers = Providers::start(place);
    let chains: Vec<String> = (0..6)
        .map(|n| {
            let (status, body) = providers.exchange(n, &providers.code()).unwrap();
            assert_eq!(status, 200, "{body}");
            body["refresh_token"].as_str().unwrap().to_owned()
        })
        .collect();
    let (over, refreshed, unanswered) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let seen: Mutex<BTreeSet<String>> = Mutex::default();
    thread::scope(|scope| {
        for (chain, first) in chains.into_iter().enumerate() {
            let (providers, over, refreshed, unanswered, seen) =
                (&providers, &over, &refreshed, &unanswered, &seen);
            scope.spawn(move || {
                let mut token = first;
                let mut at = chain;
                while !over.load(Ordering::Relaxed) {
                    // A client gives up after a while; the window in which it is answered again is as long.
                    let began = Instant::now();
                    let body = loop {
                        at += 1;
                        match providers.refresh(at, &token) {
                            Some((200, body)) => break body,
                            Some((500.., _)) | None => {
                                unanswered.fetch_add(1, Ordering::Relaxed);
                            }
                            Some((status, body)) => panic!("chain {chain} is lost: {status} {body}"),
                        }
                        assert!(began.elapsed() < Duration::from_secs(25), "nobody answers");
                        thread::sleep(Duration::from_millis(20));
                    };
                    refreshed.fetch_add(1, Ordering::Relaxed);
                    token = body["refresh_token"].as_str().unwrap().to_owned();
                    let access = body["access_token"].as_str().unwrap().to_owned();
                    assert!(seen.lock().unwrap().insert(access), "no token is issued twice");
                }
            });
        }
        for round in 0..6 {
            thread::sleep(Duration::from_millis(400));
            breaks(&|n| providers.kill_and_restart(n), round);
        }
        thread::sleep(Duration::from_millis(400));
        over.store(true, Ordering::Relaxed);
    });
    let (refreshed, unanswered) = (refreshed.into_inner(), unanswered.into_inner());
    println!("{refreshed} refreshed, {unanswered} asked again");
    assert!(refreshed > 50, "{refreshed}");
}
