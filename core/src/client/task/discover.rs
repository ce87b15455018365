//! Discovery: what the resource says about itself, and its authorization server.

use std::sync::Arc;

use url::Url;

use crate::client::engine::Engine;
use crate::client::state::acquisition::{Acquisition, End, Step};
use crate::client::state::challenged::too_many_scopes;
use crate::client::state::failure::effect_error;
use crate::client::state::resource::{Resource, no_server_metadata};
use crate::discover::Probe;
use crate::error::{Error, ErrorReport, Exchange, Failure, PeerIncompatible, PeerMisbehaved, Refused};
use crate::finding::{Finding, Findings, Handling, Problem};
use crate::revision::Revision;
use crate::scope::ScopeSet;
use crate::time::Now;
use crate::wire::resource_metadata::Candidate;
use crate::wire::server_metadata::{Issuer, Rules, ServerMetadata};
use crate::wire::token::GrantType;
use crate::wire::well_known::Found;
use crate::wire::{HttpResponse, resource_metadata, server_metadata};

impl Engine {
    pub(crate) fn discover_resource(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
    ) -> Result<Option<Step>, End> {
        if let Some(known) = &self.config.provider().server {
            acquisition.resource = Some(Arc::new(self.resource_at(known.issuer.clone())));
            return Ok(None);
        }
        let challenged = acquisition.challenged.metadata_url.as_ref();
        if challenged.is_none() && self.config.revision == Revision::V2025_03_26 {
            acquisition.resource = Some(Arc::new(self.origin_as_server()));
            return Ok(None);
        }
        let probe = acquisition.resource_probe.get_or_insert_with(|| {
            Probe::new(match challenged {
                Some(url) => {
                    let named = Candidate::named(&self.config.resource, url);
                    vec![self.as_stated(named)]
                }
                None => self.candidates(None).collect(),
            })
        });
        let url = probe.next_url().or_else(|| {
            self.widen(challenged, probe);
            probe.next_url()
        });
        if let Some(url) = url {
            let why = match probe.current() {
                Some(candidate) if candidate.challenged => "the challenge names the resource's metadata",
                _ if challenged.is_some() => "the URL of the challenge serves no metadata; this one may",
                _ => "no challenge names the resource's metadata; this is where it may be",
            };
            let request = resource_metadata::request(url, self.config.revision);
            self.fetch(now, request, why);
            return Ok(Some(Step::FetchingResourceMetadata));
        }
        if let Some(failure) = probe.failure() {
            return Err(End::Error(failure));
        }
        if self.config.endpoint_fallback() {
            acquisition.resource = Some(Arc::new(self.origin_as_server()));
            return Ok(None);
        }
        Err(End::Error(probe.nowhere(PeerIncompatible::NoResourceMetadata)))
    }

    /// The well-known URLs are wanted only when what the challenge names has come to nothing.
    pub(crate) fn widen(&self, challenged: Option<&Url>, probe: &mut Probe<Candidate>) {
        if challenged.is_some() && probe.len() == 1 {
            probe.extend(self.candidates(challenged).skip(1));
        }
    }

    fn candidates(&self, challenged: Option<&Url>) -> impl Iterator<Item = Candidate> {
        let candidates = resource_metadata::candidates(&self.config.resource, challenged);
        candidates.into_iter().map(|candidate| self.as_stated(candidate))
    }

    /// The candidate, with the identifier that the configuration states instead of the URL.
    fn as_stated(&self, candidate: Candidate) -> Candidate {
        match self.config.stated_identifier() {
            Some(resource) => Candidate { resource, own: None, ..candidate },
            None => candidate,
        }
    }

    /// What MCP 2025-03-26 has instead of resource metadata.
    pub(crate) fn origin_as_server(&self) -> Resource {
        self.resource_at(server_metadata::origin(&self.config.resource))
    }

    /// What the configuration says about a resource that says nothing itself.
    fn resource_at(&self, issuer: Issuer) -> Resource {
        Resource {
            identifier: self.config.canonical_resource(),
            scopes_supported: None,
            authorization_servers: vec![issuer],
        }
    }

    /// Chooses among the authorization servers that the resource names: the one that is pinned, one with
    /// which a client is registered, or the first (RFC 9728 7.6 leaves it to the client).
    pub(crate) fn choose_issuer(
        &self,
        acquisition: &mut Acquisition,
        resource: &Resource,
    ) -> Result<Issuer, End> {
        if let Some(issuer) = &acquisition.issuer {
            return Ok(issuer.clone());
        }
        if let Some(known) = &self.config.provider().server {
            acquisition.issuer = Some(known.issuer.clone());
            return Ok(known.issuer.clone());
        }
        let names = &resource.authorization_servers;
        let among = |wanted: &str| names.iter().find(|name| self.config.same_issuer(wanted, name.as_str()));
        let pinned = self.binding.record.issuer.as_deref().and_then(among);
        let configured = || self.config.trusted_issuers.iter().find_map(|issuer| among(issuer.as_str()));
        let registered = || {
            let issuers = self.config.preregistered.iter().filter_map(|client| client.issuer.as_ref());
            issuers.into_iter().find_map(|issuer| among(issuer.as_str()))
        };
        let name = pinned.or_else(configured).or_else(registered).or(names.first());
        let issuer = name.ok_or(PeerMisbehaved::NoAuthorizationServers)?;
        acquisition.issuer = Some(issuer.clone());
        Ok(issuer.clone())
    }

    /// The servers of a resource's list without those that the URL policy forbids; why the first is forbidden, if
    /// that is all of them.
    pub(crate) fn usable_servers(&mut self, names: &[Box<str>]) -> Result<Vec<Issuer>, PeerMisbehaved> {
        let (urls, resource) = (&self.config.urls, &self.config.resource);
        let (mut servers, mut first) = (Vec::with_capacity(names.len()), None);
        for name in names {
            match Issuer::read(name, urls, resource) {
                Ok(issuer) => servers.push(issuer),
                Err(why) => _ = first.get_or_insert(why),
            }
        }
        if let Some(why) = first.filter(|_| servers.is_empty()) {
            return Err(why);
        }
        let unusable = names.len() - servers.len();
        if unusable > 0 {
            let mut findings = Findings::new();
            findings.add(&Finding {
                document: Exchange::ResourceMetadata,
                member: Some("authorization_servers".into()),
                problem: Problem::Entries(unusable),
                section: "RFC 9728 section 2",
                handling: Handling::OthersUsed,
            });
            self.keep(findings);
        }
        Ok(servers)
    }

    pub(crate) fn discover_server(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        issuer: &Issuer,
    ) -> Result<Option<Step>, End> {
        if let Some(known) = &self.config.provider().server
            && let Ok(Some(stated)) = known.stated(&self.config.urls)
        {
            acquisition.server = Some(Arc::new(stated));
            return Ok(None);
        }
        if acquisition.server_probe.is_none() {
            acquisition.server_probe =
                Some(Probe::new(server_metadata::candidates(self.config.named_issuer(issuer))?));
        }
        let Some(probe) = &mut acquisition.server_probe else { return Ok(None) };
        if let Some(url) = probe.next_url() {
            let request = server_metadata::request(url, self.config.revision);
            let why = "the authorization server's endpoints are needed";
            self.fetch(now, request, why);
            return Ok(Some(Step::FetchingServerMetadata));
        }
        if let Some(failure) = probe.failure() {
            return self.choose_another(acquisition, issuer, failure);
        }
        if self.config.endpoint_fallback() && *issuer == server_metadata::origin(&self.config.resource) {
            acquisition.server = Some(Arc::new(server_metadata::fallback(&self.config.resource)));
            return Ok(None);
        }
        let nowhere = probe.nowhere(no_server_metadata(issuer));
        self.choose_another(acquisition, issuer, nowhere)
    }

    /// Goes on to the next server that the resource names, since this one has no usable metadata. Not where it
    /// was more than the first of a list, pinned or configured, or may answer later: another server would be
    /// pinned in its place.
    fn choose_another(
        &self,
        acquisition: &mut Acquisition,
        issuer: &Issuer,
        why: ErrorReport,
    ) -> Result<Option<Step>, End> {
        let is_named = |named: &Issuer| self.is_same_issuer(named, issuer);
        let registered = || self.config.preregistered.iter().filter_map(|client| client.issuer.as_ref());
        let is_preferred = self.pinned().is_some_and(|pinned| is_named(&pinned))
            || self.config.trusted_issuers.iter().chain(registered()).any(is_named);
        let is_away = matches!(why.error, Error::Refused(Refused::Unavailable { .. }));
        let resource = acquisition.resource.as_mut();
        let several = resource.filter(|resource| resource.authorization_servers.len() > 1);
        let Some(resource) = several.filter(|_| !is_preferred && !is_away) else {
            return Err(End::Error(why.with_tried(std::mem::take(&mut acquisition.without_metadata))));
        };
        Arc::make_mut(resource).authorization_servers.retain(|name| name != issuer);
        acquisition.without_metadata.push(why);
        acquisition.issuer = None;
        acquisition.server_probe = None;
        Ok(Some(Step::Planning))
    }

    /// The scopes that the resource demands: of the challenge, else of its metadata; with those of the
    /// configuration, and those asked for before, which a new token must not lose (MCP "Scope Selection
    /// Strategy", "Step-Up Authorization Flow"). Or those that the configuration states instead of them all.
    pub(crate) fn demanded_scopes(
        &self,
        acquisition: &Acquisition,
        resource: &Resource,
    ) -> Result<ScopeSet, PeerMisbehaved> {
        if self.config.only_scopes {
            return Ok(self.config.scopes.clone());
        }
        let challenged = Some(&acquisition.challenged.scope).filter(|scope| !scope.is_empty());
        let demanded = challenged.or(resource.scopes_supported.as_ref());
        let before = self.grant.grant.as_deref().filter(|grant| {
            acquisition
                .issuer
                .as_ref()
                .is_some_and(|issuer| self.is_same_issuer(issuer, grant.server.issuer()))
        });
        let mut scopes = self.config.scopes.clone();
        if let Some(demanded) = demanded {
            scopes.extend(demanded).map_err(|_| too_many_scopes())?;
        }
        // What is demanded now comes first, should there be no room for both.
        let mut all = before.map(|grant| grant.requested.clone()).unwrap_or_default();
        Ok(if all.extend(&scopes).is_ok() { all } else { scopes })
    }

    /// The rules for authorization server metadata.
    pub(crate) fn rules(&self, grant: GrantType) -> Rules<'_> {
        let config = &self.config;
        Rules { urls: &config.urls, resource: &config.resource, quirks: &config.quirks, grant }
    }

    /// The scopes to ask for: those demanded, and `offline_access` where the server has it.
    pub(crate) fn choose_scopes(
        &self,
        acquisition: &Acquisition,
        resource: &Resource,
        server: &ServerMetadata,
    ) -> Result<ScopeSet, PeerMisbehaved> {
        let mut scopes = self.demanded_scopes(acquisition, resource)?;
        // Whoever gets new tokens without the user needs no refresh token.
        if self.config.offline_access
            && !self.config.only_scopes
            && !self.config.flow.is_without_user()
            && server.offers_offline_access
            && let Ok(offline) = ScopeSet::parse("offline_access")
        {
            let _ = scopes.extend(&offline); // nobody demands it
        }
        Ok(scopes)
    }

    pub(crate) fn on_resource_metadata(
        &mut self,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> Result<(), End> {
        let Some(probe) = &mut acquisition.resource_probe else { return Ok(()) };
        let (Some(candidate), Some((asked, redirects))) = (probe.current(), probe.asked()) else {
            return Ok(());
        };
        let (quirks, mut findings) = (&self.config.quirks, Findings::new());
        let read = resource_metadata::read(candidate, asked, redirects, response, quirks, &mut findings);
        self.keep(findings);
        let found = match read {
            // The document of another resource is what a tenant of a shared host could lead to (RFC 9728 7.3).
            Err(error @ Error::PeerMisbehaved(PeerMisbehaved::ResourceMismatch { .. })) => {
                return Err(error.into());
            }
            read => read.unwrap_or_else(Found::Nothing),
        };
        if let Some(document) = probe.take(found, |why| self.report_of(why)) {
            let servers = self.usable_servers(&document.authorization_servers);
            acquisition.resource = Some(Arc::new(Resource {
                identifier: document.resource,
                scopes_supported: document.scopes_supported,
                authorization_servers: servers.map_err(|why| End::Error(self.report_of(why)))?,
            }));
        }
        Ok(())
    }

    /// What a challenge names may be out of reach; the resource itself was not.
    pub(crate) fn on_resource_unreached(
        &mut self,
        acquisition: &mut Acquisition,
        failure: Failure<'_>,
    ) -> Result<(), End> {
        let report = self.report_of(effect_error(acquisition.work(), failure));
        let mut probe = acquisition.resource_probe.as_mut().filter(|_| failure.is_of_network());
        if let Some(probe) = &mut probe {
            self.widen(acquisition.challenged.metadata_url.as_ref(), probe);
        }
        match probe.is_some_and(|probe| probe.skip_origin(report.clone())) {
            true => Ok(()),
            false => Err(End::Error(report)),
        }
    }

    pub(crate) fn on_server_metadata(
        &mut self,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> Result<(), End> {
        let (Some(probe), Some(issuer)) = (&mut acquisition.server_probe, &acquisition.issuer) else {
            return Ok(());
        };
        let Some((asked, redirects)) = probe.asked() else { return Ok(()) };
        let rules = self.rules(self.config.flow.grant_type());
        let (issuer, mut findings) = (self.config.own_issuer(issuer), Findings::new());
        let read = server_metadata::read(issuer, asked, redirects, response, rules, &mut findings);
        self.keep(findings);
        let found = read.unwrap_or_else(Found::Nothing);
        if let Some(document) = probe.take(found, |why| self.report_of(why)) {
            acquisition.issuer = Some(document.issuer.clone());
            acquisition.server = Some(Arc::from(document));
        }
        Ok(())
    }
}
