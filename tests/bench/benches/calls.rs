//! Calls per second of each adapter beside those of the same HTTP client without Grantor, printed as
//! `name: number` lines.
//!
//! Other programs disturb such figures. So the two alternate in rounds that are shorter than the slices of
//! time that programs get, and of each the rate is taken that one round in ten exceeds.

use std::time::Instant;

use grantor_bench::{Server, Stack, stacks};

const ROUNDS: usize = 400;
const REQUESTS: usize = 160;

/// Requests per second.
fn rate(send: impl FnOnce(usize)) -> f64 {
    let begun = Instant::now();
    send(REQUESTS);
    REQUESTS as f64 / begun.elapsed().as_secs_f64()
}

/// Without Grantor and with it.
fn round(stack: &dyn Stack, turn: usize) -> [f64; 2] {
    if turn.is_multiple_of(2) {
        [rate(|n| stack.plain(n)), rate(|n| stack.authorized(n))]
    } else {
        let authorized = rate(|n| stack.authorized(n));
        [rate(|n| stack.plain(n)), authorized]
    }
}

fn least_disturbed(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() * 9 / 10]
}

fn main() {
    let server = Server::start();
    let resources = server.setups(1);
    let stacks = stacks(&resources[0]);
    let mut rates = vec![Vec::new(); stacks.len()];
    for turn in 0..=ROUNDS {
        for (stack, rates) in stacks.iter().zip(&mut rates) {
            let both = round(&**stack, turn);
            if turn > 0 {
                rates.push(both); // the first makes connections
            }
            server.forget();
        }
    }
    for (stack, rates) in stacks.iter().zip(rates) {
        let (name, [plain, own]) = (stack.name(), [0, 1].map(|n| rates.iter().map(|both| both[n]).collect()));
        let (plain, own) = (least_disturbed(plain), least_disturbed(own));
        println!("{name} calls per second: {own:.0}");
        println!("{name} requests per second: {plain:.0}");
        println!("{name} ratio: {:.3}", own / plain);
    }
}
