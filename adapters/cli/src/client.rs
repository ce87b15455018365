//! The client for one server: its store, its user, its HTTP.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use grantor_ureq::driver::CallError;
use grantor_ureq::driver::store::{Record, StoreError, Swap};
use grantor_ureq::grantor::client::Preregistered;
use grantor_ureq::grantor::{RecordRevision, Secret, StoreKey};
use grantor_ureq::{AuthorizedAgent, ClientMetadata, Config, Event, FileStore, Setup, Store, UserAgent};
use ureq::Agent;

use crate::Failure;
use crate::arguments::Options;
use crate::terminal::clean;

/// How long a server may take to begin its answer; tools can be slow.
const ANSWER: Duration = Duration::from_secs(300);
const CONNECT: Duration = Duration::from_secs(20);

/// Where the credentials are.
#[derive(Clone)]
pub(crate) struct Shared(Arc<dyn Store>);

impl Shared {
    pub(crate) fn open(options: &Options) -> Result<Self, Failure> {
        if let Some(directory) = &options.store {
            let directory = std::path::absolute(directory)?;
            return Ok(Self(Arc::new(FileStore::new(directory)?)));
        }
        #[cfg(feature = "secret-service")]
        if let Ok(keyring) = dbus_secret_service_keyring_store::Store::new() {
            use grantor_ureq::driver::KeyringStore;
            return Ok(Self(Arc::new(KeyringStore::for_application(keyring, "grantor")?)));
        }
        Ok(Self(Arc::new(FileStore::for_application("grantor")?)))
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.0
    }
}

impl Store for Shared {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        self.0.load(key)
    }

    fn save(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
    ) -> Result<Swap, StoreError> {
        self.0.save(key, record, expect)
    }

    fn save_until(
        &self,
        key: &StoreKey,
        record: &Secret,
        expect: Option<RecordRevision>,
        expires_at_s: u64,
    ) -> Result<Swap, StoreError> {
        self.0.save_until(key, record, expect, expires_at_s)
    }

    fn delete(&self, key: &StoreKey, expect: RecordRevision) -> Result<Swap, StoreError> {
        self.0.delete(key, expect)
    }
}

/// How the client of this server authorizes itself.
pub(crate) fn config(options: &Options, server: &str) -> Result<Config, Failure> {
    let mut config = Config::new(server, ClientMetadata::named("Grantor"))
        .map_err(|error| format!("{server}: {error}"))?
        .account(&options.account)
        .list_account(true);
    if let Some(id) = &options.client_id {
        config = config.preregistered(match &options.issuer {
            Some(issuer) => Preregistered::new(issuer, id),
            None => Preregistered::bound_on_first_use(id),
        });
    }
    Ok(config)
}

/// The client, with this way to the user.
pub(crate) fn open(
    options: &Options,
    store: Shared,
    config: Config,
    user: impl UserAgent,
) -> Result<AuthorizedAgent, Failure> {
    let verbose = options.verbose;
    let observer = move |event: Event<'_>| observe(verbose, event);
    let setup = Setup::new(config).store(store).user_agent(user).observer(observer);
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .build();
    Ok(AuthorizedAgent::with_agent(setup, Agent::new_with_config(agent))?)
}

/// What went wrong, in words for somebody at a terminal: without options that only programs have.
pub(crate) fn words<E: Display>(server: &str, error: CallError<E>) -> Failure {
    match error {
        CallError::Authorization(report) => {
            format!("{}; for more run: grantor doctor {server}", report.without_hint()).into()
        }
        CallError::Http(error) => format!("{server}: {error}").into(),
        other => other.to_string().into(),
    }
}

fn observe(verbose: bool, event: Event<'_>) {
    match event {
        Event::Notice(notice) if verbose || notice.is_for_user() => {
            eprintln!("{}", clean(&notice.to_string()));
        }
        Event::Exchanged { request, why, answer } if verbose => {
            let came = match answer {
                Ok(answer) => answer.status.to_string(),
                Err(failure) => format!("{} {}", failure.kind, failure.detail),
            };
            let mut url = request.url.clone();
            url.set_query(None);
            eprintln!("{}", clean(&format!("{} {url}: {came} ({why})", request.method)));
        }
        _ => {}
    }
}
