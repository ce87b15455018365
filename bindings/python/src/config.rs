//! Configurations, from keyword arguments.

use std::collections::BTreeMap;
use std::fmt::Display;

use grantor::client::{self, Flow, KnownServer, Redirect};
use grantor::jose::{Algorithm, SigningKey};
use grantor::wire::client_auth::ClientAuthMethod;
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{
    AssertionAudience, DpopPolicy, Key, Quirks, RecordPolicy, Revision, ScopeSet, Secret, StepUpPolicy,
    TrustPolicy, UrlPolicy,
};
use pyo3::prelude::*;

use crate::errors;

/// Scopes as one text or several.
#[derive(FromPyObject)]
pub(crate) enum Scopes {
    Text(String),
    Several(Vec<String>),
}

impl Scopes {
    pub(crate) fn read(&self, py: Python<'_>) -> PyResult<ScopeSet> {
        let set = match self {
            Self::Text(text) => ScopeSet::parse(text),
            Self::Several(all) => ScopeSet::from_tokens(all.iter().map(String::as_str)),
        };
        set.map_err(|error| errors::unusable(py, error))
    }
}

/// What an option by this name stands for.
fn choice<T: Copy>(py: Python<'_>, option: &str, name: &str, all: &[(&str, T)]) -> PyResult<T> {
    let found = all.iter().find(|(one, _)| *one == name).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|(name, _)| format!("{name:?}")).collect();
        errors::unusable(py, format_args!("{option} is one of {}, not {name:?}", names.join(", ")))
    })
}

fn fits<T>(py: Python<'_>, option: &str, value: Result<T, impl Display>) -> PyResult<T> {
    value.map_err(|error| errors::unusable(py, format_args!("{option}: {error}")))
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct Preregistered(client::Preregistered);

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
        let mut client = match issuer {
            Some(issuer) => client::Preregistered::new(issuer, client_id),
            None => client::Preregistered::bound_on_first_use(client_id),
        };
        if let Some(secret) = secret {
            client = client.secret(Secret::from(secret));
        }
        if let Some(pem) = key_pem {
            let algorithm = Algorithm::from_name(algorithm)
                .ok_or_else(|| errors::unusable(py, format_args!("algorithm: {algorithm:?} is not known")))?;
            client = client.key(Key::local(fits(py, "key_pem", SigningKey::from_pem(pem, algorithm))?));
        }
        if let Some(name) = method {
            let method = ClientAuthMethod::from_name(name)
                .ok_or_else(|| errors::unusable(py, format_args!("method: {name:?} is not known")))?;
            client = client.method(method);
        }
        Ok(Self(client))
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct Enterprise(client::Enterprise);

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
        let mut enterprise = client::Enterprise::new(issuer, client.0.clone());
        if sign_on {
            enterprise = enterprise.sign_on();
        }
        if let Some(url) = token_endpoint {
            enterprise = enterprise.token_endpoint(fits(py, "token_endpoint", url.parse())?);
        }
        Ok(Self(enterprise))
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
        let wrong = |error| errors::configuration(py, &error);
        let mut metadata = ClientMetadata::default();
        metadata.client_name = client_name.map(Into::into);
        metadata.client_uri = client_uri.map(|url| fits(py, "client_uri", url.parse())).transpose()?;
        metadata.software_id = software_id.map(Into::into);
        metadata.software_version = software_version.map(Into::into);
        let mut urls = UrlPolicy::default();
        for host in &development_hosts {
            urls = urls.development_host(host);
        }
        urls.allow_private_hosts = allow_private_hosts;

        let trust = choice(py, "trust", trust, &TRUST)?;
        let step_up = choice(py, "step_up", step_up, &STEP_UP)?;
        let dpop = choice(py, "dpop", dpop, &DPOP)?;
        let audience = choice(py, "assertion_audience", assertion_audience, &AUDIENCE)?;
        let unreadable = choice(py, "unreadable_records", unreadable_records, &UNREADABLE)?;
        let revision = Revision::from_name(revision)
            .ok_or_else(|| errors::unusable(py, format_args!("revision: {revision:?} is not known")))?;

        let mut config = client::Config::with_urls(resource, metadata, urls)
            .map_err(wrong)?
            .account(account)
            .dynamic_registration(dynamic_registration)
            .offline_access(offline_access)
            .revision(revision)
            .trust(trust)
            .shared_store(shared_store)
            .refresh_early_s(refresh_early_s)
            .interaction_ms(u64::from(interaction_s) * 1000)
            .list_account(list_account)
            .unreadable_records(unreadable)
            .step_up(step_up)
            .dpop(dpop)
            .pushed_requests(pushed_requests)
            .assertion_audience(audience);
        if let Some(url) = client_id_metadata_document {
            config = config.client_id_metadata_document(url).map_err(wrong)?;
        }
        match preregistered {
            Some(Clients::One(client)) => config = config.preregistered(client.0.clone()),
            Some(Clients::Several(clients)) => {
                for client in clients {
                    config = config.preregistered(client.0.clone());
                }
            }
            None => {}
        }
        for (issuer, token) in &initial_access_tokens {
            config = config.initial_access_token(issuer, Secret::from(token.as_str()));
        }
        if let Some(uri) = redirect_uri {
            config = config.redirect(Redirect::Fixed(uri.into())).map_err(wrong)?;
        }
        match (scopes, only_scopes) {
            (Some(_), Some(_)) => {
                return Err(errors::unusable(py, "scopes and only_scopes exclude each other"));
            }
            (Some(scopes), None) => config = config.scopes(scopes.read(py)?),
            (None, Some(scopes)) => config = config.only_scopes(scopes.read(py)?),
            (None, None) => {}
        }
        if let Some(scopes) = registration_scopes {
            config = config.registration_scopes(scopes.read(py)?);
        }
        for issuer in &trusted_issuers {
            config = config.trusted_issuer(issuer);
        }
        if let Some(name) = quirks {
            let make = choice(py, "quirks", name, &QUIRKS)?;
            config = config.quirks(make());
        }
        match flow {
            Some(FlowOption::Enterprise(enterprise)) => {
                config = config.flow(Flow::Enterprise(Box::new(enterprise.0.clone())));
            }
            Some(FlowOption::Name(name)) => {
                let make = choice(py, "flow", &name, &FLOWS)?;
                config = config.flow(make());
            }
            None => {}
        }
        if let Some(json) = authorization_details {
            config = config.authorization_details(json).map_err(wrong)?;
        }
        for (name, value) in &authorization_parameters {
            config = config.authorization_parameter(name, value).map_err(wrong)?;
        }
        for (name, value) in &token_parameters {
            config = config.token_parameter(name, value).map_err(wrong)?;
        }
        if let Some(issuer) = authorization_server {
            config = config.authorization_server(KnownServer::new(issuer));
        }
        for (named, own) in &issuer_differs {
            config = config.issuer_differs(named, own);
        }
        if let Some(identifier) = resource_identifier {
            config = config.resource_identifier(identifier).map_err(wrong)?;
        }
        if let Some(value) = user_agent {
            config = config.user_agent(value).map_err(wrong)?;
        }
        Ok(Self(config))
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

const TRUST: [(&str, TrustPolicy); 4] = [
    ("ask", TrustPolicy::Ask),
    ("accept", TrustPolicy::Accept),
    ("pinned_only", TrustPolicy::PinnedOnly),
    ("same_origin", TrustPolicy::SameOrigin),
];
const STEP_UP: [(&str, StepUpPolicy); 2] = [("ask", StepUpPolicy::Ask), ("abort", StepUpPolicy::Abort)];
const DPOP: [(&str, DpopPolicy); 3] = [
    ("off", DpopPolicy::Off),
    ("when_supported", DpopPolicy::WhenSupported),
    ("required", DpopPolicy::Required),
];
const AUDIENCE: [(&str, AssertionAudience); 2] =
    [("issuer", AssertionAudience::Issuer), ("token_endpoint", AssertionAudience::TokenEndpoint)];
const UNREADABLE: [(&str, RecordPolicy); 2] =
    [("start_anew", RecordPolicy::StartAnew), ("fail", RecordPolicy::Fail)];
/// Makes what is no constant.
type Make<T> = fn() -> T;

const QUIRKS: [(&str, Make<Quirks>); 7] = [
    ("auth0", Quirks::auth0),
    ("cognito", Quirks::cognito),
    ("entra", Quirks::entra),
    ("github", Quirks::github),
    ("google", Quirks::google),
    ("slack", Quirks::slack),
    ("slack_bot", Quirks::slack_bot),
];
const FLOWS: [(&str, Make<Flow>); 4] = [
    ("authorization_code", || Flow::AuthorizationCode),
    ("client_credentials", || Flow::ClientCredentials),
    ("device", || Flow::Device),
    ("workload", || Flow::Workload),
];
