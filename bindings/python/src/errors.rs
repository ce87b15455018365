//! Errors as exceptions, sorted by whose fault they are.

use grantor::ApiMisuse;
use grantor::client::ConfigError;
use grantor::error::ErrorReport;
use grantor_bindings::{Blame, Fault, Problem, snake, variant};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::outputs::class;

/// The exception of whoever has to act.
fn class_of(blame: Blame) -> &'static str {
    match blame {
        Blame::Configuration => "ConfigurationError",
        Blame::Host => "HostError",
        Blame::PeerIncompatible => "PeerIncompatible",
        Blame::PeerMisbehaved => "PeerMisbehaved",
        Blame::PeerRefused => "PeerRefused",
        Blame::User => "UserError",
        _ => "GrantorError",
    }
}

/// The exception of a report.
pub(crate) fn exception<'py>(py: Python<'py>, report: &ErrorReport) -> PyResult<Bound<'py, PyAny>> {
    let fault = Fault::of(&report.error);
    let details = PyDict::new(py);
    details.set_item("kind", fault.kind)?;
    details.set_item("code", fault.code)?;
    if let Some(asked) = &report.asked {
        details.set_item("exchange", snake(&variant(&asked.exchange)))?;
        details.set_item("url", asked.url.as_str())?;
        details.set_item("status", asked.status)?;
        details.set_item("words", asked.words.as_ref().map(|words| words.as_str()))?;
    }
    class(py, class_of(fault.blame))?.call((report.to_string(),), Some(&details))
}

fn raised(py: Python<'_>, class_name: &str, kind: String, text: String) -> PyErr {
    let make = || {
        let details = PyDict::new(py);
        details.set_item("kind", kind)?;
        class(py, class_name)?.call((text,), Some(&details))
    };
    make().map_or_else(|error| error, PyErr::from_value)
}

/// A call that cannot be meant.
pub(crate) fn misuse(py: Python<'_>, error: ApiMisuse) -> PyErr {
    raised(py, "MisuseError", snake(&variant(&error)), error.to_string())
}

/// A configuration that cannot work.
pub(crate) fn configuration(py: Python<'_>, error: &ConfigError) -> PyErr {
    raised(py, "ConfigurationError", snake(&variant(error)), error.to_string())
}

/// Settings that cannot work.
pub(crate) fn problem(py: Python<'_>, problem: &Problem) -> PyErr {
    raised(py, "ConfigurationError", snake(&variant(problem)), problem.to_string())
}

/// The same in words.
pub(crate) fn unusable(py: Python<'_>, text: impl std::fmt::Display) -> PyErr {
    raised(py, "ConfigurationError", "value".to_owned(), text.to_string())
}

/// What the host could not do.
pub(crate) fn host(py: Python<'_>, kind: &str, text: impl std::fmt::Display) -> PyErr {
    raised(py, "HostError", kind.to_owned(), text.to_string())
}
