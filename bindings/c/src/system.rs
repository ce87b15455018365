//! Time and entropy from the system, for programs that have no source of their own.

use std::mem::MaybeUninit;
use std::slice;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use grantor::Now;

use crate::border::{Out, border};
use crate::result::grantor_result::{
    self, GRANTOR_RESULT_NO_ENTROPY, GRANTOR_RESULT_NULL_POINTER, GRANTOR_RESULT_TOO_LONG,
};

/// The time of an input. A machine takes the latest of each that it was given.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct grantor_now {
    /// Milliseconds of a clock that only goes forward, from whatever start: the same for all inputs of a machine.
    pub mono_ms: u64,
    /// Seconds since 1970.
    pub unix_s: u64,
}

impl From<grantor_now> for Now {
    fn from(now: grantor_now) -> Self {
        Self::new(now.mono_ms, now.unix_s)
    }
}

/// Reads the system's clocks. The monotonic one counts from the first call in the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_now_read(now: *mut grantor_now) -> grantor_result {
    static START: OnceLock<Instant> = OnceLock::new();
    border(|| {
        let out = Out::new(now)?;
        let mono = START.get_or_init(Instant::now).elapsed();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mono_ms = u64::try_from(mono.as_millis()).unwrap_or(u64::MAX);
        // SAFETY: `now` is good for writing.
        unsafe { out.put(grantor_now { mono_ms, unix_s: unix.as_secs() }) };
        Ok(())
    })
}

/// Fills `len` bytes with random ones of the system, good for keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_entropy_read(bytes: *mut u8, len: usize) -> grantor_result {
    border(|| {
        if bytes.is_null() {
            return Err(GRANTOR_RESULT_NULL_POINTER.into());
        }
        if len > isize::MAX as usize {
            return Err(GRANTOR_RESULT_TOO_LONG.into());
        }
        // SAFETY: not NULL, no longer than an object can be, and `bytes` is good for writing so many.
        let bytes = unsafe { slice::from_raw_parts_mut(bytes.cast::<MaybeUninit<u8>>(), len) };
        getrandom::fill_uninit(bytes).map(drop).map_err(|_| GRANTOR_RESULT_NO_ENTROPY.into())
    })
}
