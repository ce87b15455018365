//! Findings: where a peer strays from a specification and nobody is harmed.
//!
//! A reader of [`wire`](crate::wire) fails only over what it needs. Every other deviation is kept as a
//! [`Finding`], so that a log or a diagnosis of the peer can show it.

use std::borrow::Cow;
use std::fmt;

use crate::address::UrlProblem;
use crate::error::{Exchange, PeerText};
use crate::jose::{ClaimsError, JwsError};
use crate::limits;

/// A deviation from a specification that did not stop anything.
///
/// It never holds the value of a member, which could be a secret.
///
/// ```
/// use grantor::error::Exchange;
/// use grantor::wire::HttpResponse;
/// use grantor::wire::resource_metadata::{self, Found};
/// use grantor::{Findings, Quirks};
///
/// let candidate = resource_metadata::candidates(&"https://mcp.example.com/mcp".parse()?, None).remove(0);
/// let headers = http::HeaderMap::from_iter([("content-type".parse()?, "application/json".parse()?)]);
/// let body = br#"{"resource": "https://mcp.example.com/mcp", "authorization_servers": ["https://as.example.com"],
///     "resource_name": 7}"#;
/// let response = HttpResponse { status: 200, headers: &headers, body };
/// let mut findings = Findings::new();
/// let found = resource_metadata::read(&candidate, &candidate.url, 0, &response, &Quirks::none(), &mut findings)?;
/// assert!(matches!(found, Found::Document(_)));
/// assert_eq!(
///     findings.iter().map(|finding| finding.to_string()).collect::<Vec<_>>(),
///     ["protected resource metadata: `resource_name` is a number, not a string; treated as absent \
///       (RFC 9728 section 2)"]
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Whose answer it is about.
    pub document: Exchange,
    /// The member; `None` when it is about the answer as a whole.
    pub member: Option<Cow<'static, str>>,
    /// What is wrong.
    pub problem: Problem,
    /// The section of the specification that says how it should be, such as `RFC 8414 section 2`.
    pub section: &'static str,
    /// What Grantor did about it.
    pub handling: Handling,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { document, member, problem, section, handling } = self;
        match member {
            Some(member) => write!(f, "{document}: `{member}` {problem}; {handling} ({section})"),
            None => write!(f, "{document}: the answer {problem}; {handling} ({section})"),
        }
    }
}

/// What is wrong with an answer or a member of it.
///
/// Its text completes a sentence: "`expires_in` is a string, not a number".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The answer begins with a byte order mark (RFC 8259 8.1).
    ByteOrderMark,
    /// A token whose claims break a rule.
    Claims(ClaimsError),
    /// The answer has this content type, empty when it names none.
    ContentType(PeerText),
    /// The member appears more than once, with different values (RFC 8259 4).
    Contradictory,
    /// A string, list or object with nothing in it.
    Empty,
    /// So many entries of a list cannot be used.
    Entries(usize),
    /// Characters that may not be there, or a number that is out of range.
    Malformed,
    /// The member is not there, and should be.
    Missing,
    /// The member has this other name.
    Named(&'static str),
    /// The member is `null`.
    Null,
    /// The member appears more than once, always with the same value (RFC 8259 4).
    Repeated,
    /// No signed token of an acceptable algorithm.
    Signed(JwsError),
    /// The answer has this status.
    Status(u16),
    /// More than its bound ([`limits`]).
    TooLarge,
    /// A value of another type.
    Type {
        /// What it should be.
        expected: JsonType,
        /// What it is.
        got: JsonType,
    },
    /// A way that was not asked for, and for which the client has no means.
    Unasked,
    /// A URL that the policy forbids ([`UrlPolicy`](crate::UrlPolicy)).
    Url(UrlProblem),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByteOrderMark => f.write_str("begins with a byte order mark"),
            Self::Claims(error) => write!(f, "cannot be accepted: {error}"),
            Self::ContentType(got) if got.as_str().is_empty() => f.write_str("has no content type"),
            Self::ContentType(got) => write!(f, "has content type {got}"),
            Self::Contradictory => f.write_str("appears more than once, with different values"),
            Self::Empty => f.write_str("is empty"),
            Self::Entries(1) => f.write_str("has an entry that cannot be used"),
            Self::Entries(count) => write!(f, "has {count} entries that cannot be used"),
            Self::Malformed => f.write_str("is malformed"),
            Self::Missing => f.write_str("is missing"),
            Self::Named(name) => write!(f, "is named `{name}`"),
            Self::Null => f.write_str("is null"),
            Self::Repeated => f.write_str("appears more than once"),
            Self::Signed(error) => write!(f, "cannot be read: {error}"),
            Self::Status(status) => write!(f, "has status {status}"),
            Self::TooLarge => f.write_str("is too large"),
            Self::Type { expected, got } => write!(f, "is {got}, not {expected}"),
            Self::Unasked => f.write_str("was not asked for"),
            Self::Url(problem) => write!(f, "is not an acceptable URL: {problem}"),
        }
    }
}

/// The types of JSON values (RFC 8259 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonType {
    /// `[…]`.
    Array,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
    /// A number.
    Number,
    /// `{…}`.
    Object,
    /// `"…"`.
    String,
}

impl JsonType {
    /// The type of a value as it is written.
    pub(crate) fn of(json: &str) -> Option<Self> {
        match json.trim_ascii_start().as_bytes().first()? {
            b'[' => Some(Self::Array),
            b't' | b'f' => Some(Self::Boolean),
            b'n' => Some(Self::Null),
            b'-' | b'0'..=b'9' => Some(Self::Number),
            b'{' => Some(Self::Object),
            b'"' => Some(Self::String),
            _ => None,
        }
    }
}

impl fmt::Display for JsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Array => "an array",
            Self::Boolean => "a boolean",
            Self::Null => "null",
            Self::Number => "a number",
            Self::Object => "an object",
            Self::String => "a string",
        })
    }
}

/// What Grantor did about a deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Handling {
    /// The member counts as absent.
    Absent,
    /// A usual value is used in its place.
    Assumed,
    /// Nothing: nobody needs it.
    Ignored,
    /// The value is limited to its bound.
    Limited,
    /// The other entries are used.
    OthersUsed,
    /// It is read all the same: there is one way to read it.
    Read,
}

impl fmt::Display for Handling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "treated as absent",
            Self::Assumed => "the usual value is used",
            Self::Ignored => "nothing depends on it",
            Self::Limited => "limited to the bound",
            Self::OthersUsed => "the other entries are used",
            Self::Read => "read all the same",
        })
    }
}

/// Findings in the order in which they were made, each once, at most [`limits::FINDINGS`].
///
/// Every `read` of [`wire`](crate::wire) adds to one that the caller brings, also when it fails. An empty
/// one allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// None yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The findings in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// Keeps a finding; says whether it is new and there is room.
    pub(crate) fn add(&mut self, finding: &Finding) -> bool {
        let is_new = self.0.len() < limits::FINDINGS && !self.0.contains(finding);
        if is_new {
            self.0.push(finding.clone());
        }
        is_new
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(member: &'static str, problem: Problem) -> Finding {
        Finding {
            document: Exchange::ServerMetadata,
            member: Some(member.into()),
            problem,
            section: "RFC 8414 section 2",
            handling: Handling::Absent,
        }
    }

    #[test]
    fn one_line_each() {
        let text = finding("revocation_endpoint", Problem::Empty).to_string();
        assert_eq!(
            text,
            "authorization server metadata: `revocation_endpoint` is empty; treated as absent (RFC 8414 section 2)"
        );
        let whole = Finding { member: None, ..finding("", Problem::Status(203)) };
        assert_eq!(
            whole.to_string(),
            "authorization server metadata: the answer has status 203; treated as absent (RFC 8414 section 2)"
        );
    }

    #[test]
    fn each_once_and_bounded() {
        let mut findings = Findings::new();
        assert!(findings.add(&finding("a", Problem::Null)));
        assert!(!findings.add(&finding("a", Problem::Null)));
        for count in 0..2 * limits::FINDINGS {
            findings.add(&finding("a", Problem::Entries(count)));
        }
        assert_eq!(findings.len(), limits::FINDINGS);
    }
}
