//! Servers that are busy for a moment, and until when they are waited for.

use crate::error::Exchange;

/// The waits of one part of the engine.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// Until when the present one lasts, on the monotonic clock.
    pub(crate) until_ms: u64,
    /// For which exchanges there was one.
    pub(crate) waited: Vec<Exchange>,
}
