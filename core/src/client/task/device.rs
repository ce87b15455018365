//! Device authorization (RFC 8628): the user agrees on another device, and the engine polls.

use crate::client::engine::Engine;
use crate::client::state::acquisition::{Acquisition, End, Step};
use crate::client::state::exchange::{Ask, is_client_unknown};
use crate::client::state::failure::failed;
use crate::client::state::ops::Owner;
use crate::client::state::polling::Polling;
use crate::client::state::registration::is_invalid_scope;
use crate::client::state::resource::Resource;
use crate::client::state::server::Server;
use crate::client::state::signing::Addressee;
use crate::effect::{Completion, DevicePrompt, Effect, Interaction};
use crate::error::{FailureKind, PeerIncompatible, PeerMisbehaved, Refused, Work};
use crate::finding::Findings;
use crate::limits;
use crate::scope::ScopeSet;
use crate::time::Now;
use crate::wire::authorization::AuthorizationUrl;
use crate::wire::device::{DeviceRequest, Poll};
use crate::wire::server_metadata::ServerMetadata;
use crate::wire::{HttpResponse, device};

impl Engine {
    /// Takes the next step of a device authorization.
    pub(crate) fn device(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        resource: &Resource,
        server: &ServerMetadata,
        scopes: ScopeSet,
    ) -> Result<Step, End> {
        self.check_somebody_waits()?;
        let Some(polling) = &acquisition.polling else {
            return self.request_codes(now, acquisition, resource, server, &scopes);
        };
        if now.mono_ms >= polling.ends_ms {
            return Err(Refused::DeviceCodeExpired.into());
        }
        if now.mono_ms < polling.next_ms {
            return Ok(Step::Polling);
        }
        let ask = Ask::DeviceCode(polling.codes.device_code.clone());
        self.start_exchange(now, acquisition, resource, server, scopes, ask)
    }

    fn request_codes(
        &mut self,
        now: Now,
        acquisition: &Acquisition,
        resource: &Resource,
        server: &ServerMetadata,
        scopes: &ScopeSet,
    ) -> Result<Step, End> {
        let client = acquisition.client.clone().ok_or(PeerIncompatible::NoClientAuthentication)?;
        let name = "device_authorization_endpoint";
        let missing = || PeerIncompatible::NoEndpoint { issuer: (&server.issuer).into(), endpoint: name };
        let endpoint = server.device_authorization_endpoint.as_ref().ok_or_else(missing)?;
        let at = Server::described(server, client);
        let addressee = Addressee { server: &at, endpoint, dpop: None };
        let Some(signatures) = self.sign_request(now, Owner::Acquisition, addressee)? else {
            return Ok(Step::Signing);
        };
        let resource = self.resource_parameter(resource);
        let request = DeviceRequest {
            endpoint,
            client: at.client(),
            scope: scopes,
            resource: resource.as_deref(),
            assertion: signatures.assertion.as_ref(),
        };
        let parameters = self.config.provider().device_parameters();
        let request = request.request(&self.config.quirks).with_parameters(&parameters);
        self.fetch(now, request, "the user will need a code for another device");
        Ok(Step::RequestingCodes)
    }

    pub(crate) fn on_codes(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> Result<(), End> {
        let (Some(client), Some(server), Some(resource)) =
            (&acquisition.client, acquisition.server.as_deref(), acquisition.resource.clone())
        else {
            return Ok(());
        };
        let scopes = self.choose_scopes(acquisition, &resource, server)?;
        let request = DeviceRequest {
            endpoint: server.device_authorization_endpoint.as_deref().unwrap_or(&server.token_endpoint),
            client,
            scope: &scopes,
            resource: None,
            assertion: None,
        };
        let mut findings = Findings::new();
        let read = device::read(&request, response, &self.config.quirks, &mut findings);
        self.keep(findings);
        let codes = match read {
            Err(error) if is_client_unknown(&error) && self.may_register_again(now, acquisition) => {
                self.register_again(now, acquisition);
                return Ok(());
            }
            Err(error) if is_invalid_scope(&error) && self.may_register_scopes(acquisition) => {
                self.register_scopes(now, acquisition, scopes);
                return Ok(());
            }
            codes => codes?,
        };
        // Whatever the user is sent to passes the policy for all URLs.
        let check = |page: &AuthorizationUrl| self.config.urls.check(page.url(), &self.config.resource);
        let field = "verification_uri";
        check(&codes.verification_uri).map_err(|problem| PeerMisbehaved::Url { field, problem })?;
        let complete = codes.verification_uri_complete.as_ref().filter(|page| check(page).is_ok());
        let prompt = DevicePrompt {
            user_code: codes.user_code.clone(),
            verification_uri: codes.verification_uri.clone(),
            verification_uri_complete: complete.cloned(),
            expires_in_s: codes.expires_in_s,
            summary: self.summary(acquisition, &resource, &server.issuer.clone(), scopes),
        };
        let lifetime_ms = codes.expires_in_s.saturating_mul(1000).min(self.config.interaction_ms);
        let interval_ms = codes.interval_s * 1000;
        let (next_ms, ends_ms) =
            (now.mono_ms.saturating_add(interval_ms), now.mono_ms.saturating_add(lifetime_ms));
        let effect = Effect::Interact(Interaction::Device(Box::new(prompt)));
        self.perform(now, Owner::Prompt, effect, lifetime_ms, "only the user can grant access");
        acquisition.polling = Some(Polling { codes, interval_ms, next_ms, ends_ms });
        Ok(())
    }

    /// RFC 8628 3.5: the interval holds for every poll, and grows when the server says so.
    pub(crate) fn poll_later(
        &self,
        now: Now,
        acquisition: &mut Acquisition,
        poll: Poll,
    ) -> Result<Step, End> {
        if let Some(error) = acquisition.prompt_ended.take() {
            return Err(End::Error(error));
        }
        if let Some(polling) = &mut acquisition.polling {
            if poll == Poll::SlowDown {
                polling.interval_ms += limits::SLOW_DOWN_MS;
            }
            polling.next_ms = now.mono_ms.saturating_add(polling.interval_ms);
        }
        Ok(Step::Polling)
    }

    /// RFC 8628 3.5: a poll that got no answer halves the frequency of those to come.
    pub(crate) fn poll_more_slowly(&self, now: Now, acquisition: &mut Acquisition) -> Result<Step, End> {
        acquisition.exchange = None;
        acquisition.overdue_ms = None;
        if let Some(polling) = &mut acquisition.polling {
            polling.interval_ms = polling.interval_ms.saturating_mul(2);
        }
        self.poll_later(now, acquisition, Poll::Pending)
    }

    /// The device code could not be shown, the user gave up, or time is up. A token that is on its way may be
    /// there all the same: its answer decides.
    pub(crate) fn on_prompt(&mut self, now: Now, completion: Completion<'_>) {
        let Some(mut acquisition) = self.acquisition.take() else { return };
        let error = match completion {
            Completion::Failed(failure) if failure.kind == FailureKind::TimedOut => {
                Refused::DeviceCodeExpired.into()
            }
            other => failed(Work::Interaction, other),
        };
        if acquisition.is_obtaining() {
            acquisition.prompt_ended = Some(self.report_of(error));
            self.acquisition = Some(acquisition);
        } else {
            self.end_acquisition(now, &acquisition, error.into());
        }
    }
}
