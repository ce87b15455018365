//! The property that all bounds serve: whatever peers answer, every call ends, and what was done for it is counted.

use std::sync::{Arc, Mutex};

use grantor::client::CallId;
use grantor::wire::token::TokenTypeUri;
use grantor::{DpopPolicy, Interaction, TrustPolicy, limits};
use grantor_world::player::{Player, User, config};
use grantor_world::sim::{Choices, Seed};
use grantor_world::{Asked, Outcome};

use crate::device::device;
use crate::dpop::bound;
use crate::enterprise::{enterprise, with_sign_on};
use crate::grants::{by_itself, machine, with_secret, workload};
use crate::nasty::{ANYWHERE, METADATA, Nasty, REGISTRATION, RESOURCE, TOKEN};

/// What fits a request.
fn catalogue(request: &Asked) -> &'static [Nasty] {
    match request.uri().path() {
        "/mcp" => RESOURCE,
        "/register" => REGISTRATION,
        path if path.ends_with("token") => TOKEN,
        path if path.contains("well-known") => METADATA,
        _ => &[],
    }
}

/// Lets peers answer from the catalogue, some of the time or all of it; one nasty answer is given again and again, or
/// another each time.
fn make_nasty(player: &mut Player, choices: &Arc<Mutex<Seed>>, often: u32, stubborn: bool) {
    let choices = choices.clone();
    let mut n = 0;
    let mut chosen: Vec<(String, Option<Nasty>)> = Vec::new();
    player.world.intercept = Some(Box::new(move |request| {
        n += 1;
        let below = |n: u32| choices.lock().unwrap().below(n).unwrap_or_default();
        let choose = || {
            if below(8) >= often {
                return None;
            }
            let own = catalogue(request);
            let all = own.len() + ANYWHERE.len();
            // Those that fit come as often as all others.
            let index = below(if own.is_empty() || below(2) == 0 { all } else { own.len() } as u32) as usize;
            own.iter().chain(ANYWHERE).nth(index).copied()
        };
        let path = request.uri().path().to_owned();
        let nasty = match chosen.iter().find(|(known, _)| stubborn && *known == path) {
            Some((_, nasty)) => *nasty,
            None => {
                let nasty = choose();
                chosen.push((path, nasty));
                nasty
            }
        };
        nasty.map(|nasty| nasty(n))
    }));
}

/// Plays until a call has ended, whatever time it takes.
fn play_to_the_end(player: &mut Player, call: CallId, seed: u64) -> Outcome {
    for _ in 0..5_000 {
        player.run();
        if let Some(outcome) = player.outcome(call) {
            return outcome;
        }
        let due =
            player.engine.poll_timeout().unwrap_or_else(|| panic!("seed {seed}: stuck: {:?}", player.engine));
        player.now = player.now.plus_ms(due.saturating_sub(player.now.mono_ms).max(1));
        player.engine.handle_timeout(player.now);
    }
    panic!("seed {seed}: it does not end: {:?}", player.engine);
}

fn check_counts(player: &Player, asked: usize, prompts: usize, seed: u64) {
    let count = |of: fn(&str) -> bool| {
        player.world.asked[asked..]
            .iter()
            .filter(|asked| of(asked.split('?').next().unwrap_or_default()))
            .count()
    };
    let most = usize::from;
    let pages =
        player.prompts[prompts..].iter().filter(|prompt| matches!(prompt, Interaction::Authorize(_))).count();
    assert!(pages <= most(limits::PAGES_PER_CALL), "seed {seed}: {pages} pages");
    let questions = player.prompts.len() - prompts - pages;
    assert!(questions <= most(limits::QUESTIONS_PER_CALL), "seed {seed}: {questions} questions");
    let registrations = count(|asked| asked.ends_with("/register"));
    assert!(
        registrations <= most(limits::REGISTRATIONS_PER_CALL),
        "seed {seed}: {registrations} registrations"
    );
    let tokens = count(|asked| asked.ends_with("/token"));
    let bound = limits::REFRESHES_PER_CALL + limits::TOKEN_REQUESTS_PER_CALL;
    assert!(tokens <= most(bound), "seed {seed}: {tokens} token requests");
    let documents = count(|asked| asked.starts_with("GET") && !asked.contains("/authorize"));
    assert!(documents <= most(limits::DOCUMENTS_PER_CALL), "seed {seed}: {documents} documents");
    let sends = count(|asked| asked == "POST https://mcp.example.com/mcp");
    assert!(sends <= most(limits::SENDS_PER_CALL.into()), "seed {seed}: sent {sends} times");
}

/// Whether a call succeeds with well-behaved peers. A client that the server does not know leads to a page from which
/// the user can only go back; the next call finds that out.
fn is_served(player: &mut Player, tool: &str, seed: u64) -> bool {
    (0..2).any(|_| {
        renew_assertion(player);
        let call = player.begin(tool);
        matches!(play_to_the_end(player, call, seed), Outcome::Delivered(_))
    })
}

/// A workload's assertion is good once; the next one may look the same here.
fn renew_assertion(player: &mut Player) {
    if let Some((assertion, TokenTypeUri::Jwt)) = &player.assertion {
        let assertion = assertion.clone();
        player.world.server().offers.assertions.insert(assertion);
    }
}

/// A client of each flow, the usual one most often, and a tool that it may call.
fn client(below: impl Fn(u32) -> u32) -> (Player, &'static str) {
    let mut usual = Player::new(config().trust(TrustPolicy::Accept));
    usual.world.server().auth_method =
        ["none", "client_secret_basic", "client_secret_post"][below(3) as usize].into();
    match below(14) {
        0 => (device(), "write"),
        1 => (machine(by_itself(with_secret()), Some("planted-secret"), "client_secret_basic"), "ping"),
        2 => (workload(), "ping"),
        3 => (enterprise(), "ping"),
        4 => (with_sign_on(), "ping"),
        5 => (bound(DpopPolicy::WhenSupported), "write"),
        _ => (usual, "write"),
    }
}

fn play(seed: u64) {
    let choices = Arc::new(Mutex::new(Seed::new(seed, u32::MAX)));
    let below = |n: u32| choices.lock().unwrap().below(n).unwrap_or_default();
    let (mut player, tool) = client(below);
    player.world.server().offers.revocation = below(2) == 0;
    if below(2) == 0 {
        let call = player.begin("ping");
        play_to_the_end(&mut player, call, seed).delivered();
        player.wait_s([0, 3600][below(2) as usize]);
        if below(4) == 0 {
            player.restart();
        }
    }
    make_nasty(&mut player, &choices, [2, 5, 8][below(3) as usize], below(2) == 0);
    for _ in 0..=below(3) {
        if below(6) == 0 {
            player.user = User::Declines;
        }
        renew_assertion(&mut player);
        let (asked, prompts) = (player.world.asked.len(), player.prompts.len());
        let call = match below(9) {
            0 => player.engine.log_in(player.now),
            1 => player.engine.log_out(player.now),
            3 => player.engine.forget(player.now),
            2 => player.begin("write"),
            _ => player.begin("ping"),
        };
        play_to_the_end(&mut player, call, seed);
        check_counts(&player, asked, prompts, seed);
        player.user = User::Agrees;
    }
    // Well-behaved peers again: nothing is lost for good.
    player.world.intercept = None;
    player.wait_s(700);
    assert!(
        is_served(&mut player, tool, seed),
        "seed {seed}: the next call must succeed: {:?}",
        player.engine
    );
    assert!(player.said.iter().all(|said| !said.contains("planted")), "seed {seed}: a secret was said");
}

/// `GRANTOR_SEED=n` plays one seed, `GRANTOR_SEEDS=n` more of them.
#[test]
fn whatever_peers_answer_every_call_ends_within_its_budget() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    if let Some(seed) = number("GRANTOR_SEED") {
        return play(seed);
    }
    (0..number("GRANTOR_SEEDS").unwrap_or(2_000)).for_each(play);
}

#[test]
fn each_nasty_answer_alone() {
    let all = [ANYWHERE, RESOURCE, REGISTRATION, TOKEN, METADATA];
    for (index, nasty) in all.into_iter().flatten().copied().enumerate() {
        for path in [
            "/mcp",
            "/register",
            "/token",
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/oauth-authorization-server",
            "/authorize",
            "/revoke",
        ] {
            for before in [false, true] {
                let mut player = Player::new(config().trust(TrustPolicy::Accept));
                if before {
                    player.call("ping").delivered();
                    player.wait_s(3600);
                }
                let mut n = 0;
                player.world.intercept = Some(Box::new(move |request| {
                    n += 1;
                    (request.uri().path() == path).then(|| nasty(n))
                }));
                let (asked, prompts) = (player.world.asked.len(), player.prompts.len());
                let call = player.begin("write");
                play_to_the_end(&mut player, call, index as u64);
                check_counts(&player, asked, prompts, index as u64);
                player.world.intercept = None;
                player.wait_s(700);
                let served = is_served(&mut player, "write", index as u64);
                assert!(served, "{index} at {path}, before: {before}: {:?}", player.engine);
            }
        }
    }
}
