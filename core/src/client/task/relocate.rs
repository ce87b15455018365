//! Endpoints that were known before and are gone (404, 410): the metadata is read anew, once.

use url::Url;

use crate::client::engine::Engine;
use crate::client::state::acquisition::{Acquisition, End, Step};
use crate::client::state::exchange::Ask;
use crate::client::state::refresh::is_gone;
use crate::client::state::server::Server;
use crate::discover::Probe;
use crate::error::PeerMisbehaved;
use crate::time::Now;
use crate::wire::HttpResponse;
use crate::wire::server_metadata::{self, Issuer};

impl Engine {
    /// Whether the answer to a step is that of an endpoint which is gone, while the metadata may name another.
    pub(crate) fn looks_elsewhere(
        &mut self,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> bool {
        let from_before = acquisition.reused || acquisition.server.is_none();
        if !is_gone(response) || !from_before || acquisition.looked_elsewhere {
            return false;
        }
        match (acquisition.step, acquisition.exchange.as_deref()) {
            (Step::Exchanging, Some(exchange))
                if !matches!(exchange.ask, Ask::Subject { .. } | Ask::DeviceCode(_)) =>
            {
                acquisition.gone = Some(response.status);
                acquisition.overdue_ms = None;
                acquisition.issuer = Some(exchange.server.issuer().clone());
                acquisition.server = None;
                acquisition.server_probe = None;
            }
            (Step::Pushing | Step::Registering | Step::RequestingCodes, _) => {
                let redirect_uri = acquisition.redirect_uri.take();
                acquisition.forget_discovery();
                acquisition.asked = None;
                acquisition.redirect_uri = redirect_uri;
            }
            _ => return false,
        }
        acquisition.looked_elsewhere = true;
        self.known = None;
        true
    }

    /// Where the metadata of a server may be that was known before. One whose endpoints are stated publishes no more
    /// than these.
    pub(crate) fn probe_for(&self, issuer: &Issuer) -> Probe<Url> {
        let named = self.config.named_issuer(issuer);
        Probe::new(match self.config.states_endpoints_of(named) {
            true => Vec::new(),
            false => server_metadata::candidates(named).unwrap_or_default(),
        })
    }

    /// Finds the token endpoint of the same server, as its metadata names it now, for a token request whose
    /// endpoint is gone.
    pub(crate) fn find_token_endpoint(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
    ) -> Result<Option<Step>, End> {
        let (Some(status), Some(exchange)) = (acquisition.gone, acquisition.exchange.as_deref()) else {
            return Ok(None);
        };
        let issuer = exchange.server.issuer().clone();
        if acquisition.server.is_none()
            && let Some(step) = self.discover_server(now, acquisition, &issuer)?
        {
            return Ok(Some(step));
        }
        acquisition.gone = None;
        if let (Some(server), Some(exchange)) = (&acquisition.server, &mut acquisition.exchange) {
            if server.token_endpoint == *exchange.server.token_endpoint() {
                return Err(PeerMisbehaved::Status { exchange: exchange.exchange(), status }.into());
            }
            exchange.server = Server::described(server, exchange.server.client().clone());
        }
        Ok(None)
    }
}
