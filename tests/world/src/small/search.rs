//! The search: depth first, every choice in every state, each state once.

use std::collections::HashMap;

use super::Small;
use super::history::{Choice, History, Violation};

/// What a search has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Everything held.
    Holds {
        /// How many states there are.
        states: usize,
        /// How many histories lead through them from the beginning to an end.
        histories: u128,
        /// How many choices the longest that was played has.
        longest: usize,
    },
    /// Something does not hold.
    Broken {
        /// What.
        violation: Violation,
        /// The history that shows it.
        choices: Vec<Choice>,
    },
    /// The search was given up after so many states, all of which held.
    TooLarge,
}

type Digest = (u64, u64);

/// Searches a world of at most so many states.
pub fn search(small: Small, most_states: usize) -> Found {
    let mut edges: HashMap<Digest, Vec<Digest>> = HashMap::new();
    let mut longest = 0;
    let broken = |violation, choices: &[Choice]| Found::Broken { violation, choices: choices.to_vec() };
    let start = match History::new(small) {
        Ok(history) => history.digest(),
        Err(violation) => return broken(violation, &[]),
    };
    // What is left to try: the choices that lead to a state, the state's digest, and one more choice.
    let mut left: Vec<(Vec<Choice>, Option<Choice>)> = vec![(Vec::new(), None)];
    while let Some((mut path, next)) = left.pop() {
        let mut history = match played(small, &path) {
            Ok(history) => history,
            Err(violation) => return broken(violation, &path),
        };
        let mut from = history.digest();
        let mut step = next;
        loop {
            if let Some(choice) = step {
                path.push(choice);
                if let Err(violation) = history.take(choice) {
                    return broken(violation, &path);
                }
                let to = history.digest();
                edges.entry(from).or_default().push(to);
                from = to;
                longest = longest.max(path.len());
            }
            if edges.contains_key(&from) && (step.is_some() || !path.is_empty()) {
                break;
            }
            edges.insert(from, Vec::new());
            if edges.len() > most_states {
                return Found::TooLarge;
            }
            let choices = history.choices();
            let Some((first, others)) = choices.split_first() else {
                if let Err(violation) = history.end() {
                    return broken(violation, &path);
                }
                break;
            };
            left.extend(others.iter().map(|choice| (path.clone(), Some(*choice))));
            step = Some(*first);
        }
    }
    Found::Holds { states: edges.len(), histories: histories(&edges, start), longest }
}

/// Plays a history, as a search has shown it.
///
/// # Errors
/// What does not hold in it.
pub fn replay(small: Small, choices: &[Choice]) -> Result<(), Violation> {
    let history = played(small, choices)?;
    if history.choices().is_empty() { history.end() } else { Ok(()) }
}

fn played(small: Small, choices: &[Choice]) -> Result<History, Violation> {
    let mut history = History::new(small)?;
    for choice in choices {
        history.take(*choice)?;
    }
    Ok(history)
}

/// How many ways lead from here to an end. No state comes again in its own history, since what engines were told
/// only grows.
fn histories(edges: &HashMap<Digest, Vec<Digest>>, start: Digest) -> u128 {
    let mut counts: HashMap<Digest, u128> = HashMap::new();
    let mut left = vec![start];
    while let Some(state) = left.last().copied() {
        let next = edges.get(&state).map(Vec::as_slice).unwrap_or_default();
        let unknown: Vec<Digest> = next.iter().filter(|state| !counts.contains_key(state)).copied().collect();
        if unknown.is_empty() {
            let count = next.iter().map(|state| counts[state]).sum::<u128>().max(1);
            counts.insert(state, count);
            left.pop();
        } else {
            left.extend(unknown);
        }
    }
    counts[&start]
}
