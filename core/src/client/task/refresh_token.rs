//! The token request of a refresh, and what its answer leads to (RFC 6749 section 6).

use crate::client::engine::Engine;
use crate::client::output::Notice;
use crate::client::state::calls::Stage;
use crate::client::state::exchange::{is_client_refused, is_client_unknown};
use crate::client::state::grant::Grant;
use crate::client::state::nonces;
use crate::client::state::ops::Owner;
use crate::client::state::refresh::{
    End, NewTokens, Next, Progress, Reload, Replaces, Step, is_gone, is_waiting,
};
use crate::client::state::signing::{Addressee, Signatures};
use crate::error::{Error, Exchange, PeerMisbehaved, Refused};
use crate::finding::Findings;
use crate::limits;
use crate::policy::DpopPolicy;
use crate::time::Now;
use crate::wire::token::{Grant as TokenGrant, Issued, TokenRequest, TokenType};
use crate::wire::{HttpResponse, token};

impl Engine {
    pub(crate) fn request_refresh(&mut self, now: Now, progress: &mut Progress) -> Next {
        if !self.calls.any(|stage| is_waiting(stage) || matches!(stage, Stage::WaitingToLogOut)) {
            return Err(End::NobodyWaits);
        }
        let Some(grant) = self.grant.grant.clone() else { return Err(End::GiveUp) };
        let addressee = Addressee {
            server: &grant.server,
            endpoint: grant.server.token_endpoint(),
            dpop: grant.dpop.as_deref(),
        };
        progress.signatures = match self.sign_request(now, Owner::Refresh, addressee) {
            Ok(Some(signatures)) => signatures,
            Ok(None) => return Ok(Step::Signing),
            // The server will say what it misses.
            Err(_) => Signatures::default(),
        };
        let request =
            refresh_request(&grant, &progress.signatures, |request| request.request(&self.config.quirks));
        let Some(request) = request else { return Err(End::GiveUp) };
        let why = match self.grant.rejected {
            true => "the resource rejects the token; a new one can be had without the user",
            false => "the token expires; a new one can be had without the user",
        };
        let request = request.with_parameters(&self.config.provider().token_parameters);
        self.send_token_request(now, Owner::Refresh, request, why);
        progress.overdue_ms = now.mono_ms.saturating_add(self.config.timeouts.token_wait_ms);
        progress.renew_lease_ms = now.mono_ms.saturating_add(limits::LEASE_RENEW_MS);
        Ok(Step::Requesting)
    }

    pub(crate) fn save_refreshed(&mut self, now: Now, new: NewTokens) -> Step {
        let expect = self.grant.revision;
        self.write_grant(
            now,
            Owner::Refresh,
            &new.grant,
            None,
            expect,
            "a token is stored before it is used",
        );
        Step::Saving(new)
    }

    /// The token endpoint answered.
    pub(crate) fn on_refresh_answer(
        &mut self,
        now: Now,
        progress: &mut Progress,
        response: &HttpResponse<'_>,
    ) -> Next {
        let Some(grant) = self.grant.grant.clone() else { return Err(End::GiveUp) };
        let quirks = &self.config.quirks;
        let mut findings = Findings::new();
        let answer = refresh_request(&grant, &progress.signatures, |request| {
            token::read(&request, response, quirks, &mut findings)
        });
        self.keep(findings);
        progress.overdue_ms = u64::MAX;
        let knows_nonce =
            grant.dpop.is_some() && self.note_nonce(grant.server.token_endpoint(), response.headers);
        let error = match answer {
            None => return Err(End::GiveUp),
            Some(Ok(issued))
                if issued.token_type == TokenType::Bearer && self.config.dpop == DpopPolicy::Required =>
            {
                return Err(PeerMisbehaved::NotBound.into());
            }
            Some(Ok(issued)) => {
                self.notice_issued(&grant, &issued);
                let replaces = Replaces::With(grant.tokens.refresh.clone());
                let new = NewTokens { grant: Box::new(grant.renewed(&issued, now)), replaces };
                return Ok(self.save_refreshed(now, new));
            }
            Some(Err(error)) => error,
        };
        if grant.dpop.is_some() && nonces::is_wanted(&error) {
            if progress.nonce_retried || !knows_nonce {
                return Err(PeerMisbehaved::DpopNonce.into());
            }
            progress.nonce_retried = true;
            return self.request_refresh(now, progress);
        }
        if self.waits(now, &mut progress.waits, Exchange::RefreshToken, response) {
            return Ok(Step::Waiting);
        }
        if is_client_unknown(&error)
            && let Some(server) = grant.server.with_id_in_body()
            && let Some(own) = self.grant.grant.as_deref_mut()
        {
            own.server = server;
            return self.request_refresh(now, progress);
        }
        if is_gone(response) && !progress.relocated && !matches!(error, Error::Refused(Refused::Token { .. }))
        {
            return self.rediscover(now, progress);
        }
        self.on_refresh_refused(now, &grant, error, response)
    }

    /// The server has no token for this. Whether for good (RFC 6749 5.2 has codes for that, but servers have
    /// others), and whose fault it is.
    pub(crate) fn on_refresh_refused(
        &mut self,
        now: Now,
        grant: &Grant,
        error: Error,
        response: &HttpResponse<'_>,
    ) -> Next {
        let code = match &error {
            Error::Refused(Refused::Token { code, .. }) => Some(code.as_str()),
            _ => None,
        };
        let for_now = matches!(code, Some("temporarily_unavailable" | "server_error"));
        // An object with words and no token is an error that is not called one.
        let says_why = || self.answering.as_ref().is_some_and(|asked| asked.words.is_some());
        let definitive = match response.status {
            408 | 429 => false,
            400..500 => true,
            _ if matches!(error, Error::PeerMisbehaved(PeerMisbehaved::MissingField { .. })) => says_why(),
            _ => code.is_some() && !for_now,
        };
        if !definitive {
            return Err(error.into());
        }
        let unknown = is_client_refused(&error, response.status);
        if unknown && !self.registered_itself(grant.server.client()) {
            // Nothing was said about the refresh token. The client is the host's to mend.
            return Err(error.into());
        }
        self.registration_failed |= unknown || code == Some("unauthorized_client");
        // Another process may have been faster; its tokens are in the store then.
        Ok(self.reload(now, Reload::Rejected))
    }

    pub(crate) fn notice_issued(&mut self, grant: &Grant, issued: &Issued) {
        self.notice(Notice::TokenIssued {
            scope: issued.scope.clone().unwrap_or_else(|| grant.effective_scopes().clone()),
            expires_in_s: issued.expires_in_s,
            refreshable: issued.refresh_token.is_some() || grant.tokens.refresh.is_some(),
            refreshed: true,
        });
    }
}

/// The token request for the refresh token of a grant, if it has one.
pub(crate) fn refresh_request<T>(
    grant: &Grant,
    signatures: &Signatures,
    then: impl FnOnce(TokenRequest<'_>) -> T,
) -> Option<T> {
    let refresh_token = grant.tokens.refresh.as_ref()?;
    Some(then(TokenRequest {
        endpoint: grant.server.token_endpoint(),
        client: grant.server.client(),
        grant: TokenGrant::RefreshToken { refresh_token },
        resource: grant.resource.as_deref(),
        assertion: signatures.assertion.as_ref(),
        proof: signatures.proof.as_ref(),
    }))
}
