//! Checking a token: by what is remembered, by its issuer's keys, or by asking.

use std::sync::Arc;

use super::cache::Outcome;
use super::config::Tokens;
use super::grant::{self, FactRules, Grant};
use super::guard::Guard;
use super::output::CheckId;
use super::refusal::TokenProblem;
use super::request::Presented;
use super::server::Server;
use crate::jose::{AccessToken, AccessTokenRules, ClaimsError, Jws, JwsError};
use crate::limits;
use crate::time::Now;

/// What is found out about a token.
pub(super) enum Checked {
    Valid(Arc<Grant>),
    Invalid(TokenProblem),
    Malformed,
    Wait(CheckId),
    Unavailable { retry_after_s: u32 },
}

impl From<Result<Arc<Grant>, TokenProblem>> for Checked {
    fn from(outcome: Outcome) -> Self {
        outcome.map_or_else(Self::Invalid, Self::Valid)
    }
}

impl Guard {
    pub(super) fn check_token(&mut self, now: Now, presented: Presented<'_>) -> Checked {
        if let Some(outcome) = self.tokens.find(now.mono_ms, presented.token) {
            let expired = |grant: &Arc<Grant>| {
                grant.expires_at_s.is_some_and(|at| at.saturating_add(self.options.leeway_s) <= now.unix_s)
            };
            return match outcome {
                Ok(grant) if expired(grant) => Checked::Invalid(ClaimsError::Expired.into()),
                Ok(grant) => Checked::Valid(Arc::clone(grant)),
                Err(problem) => Checked::Invalid(*problem),
            };
        }
        if presented.token.len() > limits::CREDENTIAL {
            return Checked::Invalid(TokenProblem::TooLarge);
        }
        let Ok(token) = presented.text() else { return Checked::Malformed };
        match Jws::parse(token) {
            Ok(jws) => self.check_jws(now, token, jws),
            // Not a JWT: somebody may know it nevertheless.
            Err(error @ (JwsError::Parts | JwsError::Base64 { .. } | JwsError::Header)) => {
                self.ask(now, token, 0).unwrap_or(Checked::Invalid(error.into()))
            }
            Err(error) => Checked::Invalid(error.into()),
        }
    }

    /// A JWT: whose it says it is decides who checks it, and nothing else before its signature is good.
    fn check_jws(&mut self, now: Now, token: &str, jws: Jws<'_>) -> Checked {
        let payload = match jws.unverified_payload() {
            Ok(payload) => payload,
            Err(error) => return Checked::Invalid(error.into()),
        };
        let claims = match crate::jose::Claims::parse(&payload) {
            Ok(claims) => claims,
            Err(error) => return Checked::Invalid(error.into()),
        };
        let issuer = match claims.text("iss") {
            Ok(issuer) => issuer,
            Err(error) => return Checked::Invalid(error.into()),
        };
        let named = self.servers.iter().position(|server| issuer.as_deref() == Some(&*server.config.issuer));
        let Some(index) = named else {
            let unknown = TokenProblem::UnknownIssuer;
            return Checked::Invalid(if issuer.is_none() {
                ClaimsError::Missing { claim: "iss" }.into()
            } else {
                unknown
            });
        };
        let is_jwt =
            self.servers.get(index).is_some_and(|server| matches!(server.config.tokens, Tokens::Jwt { .. }));
        if !is_jwt {
            return self.ask_one(now, token, index, Vec::new());
        }
        // The name under which the token means this resource, should it be written in another way.
        let other = match claims.audiences() {
            Ok(audiences) => {
                let known = |name: &str| self.audiences.iter().any(|own| **own == *name);
                if audiences.iter().any(|audience| known(audience)) {
                    None
                } else {
                    audiences.into_iter().find(|audience| grant::is_ours(audience, &self.audiences))
                }
            }
            Err(error) => return Checked::Invalid(error.into()),
        };
        drop(issuer);
        let other = other.map(std::borrow::Cow::into_owned);
        self.check_jwt(now, token, jws, index, other.as_deref())
    }

    fn check_jwt(
        &mut self,
        now: Now,
        token: &str,
        jws: Jws<'_>,
        index: usize,
        audience: Option<&str>,
    ) -> Checked {
        let Some(server) = self.servers.get(index) else {
            return Checked::Invalid(TokenProblem::UnknownIssuer);
        };
        let Tokens::Jwt { algorithms, rfc9068, .. } = &server.config.tokens else {
            return Checked::Invalid(TokenProblem::UnknownIssuer);
        };
        let algorithm = jws.header().algorithm();
        if !algorithms.contains(&algorithm) {
            return Checked::Invalid(JwsError::AlgorithmForbidden(algorithm).into());
        }
        let Some(keys) = server.keys.as_ref().filter(|keys| keys.usable_until_ms > now.mono_ms) else {
            return self.wait_for_keys(now, index);
        };
        let stale = keys.fresh_until_ms <= now.mono_ms;
        let rfc9068 = *rfc9068;
        let verified = jws.verify_with(&keys.set, algorithms);
        if stale {
            self.refresh_keys(now, index);
        }
        let outcome = match verified {
            Ok(trusted) => {
                let Some(server) = self.servers.get(index) else {
                    return Checked::Invalid(TokenProblem::UnknownIssuer);
                };
                let audiences: Vec<&str> =
                    self.audiences.iter().map(|name| &**name).chain(audience).collect();
                let rules = AccessTokenRules {
                    rfc9068,
                    leeway_s: self.options.leeway_s,
                    ..AccessTokenRules::new(&server.config.issuer, &audiences)
                };
                AccessToken::check(trusted, &rules, now.unix_s)
                    .and_then(|token| Grant::of_jwt(token, |scopes| self.table.worth(scopes)))
                    .map(Arc::new)
            }
            // The issuer may have new keys; it is asked, though not for every such token.
            Err(JwsError::UnknownKey) => return self.wait_for_new_keys(now, index),
            Err(error) => return Checked::Invalid(error.into()),
        };
        // Tokens that are no good are not remembered: anybody could fill the memory with them.
        if let Ok(grant) = &outcome {
            let until_ms = now.mono_ms.saturating_add(self.options.recheck_ms);
            self.tokens.insert(token, Ok(Arc::clone(grant)), until_ms);
        }
        outcome.map_err(TokenProblem::from).into()
    }

    /// Asks whoever is to be asked about tokens that are no JWT, from this server on; `None` when there is
    /// nobody.
    pub(super) fn ask(&mut self, now: Now, token: &str, from: usize) -> Option<Checked> {
        let asked = |server: &Server| !matches!(server.config.tokens, Tokens::Jwt { .. });
        let mut those = self.servers.iter().enumerate().skip(from).filter(|(_, server)| asked(server));
        let (first, _) = those.next()?;
        // Only when all say no, it is not valid.
        let paused = |server: &&Server| asked(server) && server.paused_until_ms > now.mono_ms;
        if let Some(server) = self.servers.iter().skip(from).find(paused) {
            return Some(Checked::Unavailable { retry_after_s: server.pause_s(now.mono_ms) });
        }
        let rest = those.map(|(index, _)| index).collect();
        Some(self.ask_one(now, token, first, rest))
    }

    /// Takes in what a server or the host says of a token.
    pub(super) fn learn(&mut self, now: Now, index: usize, token: &str, facts: Option<&[u8]>) {
        let Some(server) = self.servers.get(index) else { return };
        let (audience_demanded, cache_s) = match server.config.tokens {
            Tokens::Introspection { audience_demanded, cache_s, .. } => (audience_demanded, cache_s),
            Tokens::Host { audience_demanded, cache_s } => (audience_demanded, cache_s),
            Tokens::Jwt { .. } => return,
        };
        let rules = FactRules {
            issuer: &server.config.issuer,
            audiences: &self.audiences,
            audience_demanded,
            leeway_s: self.options.leeway_s,
            unix_s: now.unix_s,
        };
        let outcome = match facts {
            Some(json) => Grant::of_facts(json, &rules, |scopes| self.table.worth(scopes))
                .map(Arc::new)
                .map_err(TokenProblem::from),
            None => Err(TokenProblem::Inactive),
        };
        let seconds = if outcome.is_ok() { cache_s } else { cache_s.min(limits::INACTIVE_CACHE_S) };
        let until_ms = now.mono_ms.saturating_add(seconds.max(1).saturating_mul(1000));
        self.tokens.insert(token, outcome, until_ms);
    }
}
