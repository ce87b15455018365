//! What comes of a log-in: consent, token, audience, refresh, step-up.

use std::collections::VecDeque;

use http::header::{ACCEPT, CACHE_CONTROL, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::check::{Check, Outcome, Rule};
use super::rules;
use crate::address;
use crate::error::{Exchange, PeerText, Refused};
use crate::finding::Findings;
use crate::jose::base64url;
use crate::quirks::Quirks;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::challenge::{Challenge, Challenges};
use crate::wire::document::Reader;
use crate::wire::token::{Issued, error_in, issued_in};
use crate::wire::{HttpRequest, HttpResponse};

/// The first message to a server.
const HELLO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"grantor","version":"0"}}}"#;

/// An examination of what comes of a log-in with one MCP server. The host takes the steps with an engine of its own, whose
/// exchanges it shows, and says how each step ended.
#[derive(Debug)]
pub struct LogInExamination {
    resource: Url,
    supported: ScopeSet,
    wanted: ScopeSet,
    steps: VecDeque<LogInStep>,
    checks: Vec<Check>,
    /// The last token.
    issued: Option<Issued>,
    /// The scopes of the first one.
    granted: ScopeSet,
}

/// What the host does next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogInStep {
    /// Log in, with the user.
    LogIn,
    /// Send the [request](LogInExamination::request) with the token, once, whatever comes back.
    Ask,
    /// Have the token renewed, without the user.
    Refresh,
    /// Have these challenges answered, with the user.
    StepUp(Challenges),
    /// Give the tokens back.
    LogOut,
}

impl LogInExamination {
    pub(super) fn new(resource: Url, supported: ScopeSet) -> Self {
        let (checks, steps) = (Vec::new(), [LogInStep::LogIn].into());
        let (wanted, granted) = (ScopeSet::default(), ScopeSet::default());
        Self { resource, supported, wanted, steps, checks, issued: None, granted }
    }

    /// The same, with a step-up for these scopes, too: metadata need not name those that few operations need.
    #[must_use]
    pub fn step_up_for(self, scopes: ScopeSet) -> Self {
        Self { wanted: scopes, ..self }
    }

    /// The next step; `None` at the end.
    pub fn next_step(&self) -> Option<&LogInStep> {
        self.steps.front()
    }

    /// The request of [`LogInStep::Ask`].
    pub fn request(&self) -> HttpRequest {
        hello(self.resource.clone())
    }

    /// What was found so far, in the order in which it was looked at.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// An exchange of the engine's has ended so.
    pub fn exchanged(&mut self, exchange: Exchange, at: &Url, response: &HttpResponse<'_>) {
        match exchange {
            Exchange::CodeToken if self.issued.is_none() => self.on_first_token(at, response),
            Exchange::CodeToken => {
                let issued = issued_in(exchange, response, &mut Findings::new());
                self.issued = issued.or(self.issued.take());
            }
            Exchange::RefreshToken => self.on_refreshed(at, response),
            Exchange::Revocation => self.on_revoked(at, response),
            _ => {}
        }
    }

    /// The step is done: with the server's answer, where it was a request; or why it could not be, in words.
    pub fn done(&mut self, done: Result<Option<HttpResponse<'_>>, &str>) {
        let Some(step) = self.steps.pop_front() else { return };
        let resource = self.resource.clone();
        let (held, seen) = (done.is_ok(), done.as_ref().err().copied().unwrap_or_default());
        match step {
            LogInStep::LogIn => {
                self.check(&rules::LOG_IN, &resource, held, seen);
                if held {
                    self.plan();
                }
            }
            LogInStep::Ask => self.on_answer(done),
            LogInStep::Refresh => {
                self.check(&rules::REFRESHED, &resource, held, seen);
                if !held && self.steps.front() == Some(&LogInStep::Ask) {
                    self.steps.pop_front(); // there is no new token to ask with
                }
            }
            LogInStep::StepUp(_) => {
                self.check(&rules::STEP_UP, &resource, held, seen);
                if held {
                    let now = self.issued.as_ref().and_then(|issued| issued.scope.clone());
                    let now = now.unwrap_or_else(|| self.granted.clone());
                    let lost = self.granted.without(&now);
                    let seen = format!("without {lost}");
                    self.check(&rules::STEP_UP_SCOPES, &resource, lost.is_empty(), seen);
                }
            }
            LogInStep::LogOut => {}
        }
    }

    /// What can be looked at with the token that there is.
    fn plan(&mut self) {
        let Some(issued) = &self.issued else { return };
        self.granted = issued.scope.clone().unwrap_or_default();
        self.steps.push_back(LogInStep::Ask);
        if issued.refresh_token.is_some() {
            self.steps.extend([LogInStep::Refresh, LogInStep::Ask]);
        }
        // A server that does not say what it granted has granted what was asked for: the basic scopes.
        let more = match issued.scope {
            Some(_) => self.wanted.union(&self.supported),
            None => self.wanted.clone(),
        };
        let more = more.without(&self.granted);
        if !more.is_empty()
            && let Some(challenges) = demand(&more)
        {
            self.steps.push_back(LogInStep::StepUp(challenges));
        }
        self.steps.push_back(LogInStep::LogOut);
    }

    fn on_first_token(&mut self, at: &Url, response: &HttpResponse<'_>) {
        let mut findings = Findings::new();
        let Some(issued) = issued_in(Exchange::CodeToken, response, &mut findings) else { return };
        let seen: Vec<String> = findings.iter().map(|finding| finding.to_string()).collect();
        self.check(&rules::TOKEN_DOCUMENT, at, seen.is_empty(), seen.join("; "));
        let cached =
            response.headers.get_all(CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
        let cached = cached.collect::<Vec<_>>().join(", ");
        let is_kept_out = cached.to_ascii_lowercase().contains("no-store");
        self.check(&rules::TOKEN_CACHE, at, is_kept_out, format!("Cache-Control: {cached}"));
        self.check(&rules::TOKEN_EXPIRY, at, issued.expires_in_s.is_some(), "no expires_in");
        if let Some(audience) = audience(&issued.access_token) {
            let own = audience.iter().any(|one| is_same(one, &self.resource));
            self.check(&rules::TOKEN_AUDIENCE, at, own, format!("aud: {}", audience.join(", ")));
        }
        self.check(&rules::REFRESH_TOKEN, at, issued.refresh_token.is_some(), "no refresh_token");
        self.issued = Some(issued);
    }

    fn on_refreshed(&mut self, at: &Url, response: &HttpResponse<'_>) {
        let Some(mut now) = issued_in(Exchange::RefreshToken, response, &mut Findings::new()) else { return };
        if let Some(before) = self.issued.take().and_then(|issued| issued.refresh_token) {
            let replaced = now.refresh_token.as_ref().is_some_and(|now| *now != before);
            self.check(&rules::ROTATION, at, replaced, "the same refresh token goes on");
            now.refresh_token.get_or_insert(before);
        }
        self.issued = Some(now);
    }

    /// A server need not be able to revoke tokens of every kind (RFC 7009 2.2.1).
    fn on_revoked(&mut self, at: &Url, response: &HttpResponse<'_>) {
        let mut findings = Findings::new();
        let mut reader = Reader::new(Exchange::Revocation, &mut findings);
        let error = error_in(response, &mut reader, &Quirks::none());
        let is_other_kind = matches!(
            &error,
            Some(Refused::Token { code, .. }) if code.as_str() == "unsupported_token_type"
        );
        let taken = response.status == 200 || is_other_kind;
        self.check(&rules::REVOKED, at, taken, response.status.to_string());
    }

    fn on_answer(&mut self, answer: Result<Option<HttpResponse<'_>>, &str>) {
        let resource = self.resource.clone();
        let response = match answer {
            Ok(Some(response)) => response,
            Ok(None) => return,
            Err(words) => return self.check(&rules::TOKEN_ACCEPTED, &resource, false, words),
        };
        if response.status == 403 {
            let (challenges, _) = Challenges::of(response.headers);
            let bearer = challenges.oauth();
            let says = bearer.is_some_and(|bearer| {
                bearer.is_insufficient_scope() && matches!(bearer.scope(), Ok(Some(_)))
            });
            return self.check(&rules::INSUFFICIENT_SCOPE, &resource, says, "403");
        }
        self.check(&rules::TOKEN_ACCEPTED, &resource, response.status != 401, response.status.to_string());
    }

    fn check(&mut self, rule: &'static Rule, at: &Url, holds: bool, seen: impl Into<String>) {
        let seen = if holds { String::new() } else { PeerText::new(&seen.into()).to_string() };
        let outcome = if holds { Outcome::Passed } else { Outcome::Failed };
        self.checks.push(Check { rule, outcome, at: address::without_query(at).into(), seen: seen.into() });
    }
}

/// The first message to a server.
pub(super) fn hello(url: Url) -> HttpRequest {
    let mut request = HttpRequest::post(Exchange::Challenge, url, "application/json", Secret::from(HELLO));
    let accept = HeaderValue::from_static("application/json, text/event-stream");
    request.headers.insert(ACCEPT, accept);
    request.headers.insert(HeaderName::from_static("mcp-method"), HeaderValue::from_static("initialize"));
    request
}

/// The challenge of a server that demands these scopes.
fn demand(scopes: &ScopeSet) -> Option<Challenges> {
    let challenge = Challenge::new("Bearer").ok()?.param("error", "insufficient_scope").ok()?;
    let mut challenges = Challenges::default();
    challenges.push(challenge.param("scope", &scopes.to_string()).ok()?);
    Some(challenges)
}

/// The audiences of a token that is a JWT. Nothing of it is checked: whether it holds is the server's to say.
fn audience(token: &Secret) -> Option<Vec<String>> {
    let mut parts = token.expose().split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let claims: Value = serde_json::from_slice(&base64url::decode(claims)?).ok()?;
    Some(match claims.as_object()?.get("aud") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    })
}

fn is_same(audience: &str, resource: &Url) -> bool {
    audience.trim_end_matches('/') == resource.as_str().trim_end_matches('/')
}
