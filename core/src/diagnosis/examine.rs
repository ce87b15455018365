//! The plan: what is asked next, and what each answer says.

use std::collections::VecDeque;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HeaderName, HeaderValue,
    ORIGIN,
};
use http::{HeaderMap, Method};
use url::Url;

use super::check::{Check, Outcome, Rule};
use super::log_in::{self, LogInExamination};
use super::rules;
use crate::address::{self, Reach, UrlPolicy};
use crate::discover::Probe;
use crate::error::{
    Asked, EffectError, Error, ErrorReport, Exchange, Failure, FailureKind, PeerIncompatible, PeerMisbehaved,
    PeerText, Sent, Work,
};
use crate::finding::Findings;
use crate::quirks::Quirks;
use crate::revision::Revision;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::challenge::Challenges;
use crate::wire::document::Reader;
use crate::wire::resource_metadata::{self, Candidate, Found, ResourceMetadata};
use crate::wire::server_metadata::{self, Issuer, Rules, ServerMetadata};
use crate::wire::token::{self, GrantType};
use crate::wire::{HttpRequest, HttpResponse};

/// A token that no server has issued.
const BAD_TOKEN: &str = "grantor-diagnosis-not-a-token";
/// A page of nobody's, for what browsers may do.
const PAGE: &str = "https://client.example";
/// So many authorization servers are looked at.
const SERVERS: usize = 4;

/// An examination of one MCP server.
#[derive(Debug)]
pub struct Examination {
    resource: Url,
    urls: UrlPolicy,
    steps: VecDeque<Step>,
    checks: Vec<Check>,
    /// Whether the server demands a token.
    protected: bool,
    /// Whether the metadata of the resource was found.
    found: bool,
    /// The scopes that it names.
    scopes: ScopeSet,
}

/// A request, and what it is about.
#[derive(Debug)]
enum Step {
    WithoutToken,
    BadToken,
    QueryToken,
    Preflight,
    Resource(Box<Probe<Candidate>>),
    Server(Issuer, Box<Probe<Url>>),
    Token(Url),
}

impl Examination {
    /// Of the server with this URL.
    ///
    /// # Errors
    /// When that is no URL that a client may be given.
    pub fn new(resource: &str, urls: UrlPolicy) -> Result<Self, Error> {
        let syntax = |problem| PeerMisbehaved::Url { field: "the server's URL", problem };
        let parsed = Url::parse(resource).map_err(|_| syntax(crate::UrlProblem::Syntax))?;
        if !parsed.has_host() {
            return Err(syntax(crate::UrlProblem::Syntax).into());
        }
        let steps = [Step::WithoutToken, Step::BadToken, Step::QueryToken, Step::Preflight];
        Ok(Self {
            resource: parsed,
            urls,
            steps: steps.into(),
            checks: Vec::new(),
            protected: false,
            found: false,
            scopes: ScopeSet::default(),
        })
    }

    /// The next request; `None` at the end. Send it as it is, without following redirects.
    pub fn next_request(&mut self) -> Option<HttpRequest> {
        let mut step = self.steps.pop_front()?;
        let request = self.request(&mut step);
        self.steps.push_front(step);
        request
    }

    /// What came back, or why nothing did, in words.
    pub fn answer(&mut self, answer: Result<HttpResponse<'_>, &str>) {
        match self.steps.pop_front() {
            Some(Step::WithoutToken) => self.on_refusal(answer),
            Some(Step::BadToken) => self.on_bad_token(answer.ok()),
            Some(Step::QueryToken) => self.on_query_token(answer.ok()),
            Some(Step::Preflight) => self.on_preflight(answer.ok()),
            Some(Step::Resource(probe)) => self.on_resource(probe, answer),
            Some(Step::Server(issuer, probe)) => self.on_server(issuer, probe, answer),
            Some(Step::Token(endpoint)) => self.on_token(&endpoint, answer.ok()),
            None => {}
        }
    }

    /// The examination of a log-in with this server, once this one has ended; `None` where there is nothing to log in to.
    pub fn log_in(&self) -> Option<LogInExamination> {
        self.protected.then(|| LogInExamination::new(self.resource.clone(), self.scopes.clone()))
    }

    /// What was found so far, in the order in which it was looked at.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    fn check(&mut self, rule: &'static Rule, at: &Url, holds: bool, seen: impl Into<String>) {
        let seen = PeerText::new(&seen.into()).to_string();
        self.note(rule, at, holds, seen);
    }

    /// A document that is at none of its places, with what each has instead. Reports are safe to show as they are.
    fn check_nowhere(&mut self, rule: &'static Rule, at: &Url, reasons: Vec<ErrorReport>) {
        let seen: Vec<String> = reasons.iter().map(|reason| reason.without_hint().to_string()).collect();
        self.note(rule, at, false, seen.join("; "));
    }

    fn note(&mut self, rule: &'static Rule, at: &Url, holds: bool, seen: String) {
        let outcome = if holds { Outcome::Passed } else { Outcome::Failed };
        self.checks.push(Check { rule, outcome, at: address::without_query(at).into(), seen: seen.into() });
    }

    fn request(&self, step: &mut Step) -> Option<HttpRequest> {
        Some(match step {
            Step::WithoutToken => self.hello(self.resource.clone()),
            Step::BadToken => {
                let mut request = self.hello(self.resource.clone());
                let value = HeaderValue::from_static("Bearer grantor-diagnosis-not-a-token");
                request.headers.insert(AUTHORIZATION, value);
                request
            }
            Step::QueryToken => {
                let mut url = self.resource.clone();
                url.query_pairs_mut().append_pair("access_token", BAD_TOKEN);
                self.hello(url)
            }
            Step::Preflight => {
                let mut request = HttpRequest::get_json(Exchange::Challenge, self.resource.clone());
                request.method = Method::OPTIONS;
                let asked = HeaderValue::from_static("authorization,content-type,mcp-protocol-version");
                request.headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, asked);
                request.headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
                from_a_page(request)
            }
            Step::Resource(probe) => {
                self.outside(resource_metadata::request(probe.next_url()?, Revision::default()))
            }
            Step::Server(_, probe) => {
                self.outside(server_metadata::request(probe.next_url()?, Revision::default()))
            }
            Step::Token(endpoint) => {
                let form = "grant_type=authorization_code&code=grantor-diagnosis&client_id=grantor-diagnosis\
                            &redirect_uri=http%3A%2F%2F127.0.0.1%2F&code_verifier=grantor-diagnosis";
                let kind = "application/x-www-form-urlencoded";
                self.outside(HttpRequest::post(
                    Exchange::CodeToken,
                    endpoint.clone(),
                    kind,
                    Secret::from(form),
                ))
            }
        })
    }

    fn hello(&self, url: Url) -> HttpRequest {
        from_a_page(log_in::hello(url))
    }

    /// A request to a URL that the server has named.
    fn outside(&self, mut request: HttpRequest) -> HttpRequest {
        request.reach =
            if self.urls.allow_private_hosts { Reach::Anywhere } else { Reach::of(&self.resource) };
        from_a_page(request)
    }

    // The resource.

    fn on_refusal(&mut self, answer: Result<HttpResponse<'_>, &str>) {
        let resource = self.resource.clone();
        let response = match answer {
            Ok(response) => response,
            Err(words) => {
                self.check(&rules::REACHABLE, &resource, false, words);
                self.steps.clear();
                return;
            }
        };
        self.check(&rules::REACHABLE, &resource, true, "");
        self.check_https(&resource);
        let status = response.status;
        // What refuses a message of one revision may take that of another; what knows no POST is something else.
        let is_endpoint = !matches!(status, 404 | 405 | 410 | 501) && !(300..400).contains(&status);
        self.check(&rules::ENDPOINT, &resource, is_endpoint, said(status));
        self.protected = status == 401;
        if is_endpoint {
            self.check(&rules::PROTECTED, &resource, self.protected, said(status));
        }
        let challenged = if self.protected { self.check_challenge(&response) } else { None };
        let places = resource_metadata::candidates(&resource, challenged.as_ref());
        self.steps.push_back(Step::Resource(Box::new(Probe::new(places))));
    }

    fn check_https(&mut self, url: &Url) {
        let plain = url.scheme() != "https";
        self.check(&rules::HTTPS, url, !plain || address::is_loopback(url), url.scheme());
    }

    /// Looks at the challenge; the URL that it names.
    fn check_challenge(&mut self, response: &HttpResponse<'_>) -> Option<Url> {
        let resource = self.resource.clone();
        let (challenges, problem) = Challenges::of(response.headers);
        let bearer = challenges.oauth();
        let schemes: Vec<&str> = challenges.iter().map(|challenge| challenge.scheme()).collect();
        let seen = if schemes.is_empty() { "no WWW-Authenticate".to_owned() } else { schemes.join(", ") };
        self.check(&rules::CHALLENGE, &resource, bearer.is_some(), seen);
        if !challenges.is_empty() || problem.is_some() {
            let words = problem.map(|problem| problem.to_string()).unwrap_or_default();
            self.check(&rules::CHALLENGE_SYNTAX, &resource, problem.is_none(), words);
        }
        let bearer = bearer?;
        let exposed = has(response.headers, ACCESS_CONTROL_EXPOSE_HEADERS, "www-authenticate")
            && response.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN);
        self.check(&rules::CORS_CHALLENGE, &resource, exposed, "");
        self.check(&rules::CHALLENGE_SCOPE, &resource, matches!(bearer.scope(), Ok(Some(_))), "");
        let Some(named) = bearer.resource_metadata() else {
            self.check(&rules::CHALLENGE_METADATA, &resource, false, "no resource_metadata");
            return None;
        };
        match self.urls.parse(named, &resource) {
            Ok(url) => {
                self.check(&rules::CHALLENGE_METADATA, &resource, true, named);
                Some(url)
            }
            Err(problem) => {
                self.check(&rules::CHALLENGE_METADATA, &resource, false, format!("{named} {problem}"));
                None
            }
        }
    }

    fn on_bad_token(&mut self, answer: Option<HttpResponse<'_>>) {
        let Some(response) = answer.filter(|_| self.protected) else { return };
        let resource = self.resource.clone();
        let refused = response.status == 401;
        self.check(&rules::BAD_TOKEN, &resource, refused, said(response.status));
        if refused {
            let (challenges, _) = Challenges::of(response.headers);
            let error = challenges.oauth().and_then(|bearer| bearer.error()).unwrap_or("no error").to_owned();
            self.check(&rules::INVALID_TOKEN, &resource, error == "invalid_token", error);
        }
    }

    fn on_query_token(&mut self, answer: Option<HttpResponse<'_>>) {
        let Some(response) = answer.filter(|_| self.protected) else { return };
        let resource = self.resource.clone();
        self.check(&rules::QUERY_TOKEN, &resource, !response.is_success(), said(response.status));
    }

    fn on_preflight(&mut self, answer: Option<HttpResponse<'_>>) {
        let Some(response) = answer else { return };
        let resource = self.resource.clone();
        let allowed = |name| has(response.headers, ACCESS_CONTROL_ALLOW_HEADERS, name);
        let missing: Vec<&str> = ["authorization", "content-type", "mcp-protocol-version"]
            .into_iter()
            .filter(|name| !allowed(name))
            .collect();
        let origin = response.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN);
        let seen = match origin {
            false => said(response.status),
            true => format!("without {}", missing.join(", ")),
        };
        let accepted = (200..300).contains(&response.status);
        self.check(&rules::CORS, &resource, accepted && origin && missing.is_empty(), seen);
    }

    // Its metadata.

    fn on_resource(&mut self, mut probe: Box<Probe<Candidate>>, answer: Result<HttpResponse<'_>, &str>) {
        let (Some(candidate), Some((asked, redirects))) = (probe.current().cloned(), probe.asked()) else {
            return;
        };
        let (asked, mut findings) = (asked.clone(), Findings::new());
        let exchange = Exchange::ResourceMetadata;
        let read = match &answer {
            Ok(response) => {
                let quirks = Quirks::none();
                resource_metadata::read(&candidate, &asked, redirects, response, &quirks, &mut findings)
            }
            Err(words) => Err(unreached(exchange, words)),
        };
        self.check_place(&candidate, &read);
        if let Err(Error::PeerMisbehaved(error @ PeerMisbehaved::ResourceMismatch { .. })) = &read {
            self.check(&rules::RESOURCE_IDENTITY, &asked, false, error.to_string());
        }
        if let Err(Error::PeerMisbehaved(PeerMisbehaved::NoAuthorizationServers)) = &read {
            self.check(&rules::AUTHORIZATION_SERVERS, &asked, false, "");
        }
        let report = |why| report(exchange, &asked, answer.as_ref().ok(), why);
        let document = probe.take(read.unwrap_or_else(Found::Nothing), report);
        match document {
            Some(document) if !self.found => {
                self.found = true;
                self.scopes = document.scopes_supported.clone().unwrap_or_default();
                self.check(&rules::RESOURCE_METADATA, &asked, true, "");
                self.check(&rules::RESOURCE_IDENTITY, &asked, true, "");
                self.check(&rules::AUTHORIZATION_SERVERS, &asked, true, "");
                self.check_findings(&rules::RESOURCE_DOCUMENT, &asked, &findings);
                self.check_cors(&rules::RESOURCE_CORS, &asked, answer.as_ref().ok());
                self.on_servers(&document, &candidate);
            }
            Some(_) => {}
            None if probe.next_url().is_some() => self.steps.push_front(Step::Resource(probe)),
            None if self.protected && !self.found => {
                self.check_nowhere(&rules::RESOURCE_METADATA, &self.resource.clone(), probe.into_reasons());
            }
            None => {}
        }
    }

    /// Many clients look at the MCP endpoint's own well-known URL, and nowhere else.
    fn check_place(&mut self, candidate: &Candidate, read: &Result<Found<ResourceMetadata>, Error>) {
        let own = resource_metadata::candidates(&self.resource, None).remove(0).url;
        let why = match read {
            Ok(Found::Document(_)) => String::new(),
            Ok(Found::Nothing(why)) | Err(why) => why.to_string(),
            Ok(Found::Redirected(_)) => return,
        };
        if candidate.url == own && (self.protected || why.is_empty()) {
            self.check(&rules::WELL_KNOWN, &own, why.is_empty(), why);
        }
    }

    /// The document is found: on to the authorization servers, and to the place where others look for it.
    fn on_servers(&mut self, document: &ResourceMetadata, candidate: &Candidate) {
        let resource = self.resource.clone();
        if candidate.challenged {
            let own = resource_metadata::candidates(&resource, None);
            let own: Vec<Candidate> =
                own.into_iter().take(1).filter(|own| own.url != candidate.url).collect();
            if !own.is_empty() {
                self.steps.push_back(Step::Resource(Box::new(Probe::new(own))));
            }
        }
        for named in document.authorization_servers.iter().take(SERVERS) {
            let places = Issuer::read(named, &self.urls, &resource)
                .and_then(|issuer| Ok((server_metadata::candidates(&issuer)?, issuer)));
            match places {
                Ok((places, issuer)) => {
                    places.first().into_iter().for_each(|first| self.check_https(first));
                    self.steps.push_back(Step::Server(issuer, Box::new(Probe::new(places))));
                }
                Err(error) => {
                    self.check(&rules::SERVER_METADATA, &resource, false, format!("{named}: {error}"));
                }
            }
        }
    }

    // The authorization server.

    fn on_server(
        &mut self,
        issuer: Issuer,
        mut probe: Box<Probe<Url>>,
        answer: Result<HttpResponse<'_>, &str>,
    ) {
        let Some((asked, redirects)) = probe.asked() else { return };
        let (asked, mut findings) = (asked.clone(), Findings::new());
        let found = match &answer {
            Ok(response) => match self.read_server(&issuer, &asked, redirects, response, &mut findings) {
                Ok(found) => found,
                // A document that no client may use; clients do not look any further.
                Err(error) => {
                    self.check(&rules::SERVER_METADATA, &asked, true, "");
                    let is_other =
                        matches!(error, Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { .. }));
                    let rule = if is_other { &rules::SERVER_IDENTITY } else { &rules::SERVER_USABLE };
                    return self.check(rule, &asked, false, error.to_string());
                }
            },
            Err(words) => Found::Nothing(unreached(Exchange::ServerMetadata, words)),
        };
        let report = |why| report(Exchange::ServerMetadata, &asked, answer.as_ref().ok(), why);
        match (probe.take(found, report), &answer) {
            (Some(document), Ok(response)) => {
                self.check(&rules::SERVER_METADATA, &asked, true, "");
                self.check_server(&asked, &document, response, &findings);
            }
            _ if probe.next_url().is_some() => self.steps.push_front(Step::Server(issuer, probe)),
            _ => self.check_nowhere(&rules::SERVER_METADATA, &asked, probe.into_reasons()),
        }
    }

    /// Reads the document; one that does not name PKCE is told, and read all the same.
    fn read_server(
        &mut self,
        issuer: &Issuer,
        asked: &Url,
        redirects: u8,
        response: &HttpResponse<'_>,
        findings: &mut Findings,
    ) -> Result<Found<ServerMetadata>, Error> {
        let (resource, urls) = (self.resource.clone(), self.urls.clone());
        let read = |quirks: &Quirks, findings: &mut Findings| {
            let grant = GrantType::AuthorizationCode;
            let rules = Rules { urls: &urls, resource: &resource, quirks, grant };
            server_metadata::read(issuer, asked, redirects, response, rules, findings)
        };
        match read(&Quirks::none(), findings) {
            Err(Error::PeerIncompatible(PeerIncompatible::NoPkce { .. })) => {
                self.check(&rules::PKCE, asked, false, "no code_challenge_methods_supported with S256");
                *findings = Findings::new();
                let mut quirks = Quirks::none();
                quirks.pkce_unadvertised = true;
                read(&quirks, findings)
            }
            Ok(Found::Document(document)) => {
                self.check(&rules::PKCE, asked, true, "");
                Ok(Found::Document(document))
            }
            other => other,
        }
    }

    fn check_server(
        &mut self,
        asked: &Url,
        document: &ServerMetadata,
        response: &HttpResponse<'_>,
        findings: &Findings,
    ) {
        self.check(&rules::SERVER_IDENTITY, asked, true, "");
        self.check(&rules::SERVER_USABLE, asked, true, "");
        self.check_findings(&rules::SERVER_DOCUMENT, asked, findings);
        self.check(&rules::ISS, asked, document.iss_parameter_supported, "");
        let cimd = document.client_id_metadata_document_supported;
        let dynamic = document.registration_endpoint.is_some();
        self.check(&rules::REGISTRATION, asked, cimd || dynamic, "");
        self.check(&rules::CLIENT_DOCUMENT, asked, cimd, "");
        self.check(&rules::REFRESH, asked, document.renews_tokens || document.offers_offline_access, "");
        self.check(&rules::REVOCATION, asked, document.revocation_endpoint.is_some(), "");
        self.check_cors(&rules::SERVER_CORS, asked, Some(response));
        self.steps.push_back(Step::Token(document.token_endpoint.clone()));
    }

    fn on_token(&mut self, endpoint: &Url, answer: Option<HttpResponse<'_>>) {
        let Some(response) = answer else {
            return self.check(&rules::TOKEN_ERROR, endpoint, false, "no answer");
        };
        let mut findings = Findings::new();
        let mut reader = Reader::new(Exchange::CodeToken, &mut findings);
        let words = token::error_in(&response, &mut reader, &Quirks::none()).map(|error| error.to_string());
        // A status or a form that is read all the same is a finding.
        let refused = matches!(response.status, 400 | 401) && words.is_some() && findings.is_empty();
        let seen = format!("{}, {}", said(response.status), words.as_deref().unwrap_or("no error in it"));
        self.check(&rules::TOKEN_ERROR, endpoint, refused, seen);
    }

    fn check_findings(&mut self, rule: &'static Rule, at: &Url, findings: &Findings) {
        let seen: Vec<String> = findings.iter().map(|finding| finding.to_string()).collect();
        self.check(rule, at, seen.is_empty(), seen.join("; "));
    }

    fn check_cors(&mut self, rule: &'static Rule, at: &Url, response: Option<&HttpResponse<'_>>) {
        let allowed =
            response.is_some_and(|response| response.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        self.check(rule, at, allowed, "");
    }
}

/// Nothing came back.
fn unreached(exchange: Exchange, words: &str) -> Error {
    EffectError::new(Work::Exchange(exchange), Failure::new(FailureKind::Unreachable, words)).into()
}

/// Why a place did not serve, with what its server said.
fn report(exchange: Exchange, asked: &Url, response: Option<&HttpResponse<'_>>, why: Error) -> ErrorReport {
    let asked = Asked::new(exchange, asked);
    ErrorReport::new(
        why,
        Some(match response {
            Some(response) => asked.answered(response, &Sent::default()),
            None => asked,
        }),
    )
}

/// As a browser sends it from a page of another origin.
fn from_a_page(mut request: HttpRequest) -> HttpRequest {
    request.headers.insert(ORIGIN, HeaderValue::from_static(PAGE));
    request
}

fn said(status: u16) -> String {
    format!("{status}")
}

/// Whether a header is a list with this name in it, or allows everything.
fn has(headers: &HeaderMap, list: HeaderName, name: &str) -> bool {
    let texts = headers.get_all(list).into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|item| {
        let item = item.trim();
        item.eq_ignore_ascii_case(name) || item == "*" && name != "authorization"
    })
}
