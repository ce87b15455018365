//! A token endpoint that is gone, or not reached: the server's metadata may name another.

use crate::client::engine::Engine;
use crate::client::state::failure::effect_error;
use crate::client::state::grant::Freshness;
use crate::client::state::ops::Owner;
use crate::client::state::refresh::{End, Next, Progress, Reload, Step, is_out_of_reach};
use crate::client::state::server::Server;
use crate::discover::Probe;
use crate::error::{Error, Exchange, Failure, FailureKind, Work};
use crate::finding::Findings;
use crate::time::Now;
use crate::wire::well_known::Found;
use crate::wire::{HttpResponse, server_metadata};

impl Engine {
    /// The token endpoint is gone: the server's metadata may name another.
    pub(crate) fn rediscover(&mut self, now: Now, progress: &mut Progress) -> Next {
        let Some(grant) = self.grant.grant.as_deref() else { return Err(End::GiveUp) };
        if progress.probe.is_none() {
            progress.probe = Some(self.probe_for(grant.server.issuer()));
        }
        let Some(url) = progress.probe.as_mut().and_then(|probe| probe.next_url()) else {
            let reasons = progress.probe.take().map(Probe::into_reasons).unwrap_or_default();
            return Err(match progress.unreached.take() {
                Some(report) if !is_out_of_reach(&reasons) => End::Error(report),
                // The server is gone altogether; the resource may name another.
                unreached => {
                    if unreached.is_some() {
                        self.release_lease(now);
                    }
                    End::GiveUp
                }
            });
        };
        let request = server_metadata::request(url, self.config.revision);
        let why = "the token endpoint is gone; the metadata may name another";
        self.send_request(now, Owner::Refresh, request, why);
        Ok(Step::Rediscovering)
    }

    /// The token endpoint was not reached. A server that has moved says so in its metadata, or the resource names
    /// another one; unless the access token serves still, that is looked at before anybody is told.
    pub(crate) fn on_unreached(&mut self, now: Now, progress: &mut Progress, failure: Failure<'_>) -> Next {
        let report = self.report_of(effect_error(Work::Exchange(Exchange::RefreshToken), failure));
        let serves = self.grant.freshness(now, 0) == Freshness::Fresh;
        if failure.kind != FailureKind::Unreachable || serves || progress.relocated {
            return Err(End::Error(report));
        }
        progress.unreached = Some(report);
        self.rediscover(now, progress)
    }

    /// A URL of the metadata was not reached either.
    pub(crate) fn on_undiscovered(&mut self, now: Now, progress: &mut Progress, error: Error) -> Next {
        let report = self.report_of(error);
        let Some(probe) = progress.probe.as_mut().filter(|_| progress.unreached.is_some()) else {
            return Err(End::Error(report));
        };
        if !probe.skip_origin(report.clone()) {
            *probe = Probe::failed(report);
        }
        self.rediscover(now, progress)
    }

    pub(crate) fn on_rediscovered(
        &mut self,
        now: Now,
        progress: &mut Progress,
        response: &HttpResponse<'_>,
    ) -> Next {
        if self.waits(now, &mut progress.waits, Exchange::ServerMetadata, response) {
            return Ok(Step::Waiting);
        }
        let Some(grant) = self.grant.grant.as_deref() else { return Err(End::GiveUp) };
        let Some(probe) = &mut progress.probe else { return Err(End::GiveUp) };
        let Some((asked, redirects)) = probe.asked() else { return Err(End::GiveUp) };
        let rules = self.rules(self.config.flow.grant_type());
        let (issuer, mut findings) = (grant.server.issuer(), Findings::new());
        let read = server_metadata::read(issuer, asked, redirects, response, rules, &mut findings);
        let token_endpoint = grant.server.token_endpoint().clone();
        self.keep(findings);
        let found = read.unwrap_or_else(Found::Nothing);
        match probe.take(found, |why| self.report_of(why)) {
            Some(document) if document.token_endpoint == token_endpoint => {
                if let Some(report) = progress.unreached.take() {
                    return Err(End::Error(report));
                }
                return Ok(self.reload(now, Reload::Rejected));
            }
            Some(document) => {
                progress.relocated = true;
                progress.probe = None;
                progress.unreached = None;
                self.known = None;
                if let Some(own) = self.grant.grant.as_deref_mut() {
                    own.server = Server::described(&document, own.server.client().clone());
                }
                return self.lease_or_request(now, progress);
            }
            None => {}
        }
        self.rediscover(now, progress)
    }
}
