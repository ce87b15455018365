//! The native half of the Python package `grantor`: the core's machines, and the driver's stores and browser, as
//! frozen classes. What is idiom stands in `python/grantor`.

mod browser;
mod clock;
mod completion;
mod config;
mod effects;
mod engine;
mod errors;
mod guard;
mod headers;
mod outputs;
mod store;

use std::sync::OnceLock;

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

/// The native module.
#[pymodule]
mod _native {
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        only_interpreter(module.py())
    }

    #[pymodule_export]
    use crate::browser::{Browser, Wait};
    #[pymodule_export]
    use crate::config::{Config, Enterprise, Preregistered};
    #[pymodule_export]
    use crate::effects::{AuthorizationPrompt, DevicePrompt, HttpRequest, StoreKey, Summary};
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::guard::{AuthorizationServer, Guard, GuardConfig, Need};
    #[pymodule_export]
    use crate::store::{FileStore, MemoryStore};
}

/// Refuses a second interpreter of the process: classes and the checked addresses are shared by all that there are.
fn only_interpreter(_: Python<'_>) -> PyResult<()> {
    static FIRST: OnceLock<i64> = OnceLock::new();
    // SAFETY: the interpreter is attached, and there is one.
    let own = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    if *FIRST.get_or_init(|| own) == own {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "grantor works in one interpreter of a process, and another one has it; use processes",
    ))
}
