//! Keys that tokens name and the set does not hold: the set is fetched again, so often at most.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::limits;

/// The key for which a server's set was fetched last: a hash of its name, and when.
#[derive(Debug, Default)]
pub(super) struct MissingKey(Option<(u64, u64)>);

/// What is to be done about a key that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refetch {
    /// The set was fetched for it, and does not hold it.
    InVain,
    /// Fetch the set.
    Now,
    /// The set was fetched for another just before.
    TooSoon { retry_after_s: u32 },
}

impl MissingKey {
    /// Notes that a key of this name is missing, and says whether to fetch the set for it. `fetched_ms` is when the set
    /// was fetched last.
    pub(super) fn find(&mut self, now_ms: u64, kid: Option<&str>, fetched_ms: Option<u64>) -> Refetch {
        let mut hasher = DefaultHasher::new();
        kid.hash(&mut hasher);
        let name = hasher.finish();
        match self.0 {
            Some((last, at)) if now_ms < at.saturating_add(limits::KEYS_REFETCH_MS) => {
                if name != last {
                    let left_ms = at.saturating_add(limits::KEYS_REFETCH_MS) - now_ms;
                    let retry_after_s = u32::try_from(left_ms.div_ceil(1000)).unwrap_or(1);
                    Refetch::TooSoon { retry_after_s }
                } else if fetched_ms.is_some_and(|fetched| fetched >= at) {
                    Refetch::InVain
                } else {
                    Refetch::Now
                }
            }
            _ => {
                self.0 = Some((name, now_ms));
                Refetch::Now
            }
        }
    }
}
