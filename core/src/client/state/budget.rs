//! Budgets: no call goes on for ever, whatever its peers answer.
//!
//! Every effect is charged where it leaves the engine: to the part that asks for it, and to each call that
//! waits for that part. So no path can forget it, and starting anew for the same calls resets nothing. What is
//! over its budget ends with [`PeerMisbehaved::Endless`].

use crate::client::output::CallId;
use crate::client::state::ops::Owner;
use crate::effect::{Effect, Interaction};
use crate::error::{Exchange, PeerMisbehaved, Work};
use crate::limits;

/// What was done already, by sort. Aligned so that it is moved in whole words: each call begins with one.
#[repr(align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget([u16; Sort::COUNT]);

/// What is counted together.
#[derive(Clone, Copy)]
pub(crate) enum Sort {
    Devices,
    Documents,
    Pages,
    Pushes,
    Questions,
    Refreshes,
    Registrations,
    Revocations,
    Signatures,
    Store,
    Tokens,
}

impl Sort {
    const COUNT: usize = 11;

    /// `None` for polls: the lifetime of their code bounds them.
    pub(crate) fn of(work: Work) -> Option<Self> {
        Some(match work {
            Work::Interaction => Self::Questions,
            Work::Signing => Self::Signatures,
            Work::Store => Self::Store,
            Work::Exchange(exchange) => match exchange {
                Exchange::DeviceToken => return None,
                Exchange::Authorization => Self::Pages,
                Exchange::DeviceAuthorization => Self::Devices,
                Exchange::PushedAuthorization => Self::Pushes,
                Exchange::RefreshToken => Self::Refreshes,
                Exchange::Registration => Self::Registrations,
                Exchange::Revocation => Self::Revocations,
                Exchange::ResourceMetadata | Exchange::ServerMetadata => Self::Documents,
                _ => Self::Tokens,
            },
        })
    }

    pub(crate) const fn limit(self) -> u16 {
        match self {
            Self::Devices => limits::DEVICE_CODES_PER_CALL,
            Self::Documents => limits::DOCUMENTS_PER_CALL,
            Self::Pages => limits::PAGES_PER_CALL,
            Self::Pushes => limits::PUSHES_PER_CALL,
            Self::Questions => limits::QUESTIONS_PER_CALL,
            Self::Refreshes => limits::REFRESHES_PER_CALL,
            Self::Registrations => limits::REGISTRATIONS_PER_CALL,
            Self::Revocations => limits::REVOCATIONS_PER_CALL,
            Self::Signatures => limits::SIGNATURES_PER_CALL,
            Self::Store => limits::STORE_OPERATIONS_PER_CALL,
            Self::Tokens => limits::TOKEN_REQUESTS_PER_CALL,
        }
    }
}

impl Budget {
    /// Counts; an error when that is once too often.
    pub(crate) fn charge(&mut self, work: Work) -> Result<(), PeerMisbehaved> {
        let Some(sort) = Sort::of(work) else {
            // Each poll may take signatures of its own.
            *self.of(Sort::Signatures) = 0;
            return Ok(());
        };
        let count = self.of(sort);
        if *count >= sort.limit() {
            return Err(PeerMisbehaved::Endless { what: work, times: (*count).into() });
        }
        *count += 1;
        Ok(())
    }

    pub(crate) fn of(&mut self, sort: Sort) -> &mut u16 {
        let Self(counts) = self;
        let index = (sort as usize).min(Sort::COUNT - 1);
        #[expect(clippy::indexing_slicing, reason = "the index is within the count")]
        &mut counts[index]
    }
}

/// The budgets of the engine's parts. They begin anew with each acquisition, refresh and log-out.
#[derive(Debug, Default)]
pub(crate) struct Budgets {
    pub(crate) acquisition: Budget,
    pub(crate) refresh: Budget,
    pub(crate) log_out: Budget,
}

/// What is over its budget, and ends with the input that was the last straw.
#[derive(Debug)]
pub(crate) enum Overdrawn {
    Call(CallId, PeerMisbehaved),
    Part(Owner, PeerMisbehaved),
}

/// What an effect is for.
pub(crate) fn work_of(effect: &Effect) -> Work {
    match effect {
        Effect::Interact(Interaction::Authorize(_)) => Work::Exchange(Exchange::Authorization),
        Effect::Assert(_) | Effect::Interact(_) => Work::Interaction,
        Effect::Sign { .. } => Work::Signing,
        Effect::CheckToken { .. } => Work::Exchange(Exchange::Introspection),
        Effect::Delete { .. } | Effect::Load { .. } | Effect::Save { .. } => Work::Store,
        Effect::Http { request, .. } => Work::Exchange(request.exchange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sort_has_its_end_and_tells_it() {
        for (work, limit) in [
            (Work::Store, limits::STORE_OPERATIONS_PER_CALL),
            (Work::Exchange(Exchange::Registration), limits::REGISTRATIONS_PER_CALL),
            (Work::Exchange(Exchange::CodeToken), limits::TOKEN_REQUESTS_PER_CALL),
        ] {
            let mut budget = Budget::default();
            for _ in 0..limit {
                assert_eq!(budget.charge(work), Ok(()));
            }
            let endless = budget.charge(work).unwrap_err();
            assert_eq!(endless, PeerMisbehaved::Endless { what: work, times: limit.into() });
            assert!(endless.to_string().contains(&limit.to_string()), "{endless}");
            assert_eq!(budget.charge(Work::Signing), Ok(()), "of its own");
        }
    }

    #[test]
    fn polls_are_bounded_by_their_lifetime() {
        let mut budget = Budget::default();
        for _ in 0..100_000 {
            assert_eq!(budget.charge(Work::Exchange(Exchange::DeviceToken)), Ok(()));
            assert_eq!(budget.charge(Work::Signing), Ok(()), "with their signatures");
        }
    }
}
