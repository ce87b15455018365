//! The engine.

use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use grantor::client::{self, CallId, RequestHead, ResponseHead};
use grantor::wire::challenge::Challenges;
use grantor::{ApiMisuse, Now, OpId};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::clock::Clock;
use crate::completion::Answer;
use crate::config::Config;
use crate::errors;
use crate::headers::{self, Text};
use crate::outputs;

pub(crate) type Pairs = Vec<(Text, Text)>;
pub(crate) type Instants = Option<(u64, u64)>;

#[pyclass(frozen, module = "grantor")]
pub(crate) struct Engine {
    engine: Mutex<client::Engine>,
    clock: Clock,
    /// The process that made it: a fork shares its random bytes.
    process: u32,
}

impl Engine {
    /// The engine; refused in a process that inherited it.
    fn lock(&self) -> Result<MutexGuard<'_, client::Engine>, Forked> {
        if process::id() != self.process {
            return Err(Forked);
        }
        Ok(self.engine.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An input, which may sign, without the interpreter's lock.
    fn input<T: Send>(
        &self,
        py: Python<'_>,
        now: Instants,
        input: impl FnOnce(&mut client::Engine, Now) -> Result<T, ApiMisuse> + Send,
    ) -> PyResult<T> {
        let outcome = py.detach(|| {
            let now = self.clock.time(now);
            self.lock().map(|mut engine| input(&mut engine, now))
        });
        outcome.map_err(|Forked| Forked.raised(py))?.map_err(|error| errors::misuse(py, error))
    }

    fn look<T>(&self, py: Python<'_>, look: impl FnOnce(&mut client::Engine) -> T) -> PyResult<T> {
        self.lock().map(|mut engine| look(&mut engine)).map_err(|Forked| Forked.raised(py))
    }
}

struct Forked;

impl Forked {
    fn raised(self, py: Python<'_>) -> PyErr {
        errors::host(
            py,
            "impossible",
            "this engine was made before the process forked; make one in each process",
        )
    }
}

#[pymethods]
impl Engine {
    #[new]
    fn new(py: Python<'_>, config: &Config) -> PyResult<Self> {
        let engine =
            client::Engine::new(config.0.clone()).map_err(|error| errors::configuration(py, &error))?;
        Ok(Self { engine: Mutex::new(engine), clock: Clock::start(), process: process::id() })
    }

    #[pyo3(signature = (method, url, headers=None, *, now=None))]
    fn authorize(
        &self,
        py: Python<'_>,
        method: &str,
        url: &str,
        headers: Option<Pairs>,
        now: Instants,
    ) -> PyResult<u64> {
        let headers = headers.map(headers::map).transpose()?;
        self.input(py, now, |engine, now| {
            let head = RequestHead::new(method, url);
            let head = headers.as_ref().map_or(head, |headers| head.headers(headers));
            engine.authorize(now, head).map(CallId::to_u64)
        })
    }

    #[pyo3(signature = (call, status, headers=Vec::new(), *, now=None))]
    fn report(&self, py: Python<'_>, call: u64, status: u16, headers: Pairs, now: Instants) -> PyResult<()> {
        let headers = headers::map(headers)?;
        self.input(py, now, |engine, now| {
            engine.report(now, CallId::from_u64(call), ResponseHead { status, headers: &headers })
        })
    }

    #[pyo3(signature = (*, now=None))]
    fn log_in(&self, py: Python<'_>, now: Instants) -> PyResult<u64> {
        self.input(py, now, |engine, now| Ok(engine.log_in(now).to_u64()))
    }

    #[pyo3(signature = (*, now=None))]
    fn log_out(&self, py: Python<'_>, now: Instants) -> PyResult<u64> {
        self.input(py, now, |engine, now| Ok(engine.log_out(now).to_u64()))
    }

    #[pyo3(signature = (*, now=None))]
    fn forget(&self, py: Python<'_>, now: Instants) -> PyResult<u64> {
        self.input(py, now, |engine, now| Ok(engine.forget(now).to_u64()))
    }

    #[pyo3(signature = (method, url, challenges, *, now=None))]
    fn step_up(
        &self,
        py: Python<'_>,
        method: &str,
        url: &str,
        challenges: Vec<String>,
        now: Instants,
    ) -> PyResult<u64> {
        let challenges = Challenges::parse(challenges).map_err(|error| errors::unusable(py, error))?;
        self.input(py, now, |engine, now| {
            Ok(engine.step_up(now, RequestHead::new(method, url), &challenges).to_u64())
        })
    }

    #[pyo3(signature = (url, *, now=None))]
    fn callback(&self, py: Python<'_>, url: &str, now: Instants) -> PyResult<u64> {
        self.input(py, now, |engine, now| Ok(engine.callback(now, url).to_u64()))
    }

    fn cancel(&self, py: Python<'_>, call: u64) -> PyResult<()> {
        self.look(py, |engine| engine.cancel(CallId::from_u64(call)))
    }

    #[pyo3(signature = (op, completion, *, now=None))]
    fn complete(
        &self,
        py: Python<'_>,
        op: u64,
        completion: &Bound<'_, PyAny>,
        now: Instants,
    ) -> PyResult<()> {
        let answer = Answer::of(completion)?;
        self.input(py, now, |engine, now| engine.complete(now, OpId::from_u64(op), answer.completion()))
    }

    #[pyo3(signature = (random, *, now=None))]
    fn add_entropy(&self, py: Python<'_>, random: &Bound<'_, PyBytes>, now: Instants) -> PyResult<()> {
        let random = random.as_bytes();
        self.input(py, now, |engine, now| {
            engine.add_entropy(now, random);
            Ok(())
        })
    }

    #[pyo3(signature = (*, now=None))]
    fn handle_timeout(&self, py: Python<'_>, now: Instants) -> PyResult<()> {
        self.input(py, now, |engine, now| {
            engine.handle_timeout(now);
            Ok(())
        })
    }

    /// The time of this engine's clocks.
    fn now(&self) -> (u64, u64) {
        let now = self.clock.time(None);
        (now.mono_ms, now.unix_s)
    }

    fn poll_timeout(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        self.look(py, |engine| engine.poll_timeout())
    }

    fn poll_output<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        // An output that this binding does not know needs no reaction.
        while let Some(output) = self.look(py, client::Engine::poll_output)? {
            if let Some(made) = outputs::output(py, output)? {
                return Ok(Some(made));
            }
        }
        Ok(None)
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.poll_output(py)
    }

    #[getter]
    fn account_label(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.look(py, |engine| engine.account_label().map(|label| label.as_str().to_owned()))
    }

    #[getter]
    fn resource(&self, py: Python<'_>) -> PyResult<String> {
        self.look(py, |engine| engine.config().resource().as_str().to_owned())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Engine({:?})", self.resource(py)?))
    }
}
