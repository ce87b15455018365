//! Who may use a refresh token now.

use crate::limits;
use crate::time::Now;

/// Who has the lease of the refresh token of the held record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lease {
    /// Another process, until this time of the monotonic clock.
    Foreign { ends_ms: u64 },
    #[default]
    None,
    /// This engine, until this time of the wall clock.
    Own { until_s: u64 },
}

impl Lease {
    /// The lease in a record. It is written in wall time, which may have been set since: one longer than
    /// any that is ever made is none.
    pub(crate) fn read(claimed_until: Option<u64>, now: Now) -> Self {
        match claimed_until.unwrap_or(0).saturating_sub(now.unix_s) {
            left_s @ 1..=limits::LEASE_S => {
                Self::Foreign { ends_ms: now.mono_ms.saturating_add(left_s * 1000) }
            }
            _ => Self::None,
        }
    }

    pub(crate) fn is_foreign(self, now: Now) -> bool {
        matches!(self, Self::Foreign { ends_ms } if ends_ms > now.mono_ms)
    }

    pub(crate) fn is_own(self, now: Now) -> bool {
        matches!(self, Self::Own { until_s } if until_s > now.unix_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_end_on_the_monotonic_clock() {
        let now = Now::new(5_000, 1_000);
        let lease = Lease::read(Some(1_000 + limits::LEASE_S), now);
        assert!(lease.is_foreign(now));
        assert!(
            !lease.is_foreign(Now::new(5_000 + limits::LEASE_S * 1000, 0)),
            "though the wall clock was set back"
        );
        assert_eq!(Lease::read(Some(1_000), now), Lease::None, "it is over");
        assert_eq!(
            Lease::read(Some(1_001 + limits::LEASE_S), now),
            Lease::None,
            "longer than any that is made"
        );
        assert_eq!(Lease::read(None, now), Lease::None);
    }
}
