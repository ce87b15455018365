//! What the Guard says.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use serde_json::Value;

use super::grant::Grant;
use super::message::MessageError;
use super::mismatch::Mismatch;
use super::refusal::Refusal;
use super::report::RefusalReport;
use crate::effect::{Effect, OpId};
use crate::error::{ErrorReport, PeerText};
use crate::finding::Finding;

/// Names a check that waits for an effect; unique for the life of a Guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(pub(super) u64);

impl CheckId {
    /// The id as a number, for hosts that hand it on.
    pub const fn to_u64(self) -> u64 {
        self.0
    }
}

/// What is to become of a request.
#[must_use = "the request waits for what is decided"]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Let it through, with what the token grants; `None` where no token is needed and none was sent.
    Allow(Option<Arc<Grant>>),
    /// Answer this instead.
    Answer(Box<Answer>),
    /// Check again with the whole body, which may have `max` bytes; answer
    /// [`too_large`](super::Guard::too_large) when it has more.
    NeedBody {
        /// The bound in bytes.
        max: usize,
    },
    /// Check again when [`Output::Ready`] names this check.
    Wait(CheckId),
}

/// An answer in place of the server's.
#[must_use = "it answers a request"]
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// All headers but those of the connection.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// Why the request is turned away; `None` for metadata and answers to preflights.
    pub refusal: Option<Refusal>,
    /// More about that, for a log.
    pub report: Option<Box<RefusalReport>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// The body as JSON, for tests; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What the Guard wants done or known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// For a log.
    Notice(Notice),
    /// Perform an effect and answer with [`Guard::complete`](super::Guard::complete).
    Perform {
        /// Its id.
        op: OpId,
        /// When it counts as failed, on the monotonic clock.
        deadline_ms: u64,
        /// What to do.
        effect: Effect,
        /// What for, in words.
        why: &'static str,
    },
    /// What this check waited for is there, or will not come: check the request again.
    Ready {
        /// The check.
        check: CheckId,
    },
}

/// Something that an operator may want to know; never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// An answer of an authorization server strays from a specification, and goes on; each is told once
    /// ([`Guard::findings`](super::Guard::findings)).
    Finding {
        /// Which server's.
        issuer: PeerText,
        /// What it is.
        finding: Finding,
    },
    /// Whether a proof was used could not be recorded in the host's store: the request is answered with 503.
    StoreFailed {
        /// Why.
        error: Box<ErrorReport>,
    },
    /// An authorization server's keys, metadata or introspection could not be had.
    ServerFailed {
        /// Which one.
        issuer: PeerText,
        /// Why.
        error: Box<ErrorReport>,
    },
    /// A token is for another resource or from another issuer, as the server or the host says that was asked
    /// about it. Told when it is asked, and not for each request that brings the token again.
    TokenMismatch {
        /// Which server's.
        issuer: PeerText,
        /// The names.
        mismatch: Box<Mismatch>,
    },
    /// The keys of an authorization server were fetched.
    KeysFetched {
        /// Whose.
        issuer: PeerText,
        /// How many can be used.
        usable: usize,
        /// How many cannot.
        refused: usize,
        /// How long they are used without asking again, in milliseconds.
        fresh_ms: u64,
    },
}

impl Notice {
    /// Whether a log should warn: something does not work, or is not what it should be.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::ServerFailed { .. } | Self::StoreFailed { .. } | Self::TokenMismatch { .. })
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finding { issuer, finding } => write!(f, "{issuer}: {finding}"),
            Self::StoreFailed { error } => write!(f, "the use of a proof could not be stored: {error}"),
            Self::ServerFailed { issuer, error } => write!(f, "{issuer}: {error}"),
            Self::TokenMismatch { issuer, mismatch } => write!(f, "{issuer}: {mismatch}"),
            Self::KeysFetched { issuer, usable, refused, fresh_ms } => {
                write!(f, "{issuer}: {usable} keys fetched")?;
                if *refused > 0 {
                    write!(f, ", {refused} more cannot be used")?;
                }
                write!(f, "; good for {} s", fresh_ms / 1000)
            }
        }
    }
}

impl From<MessageError> for Refusal {
    fn from(error: MessageError) -> Self {
        Self::Message(error)
    }
}
