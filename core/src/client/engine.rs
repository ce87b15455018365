//! The public type: what comes in, what goes out, and to whom an answer belongs.

use std::collections::VecDeque;
use std::sync::Arc;

use http::Method;
use http::header::USER_AGENT;
use url::Url;

use crate::address::Reach;
use crate::client::config::{Config, ConfigError};
use crate::client::output::{CallId, Credentials, Notice, Output, RequestHead, ResponseHead, Verdict};
use crate::client::state::account::Listing;
use crate::client::state::acquisition::{Acquisition, Cause, Step};
use crate::client::state::binding::Binding;
use crate::client::state::budget::{Budgets, Overdrawn, work_of};
use crate::client::state::calls::{Calls, Purpose, Stage, Target, operation};
use crate::client::state::challenged::Challenged;
use crate::client::state::entropy::Entropy;
use crate::client::state::failure::{effect_error, unexpected};
use crate::client::state::grant::{AccessToken, Freshness, Grant};
use crate::client::state::lease::Lease;
use crate::client::state::log_out::LogOut;
use crate::client::state::nonces::Nonce;
use crate::client::state::ops::{OpStatus, Ops, Owner};
use crate::client::state::pending::Pending;
use crate::client::state::record::Subject;
use crate::client::state::refresh::{NewTokens, Refresh, Replaces};
use crate::client::state::resource::Discovered;
use crate::client::state::signing::{JwtIds, Signed, Signing, header, signing_failed};
use crate::client::state::startup::Startup;
use crate::client::state::step_up::StepUps;
use crate::effect::{Completion, Effect, OpId, RecordKind, RecordRevision, StoreKey};
use crate::error::{
    ApiMisuse, Asked, Error, ErrorReport, Failure, FailureKind, PeerMisbehaved, Refused, Work,
};
use crate::finding::Findings;
use crate::policy::DpopPolicy;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::HttpRequest;
use crate::wire::callback::Callback;
use crate::wire::challenge::Challenges;
use crate::wire::server_metadata::Issuer;
use crate::{address, limits};

/// Authorizes the requests of one account to one resource.
///
/// Inputs are methods; what they lead to queues up and is drained with
/// [`poll_output`](Self::poll_output). After every input, drain until `None`; nothing breaks if that is
/// late. All inputs take the time; none blocks, and none does anything by itself.
#[derive(Debug)]
pub struct Engine {
    pub(crate) config: Config,
    /// The resource's URL, as keys name it.
    pub(crate) resource: Arc<str>,
    /// Where URLs from outside may lead.
    pub(crate) outside: Reach,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) ops: Ops,
    pub(crate) calls: Calls,
    pub(crate) entropy: Entropy,
    pub(crate) startup: Startup,
    /// When the records were loaded last.
    pub(crate) loaded_ms: u64,
    pub(crate) binding: Binding,
    pub(crate) grant: GrantState,
    pub(crate) pending: Pending,
    pub(crate) known: Option<Box<Discovered>>,
    pub(crate) refresh: Option<Box<Refresh>>,
    pub(crate) acquisition: Option<Box<Acquisition>>,
    pub(crate) step_ups: StepUps,
    /// When a token was rejected that had been issued just before; until the next one is accepted.
    pub(crate) rejected_ms: Option<u64>,
    /// Whether the stored registration led nowhere, so that the next authorization makes another.
    pub(crate) registration_failed: bool,
    /// The client whose last page led nowhere.
    pub(crate) doubted_client: Option<Box<str>>,
    /// Whether authorizations from before a restart were looked for.
    pub(crate) looked_for_resumable: bool,
    /// The challenge of a call that waits for a refresh, for the case that it leads nowhere.
    pub(crate) last_challenge: Option<Box<Challenged>>,
    /// The URL that was found to be within the resource last.
    pub(crate) url_within: Arc<str>,
    /// What is needed where tokens are bound to a key, or the client signs.
    pub(crate) jwt_ids: Option<Box<JwtIds>>,
    pub(crate) nonces: Vec<Nonce>,
    pub(crate) signing: Vec<Signing>,
    pub(crate) log_out: Option<Box<LogOut>>,
    pub(crate) listing: Option<Listing>,
    /// What the enterprise's sign-on brought, until it is stored with tokens.
    pub(crate) kept_subject: Option<Box<Subject>>,
    /// The exchange whose answer is being processed: errors name it.
    pub(crate) answering: Option<Asked>,
    pub(crate) budgets: Budgets,
    /// What is over its budget since the last input.
    pub(crate) overdrawn: Vec<Overdrawn>,
    /// The time of the last input that led on.
    pub(crate) entered: Now,
    pub(crate) findings: Findings,
}

/// Room for outputs that an idle engine keeps: sending and delivering a call allocate nothing.
const IDLE_OUTPUTS: usize = 2;

/// The grant as this engine holds it, and what it knows about the stored one.
#[derive(Debug, Default)]
pub(crate) struct GrantState {
    pub(crate) grant: Option<Box<Grant>>,
    pub(crate) revision: Option<RecordRevision>,
    /// Counts the tokens that were used; calls remember the one they were sent with.
    pub(crate) generation: u64,
    /// Whether the resource has answered 401 to the access token.
    pub(crate) rejected: bool,
    /// If it is newer than the store, because storing it failed: what it replaces there.
    pub(crate) unsaved: Option<Replaces>,
    /// Who has the lease of the refresh token.
    pub(crate) lease: Lease,
    /// After a refresh failed for now, a token that is still valid is used without another try.
    pub(crate) pause_until_ms: u64,
}

impl GrantState {
    /// Holds new tokens that the store does not have: they are stored before anything else.
    pub(crate) fn keep_unsaved(&mut self, new: NewTokens, revision: Option<RecordRevision>) {
        self.replace(*new.grant, revision);
        self.unsaved = Some(new.replaces);
    }

    pub(crate) fn replace(&mut self, grant: Grant, revision: Option<RecordRevision>) {
        *self = Self {
            grant: Some(Box::new(grant)),
            revision,
            generation: self.generation + 1,
            ..Self::default()
        };
    }

    pub(crate) fn freshness(&self, now: Now, early_s: u32) -> Freshness {
        match &self.grant {
            Some(grant) if !self.rejected => grant.tokens.freshness(now, early_s),
            _ => Freshness::Expired,
        }
    }

    pub(crate) fn access(&self) -> Option<&AccessToken> {
        self.grant.as_ref()?.tokens.access.as_ref()
    }

    pub(crate) fn is_refreshable(&self) -> bool {
        self.grant.as_ref().is_some_and(|grant| grant.tokens.refresh.is_some())
    }
}

impl Engine {
    /// An engine that has loaded nothing yet. It starts with the first call.
    ///
    /// # Errors
    /// [`ConfigError`] for a configuration that cannot work.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let resource: Arc<str> = config.resource.as_str().into();
        Ok(Self {
            url_within: Arc::clone(&resource),
            resource,
            outside: match config.urls.allow_private_hosts {
                true => Reach::Anywhere,
                false => Reach::of(&config.resource),
            },
            config,
            outputs: VecDeque::new(),
            ops: Ops::default(),
            calls: Calls::default(),
            entropy: Entropy::default(),
            startup: Startup::NotStarted,
            loaded_ms: 0,
            binding: Binding::default(),
            grant: GrantState::default(),
            pending: Pending::default(),
            known: None,
            refresh: None,
            acquisition: None,
            step_ups: StepUps::default(),
            rejected_ms: None,
            registration_failed: false,
            doubted_client: None,
            looked_for_resumable: false,
            last_challenge: None,
            jwt_ids: None,
            nonces: Vec::new(),
            signing: Vec::new(),
            log_out: None,
            listing: None,
            kept_subject: None,
            answering: None,
            budgets: Budgets::default(),
            overdrawn: Vec::new(),
            entered: Now::new(0, 0),
            findings: Findings::new(),
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Opens a call: the host wants to send this request. [`Verdict::Send`] or [`Verdict::Fail`] will
    /// come for it, at once when there is a valid token.
    ///
    /// # Errors
    /// [`ApiMisuse::OutsideResource`] and [`ApiMisuse::TokenInQuery`]; no call is opened then.
    pub fn authorize(&mut self, now: Now, request: RequestHead<'_>) -> Result<CallId, ApiMisuse> {
        self.check_reach(request.url)?;
        let target = self.target(&request)?;
        let call = self.calls.open(operation(&request));
        if let Some(open) = self.calls.get_mut(call) {
            open.target = target;
        }
        self.dispatch(now, call);
        self.left(now);
        Ok(call)
    }

    /// Gets a token if there is none, without a request to send: to log in ahead of time. The verdict is
    /// [`Verdict::Done`] or [`Verdict::Fail`].
    pub fn log_in(&mut self, now: Now) -> CallId {
        let call = self.calls.open_for(Purpose::LogIn);
        self.dispatch(now, call);
        self.left(now);
        call
    }

    /// Asks for the scopes that these challenges demand, which came by another way than a response's
    /// headers, such as in the `_meta` of a tool's result
    /// ([`Challenges::of_result`](crate::wire::challenge::Challenges::of_result)). The verdict is
    /// [`Verdict::Done`] once there is a token to try again with, or [`Verdict::Fail`]. Step-ups of the same
    /// operation are counted together.
    pub fn step_up(&mut self, now: Now, request: RequestHead<'_>, challenges: &Challenges) -> CallId {
        let call = self.calls.open_for(Purpose::LogIn);
        if let Some(open) = self.calls.get_mut(call) {
            open.operation = operation(&request);
            open.stage = Stage::WaitingToStepUp(Box::new(challenges.clone()));
        }
        if self.startup == Startup::Done {
            self.begin_step_up(now, call);
        } else {
            self.start(now);
        }
        self.left(now);
        call
    }

    /// Method and URL of a request, where a proof will have to name them.
    pub(crate) fn target(&self, request: &RequestHead<'_>) -> Result<Option<Box<Target>>, ApiMisuse> {
        if self.config.dpop == DpopPolicy::Off {
            return Ok(None);
        }
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| ApiMisuse::Method)?;
        let url = Url::parse(request.url).map_err(|_| ApiMisuse::OutsideResource)?;
        Ok(Some(Box::new(Target { method, url })))
    }

    /// Reports the response to a call that was sent. [`Verdict::Deliver`], another [`Verdict::Send`] or
    /// [`Verdict::Fail`] will come for it.
    ///
    /// # Errors
    /// [`ApiMisuse::UnknownCall`] when this call does not await a response.
    pub fn report(&mut self, now: Now, call: CallId, response: ResponseHead<'_>) -> Result<(), ApiMisuse> {
        match self.calls.get_mut(call) {
            Some(open) if matches!(open.stage, Stage::Sent) => {}
            _ => return Err(ApiMisuse::UnknownCall),
        }
        let may_lead_on = response.may_challenge();
        self.respond(now, call, response);
        if may_lead_on {
            self.left(now);
        }
        Ok(())
    }

    /// Gives up a call, whatever its stage; nothing more comes for it. What other calls wait for goes on. When
    /// nobody waits any more, nothing further is asked of anybody: no registration, no page, no document. A
    /// token request that is under way goes on, since its answer may hold the only refresh token; and a page
    /// that is open stays until its time is up, since the user may answer it still.
    pub fn cancel(&mut self, call: CallId) {
        if self.calls.close(call) {
            self.stop_for_nobody(self.entered);
            self.left(self.entered);
        }
    }

    /// Takes in a callback that comes without its prompt: of a web application, or after a restart. The
    /// verdict is [`Verdict::Done`] once the token is stored, or [`Verdict::Fail`].
    ///
    /// `state` finds the authorization that it answers, whoever brings it. So a web application, which serves
    /// several users, brings it only to the engine of the user whose own session the request came with
    /// (RFC 9700 2.1.1, 4.7): an attacker could have a victim finish what the attacker began otherwise.
    pub fn callback(&mut self, now: Now, url: &str) -> CallId {
        let call = self.calls.open(0);
        match Callback::read(url) {
            Ok(callback) => {
                if let Some(open) = self.calls.get_mut(call) {
                    open.stage = Stage::WaitingForCallback(Box::new(callback));
                }
                self.look_up_callbacks(now);
            }
            Err(error) => self.fail_call(call, error),
        }
        self.left(now);
        call
    }

    /// Answers an effect. An answer to an effect that is settled already is ignored.
    ///
    /// # Errors
    /// [`ApiMisuse::UnknownOp`] and [`ApiMisuse::WrongCompletion`]; nothing has changed then.
    pub fn complete(&mut self, now: Now, op: OpId, with: Completion<'_>) -> Result<(), ApiMisuse> {
        match self.ops.status(op, &with) {
            OpStatus::Fits(owner) => {
                if self.leaves_open(owner, &with) {
                    self.notice(Notice::CallbackIgnored);
                } else {
                    let mut op = self.ops.settle(op);
                    self.answering = op.as_mut().and_then(|op| op.answered(&with));
                    self.on_answer(now, owner, op, with);
                    self.answering = None;
                    self.left(now);
                    if self.acquisition.is_none() && self.refresh.is_none() {
                        self.ops.release();
                    }
                }
                Ok(())
            }
            OpStatus::Settled => Ok(()),
            OpStatus::Unknown => Err(ApiMisuse::UnknownOp),
            OpStatus::WrongKind => Err(ApiMisuse::WrongCompletion),
        }
    }

    /// Feeds random bytes of cryptographic quality. More than [`limits::ENTROPY_POOL`] are not kept.
    pub fn add_entropy(&mut self, now: Now, bytes: &[u8]) {
        self.entropy.add(bytes);
        if self.startup == Startup::AwaitingEntropy {
            self.startup = Startup::NotStarted;
            self.start(now);
        }
        self.proceed(now);
        self.left(now);
    }

    /// To be called when [`poll_timeout`](Self::poll_timeout) has passed; harmless at any time.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(op) = self.ops.expire(now) {
            let failure = Failure::new(FailureKind::TimedOut, "");
            self.answering = op.asked;
            self.on_completion(now, op.owner, Completion::Failed(failure));
            self.answering = None;
        }
        self.refresh_timeout(now);
        self.acquisition_timeout(now);
        self.log_out_timeout(now);
        self.left(now);
    }

    /// The end of an input that may have led on.
    pub(crate) fn left(&mut self, now: Now) {
        self.entered = now;
        if !self.overdrawn.is_empty() {
            self.settle_budgets(now);
        }
        debug_assert!(self.nobody_is_forgotten(), "somebody waits for nothing: {self:?}");
    }

    /// Whether each part that is under way waits for something, and each call for a part that is under way.
    pub(crate) fn nobody_is_forgotten(&self) -> bool {
        let refreshes =
            |refresh: &Refresh| refresh.next_timeout().is_some() || self.ops.waits(Owner::Refresh);
        let acquires = |acquisition: &Acquisition| {
            acquisition.next_timeout().is_some()
                || acquisition.step == Step::AwaitingEntropy
                || self.ops.waits(Owner::Acquisition)
        };
        let logs_out = |log_out: &LogOut| log_out.next_timeout().is_some() || self.ops.waits(Owner::LogOut);
        let calls = !self.calls.any(|stage| match stage {
            Stage::New => true,
            Stage::Sent | Stage::Signing(_) => false,
            Stage::WaitingForAcquisition { .. } | Stage::WaitingForExchange => self.acquisition.is_none(),
            Stage::WaitingForCallback(_) => self.startup == Startup::Done && self.acquisition.is_none(),
            Stage::WaitingForLogOut => self.log_out.is_none(),
            Stage::WaitingForRefresh { .. } => self.refresh.is_none(),
            Stage::WaitingForStartup | Stage::WaitingToStepUp(_) => {
                matches!(self.startup, Startup::Done | Startup::NotStarted)
            }
            Stage::WaitingToLogOut => self.refresh.is_none() && self.acquisition.is_none(),
        });
        calls
            && self.refresh.as_deref().is_none_or(refreshes)
            && self.acquisition.as_deref().is_none_or(acquires)
            && self.log_out.as_deref().is_none_or(logs_out)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), on the monotonic clock; it changes with
    /// every input.
    pub fn poll_timeout(&self) -> Option<u64> {
        let refresh = self.refresh.as_ref().and_then(|refresh| refresh.next_timeout());
        let acquisition = self.acquisition.as_ref().and_then(|acquisition| acquisition.next_timeout());
        let log_out = self.log_out.as_ref().and_then(|log_out| log_out.next_timeout());
        [self.ops.next_deadline(), refresh, acquisition, log_out].into_iter().flatten().min()
    }

    /// What the peers' answers strayed in so far, and nobody was harmed: each once, at most
    /// [`limits::FINDINGS`]. For a diagnosis of a server.
    pub const fn findings(&self) -> &Findings {
        &self.findings
    }

    /// The next output, in the order in which they arose. New ones arise from inputs only.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            self.outputs.shrink_to(IDLE_OUTPUTS);
        }
        output
    }

    /// Whether a URL is the resource's; its token goes nowhere else.
    pub(crate) fn check_reach(&mut self, text: &str) -> Result<(), ApiMisuse> {
        if *self.url_within == *text {
            return Ok(());
        }
        let url = Url::parse(text).map_err(|_| ApiMisuse::OutsideResource)?;
        if !address::is_within(&url, &self.config.resource) {
            return Err(ApiMisuse::OutsideResource);
        }
        if url.query_pairs().any(|(name, _)| name == "access_token") {
            return Err(ApiMisuse::TokenInQuery);
        }
        if text.len() <= limits::STRING {
            self.url_within = text.into();
        }
        Ok(())
    }

    /// Decides what a call does next: be sent with the token, without, or wait.
    pub(crate) fn dispatch(&mut self, now: Now, call: CallId) {
        if self.startup != Startup::Done {
            self.set_stage(call, Stage::WaitingForStartup);
            self.start(now);
            return;
        }
        if self.calls.get_mut(call).is_some_and(|open| open.purpose.ends_tokens()) {
            return self.start_log_out(now, call);
        }
        if self.waits_for_log_out(call) {
            return;
        }
        if self.binding.due && self.grant.unsaved.is_none() {
            self.pin_late(now);
        }
        let freshness = self.grant.freshness(now, self.config.refresh_early_s);
        let refreshable = self.grant.is_refreshable() || self.grant.unsaved.is_some();
        let paused = now.mono_ms < self.grant.pause_until_ms;
        match freshness {
            Freshness::Fresh if self.grant.unsaved.is_none() => self.send(now, call),
            Freshness::Expiring if self.grant.unsaved.is_none() && (!refreshable || paused) => {
                self.send(now, call);
            }
            _ if refreshable => self.wait_for_refresh(now, call, false),
            _ if self.can_renew_without_user() => self.renew_without_user(now, call),
            _ if self.acquisition.as_ref().is_some_and(|under_way| under_way.is_for_everyone()) => {
                self.wait_for_acquisition(now, call, Stage::acquisition());
            }
            _ => self.send(now, call),
        }
    }

    /// Whether the tokens have run out, and others can be had at once from where these came.
    pub(crate) fn can_renew_without_user(&self) -> bool {
        self.config.flow.is_without_user()
            && self.known.is_some()
            && self.grant.grant.is_some()
            && self.acquisition.is_none()
            && !self.grant.rejected
    }

    pub(crate) fn renew_without_user(&mut self, now: Now, call: CallId) {
        self.acquire(now, call, Cause::Unauthorized, Challenged::default(), ScopeSet::new());
    }

    /// Sends a call with the current token, or without one.
    pub(crate) fn send(&mut self, now: Now, call: CallId) {
        let generation =
            if self.grant.rejected || self.grant.access().is_none() { 0 } else { self.grant.generation };
        let Some(open) = self.calls.get_mut(call) else { return };
        if open.purpose != Purpose::Request {
            if generation != 0 {
                return self.end_call(call, Verdict::Done);
            }
            return self.acquire(now, call, Cause::Unauthorized, Challenged::default(), ScopeSet::new());
        }
        if open.sends >= limits::SENDS_PER_CALL {
            self.fail_call(call, Refused::TokenRejected);
            return;
        }
        open.sends += 1;
        open.generation = generation;
        open.stage = Stage::Sent;
        let credentials = match self.grant.access() {
            Some(access) if generation != 0 => access.credentials(),
            _ => Credentials::default(),
        };
        if generation != 0
            && let Some(notice) = plain_http(&self.config.resource)
        {
            self.notice(notice);
        }
        if generation != 0 && self.grant.grant.as_ref().is_some_and(|grant| grant.dpop.is_some()) {
            return self.prove(now, call, credentials);
        }
        self.outputs.push_back(Output::Call { call, verdict: Verdict::Send(credentials) });
    }

    /// Sends a call with a proof that it is made by who holds the token's key (RFC 9449 7).
    pub(crate) fn prove(&mut self, now: Now, call: CallId, credentials: Credentials) {
        let target = self.calls.get_mut(call).and_then(|open| open.target.clone());
        let grant = self.grant.grant.as_deref();
        let (Some(target), Some(dpop)) = (target, grant.and_then(|grant| grant.dpop.clone())) else {
            return self.fail_call(call, signing_failed("the call has no target"));
        };
        let token = self.grant.access().map(|access| Secret::from(access.expose()));
        let token = token.as_ref().map(Secret::expose);
        let unsigned = self.proof(now, &dpop, &target.method, &target.url, token);
        match self.sign(now, Owner::Call(call), &dpop.key, unsigned) {
            Ok(Signed::Now(proof)) => self.send_proven(call, credentials, &proof),
            Ok(Signed::ByHost(unsigned)) => self.set_stage(call, Stage::Signing(Box::new(unsigned))),
            Err(error) => self.fail_call(call, error),
        }
    }

    pub(crate) fn send_proven(&mut self, call: CallId, credentials: Credentials, proof: &Secret) {
        let Some(proof) = header(proof) else {
            return self.fail_call(call, signing_failed("the proof fits no header"));
        };
        self.set_stage(call, Stage::Sent);
        let verdict = Verdict::Send(credentials.with_proof(proof));
        self.outputs.push_back(Output::Call { call, verdict });
    }

    /// The signature of a call's proof is here.
    pub(crate) fn on_call_signed(&mut self, now: Now, call: CallId, completion: Completion<'_>) {
        let Some(open) = self.calls.get_mut(call) else { return };
        let generation = open.generation;
        let Stage::Signing(unsigned) = std::mem::replace(&mut open.stage, Stage::New) else { return };
        if generation != self.grant.generation {
            return self.dispatch(now, call); // for another token than the one in use now
        }
        let credentials = self.grant.access().map(AccessToken::credentials).unwrap_or_default();
        match completion {
            Completion::Signed { signature } => match unsigned.assemble(signature) {
                Ok(proof) => self.send_proven(call, credentials, &proof),
                Err(error) => self.fail_call(call, signing_failed(&error.to_string())),
            },
            Completion::Failed(failure) => self.fail_call(call, effect_error(Work::Signing, failure)),
            _ => self.fail_call(call, unexpected(Work::Signing)),
        }
    }

    pub(crate) fn set_stage(&mut self, call: CallId, stage: Stage) {
        if let Some(open) = self.calls.get_mut(call) {
            open.stage = stage;
        }
    }

    pub(crate) fn end_call(&mut self, call: CallId, verdict: Verdict) {
        if self.calls.close(call) {
            self.outputs.push_back(Output::Call { call, verdict });
        }
    }

    pub(crate) fn fail_call(&mut self, call: CallId, error: impl Into<ErrorReport>) {
        let report = self.report_of(error);
        self.end_call(call, Verdict::Fail(Box::new(report)));
    }

    pub(crate) fn fail_calls(&mut self, stage: impl Fn(&Stage) -> bool, error: impl Into<ErrorReport>) {
        let report = self.report_of(error);
        for call in self.calls.at(stage) {
            self.fail_call(call, report.clone());
        }
    }

    /// An error with the exchange whose answer is being processed, unless it names one already.
    pub(crate) fn report_of(&self, error: impl Into<ErrorReport>) -> ErrorReport {
        error.into().of_exchange(self.answering.as_ref())
    }

    /// An error about what a part of the engine waits for still.
    pub(crate) fn report_while_waiting(&self, owner: Owner, error: Error) -> ErrorReport {
        ErrorReport::new(error, self.ops.asked(owner))
    }

    /// Keeps what an answer strayed in, and tells of each once.
    pub(crate) fn keep(&mut self, findings: Findings) {
        for finding in findings {
            if self.findings.add(&finding) {
                self.notice(Notice::Finding(finding));
            }
        }
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }

    /// Asks for an effect.
    pub(crate) fn perform(
        &mut self,
        now: Now,
        owner: Owner,
        effect: Effect,
        time_ms: u64,
        why: &'static str,
    ) -> OpId {
        self.perform_for(now, owner, effect, time_ms, false, why)
    }

    /// Sends a request.
    pub(crate) fn send_request(&mut self, now: Now, owner: Owner, request: HttpRequest, why: &'static str) {
        let effect = Effect::Http { request: Box::new(request), max_body: limits::DOCUMENT_BODY };
        self.perform_for(now, owner, effect, self.config.timeouts.http_ms, false, why);
    }

    /// Sends a token request: it is waited for even when its callers have given up.
    pub(crate) fn send_token_request(
        &mut self,
        now: Now,
        owner: Owner,
        request: HttpRequest,
        why: &'static str,
    ) {
        let effect = Effect::Http { request: Box::new(request), max_body: limits::TOKEN_BODY };
        self.perform_for(now, owner, effect, self.config.timeouts.token_ms, true, why);
    }

    /// Where every effect leaves, if those for whom it is can afford it. If not, they end with this input.
    pub(crate) fn perform_for(
        &mut self,
        now: Now,
        owner: Owner,
        mut effect: Effect,
        time_ms: u64,
        kept: bool,
        why: &'static str,
    ) -> OpId {
        if !self.charge(owner, work_of(&effect)) {
            return self.ops.skip();
        }
        if let Effect::Http { request, .. } = &mut effect {
            request.headers.insert(USER_AGENT, self.config.user_agent.clone());
            if !self.config.names_host_of(&request.url) {
                request.reach = self.outside.clone();
            }
            if let Some(notice) = plain_http(&request.url) {
                self.notice(notice);
            }
        }
        let deadline_ms = now.mono_ms.saturating_add(time_ms);
        let op = self.ops.open(owner, &effect, deadline_ms, kept);
        self.outputs.push_back(Output::Perform { op, deadline_ms, effect, why });
        op
    }

    /// Gives up what a part of the engine waits for.
    pub(crate) fn abandon_ops(&mut self, owner: Owner) {
        let ops = self.ops.settle_all(owner);
        self.outputs.extend(ops.into_iter().map(|op| Output::Abandon { op }));
    }

    pub(crate) fn load(&mut self, now: Now, owner: Owner, key: Box<StoreKey>, why: &'static str) {
        self.perform(now, owner, Effect::Load { key }, limits::STORE_MS, why);
    }

    pub(crate) fn key(&self, kind: RecordKind, issuer: Option<&Issuer>) -> Box<StoreKey> {
        Box::new(StoreKey {
            kind,
            resource: Arc::clone(&self.resource),
            account: Arc::clone(&self.config.account),
            issuer: issuer.map(Issuer::shared),
            quarantine: None,
        })
    }

    /// Hands an answer to the machine that waits for it.
    pub(crate) fn on_completion(&mut self, now: Now, owner: Owner, completion: Completion<'_>) {
        match owner {
            Owner::Acquisition => self.on_acquisition(now, completion),
            Owner::Call(call) => self.on_call_signed(now, call, completion),
            Owner::Detached(kind) => self.on_detached(kind, completion),
            Owner::Listing => self.on_listing(now, completion),
            Owner::LogOut => self.on_log_out(now, completion),
            Owner::Prompt => self.on_prompt(now, completion),
            Owner::Refresh => self.on_refresh(now, completion),
            Owner::Startup => self.on_startup(now, completion),
        }
    }
}

/// What is to be said of a request to this URL, if it goes over a network without TLS.
pub(crate) fn plain_http(url: &Url) -> Option<Notice> {
    let host = || url.host_str().unwrap_or_default().into();
    address::is_plain_http(url).then(|| Notice::PlainHttp { host: host() })
}

impl From<PeerMisbehaved> for Verdict {
    fn from(error: PeerMisbehaved) -> Self {
        Self::Fail(Box::new(error.into()))
    }
}
