//! The driver's stores.

use grantor::{RecordRevision, Secret};
use grantor_driver::Store as _;
use grantor_driver::store::{Record, StoreError, Swap};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::effects::StoreKey;
use crate::errors;
use crate::outputs::class;

type Outcome<T> = Result<T, StoreError>;

fn failed(py: Python<'_>, error: &StoreError) -> PyErr {
    errors::host(py, "other", error)
}

fn loaded(py: Python<'_>, record: Outcome<Option<Record>>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let Some(record) = record.map_err(|error| failed(py, &error))? else { return Ok(None) };
    let fields = (PyBytes::new(py, &record.content), PyBytes::new(py, &record.revision.0));
    class(py, "Stored")?.call1(fields).map(Some)
}

/// The revision of a write, or `None` for a conflict.
fn swapped(py: Python<'_>, swap: Outcome<Swap>) -> PyResult<Option<Bound<'_, PyBytes>>> {
    match swap.map_err(|error| failed(py, &error))? {
        Swap::Conflict => Ok(None),
        Swap::Done(revision) => Ok(Some(PyBytes::new(py, &revision.unwrap_or(RecordRevision([0; 16])).0))),
    }
}

fn secret(py: Python<'_>, record: &[u8]) -> PyResult<Secret> {
    let text = std::str::from_utf8(record);
    text.map(Secret::from).map_err(|_| errors::host(py, "other", "the record is no UTF-8"))
}

macro_rules! store {
    ($name:ident { $($constructor:tt)* }) => {
        #[pymethods]
        impl $name {
            $($constructor)*

            fn load<'py>(&self, py: Python<'py>, key: &StoreKey) -> PyResult<Option<Bound<'py, PyAny>>> {
                loaded(py, py.detach(|| self.0.load(&key.0)))
            }

            #[pyo3(signature = (key, record, expect, expires_at_s=None))]
            fn save<'py>(
                &self,
                py: Python<'py>,
                key: &StoreKey,
                record: &[u8],
                expect: Option<[u8; 16]>,
                expires_at_s: Option<u64>,
            ) -> PyResult<Option<Bound<'py, PyBytes>>> {
                let record = secret(py, record)?;
                let expect = expect.map(RecordRevision);
                let swap = py.detach(|| match expires_at_s {
                    Some(at_s) => self.0.save_until(&key.0, &record, expect, at_s),
                    None => self.0.save(&key.0, &record, expect),
                });
                swapped(py, swap)
            }

            fn delete(&self, py: Python<'_>, key: &StoreKey, expect: [u8; 16]) -> PyResult<bool> {
                let swap = py.detach(|| self.0.delete(&key.0, RecordRevision(expect)));
                Ok(swapped(py, swap)?.is_some())
            }
        }
    };
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct MemoryStore(grantor_driver::MemoryStore);

#[pyclass(frozen, module = "grantor")]
pub(crate) struct FileStore(grantor_driver::FileStore);

store!(FileStore {
    #[new]
    #[pyo3(signature = (directory, *, trusting_parents=false))]
    fn new(py: Python<'_>, directory: std::path::PathBuf, trusting_parents: bool) -> PyResult<Self> {
        let open = |directory| match trusting_parents {
            true => grantor_driver::FileStore::trusting_parents(directory),
            false => grantor_driver::FileStore::new(directory),
        };
        py.detach(|| open(directory)).map(Self).map_err(|error| failed(py, &error))
    }

    #[staticmethod]
    fn for_application(py: Python<'_>, name: &str) -> PyResult<Self> {
        py.detach(|| grantor_driver::FileStore::for_application(name))
            .map(Self)
            .map_err(|error| failed(py, &error))
    }
});
store!(MemoryStore {
    #[new]
    fn new() -> Self {
        Self(grantor_driver::MemoryStore::default())
    }
});
