//! Diagnosis: what a client will meet at an MCP server, and which sentences of the specifications the server breaks.
//!
//! An [`Examination`] is a pure plan of requests. The host sends each and hands in what came back; in the end there is a
//! list of [`Check`]s, each of a [`Rule`] with its severity, what was seen, who suffers, and how to mend it. It reads
//! documents as the client does, so its tolerance and its refusals are the client's.
//!
//! ```
//! use grantor::UrlPolicy;
//! use grantor::diagnosis::{Examination, Outcome};
//!
//! let mut examination = Examination::new("https://mcp.example.com/mcp", UrlPolicy::default())?;
//! while let Some(request) = examination.next_request() {
//!     // Send it; here nobody answers.
//!     assert_eq!(request.url.host_str(), Some("mcp.example.com"));
//!     examination.answer(Err("connection refused"));
//! }
//! let failed: Vec<_> = examination.checks().iter().filter(|check| check.outcome == Outcome::Failed).collect();
//! assert_eq!(failed[0].rule.code, "reachable");
//! # Ok::<(), grantor::Error>(())
//! ```
//!
//! It asks without a token, with one that is none, and with one in the query; it registers no client and asks for no
//! token that could be issued.

mod examine;
mod rules;

use std::fmt;

pub use self::examine::Examination;
pub use self::rules::RULES;

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

impl Rule {
    /// The rule of this name.
    pub fn find(code: &str) -> Option<&'static Self> {
        RULES.iter().copied().find(|rule| rule.code == code)
    }
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
