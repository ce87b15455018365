//! Whether a server still knows a client that registered itself.
//!
//! A server that has forgotten it shows an error page, from which the user can only go back: nobody tells the
//! client. So a page that led nowhere makes its client doubtful, also across restarts, and before another page
//! opens the server is asked. Registering anew without asking would leave a client behind at the server with
//! each page that a user closes.

use crate::client::config::Flow;
use crate::client::engine::Engine;
use crate::client::state::acquisition::{Acquisition, End, Step};
use crate::client::state::doubted::Doubted;
use crate::client::state::exchange::is_client_refused;
use crate::client::state::ops::Owner;
use crate::client::state::record::{self, ClientRecord};
use crate::effect::{Effect, RecordKind};
use crate::error::{Error, FailureKind, Refused, Work};
use crate::finding::Findings;
use crate::limits;
use crate::time::Now;
use crate::wire::HttpResponse;
use crate::wire::client_auth::Client;
use crate::wire::server_metadata::Issuer;
use crate::wire::token::{self};

impl Engine {
    /// Asks the server whether it knows the client; once in an acquisition.
    pub(crate) fn ask_whether_known(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        doubted: Doubted,
    ) -> Result<Step, End> {
        self.check_somebody_waits()?;
        let request = doubted.with(|request| request.request(&self.config.quirks));
        acquisition.doubted = Some(Box::new(doubted));
        self.fetch(now, request, "an earlier page led nowhere; the server may have forgotten the client");
        Ok(Step::AskingWhetherKnown)
    }

    /// The server has answered.
    pub(crate) fn on_known_or_not(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> Result<Step, End> {
        let Some(doubted) = acquisition.doubted.take() else { return Ok(Step::Planning) };
        let mut findings = Findings::new();
        let read = doubted.with(|request| token::read(request, response, &self.config.quirks, &mut findings));
        self.keep(findings);
        let unknown = read.is_err_and(|error| is_client_refused(&error, response.status));
        // The id may only be looked for in another place.
        if unknown && let Some(server) = doubted.server.with_id_in_body() {
            let doubted = Doubted::new(server, doubted.redirect_uri.clone());
            return self.ask_whether_known(now, acquisition, doubted);
        }
        if let Some((client, _)) = &mut acquisition.registration.found
            && !unknown
            && client.id_in_body != doubted.server.client().id_in_body
        {
            client.id_in_body = true;
            acquisition.registration.unsaved = true;
        }
        self.settle_doubt(now, acquisition, unknown);
        Ok(Step::Planning)
    }

    /// Goes on with the client, or without it.
    pub(crate) fn settle_doubt(&mut self, now: Now, acquisition: &mut Acquisition, unknown: bool) {
        acquisition.known_asked = true;
        self.doubted_client = None;
        if unknown {
            if let Some(pending) = acquisition.resumable.take() {
                self.forget_pending(now, Owner::Detached(RecordKind::Pending), &pending.state);
            }
            self.registration_failed = true;
            acquisition.registration.found = None;
        } else if acquisition.registration.doubtful {
            acquisition.registration.doubtful = false;
            acquisition.registration.unsaved = acquisition.registration.found.is_some();
        }
    }

    /// What earlier processes left unanswered may have led nowhere.
    pub(crate) fn doubt_leftovers(&mut self) {
        let by_itself = |client: &ClientRecord| self.registered_by_itself(client);
        let left = self
            .pending
            .authorizations
            .iter()
            .rev()
            .find(|pending| !pending.sign_on && by_itself(pending.server.client()));
        self.doubted_client = left.map(|pending| pending.server.client().id().into());
    }

    /// A page led nowhere: the user closed it, or let it be. If its client was registered before, the server may
    /// have forgotten that; processes to come are told as well.
    pub(crate) fn doubt_client(&mut self, now: Now, acquisition: &Acquisition, error: &Error) {
        let led_nowhere = match error {
            Error::Refused(Refused::Declined) => true,
            Error::Effect(effect) => effect.what == Work::Interaction && effect.kind == FailureKind::TimedOut,
            _ => false,
        };
        let is_page = acquisition.step == Step::Authorizing && self.config.flow == Flow::AuthorizationCode;
        let was_stored = self.is_registered_dynamically(acquisition) && acquisition.registered_ms.is_none();
        if !led_nowhere || !is_page || !was_stored {
            return;
        }
        let asked = acquisition.asked.as_deref();
        let recorded = asked.map(|asked| asked.server.client().id());
        let client = acquisition.client.as_ref();
        self.doubted_client = client.map(|client| &*client.id).or(recorded).map(Into::into);
        if let (Some(client), Some(issuer)) = (client, &acquisition.issuer) {
            let why = "the page led nowhere; the server may have forgotten the client";
            self.note_of_registration(now, acquisition, issuer, client, true, why);
        }
    }

    /// Writes what was learned of a client that is registered already. Nobody waits for that.
    pub(crate) fn note_of_registration(
        &mut self,
        now: Now,
        acquisition: &Acquisition,
        issuer: &Issuer,
        client: &Client,
        doubtful: bool,
        why: &'static str,
    ) {
        let state = &acquisition.registration;
        let (Some(redirect_uri), Some(expect)) = (&acquisition.redirect_uri, state.revision) else { return };
        let record = record::Registration {
            client,
            redirect_uri,
            secret_expires_at: state.secret_expires_at,
            scopes: &state.scopes,
            doubtful,
        };
        let key = self.key(RecordKind::Registration, Some(issuer));
        let effect =
            Effect::Save { key, record: record::write(&record), expect: Some(expect), expires_at_s: None };
        self.perform(now, Owner::Detached(RecordKind::Registration), effect, limits::STORE_MS, why);
    }
}
