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

use pyo3::prelude::*;

/// The native module.
#[pymodule]
mod _native {
    #[allow(unused_imports)]
    use super::*;
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
