//! A refresh on its way: what it has been through, and what it waits for.

use url::Url;

use crate::client::state::calls::Stage;
use crate::client::state::failure::effect_error;
use crate::client::state::grant::Grant;
use crate::client::state::signing::Signatures;
use crate::client::state::waits::Waits;
use crate::discover::Probe;
use crate::error::{Error, ErrorReport, Exchange, Failure, FailureKind, Work};
use crate::secret::Secret;
use crate::wire::HttpResponse;

/// A refresh on its way.
#[derive(Debug)]
pub(crate) struct Refresh {
    pub(crate) step: Step,
    pub(crate) progress: Progress,
}

/// What a refresh has been through.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Rounds lost to other writers of the store.
    pub(crate) rounds: u8,
    /// When calls stop waiting for the token request.
    pub(crate) overdue_ms: u64,
    /// Whether they were told.
    pub(crate) told_overdue: bool,
    /// Servers that were busy.
    pub(crate) waits: Waits,
    /// When the lease is to be renewed.
    pub(crate) renew_lease_ms: u64,
    /// Whether the request was sent again with another nonce.
    pub(crate) nonce_retried: bool,
    /// What the request carries.
    pub(crate) signatures: Signatures,
    /// Where the server's metadata may be, since its endpoint is gone.
    pub(crate) probe: Option<Probe<Url>>,
    /// Whether it named another.
    pub(crate) relocated: bool,
    /// Whether the host was told that another process has the refresh token.
    pub(crate) told_leased: bool,
    /// Why the token endpoint was not reached, while it is looked whether the server has moved.
    pub(crate) unreached: Option<ErrorReport>,
}

/// How a refresh ends.
#[derive(Debug)]
pub(crate) enum End {
    /// With tokens of another process.
    Adopted,
    Error(ErrorReport),
    /// Only the user can help.
    GiveUp,
    /// Every call that wanted it was cancelled before the token was asked for.
    NobodyWaits,
    /// With new tokens.
    Renewed,
}

impl<E: Into<Error>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Error(ErrorReport::from(error))
    }
}

/// Where an answer leads. There is no third way: who waits for a refresh waits for a step, or is told.
pub(crate) type Next = Result<Step, End>;

/// Tokens that were issued and are not stored yet.
#[derive(Debug)]
pub(crate) struct NewTokens {
    pub(crate) grant: Box<Grant>,
    pub(crate) replaces: Replaces,
}

/// Which stored tokens new ones replace.
#[derive(Clone, Debug)]
pub(crate) enum Replaces {
    /// Any: the user has just granted these.
    Any,
    /// Those with the refresh token that was exchanged for them, and those that are revoked. Others are
    /// newer.
    With(Option<Secret>),
}

impl Replaces {
    pub(crate) fn covers(&self, stored: &Grant) -> bool {
        match self {
            Self::Any => true,
            Self::With(used) => stored.tokens.refresh.is_none() || stored.tokens.refresh == *used,
        }
    }
}

/// What a refresh waits for.
#[derive(Debug)]
pub(crate) enum Step {
    /// For the store to accept that this engine uses the refresh token.
    Leasing,
    /// For the stored record, which may be newer.
    Reloading(Reload),
    /// For the server's metadata, since the endpoint that is known is gone.
    Rediscovering,
    /// For the token endpoint.
    Requesting,
    /// For the new tokens to be stored.
    Saving(NewTokens),
    /// For signatures that the request has to carry.
    Signing,
    /// For the mark that the grant is revoked to be stored.
    SavingRevoked,
    /// For the server, which is busy and has said for how long.
    Waiting,
    /// For another process to end its refresh.
    WaitingForLease { until_ms: u64 },
}

/// Why the stored record is looked at.
#[derive(Debug)]
pub(crate) enum Reload {
    /// Somebody else wrote it.
    Conflict,
    /// The server did not accept the refresh token.
    Rejected,
    /// Somebody else wrote it while these new tokens were on their way.
    SaveConflict(NewTokens),
}

impl Refresh {
    pub(crate) fn next_timeout(&self) -> Option<u64> {
        let progress = &self.progress;
        match &self.step {
            Step::WaitingForLease { until_ms } => Some(*until_ms),
            Step::Waiting => Some(progress.waits.until_ms),
            Step::Requesting if progress.told_overdue => Some(progress.renew_lease_ms),
            Step::Requesting => Some(progress.overdue_ms.min(progress.renew_lease_ms)),
            _ => None,
        }
    }
}

pub(crate) fn is_waiting(stage: &Stage) -> bool {
    matches!(stage, Stage::WaitingForRefresh { .. })
}

pub(crate) fn timed_out() -> Error {
    effect_error(Work::Exchange(Exchange::RefreshToken), Failure::new(FailureKind::TimedOut, ""))
}

/// Whether an endpoint is not there any more.
/// Whether nothing at all was reached.
pub(crate) fn is_out_of_reach(reasons: &[ErrorReport]) -> bool {
    !reasons.is_empty() && reasons.iter().all(|report| matches!(report.error, Error::Effect(_)))
}

pub(crate) fn is_gone(response: &HttpResponse<'_>) -> bool {
    matches!(response.status, 404 | 410)
}
