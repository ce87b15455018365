//! Two processes on one store, through every history of a small world.
//!
//! `tests/run worlds` runs all but the largest of these, optimized; `tests/run --full worlds` those, too. A history that
//! breaks something is printed as a line for `replay`.

use grantor_world::small::{Choice, Flaw, Found, Small, Start, Violation, replay, search};

const REFRESH: Small = Small { start: Start::Expired, crashes: 0, losses: 0, delays: 0, flaw: None };
const ACQUIRE: Small = Small { start: Start::Nothing, ..REFRESH };
const MOST_STATES: usize = 5_000_000;

/// Searches a world in which everything must hold.
#[track_caller]
fn holds(name: &str, small: Small) {
    match search(small, MOST_STATES) {
        Found::Holds { states, histories, longest } => {
            println!(
                "{name}: {histories} histories hold, through {states} states, of at most {longest} choices"
            );
        }
        Found::Broken { violation, choices } => panic!(
            "{name}: assert_eq!(replay({small:?}, &{choices:?}), Err(Violation::{violation})), with `use Choice::*`"
        ),
        Found::TooLarge => panic!("{name}: more than {MOST_STATES} states"),
    }
}

#[test]
#[ignore = "long without optimization: `tests/run worlds`"]
fn two_refreshes() {
    holds("two refreshes", REFRESH);
    holds("two refreshes, one answer lost", Small { losses: 1, ..REFRESH });
    holds("two refreshes, two answers lost", Small { losses: 2, ..REFRESH });
    holds("two refreshes, slow answers", Small { delays: 2, ..REFRESH });
    holds("two refreshes, one lost, one slow", Small { losses: 1, delays: 1, ..REFRESH });
}

#[test]
#[ignore = "long without optimization: `tests/run worlds`"]
fn two_refreshes_and_a_crash() {
    holds("two refreshes, one process dies", Small { crashes: 1, ..REFRESH });
}

#[test]
#[ignore = "long without optimization: `tests/run worlds`"]
fn two_acquisitions() {
    holds("two acquisitions", ACQUIRE);
    holds("two acquisitions, one answer lost", Small { losses: 1, ..ACQUIRE });
}

#[test]
#[ignore = "long: `tests/run --full worlds`"]
fn larger_worlds() {
    holds("two refreshes, a crash and a loss", Small { crashes: 1, losses: 1, ..REFRESH });
    holds("two acquisitions, one process dies", Small { crashes: 1, ..ACQUIRE });
    holds("two acquisitions, slow answers", Small { delays: 1, ..ACQUIRE });
}

/// A search that cannot fail shows nothing: each flaw of a world breaks what clients rely on it for.
#[test]
fn flaws_are_found() {
    for (start, flaw, expected) in [
        (Start::Expired, Flaw::Contended, Violation::Failed),
        (Start::Nothing, Flaw::Contended, Violation::Failed),
        (Start::Expired, Flaw::Forgetful, Violation::NotStoredFirst),
        (Start::Nothing, Flaw::Forgetful, Violation::NotStoredFirst),
        (Start::Expired, Flaw::Overwriting, Violation::RefreshedTwice),
        (Start::Expired, Flaw::Revoking, Violation::AskedWithoutNeed),
        (Start::Expired, Flaw::Silent, Violation::Stuck),
        (Start::Nothing, Flaw::Silent, Violation::Stuck),
        (Start::Expired, Flaw::Wiped, Violation::Lost),
        (Start::Nothing, Flaw::Wiped, Violation::Lost),
    ] {
        let small = Small { start, flaw: Some(flaw), ..REFRESH };
        let Found::Broken { violation, choices } = search(small, MOST_STATES) else {
            panic!("{start:?}: {flaw:?} was not found");
        };
        assert_eq!(violation, expected, "{start:?}: {flaw:?}: {choices:?}");
        assert_eq!(replay(small, &choices), Err(violation), "the history shows it again");
    }
}

#[test]
fn a_history_is_played_as_it_is_written() {
    use Choice::{Act, Arrive};

    assert!(matches!(search(REFRESH, MOST_STATES), Found::Holds { states: 50.., .. }));
    // The first process refreshes before the second begins.
    let alone = [Act(0, 0), Act(0, 0), Act(0, 0), Act(0, 0), Arrive(0, 0), Act(0, 0)];
    assert_eq!(replay(REFRESH, &alone), Ok(()));
}
