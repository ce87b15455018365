//! The plan: what is asked next, and what each answer says.

use std::collections::VecDeque;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HeaderName, HeaderValue,
    ORIGIN,
};
use http::{HeaderMap, Method};
use serde_json::Value;
use url::Url;

use super::check::{Check, Outcome, Rule};
use super::rules;
use crate::address::{self, Reach, UrlPolicy};
use crate::error::{Error, Exchange, PeerIncompatible, PeerMisbehaved, PeerText};
use crate::finding::Findings;
use crate::limits;
use crate::quirks::Quirks;
use crate::revision::Revision;
use crate::secret::Secret;
use crate::wire::challenge::Challenges;
use crate::wire::resource_metadata::{self, Candidate, Found, ResourceMetadata};
use crate::wire::server_metadata::{self, Issuer, Rules, ServerMetadata};
use crate::wire::token::GrantType;
use crate::wire::{HttpRequest, HttpResponse};

/// A token that no server has issued.
const BAD_TOKEN: &str = "grantor-diagnosis-not-a-token";
/// A page of nobody's, for what browsers may do.
const PAGE: &str = "https://client.example";
/// The first message to a server.
const HELLO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"grantor","version":"0"}}}"#;
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
    /// The metadata of the resource, and where it was found.
    document: Option<ResourceMetadata>,
    /// Why the places that were asked did not serve.
    reasons: Vec<String>,
}

/// A request, and what it is about.
#[derive(Clone, Debug)]
enum Step {
    WithoutToken,
    BadToken,
    QueryToken,
    Preflight,
    Resource { candidate: Box<Candidate>, asked: Url, redirects: u8 },
    Server { issuer: Issuer, places: VecDeque<Url>, asked: Url, redirects: u8 },
    Token { endpoint: Url },
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
            document: None,
            reasons: Vec::new(),
        })
    }

    /// The next request; `None` at the end. Send it as it is, without following redirects.
    pub fn next_request(&self) -> Option<HttpRequest> {
        self.steps.front().map(|step| self.request(step))
    }

    /// What came back, or why nothing did, in words.
    pub fn answer(&mut self, answer: Result<HttpResponse<'_>, &str>) {
        let Some(step) = self.steps.pop_front() else { return };
        match step {
            Step::WithoutToken => self.on_refusal(answer),
            Step::BadToken => self.on_bad_token(answer.ok()),
            Step::QueryToken => self.on_query_token(answer.ok()),
            Step::Preflight => self.on_preflight(answer.ok()),
            Step::Resource { candidate, asked, redirects } => {
                self.on_resource(candidate, &asked, redirects, answer);
            }
            Step::Server { issuer, places, asked, redirects } => {
                self.on_server(issuer, places, &asked, redirects, answer);
            }
            Step::Token { endpoint } => self.on_token(&endpoint, answer.ok()),
        }
    }

    /// What was found so far, in the order in which it was looked at.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    fn check(&mut self, rule: &'static Rule, at: &Url, holds: bool, seen: impl Into<String>) {
        let outcome = if holds { Outcome::Passed } else { Outcome::Failed };
        let seen = PeerText::new(&seen.into()).to_string().into();
        self.checks.push(Check { rule, outcome, at: address::without_query(at).into(), seen });
    }

    fn request(&self, step: &Step) -> HttpRequest {
        match step {
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
            Step::Resource { asked, .. } => {
                self.outside(resource_metadata::request(asked.clone(), Revision::default()))
            }
            Step::Server { asked, .. } => {
                self.outside(server_metadata::request(asked.clone(), Revision::default()))
            }
            Step::Token { endpoint } => {
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
        }
    }

    fn hello(&self, url: Url) -> HttpRequest {
        let mut request =
            HttpRequest::post(Exchange::Challenge, url, "application/json", Secret::from(HELLO));
        let accept = HeaderValue::from_static("application/json, text/event-stream");
        request.headers.insert(http::header::ACCEPT, accept);
        request.headers.insert(HeaderName::from_static("mcp-method"), HeaderValue::from_static("initialize"));
        from_a_page(request)
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
        // Those that are looked at after the first one that serves say what other clients find.
        for candidate in resource_metadata::candidates(&resource, challenged.as_ref()) {
            let (asked, candidate) = (candidate.url.clone(), Box::new(candidate));
            self.steps.push_back(Step::Resource { candidate, asked, redirects: 0 });
        }
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

    fn on_resource(
        &mut self,
        candidate: Box<Candidate>,
        asked: &Url,
        redirects: u8,
        answer: Result<HttpResponse<'_>, &str>,
    ) {
        let mut findings = Findings::new();
        let quirks = Quirks::none();
        let read = match &answer {
            Ok(response) => {
                resource_metadata::read(&candidate, asked, redirects, response, &quirks, &mut findings)
            }
            Err(words) => {
                self.reasons.push(format!("{asked}: {words}"));
                return self.end_of_resource();
            }
        };
        match read {
            Ok(Found::Redirected(target)) => {
                self.steps.push_front(Step::Resource { candidate, asked: target, redirects: redirects + 1 });
                return;
            }
            Ok(Found::Document(document)) if self.document.is_none() => {
                self.check(&rules::RESOURCE_METADATA, asked, true, "");
                self.check(&rules::RESOURCE_IDENTITY, asked, true, "");
                self.check(&rules::AUTHORIZATION_SERVERS, asked, true, "");
                self.check_findings(&rules::RESOURCE_DOCUMENT, asked, &findings);
                self.check_cors(&rules::RESOURCE_CORS, asked, answer.as_ref().ok());
                self.check_place(&candidate, "");
                self.document = Some(*document);
            }
            Ok(Found::Document(_)) => self.check_place(&candidate, ""),
            Ok(Found::Nothing(why)) | Err(why) => self.on_no_document(&candidate, asked, &why),
        }
        self.end_of_resource();
    }

    /// A place without the document, or with one that breaks a rule.
    fn on_no_document(&mut self, candidate: &Candidate, asked: &Url, why: &Error) {
        match why {
            Error::PeerMisbehaved(PeerMisbehaved::ResourceMismatch { .. }) => {
                self.check(&rules::RESOURCE_IDENTITY, asked, false, why.to_string());
            }
            Error::PeerMisbehaved(PeerMisbehaved::NoAuthorizationServers) => {
                self.check(&rules::AUTHORIZATION_SERVERS, asked, false, "");
            }
            _ => {}
        }
        self.check_place(candidate, &why.to_string());
        self.reasons.push(format!("{}: {why}", address::without_query(asked)));
    }

    /// Many look at the MCP endpoint's own well-known URL, and nowhere else.
    fn check_place(&mut self, candidate: &Candidate, why_not: &str) {
        let own = resource_metadata::candidates(&self.resource, None).remove(0).url;
        if candidate.url == own && (self.protected || why_not.is_empty()) {
            self.check(&rules::WELL_KNOWN, &own, why_not.is_empty(), why_not);
        }
    }

    /// When all places were asked: on to the authorization servers.
    fn end_of_resource(&mut self) {
        if self.steps.iter().any(|step| matches!(step, Step::Resource { .. })) {
            return;
        }
        let resource = self.resource.clone();
        let Some(document) = self.document.clone() else {
            let open = !self.protected;
            let reasons = std::mem::take(&mut self.reasons).join("; ");
            if !open {
                self.check(&rules::RESOURCE_METADATA, &resource, false, reasons);
            }
            return;
        };
        for named in document.authorization_servers.iter().take(SERVERS) {
            match Issuer::read(named, &self.urls, &resource) {
                Ok(issuer) => self.look_for_server(issuer),
                Err(error) => {
                    self.check(&rules::SERVER_METADATA, &resource, false, format!("{named}: {error}"));
                }
            }
        }
    }

    // The authorization server.

    fn look_for_server(&mut self, issuer: Issuer) {
        let mut places: VecDeque<Url> = server_metadata::candidates(&issuer).unwrap_or_default().into();
        if let Some(asked) = places.pop_front() {
            self.check_https(&asked);
            self.steps.push_back(Step::Server { issuer, places, asked, redirects: 0 });
        }
    }

    fn on_server(
        &mut self,
        issuer: Issuer,
        mut places: VecDeque<Url>,
        asked: &Url,
        redirects: u8,
        answer: Result<HttpResponse<'_>, &str>,
    ) {
        let words = match &answer {
            Ok(response) => {
                let mut findings = Findings::new();
                match self.read_server(&issuer, asked, redirects, response, &mut findings) {
                    Ok(Found::Redirected(target)) => {
                        let redirects = redirects + 1;
                        self.steps.push_front(Step::Server { issuer, places, asked: target, redirects });
                        return;
                    }
                    Ok(Found::Document(document)) => {
                        self.check(&rules::SERVER_METADATA, asked, true, "");
                        self.check_server(asked, &document, response, &findings);
                        return;
                    }
                    Ok(Found::Nothing(why)) => why.to_string(),
                    // A document that no client may use; clients do not look any further.
                    Err(error) => {
                        self.check(&rules::SERVER_METADATA, asked, true, "");
                        let rule = match &error {
                            Error::PeerMisbehaved(PeerMisbehaved::IssuerMismatch { .. }) => {
                                &rules::SERVER_IDENTITY
                            }
                            _ => &rules::SERVER_USABLE,
                        };
                        return self.check(rule, asked, false, error.to_string());
                    }
                }
            }
            Err(words) => (*words).to_owned(),
        };
        self.reasons.push(format!("{}: {words}", address::without_query(asked)));
        match places.pop_front() {
            Some(next) => self.steps.push_front(Step::Server { issuer, places, asked: next, redirects: 0 }),
            None => {
                let reasons = std::mem::take(&mut self.reasons).join("; ");
                self.check(&rules::SERVER_METADATA, asked, false, reasons);
            }
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
        // RFC 8414 2: without the member, the authorization code and implicit grants.
        let grants: Value = serde_json::from_slice::<Value>(response.body).unwrap_or_default();
        let renews = grants
            .get("grant_types_supported")
            .and_then(Value::as_array)
            .is_some_and(|grants| grants.iter().any(|grant| grant == "refresh_token"));
        self.check(&rules::REFRESH, asked, renews || document.offers_offline_access, "");
        self.check(&rules::REVOCATION, asked, document.revocation_endpoint.is_some(), "");
        self.check_cors(&rules::SERVER_CORS, asked, Some(response));
        self.steps.push_back(Step::Token { endpoint: document.token_endpoint.clone() });
    }

    fn on_token(&mut self, endpoint: &Url, answer: Option<HttpResponse<'_>>) {
        let Some(response) = answer else {
            return self.check(&rules::TOKEN_ERROR, endpoint, false, "no answer");
        };
        let body = response.body.get(..response.body.len().min(limits::DOCUMENT_BODY)).unwrap_or_default();
        let error = serde_json::from_slice::<Value>(body)
            .ok()
            .and_then(|body| body.get("error")?.as_str().map(str::to_owned));
        let refused = matches!(response.status, 400 | 401) && error.is_some();
        let seen = format!("{}, {}", said(response.status), error.as_deref().unwrap_or("no error in it"));
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
