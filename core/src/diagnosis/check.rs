//! What a rule is, and what it is to be held against one.

use std::fmt;

/// How bad it is when a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Nothing is wrong; somebody may want to know.
    Note,
    /// Some clients fail, or users are asked more often than they need be.
    Warning,
    /// Clients that keep the specifications fail, or somebody is not protected.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A rule that servers are held against. Codes do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Its name, such as `challenge`.
    pub code: &'static str,
    /// How bad it is when it is broken.
    pub severity: Severity,
    /// What holds when it is kept.
    pub title: &'static str,
    /// The section of the specification that demands it.
    pub section: &'static str,
    /// Who suffers when it is broken.
    pub who: &'static str,
    /// How to mend it.
    pub mend: &'static str,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is broken.
    Failed,
    /// It is kept.
    Passed,
}

/// A rule held against an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// The rule.
    pub rule: &'static Rule,
    /// Whether it is kept.
    pub outcome: Outcome,
    /// The URL that was asked, without its query.
    pub at: Box<str>,
    /// What was seen, safe to show; empty where there is nothing to say.
    pub seen: Box<str>,
}
