//! The Guard, and its configuration from keyword arguments.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use grantor::OpId;
use grantor::resource::{self, RequestHead};
use grantor_bindings::{Kind, Settings};
use http::{HeaderMap, Method, Uri};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::clock::Clock;
use crate::completion::Answer;
use crate::config::{Options, Scopes};
use crate::engine::{Instants, Pairs};
use crate::errors;
use crate::headers;
use crate::outputs;

#[pyclass(frozen, module = "grantor")]
pub(crate) struct AuthorizationServer(Settings);

#[pymethods]
impl AuthorizationServer {
    #[new]
    #[pyo3(signature = (
        issuer,
        *,
        tokens="jwt",
        client_id=None,
        client_secret=None,
        method=None,
        jwks_uri=None,
        introspection_endpoint=None,
        algorithms=Vec::new(),
        audiences=Vec::new(),
        known_as=Vec::new(),
        tenants=Vec::new(),
        scope_claims=Vec::new(),
        advertised=true,
        audience_demanded=true,
        cache_s=None,
    ))]
    #[allow(clippy::too_many_arguments)] // keywords of Python
    fn new(
        py: Python<'_>,
        issuer: &str,
        tokens: &str,
        client_id: Option<&str>,
        client_secret: Option<&str>,
        method: Option<&str>,
        jwks_uri: Option<&str>,
        introspection_endpoint: Option<&str>,
        algorithms: Vec<String>,
        audiences: Vec<String>,
        known_as: Vec<String>,
        tenants: Vec<String>,
        scope_claims: Vec<String>,
        advertised: bool,
        audience_demanded: bool,
        cache_s: Option<u32>,
    ) -> PyResult<Self> {
        let mut options = Options::new(py, Kind::AuthorizationServer);
        options.set("issuer", issuer)?;
        options.set("tokens", tokens)?;
        options.set("client_id", client_id)?;
        options.set("client_secret", client_secret)?;
        options.set("method", method)?;
        options.set("jwks_uri", jwks_uri)?;
        options.set("introspection_endpoint", introspection_endpoint)?;
        options.all("algorithm", algorithms)?;
        options.all("audience", audiences)?;
        options.all("known_as", known_as)?;
        options.all("tenant", tenants)?;
        options.all("scope_claim", scope_claims)?;
        options.set("advertised", advertised)?;
        options.set("audience_demanded", audience_demanded)?;
        options.set("cache_s", cache_s)?;
        Ok(Self(options.settings))
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct Need(Settings);

#[pymethods]
impl Need {
    #[new]
    #[pyo3(signature = (scopes=None, *, any_of=None, or_all=Vec::new(), max_age_s=None, acr_values=None))]
    fn new(
        py: Python<'_>,
        scopes: Option<Scopes>,
        any_of: Option<Scopes>,
        or_all: Vec<String>,
        max_age_s: Option<u32>,
        acr_values: Option<&str>,
    ) -> PyResult<Self> {
        let mut options = Options::new(py, Kind::Need);
        if scopes.is_none() && any_of.is_none() {
            options.set("any_token", true)?;
        }
        options.set("all", scopes.map(Scopes::text))?;
        options.set("any", any_of.map(Scopes::text))?;
        options.all("or", or_all)?;
        options.set("max_age_s", max_age_s)?;
        options.set("acr_values", acr_values)?;
        Ok(Self(options.settings))
    }

    #[staticmethod]
    fn public(py: Python<'_>) -> PyResult<Self> {
        let mut options = Options::new(py, Kind::Need);
        options.set("public", true)?;
        Ok(Self(options.settings))
    }

    #[staticmethod]
    fn nobody(py: Python<'_>) -> PyResult<Self> {
        let mut options = Options::new(py, Kind::Need);
        options.set("nobody", true)?;
        Ok(Self(options.settings))
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// What a rule demands: scopes, or a need.
#[derive(FromPyObject)]
enum Demand<'py> {
    Need(PyRef<'py, Need>),
    Scopes(Scopes),
}

type Rules<'py> = BTreeMap<String, Demand<'py>>;

#[derive(FromPyObject)]
enum Servers<'py> {
    One(PyRef<'py, AuthorizationServer>),
    Issuer(String),
    Several(Vec<PyRef<'py, AuthorizationServer>>),
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct GuardConfig {
    resource: String,
    settings: Settings,
}

#[pymethods]
impl GuardConfig {
    #[new]
    #[pyo3(signature = (
        resource,
        authorization_servers,
        *,
        every=None,
        tools=BTreeMap::new(),
        prompts=BTreeMap::new(),
        resources=BTreeMap::new(),
        methods=BTreeMap::new(),
        http=BTreeMap::new(),
        otherwise=None,
        implies=BTreeMap::new(),
        notes=BTreeMap::new(),
        audiences=Vec::new(),
        challenge=None,
        scopes_supported=None,
        name=None,
        metadata=None,
        metadata_url=None,
        realm=None,
        cors_origins=None,
        dpop_required=false,
        dpop_nonce_seed=None,
        dpop_stored=false,
        public_paths=Vec::new(),
        trust_headers=false,
        max_body=None,
        development_hosts=Vec::new(),
        allow_private_hosts=false,
    ))]
    #[allow(clippy::too_many_arguments)] // keywords of Python
    fn new(
        py: Python<'_>,
        resource: &str,
        authorization_servers: Servers<'_>,
        every: Option<Scopes>,
        tools: Rules<'_>,
        prompts: Rules<'_>,
        resources: Rules<'_>,
        methods: Rules<'_>,
        http: Rules<'_>,
        otherwise: Option<PyRef<'_, Need>>,
        implies: BTreeMap<String, String>,
        notes: BTreeMap<String, String>,
        audiences: Vec<String>,
        challenge: Option<&str>,
        scopes_supported: Option<Scopes>,
        name: Option<&str>,
        metadata: Option<&str>,
        metadata_url: Option<&str>,
        realm: Option<&str>,
        cors_origins: Option<Scopes>,
        dpop_required: bool,
        dpop_nonce_seed: Option<&str>,
        dpop_stored: bool,
        public_paths: Vec<String>,
        trust_headers: bool,
        max_body: Option<u32>,
        development_hosts: Vec<String>,
        allow_private_hosts: bool,
    ) -> PyResult<Self> {
        let mut options = Options::new(py, Kind::Guard);
        options.set("resource", resource)?;
        match authorization_servers {
            Servers::One(server) => options.set("authorization_server", server.0.clone())?,
            Servers::Issuer(issuer) => {
                let mut server = Options::new(py, Kind::AuthorizationServer);
                server.set("issuer", issuer)?;
                options.set("authorization_server", server.settings)?;
            }
            Servers::Several(servers) => {
                for server in servers {
                    options.set("authorization_server", server.0.clone())?;
                }
            }
        }
        options.set("every", every.map(Scopes::text))?;
        let kinds = [
            ("tool", tools),
            ("prompt", prompts),
            ("resource_uri", resources),
            ("method", methods),
            ("http", http),
        ];
        for (kind, rules) in kinds {
            for (name, demand) in rules {
                match demand {
                    Demand::Need(need) => options.set(kind, (name, need.0.clone()))?,
                    Demand::Scopes(scopes) => options.set(kind, (name, scopes.text()))?,
                }
            }
        }
        options.set("otherwise", otherwise.map(|need| need.0.clone()))?;
        options.all("implies", implies)?;
        options.all("note", notes)?;
        options.all("audience", audiences)?;
        options.set("challenge", challenge)?;
        options.set("scopes_supported", scopes_supported.map(Scopes::text))?;
        options.set("name", name)?;
        options.set("metadata", metadata)?;
        options.set("metadata_url", metadata_url)?;
        options.set("realm", realm)?;
        match cors_origins {
            Some(Scopes::Text(any)) if any == "*" => options.set("cors_any", true)?,
            Some(Scopes::Text(origin)) => options.set("cors_origin", origin)?,
            Some(Scopes::Several(origins)) => options.all("cors_origin", origins)?,
            None => {}
        }
        options.set("dpop_required", dpop_required)?;
        options.set("dpop_nonce_seed", dpop_nonce_seed)?;
        options.set("dpop_stored", dpop_stored)?;
        options.all("public_path", public_paths)?;
        options.set("trust_headers", trust_headers)?;
        options.set("max_body", max_body)?;
        options.all("development_host", development_hosts)?;
        options.set("allow_private_hosts", allow_private_hosts)?;
        let checked = grantor_bindings::guard(&options.settings);
        checked.map_err(|problem| errors::problem(py, &problem))?;
        Ok(Self { resource: resource.to_owned(), settings: options.settings })
    }

    #[getter]
    fn resource(&self) -> &str {
        &self.resource
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.settings)
    }
}

#[pyclass(frozen, module = "grantor")]
pub(crate) struct Guard {
    guard: Mutex<resource::Guard>,
    clock: Clock,
}

impl Guard {
    fn lock(&self) -> MutexGuard<'_, resource::Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Guard {
    #[new]
    fn new(py: Python<'_>, config: &GuardConfig) -> PyResult<Self> {
        let guard =
            grantor_bindings::guard(&config.settings).map_err(|problem| errors::problem(py, &problem))?;
        Ok(Self { guard: Mutex::new(guard), clock: Clock::start() })
    }

    #[pyo3(signature = (method, target, headers, body=None, *, now=None))]
    fn check<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        target: &str,
        headers: Pairs,
        body: Option<&[u8]>,
        now: Instants,
    ) -> PyResult<Bound<'py, PyAny>> {
        let head = Head::read(method, target, headers)?;
        let decision = py.detach(|| self.lock().check(self.clock.time(now), &head.as_head(), body));
        outputs::decision(py, decision)
    }

    #[pyo3(signature = (method, target, headers))]
    fn too_large<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        target: &str,
        headers: Pairs,
    ) -> PyResult<Bound<'py, PyAny>> {
        let head = Head::read(method, target, headers)?;
        outputs::answer(py, self.lock().too_large(&head.as_head()))
    }

    #[pyo3(signature = (method, target, headers, *, now=None))]
    fn answer_headers<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        target: &str,
        headers: Pairs,
        now: Instants,
    ) -> PyResult<Bound<'py, PyAny>> {
        let head = Head::read(method, target, headers)?;
        let added = self.lock().answer_headers(self.clock.time(now), &head.as_head());
        headers::pairs(py, added.iter().map(|(name, value)| (name.clone(), value))).map(Bound::into_any)
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
        let done =
            py.detach(|| self.lock().complete(self.clock.time(now), OpId::from_u64(op), answer.completion()));
        done.map_err(|error| errors::misuse(py, error))
    }

    #[pyo3(signature = (*, now=None))]
    fn handle_timeout(&self, now: Instants) {
        self.lock().handle_timeout(self.clock.time(now));
    }

    /// The time of this guard's clocks.
    fn now(&self) -> (u64, u64) {
        let now = self.clock.time(None);
        (now.mono_ms, now.unix_s)
    }

    fn poll_timeout(&self) -> Option<u64> {
        self.lock().poll_timeout()
    }

    fn poll_output<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        loop {
            // An output that this binding does not know needs no reaction.
            let Some(output) = self.lock().poll_output() else { return Ok(None) };
            if let Some(made) = outputs::guard_output(py, output)? {
                return Ok(Some(made));
            }
        }
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.poll_output(py)
    }

    #[getter]
    fn metadata_path(&self) -> String {
        self.lock().metadata_path().to_owned()
    }

    #[getter]
    fn metadata_url(&self) -> String {
        self.lock().metadata_url().to_owned()
    }

    #[getter]
    fn policy(&self) -> String {
        self.lock().policy().to_markdown()
    }

    fn __repr__(&self) -> String {
        format!("Guard({:?})", self.metadata_url())
    }
}

/// The head of a request.
struct Head {
    method: Method,
    target: Uri,
    headers: HeaderMap,
}

impl Head {
    fn read(method: &str, target: &str, headers: Pairs) -> PyResult<Self> {
        let wrong = |what| PyValueError::new_err(what);
        Ok(Self {
            method: method.parse().map_err(|_| wrong("the method is none of HTTP"))?,
            target: target.parse().map_err(|_| wrong("the request target is none of HTTP"))?,
            headers: headers::map(headers)?,
        })
    }

    fn as_head(&self) -> RequestHead<'_> {
        RequestHead::new(&self.method, &self.target, &self.headers)
    }
}
