//! Getting a token with the user's help: what is needed next.
//!
//! An acquisition gathers what it knows and asks for the first thing that is missing, in the order in
//! which `next_step` reads. `transitions` puts the answers in.

use url::Url;

use super::calls::Stage;
use super::config::{Preregistered, Redirect};
use super::grant::Grant;
use super::ops::Owner;
use super::output::{CallId, Output};
use super::record::{self, ClientRecord, PendingAuthorization, PendingRecord};
use super::respond::Challenged;
use super::{BindingRecord, Engine, Notice};
use crate::effect::{AuthorizationPrompt, Effect, Interaction, Reason, RecordKind, RecordRevision, Summary};
use crate::error::{Error, Exchange, PeerIncompatible, PeerMisbehaved, PeerText, Refused, Work};
use crate::limits;
use crate::policy::TrustPolicy;
use crate::quirks::ResourceParameter;
use crate::revision::Revision;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::authorization::AuthorizationRequest;
use crate::wire::callback::{Callback, Expected};
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::pkce::{self, Verifier};
use crate::wire::registration::{self, RegistrationRequest};
use crate::wire::resource_metadata::{self, Candidate};
use crate::wire::server_metadata::{self, Issuer, ServerMetadata};
use crate::wire::token::{Grant as TokenGrant, TokenRequest};

/// An authorization on its way.
#[derive(Debug)]
pub(super) struct Acquisition {
    pub(super) step: Step,
    pub(super) cause: Cause,
    pub(super) challenged: Challenged,
    /// What the resource says about itself.
    pub(super) resource: Option<Resource>,
    pub(super) resource_probe: Option<Probe<Candidate>>,
    /// The chosen authorization server.
    pub(super) issuer: Option<Issuer>,
    /// Whether the host has agreed, or need not be asked.
    pub(super) approved: bool,
    pub(super) server: Option<Box<ServerMetadata>>,
    pub(super) server_probe: Option<Probe<Url>>,
    pub(super) redirect_uri: Option<Box<str>>,
    pub(super) registration: RegistrationState,
    pub(super) client: Option<Client>,
    /// Whether the client was registered anew because the server did not know it any more.
    pub(super) reregistered: bool,
    /// An authorization from before a restart, to be taken up again.
    pub(super) resumable: Option<Box<PendingAuthorization>>,
    pub(super) looked_for_resumable: bool,
    /// The authorization that waits for the browser, or whose code is exchanged.
    pub(super) asked: Option<Box<PendingAuthorization>>,
    pub(super) asked_saved: bool,
    /// Whether its page was opened before a restart.
    pub(super) resumed: bool,
    /// The code of its callback, while it is exchanged.
    pub(super) code: Option<Secret>,
    /// What became of it, not yet stored.
    pub(super) obtained: Option<Box<Grant>>,
    /// The revision of the record that it replaces, once that was looked up.
    pub(super) grant_revision: Option<Option<RecordRevision>>,
    /// Rounds lost to other writers of the store.
    pub(super) store_rounds: u8,
    /// When calls stop waiting for the token request.
    pub(super) overdue_ms: Option<u64>,
    /// Whether they were told.
    pub(super) told_overdue: bool,
}

/// What an acquisition waits for; named by `transitions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Approving,
    Authorizing,
    AwaitingEntropy,
    Exchanging,
    FetchingResourceMetadata,
    FetchingServerMetadata,
    Listening,
    LoadingBinding,
    LoadingGrant,
    LoadingPending,
    LoadingRegistration,
    Planning,
    Registering,
    SavingBinding,
    SavingGrant,
    SavingPending,
    SavingRegistration,
}

impl Step {
    /// What is being done, for errors.
    pub(super) fn work(self) -> Work {
        match self {
            Self::Approving
            | Self::Authorizing
            | Self::AwaitingEntropy
            | Self::Listening
            | Self::Planning => Work::Interaction,
            Self::Exchanging => Work::Exchange(Exchange::CodeToken),
            Self::FetchingResourceMetadata => Work::Exchange(Exchange::ResourceMetadata),
            Self::FetchingServerMetadata => Work::Exchange(Exchange::ServerMetadata),
            Self::Registering => Work::Exchange(Exchange::Registration),
            Self::LoadingBinding
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

/// Why a token is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A callback came back by itself.
    Callback,
    /// The token that there is lacks scope; it serves other calls meanwhile.
    StepUp,
    /// There is no token that the resource accepts.
    Unauthorized,
}

/// What discovery found about the resource.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    /// The identifier, as its metadata writes it.
    pub(super) identifier: Box<str>,
    pub(super) scopes_supported: Option<ScopeSet>,
    pub(super) authorization_servers: Vec<Box<str>>,
}

/// What was discovered for the grant in use; a step-up asks nobody again.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) resource: Resource,
    pub(super) server: ServerMetadata,
}

/// Candidates for a metadata document, tried in order.
#[derive(Debug)]
pub(super) struct Probe<C> {
    candidates: std::vec::IntoIter<C>,
    pub(super) current: Option<C>,
    pub(super) asked: Option<Url>,
    pub(super) redirects: u8,
    /// The first failure that does not rule out the candidates after it.
    pub(super) failure: Option<Error>,
}

impl<C> Probe<C> {
    fn new(candidates: Vec<C>) -> Self {
        Self { candidates: candidates.into_iter(), current: None, asked: None, redirects: 0, failure: None }
    }

    /// Goes on to the next candidate.
    pub(super) fn skip(&mut self) {
        self.asked = None;
    }

    /// A server that fails may have the document elsewhere; one that breaks the rules has had its chance.
    pub(super) fn fail(&mut self, error: Error) -> Result<(), Error> {
        match error {
            Error::Refused(Refused::Unavailable { .. }) => {
                self.failure.get_or_insert(error);
                self.skip();
                Ok(())
            }
            error => Err(error),
        }
    }

    pub(super) fn redirect(&mut self, url: Url) {
        self.asked = Some(url);
        self.redirects += 1;
    }

    /// The URL to ask now: of a redirect, or of the next candidate.
    fn url(&mut self, of: impl Fn(&C) -> &Url) -> Option<Url> {
        if self.asked.is_none() {
            self.redirects = 0;
            self.current = self.candidates.next();
            self.asked = self.current.as_ref().map(|candidate| of(candidate).clone());
        }
        self.asked.clone()
    }
}

/// How far dynamic registration is.
#[derive(Debug, Default)]
pub(super) struct RegistrationState {
    /// Whether the stored one was looked for.
    pub(super) loaded: bool,
    pub(super) revision: Option<RecordRevision>,
    /// The client that the store or the server names, and its redirect URI.
    pub(super) found: Option<(Client, Box<str>)>,
    /// When its secret expires.
    pub(super) secret_expires_at: Option<u64>,
    pub(super) unsaved: bool,
}

/// The pending authorizations as far as this engine knows them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) loaded: bool,
    pub(super) revision: Option<RecordRevision>,
    pub(super) authorizations: Vec<PendingAuthorization>,
}

impl Pending {
    /// Those that are worth something still.
    pub(super) fn drop_expired(&mut self, now: Now) {
        self.authorizations.retain(|pending| pending.expires_at > now.unix_s);
    }

    pub(super) fn remove(&mut self, state: &Secret) {
        self.authorizations.retain(|pending| pending.state != *state);
    }
}

/// How an acquisition ends.
pub(super) enum End {
    /// It ends with one.
    Done,
    Error(Error),
    /// Every call that wanted it was cancelled: no browser opens for nobody.
    NobodyWaits,
}

impl<E: Into<Error>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Acquisition {
    fn new(cause: Cause, challenged: Challenged) -> Self {
        Self {
            step: Step::Planning,
            cause,
            challenged,
            resource: None,
            resource_probe: None,
            issuer: None,
            approved: false,
            server: None,
            server_probe: None,
            redirect_uri: None,
            registration: RegistrationState::default(),
            client: None,
            reregistered: false,
            resumable: None,
            looked_for_resumable: false,
            asked: None,
            asked_saved: false,
            resumed: false,
            code: None,
            obtained: None,
            grant_revision: None,
            store_rounds: 0,
            overdue_ms: None,
            told_overdue: false,
        }
    }

    /// Whether nobody can be served until it ends.
    pub(super) fn is_for_everyone(&self) -> bool {
        self.cause == Cause::Unauthorized
    }

    /// Whether more scopes can be asked for still.
    fn is_before_the_browser(&self) -> bool {
        self.asked.is_none()
    }

    fn is_overdue(&self, now: Now) -> bool {
        self.overdue_ms.is_some_and(|at| at <= now.mono_ms)
    }

    pub(super) fn next_timeout(&self) -> Option<u64> {
        self.overdue_ms.filter(|_| self.step == Step::Exchanging && !self.told_overdue)
    }
}

impl Engine {
    /// Lets a call wait for an authorization, and starts one if none is under way.
    pub(super) fn acquire(
        &mut self,
        now: Now,
        call: CallId,
        cause: Cause,
        challenged: Challenged,
        needs: ScopeSet,
    ) {
        match &mut self.acquisition {
            Some(under_way) => {
                if under_way.is_before_the_browser() {
                    under_way.challenged.scope.extend(&challenged.scope);
                }
                if cause == Cause::Unauthorized {
                    under_way.cause = cause;
                }
            }
            None => {
                let mut acquisition = Acquisition::new(cause, challenged);
                if cause == Cause::StepUp {
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
        if known.server.issuer == grant.issuer {
            acquisition.resource = Some(known.resource.clone());
            acquisition.issuer = Some(grant.issuer.clone());
            acquisition.server = Some(Box::new(known.server.clone()));
        }
    }

    pub(super) fn wait_for_acquisition(&mut self, now: Now, call: CallId, stage: Stage) {
        if self.acquisition.as_ref().is_some_and(|acquisition| acquisition.is_overdue(now)) {
            let failure = crate::error::Failure::new(crate::error::FailureKind::TimedOut, "");
            self.fail_call(call, super::effect_error(Step::Exchanging.work(), failure));
            return;
        }
        if let Some(open) = self.calls.get_mut(call) {
            open.authorized = true;
            open.stage = stage;
        }
    }

    /// Asks for the next thing that the acquisition needs, if it does not wait for one already.
    pub(super) fn proceed(&mut self, now: Now) {
        let Some(mut acquisition) = self.acquisition.take() else { return };
        if !matches!(acquisition.step, Step::Planning | Step::AwaitingEntropy) {
            self.acquisition = Some(acquisition);
            return;
        }
        match self.next_step(now, &mut acquisition) {
            Ok(step) => {
                acquisition.step = step;
                self.acquisition = Some(acquisition);
                if step == Step::Authorizing {
                    self.look_up_callbacks(now);
                }
            }
            Err(end) => self.end_acquisition(now, *acquisition, end),
        }
    }

    /// The plan.
    fn next_step(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Step, End> {
        if !self.pending.loaded {
            let key = self.key(RecordKind::Pending, None);
            self.load(now, Owner::Acquisition, key, "an authorization from before a restart may wait");
            return Ok(Step::LoadingPending);
        }
        if acquisition.obtained.is_some() {
            return Ok(self.save_grant(now, acquisition));
        }
        if let Some(step) = self.take_callback(now, acquisition)? {
            return Ok(step);
        }
        if acquisition.cause == Cause::Callback {
            return Err(End::NobodyWaits);
        }
        if let Some(step) = self.resume(now, acquisition)? {
            return Ok(step);
        }
        if acquisition.resource.is_none() {
            if let Some(step) = self.discover_resource(now, acquisition)? {
                return Ok(step);
            }
        }
        let resource = acquisition.resource.clone().ok_or(PeerIncompatible::NoResourceMetadata)?;
        let issuer = self.choose_issuer(acquisition, &resource)?;
        if !acquisition.approved
            && let Some(step) = self.ask_for_approval(now, acquisition, &resource, &issuer)?
        {
            return Ok(step);
        }
        if acquisition.server.is_none()
            && let Some(step) = self.discover_server(now, acquisition, &issuer)?
        {
            return Ok(step);
        }
        let server = acquisition.server.clone().ok_or_else(|| no_server_metadata(&issuer))?;
        let scopes = self.choose_scopes(acquisition, &resource, &server);
        if acquisition.client.is_none()
            && let Some(step) = self.find_client(now, acquisition, &server)?
        {
            return Ok(step);
        }
        if acquisition.redirect_uri.is_none() {
            return self.listen(now, acquisition, None);
        }
        if let Some(step) = self.save_binding(now, acquisition, &server.issuer) {
            return Ok(step);
        }
        if acquisition.asked.is_none()
            && let Some(step) = self.ask_user(now, acquisition, &resource, &server, scopes)?
        {
            return Ok(step);
        }
        if !acquisition.asked_saved {
            return Ok(self.save_pending(now, acquisition));
        }
        self.open_browser(now, acquisition)
    }

    /// Takes up an authorization from before a restart: the user may have its page open.
    fn resume(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Option<Step>, End> {
        if !acquisition.looked_for_resumable {
            acquisition.looked_for_resumable = true;
            self.pending.drop_expired(now);
            let trusted = |pending: &&PendingAuthorization| {
                self.binding.as_ref().is_some_and(|binding| binding.issuer == pending.issuer)
                    && pending.url().is_some()
                    && acquisition.challenged.scope.iter().all(|scope| pending.scopes.contains(scope))
                    && match &self.config.redirect {
                        Redirect::Fixed(uri) => *uri == pending.redirect_uri,
                        Redirect::Listen => true,
                    }
            };
            if acquisition.cause == Cause::Unauthorized {
                acquisition.resumable =
                    self.pending.authorizations.iter().rev().find(trusted).cloned().map(Box::new);
            }
        }
        let Some(pending) = acquisition.resumable.clone() else { return Ok(None) };
        let Some(redirect_uri) = &acquisition.redirect_uri else {
            return self.listen(now, acquisition, Some(pending.redirect_uri.clone())).map(Some);
        };
        acquisition.resumable = None;
        if *redirect_uri != pending.redirect_uri {
            return Ok(None); // another process has the place; it may be waiting there itself
        }
        acquisition.asked = Some(pending);
        acquisition.asked_saved = true;
        acquisition.resumed = true;
        self.open_browser(now, acquisition).map(Some)
    }

    fn discover_resource(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Option<Step>, End> {
        let challenged = acquisition.challenged.metadata_url.as_ref();
        if challenged.is_none() && self.config.revision == Revision::V2025_03_26 {
            acquisition.resource = Some(self.origin_as_server());
            return Ok(None);
        }
        let resource = &self.config.resource;
        let probe = acquisition
            .resource_probe
            .get_or_insert_with(|| Probe::new(resource_metadata::candidates(resource, challenged)));
        if let Some(url) = probe.url(|candidate| &candidate.url) {
            let why = match probe.current.as_ref().is_some_and(|candidate| candidate.challenged) {
                true => "the challenge names the resource's metadata",
                false => "no challenge names the resource's metadata; this is where it may be",
            };
            let request = resource_metadata::request(url, self.config.revision);
            self.fetch(now, request, why);
            return Ok(Some(Step::FetchingResourceMetadata));
        }
        if let Some(failure) = probe.failure.take() {
            return Err(End::Error(failure));
        }
        if self.config.endpoint_fallback() {
            acquisition.resource = Some(self.origin_as_server());
            return Ok(None);
        }
        Err(PeerIncompatible::NoResourceMetadata.into())
    }

    /// What MCP 2025-03-26 has instead of resource metadata.
    fn origin_as_server(&self) -> Resource {
        Resource {
            identifier: self.config.canonical_resource(),
            scopes_supported: None,
            authorization_servers: vec![server_metadata::origin(&self.config.resource).as_str().into()],
        }
    }

    /// Chooses among the authorization servers that the resource names: the one that is pinned, one with
    /// which a client is registered, or the first (RFC 9728 7.6 leaves it to the client).
    fn choose_issuer(&self, acquisition: &mut Acquisition, resource: &Resource) -> Result<Issuer, End> {
        if let Some(issuer) = &acquisition.issuer {
            return Ok(issuer.clone());
        }
        let names = &resource.authorization_servers;
        let slash = self.config.quirks.issuer_trailing_slash;
        let among = |wanted: &str| {
            names.iter().find(|name| {
                ***name == *wanted || slash && Issuer::trusted(wanted).equals_but_for_slash(name)
            })
        };
        let pinned = self.binding.as_ref().and_then(|binding| among(&binding.issuer));
        let configured = || self.config.trusted_issuers.iter().find_map(|issuer| among(issuer.as_str()));
        let registered = || {
            let issuers = self.config.preregistered.iter().filter_map(|client| client.issuer.as_ref());
            issuers.into_iter().find_map(|issuer| among(issuer.as_str()))
        };
        let name = pinned.or_else(configured).or_else(registered).or(names.first());
        let name = name.ok_or(PeerMisbehaved::NoAuthorizationServers)?;
        let issuer = Issuer::read(name, &self.config.urls, &self.config.resource)?;
        acquisition.issuer = Some(issuer.clone());
        Ok(issuer)
    }

    /// The trust policy. A question comes before anything is sent to a server that is not trusted yet.
    fn ask_for_approval(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        resource: &Resource,
        issuer: &Issuer,
    ) -> Result<Option<Step>, End> {
        acquisition.approved = true;
        let pinned = self.binding.as_ref().map(|binding| Issuer::trusted(&binding.issuer));
        let changed = pinned.filter(|pinned| !self.is_same_issuer(pinned, issuer));
        if let Some(from) = &changed {
            self.notice(Notice::IssuerChanged { from: from.into(), to: issuer.into() });
        }
        if self.config.trusted_issuers.contains(issuer) {
            return Ok(None);
        }
        let untrusted = Refused::Untrusted { issuer: issuer.into() };
        match self.config.trust {
            TrustPolicy::Accept => return Ok(None),
            TrustPolicy::PinnedOnly if self.binding.is_some() && changed.is_none() => return Ok(None),
            TrustPolicy::PinnedOnly => return Err(untrusted.into()),
            TrustPolicy::SameOrigin => {
                let same = Url::parse(issuer.as_str())
                    .is_ok_and(|url| url.origin() == self.config.resource.origin());
                return if same { Ok(None) } else { Err(untrusted.into()) };
            }
            TrustPolicy::Ask => {}
        }
        let scopes = self.demanded_scopes(acquisition, resource);
        let summary = self.summary(acquisition, resource, issuer, scopes);
        let is_new_scope = self.grant.grant.is_some() && !summary.new_scopes.is_empty();
        if changed.is_none() && !is_new_scope {
            return Ok(None);
        }
        self.check_somebody_waits()?;
        acquisition.approved = false;
        let effect = Effect::Interact(Interaction::Approve(Box::new(summary)));
        let why = match changed {
            Some(_) => "the resource names another authorization server; that is for the host to judge",
            None => "more scopes are needed than were approved; that is for the host to judge",
        };
        self.perform(now, Owner::Acquisition, effect, self.config.interaction_ms, why);
        Ok(Some(Step::Approving))
    }

    fn is_same_issuer(&self, pinned: &Issuer, issuer: &Issuer) -> bool {
        pinned == issuer
            || self.config.quirks.issuer_trailing_slash && pinned.equals_but_for_slash(issuer.as_str())
    }

    fn summary(
        &self,
        acquisition: &Acquisition,
        resource: &Resource,
        issuer: &Issuer,
        scopes: ScopeSet,
    ) -> Summary {
        let before = self.grant.grant.as_ref().map(|grant| grant.requested.clone()).unwrap_or_default();
        let pinned = self.binding.as_ref().map(|binding| Issuer::trusted(&binding.issuer));
        let reason = match (pinned, acquisition.cause) {
            (Some(from), _) if !self.is_same_issuer(&from, issuer) => Reason::IssuerChanged { from },
            (_, Cause::StepUp) => Reason::StepUp,
            (_, Cause::Unauthorized | Cause::Callback) => Reason::Unauthorized,
        };
        Summary {
            resource: resource.identifier.clone(),
            issuer: issuer.clone(),
            account: self.config.account.clone(),
            new_scopes: scopes.without(&before),
            scopes,
            reason,
        }
    }

    /// Remembers the issuer that the resource is bound to from now on, and with it a client that was
    /// configured without one.
    fn save_binding(&mut self, now: Now, acquisition: &Acquisition, issuer: &Issuer) -> Option<Step> {
        let bound = self.binding.as_ref().and_then(|binding| binding.preregistered_with.clone());
        let is_free = |own: &Preregistered| {
            own.issuer.is_none() && acquisition.client.as_ref().is_some_and(|client| client.id == own.id)
        };
        let binds = self.config.preregistered.iter().any(is_free).then(|| issuer.as_str().into());
        let binding = BindingRecord { issuer: issuer.as_str().into(), preregistered_with: bound.or(binds) };
        if self.binding.as_ref() == Some(&binding) {
            return None;
        }
        let effect = Effect::Save {
            key: self.key(RecordKind::Binding, None),
            record: record::write(&binding),
            expect: self.binding_revision,
        };
        let why = "the resource is bound to the authorization server";
        self.perform(now, Owner::Acquisition, effect, limits::STORE_MS, why);
        self.binding = Some(binding);
        Some(Step::SavingBinding)
    }

    fn discover_server(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        issuer: &Issuer,
    ) -> Result<Option<Step>, End> {
        if acquisition.server_probe.is_none() {
            acquisition.server_probe = Some(Probe::new(server_metadata::candidates(issuer)?));
        }
        let Some(probe) = &mut acquisition.server_probe else { return Ok(None) };
        if let Some(url) = probe.url(|url| url) {
            let request = server_metadata::request(url, self.config.revision);
            self.fetch(now, request, "the authorization server's endpoints are needed");
            return Ok(Some(Step::FetchingServerMetadata));
        }
        if let Some(failure) = probe.failure.take() {
            return Err(End::Error(failure));
        }
        if self.config.endpoint_fallback() && *issuer == server_metadata::origin(&self.config.resource) {
            acquisition.server = Some(Box::new(server_metadata::fallback(&self.config.resource)));
            return Ok(None);
        }
        Err(no_server_metadata(issuer).into())
    }

    /// The scopes that the resource demands: of the challenge, else of its metadata; with those of the
    /// configuration, and those asked for before, which a new token must not lose (MCP "Scope Selection
    /// Strategy", "Step-Up Authorization Flow").
    fn demanded_scopes(&self, acquisition: &Acquisition, resource: &Resource) -> ScopeSet {
        let challenged = Some(&acquisition.challenged.scope).filter(|scope| !scope.is_empty());
        let demanded = challenged.or(resource.scopes_supported.as_ref());
        let is_same = |grant: &&Box<Grant>| {
            acquisition.issuer.as_ref().is_some_and(|issuer| self.is_same_issuer(issuer, &grant.issuer))
        };
        let before = self.grant.grant.as_ref().filter(is_same);
        let mut scopes = before.map(|grant| grant.requested.clone()).unwrap_or_default();
        scopes.extend(&self.config.scopes);
        if let Some(demanded) = demanded {
            scopes.extend(demanded);
        }
        scopes
    }

    /// The scopes to ask for: those demanded, and `offline_access` where the server has it.
    fn choose_scopes(
        &self,
        acquisition: &Acquisition,
        resource: &Resource,
        server: &ServerMetadata,
    ) -> ScopeSet {
        let mut scopes = self.demanded_scopes(acquisition, resource);
        if self.config.offline_access && server.offers_offline_access {
            if let Ok(offline) = ScopeSet::parse("offline_access") {
                scopes.extend(&offline);
            }
        }
        scopes
    }

    /// Finds the client to be: pre-registered, by document, or registered dynamically (MCP "Client
    /// Registration").
    fn find_client(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        server: &ServerMetadata,
    ) -> Result<Option<Step>, End> {
        let methods = &server.token_endpoint_auth_methods;
        if let Some(own) = self.preregistered_at(&server.issuer).cloned() {
            acquisition.client = Some(own.client(methods).ok_or(PeerIncompatible::NoClientAuthentication)?);
            return Ok(None);
        }
        if server.client_id_metadata_document_supported
            && let Some(url) = &self.config.client_id_document
        {
            acquisition.client = Some(Client::public(url));
            return Ok(None);
        }
        match &server.registration_endpoint {
            Some(endpoint) if self.config.dynamic_registration => {
                self.find_registration(now, acquisition, server, endpoint)
            }
            _ if !self.config.preregistered.is_empty() => {
                Err(PeerIncompatible::RegisteredElsewhere { issuer: (&server.issuer).into() }.into())
            }
            dynamic => Err(PeerIncompatible::NoRegistration {
                issuer: (&server.issuer).into(),
                cimd: server.client_id_metadata_document_supported,
                dynamic: dynamic.is_some(),
            }
            .into()),
        }
    }

    /// The configured client that belongs to this server. One without an issuer belongs to the first
    /// that it was used with.
    fn preregistered_at(&self, issuer: &Issuer) -> Option<&Preregistered> {
        let own = &self.config.preregistered;
        own.iter().find(|client| client.issuer.as_ref() == Some(issuer)).or_else(|| {
            let bound = self.binding.as_ref().and_then(|binding| binding.preregistered_with.as_deref());
            let free = bound.is_none_or(|bound| bound == issuer.as_str());
            own.iter().find(|client| client.issuer.is_none() && free)
        })
    }

    fn find_registration(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        server: &ServerMetadata,
        endpoint: &Url,
    ) -> Result<Option<Step>, End> {
        if !acquisition.registration.loaded {
            let key = self.key(RecordKind::Registration, Some(&server.issuer));
            self.load(now, Owner::Acquisition, key, "the client may be registered there already");
            return Ok(Some(Step::LoadingRegistration));
        }
        if acquisition.registration.unsaved {
            return Ok(Some(self.save_registration(now, acquisition, &server.issuer)));
        }
        let preferred = acquisition.registration.found.as_ref().map(|(_, uri)| uri.clone());
        let Some(redirect_uri) = acquisition.redirect_uri.clone() else {
            return self.listen(now, acquisition, preferred).map(Some);
        };
        let state = &mut acquisition.registration;
        let expired = state.secret_expires_at.is_some_and(|at| at <= now.unix_s);
        if let Some((client, registered_uri)) = state.found.take()
            && registered_uri == redirect_uri
            && !expired
        {
            acquisition.client = Some(client);
            return Ok(None);
        }
        let method = registration::choose_method(&server.token_endpoint_auth_methods)?;
        let request = self.registration_request(endpoint, &redirect_uri, method).request();
        self.fetch(now, request, "the client is not registered with this authorization server");
        Ok(Some(Step::Registering))
    }

    pub(super) fn registration_request<'a>(
        &'a self,
        endpoint: &'a Url,
        redirect_uri: &'a str,
        method: ClientAuthMethod,
    ) -> RegistrationRequest<'a> {
        RegistrationRequest {
            endpoint,
            metadata: &self.config.metadata,
            redirect_uri,
            method,
            scope: &self.config.scopes,
            initial_access_token: self.config.initial_access_token.as_ref(),
        }
    }

    fn save_registration(&mut self, now: Now, acquisition: &mut Acquisition, issuer: &Issuer) -> Step {
        let state = &acquisition.registration;
        if let Some((client, redirect_uri)) = &state.found {
            let record = record::RegistrationRecord {
                client: ClientRecord::of(client, &self.config),
                redirect_uri: redirect_uri.clone(),
                secret_expires_at: state.secret_expires_at,
            };
            let effect = Effect::Save {
                key: self.key(RecordKind::Registration, Some(issuer)),
                record: record::write(&record),
                expect: state.revision,
            };
            let why = "the registration is kept, so that the server need not make another";
            self.perform(now, Owner::Acquisition, effect, limits::STORE_MS, why);
        }
        Step::SavingRegistration
    }

    fn listen(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        preferred: Option<Box<str>>,
    ) -> Result<Step, End> {
        if let Redirect::Fixed(uri) = &self.config.redirect {
            acquisition.redirect_uri = Some(uri.clone());
            return self.next_step(now, acquisition);
        }
        self.check_somebody_waits()?;
        let effect = Effect::Interact(Interaction::Listen { preferred });
        let why = "the browser will need a place to come back to";
        self.perform(now, Owner::Acquisition, effect, limits::LISTEN_MS, why);
        Ok(Step::Listening)
    }

    /// Makes the authorization request, once there is entropy for it.
    fn ask_user(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        resource: &Resource,
        server: &ServerMetadata,
        scopes: ScopeSet,
    ) -> Result<Option<Step>, End> {
        let (Some(client), Some(redirect_uri)) = (&acquisition.client, &acquisition.redirect_uri) else {
            return Ok(Some(Step::Planning));
        };
        const NEEDED: usize = 64;
        self.check_somebody_waits()?;
        if self.entropy.available() < NEEDED {
            if !self.entropy.asked {
                self.entropy.asked = true;
                self.outputs.push_back(Output::NeedEntropy { len: NEEDED });
            }
            return Ok(Some(Step::AwaitingEntropy));
        }
        let (Some(for_state), Some(for_verifier)) = (self.entropy.take::<32>(), self.entropy.take::<32>())
        else {
            return Ok(Some(Step::AwaitingEntropy));
        };
        let (state, verifier) = (pkce::unguessable(&for_state), Verifier::from_entropy(&for_verifier));
        let resource = self.resource_parameter(resource);
        let request = AuthorizationRequest {
            endpoint: &server.authorization_endpoint,
            client_id: &client.id,
            redirect_uri,
            state: state.expose(),
            code_challenge: &verifier.challenge(),
            scope: &scopes,
            resource: resource.as_deref(),
        };
        acquisition.asked = Some(Box::new(PendingAuthorization {
            url: Secret::from(request.url().as_str()),
            state,
            verifier: verifier.secret().clone(),
            issuer: server.issuer.as_str().into(),
            iss_parameter_supported: server.iss_parameter_supported,
            redirect_uri: redirect_uri.clone(),
            token_endpoint: server.token_endpoint.clone(),
            client: ClientRecord::of(client, &self.config),
            resource,
            scopes,
            expires_at: now.unix_s.saturating_add(self.config.interaction_ms / 1000),
        }));
        Ok(None)
    }

    fn resource_parameter(&self, resource: &Resource) -> Option<Box<str>> {
        match &self.config.quirks.resource_parameter {
            ResourceParameter::Send => Some(resource.identifier.clone()),
            ResourceParameter::Override(value) => Some(value.clone()),
            ResourceParameter::Omit => None,
        }
    }

    /// Stores what the callback will be held against, beside the authorizations of other processes.
    fn save_pending(&mut self, now: Now, acquisition: &Acquisition) -> Step {
        self.pending.drop_expired(now);
        if let Some(asked) = acquisition.asked.as_deref() {
            self.pending.remove(&asked.state);
            self.pending.authorizations.push(asked.clone());
        }
        let surplus = self.pending.authorizations.len().saturating_sub(limits::PENDING);
        self.pending.authorizations.drain(..surplus);
        let effect = self.pending_effect();
        let why = "a restart must not lose what the callback is held against";
        self.perform(now, Owner::Acquisition, effect, limits::STORE_MS, why);
        Step::SavingPending
    }

    fn pending_effect(&self) -> Effect {
        let key = self.key(RecordKind::Pending, None);
        match self.pending.revision {
            Some(expect) if self.pending.authorizations.is_empty() => Effect::Delete { key, expect },
            expect => {
                let authorizations = self.pending.authorizations.clone();
                Effect::Save { key, record: record::write(&PendingRecord { authorizations }), expect }
            }
        }
    }

    /// Removes an authorization that is over from the store. Nobody waits for that.
    pub(super) fn forget_pending(&mut self, now: Now, state: &Secret) {
        if !self.pending.authorizations.iter().any(|pending| pending.state == *state) {
            return;
        }
        self.pending.remove(state);
        let effect = self.pending_effect();
        // Until the store has answered, what it holds is not known.
        self.pending.loaded = false;
        let why = "the authorization is over; its verifier is of no more use";
        self.perform(now, Owner::Detached(RecordKind::Pending), effect, limits::STORE_MS, why);
    }

    fn open_browser(&mut self, now: Now, acquisition: &Acquisition) -> Result<Step, End> {
        self.check_somebody_waits()?;
        let Some(asked) = acquisition.asked.as_deref() else { return Ok(Step::Planning) };
        let url = asked.url().ok_or(PeerMisbehaved::CallbackSyntax)?;
        let issuer = Issuer::trusted(&asked.issuer);
        let resource = acquisition.resource.clone().unwrap_or_else(|| Resource {
            identifier: asked.resource.clone().unwrap_or_else(|| self.config.canonical_resource()),
            scopes_supported: None,
            authorization_servers: Vec::new(),
        });
        let prompt = AuthorizationPrompt {
            url,
            redirect_uri: asked.redirect_uri.clone(),
            resumed: acquisition.resumed,
            summary: self.summary(acquisition, &resource, &issuer, asked.scopes.clone()),
            state: asked.state.clone(),
        };
        let effect = Effect::Interact(Interaction::Authorize(Box::new(prompt)));
        let why = match (acquisition.resumed, acquisition.cause) {
            (true, _) => "the user was asked before a restart and may answer still",
            (false, Cause::StepUp) => "only the user can grant the missing scopes",
            (false, _) => "only the user can grant access",
        };
        self.perform(now, Owner::Acquisition, effect, self.config.interaction_ms, why);
        Ok(Step::Authorizing)
    }

    /// Exchanges the code.
    fn exchange(&mut self, now: Now, acquisition: &mut Acquisition, code: &Secret) -> Result<Step, End> {
        let asked = acquisition.asked.as_deref().ok_or(PeerMisbehaved::CallbackIncomplete)?;
        let client = asked.client.clone().into_client(&self.config);
        let client =
            client.ok_or(PeerIncompatible::RegisteredElsewhere { issuer: PeerText::new(&asked.issuer) })?;
        let request = with_code(asked, &client, code, |request| request.request(&self.config.quirks));
        let effect = Effect::Http { request: Box::new(request), max_body: limits::TOKEN_BODY };
        self.perform_token(now, Owner::Acquisition, effect, "the code is exchanged for a token");
        acquisition.overdue_ms = Some(now.mono_ms.saturating_add(limits::TOKEN_WAIT_MS));
        acquisition.client = Some(client);
        acquisition.code = Some(code.clone());
        Ok(Step::Exchanging)
    }

    /// Stores the new grant before it is used.
    fn save_grant(&mut self, now: Now, acquisition: &Acquisition) -> Step {
        if let Some(grant) = acquisition.obtained.as_deref() {
            let own = self.grant.grant.as_ref().map(|own| &own.issuer) == Some(&grant.issuer);
            let expect = acquisition.grant_revision.unwrap_or(self.grant.revision.filter(|_| own));
            self.write_grant(
                now,
                Owner::Acquisition,
                grant,
                None,
                expect,
                "a token is stored before it is used",
            );
        }
        Step::SavingGrant
    }

    fn fetch(&mut self, now: Now, request: crate::wire::HttpRequest, why: &'static str) {
        let effect = Effect::Http { request: Box::new(request), max_body: limits::DOCUMENT_BODY };
        self.perform(now, Owner::Acquisition, effect, limits::HTTP_MS, why);
    }

    fn check_somebody_waits(&self) -> Result<(), End> {
        let waits = |stage: &Stage| matches!(stage, Stage::WaitingForAcquisition { .. });
        if self.calls.any(waits) { Ok(()) } else { Err(End::NobodyWaits) }
    }

    /// Has a callback that came without prompt looked up, unless something is under way that it must
    /// wait for.
    pub(super) fn look_up_callbacks(&mut self, now: Now) {
        if !self.calls.any(|stage| matches!(stage, Stage::WaitingForCallback(_))) {
            return;
        }
        if self.startup != super::Startup::Done {
            return self.start(now);
        }
        match self.acquisition.take() {
            None => {
                let acquisition = Acquisition::new(Cause::Callback, Challenged::default());
                self.acquisition = Some(Box::new(acquisition));
                self.proceed(now);
            }
            Some(mut acquisition) => {
                let outcome = match acquisition.step {
                    Step::Authorizing => self.take_callback(now, &mut acquisition),
                    _ => Ok(None),
                };
                match outcome {
                    Ok(step) => {
                        acquisition.step = step.unwrap_or(acquisition.step);
                        self.acquisition = Some(acquisition);
                    }
                    Err(end) => self.end_acquisition(now, *acquisition, end),
                }
            }
        }
    }

    /// Exchanges the code of a waiting callback that answers a pending authorization; the others fail.
    fn take_callback(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Option<Step>, End> {
        for call in self.calls.at(|stage| matches!(stage, Stage::WaitingForCallback(_))) {
            let Some(open) = self.calls.get_mut(call) else { continue };
            let Stage::WaitingForCallback(callback) =
                std::mem::replace(&mut open.stage, Stage::WaitingForExchange)
            else {
                continue;
            };
            self.pending.drop_expired(now);
            let pending = &self.pending.authorizations;
            let Some(asked) = pending.iter().find(|pending| callback.has_state(&pending.state)) else {
                self.fail_call(call, PeerMisbehaved::CallbackUnasked.into());
                continue;
            };
            self.ops.settle_all(Owner::Acquisition); // the prompt that is open is answered by this
            acquisition.asked = Some(Box::new(asked.clone()));
            acquisition.asked_saved = true;
            return self.answer(now, acquisition, *callback).map(Some);
        }
        Ok(None)
    }

    /// Goes on with the callback to the authorization that was asked for.
    pub(super) fn answer(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        callback: Callback,
    ) -> Result<Step, End> {
        let asked = acquisition.asked.as_deref().ok_or(PeerMisbehaved::CallbackUnasked)?;
        let expected = Expected {
            state: &asked.state,
            issuer: &Issuer::trusted(&asked.issuer),
            iss_parameter_supported: asked.iss_parameter_supported,
        };
        let code = callback.validate(expected).ok_or(PeerMisbehaved::CallbackUnasked)??;
        self.exchange(now, acquisition, &code)
    }
}

/// The token request for the code of an authorization.
pub(super) fn with_code<T>(
    asked: &PendingAuthorization,
    client: &Client,
    code: &Secret,
    then: impl FnOnce(TokenRequest<'_>) -> T,
) -> T {
    let verifier = Verifier::from_record(asked.verifier.clone());
    then(TokenRequest {
        endpoint: &asked.token_endpoint,
        client,
        grant: TokenGrant::AuthorizationCode { code, redirect_uri: &asked.redirect_uri, verifier: &verifier },
        resource: asked.resource.as_deref(),
    })
}

fn no_server_metadata(issuer: &Issuer) -> PeerIncompatible {
    PeerIncompatible::NoServerMetadata { issuer: issuer.into() }
}
