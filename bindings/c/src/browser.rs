//! The browser of this library, with its loopback receiver, which performs the interactions with the user.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use grantor::{Effect, Interaction, Now};
use grantor_driver::{Browser, Wait};

use crate::border::{self, Out, border, boxed, handle};
use crate::machine::grantor_machine;
use crate::output::grantor_output;
use crate::result::grantor_result::{self, GRANTOR_RESULT_NOT_PERFORMED};
use crate::system::grantor_now;

/// The user's browser, and a receiver on the loopback interface that it comes back to. Any number of threads may use one
/// at a time, for one machine.
pub struct grantor_browser {
    browser: Browser,
    waits: Mutex<BTreeMap<u64, Wait>>,
}

impl fmt::Debug for grantor_browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("grantor_browser").finish_non_exhaustive()
    }
}

impl grantor_browser {
    fn waits(&self) -> MutexGuard<'_, BTreeMap<u64, Wait>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system's browser, or where `pasted` is true a person who opens the page on whatever machine and pastes the URL
/// that it came back to into standard input. The page's address and the codes of devices are told on standard error.
/// Free it with `grantor_browser_free`.
///
/// It does not know whom to trust: answer `GRANTOR_OUTPUT_APPROVE` yourself, or set `GRANTOR_OPTION_TRUST`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_browser_new(
    pasted: bool,
    browser: *mut *mut grantor_browser,
) -> grantor_result {
    border(|| {
        let out = Out::new(browser)?;
        let made = if pasted { Browser::pasted() } else { Browser::default() };
        // SAFETY: `browser` is good for writing.
        unsafe { out.put(boxed(grantor_browser { browser: made, waits: Mutex::default() })) };
        Ok(())
    })
}

/// Performs a `GRANTOR_OUTPUT_LISTEN`, `_AUTHORIZE` or `_SHOW_CODE`, and answers it; `GRANTOR_RESULT_NOT_PERFORMED` for
/// any other output. With `_AUTHORIZE` it blocks until the browser came back, the deadline has passed, or another thread
/// calls `grantor_browser_abandon`: a program with more to do gives it a thread of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_browser_perform(
    browser: *const grantor_browser,
    machine: *mut grantor_machine,
    now: grantor_now,
    output: *const grantor_output,
) -> grantor_result {
    border(|| {
        // SAFETY: handles, as the header says.
        let (browser, machine, output) = unsafe { (handle(browser)?, handle(machine)?, handle(output)?) };
        let Some(Effect::Interact(interaction)) = &output.effect else {
            return Err(GRANTOR_RESULT_NOT_PERFORMED.into());
        };
        if matches!(interaction, Interaction::Approve(_)) {
            return Err(GRANTOR_RESULT_NOT_PERFORMED.into());
        }
        let (op, start) = (output.op()?, Instant::now());
        let left = output.deadline_ms()?.saturating_sub(now.mono_ms).min(24 * 60 * 60 * 1000);
        let wait = Wait::until(start + Duration::from_millis(left));
        browser.waits().insert(op, wait.clone());
        let performed = grantor_driver::interact(&browser.browser, interaction, &wait);
        browser.waits().remove(&op);
        let took = start.elapsed();
        let mono_ms = now.mono_ms.saturating_add(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        let later = Now::new(mono_ms, now.unix_s.saturating_add(took.as_secs()));
        match performed {
            Some(performed) => machine.complete(later, op, performed.completion()),
            None => Ok(()), // the answer comes by another way
        }
    })
}

/// Stops waiting for the answer to this effect, as `GRANTOR_OUTPUT_ABANDON` asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_browser_abandon(browser: *const grantor_browser, op: u64) -> grantor_result {
    border(|| {
        // SAFETY: a handle, as the header says.
        if let Some(wait) = unsafe { handle(browser) }?.waits().get(&op) {
            wait.abandon();
        }
        Ok(())
    })
}

/// Frees a browser; none of its functions may be running. NULL is nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_browser_free(browser: *mut grantor_browser) {
    // SAFETY: it came from this library.
    unsafe { border::free(browser) };
}
