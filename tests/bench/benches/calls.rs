//! Calls per second of each adapter beside those of the same HTTP client without Grantor, printed as
//! `name: number` lines.
//!
//! Other programs disturb such figures. So the two alternate in short rounds, and the ratio is the median
//! of those of all rounds.

use std::time::Instant;

use grantor_bench::{Server, Stack, stacks};

const ROUNDS: usize = 60;
const REQUESTS: usize = 800;

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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
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
        let name = stack.name();
        println!("{name} calls per second: {:.0}", median(rates.iter().map(|[_, own]| *own).collect()));
        println!("{name} requests per second: {:.0}", median(rates.iter().map(|[plain, _]| *plain).collect()));
        println!("{name} ratio: {:.4}", median(rates.iter().map(|[plain, own]| own / plain).collect()));
    }
}
