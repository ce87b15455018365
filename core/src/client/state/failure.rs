//! Effects that failed, as errors.

use crate::effect::Completion;
use crate::error::{EffectError, Error, Failure, FailureKind, Refused, Work};

/// A failed effect as an error.
pub(crate) fn effect_error(what: Work, failure: Failure<'_>) -> Error {
    EffectError::new(what, failure).into()
}

/// The error for an answer that ends a step.
pub(crate) fn failed(work: Work, completion: Completion<'_>) -> Error {
    match completion {
        Completion::Failed(failure) => effect_error(work, failure),
        Completion::Declined => Refused::Declined.into(),
        _ => unexpected(work),
    }
}

/// An answer that no step expects. The kinds are checked before, so it cannot come; if it did, failing
/// is right.
pub(crate) fn unexpected(what: Work) -> Error {
    effect_error(what, Failure::new(FailureKind::Other, "unexpected answer"))
}
