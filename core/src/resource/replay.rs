//! Proofs that were used (RFC 9449 11.1), bounded in number and so in bytes.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::jose::dpop::Proof;

type Hash = [u8; 16];

/// Remembers each proof for as long as it would be accepted. When there is no room left, the oldest are
/// forgotten and proofs as old as those are refused, so that none is accepted twice.
#[derive(Debug)]
pub(super) struct ReplayCache {
    /// By the time until which the proof is accepted.
    seen: BTreeSet<(u64, Hash)>,
    most: usize,
    /// Proofs that are accepted no longer than this are not known any more.
    forgotten_s: u64,
}

impl ReplayCache {
    /// One that takes about this many bytes at most.
    pub(super) fn new(most_bytes: usize) -> Self {
        // 24 bytes of content in nodes that are half empty at worst.
        Self { seen: BTreeSet::new(), most: (most_bytes / 64).max(1), forgotten_s: 0 }
    }

    /// Whether the proof is used for the first time.
    pub(super) fn is_first(&mut self, unix_s: u64, proof: &Proof) -> bool {
        while self.seen.first().is_some_and(|(until, _)| *until < unix_s) {
            self.seen.pop_first();
        }
        if proof.accepted_until_s <= self.forgotten_s {
            return false;
        }
        if !self.seen.insert((proof.accepted_until_s, hash(proof))) {
            return false;
        }
        if self.seen.len() > self.most
            && let Some((until, _)) = self.seen.pop_first()
        {
            self.forgotten_s = self.forgotten_s.max(until);
        }
        true
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.seen.len()
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
        assert!(cache.is_first(1001, &proof("b", 1300)));
        assert!(cache.is_first(1302, &proof("c", 1600)));
        assert_eq!(cache.len(), 1, "the others are not accepted any more");
    }

    #[test]
    fn rfc9449_11_1_bounded_and_still_none_twice() {
        let mut cache = ReplayCache::new(64 * 100);
        for n in 0..10_000u64 {
            assert!(cache.is_first(1000, &proof(&n.to_string(), 1300 + n)));
            assert!(cache.len() <= 100);
        }
        for n in 0..10_000u64 {
            assert!(!cache.is_first(1000, &proof(&n.to_string(), 1300 + n)), "{n}");
        }
    }
}
