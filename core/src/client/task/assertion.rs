//! Grants without a browser: the client's own, and those by assertion.

use crate::client::config::{Enterprise, Flow};
use crate::client::engine::Engine;
use crate::client::state::acquisition::{Acquisition, Cause, End, Step};
use crate::client::state::exchange::{Ask, TokenExchange};
use crate::client::state::failure::unexpected;
use crate::client::state::ops::Owner;
use crate::client::state::record::Subject;
use crate::client::state::resource::{Resource, no_server_metadata};
use crate::client::state::server::Server;
use crate::client::state::signing::Signatures;
use crate::client::state::user::User;
use crate::client::task::authorize::AuthorizationParams;
use crate::discover::Probe;
use crate::effect::{AssertionKind, AssertionRequest, Effect, RecordKind};
use crate::error::{Error, Exchange, PeerIncompatible, PeerMisbehaved, Refused};
use crate::finding::Findings;
use crate::jose::{Algorithm, IdJag, IdJagRules, Jws};
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::HttpResponse;
use crate::wire::client_auth::ClientAuthMethod;
use crate::wire::server_metadata::{self, Issuer, ServerMetadata};
use crate::wire::token::{self, GrantType, Issued, TokenTypeUri};
use crate::wire::well_known::Found;

impl Engine {
    /// Takes the next step of a grant without a browser.
    pub(crate) fn without_user(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        resource: &Resource,
        server: &ServerMetadata,
        scopes: ScopeSet,
    ) -> Result<Step, End> {
        self.check_somebody_waits()?;
        let ask = match self.config.flow.clone() {
            Flow::AuthorizationCode | Flow::Device => return Ok(Step::Planning),
            Flow::ClientCredentials => Ask::ClientCredentials,
            Flow::Workload => match acquisition.assertion.take() {
                Some((assertion, _)) => Ask::Assertion(assertion),
                None => {
                    let audience = server.issuer.as_str();
                    let kind = AssertionKind::Workload;
                    return Ok(self.ask_for_assertion(now, kind, audience, resource, scopes));
                }
            },
            Flow::Enterprise(enterprise) => {
                match self.identity_grant(now, acquisition, &enterprise, resource, server, &scopes)? {
                    Ok(assertion) => Ask::Assertion(assertion),
                    Err(step) => return Ok(step),
                }
            }
        };
        self.start_exchange(now, acquisition, resource, server, scopes, ask)
    }

    /// Begins a token request at the resource's authorization server.
    pub(crate) fn start_exchange(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        resource: &Resource,
        server: &ServerMetadata,
        scopes: ScopeSet,
        ask: Ask,
    ) -> Result<Step, End> {
        let client = acquisition.client.clone().ok_or(PeerIncompatible::NoClientAuthentication)?;
        let dpop = match self.choose_dpop(server) {
            Ok(dpop) => dpop,
            Err(Some(error)) => return Err(error.into()),
            Err(None) => {
                if let Ask::Assertion(assertion) = ask {
                    acquisition.assertion = Some((assertion, TokenTypeUri::IdJag));
                }
                return Ok(self.await_entropy(32));
            }
        };
        acquisition.exchange = Some(Box::new(TokenExchange {
            server: Server::described(server, client),
            resource: self.resource_parameter(resource),
            scopes,
            ask,
            dpop,
            signatures: Signatures::default(),
            nonce_retried: false,
        }));
        self.request_token(now, acquisition)
    }

    fn ask_for_assertion(
        &mut self,
        now: Now,
        kind: AssertionKind,
        audience: &str,
        resource: &Resource,
        scopes: ScopeSet,
    ) -> Step {
        let request = AssertionRequest {
            kind,
            audience: audience.into(),
            resource: resource.identifier.clone(),
            scopes,
        };
        let why = match kind {
            AssertionKind::User => "the enterprise's sign-on says who the user is",
            AssertionKind::Workload => "the platform says who this workload is",
        };
        let time_ms = self.config.interaction_ms;
        self.perform(now, Owner::Acquisition, Effect::Assert(Box::new(request)), time_ms, why);
        Step::AwaitingAssertion
    }

    // Enterprise-managed authorization.

    /// The ID-JAG for the authorization server, or the step that leads to it.
    fn identity_grant(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        enterprise: &Enterprise,
        resource: &Resource,
        server: &ServerMetadata,
        scopes: &ScopeSet,
    ) -> Result<Result<Secret, Step>, End> {
        if let Some((assertion, kind)) = acquisition.assertion.take() {
            if kind == TokenTypeUri::IdJag {
                return Ok(Ok(assertion));
            }
            acquisition.sign_on.subject = Some((assertion, kind));
        }
        if acquisition.sign_on.provider.is_none()
            && enterprise.token_endpoint.is_none()
            && let Some(step) = self.discover_provider(now, acquisition, enterprise)?
        {
            return Ok(Err(step));
        }
        if acquisition.sign_on.subject.is_none()
            && enterprise.signs_on
            && let Some(step) = self.sign_on(now, acquisition, enterprise)?
        {
            return Ok(Err(step));
        }
        let Some((token, kind)) = acquisition.sign_on.subject.clone() else {
            let (id, user) = (enterprise.client.id.clone(), AssertionKind::User);
            return Ok(Err(self.ask_for_assertion(now, user, &id, resource, scopes.clone())));
        };
        let provider = acquisition.sign_on.provider.as_deref();
        let methods = provider
            .map_or(&ClientAuthMethod::WITHOUT_KEY[..], |provider| &provider.token_endpoint_auth_methods);
        let client = enterprise.client.client(methods).ok_or(PeerIncompatible::NoClientAuthentication)?;
        let at_provider = match (provider, &enterprise.token_endpoint) {
            (Some(provider), _) => Server::described(provider, client),
            (None, Some(endpoint)) => Server::configured(enterprise.issuer.clone(), endpoint.clone(), client),
            (None, None) => return Err(no_server_metadata(&enterprise.issuer).into()),
        };
        acquisition.exchange = Some(Box::new(TokenExchange {
            server: at_provider,
            resource: Some(resource.identifier.clone()),
            scopes: scopes.clone(),
            ask: Ask::Subject { token, kind, audience: server.issuer.as_str().into() },
            dpop: None,
            signatures: Signatures::default(),
            nonce_retried: false,
        }));
        self.request_token(now, acquisition).map(Err)
    }

    /// Signs the user on with the provider, unless what an earlier sign-on brought will do; the step that
    /// leads there.
    fn sign_on(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        enterprise: &Enterprise,
    ) -> Result<Option<Step>, End> {
        let of_grant = self.grant.grant.as_deref().and_then(|grant| grant.subject.as_ref());
        let kept = self.kept_subject.as_deref().or(of_grant);
        // RFC 9470: who has to prove themselves anew is asked, whatever was kept.
        let challenged = &acquisition.challenged;
        let anew = challenged.acr_values.is_some() || challenged.max_age_s.is_some();
        let usable = |kept: &&Subject| {
            *kept.issuer == *enterprise.issuer.as_str() && !anew && !acquisition.sign_on.kept_is_stale
        };
        if let Some(kept) = kept.filter(usable).cloned() {
            acquisition.sign_on.was_kept = true;
            acquisition.sign_on.subject = Some((kept.token.clone(), kept.kind));
            acquisition.sign_on.kept = Some(kept);
            return Ok(None);
        }
        let Some(provider) = acquisition.sign_on.provider.clone() else {
            return Err(no_server_metadata(&enterprise.issuer).into());
        };
        if acquisition.redirect_uri.is_none() {
            return self.listen(now, acquisition, None).map(Some);
        }
        if acquisition.asked.is_none() {
            let methods = &provider.token_endpoint_auth_methods;
            let client = enterprise.client.client(methods).ok_or(PeerIncompatible::NoClientAuthentication)?;
            let offline = if provider.offers_offline_access { " offline_access" } else { "" };
            let scopes = ScopeSet::parse(&format!("openid{offline}")).unwrap_or_default();
            let asking = AuthorizationParams {
                client: &client,
                server: &provider,
                resource: None,
                scopes,
                sign_on: true,
            };
            if let Some(step) = self.ask_user(now, acquisition, asking)? {
                return Ok(Some(step));
            }
        }
        if acquisition.unpushed {
            return self.push(now, acquisition, &provider).map(Some);
        }
        if !acquisition.asked_saved {
            return Ok(Some(self.save_pending(now, acquisition)));
        }
        self.open_browser(now, acquisition).map(Some)
    }

    /// The provider has issued an ID token.
    pub(crate) fn on_signed_on(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        issued: Issued,
        user: Option<Box<User>>,
    ) -> Result<Step, End> {
        let missing = PeerMisbehaved::MissingField { exchange: Exchange::CodeToken, field: "id_token" };
        let id_token = issued.id_token.ok_or(missing)?;
        let issuer =
            acquisition.asked.as_deref().map(|asked| asked.server.issuer().into()).unwrap_or_default();
        let kept = match issued.refresh_token {
            Some(token) => Subject { issuer, token, kind: TokenTypeUri::RefreshToken },
            None => Subject { issuer, token: id_token.clone(), kind: TokenTypeUri::IdToken },
        };
        acquisition.sign_on.kept = Some(kept);
        acquisition.sign_on.subject = Some((id_token, TokenTypeUri::IdToken));
        acquisition.sign_on.user = user;
        if let Some(asked) = acquisition.asked.take() {
            self.forget_pending(now, Owner::Detached(RecordKind::Pending), &asked.state);
        }
        acquisition.asked_saved = false;
        acquisition.resumed = false;
        // A callback that came by itself has brought what the rest goes on with.
        if acquisition.cause == Cause::Callback {
            acquisition.cause = Cause::Unauthorized;
        }
        Ok(Step::Planning)
    }

    fn discover_provider(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        enterprise: &Enterprise,
    ) -> Result<Option<Step>, End> {
        if acquisition.sign_on.probe.is_none() {
            let candidates = server_metadata::candidates(&enterprise.issuer)?;
            acquisition.sign_on.probe = Some(Probe::new(candidates));
        }
        let Some(probe) = &mut acquisition.sign_on.probe else { return Ok(None) };
        if let Some(url) = probe.next_url() {
            let request = server_metadata::request(url, self.config.revision);
            let why = "the identity provider's endpoints are needed";
            self.fetch(now, request, why);
            return Ok(Some(Step::FetchingProviderMetadata));
        }
        let nowhere = |probe: &mut Probe<_>| probe.nowhere(no_server_metadata(&enterprise.issuer));
        Err(End::Error(probe.failure().unwrap_or_else(|| nowhere(probe))))
    }

    pub(crate) fn on_provider_metadata(
        &mut self,
        acquisition: &mut Acquisition,
        response: &HttpResponse<'_>,
    ) -> Result<(), End> {
        let Flow::Enterprise(enterprise) = &self.config.flow else { return Ok(()) };
        let Some(probe) = &acquisition.sign_on.probe else { return Ok(()) };
        let Some((asked, redirects)) = probe.asked() else { return Ok(()) };
        let mut findings = Findings::new();
        let mut read = |grant| {
            let (issuer, rules) = (&enterprise.issuer, self.rules(grant));
            server_metadata::read(issuer, asked, redirects, response, rules, &mut findings)
        };
        let mut found = read(GrantType::TokenExchange);
        if enterprise.signs_on && matches!(found, Ok(Found::Document(_))) {
            // A sign-on is an authorization with a code: PKCE is looked at as with any server.
            found = read(GrantType::AuthorizationCode);
        }
        self.keep(findings);
        let Some(probe) = &mut acquisition.sign_on.probe else { return Ok(()) };
        let found = found.unwrap_or_else(Found::Nothing);
        if let Some(document) = probe.take(found, |why| self.report_of(why)) {
            acquisition.sign_on.provider = Some(document);
        }
        Ok(())
    }

    /// The identity provider answered the token exchange. What it issued is for the authorization server to
    /// verify; whether it is what was asked for is checked here, before it goes there.
    pub(crate) fn on_subject_answer(
        &mut self,
        now: Now,
        acquisition: &mut Acquisition,
        exchange: &TokenExchange,
        response: &HttpResponse<'_>,
    ) -> Result<Step, End> {
        let quirks = &self.config.quirks;
        let requested = TokenTypeUri::IdJag;
        let mut findings = Findings::new();
        let read = exchange
            .with(|request| token::read_exchange(request, requested, response, quirks, &mut findings));
        self.keep(findings);
        let exchanged = match read {
            Ok(exchanged) => exchanged,
            Err(Error::Refused(Refused::Token { .. })) if acquisition.sign_on.was_kept => {
                acquisition.sign_on.subject = None;
                acquisition.sign_on.was_kept = false;
                acquisition.sign_on.kept_is_stale = true;
                return Ok(Step::Planning);
            }
            Err(error) => return Err(error.into()),
        };
        let (Some(client), Ask::Subject { audience, .. }) = (&acquisition.client, &exchange.ask) else {
            return Err(unexpected(Step::Exchanging.work()).into());
        };
        let resource = exchange.resource.as_deref();
        let wanted = Wanted { issuer: exchange.server.issuer(), audience, client_id: &client.id, resource };
        wanted.check(&exchanged.token, now)?;
        if let Some(token) = exchanged.refresh_token
            && acquisition.sign_on.kept.is_some()
        {
            let issuer = exchange.server.issuer().as_str().into();
            acquisition.sign_on.kept = Some(Subject { issuer, token, kind: TokenTypeUri::RefreshToken });
        }
        acquisition.assertion = Some((exchanged.token, TokenTypeUri::IdJag));
        Ok(Step::Planning)
    }
}

/// What an ID-JAG has to be for.
struct Wanted<'a> {
    issuer: &'a Issuer,
    audience: &'a str,
    client_id: &'a str,
    resource: Option<&'a str>,
}

impl Wanted<'_> {
    fn check(&self, token: &Secret, now: Now) -> Result<(), PeerMisbehaved> {
        let jws = Jws::parse(token.expose()).map_err(PeerMisbehaved::IdJagSyntax)?;
        let trusted = jws.received_from_issuer(&Algorithm::ALL).map_err(PeerMisbehaved::IdJagSyntax)?;
        let resources: Vec<&str> = self.resource.into_iter().collect();
        let mut rules = IdJagRules::new(self.issuer.as_str(), self.audience, self.client_id);
        rules.resources = &resources;
        IdJag::check(trusted, &rules, now.unix_s).map(drop).map_err(PeerMisbehaved::IdJag)
    }
}
