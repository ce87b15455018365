//! Small worlds, through every history.
//!
//! Two processes with an engine each share one store and one authorization server. Everything that can happen
//! next is a choice: an effect is performed, an answer arrives or is lost, a process dies, time goes on to the
//! next timer. The search tries every choice in every state, with the real engine, and checks after each what
//! must hold.
//!
//! Engines cannot be copied, so a state is reached again by playing its choices from the start. Two histories
//! that lead to the same state are gone on with once. A state is what decides everything that follows: what
//! each engine was told since it began, in order (an engine is a function of its inputs), what is stored, what
//! the servers were asked, which answers are on their way, and the time.

mod history;
mod process;
mod search;

pub use self::history::{Choice, Violation};
pub use self::search::{Found, replay, search};

/// A world to search.
#[derive(Clone, Copy, Debug)]
pub struct Small {
    /// What the two calls begin with.
    pub start: Start,
    /// How many processes die, at most; another takes the place of each.
    pub crashes: u8,
    /// How many requests or answers of the token endpoint are lost, at most.
    pub losses: u8,
    /// How often time goes on while something is under way, at most.
    pub delays: u8,
    /// What is wrong with the world: to see that the search finds it.
    pub flaw: Option<Flaw>,
}

/// Where two calls begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing is stored; both need an authorization.
    Nothing,
    /// A grant is stored whose access token has expired; both need a refresh.
    Expired,
}

/// A fault of the world that breaks what clients rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The store says that another process has written, whatever it is asked to write.
    Contended,
    /// The store forgets what it has confirmed.
    Forgetful,
    /// The store takes every write, whatever revision was expected.
    Overwriting,
    /// The server has taken the grant back.
    Revoking,
    /// The store never answers a write, and no clock runs.
    Silent,
    /// The store loses everything at the end.
    Wiped,
}
