//! Time as a value.

/// The instant at which an input reaches Grantor; supplied with every input, read from no clock.
///
/// Two clocks, because each alone lies: the monotonic one may stand still while a laptop sleeps, the
/// wall clock may be set. A token counts as expired when either says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a monotonic clock with an arbitrary origin, the same for the life of one engine.
    pub mono_ms: u64,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix_s: u64,
}

impl Now {
    /// The instant `mono_ms` on the monotonic clock and `unix_s` on the wall clock.
    pub const fn new(mono_ms: u64, unix_s: u64) -> Self {
        Self { mono_ms, unix_s }
    }

    /// This instant moved by `ms` milliseconds on both clocks.
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self { mono_ms: self.mono_ms.saturating_add(ms), unix_s: self.unix_s.saturating_add(ms / 1000) }
    }
}
