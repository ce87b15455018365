//! A protected server's requests.

mod answer;
mod made;
mod members;
mod message;
mod peers;
mod request;
mod rules;
mod run;
mod setup;
mod short;
mod truth;

pub(crate) use self::rules::fits;
use crate::input::Input;

/// Lines that are read of one input.
const LINES: usize = 24;

/// A Guard, its requests and its peers: letters that pick a configuration on the first line, then an
/// operation on each.
///
/// | line | |
/// |---|---|
/// | `t` | a token: a letter for its slot, one for how it is made, and what it says |
/// | `p` | how to make proofs of possession: letters, then `jti` |
/// | `h` | a header line of the next request |
/// | `r` | a request: letters, then its body |
/// | `q` | the same again |
/// | `e` | an answer to an effect: a letter for which, one for how, and what it says |
/// | `g` | good answers to all effects |
/// | `w` | time goes on |
/// | `u` | answers to effects that were never asked for |
pub fn guard(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let letters = lines.next().unwrap_or_default();
    let mut run = run::Run::new(data, &mut Input(letters));
    for line in lines.take(LINES) {
        run.step(Input(line));
    }
    run.end();
}
