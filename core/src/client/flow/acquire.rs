//! Getting a token with the user's help: what is needed next.
//!
//! An acquisition gathers what it knows and asks for the first thing that is missing, in the order in
//! which `next_step` reads. `transitions` puts the answers in.

use std::sync::Arc;

use url::Url;

use crate::client::config::Flow;
use crate::client::engine::{Engine, unexpected};
use crate::client::flow::plan::{Facts, GrantKind, Need, plan};
use crate::client::flow::respond::Challenged;
use crate::client::output::CallId;
use crate::client::state::budget::Budget;
use crate::client::state::calls::Stage;
use crate::client::state::grant::Grant;
use crate::client::state::ops::Owner;
use crate::client::state::record::PendingAuthorization;
use crate::client::task::approve::Approved;
use crate::client::task::assertion::SignOn;
use crate::client::task::authorize::AuthorizationParams;
use crate::client::task::device::Polling;
use crate::client::task::discover::{Resource, no_server_metadata};
use crate::client::task::exchange::{Ask, TokenExchange};
use crate::client::task::register::RegistrationState;
use crate::client::task::still_known::Doubted;
use crate::client::task::wait::Waits;
use crate::discover::Probe;
use crate::effect::{RecordKind, RecordRevision};
use crate::error::{Error, ErrorReport, Exchange, PeerIncompatible, PeerMisbehaved, Work};
use crate::limits;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::authorization::AuthorizationUrl;
use crate::wire::callback::Callback;
use crate::wire::client_auth::Client;
use crate::wire::resource_metadata::Candidate;
use crate::wire::server_metadata::{Issuer, ServerMetadata};
use crate::wire::token::TokenTypeUri;

/// An authorization on its way.
#[derive(Debug)]
pub(crate) struct Acquisition {
    pub(crate) step: Step,
    pub(crate) cause: Cause,
    pub(crate) challenged: Challenged,
    /// What the resource says about itself.
    pub(crate) resource: Option<Arc<Resource>>,
    pub(crate) resource_probe: Option<Probe<Candidate>>,
    /// The chosen authorization server.
    pub(crate) issuer: Option<Issuer>,
    /// What the host has agreed to, or need not be asked about.
    pub(crate) approved: Option<Approved>,
    /// What the host is being asked about.
    pub(crate) question: Option<Approved>,
    /// The server that was reported as another than the pinned one.
    pub(crate) noticed_change: Option<Issuer>,
    /// Whether it was said that the configured clients belong to other servers.
    pub(crate) noticed_elsewhere: bool,
    /// Whether the issuer could not be pinned: that is done later.
    pub(crate) pin_failed: bool,
    pub(crate) server: Option<Arc<ServerMetadata>>,
    pub(crate) server_probe: Option<Probe<Url>>,
    /// Why other servers that the resource names were left out.
    pub(crate) without_metadata: Vec<ErrorReport>,
    pub(crate) redirect_uri: Option<Box<str>>,
    pub(crate) registration: RegistrationState,
    pub(crate) client: Option<Client>,
    /// When the client was registered on the way.
    pub(crate) registered_ms: Option<u64>,
    /// Whether that was because the server did not know it any more.
    pub(crate) registered_again: bool,
    /// The scopes that the server does not grant, unless the client has registered them.
    pub(crate) unregistered: Option<ScopeSet>,
    /// The client that the server is asked about, whether it still knows it.
    pub(crate) doubted: Option<Box<Doubted>>,
    /// Whether it was asked.
    pub(crate) known_asked: bool,
    /// Whether the client's id had to be in the body.
    pub(crate) moved_id: bool,
    /// Whether its server was discovered for an earlier one.
    pub(crate) reused: bool,
    /// With which status the token endpoint turned out to be gone.
    pub(crate) gone: Option<u16>,
    /// Whether the metadata was read anew for an endpoint that is gone.
    pub(crate) looked_elsewhere: bool,
    /// An authorization from before a restart, to be taken up again.
    pub(crate) resumable: Option<Box<PendingAuthorization>>,
    /// The authorization that waits for the browser, or whose code is exchanged.
    pub(crate) asked: Option<Box<PendingAuthorization>>,
    pub(crate) asked_saved: bool,
    /// The page of the request that was made last.
    pub(crate) page: Option<AuthorizationUrl>,
    /// The callback that answers it, while it is taken in.
    pub(crate) callback: Option<Callback>,
    /// Whether its page was opened before a restart.
    pub(crate) resumed: bool,
    /// The parameters of its request still have to be pushed (RFC 9126).
    pub(crate) unpushed: bool,
    /// Whether they were pushed again with another nonce.
    pub(crate) push_retried: bool,
    /// The token request that is under way, or to be sent.
    pub(crate) exchange: Option<Box<TokenExchange>>,
    /// The assertion for it.
    pub(crate) assertion: Option<(Secret, TokenTypeUri)>,
    pub(crate) sign_on: SignOn,
    /// Why the code for another device is not shown any more, while a token may be on its way.
    pub(crate) prompt_ended: Option<ErrorReport>,
    /// A device authorization that waits for the user.
    pub(crate) polling: Option<Polling>,
    /// What became of it, not yet stored.
    pub(crate) obtained: Option<Box<Grant>>,
    /// The revision of the record that it replaces, once that was looked up.
    pub(crate) grant_revision: Option<Option<RecordRevision>>,
    /// Whether it is stored, and in use.
    pub(crate) stored: bool,
    /// Whether another process obtained it.
    pub(crate) adopted: bool,
    /// Rounds lost to other writers of the store.
    pub(crate) store_rounds: u8,
    /// When calls stop waiting for the token request.
    pub(crate) overdue_ms: Option<u64>,
    /// Whether they were told.
    pub(crate) told_overdue: bool,
    /// Servers that were busy.
    pub(crate) waits: Waits,
}

/// What an acquisition waits for; named by `transitions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Approving,
    AskingWhetherKnown,
    Authorizing,
    AwaitingAssertion,
    AwaitingEntropy,
    CheckingBinding,
    CheckingGrant,
    Exchanging,
    FetchingProviderMetadata,
    FetchingResourceMetadata,
    FetchingServerMetadata,
    ForgettingPending,
    Listening,
    LoadingBinding,
    LoadingGrant,
    LoadingPending,
    LoadingRegistration,
    Planning,
    Polling,
    Pushing,
    Registering,
    RequestingCodes,
    SavingBinding,
    SavingGrant,
    SavingPending,
    SavingRegistration,
    Signing,
    /// For a server that is busy and has said for how long.
    Waiting,
}

impl Step {
    /// What is being done, for errors.
    pub(crate) fn work(self) -> Work {
        match self {
            Self::Approving
            | Self::Authorizing
            | Self::AwaitingAssertion
            | Self::AwaitingEntropy
            | Self::Listening
            | Self::Planning
            | Self::Polling
            | Self::Waiting => Work::Interaction,
            Self::Pushing => Work::Exchange(Exchange::PushedAuthorization),
            Self::RequestingCodes => Work::Exchange(Exchange::DeviceAuthorization),
            Self::Signing => Work::Signing,
            Self::AskingWhetherKnown | Self::Exchanging => Work::Exchange(Exchange::CodeToken),
            Self::FetchingResourceMetadata => Work::Exchange(Exchange::ResourceMetadata),
            Self::FetchingProviderMetadata | Self::FetchingServerMetadata => {
                Work::Exchange(Exchange::ServerMetadata)
            }
            Self::Registering => Work::Exchange(Exchange::Registration),
            Self::CheckingBinding
            | Self::CheckingGrant
            | Self::ForgettingPending
            | Self::LoadingBinding
            | Self::LoadingGrant
            | Self::LoadingPending
            | Self::LoadingRegistration
            | Self::SavingBinding
            | Self::SavingGrant
            | Self::SavingPending
            | Self::SavingRegistration => Work::Store,
        }
    }
}

/// Why a token is wanted, by how much it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// A callback came back by itself.
    Callback,
    /// The token that there is lacks scope; it serves other calls meanwhile.
    StepUp,
    /// There is no token that the resource accepts.
    Unauthorized,
}

/// How an acquisition ends.
pub(crate) enum End {
    /// Another process has stored newer tokens.
    Adopted,
    /// It ends with one.
    Done,
    Error(ErrorReport),
    /// Every call that wanted it was cancelled: no browser opens for nobody.
    NobodyWaits,
}

impl<E: Into<Error>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Error(ErrorReport::from(error))
    }
}

impl Acquisition {
    pub(crate) fn new(cause: Cause, challenged: Challenged) -> Self {
        Self {
            step: Step::Planning,
            cause,
            challenged,
            resource: None,
            resource_probe: None,
            issuer: None,
            approved: None,
            question: None,
            noticed_change: None,
            noticed_elsewhere: false,
            pin_failed: false,
            server: None,
            server_probe: None,
            without_metadata: Vec::new(),
            redirect_uri: None,
            registration: RegistrationState::default(),
            client: None,
            registered_ms: None,
            registered_again: false,
            unregistered: None,
            doubted: None,
            known_asked: false,
            moved_id: false,
            reused: false,
            gone: None,
            looked_elsewhere: false,
            resumable: None,
            asked: None,
            asked_saved: false,
            page: None,
            callback: None,
            resumed: false,
            unpushed: false,
            push_retried: false,
            exchange: None,
            assertion: None,
            sign_on: SignOn::default(),
            polling: None,
            prompt_ended: None,
            obtained: None,
            grant_revision: None,
            stored: false,
            adopted: false,
            store_rounds: 0,
            overdue_ms: None,
            told_overdue: false,
            waits: Waits::default(),
        }
    }

    /// Forgets what was found about the resource and one server: what follows is another server's.
    pub(crate) fn forget_discovery(&mut self) {
        self.resource = None;
        self.resource_probe = None;
        self.issuer = None;
        self.approved = None;
        self.server = None;
        self.server_probe = None;
        self.registration = RegistrationState::default();
        self.client = None;
        self.registered_ms = None;
        self.unpushed = false;
    }

    /// Whether nobody can be served until it ends.
    pub(crate) fn is_for_everyone(&self) -> bool {
        self.cause == Cause::Unauthorized
    }

    /// Whether more scopes can be asked for still.
    pub(crate) fn is_before_the_browser(&self) -> bool {
        let asks = self.asked.is_some() || self.exchange.is_some() || self.polling.is_some();
        !asks && self.step != Step::RequestingCodes
    }

    /// Whether what is demanded comes with it, or still can.
    pub(crate) fn brings(&self, demanded: &ScopeSet) -> bool {
        let is_asked_for = self.asked.as_ref().is_some_and(|asked| asked.scopes.covers(demanded));
        self.is_before_the_browser() || is_asked_for
    }

    /// Demands what this challenge demands, too. What the host has not approved is asked about again.
    fn join(&mut self, challenged: &Challenged) -> Result<(), PeerMisbehaved> {
        self.challenged.join(challenged)?;
        let covers = |approved: &Approved| approved.covers(&challenged.scope);
        self.approved = self.approved.take().filter(covers);
        self.question = self.question.take().filter(covers);
        if challenged.metadata_url.is_some() {
            self.look_anew();
        }
        Ok(())
    }

    /// A challenge names metadata of the resource: what was known from before the challenge, and what is not
    /// found yet, is looked for there.
    fn look_anew(&mut self) {
        let nothing_begun = matches!(
            self.step,
            Step::Approving
                | Step::CheckingBinding
                | Step::CheckingGrant
                | Step::FetchingResourceMetadata
                | Step::LoadingPending
                | Step::Planning
        );
        if self.resource.is_none() {
            self.resource_probe = None;
        } else if self.reused && nothing_begun {
            let approved = self.approved.take();
            self.forget_discovery();
            self.approved = approved;
            self.reused = false;
        }
    }

    /// The host has agreed to what it was asked about, unless more is to be asked for meanwhile.
    pub(crate) fn agree(&mut self) {
        self.approved = self.question.take();
    }

    /// The server that the host is being asked about.
    pub(crate) fn asked_about(&self) -> Option<&Issuer> {
        self.question.as_ref().map(Approved::issuer)
    }

    /// What is being done, for errors.
    pub(crate) fn work(&self) -> Work {
        match &self.exchange {
            Some(exchange) if self.step == Step::Exchanging => Work::Exchange(exchange.exchange()),
            _ => self.step.work(),
        }
    }

    /// Whether tokens may be on their way already.
    pub(crate) fn is_obtaining(&self) -> bool {
        let stores = matches!(self.step, Step::ForgettingPending | Step::LoadingGrant | Step::SavingGrant);
        stores || self.stored || self.obtained.is_some() || self.step == Step::Exchanging
    }

    /// How it ends once everything is stored.
    pub(crate) fn served(&self) -> End {
        if self.adopted { End::Adopted } else { End::Done }
    }

    /// Whether the token request that is under way polls for a device code.
    pub(crate) fn polls(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| matches!(exchange.ask, Ask::DeviceCode(_)))
    }

    fn is_overdue(&self, now: Now) -> bool {
        self.overdue_ms.is_some_and(|at| at <= now.mono_ms)
    }

    pub(crate) fn next_timeout(&self) -> Option<u64> {
        match self.step {
            Step::Exchanging => self.overdue_ms.filter(|_| !self.told_overdue),
            Step::Polling => self.polling.as_ref().map(Polling::next_timeout),
            Step::Waiting => Some(self.waits.until_ms),
            _ => None,
        }
    }
}

impl Engine {
    /// Lets a call wait for an authorization, and starts one if none is under way.
    pub(crate) fn acquire(
        &mut self,
        now: Now,
        call: CallId,
        cause: Cause,
        challenged: Challenged,
        needs: ScopeSet,
    ) {
        if self.waits_for_log_out(call) {
            return;
        }
        match &mut self.acquisition {
            Some(under_way) => {
                if under_way.is_before_the_browser()
                    && let Err(error) = under_way.join(&challenged)
                {
                    return self.fail_call(call, error);
                }
                // Whoever needs a token more than those before decides how far it goes.
                under_way.cause = under_way.cause.max(cause);
            }
            None => {
                self.budgets.acquisition = Budget::default();
                let mut acquisition = Acquisition::new(cause, challenged);
                if cause == Cause::StepUp || self.config.flow.is_without_user() {
                    self.reuse_discovery(&mut acquisition);
                }
                self.acquisition = Some(Box::new(acquisition));
            }
        }
        self.wait_for_acquisition(now, call, Stage::WaitingForAcquisition { needs });
        self.proceed(now);
    }

    /// A step-up goes to the server that granted the token.
    fn reuse_discovery(&self, acquisition: &mut Acquisition) {
        let (Some(known), Some(grant)) = (&self.known, &self.grant.grant) else { return };
        if known.server.issuer == *grant.server.issuer() {
            acquisition.reused = true;
            acquisition.resource = Some(Arc::clone(&known.resource));
            acquisition.issuer = Some(grant.server.issuer().clone());
            acquisition.server = Some(Arc::clone(&known.server));
            acquisition.sign_on.provider = known.provider.clone();
        }
    }

    pub(crate) fn wait_for_acquisition(&mut self, now: Now, call: CallId, stage: Stage) {
        if self.acquisition.as_ref().is_some_and(|acquisition| acquisition.is_overdue(now)) {
            let failure = crate::error::Failure::new(crate::error::FailureKind::TimedOut, "");
            let error = crate::client::engine::effect_error(Step::Exchanging.work(), failure);
            self.fail_call(call, self.report_while_waiting(Owner::Acquisition, error));
            return;
        }
        if let Some(open) = self.calls.get_mut(call) {
            open.authorized = true;
            open.stage = stage;
        }
    }

    /// Asks for the next thing that the acquisition needs, if it does not wait for one already.
    pub(crate) fn proceed(&mut self, now: Now) {
        let Some(mut acquisition) = self.acquisition.take() else { return };
        if !matches!(acquisition.step, Step::Planning | Step::AwaitingEntropy | Step::Polling) {
            self.acquisition = Some(acquisition);
            return;
        }
        match self.plan(now, &mut acquisition) {
            Ok(step) => {
                acquisition.step = step;
                self.acquisition = Some(acquisition);
                if step == Step::Polling {
                    self.begin_log_outs(now);
                }
                if step == Step::Authorizing {
                    self.look_up_callbacks(now);
                }
            }
            Err(end) => self.end_acquisition(now, &acquisition, end),
        }
    }

    /// The next step for which something is waited. One that came to nothing, such as a server without metadata, is
    /// planned anew: each takes away what led to it. Nobody is left waiting for a plan.
    fn plan(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Step, End> {
        for _ in 0..=limits::LIST {
            match self.next_step(now, acquisition)? {
                Step::Planning => {}
                step => return Ok(step),
            }
        }
        Err(unexpected(acquisition.work()).into())
    }

    /// Asks for what the plan says is needed next. [`Step::Planning`] if that was there at once.
    fn next_step(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Step, End> {
        let step = match plan(&self.facts(now, acquisition)) {
            Need::CurrentRecords => {
                self.loaded_ms = now.mono_ms;
                let key = self.key(RecordKind::Binding, None);
                self.load(now, Owner::Acquisition, key, "another process may have been authorized meanwhile");
                Some(Step::CheckingBinding)
            }
            Need::PendingRecord => {
                let key = self.key(RecordKind::Pending, None);
                self.load(now, Owner::Acquisition, key, "an authorization from before a restart may wait");
                Some(Step::LoadingPending)
            }
            Need::Settled => Some(self.finish(now, acquisition)?),
            Need::StoredToken => Some(self.store_token(now, acquisition)?),
            Need::Token => match self.find_token_endpoint(now, acquisition)? {
                Some(step) => Some(step),
                None => Some(self.request_token(now, acquisition)?),
            },
            Need::Callback => self.take_callback(now, acquisition)?,
            Need::Nothing => return Err(End::NobodyWaits),
            Need::RestartSettled => self.resume(now, acquisition)?,
            Need::Resource => self.discover_resource(now, acquisition)?,
            Need::Issuer => {
                let resource = resource(acquisition)?;
                self.choose_issuer(acquisition, &resource)?;
                None
            }
            Need::Approval => {
                let resource = resource(acquisition)?;
                let issuer = self.choose_issuer(acquisition, &resource)?;
                let scopes = self.demanded_scopes(acquisition, &resource)?;
                self.ask_for_approval(now, acquisition, &resource, &issuer, scopes)?
            }
            Need::Server => {
                let issuer = self.choose_issuer(acquisition, &*resource(acquisition)?)?;
                self.discover_server(now, acquisition, &issuer)?
            }
            need => self.next_step_at(now, acquisition, need)?,
        };
        Ok(step.unwrap_or(Step::Planning))
    }

    /// What is needed at a server that is known.
    fn next_step_at(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        need: Need,
    ) -> Result<Option<Step>, End> {
        let resource = resource(acquisition)?;
        let server = match (&acquisition.server, &acquisition.issuer) {
            (Some(server), _) => Arc::clone(server),
            (None, Some(issuer)) => return Err(no_server_metadata(issuer).into()),
            (None, None) => return Err(unexpected(acquisition.work()).into()),
        };
        self.check_flow(&server)?;
        if need == Need::Client {
            return self.find_client(now, acquisition, &server);
        }
        if need == Need::RedirectUri {
            return self.listen(now, acquisition, None).map(Some);
        }
        if let Some(client) = &acquisition.client {
            self.check_assertions(client, &server)?;
        }
        Ok(Some(match need {
            Need::BoundClient => self.bind_client(now, &server.issuer),
            Need::UserElsewhere => {
                let scopes = self.choose_scopes(acquisition, &resource, &server)?;
                self.device(now, acquisition, &resource, &server, scopes)?
            }
            Need::Credential => {
                let scopes = self.choose_scopes(acquisition, &resource, &server)?;
                self.without_user(now, acquisition, &resource, &server, scopes)?
            }
            Need::Request => {
                let client = acquisition.client.clone().ok_or(PeerIncompatible::NoClientAuthentication)?;
                let scopes = self.choose_scopes(acquisition, &resource, &server)?;
                let resource = self.resource_parameter(&resource);
                let asking = AuthorizationParams {
                    client: &client,
                    server: &server,
                    resource,
                    scopes,
                    sign_on: false,
                };
                return self.ask_user(now, acquisition, asking);
            }
            Need::PushedRequest => self.push(now, acquisition, &server)?,
            Need::RecordedRequest => self.save_pending(now, acquisition),
            Need::User => self.open_browser(now, acquisition)?,
            _ => return Err(unexpected(acquisition.work()).into()),
        }))
    }

    /// What is there for the plan to look at.
    fn facts(&self, now: Now, acquisition: &Acquisition) -> Facts {
        let issuer = acquisition.issuer.as_ref();
        let approved = |issuer| acquisition.approved.as_ref().is_some_and(|approved| approved.is_of(issuer));
        let binds = |server: &ServerMetadata| self.binds_client(acquisition, &server.issuer);
        Facts {
            grant: match self.config.flow {
                Flow::AuthorizationCode => GrantKind::Browser,
                Flow::Device => GrantKind::Device,
                Flow::ClientCredentials | Flow::Enterprise(_) | Flow::Workload => GrantKind::WithoutUser,
            },
            records_current: !self.may_have_been_outrun(now, acquisition),
            pending_loaded: self.pending.loaded,
            stored: acquisition.stored,
            obtained: acquisition.obtained.is_some(),
            exchange: acquisition.exchange.is_some(),
            callback: self.calls.any(|stage| matches!(stage, Stage::WaitingForCallback(_))),
            wanted: acquisition.cause != Cause::Callback && self.check_somebody_waits().is_ok(),
            restart_settled: self.looked_for_resumable && acquisition.resumable.is_none(),
            resource: acquisition.resource.is_some(),
            issuer: issuer.is_some(),
            approved: issuer.is_some_and(approved),
            server: acquisition.server.is_some(),
            client: acquisition.client.is_some(),
            redirect_uri: acquisition.redirect_uri.is_some(),
            bound: !acquisition.server.as_deref().is_some_and(binds),
            request: acquisition.asked.is_some(),
            pushed: !acquisition.unpushed,
            recorded: acquisition.asked_saved,
        }
    }

    /// Whether the server offers what the configured grant needs.
    fn check_flow(&self, server: &ServerMetadata) -> Result<(), PeerIncompatible> {
        if self.config.flow == Flow::Device && server.device_authorization_endpoint.is_none() {
            let (issuer, endpoint) = ((&server.issuer).into(), "device_authorization_endpoint");
            return Err(PeerIncompatible::NoEndpoint { issuer, endpoint });
        }
        if matches!(self.config.flow, Flow::Enterprise(_)) && server.excludes_identity_assertions() {
            return Err(PeerIncompatible::NoIdentityAssertions { issuer: (&server.issuer).into() });
        }
        Ok(())
    }

    /// New tokens are stored, once their issuer may be pinned.
    fn store_token(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Step, End> {
        if let Some(grant) = acquisition.obtained.take() {
            let step = self.ask_to_pin(now, acquisition, &grant);
            acquisition.obtained = Some(grant);
            if let Some(step) = step? {
                return Ok(step);
            }
        }
        Ok(self.save_grant(now, acquisition))
    }

    /// The new tokens are stored: their issuer is pinned, and what was pending is removed. Everybody who waited
    /// is served after that, since the process may end with the call, and another one would wait for the page.
    fn finish(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Step, End> {
        if let Some(step) = self.pin(now, acquisition)? {
            return Ok(step);
        }
        let asked = acquisition.asked.as_ref();
        match asked.is_some_and(|asked| self.forget_pending(now, Owner::Acquisition, &asked.state)) {
            true => Ok(Step::ForgettingPending),
            false => Err(acquisition.served()),
        }
    }

    /// Whether the records are old enough to look at them again before the user is asked.
    fn may_have_been_outrun(&self, now: Now, acquisition: &Acquisition) -> bool {
        self.config.shared_store
            && acquisition.step == Step::Planning
            && acquisition.is_before_the_browser()
            && acquisition.resource_probe.is_none()
            && acquisition.cause != Cause::Callback
            && now.mono_ms.saturating_sub(self.loaded_ms) >= limits::RELOAD_MS
    }

    pub(crate) fn fetch(&mut self, now: Now, request: crate::wire::HttpRequest, why: &'static str) {
        self.send_request(now, Owner::Acquisition, request, why);
    }

    /// Ends what nobody waits for any more: all but token requests, for their answers may be unique, and pages
    /// that are open, for the user may answer them still.
    pub(crate) fn stop_for_nobody(&mut self, now: Now) {
        let goes_on = |acquisition: &Acquisition| {
            acquisition.is_obtaining()
                || acquisition.step == Step::Authorizing
                || acquisition.exchange.is_some() && !acquisition.polls()
        };
        let has_callback = || self.calls.any(|stage| matches!(stage, Stage::WaitingForCallback(_)));
        let stops = self.acquisition.as_deref().is_some_and(|acquisition| !goes_on(acquisition));
        if stops
            && self.check_somebody_waits().is_err()
            && !has_callback()
            && let Some(acquisition) = self.acquisition.take()
        {
            self.end_acquisition(now, &acquisition, End::NobodyWaits);
        }
        self.stop_refresh_for_nobody(now);
    }

    /// An acquisition that is over its budget.
    pub(crate) fn exhaust_acquisition(&mut self, now: Now, error: Error) {
        let Some(mut acquisition) = self.acquisition.take() else { return };
        self.keep_obtained(&mut acquisition);
        self.end_acquisition(now, &acquisition, End::from(error));
    }

    pub(crate) fn check_somebody_waits(&self) -> Result<(), End> {
        let waits =
            |stage: &Stage| matches!(stage, Stage::WaitingForAcquisition { .. } | Stage::WaitingForExchange);
        if self.calls.any(waits) { Ok(()) } else { Err(End::NobodyWaits) }
    }
}

/// What is known about the resource.
fn resource(acquisition: &Acquisition) -> Result<Arc<Resource>, PeerIncompatible> {
    acquisition.resource.clone().ok_or(PeerIncompatible::NoResourceMetadata)
}
