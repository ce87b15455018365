//! Inputs of clients.

use grantor::client::{CallId, RequestHead, ResponseHead};
use grantor::wire::challenge::Challenges;

use crate::border::{Out, Refused, border, handle};
use crate::machine::grantor_machine;
use crate::result::grantor_result::{self, GRANTOR_RESULT_MALFORMED};
use crate::system::grantor_now;
use crate::text::{grantor_header, grantor_str, headers, slice};

/// Begins a call: a request to the MCP server, however often it is sent. `method` is the HTTP method, `url` the absolute
/// URL. `lines` need only be the request's `Mcp-Method` and `Mcp-Name` headers, if it has them; NULL for none.
///
/// The outputs say what becomes of it: `GRANTOR_OUTPUT_CALL_SEND` with the headers to send it with, after which
/// `grantor_client_report` tells the response; `GRANTOR_OUTPUT_CALL_DELIVER` when the response is the one for the caller;
/// `GRANTOR_OUTPUT_CALL_FAIL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_client_authorize(
    machine: *mut grantor_machine,
    now: grantor_now,
    method: grantor_str,
    url: grantor_str,
    lines: *const grantor_header,
    lines_len: usize,
    call: *mut u64,
) -> grantor_result {
    border(|| {
        let out = Out::new(call)?;
        // SAFETY: a handle, texts and header lines, as the header says.
        let (machine, method, url) = unsafe { (handle(machine)?, method.read()?, url.read()?) };
        let head = RequestHead::new(method, url);
        let call = if lines_len == 0 {
            machine.client(|engine| engine.authorize(now.into(), head))
        } else {
            // SAFETY: as before.
            let headers = unsafe { headers(lines, lines_len) }?;
            machine.client(|engine| engine.authorize(now.into(), head.headers(&headers)))
        }?;
        // SAFETY: `call` is good for writing.
        unsafe { out.put(call.to_u64()) };
        Ok(())
    })
}

/// Tells the response that came to a call: its status and all header lines. Its body is the program's alone. When there
/// is none, `grantor_client_cancel` ends the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_client_report(
    machine: *mut grantor_machine,
    now: grantor_now,
    call: u64,
    status: u16,
    lines: *const grantor_header,
    lines_len: usize,
) -> grantor_result {
    border(|| {
        // SAFETY: a handle and header lines, as the header says.
        let (machine, headers) = unsafe { (handle(machine)?, headers(lines, lines_len)?) };
        let head = ResponseHead { status, headers: &headers };
        machine.client(|engine| engine.report(now.into(), CallId::from_u64(call), head))
    })
}

/// Gives up a call. What other calls wait for goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_client_cancel(machine: *mut grantor_machine, call: u64) -> grantor_result {
    border(|| {
        // SAFETY: a handle, as the header says.
        unsafe { handle(machine) }?.client(|engine| {
            engine.cancel(CallId::from_u64(call));
            Ok(())
        })
    })
}

/// Obtains a token before it is needed. The call ends with `GRANTOR_OUTPUT_CALL_DONE`, or fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_client_log_in(
    machine: *mut grantor_machine,
    now: grantor_now,
    call: *mut u64,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { called(machine, call, |engine| engine.log_in(now.into())) }
}

/// Revokes the tokens at the authorization server, where it can, and deletes them. The call ends with
/// `GRANTOR_OUTPUT_CALL_DONE`, or fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_client_log_out(
    machine: *mut grantor_machine,
    now: grantor_now,
    call: *mut u64,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { called(machine, call, |engine| engine.log_out(now.into())) }
}

/// Deletes everything that is stored for the account and the resource, and tells nobody. The call ends with
/// `GRANTOR_OUTPUT_CALL_DONE`, or fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_client_forget(
    machine: *mut grantor_machine,
    now: grantor_now,
    call: *mut u64,
) -> grantor_result {
    // SAFETY: as the header says.
    unsafe { called(machine, call, |engine| engine.forget(now.into())) }
}

/// Takes a callback that came by another way than an answer to `GRANTOR_OUTPUT_AUTHORIZE`: to a web application's own
/// endpoint, or to a program that was restarted meanwhile. `url` is the URL as received. The call ends with
/// `GRANTOR_OUTPUT_CALL_DONE`, or fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_client_callback(
    machine: *mut grantor_machine,
    now: grantor_now,
    url: grantor_str,
    call: *mut u64,
) -> grantor_result {
    border(|| {
        let out = Out::new(call)?;
        // SAFETY: a handle and a text, as the header says.
        let (machine, url) = unsafe { (handle(machine)?, url.read()?) };
        let call = machine.client(|engine| Ok(engine.callback(now.into(), url)))?;
        // SAFETY: `call` is good for writing.
        unsafe { out.put(call.to_u64()) };
        Ok(())
    })
}

/// Obtains the scopes that these challenges demand (`lines`, values of `WWW-Authenticate`), for a request that was
/// answered outside of HTTP, such as in the result of a tool. The call ends with `GRANTOR_OUTPUT_CALL_DONE`, or fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn grantor_client_step_up(
    machine: *mut grantor_machine,
    now: grantor_now,
    method: grantor_str,
    url: grantor_str,
    lines: *const grantor_str,
    lines_len: usize,
    call: *mut u64,
) -> grantor_result {
    border(|| {
        let out = Out::new(call)?;
        // SAFETY: a handle, texts and lines, as the header says.
        let (machine, method, url) = unsafe { (handle(machine)?, method.read()?, url.read()?) };
        // SAFETY: as before.
        let lines: Result<Vec<&str>, Refused> =
            unsafe { slice(lines, lines_len)?.iter().map(|line| line.read()).collect() };
        let challenges = Challenges::parse(lines?);
        let challenges = challenges.map_err(|error| Refused::told(GRANTOR_RESULT_MALFORMED, error));
        let call = machine.with(|_| challenges).and_then(|challenges| {
            let head = RequestHead::new(method, url);
            machine.client(|engine| Ok(engine.step_up(now.into(), head, &challenges)))
        })?;
        // SAFETY: `call` is good for writing.
        unsafe { out.put(call.to_u64()) };
        Ok(())
    })
}

/// Begins a call that needs nothing but the time.
///
/// # Safety
/// As of every function.
unsafe fn called(
    machine: *mut grantor_machine,
    call: *mut u64,
    begin: impl FnOnce(&mut grantor::client::Engine) -> CallId,
) -> grantor_result {
    border(|| {
        let out = Out::new(call)?;
        // SAFETY: a handle, as the header says.
        let call = unsafe { handle(machine) }?.client(|engine| Ok(begin(engine)))?;
        // SAFETY: `call` is good for writing.
        unsafe { out.put(call.to_u64()) };
        Ok(())
    })
}
