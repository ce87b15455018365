//! How far the records are loaded.

/// How far the records are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Startup {
    AwaitingEntropy,
    Done,
    LoadingBinding,
    LoadingGrant,
    NotStarted,
}
