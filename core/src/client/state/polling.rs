//! A device authorization that waits for the user (RFC 8628).

use crate::wire::device::DeviceCodes;

/// The codes that the user has, and when to ask again.
#[derive(Debug)]
pub(crate) struct Polling {
    pub(crate) codes: DeviceCodes,
    pub(crate) interval_ms: u64,
    pub(crate) next_ms: u64,
    pub(crate) ends_ms: u64,
}

impl Polling {
    pub(crate) fn next_timeout(&self) -> u64 {
        self.next_ms.min(self.ends_ms)
    }
}
