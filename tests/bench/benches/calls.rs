//! Calls per second of each adapter beside those of the same HTTP client without Grantor, printed as
//! `name: number` lines.
//!
//! Other programs disturb such figures. So the two alternate in rounds that are shorter than the slices of
//! time that programs get, and of each the rate is taken that one round in ten exceeds. One adapter after
//! the other is measured, since a round that follows another adapter's finds the caches full of that.

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

/// The rates without Grantor and with it. Each comes first as often as second.
fn rates(stack: &dyn Stack, server: &Server) -> [Vec<f64>; 2] {
    let mut rates = [Vec::new(), Vec::new()];
    stack.plain(REQUESTS); // makes connections
    stack.authorized(REQUESTS);
    for turn in 0..ROUNDS {
        for which in [turn % 2, 1 - turn % 2] {
            rates[which].push(match which {
                0 => rate(|n| stack.plain(n)),
                _ => rate(|n| stack.authorized(n)),
            });
            server.forget();
        }
    }
    rates
}

fn least_disturbed(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() * 9 / 10]
}

fn main() {
    let server = Server::start();
    let resources = server.setups(1);
    for stack in stacks(&resources[0]) {
        let (name, [plain, own]) = (stack.name(), rates(&*stack, &server).map(least_disturbed));
        println!("{name} calls per second: {own:.0}");
        println!("{name} requests per second: {plain:.0}");
        println!("{name} ratio: {:.3}", own / plain);
    }
}
