//! Being a client of the authorization server: pre-registered, by document, or registered dynamically
//! (MCP "Client Registration").

use url::Url;

use crate::client::config::{Flow, Preregistered};
use crate::client::engine::Engine;
use crate::client::output::Notice;
use crate::client::state::acquisition::{Acquisition, Cause, End, Step};
use crate::client::state::doubted::Doubted;
use crate::client::state::failure::unexpected;
use crate::client::state::ops::Owner;
use crate::client::state::record::{self, ClientRecord, RegistrationRecord};
use crate::client::state::registration::RegistrationState;
use crate::client::state::server::Server;
use crate::effect::{Effect, RecordKind, Stored};
use crate::error::{PeerIncompatible, PeerText};
use crate::finding::Findings;
use crate::limits;
use crate::scope::ScopeSet;
use crate::time::Now;
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::registration::RegistrationRequest;
use crate::wire::server_metadata::{Issuer, ServerMetadata};
use crate::wire::{HttpResponse, registration};

impl Engine {
    /// Finds the client to be: pre-registered, by document, or registered dynamically (MCP "Client
    /// Registration").
    pub(crate) fn find_client(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        server: &ServerMetadata,
    ) -> Result<Option<Step>, End> {
        let methods = &server.token_endpoint_auth_methods;
        let by_itself = self.config.flow == Flow::ClientCredentials;
        if let Some(own) = self.preregistered_at(&server.issuer).cloned() {
            let client = own.client(methods).filter(|client| !by_itself || client.is_confidential());
            acquisition.client = Some(client.ok_or(PeerIncompatible::NoClientAuthentication)?);
            return Ok(None);
        }
        self.notice_registered_elsewhere(acquisition, &server.issuer);
        // Who stands for itself, or has the platform vouch for it, was registered by hand (MCP extension
        // "OAuth Client Credentials").
        let by_hand = by_itself || self.config.flow == Flow::Workload;
        if !by_hand
            && server.client_id_metadata_document_supported
            && let Some(url) = &self.config.client_id_document
        {
            acquisition.client = Some(Client::public(url));
            return Ok(None);
        }
        match &server.registration_endpoint {
            Some(endpoint) if self.config.dynamic_registration && !by_hand => {
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

    /// Says that no configured client belongs to the server, so that the client becomes one in another way.
    fn notice_registered_elsewhere(&mut self, acquisition: &mut Acquisition, issuer: &Issuer) {
        if !self.config.preregistered.is_empty() && !acquisition.noticed_elsewhere {
            acquisition.noticed_elsewhere = true;
            self.notice(Notice::RegisteredElsewhere { issuer: issuer.into() });
        }
    }

    /// The configured client that belongs to this server. One without an issuer belongs to the first
    /// that it was used with.
    pub(crate) fn preregistered_at(&self, issuer: &Issuer) -> Option<&Preregistered> {
        let own = &self.config.preregistered;
        let here = |own: &Issuer| self.config.is_of_server(own, issuer.as_str());
        own.iter().find(|client| client.issuer.as_ref().is_some_and(here)).or_else(|| {
            let bound = self.binding.record.preregistered_with.as_deref();
            let free = bound.is_none_or(|bound| bound == issuer.as_str());
            own.iter().find(|client| client.issuer.is_none() && free)
        })
    }

    /// Whether a client registered itself with its server.
    pub(crate) fn registered_itself(&self, client: &Client) -> bool {
        !client.configured && self.config.client_id_document.as_deref() != Some(&*client.id)
    }

    /// The same of a recorded one.
    pub(crate) fn registered_by_itself(&self, client: &ClientRecord) -> bool {
        !client.is_preregistered() && self.config.client_id_document.as_deref() != Some(client.id())
    }

    pub(crate) fn find_registration(
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
        let state = &acquisition.registration;
        if let Some((client, redirect_uri)) = &state.found
            && (state.doubtful || self.doubted_client.as_deref() == Some(&*client.id))
            && !acquisition.known_asked
            && self.config.flow == Flow::AuthorizationCode
        {
            let doubted = Doubted::new(Server::described(server, client.clone()), redirect_uri.clone());
            return self.ask_whether_known(now, acquisition, doubted).map(Some);
        }
        let redirect_uri = match acquisition.redirect_uri.clone() {
            Some(uri) => uri,
            None if self.config.flow == Flow::AuthorizationCode => {
                let preferred = acquisition.registration.found.as_ref().map(|(_, uri)| uri.clone());
                return self.listen(now, acquisition, preferred).map(Some);
            }
            None => Box::default(),
        };
        let state = &mut acquisition.registration;
        // One that was issued just now is used, whatever the clocks say.
        let expired =
            acquisition.registered_ms.is_none() && state.secret_expires_at.is_some_and(|at| at <= now.unix_s);
        if let Some((client, registered_uri)) = state.found.take()
            && registered_uri == redirect_uri
            && !expired
        {
            acquisition.client = Some(client);
            return Ok(None);
        }
        let method = self.registration_method(&server.token_endpoint_auth_methods)?;
        let scopes = self.scopes_to_register(acquisition, server);
        let request =
            self.registration_request(&server.issuer, endpoint, &redirect_uri, method, &scopes).request();
        let why = "the client is not registered with this authorization server";
        self.fetch(now, request, why);
        Ok(Some(Step::Registering))
    }

    /// How the client wants to authenticate: as the configuration prefers, else as Grantor does.
    pub(crate) fn registration_method(
        &self,
        offered: &[ClientAuthMethod],
    ) -> Result<ClientAuthMethod, PeerIncompatible> {
        match &*self.config.provider().registration_methods {
            [] => registration::choose_method(offered),
            preferred => preferred
                .iter()
                .copied()
                .find(|method| offered.contains(method))
                .ok_or(PeerIncompatible::NoClientAuthentication),
        }
    }

    /// The scopes to register. What is registered is all that may ever be asked for (RFC 7591 2), and what the
    /// resource will demand is not known yet: the server's default, unless the configuration knows better. Where
    /// the server has refused scopes that were not registered, these, and all that it supports.
    pub(crate) fn scopes_to_register(&self, acquisition: &Acquisition, server: &ServerMetadata) -> ScopeSet {
        let mut scopes = self.config.provider().registration_scopes.clone();
        let before = &acquisition.registration.scopes;
        let refused = acquisition.unregistered.as_ref();
        if refused.is_none() && before.without(&scopes).is_empty() {
            return scopes;
        }
        for more in refused.into_iter().chain([before, &server.scopes_supported]) {
            let _ = scopes.extend(more); // what does not fit will be refused again, and told then
        }
        scopes
    }

    /// Whether the client may register more scopes, should the server grant it only what it has registered.
    pub(crate) fn may_register_scopes(&self, acquisition: &Acquisition) -> bool {
        let sign_on = acquisition.asked.as_deref().is_some_and(|asked| asked.sign_on);
        acquisition.unregistered.is_none()
            && acquisition.cause != Cause::Callback
            && !sign_on
            && self.is_registered_dynamically(acquisition)
    }

    /// Registers anew, with the scopes that were refused.
    pub(crate) fn register_scopes(&mut self, now: Now, acquisition: &mut Acquisition, refused: ScopeSet) {
        let before = std::mem::take(&mut acquisition.registration.scopes);
        acquisition.unregistered = Some(refused);
        self.drop_registration(now, acquisition);
        acquisition.registration.scopes = before;
    }

    pub(crate) fn registration_request<'a>(
        &'a self,
        issuer: &Issuer,
        endpoint: &'a Url,
        redirect_uri: &'a str,
        method: ClientAuthMethod,
        scope: &'a ScopeSet,
    ) -> RegistrationRequest<'a> {
        RegistrationRequest {
            endpoint,
            metadata: &self.config.metadata,
            grant: self.config.flow.grant_type(),
            redirect_uri: Some(redirect_uri).filter(|uri| !uri.is_empty()),
            method,
            scope,
            initial_access_token: self.config.initial_access_token_for(issuer),
        }
    }

    pub(crate) fn save_registration(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        issuer: &Issuer,
    ) -> Step {
        let state = &acquisition.registration;
        if let Some((client, redirect_uri)) = &state.found {
            let record = record::Registration {
                client,
                redirect_uri,
                secret_expires_at: state.secret_expires_at,
                scopes: &state.scopes,
                doubtful: state.doubtful,
            };
            let effect = Effect::Save {
                key: self.key(RecordKind::Registration, Some(issuer)),
                record: record::write(&record),
                expect: state.revision,
                expires_at_s: None,
            };
            let why = "the registration is kept, so that the server need not make another";
            self.perform(now, Owner::Acquisition, effect, limits::STORE_MS, why);
        }
        Step::SavingRegistration
    }

    pub(crate) fn on_registration_loaded(
        &mut self,
        acquisition: &mut Acquisition,
        stored: Option<Stored<'_>>,
    ) {
        let record: Option<RegistrationRecord> = record::read_stored(stored);
        let state = &mut acquisition.registration;
        state.loaded = true;
        state.revision = stored.map(|stored| stored.revision);
        if let Some(record) = record
            && !record.client.is_preregistered()
        {
            state.scopes = record.scopes.clone();
            state.doubtful = record.doubtful;
            if let Some(client) = record.client.into_client(&self.config, "")
                && !self.registration_failed
            {
                state.found = Some((client, record.redirect_uri));
                state.secret_expires_at = record.secret_expires_at;
            }
        }
    }

    pub(crate) fn on_registered(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> Result<(), End> {
        let Some(server) = &acquisition.server else {
            return Err(unexpected(Step::Registering.work()).into());
        };
        let redirect_uri = acquisition.redirect_uri.as_deref().unwrap_or_default();
        let endpoint =
            server.registration_endpoint.as_ref().ok_or(PeerIncompatible::NoClientAuthentication)?;
        let method = self.registration_method(&server.token_endpoint_auth_methods)?;
        let scopes = self.scopes_to_register(acquisition, server);
        let request = self.registration_request(&server.issuer, endpoint, redirect_uri, method, &scopes);
        let mut findings = Findings::new();
        let read = registration::read(&request, response, &mut findings);
        self.keep(findings);
        let registered = read?;
        let state = &mut acquisition.registration;
        state.scopes = scopes;
        state.doubtful = false;
        let client_id = PeerText::new(&registered.client.id);
        state.found = Some((registered.client, redirect_uri.into()));
        state.secret_expires_at = registered.secret_expires_at;
        state.unsaved = true;
        acquisition.registered_ms = Some(now.mono_ms);
        self.registration_failed = false;
        self.notice(Notice::Registered { client_id });
        Ok(())
    }

    /// Whether the client registered itself, so that the server may have forgotten it.
    pub(crate) fn is_registered_dynamically(&self, acquisition: &Acquisition) -> bool {
        match (&acquisition.client, acquisition.asked.as_deref()) {
            (Some(client), _) => self.registered_itself(client),
            (None, Some(asked)) => self.registered_by_itself(asked.server.client()),
            (None, None) => false,
        }
    }

    /// Whether the client may be registered anew, should the server say that it does not know it. One that was
    /// registered just now is known; another would fare no better.
    pub(crate) fn may_register_again(&self, now: Now, acquisition: &Acquisition) -> bool {
        let sign_on = acquisition.asked.as_deref().is_some_and(|asked| asked.sign_on);
        let just_now = acquisition
            .registered_ms
            .is_some_and(|at_ms| now.mono_ms.saturating_sub(at_ms) < limits::REGISTERED_JUST_NOW_MS);
        !sign_on && !just_now && !acquisition.registered_again && self.is_registered_dynamically(acquisition)
    }

    pub(crate) fn register_again(&mut self, now: Now, acquisition: &mut Acquisition) {
        acquisition.registered_again = true;
        self.drop_registration(now, acquisition);
    }

    /// Gives up the client with all that was asked as it.
    pub(crate) fn drop_registration(&mut self, now: Now, acquisition: &mut Acquisition) {
        if let Some(asked) = acquisition.asked.take() {
            self.forget_pending(now, Owner::Detached(RecordKind::Pending), &asked.state);
        }
        self.registration_failed = true;
        acquisition.client = None;
        acquisition.asked_saved = false;
        acquisition.resumed = false;
        acquisition.redirect_uri = None;
        acquisition.registration = RegistrationState::default();
    }
}
