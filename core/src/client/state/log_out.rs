//! A log-out on its way: what is to be given back and forgotten.

use url::Url;

use crate::client::state::grant::Grant;
use crate::client::state::waits::Waits;
use crate::discover::Probe;
use crate::effect::{RecordKind, RecordRevision};
use crate::error::{ErrorReport, Exchange, Work};
use crate::limits;
use crate::secret::Secret;
use crate::wire::revocation::TokenHint;
use crate::wire::server_metadata::Issuer;

/// A log-out on its way.
#[derive(Debug)]
pub(crate) struct LogOut {
    pub(crate) step: Step,
    pub(crate) progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Deleting,
    Discovering,
    Loading,
    Revoking,
    Signing,
    Waiting,
}

impl Step {
    pub(crate) fn work(self) -> Work {
        match self {
            Self::Deleting | Self::Loading => Work::Store,
            Self::Signing => Work::Signing,
            Self::Discovering => Work::Exchange(Exchange::ServerMetadata),
            Self::Revoking | Self::Waiting => Work::Exchange(Exchange::Revocation),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// What is being given back.
    pub(crate) returning: Option<Return>,
    /// The record that goes now, once its tokens are given back, and its revision.
    pub(crate) clearing: Option<(Record, Option<RecordRevision>)>,
    /// Those that go after it, the next one last.
    pub(crate) queue: Vec<Record>,
    /// What went wrong first. The tokens are forgotten all the same.
    pub(crate) failure: Option<ErrorReport>,
    pub(crate) rounds: u8,
    pub(crate) waits: Waits,
    /// The refresh token that was given back last.
    pub(crate) returned: Option<Secret>,
    /// Whether nothing about the resource stays.
    pub(crate) everything: bool,
    /// The issuer of the tokens that this process held.
    pub(crate) held: Option<Issuer>,
    /// Whether the stored binding was looked at: other processes may have obtained tokens of servers that this one has
    /// never asked.
    pub(crate) looked: bool,
}

impl Progress {
    pub(crate) fn fail(&mut self, report: ErrorReport) {
        self.failure.get_or_insert(report);
        self.returning = None;
    }

    /// Lets a record go, unless it is among those that go already.
    pub(crate) fn clear(&mut self, kind: RecordKind, issuer: Issuer) {
        let record = Record { kind, issuer: Some(issuer) };
        let current = self.clearing.as_ref().map(|(current, _)| current);
        if current != Some(&record) && !self.queue.contains(&record) && self.queue.len() < limits::LOG_OUT {
            // The binding goes last: it is what leads to the others.
            let at = usize::from(self.everything).min(self.queue.len());
            self.queue.insert(at, record);
        }
    }
}

/// A record of this resource and account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: RecordKind,
    pub(crate) issuer: Option<Issuer>,
}

/// Tokens that are given back to who issued them.
#[derive(Debug)]
pub(crate) struct Return {
    pub(crate) grant: Box<Grant>,
    /// The refresh token first: the access tokens go with it.
    pub(crate) tokens: Vec<(Secret, TokenHint)>,
    pub(crate) endpoint: Option<Url>,
    pub(crate) probe: Option<Probe<Url>>,
    /// Whether the server wants a member for a secret where there is none.
    pub(crate) empty_secret: bool,
}

impl Return {
    pub(crate) fn of(grant: Box<Grant>) -> Option<Self> {
        let refresh = grant.tokens.refresh.clone().map(|token| (token, TokenHint::RefreshToken));
        let access = grant.tokens.access.as_ref();
        let access = access.map(|access| (Secret::from(access.expose()), TokenHint::AccessToken));
        let tokens: Vec<_> = access.into_iter().chain(refresh).collect();
        let endpoint = grant.server.revocation_endpoint().cloned();
        (!tokens.is_empty()).then_some(Self { grant, tokens, endpoint, probe: None, empty_secret: false })
    }
}

impl LogOut {
    pub(crate) fn next_timeout(&self) -> Option<u64> {
        (self.step == Step::Waiting).then_some(self.progress.waits.until_ms)
    }
}
