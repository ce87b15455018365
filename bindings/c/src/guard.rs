//! Inputs of guards.

use grantor::resource::RequestHead;
use http::{Method, Uri};

use crate::border::{Out, Refused, border, boxed, handle};
use crate::machine::grantor_machine;
use crate::output::grantor_output;
use crate::result::grantor_result::{self, GRANTOR_RESULT_NOT_HTTP};
use crate::system::grantor_now;
use crate::text::{grantor_bytes, grantor_header, grantor_str, headers};

/// The head of a request to the protected server.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct grantor_request {
    /// The HTTP method.
    pub method: grantor_str,
    /// The request target: `/mcp?x=1`, as it was received.
    pub target: grantor_str,
    /// All header lines.
    pub headers: *const grantor_header,
    /// How many there are.
    pub headers_len: usize,
}

/// Decides about a request. `body` is NULL at first, and the whole body when `GRANTOR_OUTPUT_NEED_BODY` asked for it.
///
/// The decision is one of `GRANTOR_OUTPUT_ALLOW`, `_ANSWER`, `_NEED_BODY` and `_WAIT`. After the last two check again, with
/// the same head; nothing is remembered of a request. Free it with `grantor_output_free`. Then ask for outputs: a check
/// may have led to effects.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_guard_check(
    machine: *mut grantor_machine,
    now: grantor_now,
    request: grantor_request,
    body: *const grantor_bytes,
    decision: *mut *mut grantor_output,
) -> grantor_result {
    border(|| {
        let out = Out::new(decision)?;
        // SAFETY: a handle, a request and bytes, as the header says.
        let (machine, read, body) = unsafe {
            let body = body.as_ref().map(|body| body.read()).transpose()?;
            (handle(machine)?, Read::of(request)?, body)
        };
        let decision = machine.guard(|guard| guard.check(now.into(), &read.head(), body))?;
        // SAFETY: `decision` is good for writing.
        unsafe { out.put(boxed(grantor_output::decided(decision))) };
        Ok(())
    })
}

/// What answers a request whose body is larger than the guard reads: a `GRANTOR_OUTPUT_ANSWER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_guard_too_large(
    machine: *mut grantor_machine,
    request: grantor_request,
    answer: *mut *mut grantor_output,
) -> grantor_result {
    border(|| {
        let out = Out::new(answer)?;
        // SAFETY: a handle and a request, as the header says.
        let (machine, read) = unsafe { (handle(machine)?, Read::of(request)?) };
        let answer = machine.guard(|guard| guard.too_large(&read.head()))?;
        // SAFETY: `answer` is good for writing.
        unsafe { out.put(boxed(grantor_output::answer(answer))) };
        Ok(())
    })
}

/// The headers that the response to a request that was let through gets besides its own, as a `GRANTOR_OUTPUT_HEADERS`:
/// what lets web pages read it, and nonces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_guard_answer_headers(
    machine: *mut grantor_machine,
    now: grantor_now,
    request: grantor_request,
    answer_headers: *mut *mut grantor_output,
) -> grantor_result {
    border(|| {
        let out = Out::new(answer_headers)?;
        // SAFETY: a handle and a request, as the header says.
        let (machine, read) = unsafe { (handle(machine)?, Read::of(request)?) };
        let headers = machine.guard(|guard| guard.answer_headers(now.into(), &read.head()))?;
        // SAFETY: `answer_headers` is good for writing.
        unsafe { out.put(boxed(grantor_output::added(headers))) };
        Ok(())
    })
}

/// A request that was read.
struct Read {
    method: Method,
    target: Uri,
    headers: http::HeaderMap,
}

impl Read {
    /// # Safety
    /// Texts and header lines, as of [`grantor_str`] and [`headers`].
    unsafe fn of(request: grantor_request) -> Result<Self, Refused> {
        // SAFETY: the caller's promise.
        let (method, target, headers) = unsafe {
            (request.method.read()?, request.target.read()?, headers(request.headers, request.headers_len)?)
        };
        let wrong = |what| Refused::told(GRANTOR_RESULT_NOT_HTTP, what);
        Ok(Self {
            method: method.parse().map_err(|_| wrong("the method is none of HTTP"))?,
            target: target.parse().map_err(|_| wrong("the request target is none of HTTP"))?,
            headers,
        })
    }

    fn head(&self) -> RequestHead<'_> {
        RequestHead::new(&self.method, &self.target, &self.headers)
    }
}
