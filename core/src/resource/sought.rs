//! Keys that tokens named and nobody had: sought at most so often.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::limits;

/// The names of keys for which a server's set was fetched, and when.
#[derive(Debug, Default)]
pub(super) struct SoughtKeys {
    names: VecDeque<(u64, u64)>,
    last_ms: Option<u64>,
}

/// What is to be done about a key that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sought {
    /// The set was fetched for it, and does not hold it.
    InVain,
    /// Fetch the set.
    Now,
    /// The set was fetched for another just before.
    TooSoon { retry_after_s: u32 },
}

impl SoughtKeys {
    /// Notes that a key of this name is sought, where it is time for that. `fetched_ms` is when the set was
    /// fetched last.
    pub(super) fn find(&mut self, now_ms: u64, kid: Option<&str>, fetched_ms: Option<u64>) -> Sought {
        const MOST: usize = 64;
        while self.names.front().is_some_and(|(_, at)| at.saturating_add(limits::KEYS_REFETCH_MS) <= now_ms) {
            self.names.pop_front();
        }
        let mut hasher = DefaultHasher::new();
        kid.hash(&mut hasher);
        let name = hasher.finish();
        if let Some((_, at)) = self.names.iter().find(|(known, _)| *known == name) {
            return if fetched_ms.is_some_and(|fetched| fetched >= *at) {
                Sought::InVain
            } else {
                Sought::Now
            };
        }
        let next_ms = self.last_ms.map_or(0, |last| last.saturating_add(limits::KEYS_REFETCH_MS));
        if now_ms < next_ms {
            let left_s = (next_ms - now_ms).div_ceil(1000);
            return Sought::TooSoon { retry_after_s: u32::try_from(left_s).unwrap_or(1) };
        }
        self.last_ms = Some(now_ms);
        self.names.push_back((name, now_ms));
        self.names.truncate(MOST);
        Sought::Now
    }
}
