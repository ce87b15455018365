//! The driver's browser and loopback receiver.

use std::sync::Arc;
use std::time::{Duration, Instant};

use grantor_bindings::failure_name;
use grantor_driver::{Answer, InteractionFailure, UserAgent as _};
use pyo3::prelude::*;

use crate::effects::{AuthorizationPrompt, DevicePrompt, Summary};
use crate::errors;
use crate::outputs::class;

#[pyclass(frozen, module = "grantor")]
pub(crate) struct Wait(grantor_driver::Wait);

#[pymethods]
impl Wait {
    #[new]
    fn new(seconds: f64) -> Self {
        let most = Duration::from_secs(24 * 60 * 60);
        let time = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(most).min(most);
        Self(grantor_driver::Wait::until(Instant::now() + time))
    }

    fn abandon(&self) {
        self.0.abandon();
    }

    #[getter]
    fn is_over(&self) -> bool {
        self.0.is_over()
    }
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct Browser(grantor_driver::Browser);

/// Calls Python; an exception is told the interpreter, and answered as `None`.
fn call<T>(of: &Py<PyAny>, then: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> Result<T, String> {
    Python::attach(|py| {
        then(of.bind(py)).map_err(|error| {
            let text = error.to_string();
            error.write_unraisable(py, Some(of.bind(py)));
            text
        })
    })
}

#[pymethods]
impl Browser {
    #[new]
    #[pyo3(signature = (show=None, *, on_question=None, on_code=None, tell=None, port=0, pasted=false))]
    fn new(
        show: Option<Py<PyAny>>,
        on_question: Option<Py<PyAny>>,
        on_code: Option<Py<PyAny>>,
        tell: Option<Py<PyAny>>,
        port: u16,
        pasted: bool,
    ) -> Self {
        let mut browser = match (show, pasted) {
            (_, true) => grantor_driver::Browser::pasted(),
            (None, false) => grantor_driver::Browser::default(),
            (Some(show), false) => {
                let show = Arc::new(show);
                grantor_driver::Browser::open_with(move |url| {
                    call(&show, |show| show.call1((url,)).map(|_| ()))
                })
            }
        };
        if let Some(approve) = on_question {
            browser = browser.on_question(move |summary| {
                let summary = Summary(summary.clone());
                call(&approve, |approve| approve.call1((summary,))?.is_truthy()).unwrap_or(false)
            });
        }
        if let Some(show) = on_code {
            browser = browser.on_code(move |prompt| {
                let prompt = DevicePrompt(Box::new(prompt.clone()));
                let _ = call(&show, |show| show.call1((prompt,)).map(|_| ()));
            });
        }
        if let Some(tell) = tell {
            browser = browser.told_by(move |words| {
                let _ = call(&tell, |tell| tell.call1((words,)).map(|_| ()));
            });
        }
        Self(browser.port(port))
    }

    #[pyo3(signature = (preferred=None))]
    fn listen(&self, py: Python<'_>, preferred: Option<&str>) -> PyResult<String> {
        py.detach(|| self.0.listen(preferred)).map_err(|failure| failed(py, &failure))
    }

    fn approve(&self, py: Python<'_>, summary: &Summary) -> bool {
        py.detach(|| self.0.approve(&summary.0))
    }

    fn authorize<'py>(
        &self,
        py: Python<'py>,
        prompt: &AuthorizationPrompt,
        wait: &Wait,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        answered(py, py.detach(|| self.0.authorize(&prompt.0, &wait.0)))
    }

    fn show_code<'py>(
        &self,
        py: Python<'py>,
        prompt: &DevicePrompt,
        wait: &Wait,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        answered(py, py.detach(|| self.0.show_code(&prompt.0, &wait.0)))
    }
}

fn answered(
    py: Python<'_>,
    answer: Result<Answer, InteractionFailure>,
) -> PyResult<Option<Bound<'_, PyAny>>> {
    match answer.map_err(|failure| failed(py, &failure))? {
        Answer::Callback(url) => class(py, "Callback")?.call1((url,)).map(Some),
        Answer::CallbackWithoutState(url) => class(py, "CallbackWithoutState")?.call1((url,)).map(Some),
        Answer::Declined => class(py, "Declined")?.call0().map(Some),
        _ => Ok(None),
    }
}

fn failed(py: Python<'_>, failure: &InteractionFailure) -> PyErr {
    errors::host(py, failure_name(failure.kind), &failure.detail)
}
