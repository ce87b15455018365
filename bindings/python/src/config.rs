//! Configurations, from keyword arguments.

use std::collections::BTreeMap;

use grantor::client;
use grantor_bindings::{Kind, Settings, Value};
use pyo3::prelude::*;

use crate::errors;

/// Scopes as one text or several.
#[derive(FromPyObject)]
pub(crate) enum Scopes {
    Text(String),
    Several(Vec<String>),
}

impl Scopes {
    pub(crate) fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Several(all) => all.join(" "),
        }
    }
}

/// Settings under way.
pub(crate) struct Options<'py> {
    py: Python<'py>,
    pub(crate) settings: Settings,
}

impl<'py> Options<'py> {
    pub(crate) fn new(py: Python<'py>, kind: Kind) -> Self {
        Self { py, settings: Settings::new(kind) }
    }

    /// Sets one, unless it is `None`.
    pub(crate) fn set(&mut self, name: &str, value: impl Setting) -> PyResult<()> {
        match value.value() {
            Some(value) => {
                self.settings.set(name, value).map_err(|problem| errors::problem(self.py, &problem))
            }
            None => Ok(()),
        }
    }

    /// Sets each of several.
    pub(crate) fn all<T: Setting>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = T>,
    ) -> PyResult<()> {
        values.into_iter().try_for_each(|value| self.set(name, value))
    }
}

/// What Python gives for a setting.
pub(crate) trait Setting {
    fn value(self) -> Option<Value>;
}

impl Setting for &str {
    fn value(self) -> Option<Value> {
        Some(Value::Text(self.into()))
    }
}

impl Setting for String {
    fn value(self) -> Option<Value> {
        Some(Value::Text(self.into()))
    }
}

impl Setting for bool {
    fn value(self) -> Option<Value> {
        Some(Value::Flag(self))
    }
}

impl Setting for u32 {
    fn value(self) -> Option<Value> {
        Some(Value::Number(self.into()))
    }
}

impl Setting for Settings {
    fn value(self) -> Option<Value> {
        Some(Value::Settings("".into(), self))
    }
}

impl Setting for (String, String) {
    fn value(self) -> Option<Value> {
        Some(Value::Pair(self.0.into(), self.1.into()))
    }
}

impl Setting for (String, Settings) {
    fn value(self) -> Option<Value> {
        Some(Value::Settings(self.0.into(), self.1))
    }
}

impl<T: Setting> Setting for Option<T> {
    fn value(self) -> Option<Value> {
        self.and_then(Setting::value)
    }
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct Preregistered(Settings);

#[pymethods]
impl Preregistered {
    #[new]
    #[pyo3(signature = (client_id, *, issuer=None, secret=None, key_pem=None, algorithm="ES256", method=None))]
    fn new(
        py: Python<'_>,
        client_id: &str,
        issuer: Option<&str>,
        secret: Option<&str>,
        key_pem: Option<&str>,
        algorithm: &str,
        method: Option<&str>,
    ) -> PyResult<Self> {
        let mut options = Options::new(py, Kind::Preregistered);
        options.set("client_id", client_id)?;
        options.set("issuer", issuer)?;
        options.set("secret", secret)?;
        options.set("method", method)?;
        if let Some(pem) = key_pem {
            let mut key = Options::new(py, Kind::Key);
            key.set("pem", pem)?;
            key.set("algorithm", algorithm)?;
            options.set("key", key.settings)?;
        }
        let checked = grantor_bindings::preregistered(&options.settings);
        checked.map_err(|problem| errors::problem(py, &problem))?;
        Ok(Self(options.settings))
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct Enterprise(Settings);

#[pymethods]
impl Enterprise {
    #[new]
    #[pyo3(signature = (issuer, client, *, sign_on=false, token_endpoint=None))]
    fn new(
        py: Python<'_>,
        issuer: &str,
        client: &Preregistered,
        sign_on: bool,
        token_endpoint: Option<&str>,
    ) -> PyResult<Self> {
        let mut options = Options::new(py, Kind::Enterprise);
        options.set("issuer", issuer)?;
        options.set("client", client.0.clone())?;
        options.set("sign_on", sign_on)?;
        options.set("token_endpoint", token_endpoint)?;
        let checked = grantor_bindings::enterprise(&options.settings);
        checked.map_err(|problem| errors::problem(py, &problem))?;
        Ok(Self(options.settings))
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

#[derive(FromPyObject)]
enum FlowOption<'py> {
    Name(String),
    Enterprise(PyRef<'py, Enterprise>),
}

#[derive(FromPyObject)]
enum Clients<'py> {
    One(PyRef<'py, Preregistered>),
    Several(Vec<PyRef<'py, Preregistered>>),
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct Config(pub(crate) client::Config);

#[pymethods]
impl Config {
    #[new]
    #[pyo3(signature = (
        resource,
        client_name=None,
        *,
        client_uri=None,
        software_id=None,
        software_version=None,
        account="default",
        client_id_metadata_document=None,
        preregistered=None,
        dynamic_registration=true,
        initial_access_tokens=BTreeMap::new(),
        redirect_uri=None,
        scopes=None,
        only_scopes=None,
        registration_scopes=None,
        offline_access=true,
        revision="2026-07-28",
        trust="ask",
        trusted_issuers=Vec::new(),
        development_hosts=Vec::new(),
        allow_private_hosts=false,
        quirks=None,
        shared_store=true,
        refresh_early_s=60,
        interaction_s=600,
        list_account=false,
        unreadable_records="start_anew",
        flow=None,
        step_up="ask",
        dpop="off",
        pushed_requests=false,
        assertion_audience="issuer",
        authorization_details=None,
        authorization_parameters=BTreeMap::new(),
        token_parameters=BTreeMap::new(),
        authorization_server=None,
        issuer_differs=BTreeMap::new(),
        resource_identifier=None,
        user_agent=None,
    ))]
    #[allow(clippy::too_many_arguments)] // keywords of Python
    fn new(
        py: Python<'_>,
        resource: &str,
        client_name: Option<&str>,
        client_uri: Option<&str>,
        software_id: Option<&str>,
        software_version: Option<&str>,
        account: &str,
        client_id_metadata_document: Option<&str>,
        preregistered: Option<Clients<'_>>,
        dynamic_registration: bool,
        initial_access_tokens: BTreeMap<String, String>,
        redirect_uri: Option<&str>,
        scopes: Option<Scopes>,
        only_scopes: Option<Scopes>,
        registration_scopes: Option<Scopes>,
        offline_access: bool,
        revision: &str,
        trust: &str,
        trusted_issuers: Vec<String>,
        development_hosts: Vec<String>,
        allow_private_hosts: bool,
        quirks: Option<&str>,
        shared_store: bool,
        refresh_early_s: u32,
        interaction_s: u32,
        list_account: bool,
        unreadable_records: &str,
        flow: Option<FlowOption<'_>>,
        step_up: &str,
        dpop: &str,
        pushed_requests: bool,
        assertion_audience: &str,
        authorization_details: Option<&str>,
        authorization_parameters: BTreeMap<String, String>,
        token_parameters: BTreeMap<String, String>,
        authorization_server: Option<&str>,
        issuer_differs: BTreeMap<String, String>,
        resource_identifier: Option<&str>,
        user_agent: Option<&str>,
    ) -> PyResult<Self> {
        let mut options = Options::new(py, Kind::Client);
        options.set("resource", resource)?;
        options.set("client_name", client_name)?;
        options.set("client_uri", client_uri)?;
        options.set("software_id", software_id)?;
        options.set("software_version", software_version)?;
        options.set("account", account)?;
        options.set("client_id_metadata_document", client_id_metadata_document)?;
        match preregistered {
            Some(Clients::One(client)) => options.set("preregistered", client.0.clone())?,
            Some(Clients::Several(clients)) => {
                for client in clients {
                    options.set("preregistered", client.0.clone())?;
                }
            }
            None => {}
        }
        options.set("dynamic_registration", dynamic_registration)?;
        options.all("initial_access_token", initial_access_tokens)?;
        options.set("redirect_uri", redirect_uri)?;
        options.set("scopes", scopes.map(Scopes::text))?;
        options.set("only_scopes", only_scopes.map(Scopes::text))?;
        options.set("registration_scopes", registration_scopes.map(Scopes::text))?;
        options.set("offline_access", offline_access)?;
        options.set("revision", revision)?;
        options.set("trust", trust)?;
        options.all("trusted_issuer", trusted_issuers)?;
        options.all("development_host", development_hosts)?;
        options.set("allow_private_hosts", allow_private_hosts)?;
        options.set("quirks", quirks)?;
        options.set("shared_store", shared_store)?;
        options.set("refresh_early_s", refresh_early_s)?;
        options.set("interaction_s", interaction_s)?;
        options.set("list_account", list_account)?;
        options.set("unreadable_records", unreadable_records)?;
        match flow {
            Some(FlowOption::Enterprise(enterprise)) => options.set("enterprise", enterprise.0.clone())?,
            Some(FlowOption::Name(name)) => options.set("flow", &*name)?,
            None => {}
        }
        options.set("step_up", step_up)?;
        options.set("dpop", dpop)?;
        options.set("pushed_requests", pushed_requests)?;
        options.set("assertion_audience", assertion_audience)?;
        options.set("authorization_details", authorization_details)?;
        options.all("authorization_parameter", authorization_parameters)?;
        options.all("token_parameter", token_parameters)?;
        options.set("authorization_server", authorization_server)?;
        options.all("issuer_differs", issuer_differs)?;
        options.set("resource_identifier", resource_identifier)?;
        options.set("user_agent", user_agent)?;
        let config = grantor_bindings::client(&options.settings);
        config.map(Self).map_err(|problem| errors::problem(py, &problem))
    }

    #[getter]
    fn resource(&self) -> &str {
        self.0.resource().as_str()
    }

    /// The same for another account.
    fn with_account(&self, name: &str) -> Self {
        Self(self.0.clone().account(name))
    }

    fn __repr__(&self) -> String {
        format!("Config({:?}, …)", self.resource())
    }
}
