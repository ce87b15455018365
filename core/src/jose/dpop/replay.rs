//! Proofs that were used (RFC 9449 11.1), bounded in number and so in bytes.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::Proof;

type Hash = [u8; 16];

/// Remembers each proof for as long as it would be accepted. When there is no room left, the oldest are
/// forgotten and proofs as old as those are refused, so that none is accepted twice.
#[derive(Debug)]
pub struct ReplayCache {
    seen: BTreeSet<Hash>,
    /// The same by the time until which the proof is accepted.
    by_end: BTreeSet<(u64, Hash)>,
    most: usize,
    /// Proofs that are accepted no longer than this are not known any more.
    forgotten_s: u64,
}

impl ReplayCache {
    /// One that takes this many bytes at most.
    pub fn new(most_bytes: usize) -> Self {
        // 40 bytes of content in nodes that are half empty at worst.
        let most = (most_bytes / 100).max(1);
        Self { seen: BTreeSet::new(), by_end: BTreeSet::new(), most, forgotten_s: 0 }
    }

    /// Whether a proof that was [verified](super::verify) at `unix_s` seconds since 1970 is used for the first
    /// time, and not so old that nobody can know any more.
    pub fn is_first(&mut self, unix_s: u64, proof: &Proof) -> bool {
        while self.by_end.first().is_some_and(|(until, _)| *until < unix_s) {
            self.forget_first();
        }
        let (until, hash) = (proof.accepted_until_s, hash(proof));
        if until <= self.forgotten_s || !self.seen.insert(hash) {
            return false;
        }
        self.by_end.insert((until, hash));
        if self.by_end.len() > self.most
            && let Some(until) = self.forget_first()
        {
            self.forgotten_s = self.forgotten_s.max(until);
        }
        true
    }

    fn forget_first(&mut self) -> Option<u64> {
        let (until, hash) = self.by_end.pop_first()?;
        self.seen.remove(&hash);
        Some(until)
    }

    /// How many proofs it remembers.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}

fn hash(proof: &Proof) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(&proof.thumbprint);
    hasher.update([0]);
    hasher.update(&*proof.id);
    let mut hash = [0; 16];
    hash.iter_mut().zip(hasher.finalize()).for_each(|(own, byte)| *own = byte);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(id: &str, until: u64) -> Proof {
        Proof { thumbprint: "t".into(), id: id.into(), issued_at_s: until - 300, accepted_until_s: until }
    }

    #[test]
    fn rfc9449_11_1_each_proof_once() {
        let mut cache = ReplayCache::new(1 << 20);
        assert!(cache.is_first(1000, &proof("a", 1300)));
        assert!(!cache.is_first(1001, &proof("a", 1300)));
        assert!(!cache.is_first(1001, &proof("a", 1301)), "the same jti in another proof");
        assert!(cache.is_first(1001, &proof("b", 1300)));
        assert!(cache.is_first(1302, &proof("c", 1600)));
        assert_eq!(cache.len(), 1, "the others are not accepted any more");
    }

    #[test]
    fn rfc9449_11_1_bounded_and_still_none_twice() {
        let mut cache = ReplayCache::new(100 * 100);
        for n in 0..10_000u64 {
            assert!(cache.is_first(1000, &proof(&n.to_string(), 1300 + n)));
            assert!(cache.len() <= 100);
        }
        for n in 0..10_000u64 {
            assert!(!cache.is_first(1000, &proof(&n.to_string(), 1300 + n)), "{n}");
        }
    }
}
