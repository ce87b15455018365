//! Answers to effects.

use grantor::error::{Failure, FailureKind};
use grantor::wire::HttpResponse;
use grantor::wire::token::TokenTypeUri;
use grantor::{Completion, RecordRevision, Stored};

use crate::border::{Refused, border, handle};
use crate::machine::grantor_machine;
use crate::result::grantor_result::{self, GRANTOR_RESULT_UNKNOWN_VALUE};
use crate::system::grantor_now;
use crate::text::{grantor_bytes, grantor_header, grantor_str, headers};

/// A record's revision: 16 bytes that the store chooses, of equal content when they are equal. The first 16 bytes of a
/// hash of the content do, and so does a counter that never repeats.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct grantor_revision {
    /// The revision.
    pub bytes: [u8; 16],
}

/// Why an effect failed.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum grantor_failure {
    /// Anything else.
    GRANTOR_FAILURE_OTHER = 0,
    /// The body was larger than the effect allows.
    GRANTOR_FAILURE_BODY_TOO_LARGE = 1,
    /// The connection broke, or the answer was no HTTP or was cut off.
    GRANTOR_FAILURE_BROKEN = 2,
    /// The program has no means: no browser, no place for the callback, no store.
    GRANTOR_FAILURE_IMPOSSIBLE = 3,
    /// Not done within its deadline.
    GRANTOR_FAILURE_TIMED_OUT = 4,
    /// No connection could be made: name, network, TLS.
    GRANTOR_FAILURE_UNREACHABLE = 5,
}

const FAILURES: [(grantor_failure, FailureKind); 6] = [
    (grantor_failure::GRANTOR_FAILURE_OTHER, FailureKind::Other),
    (grantor_failure::GRANTOR_FAILURE_BODY_TOO_LARGE, FailureKind::BodyTooLarge),
    (grantor_failure::GRANTOR_FAILURE_BROKEN, FailureKind::Broken),
    (grantor_failure::GRANTOR_FAILURE_IMPOSSIBLE, FailureKind::Impossible),
    (grantor_failure::GRANTOR_FAILURE_TIMED_OUT, FailureKind::TimedOut),
    (grantor_failure::GRANTOR_FAILURE_UNREACHABLE, FailureKind::Unreachable),
];

/// What an assertion is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum grantor_assertion {
    /// An ID token of OpenID Connect.
    GRANTOR_ASSERTION_ID_TOKEN = 1,
    /// A JWT of another kind, such as a workload's.
    GRANTOR_ASSERTION_JWT = 2,
    /// A refresh token of the identity provider.
    GRANTOR_ASSERTION_REFRESH_TOKEN = 3,
    /// A SAML 2.0 assertion, base64url-encoded.
    GRANTOR_ASSERTION_SAML2 = 4,
}

const ASSERTIONS: [(grantor_assertion, TokenTypeUri); 4] = [
    (grantor_assertion::GRANTOR_ASSERTION_ID_TOKEN, TokenTypeUri::IdToken),
    (grantor_assertion::GRANTOR_ASSERTION_JWT, TokenTypeUri::Jwt),
    (grantor_assertion::GRANTOR_ASSERTION_REFRESH_TOKEN, TokenTypeUri::RefreshToken),
    (grantor_assertion::GRANTOR_ASSERTION_SAML2, TokenTypeUri::Saml2),
];

/// Gives an answer to the machine.
///
/// # Safety
/// A handle, as the header says.
unsafe fn complete(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
    with: impl FnOnce() -> Result<Completion<'static>, Refused>,
) -> grantor_result {
    // SAFETY: the caller's promise.
    border(|| unsafe { handle(machine) }?.complete(now.into(), op, with()?))
}

/// Answers `GRANTOR_OUTPUT_HTTP` with a response of whatever status: all header lines, and the body without any content
/// coding. Everything is copied that is needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_http(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
    status: u16,
    lines: *const grantor_header,
    lines_len: usize,
    body: grantor_bytes,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle, header lines and bytes, as the header says.
        let (machine, headers, body) =
            unsafe { (handle(machine)?, headers(lines, lines_len)?, body.read()?) };
        machine.complete(now.into(), op, Completion::Http(HttpResponse { status, headers: &headers, body }))
    })
}

/// Answers any effect that could not be performed; `kind` is a `grantor_failure`. `detail` is for a person, without
/// secrets, and may be empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_failed(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
    kind: u32,
    detail: grantor_str,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and a text, as the header says.
        let (machine, detail) = unsafe { (handle(machine)?, detail.read()?) };
        let known = FAILURES.iter().find(|(number, _)| *number as u32 == kind);
        let (_, kind) = known.ok_or(GRANTOR_RESULT_UNKNOWN_VALUE)?;
        machine.complete(now.into(), op, Completion::Failed(Failure::new(*kind, detail)))
    })
}

/// Answers `GRANTOR_OUTPUT_LOAD` with what the store holds, whatever it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_loaded(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
    record: grantor_bytes,
    revision: grantor_revision,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and bytes, as the header says.
        let (machine, record) = unsafe { (handle(machine)?, record.read()?) };
        let stored = Stored { record, revision: RecordRevision(revision.bytes) };
        machine.complete(now.into(), op, Completion::Loaded(Some(stored)))
    })
}

/// Answers `GRANTOR_OUTPUT_LOAD`: the store holds no such record.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_not_stored(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { complete(machine, now, op, || Ok(Completion::Loaded(None))) }
}

/// Answers `GRANTOR_OUTPUT_SAVE`: the record is durable, and of this revision now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_saved(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
    revision: grantor_revision,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { complete(machine, now, op, || Ok(Completion::Saved(RecordRevision(revision.bytes)))) }
}

/// Answers `GRANTOR_OUTPUT_SAVE` or `GRANTOR_OUTPUT_DELETE`: another revision is stored, or a record is there although
/// none should be. Nothing was changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_conflict(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { complete(machine, now, op, || Ok(Completion::Conflict)) }
}

/// Answers `GRANTOR_OUTPUT_DELETE`: the record is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_deleted(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { complete(machine, now, op, || Ok(Completion::Deleted)) }
}

/// Answers `GRANTOR_OUTPUT_APPROVE`: the user agreed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_approved(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { complete(machine, now, op, || Ok(Completion::Approved)) }
}

/// Answers `GRANTOR_OUTPUT_APPROVE`, `GRANTOR_OUTPUT_AUTHORIZE` or `GRANTOR_OUTPUT_SHOW_CODE`: the user said no, or gave
/// up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_declined(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { complete(machine, now, op, || Ok(Completion::Declined)) }
}

/// Answers `GRANTOR_OUTPUT_LISTEN`: the browser can come back to this URI, exactly as it will be registered and sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_listening(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
    redirect_uri: grantor_str,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and a text, as the header says.
        let (machine, redirect_uri) = unsafe { (handle(machine)?, redirect_uri.read()?) };
        machine.complete(now.into(), op, Completion::Listening { redirect_uri })
    })
}

/// Answers `GRANTOR_OUTPUT_AUTHORIZE`: the browser came back with this URL, or request target, as received. What does
/// not answer the prompt is ignored, and the prompt stays open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_callback(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
    url: grantor_str,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and a text, as the header says.
        let (machine, url) = unsafe { (handle(machine)?, url.read()?) };
        machine.complete(now.into(), op, Completion::Callback { url })
    })
}

/// Answers `GRANTOR_OUTPUT_ASSERT` with an assertion; `kind` is a `grantor_assertion`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_assertion(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
    kind: u32,
    token: grantor_str,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and a text, as the header says.
        let (machine, token) = unsafe { (handle(machine)?, token.read()?) };
        let known = ASSERTIONS.iter().find(|(number, _)| *number as u32 == kind);
        let (_, kind) = known.ok_or(GRANTOR_RESULT_UNKNOWN_VALUE)?;
        machine.complete(now.into(), op, Completion::Assertion { token, kind: *kind })
    })
}

/// Answers `GRANTOR_OUTPUT_SIGN` with a signature: for ECDSA r and s, each of fixed length (RFC 7518 3.4).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_signed(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
    signature: grantor_bytes,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and bytes, as the header says.
        let (machine, signature) = unsafe { (handle(machine)?, signature.read()?) };
        machine.complete(now.into(), op, Completion::Signed { signature })
    })
}

/// Answers `GRANTOR_OUTPUT_CHECK_TOKEN`: what the token is, an object in JSON with the members of an introspection
/// answer (RFC 7662 2.2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_token_checked(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
    claims: grantor_str,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and a text, as the header says.
        let (machine, claims) = unsafe { (handle(machine)?, claims.read()?) };
        machine.complete(now.into(), op, Completion::TokenChecked(Some(claims)))
    })
}

/// Answers `GRANTOR_OUTPUT_CHECK_TOKEN`: the token is not valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_complete_token_not_valid(
    machine: *mut grantor_machine,
    now: grantor_now,
    op: u64,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { complete(machine, now, op, || Ok(Completion::TokenChecked(None))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_the_names_of_all_bindings() {
        for (number, kind) in FAILURES {
            let name = grantor_bindings::failure_name(kind).to_uppercase();
            assert_eq!(format!("{number:?}"), format!("GRANTOR_FAILURE_{name}"));
        }
    }
}
