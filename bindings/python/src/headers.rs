//! Headers between Python's pairs and `http`'s map.

use http::{HeaderMap, HeaderName, HeaderValue};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Name and value, each as text or bytes.
#[derive(FromPyObject)]
pub(crate) enum Text {
    Str(String),
    Bytes(Vec<u8>),
}

impl Text {
    /// Header values are Latin-1 where Python has them as text.
    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Str(text) => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// A map of these pairs. What no HTTP header can be is refused.
pub(crate) fn map(pairs: Vec<(Text, Text)>) -> PyResult<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(&name.into_bytes())
            .map_err(|_| PyValueError::new_err("a header's name is none of HTTP"))?;
        let value = HeaderValue::from_bytes(&value.into_bytes())
            .map_err(|_| PyValueError::new_err(format!("the value of the header {name} is none of HTTP")))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// The same back, as pairs of text.
pub(crate) fn pairs<'py, 'a>(
    py: Python<'py>,
    headers: impl Iterator<Item = (HeaderName, &'a HeaderValue)>,
) -> PyResult<Bound<'py, PyTuple>> {
    let text = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect::<String>();
    let pairs: Vec<_> = headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    PyTuple::new(py, pairs)
}
