//! Errors as exceptions, sorted by whose fault they are.

use std::fmt::Debug;

use grantor::ApiMisuse;
use grantor::client::ConfigError;
use grantor::error::{Error, ErrorReport, PeerIncompatible, Refused};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::outputs::class;

/// The name of an enum's variant: the beginning of its `Debug`.
pub(crate) fn variant(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// The exception for a failed call, and its kind.
fn sort(error: &Error) -> (&'static str, String) {
    match error {
        Error::Effect(effect) => ("HostError", variant(&effect.kind)),
        Error::PeerIncompatible(
            inner @ (PeerIncompatible::NoRegistration { .. } | PeerIncompatible::RegisteredElsewhere { .. }),
        ) => ("ConfigurationError", variant(inner)),
        Error::PeerIncompatible(inner) => ("PeerIncompatible", variant(inner)),
        Error::PeerMisbehaved(inner) => ("PeerMisbehaved", variant(inner)),
        Error::Refused(inner) => {
            let class = match inner {
                Refused::Declined | Refused::DeviceCodeExpired => "UserError",
                Refused::Authorization { code, .. } if code.as_str() == "access_denied" => "UserError",
                Refused::Untrusted { .. } => "ConfigurationError",
                _ => "PeerRefused",
            };
            (class, variant(inner))
        }
        _ => ("GrantorError", "Other".to_owned()),
    }
}

/// The code of RFC 6749 that a server refused with.
fn code(error: &Error) -> Option<&str> {
    match error {
        Error::Refused(
            Refused::Authorization { code, .. }
            | Refused::Registration { code, .. }
            | Refused::Token { code, .. },
        ) => Some(code.as_str()),
        _ => None,
    }
}

/// The exception of a report.
pub(crate) fn exception<'py>(py: Python<'py>, report: &ErrorReport) -> PyResult<Bound<'py, PyAny>> {
    let (name, kind) = sort(&report.error);
    let details = PyDict::new(py);
    details.set_item("kind", kind)?;
    details.set_item("code", code(&report.error))?;
    if let Some(asked) = &report.asked {
        details.set_item("exchange", variant(&asked.exchange))?;
        details.set_item("url", asked.url.as_str())?;
        details.set_item("status", asked.status)?;
        details.set_item("words", asked.words.as_ref().map(|words| words.as_str()))?;
    }
    class(py, name)?.call((report.to_string(),), Some(&details))
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
    raised(py, "MisuseError", variant(&error), error.to_string())
}

/// A configuration that cannot work.
pub(crate) fn configuration(py: Python<'_>, error: &ConfigError) -> PyErr {
    raised(py, "ConfigurationError", variant(error), error.to_string())
}

/// The same in words.
pub(crate) fn unusable(py: Python<'_>, text: impl std::fmt::Display) -> PyErr {
    raised(py, "ConfigurationError", "Value".to_owned(), text.to_string())
}

/// What the host could not do.
pub(crate) fn host(py: Python<'_>, kind: &str, text: impl std::fmt::Display) -> PyErr {
    raised(py, "HostError", kind.to_owned(), text.to_string())
}
