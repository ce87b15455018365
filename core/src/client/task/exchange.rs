//! The token requests of an acquisition, whatever the grant, and what their answers bring.

use crate::client::engine::Engine;
use crate::client::output::Notice;
use crate::client::state::acquisition::{Acquisition, End, Step};
use crate::client::state::exchange::{Ask, TokenExchange, is_client_unknown};
use crate::client::state::failure::unexpected;
use crate::client::state::grant::{Grant, Tokens};
use crate::client::state::nonces;
use crate::client::state::ops::Owner;
use crate::client::state::signing::Addressee;
use crate::client::state::user::User;
use crate::error::{Error, PeerIncompatible, PeerMisbehaved, Refused};
use crate::finding::Findings;
use crate::policy::DpopPolicy;
use crate::time::Now;
use crate::wire::HttpResponse;
use crate::wire::device::Poll;
use crate::wire::token::{self, Issued, TokenType};

impl Engine {
    /// Sends the token request, once what it has to carry is signed.
    pub(crate) fn request_token(&mut self, now: Now, acquisition: &mut Acquisition) -> Result<Step, End> {
        let Some(exchange) = acquisition.exchange.as_deref_mut() else { return Ok(Step::Planning) };
        let addressee = Addressee {
            server: &exchange.server,
            endpoint: exchange.server.token_endpoint(),
            dpop: exchange.dpop.as_deref(),
        };
        let Some(signatures) = self.sign_request(now, Owner::Acquisition, addressee)? else {
            return Ok(Step::Signing);
        };
        exchange.signatures = signatures;
        let mut request = exchange.with(|request| request.request(&self.config.quirks));
        // The caller's own parameters are for the resource's authorization server, not for the enterprise's.
        let signs_on = acquisition.asked.as_deref().is_some_and(|asked| asked.sign_on);
        if !signs_on && !matches!(exchange.ask, Ask::Subject { .. }) {
            request = request.with_parameters(&self.config.provider().token_parameters);
        }
        self.send_token_request(now, Owner::Acquisition, request, exchange.why());
        // A poll that takes long is followed by another; calls wait for the user anyway.
        let is_poll = matches!(exchange.ask, Ask::DeviceCode(_));
        let overdue_ms = now.mono_ms.saturating_add(self.config.timeouts.token_wait_ms);
        acquisition.overdue_ms = Some(overdue_ms).filter(|_| !is_poll);
        Ok(Step::Exchanging)
    }

    /// The token endpoint answered.
    pub(crate) fn on_token_answer(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> Result<Step, End> {
        let Some(mut exchange) = acquisition.exchange.take() else {
            return Err(unexpected(Step::Exchanging.work()).into());
        };
        acquisition.overdue_ms = None;
        let knows_nonce = self.note_nonce(exchange.server.token_endpoint(), response.headers);
        if let Ask::Subject { .. } = exchange.ask {
            return self.on_subject_answer(now, acquisition, &exchange, response);
        }
        let quirks = &self.config.quirks;
        let mut findings = Findings::new();
        let read = exchange.with(|request| token::read(request, response, quirks, &mut findings));
        self.keep(findings);
        let issued = match read {
            Ok(issued) => issued,
            Err(error) if exchange.dpop.is_some() && nonces::is_wanted(&error) => {
                if exchange.nonce_retried || !knows_nonce {
                    return Err(PeerMisbehaved::DpopNonce.into());
                }
                exchange.nonce_retried = true;
                acquisition.exchange = Some(exchange);
                return Ok(Step::Planning);
            }
            Err(error) => return self.on_token_refused(now, acquisition, *exchange, error),
        };
        let user = self.identify(now, acquisition, &exchange, &issued)?;
        if acquisition.asked.as_deref().is_some_and(|asked| asked.sign_on) {
            return self.on_signed_on(now, acquisition, issued, user);
        }
        self.take_token(now, acquisition, *exchange, issued, user)
    }

    fn on_token_refused(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        exchange: TokenExchange,
        error: Error,
    ) -> Result<Step, End> {
        match (&exchange.ask, &error) {
            (Ask::DeviceCode(_), error) if let Some(poll) = Poll::of(error) => {
                self.poll_later(now, acquisition, poll)
            }
            (Ask::DeviceCode(_), Error::Refused(Refused::Unavailable { .. })) => {
                self.poll_more_slowly(now, acquisition)
            }
            (_, error)
                if is_client_unknown(error)
                    && let Some(server) = exchange.server.with_id_in_body() =>
            {
                // The code is not spent: who the client is comes first (RFC 6749 3.2.1).
                if acquisition.client.as_ref() == Some(exchange.server.client()) {
                    acquisition.client = Some(server.client().clone());
                }
                acquisition.moved_id = true;
                acquisition.exchange = Some(Box::new(TokenExchange { server, ..exchange }));
                Ok(Step::Planning)
            }
            (_, error) if is_client_unknown(error) && self.may_register_again(now, acquisition) => {
                self.register_again(now, acquisition);
                Ok(Step::Planning)
            }
            _ => Err(error.into()),
        }
    }

    fn take_token(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        exchange: TokenExchange,
        issued: Issued,
        user: Option<Box<User>>,
    ) -> Result<Step, End> {
        if issued.token_type == TokenType::Bearer && self.config.dpop == DpopPolicy::Required {
            // Who never promised it, cannot do it.
            let promised =
                acquisition.server.as_deref().is_none_or(|server| !server.dpop_algorithms.is_empty());
            return Err(match promised {
                true => PeerMisbehaved::NotBound.into(),
                false => PeerIncompatible::NoDpop { issuer: exchange.server.issuer().into() }.into(),
            });
        }
        self.notice(Notice::TokenIssued {
            scope: issued.scope.clone().unwrap_or_else(|| exchange.scopes.clone()),
            expires_in_s: issued.expires_in_s,
            refreshable: issued.refresh_token.is_some(),
            refreshed: false,
        });
        if acquisition.moved_id && self.registered_itself(exchange.server.client()) {
            let (issuer, client) = (exchange.server.issuer(), exchange.server.client());
            let why = "the server looks for the client's id in the body";
            self.note_of_registration(now, acquisition, issuer, client, false, why);
        }
        acquisition.obtained = Some(Box::new(Grant {
            tokens: Tokens::issued(&issued, now),
            server: exchange.server,
            resource: exchange.resource,
            dpop: exchange.dpop.filter(|_| issued.token_type == TokenType::Dpop),
            user: user.or_else(|| acquisition.sign_on.user.take()),
            subject: acquisition.sign_on.kept.take(),
            authorization_details: issued.authorization_details,
            granted: issued.scope,
            requested: exchange.scopes,
        }));
        Ok(Step::Planning)
    }
}
