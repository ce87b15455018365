//! An authorization on its way: what it has, and what it waits for.

use std::sync::Arc;

use url::Url;

use crate::client::state::binding::Approved;
use crate::client::state::challenged::Challenged;
use crate::client::state::doubted::Doubted;
use crate::client::state::exchange::{Ask, TokenExchange};
use crate::client::state::grant::Grant;
use crate::client::state::polling::Polling;
use crate::client::state::record::PendingAuthorization;
use crate::client::state::registration::RegistrationState;
use crate::client::state::resource::Resource;
use crate::client::state::sign_on::SignOn;
use crate::client::state::waits::Waits;
use crate::discover::Probe;
use crate::effect::RecordRevision;
use crate::error::{Error, ErrorReport, Exchange, PeerMisbehaved, Work};
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

/// What an acquisition waits for.
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

    /// Demands what this challenge demands, too. What the host has not approved is asked about again.
    pub(crate) fn join(&mut self, challenged: &Challenged) -> Result<(), PeerMisbehaved> {
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
    pub(crate) fn look_anew(&mut self) {
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

    pub(crate) fn is_overdue(&self, now: Now) -> bool {
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
