//! The time of inputs.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use grantor::Now;

use crate::engine::Instants;

/// The system's clocks, the monotonic one from when the machine was made.
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time that was given, or the system's.
    pub(crate) fn time(&self, now: Instants) -> Now {
        if let Some((mono_ms, unix_s)) = now {
            return Now::new(mono_ms, unix_s);
        }
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mono_ms = u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now::new(mono_ms, unix.as_secs())
    }
}
