//! The values that effects carry.

use std::fmt;

use grantor::{RecordKind, ScopeSet};
use grantor_bindings::{failure_name, snake, variant};
use grantor_driver::Addresses;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyTuple};

use crate::errors;
use crate::headers;

/// Scopes as a tuple of text.
pub(crate) fn scopes<'py>(py: Python<'py>, scopes: &ScopeSet) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, scopes.iter().collect::<Vec<_>>())
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct HttpRequest(pub(crate) Box<grantor::wire::HttpRequest>);

/// The addresses that were checked, for all engines of the process.
static ADDRESSES: PyOnceLock<Addresses> = PyOnceLock::new();

#[pymethods]
impl HttpRequest {
    #[getter]
    fn exchange(&self) -> String {
        snake(&variant(&self.0.exchange))
    }

    #[getter]
    fn method(&self) -> &str {
        self.0.method.as_str()
    }

    #[getter]
    fn url(&self) -> &str {
        self.0.url.as_str()
    }

    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        headers::pairs(py, self.0.headers.iter().map(|(name, value)| (name.clone(), value)))
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.body.expose().as_bytes())
    }

    /// Whether a name has to be resolved for `check_address`.
    #[getter]
    fn needs_address_check(&self) -> bool {
        self.0.reach != grantor::Reach::Anywhere
            && matches!(self.0.url.domain(), Some(name) if name != "localhost")
    }

    fn check_address(&self, py: Python<'_>) -> PyResult<()> {
        let addresses = ADDRESSES.get_or_init(py, Addresses::default);
        match py.detach(|| addresses.check(&self.0)) {
            Ok(_) => Ok(()),
            Err(failure) => Err(errors::host(py, failure_name(failure.kind), failure.detail)),
        }
    }

    fn __repr__(&self) -> String {
        format!("HttpRequest({}, {}, …)", self.0.method, self.0.exchange)
    }
}

#[pyclass(frozen, eq, hash, module = "grantor")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct StoreKey(pub(crate) Box<grantor::StoreKey>);

#[pymethods]
impl StoreKey {
    #[new]
    #[pyo3(signature = (kind, resource, account="default", issuer=None))]
    fn new(
        py: Python<'_>,
        kind: &str,
        resource: &str,
        account: &str,
        issuer: Option<&str>,
    ) -> PyResult<Self> {
        let kinds = [
            RecordKind::Accounts,
            RecordKind::Binding,
            RecordKind::Grant,
            RecordKind::Pending,
            RecordKind::Proof,
            RecordKind::Registration,
        ];
        let kind = kinds.into_iter().find(|one| one.name() == kind);
        let kind = kind.ok_or_else(|| errors::unusable(py, "there is no such kind of record"))?;
        Ok(Self(Box::new(grantor::StoreKey::new(kind, resource, account, issuer))))
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind.name()
    }

    #[getter]
    fn resource(&self) -> &str {
        &self.0.resource
    }

    #[getter]
    fn account(&self) -> &str {
        &self.0.account
    }

    #[getter]
    fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("StoreKey({:?})", self.0.to_string())
    }
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct Summary(pub(crate) grantor::Summary);

#[pymethods]
impl Summary {
    #[classattr]
    fn __match_args__(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
        PyTuple::new(py, ["reason", "resource", "issuer"])
    }

    #[getter]
    fn client_name(&self) -> Option<&str> {
        self.0.client_name.as_deref()
    }

    #[getter]
    fn resource(&self) -> &str {
        &self.0.resource
    }

    #[getter]
    fn issuer(&self) -> &str {
        self.0.issuer.as_str()
    }

    #[getter]
    fn account(&self) -> &str {
        &self.0.account
    }

    #[getter]
    fn scopes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        scopes(py, &self.0.scopes)
    }

    #[getter]
    fn new_scopes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        scopes(py, &self.0.new_scopes)
    }

    #[getter]
    fn reason(&self) -> &'static str {
        match &self.0.reason {
            grantor::Reason::IssuerChanged { .. } => "issuer_changed",
            grantor::Reason::StepUp => "step_up",
            _ => "unauthorized",
        }
    }

    #[getter]
    fn earlier_issuer(&self) -> Option<&str> {
        match &self.0.reason {
            grantor::Reason::IssuerChanged { from } => Some(from.as_str()),
            _ => None,
        }
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct AuthorizationPrompt(pub(crate) Box<grantor::AuthorizationPrompt>);

#[pymethods]
impl AuthorizationPrompt {
    #[getter]
    fn url(&self) -> &str {
        self.0.url.as_str()
    }

    #[getter]
    fn redirect_uri(&self) -> &str {
        &self.0.redirect_uri
    }

    #[getter]
    fn resumed(&self) -> bool {
        self.0.resumed
    }

    #[getter]
    fn summary(&self) -> Summary {
        Summary(self.0.summary.clone())
    }

    fn is_answered_by(&self, url: &str) -> bool {
        self.0.is_answered_by(url)
    }

    fn __repr__(&self) -> String {
        format!("AuthorizationPrompt({:?}, …)", self.0.summary.issuer)
    }
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct DevicePrompt(pub(crate) Box<grantor::DevicePrompt>);

#[pymethods]
impl DevicePrompt {
    #[getter]
    fn user_code(&self) -> &str {
        &self.0.user_code
    }

    #[getter]
    fn verification_uri(&self) -> &str {
        self.0.verification_uri.as_str()
    }

    #[getter]
    fn verification_uri_complete(&self) -> Option<&str> {
        self.0.verification_uri_complete.as_ref().map(|url| url.as_str())
    }

    #[getter]
    fn expires_in_s(&self) -> u64 {
        self.0.expires_in_s
    }

    #[getter]
    fn summary(&self) -> Summary {
        Summary(self.0.summary.clone())
    }

    fn __repr__(&self) -> String {
        format!("DevicePrompt({:?}, …)", self.0.summary.issuer)
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.__repr__())
    }
}
