//! Outputs as the dataclasses of `grantor._types`.

use grantor::client::{Credentials, Output, Verdict};
use grantor::resource::{self, Answer, Decision, Grant};
use grantor::{Effect, Interaction, RecordRevision};
use grantor_bindings::{notice_name, snake, variant};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyModule};

use crate::effects::{AuthorizationPrompt, DevicePrompt, HttpRequest, StoreKey, Summary, scopes};
use crate::errors;
use crate::headers;

static TYPES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// A class of `grantor._types`.
pub(crate) fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let import = || py.import("grantor._types").map(Bound::unbind);
    TYPES.get_or_try_init(py, import)?.bind(py).getattr(name)
}

fn make<'py>(
    py: Python<'py>,
    name: &str,
    fields: impl pyo3::call::PyCallArgs<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    class(py, name)?.call1(fields)
}

pub(crate) fn output(py: Python<'_>, output: Output) -> PyResult<Option<Bound<'_, PyAny>>> {
    let made = match output {
        Output::Abandon { op } => make(py, "Abandon", (op.to_u64(),)),
        Output::Call { call, verdict: given } => make(py, "Call", (call.to_u64(), verdict(py, given)?)),
        Output::NeedEntropy { len } => make(py, "NeedEntropy", (len,)),
        Output::Notice(notice) => make(
            py,
            "Notice",
            (notice_name(&notice), notice.to_string(), notice.is_warning() || notice.is_for_user()),
        ),
        Output::Perform { op, deadline_ms, effect: asked, why } => {
            make(py, "Perform", (op.to_u64(), deadline_ms, effect(py, asked)?, why))
        }
        _ => return Ok(None),
    };
    made.map(Some)
}

fn verdict(py: Python<'_>, verdict: Verdict) -> PyResult<Bound<'_, PyAny>> {
    match verdict {
        Verdict::Deliver => make(py, "Deliver", ()),
        Verdict::Done => make(py, "Done", ()),
        Verdict::Fail(report) => make(py, "Fail", (errors::exception(py, &report)?,)),
        Verdict::Send(credentials) => send(py, &credentials),
        _ => make(py, "Fail", (errors::host(py, "other", "a verdict that this binding is too old for"),)),
    }
}

fn send<'py>(py: Python<'py>, credentials: &Credentials) -> PyResult<Bound<'py, PyAny>> {
    make(py, "Send", (headers::pairs(py, credentials.iter())?,))
}

fn effect(py: Python<'_>, effect: Effect) -> PyResult<Bound<'_, PyAny>> {
    let revision = |revision: RecordRevision| PyBytes::new(py, &revision.0);
    match effect {
        Effect::Assert(asked) => {
            let kind = snake(&variant(&asked.kind));
            let scopes = scopes(py, &asked.scopes)?;
            make(py, "Assert", (kind, &*asked.audience, &*asked.resource, scopes))
        }
        Effect::CheckToken { token } => make(py, "CheckToken", (token.expose(),)),
        Effect::Delete { key, expect } => make(py, "Delete", (StoreKey(key), revision(expect))),
        Effect::Http { request, max_body } => make(py, "Http", (HttpRequest(request), max_body)),
        Effect::Interact(Interaction::Approve(summary)) => make(py, "Approve", (Summary(*summary),)),
        Effect::Interact(Interaction::Authorize(prompt)) => {
            make(py, "Authorize", (AuthorizationPrompt(prompt),))
        }
        Effect::Interact(Interaction::Device(prompt)) => make(py, "ShowCode", (DevicePrompt(prompt),)),
        Effect::Interact(Interaction::Listen { preferred }) => make(py, "Listen", (preferred.as_deref(),)),
        Effect::Load { key } => make(py, "Load", (StoreKey(key),)),
        Effect::Save { key, record, expect, expires_at_s } => {
            let record = PyBytes::new(py, record.expose().as_bytes());
            make(py, "Save", (StoreKey(key), record, expect.map(revision), expires_at_s))
        }
        Effect::Sign { key, algorithm, input } => {
            make(py, "Sign", (&*key, algorithm.to_string(), PyBytes::new(py, &input)))
        }
        _ => make(py, "Unknown", ()),
    }
}

/// What a guard says.
pub(crate) fn guard_output(py: Python<'_>, output: resource::Output) -> PyResult<Option<Bound<'_, PyAny>>> {
    let made = match output {
        resource::Output::Notice(notice) => {
            make(py, "Notice", (snake(&variant(&notice)), notice.to_string(), notice.is_warning()))
        }
        resource::Output::Perform { op, deadline_ms, effect: asked, why } => {
            make(py, "Perform", (op.to_u64(), deadline_ms, effect(py, asked)?, why))
        }
        resource::Output::Ready { check } => make(py, "Ready", (check.to_u64(),)),
        _ => return Ok(None),
    };
    made.map(Some)
}

/// What becomes of a request.
pub(crate) fn decision(py: Python<'_>, decision: Decision) -> PyResult<Bound<'_, PyAny>> {
    match decision {
        Decision::Allow(None) => make(py, "Allow", (py.None(),)),
        Decision::Allow(Some(grant)) => make(py, "Allow", (granted(py, &grant)?,)),
        Decision::Answer(given) => answer(py, *given),
        Decision::NeedBody { max } => make(py, "NeedBody", (max,)),
        Decision::Wait(check) => make(py, "CheckAgain", (check.to_u64(),)),
        // What this binding is too old for lets nobody through.
        _ => make(
            py,
            "Answer",
            (503, Vec::<(String, String)>::new(), PyBytes::new(py, b""), py.None(), py.None()),
        ),
    }
}

fn granted<'py>(py: Python<'py>, grant: &Grant) -> PyResult<Bound<'py, PyAny>> {
    let fields = (
        &*grant.issuer,
        grant.subject.as_deref(),
        grant.client_id.as_deref(),
        scopes(py, &grant.scopes)?,
        grant.expires_at_s,
        grant.auth_time_s,
        grant.acr.as_deref(),
    );
    make(py, "Grant", fields)
}

/// An answer in place of the server's.
pub(crate) fn answer(py: Python<'_>, answer: Answer) -> PyResult<Bound<'_, PyAny>> {
    let headers = headers::pairs(py, answer.headers.iter().map(|(name, value)| (name.clone(), value)))?;
    let refusal = answer.refusal.map(|refusal| snake(&variant(&refusal)));
    let message = answer.refusal.map(|refusal| refusal.to_string());
    make(py, "Answer", (answer.status, headers, PyBytes::new(py, &answer.body), refusal, message))
}
