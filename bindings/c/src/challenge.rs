//! Challenges: the values of `WWW-Authenticate`, read and written (RFC 9110 11.6.1).

use std::fmt;
use std::ptr;

use grantor::wire::challenge::{Challenge, Challenges};

use crate::border::{self, Out, Refused, border, boxed, boxed_or_null, handle};
use crate::output::grantor_output;
use crate::result::grantor_result::{self, GRANTOR_RESULT_MALFORMED};
use crate::text::{grantor_str, slice};

/// Challenges that were read. They do not change: any number of threads may read them.
pub struct grantor_challenges(Vec<Challenge>);

impl fmt::Debug for grantor_challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("grantor_challenges").field("len", &self.0.len()).finish()
    }
}

/// Reads the values of all `WWW-Authenticate` lines of a response: several challenges in a line, commas inside of quotes.
/// `GRANTOR_RESULT_MALFORMED` when one breaks the grammar. Free them with `grantor_challenges_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_challenges_parse(
    lines: *const grantor_str,
    lines_len: usize,
    challenges: *mut *mut grantor_challenges,
) -> grantor_result {
    border(|| {
        let out = Out::new(challenges)?;
        // SAFETY: lines, as the header says; header values need not be UTF-8.
        let lines: Result<Vec<&[u8]>, Refused> = unsafe {
            slice(lines, lines_len)?.iter().map(|line| slice(line.data.cast::<u8>(), line.len)).collect()
        };
        let parsed = Challenges::parse(lines?).map_err(|_| GRANTOR_RESULT_MALFORMED)?;
        // SAFETY: `challenges` is good for writing.
        unsafe { out.put(boxed(grantor_challenges(parsed.iter().cloned().collect()))) };
        Ok(())
    })
}

/// The challenge at this place, in order, as a `GRANTOR_OUTPUT_CHALLENGE`; NULL past the last one. Its parameters are
/// the output's headers, with names in small letters and values without quotes. Free it with `grantor_output_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_challenges_get(
    challenges: *const grantor_challenges,
    place: usize,
    challenge: *mut *mut grantor_output,
) -> grantor_result {
    border(|| {
        let out = Out::new(challenge)?;
        // SAFETY: a handle, as the header says.
        let found = unsafe { handle(challenges) }?.0.get(place);
        // SAFETY: `challenge` is good for writing.
        unsafe { out.put(boxed_or_null(found.map(grantor_output::challenge))) };
        Ok(())
    })
}

/// Frees challenges. NULL is nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_challenges_free(challenges: *mut grantor_challenges) {
    // SAFETY: it came from `grantor_challenges_parse`.
    unsafe { border::free(challenges) };
}

/// A parameter of a challenge to write.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct grantor_parameter {
    /// Its name.
    pub name: grantor_str,
    /// Its value, without quotes.
    pub value: grantor_str,
}

/// Writes a challenge into `buffer`, quoted as need be: `Bearer scope="files:read"`. `len` gets its length, also when
/// `capacity` is too small for it; then nothing else is written, and the result is `GRANTOR_RESULT_TOO_LONG`. There is no
/// NUL at its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_challenge_write(
    scheme: grantor_str,
    parameters: *const grantor_parameter,
    parameters_len: usize,
    buffer: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> grantor_result {
    border(|| {
        let out = Out::new(len)?;
        // SAFETY: a text and parameters, as the header says.
        let (scheme, parameters) = unsafe { (scheme.read()?, slice(parameters, parameters_len)?) };
        let mut challenge = Challenge::new(scheme).map_err(|_| GRANTOR_RESULT_MALFORMED)?;
        for parameter in parameters {
            // SAFETY: as before.
            let (name, value) = unsafe { (parameter.name.read()?, parameter.value.read()?) };
            challenge = challenge.param(name, value).map_err(|_| GRANTOR_RESULT_MALFORMED)?;
        }
        let written = challenge.to_string();
        // SAFETY: `len` is good for writing.
        unsafe { out.put(written.len()) };
        if written.len() > capacity {
            return Err(grantor_result::GRANTOR_RESULT_TOO_LONG.into());
        }
        if buffer.is_null() {
            return Err(grantor_result::GRANTOR_RESULT_NULL_POINTER.into());
        }
        // SAFETY: `buffer` is good for writing `capacity` bytes, and these are no more.
        unsafe { ptr::copy_nonoverlapping(written.as_ptr(), buffer, written.len()) };
        Ok(())
    })
}
