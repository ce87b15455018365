//! The way through the browser: what is recorded before, shown, and made of what comes back.

use std::sync::Arc;

use crate::client::config::Redirect;
use crate::client::engine::Engine;
use crate::client::output::Output;
use crate::client::state::acquisition::{Acquisition, Cause, End, Step};
use crate::client::state::budget::Budget;
use crate::client::state::calls::Stage;
use crate::client::state::challenged::Challenged;
use crate::client::state::exchange::{Ask, TokenExchange, is_client_unknown};
use crate::client::state::failure::effect_error;
use crate::client::state::nonces;
use crate::client::state::ops::Owner;
use crate::client::state::record::{KeyRecord, PendingAuthorization, ServerRecord};
use crate::client::state::registration::is_invalid_scope;
use crate::client::state::resource::Resource;
use crate::client::state::server::Server;
use crate::client::state::signing::{Addressee, Signatures, signing_failed};
use crate::effect::{AuthorizationPrompt, Completion, Effect, Interaction};
use crate::error::{Exchange, Failure, FailureKind, PeerIncompatible, PeerMisbehaved, PeerText, Work};
use crate::finding::Findings;
use crate::limits;
use crate::quirks::ResourceParameter;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::authorization::{AuthorizationRequest, AuthorizationUrl, Extras};
use crate::wire::callback::{Callback, Expected};
use crate::wire::client_auth::Client;
use crate::wire::pkce::Verifier;
use crate::wire::pushed::PushedRequest;
use crate::wire::server_metadata::{Issuer, ServerMetadata};
use crate::wire::{HttpResponse, client_metadata, pkce, pushed};

/// What the user is to be asked.
pub(crate) struct AuthorizationParams<'a> {
    pub(crate) client: &'a Client,
    /// The server that knows the client.
    pub(crate) server: &'a ServerMetadata,
    pub(crate) resource: Option<Box<str>>,
    pub(crate) scopes: ScopeSet,
    /// Whether it is the enterprise's sign-on.
    pub(crate) sign_on: bool,
}

impl Engine {
    /// Whether an answer leaves its effect open: a callback that does not answer the prompt.
    pub(crate) fn leaves_open(&mut self, owner: Owner, completion: &Completion<'_>) -> bool {
        if let Completion::CallbackWithoutState { url } = completion {
            return !Callback::read(url).is_ok_and(|callback| callback.without_state().is_some());
        }
        let Completion::Callback { url } = completion else { return false };
        if owner != Owner::Acquisition {
            return false;
        }
        let Some(acquisition) = self.acquisition.as_deref_mut() else { return true };
        let answers = |callback: &Callback| {
            acquisition.asked.as_deref().is_some_and(|asked| callback.has_state(&asked.state))
        };
        acquisition.callback = Callback::read_answer(url).ok().filter(answers);
        acquisition.callback.is_none()
    }

    pub(crate) fn listen(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        preferred: Option<Box<str>>,
    ) -> Result<Step, End> {
        if let Redirect::Fixed(uri) = &self.config.redirect {
            acquisition.redirect_uri = Some(uri.clone());
            return Ok(Step::Planning);
        }
        self.check_somebody_waits()?;
        let effect = Effect::Interact(Interaction::Listen { preferred });
        let why = "the browser will need a place to come back to";
        self.perform(now, Owner::Acquisition, effect, limits::LISTEN_MS, why);
        Ok(Step::Listening)
    }

    /// Makes the authorization request, once there is entropy for it.
    pub(crate) fn ask_user(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        asking: AuthorizationParams<'_>,
    ) -> Result<Option<Step>, End> {
        let AuthorizationParams { client, server, resource, scopes, sign_on } = asking;
        let Some(redirect_uri) = &acquisition.redirect_uri else { return Ok(Some(Step::Planning)) };
        self.check_somebody_waits()?;
        // State and verifier; a nonce; a key.
        let wants_id_token = scopes.contains("openid");
        let needed = 64 + 32 * usize::from(wants_id_token) + 32 * usize::from(self.config.makes_keys());
        if self.entropy.available() < needed {
            return Ok(Some(self.await_entropy(needed)));
        }
        let dpop = match self.choose_dpop(server) {
            _ if sign_on => None,
            Ok(dpop) => dpop,
            Err(Some(error)) => return Err(error.into()),
            Err(None) => return Ok(Some(self.await_entropy(needed))),
        };
        let (Some(for_state), Some(for_verifier)) = (self.entropy.take::<32>(), self.entropy.take::<32>())
        else {
            return Ok(Some(self.await_entropy(needed)));
        };
        let (state, verifier) = (pkce::unguessable(&for_state), Verifier::from_entropy(&for_verifier));
        let for_nonce = if wants_id_token { self.entropy.take::<32>() } else { None };
        let mut asked = PendingAuthorization {
            url: Secret::default(),
            state,
            verifier: verifier.secret().clone(),
            nonce: for_nonce.map(|bytes| pkce::unguessable(&bytes).expose().into()),
            acr_values: acquisition.challenged.acr_values.clone(),
            max_age_s: acquisition.challenged.max_age_s,
            sign_on,
            pushed: false,
            dpop: dpop.as_deref().map(|dpop| KeyRecord::of(&dpop.key, &self.config)),
            server: ServerRecord::described(server, client),
            iss_parameter_supported: server.iss_parameter_supported,
            redirect_uri: redirect_uri.clone(),
            resource,
            scopes,
            expires_at: now.unix_s.saturating_add(self.config.interaction_ms / 1000),
        };
        let url = self.with_authorization(&asked, client, server, |request| request.url())?;
        asked.url = Secret::from(url.as_str());
        acquisition.page = Some(url).filter(AuthorizationUrl::fits);
        acquisition.asked = Some(Box::new(asked));
        acquisition.unpushed = server.require_pushed_authorization_requests
            || self.config.pushed_requests && server.pushed_authorization_request_endpoint.is_some();
        Ok(None)
    }

    /// The server that was asked for an authorization, with the client for whom it was.
    fn server_of(&self, asked: &PendingAuthorization) -> Result<Server, PeerIncompatible> {
        let server = asked.server.clone().into_server(&self.config);
        let issuer = || PeerText::new(asked.server.issuer());
        server.ok_or_else(|| PeerIncompatible::RegisteredElsewhere { issuer: issuer() })
    }

    /// The authorization request that was made.
    fn with_authorization<T>(
        &self,
        asked: &PendingAuthorization,
        client: &Client,
        server: &ServerMetadata,
        then: impl FnOnce(AuthorizationRequest<'_>) -> T,
    ) -> Result<T, PeerMisbehaved> {
        let field = "authorization_endpoint";
        let missing = PeerMisbehaved::MissingField { exchange: Exchange::ServerMetadata, field };
        let challenge = Verifier::from_record(asked.verifier.clone()).challenge();
        let extras = Extras {
            nonce: asked.nonce.as_deref(),
            acr_values: asked.acr_values.as_deref(),
            max_age_s: asked.max_age_s,
            authorization_details: self.config.authorization_details.as_deref().filter(|_| !asked.sign_on),
            parameters: Some(&self.config.provider().authorization_parameters).filter(|_| !asked.sign_on),
        };
        Ok(then(AuthorizationRequest {
            endpoint: server.authorization_endpoint.as_ref().ok_or(missing)?,
            client_id: &client.id,
            redirect_uri: &asked.redirect_uri,
            state: asked.state.expose(),
            code_challenge: &challenge,
            scope: &asked.scopes,
            resource: asked.resource.as_deref(),
            extras,
        }))
    }

    /// Asks the host for random bytes.
    pub(crate) fn await_entropy(&mut self, len: usize) -> Step {
        if !self.entropy.asked {
            self.entropy.asked = true;
            self.outputs.push_back(Output::NeedEntropy { len });
        }
        Step::AwaitingEntropy
    }

    /// Pushes the request to the server, so that the browser carries only a reference (RFC 9126).
    pub(crate) fn push(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        server: &ServerMetadata,
    ) -> Result<Step, End> {
        let Some(asked) = acquisition.asked.as_deref() else { return Ok(Step::Planning) };
        let own = self.server_of(asked)?;
        let client = own.client();
        let field = "pushed_authorization_request_endpoint";
        let missing = PeerMisbehaved::MissingField { exchange: Exchange::ServerMetadata, field };
        let endpoint = server.pushed_authorization_request_endpoint.as_ref().ok_or(missing)?;
        let dpop = asked.dpop.as_ref().and_then(|record| self.recorded_key(record));
        let addressee = Addressee { server: &own, endpoint, dpop: dpop.as_deref() };
        let Some(signatures) = self.sign_request(now, Owner::Acquisition, addressee)? else {
            return Ok(Step::Signing);
        };
        let request = self.with_authorization(asked, client, server, |authorization| {
            let (assertion, proof) = (signatures.assertion.as_ref(), signatures.proof.as_ref());
            let request = PushedRequest { endpoint, client, authorization, assertion, proof };
            request.request(&self.config.quirks)
        })?;
        let why = "the authorization request is pushed to the server";
        self.fetch(now, request, why);
        Ok(Step::Pushing)
    }

    pub(crate) fn on_pushed(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> Result<(), End> {
        let server = match acquisition.asked.as_deref() {
            Some(asked) if asked.sign_on => acquisition.sign_on.provider.as_deref(),
            _ => acquisition.server.as_deref(),
        };
        let may_register_again = self.may_register_again(now, acquisition);
        let may_register_scopes = self.may_register_scopes(acquisition);
        let (Some(asked), Some(server)) = (acquisition.asked.as_deref_mut(), server) else { return Ok(()) };
        let own = self.server_of(asked)?;
        let client = own.client();
        let Some(endpoint) = &server.pushed_authorization_request_endpoint else { return Ok(()) };
        let knows_nonce = self.note_nonce(endpoint, response.headers);
        let mut findings = Findings::new();
        let read = self.with_authorization(asked, client, server, |authorization| {
            let request = PushedRequest { endpoint, client, authorization, assertion: None, proof: None };
            pushed::read(&request, response, &self.config.quirks, &mut findings)
        })?;
        self.keep(findings);
        match read {
            Ok(pushed) => {
                let page = server.authorization_endpoint.as_ref().map(|page| pushed.url(page, &client.id));
                asked.pushed = true;
                asked.url = Secret::from(page.as_ref().map_or("", |page| page.as_str()));
                acquisition.unpushed = false;
                Ok(())
            }
            Err(error) if is_client_unknown(&error) && may_register_again => {
                acquisition.unpushed = false;
                self.register_again(now, acquisition);
                Ok(())
            }
            Err(error) if is_invalid_scope(&error) && may_register_scopes => {
                let refused = acquisition.asked.as_deref().map(|asked| asked.scopes.clone());
                acquisition.unpushed = false;
                self.register_scopes(now, acquisition, refused.unwrap_or_default());
                Ok(())
            }
            // It is pushed again, with the nonce.
            Err(error) if asked.dpop.is_some() && nonces::is_wanted(&error) => {
                if acquisition.push_retried || !knows_nonce {
                    return Err(PeerMisbehaved::DpopNonce.into());
                }
                acquisition.push_retried = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn resource_parameter(&self, resource: &Resource) -> Option<Box<str>> {
        match &self.config.quirks.resource_parameter {
            ResourceParameter::Send => Some(resource.identifier.clone()),
            ResourceParameter::Override(value) => Some(value.clone()),
            ResourceParameter::Omit => None,
        }
    }

    pub(crate) fn open_browser(&mut self, now: Now, acquisition: &Acquisition) -> Result<Step, End> {
        self.check_somebody_waits()?;
        let Some(asked) = acquisition.asked.as_deref() else { return Ok(Step::Planning) };
        let made = acquisition.page.as_ref().filter(|page| page.as_str() == asked.url.expose()).cloned();
        let url = made.or_else(|| asked.url()).ok_or(PeerMisbehaved::CallbackSyntax)?;
        let issuer = Issuer::trusted(asked.server.issuer());
        let resource = self.resource_of(acquisition, asked.resource.as_deref());
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

    /// What is known about the resource, for the user: what it says itself, or what was asked for before.
    pub(crate) fn resource_of(&self, acquisition: &Acquisition, asked: Option<&str>) -> Arc<Resource> {
        let unknown = || Resource {
            identifier: asked.map_or_else(|| self.config.canonical_resource(), Into::into),
            scopes_supported: None,
            authorization_servers: Vec::new(),
        };
        acquisition.resource.clone().unwrap_or_else(|| Arc::new(unknown()))
    }

    /// Has a callback that came without prompt looked up, unless something is under way that it must
    /// wait for.
    pub(crate) fn look_up_callbacks(&mut self, now: Now) {
        if !self.calls.any(|stage| matches!(stage, Stage::WaitingForCallback(_))) {
            return;
        }
        if self.startup != crate::client::state::startup::Startup::Done {
            return self.start(now);
        }
        match self.acquisition.take() {
            None => {
                self.budgets.acquisition = Budget::default();
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
                    Err(end) => self.end_acquisition(now, &acquisition, end),
                }
            }
        }
    }

    /// Exchanges the code of a waiting callback that answers a pending authorization; the others fail.
    pub(crate) fn take_callback(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
    ) -> Result<Option<Step>, End> {
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
                self.fail_call(call, PeerMisbehaved::CallbackUnasked);
                continue;
            };
            if acquisition.issuer.as_ref().is_none_or(|issuer| issuer.as_str() != asked.server.issuer()) {
                acquisition.forget_discovery();
            }
            acquisition.asked = Some(Box::new(asked.clone()));
            self.abandon_ops(Owner::Acquisition); // the prompt that is open is answered by this
            acquisition.asked_saved = true;
            return self.answer(now, acquisition, *callback).map(Some);
        }
        Ok(None)
    }

    /// Goes on with the callback to the authorization that was asked for.
    pub(crate) fn answer(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        callback: Callback,
    ) -> Result<Step, End> {
        let asked = acquisition.asked.as_deref().ok_or(PeerMisbehaved::CallbackUnasked)?;
        let expected = Expected {
            state: &asked.state,
            issuer: &Issuer::trusted(asked.server.issuer()),
            iss_parameter_supported: asked.iss_parameter_supported,
        };
        match callback.validate(expected).ok_or(PeerMisbehaved::CallbackUnasked)? {
            Ok(code) => self.exchange(now, acquisition, &code),
            Err(error) if is_invalid_scope(&error) && self.may_register_scopes(acquisition) => {
                let refused = asked.scopes.clone();
                self.register_scopes(now, acquisition, refused);
                Ok(Step::Planning)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Exchanges the code.
    pub(crate) fn exchange(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        code: &Secret,
    ) -> Result<Step, End> {
        let asked = acquisition.asked.as_deref().ok_or(PeerMisbehaved::CallbackIncomplete)?;
        let server = self.server_of(asked)?;
        let dpop = match &asked.dpop {
            Some(record) => Some(self.recorded_key(record).ok_or_else(|| signing_failed("the key is lost"))?),
            None => None,
        };
        acquisition.exchange = Some(Box::new(TokenExchange {
            server,
            resource: asked.resource.clone(),
            scopes: asked.scopes.clone(),
            ask: Ask::Code {
                code: code.clone(),
                redirect_uri: asked.redirect_uri.clone(),
                verifier: Verifier::from_record(asked.verifier.clone()),
            },
            dpop,
            signatures: Signatures::default(),
            nonce_retried: false,
        }));
        self.request_token(now, acquisition)
    }

    /// The browser has a place to come back to.
    pub(crate) fn on_listening(&self, acquisition: &mut Acquisition, redirect_uri: &str) -> Result<(), End> {
        if !client_metadata::is_redirect_uri(redirect_uri) {
            let failure = Failure::new(FailureKind::Impossible, "that is no redirect URI");
            return Err(effect_error(Work::Interaction, failure).into());
        }
        acquisition.redirect_uri = Some(redirect_uri.into());
        Ok(())
    }
}
