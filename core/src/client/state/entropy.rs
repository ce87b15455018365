//! Random bytes that the host has fed.

use zeroize::{Zeroize as _, Zeroizing};

use crate::limits;

#[derive(Debug, Default)]
pub(crate) struct Entropy {
    pool: Zeroizing<Vec<u8>>,
    /// Whether the host was asked and has not answered.
    pub(crate) asked: bool,
}

impl Entropy {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let room = limits::ENTROPY_POOL.saturating_sub(self.pool.len());
        self.pool.extend(bytes.iter().take(room));
        self.asked = false;
    }

    pub(crate) fn available(&self) -> usize {
        self.pool.len()
    }

    /// Takes bytes that will not be used again.
    pub(crate) fn take<const N: usize>(&mut self) -> Option<Zeroizing<[u8; N]>> {
        let at = self.pool.len().checked_sub(N)?;
        let mut taken = Zeroizing::new([0; N]);
        taken.copy_from_slice(self.pool.get(at..)?);
        if let Some(used) = self.pool.get_mut(at..) {
            used.zeroize();
        }
        self.pool.truncate(at);
        if self.pool.is_empty() {
            self.pool = Zeroizing::default();
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_used_twice() {
        let mut entropy = Entropy::default();
        entropy.add(&[1; 32]);
        entropy.add(&[2; 16]);
        assert_eq!(entropy.take::<64>(), None);
        assert_eq!(*entropy.take::<16>().unwrap(), [2; 16]);
        assert_eq!(*entropy.take::<32>().unwrap(), [1; 32]);
        assert_eq!(entropy.take::<1>(), None);
        entropy.add(&vec![3; 10_000]);
        assert_eq!(entropy.available(), limits::ENTROPY_POOL);
    }
}
