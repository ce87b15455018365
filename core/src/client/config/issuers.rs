//! Which issuers are one, and what is configured for which.

use url::Url;

use super::{Config, Preregistered};
use crate::client::config::Flow;
use crate::secret::Secret;
use crate::wire::server_metadata::{Issuer, equal_but_for_slash};

impl Config {
    /// The name that the metadata of the server with this name has to have.
    pub(crate) fn own_issuer<'a>(&'a self, named: &'a Issuer) -> &'a Issuer {
        let issuers = &self.provider().issuers;
        issuers
            .iter()
            .find(|one| self.is_one_text(one.named.as_str(), named.as_str()))
            .map_or(named, |one| &one.own)
    }

    /// The name by which the metadata of a server is found that names itself so.
    pub(crate) fn named_issuer<'a>(&'a self, own: &'a Issuer) -> &'a Issuer {
        let issuers = &self.provider().issuers;
        issuers
            .iter()
            .find(|one| self.is_one_text(one.own.as_str(), own.as_str()))
            .map_or(own, |one| &one.named)
    }

    /// Whether the configuration states the endpoints of this server.
    pub(crate) fn states_endpoints_of(&self, issuer: &Issuer) -> bool {
        let server = self.provider().server.as_ref();
        server.is_some_and(|server| {
            server.states_endpoints() && self.same_issuer(server.issuer.as_str(), issuer.as_str())
        })
    }

    /// Whether two names are of one issuer, by what the configuration lets pass.
    pub(crate) fn same_issuer(&self, a: &str, b: &str) -> bool {
        self.is_one_text(a, b)
            || self.provider().issuers.iter().any(|one| {
                let (named, own) = (one.named.as_str(), one.own.as_str());
                self.is_one_text(named, a) && self.is_one_text(own, b)
                    || self.is_one_text(named, b) && self.is_one_text(own, a)
            })
    }

    fn is_one_text(&self, a: &str, b: &str) -> bool {
        a == b || self.quirks.issuer_trailing_slash && equal_but_for_slash(a, b)
    }

    /// Whether what was configured for one server is the other's: also where they differ by a slash at the end.
    /// No two servers do, and people copy issuers with and without.
    pub(crate) fn is_of_server(&self, configured: &Issuer, issuer: &str) -> bool {
        self.same_issuer(configured.as_str(), issuer) || equal_but_for_slash(configured.as_str(), issuer)
    }

    /// The token that permits dynamic registration with this server.
    pub(crate) fn initial_access_token_for(&self, issuer: &Issuer) -> Option<&Secret> {
        let tokens = &self.initial_access_tokens;
        tokens.iter().find(|(own, _)| self.is_of_server(own, issuer.as_str())).map(|(_, token)| token)
    }

    /// Whether this issuer is trusted whatever the policy says.
    pub(crate) fn trusts(&self, issuer: &Issuer) -> bool {
        let known = self.provider().server.as_ref().map(|server| &server.issuer);
        self.trusted_issuers.iter().chain(known).any(|own| self.same_issuer(own.as_str(), issuer.as_str()))
    }

    /// The configured client with this id at this server: an authorization server, or the identity provider.
    /// Others see nothing of it, whatever id they give their clients.
    pub(crate) fn own_client(&self, issuer: &str, id: &str) -> Option<&Preregistered> {
        let at_provider = match &self.flow {
            Flow::Enterprise(enterprise) if self.is_of_server(&enterprise.issuer, issuer) => {
                Some(&enterprise.client)
            }
            _ => None,
        };
        let here =
            |own: &&Preregistered| own.issuer.as_ref().is_none_or(|own| self.is_of_server(own, issuer));
        at_provider.into_iter().chain(self.preregistered.iter().filter(here)).find(|own| *own.id == *id)
    }

    /// Whether the configuration names this URL's host: the resource's, a configured server's, or one for
    /// development.
    pub(crate) fn names_host_of(&self, url: &Url) -> bool {
        let provider = match &self.flow {
            Flow::Enterprise(enterprise) => Some(&enterprise.issuer),
            _ => None,
        };
        let registered = self.preregistered.iter().filter_map(|own| own.issuer.as_ref());
        let mut issuers = registered.chain(&self.trusted_issuers).chain(provider);
        let is_host = |issuer: &Issuer| Url::parse(issuer.as_str()).is_ok_and(|it| it.host() == url.host());
        self.resource.host() == url.host()
            || issuers.any(is_host)
            || self.provider().server.as_ref().is_some_and(|server| server.names_host_of(url))
            || self.urls.is_development_host(url)
    }
}
