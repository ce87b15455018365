//! The client for one server: its store, its user, its HTTP.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::{Duration, Instant};

use grantor_ureq::driver::CallError;
use grantor_ureq::driver::store::application_directory;
use grantor_ureq::grantor::UrlPolicy;
use grantor_ureq::grantor::client::Preregistered;
use grantor_ureq::grantor::error::{Error, ErrorReport, FailureKind, Work};
use grantor_ureq::{
    AuthorizedAgent, Browser, ClientMetadata, Config, Event, FileStore, Setup, Store, UserAgent,
};
use http::{Request, Response, Uri};
use ureq::{Agent, Body};

use crate::Failure;
use crate::arguments::Options;
use crate::terminal::clean;
use crate::turn::{self, InTurn, Turn};

/// How long a server may take to begin its answer; tools can be slow.
const ANSWER: Duration = Duration::from_secs(300);
const CONNECT: Duration = Duration::from_secs(20);
/// Of each connection, in bytes, for either direction: a head has to fit in.
const BUFFER: usize = 64 * 1024;

/// How long another process may take to ask the user.
const ASKED_ELSEWHERE: Duration = Duration::from_secs(600);

/// Where the credentials are.
pub(crate) fn store(options: &Options) -> Result<Arc<dyn Store>, Failure> {
    if let Some(directory) = &options.store {
        let directory = std::path::absolute(directory)?;
        return Ok(Arc::new(FileStore::new(directory)?));
    }
    #[cfg(feature = "secret-service")]
    if let Ok(keyring) = dbus_secret_service_keyring_store::Store::new() {
        use grantor_ureq::driver::KeyringStore;
        return Ok(Arc::new(KeyringStore::for_application(keyring, "grantor")?));
    }
    Ok(Arc::new(FileStore::for_application("grantor")?))
}

/// Whether the server's own host may be asked over plain http.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlainHttp {
    Refused,
    Allowed,
}

/// How the client of this server authorizes itself.
pub(crate) fn config(options: &Options, server: &str, plain: PlainHttp) -> Result<Config, Failure> {
    let host = server.parse::<Uri>().ok().and_then(|url| url.host().map(str::to_owned));
    let urls = match (plain, host) {
        (PlainHttp::Allowed, Some(host)) => UrlPolicy::default().development_host(&host),
        _ => UrlPolicy::default(),
    };
    let mut config = Config::with_urls(server, ClientMetadata::named("Grantor"), urls)
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

/// The agent, with this way to the user.
pub(crate) fn agent(
    options: &Options,
    store: Arc<dyn Store>,
    config: Config,
    user: impl UserAgent,
) -> Result<AuthorizedAgent, Failure> {
    watched(options, store, config, user, |_| {})
}

/// The same, with somebody who is told what happens.
pub(crate) fn watched(
    options: &Options,
    store: Arc<dyn Store>,
    config: Config,
    user: impl UserAgent,
    watch: impl Fn(&Event<'_>) + Send + Sync + 'static,
) -> Result<AuthorizedAgent, Failure> {
    let verbose = options.verbose;
    let observer = move |event: Event<'_>| {
        watch(&event);
        observe(verbose, event);
    };
    let setup = Setup::new(config).store(store).user_agent(user).observer(observer);
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .build();
    Ok(AuthorizedAgent::with_agent(setup, Agent::new_with_config(agent))?)
}

/// An agent that asks the user when no other process does.
pub(crate) struct Client {
    agent: AuthorizedAgent,
    turn: Arc<Turn>,
}

impl Client {
    pub(crate) fn open(
        options: &Options,
        store: Arc<dyn Store>,
        config: Config,
        browser: Browser,
    ) -> Result<Self, Failure> {
        let directory = match &options.store {
            Some(directory) => std::path::absolute(directory)?,
            None => application_directory("grantor")?,
        };
        let turn = Arc::new(Turn::new(&directory, config.resource().as_str(), &options.account));
        let agent = agent(options, store, config, InTurn(browser, Arc::clone(&turn)))?;
        Ok(Self { agent, turn })
    }

    /// Sends a request to the server.
    ///
    /// # Errors
    /// Words for a person.
    pub(crate) fn run(&self, server: &str, request: &Request<&str>) -> Result<Response<Body>, Failure> {
        let until = Instant::now() + ASKED_ELSEWHERE;
        let mut told = false;
        loop {
            let done = self.agent.run(request.clone());
            self.turn.leave(done.is_err());
            match done {
                Ok(response) => return Ok(response),
                // What the other process gets is in the store then.
                Err(CallError::Authorization(report)) if turn::is_asked_elsewhere(&report) => {
                    if !std::mem::replace(&mut told, true) {
                        let said =
                            format!("Another program has opened the page for {server}; waiting for it");
                        eprintln!("{}", clean(&said));
                    }
                    if !self.turn.wait(until) {
                        return Err(words(server, CallError::<ureq::Error>::Authorization(report)));
                    }
                }
                Err(error) => return Err(words(server, error)),
            }
        }
    }
}

/// The network is to blame: later it may work.
#[derive(Debug)]
pub(crate) struct Unreachable(String);

impl Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}

fn is_of_network(report: &ErrorReport) -> bool {
    match &report.error {
        Error::Effect(error) => {
            matches!(error.what, Work::Exchange(_))
                && matches!(
                    error.kind,
                    FailureKind::Broken | FailureKind::TimedOut | FailureKind::Unreachable
                )
        }
        _ => false,
    }
}

/// What went wrong, in words for somebody at a terminal: without options that only programs have.
pub(crate) fn words<E: Display>(server: &str, error: CallError<E>) -> Failure {
    match error {
        CallError::Authorization(report) => {
            let words = format!("{}; for more run: grantor doctor {server}", report.without_hint());
            if is_of_network(&report) { Unreachable(words).into() } else { words.into() }
        }
        CallError::Http(error) => Unreachable(format!("{server}: {error}")).into(),
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
