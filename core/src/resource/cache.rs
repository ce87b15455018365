//! Tokens that were checked before, bounded in bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::grant::Grant;
use super::refusal::TokenProblem;
use crate::secret::Secret;

/// What was found out about a token; without a problem, nobody could say.
pub(super) type Outcome = Result<Arc<Grant>, Option<TokenProblem>>;

/// Keyed by the token's end, which is its signature or as random: nobody can make tokens that get in the
/// way of another's without knowing it. Only tokens that an issuer has made or was asked about are in here.
///
/// When it is full, those that were not used since they were looked at last go first, but never the
/// newest.
#[derive(Debug)]
pub(super) struct TokenCache {
    entries: BTreeMap<u128, Entry>,
    order: VecDeque<(u128, u64)>,
    serial: u64,
    bytes: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    token: Secret,
    outcome: Outcome,
    until_ms: u64,
    used: AtomicBool,
    bytes: usize,
    /// Tells the entry's place in the order from that of one before it.
    serial: u64,
}

/// What an entry takes besides token and grant: the maps' share.
const OVERHEAD: usize = 160;

impl TokenCache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { entries: BTreeMap::new(), order: VecDeque::new(), serial: 0, bytes: 0, most_bytes }
    }

    pub(super) fn find(&self, now_ms: u64, token: &[u8]) -> Option<&Outcome> {
        // Whoever gets as far as the comparison knows the last 16 bytes; it need not take constant time.
        let entry = self.entries.get(&tail(token))?;
        if entry.until_ms <= now_ms || entry.token.expose().as_bytes() != token {
            return None;
        }
        // Written once only, so that those who look at the same token at once do not get in each other's way.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(&entry.outcome)
    }

    pub(super) fn insert(&mut self, token: &str, outcome: Outcome, until_ms: u64) {
        let size = outcome.as_ref().map_or(0, |grant| grant.size());
        let bytes = OVERHEAD + size_of::<Entry>() + token.len() + size;
        if bytes > self.most_bytes {
            return;
        }
        let key = tail(token.as_bytes());
        self.serial += 1;
        let serial = self.serial;
        let entry =
            Entry { token: token.into(), outcome, until_ms, used: AtomicBool::new(false), bytes, serial };
        if let Some(old) = self.entries.insert(key, entry) {
            self.bytes -= old.bytes;
        }
        self.bytes += bytes;
        self.order.push_back((key, serial));
        self.shrink();
    }

    fn shrink(&mut self) {
        // Places of entries that were replaced are as bounded as the entries.
        while self.bytes > self.most_bytes || self.order.len() > 2 * self.entries.len() + 16 {
            let Some((key, serial)) = self.order.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.serial == serial) else {
                continue;
            };
            if std::mem::take(entry.used.get_mut()) {
                self.order.push_back((key, serial));
            } else if self.bytes > self.most_bytes && serial != self.serial {
                self.bytes -= entry.bytes;
                self.entries.remove(&key);
            } else {
                self.order.push_back((key, serial));
            }
        }
    }

    /// Forgets all, because what was checked may not hold any more.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
        self.bytes = 0;
    }

    /// About how much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn tail(token: &[u8]) -> u128 {
    let mut last = [0; 16];
    for (place, byte) in last.iter_mut().zip(token.iter().rev()) {
        *place = *byte;
    }
    u128::from_le_bytes(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INACTIVE: Outcome = Err(Some(TokenProblem::Inactive));

    fn has(cache: &TokenCache, token: &str) -> bool {
        cache.find(0, token.as_bytes()).is_some()
    }

    #[test]
    fn a_token_is_found_until_its_time() {
        let mut cache = TokenCache::new(10_000);
        cache.insert("abc", INACTIVE, 100);
        assert!(cache.find(99, b"abc").is_some());
        assert!(cache.find(100, b"abc").is_none());
        assert!(cache.find(0, b"xabc").is_none());
    }

    #[test]
    fn tokens_with_the_same_end_are_told_apart() {
        let mut cache = TokenCache::new(10_000);
        cache.insert("a-0123456789abcdef", INACTIVE, 100);
        assert!(!has(&cache, "b-0123456789abcdef"));
        cache.insert("b-0123456789abcdef", INACTIVE, 100);
        assert!(has(&cache, "b-0123456789abcdef"));
        assert!(!has(&cache, "a-0123456789abcdef"));
    }

    #[test]
    fn bounded_in_bytes_and_those_in_use_stay() {
        let mut cache = TokenCache::new(100_000);
        cache.insert("used", INACTIVE, 100);
        for n in 0..100_000 {
            cache.insert(&format!("token-{n}"), INACTIVE, 100);
            assert!(cache.bytes() <= 100_000);
            assert!(has(&cache, "used"), "{n}");
        }
        assert!(cache.entries.len() > 100);
        assert!(cache.order.len() <= 2 * cache.entries.len() + 16);
    }

    #[test]
    fn a_new_token_stays_though_all_others_are_in_use() {
        let mut cache = TokenCache::new(20_000);
        for n in 0..1000 {
            let token = format!("token-{n}");
            cache.insert(&token, INACTIVE, 100);
            assert!(has(&cache, &token), "{n}");
        }
    }

    #[test]
    fn the_same_token_again_and_again_does_not_grow_the_order() {
        let mut cache = TokenCache::new(100_000);
        for _ in 0..10_000 {
            cache.insert("token", INACTIVE, 100);
            has(&cache, "token");
        }
        assert_eq!(cache.entries.len(), 1);
        assert!(cache.order.len() <= 20, "{}", cache.order.len());
        cache.clear();
        assert_eq!((cache.bytes(), has(&cache, "token")), (0, false));
    }
}
