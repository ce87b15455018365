//! Proofs that were used (RFC 9449 11.1), bounded in number and so in bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use sha2::{Digest as _, Sha256};

use super::Proof;

pub(crate) type Hash = [u8; 16];

/// Remembers each proof for as long as it would be accepted. When there is no room left, the oldest are
/// forgotten, and proofs as old as those are not accepted, so that none is accepted twice. One key has an
/// eighth of the room at most: whoever floods shuts out nobody else.
#[derive(Debug)]
pub struct ReplayCache {
    seen: BTreeSet<Hash>,
    /// The same by the time until which the proof is accepted, with the key.
    by_end: BTreeSet<(u64, Hash, u64)>,
    /// How many there are of each key.
    keys: BTreeMap<u64, usize>,
    most: usize,
    /// Proofs that are accepted no longer than this are not known any more.
    forgotten_s: u64,
}

/// What is known of the use of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofUse {
    /// Its `jti` was used before.
    Again,
    /// It is used for the first time, and remembered from now on.
    First,
    /// Nobody can know, or remember it: too many were used.
    Unknown,
}

impl ReplayCache {
    /// One that takes this many bytes at most.
    pub fn new(most_bytes: usize) -> Self {
        // 48 bytes of content in nodes that are half empty at worst, and what is kept of the key.
        let most = (most_bytes / 128).max(1);
        Self { seen: BTreeSet::new(), by_end: BTreeSet::new(), keys: BTreeMap::new(), most, forgotten_s: 0 }
    }

    /// Takes in the use of a proof that was [verified](super::verify) at `unix_s` seconds since 1970.
    pub fn take(&mut self, unix_s: u64, proof: &Proof) -> ProofUse {
        while self.by_end.first().is_some_and(|(until, ..)| *until < unix_s) {
            self.forget_first();
        }
        let (until, hash, key) = (proof.accepted_until_s, hash(proof), key_of(proof));
        if self.seen.contains(&hash) {
            return ProofUse::Again;
        }
        let used = self.keys.get(&key).copied().unwrap_or(0);
        if until <= self.forgotten_s || used >= (self.most / 8).max(1) {
            return ProofUse::Unknown;
        }
        self.seen.insert(hash);
        self.by_end.insert((until, hash, key));
        self.keys.insert(key, used + 1);
        if self.by_end.len() > self.most
            && let Some(until) = self.forget_first()
        {
            self.forgotten_s = self.forgotten_s.max(until);
        }
        ProofUse::First
    }

    fn forget_first(&mut self) -> Option<u64> {
        let (until, hash, key) = self.by_end.pop_first()?;
        self.seen.remove(&hash);
        if let Some(count) = self.keys.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.keys.remove(&key);
            }
        }
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

/// What tells a proof from every other, whenever it was made: its key and its `jti`.
pub(crate) fn hash(proof: &Proof) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(&proof.thumbprint);
    hasher.update([0]);
    hasher.update(&*proof.id);
    let mut hash = [0; 16];
    hash.iter_mut().zip(hasher.finalize()).for_each(|(own, byte)| *own = byte);
    hash
}

fn key_of(proof: &Proof) -> u64 {
    let mut hasher = DefaultHasher::new();
    proof.thumbprint.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof_by(key: &str, id: &str, until: u64) -> Proof {
        Proof { thumbprint: key.into(), id: id.into(), issued_at_s: until - 300, accepted_until_s: until }
    }

    fn proof(id: &str, until: u64) -> Proof {
        proof_by("t", id, until)
    }

    #[test]
    fn rfc9449_11_1_each_proof_once() {
        let mut cache = ReplayCache::new(1 << 20);
        assert!(cache.is_empty());
        assert_eq!(cache.take(1000, &proof("a", 1300)), ProofUse::First);
        assert_eq!(cache.take(1001, &proof("a", 1300)), ProofUse::Again);
        assert_eq!(cache.take(1001, &proof("a", 1301)), ProofUse::Again, "the same jti in another proof");
        assert_eq!(cache.take(1001, &proof_by("u", "a", 1300)), ProofUse::First, "by another key");
        assert_eq!(cache.take(1302, &proof("c", 1600)), ProofUse::First);
        assert_eq!(cache.len(), 1, "the others are not accepted any more");
    }

    #[test]
    fn rfc9449_11_1_bounded_and_still_none_twice() {
        let mut cache = ReplayCache::new(128 * 800);
        let proof = |n: u64| proof_by(&format!("key {}", n % 10), &n.to_string(), 1300 + n);
        for n in 0..10_000u64 {
            assert_eq!(cache.take(1000, &proof(n)), ProofUse::First);
            assert!(cache.len() <= 800);
        }
        for n in 0..10_000u64 {
            assert_ne!(cache.take(1000, &proof(n)), ProofUse::First, "{n}");
        }
        assert!(cache.keys.len() <= 10);
    }

    #[test]
    fn a_flood_by_one_key_shuts_out_nobody_else() {
        let mut cache = ReplayCache::new(128 * 800);
        for n in 0..10_000u64 {
            let expected = if n < 100 { ProofUse::First } else { ProofUse::Unknown };
            assert_eq!(cache.take(1000, &proof_by("flood", &n.to_string(), 1360)), expected);
        }
        assert_eq!(cache.take(1000, &proof_by("other", "1", 1250)), ProofUse::First);
        assert_eq!(cache.take(1361, &proof_by("flood", "x", 1700)), ProofUse::First, "room comes back");
    }
}
