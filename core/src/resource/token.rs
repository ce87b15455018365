//! Checking a token: by what is remembered, by its issuer's keys, or by asking.

use std::sync::Arc;

use super::config::Tokens;
use super::grant::{self, FactRules, Grant};
use super::guard::Guard;
use super::output::CheckId;
use super::refusal::TokenProblem;
use super::request::Presented;
use super::server::Server;
use crate::jose::{AccessToken, AccessTokenRules, Claims, ClaimsError, Header, Jws, JwsError};
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

impl<P: Into<TokenProblem>> From<P> for Checked {
    fn from(problem: P) -> Self {
        Self::Invalid(problem.into())
    }
}

impl Guard {
    /// What is remembered of a token.
    pub(super) fn find_token(&self, now: Now, presented: Presented<'_>) -> Option<Checked> {
        let expired = |grant: &Grant| {
            grant.expires_at_s.is_some_and(|at| at.saturating_add(self.options.leeway_s) <= now.unix_s)
        };
        Some(match self.tokens.find(now.mono_ms, presented.token)? {
            Ok(grant) if expired(grant) => ClaimsError::Expired.into(),
            Ok(grant) => Checked::Valid(Arc::clone(grant)),
            Err(problem) => (*problem).into(),
        })
    }

    pub(super) fn check_token(&mut self, now: Now, presented: Presented<'_>) -> Checked {
        if let Some(checked) = self.find_token(now, presented) {
            return checked;
        }
        if presented.token.len() > limits::CREDENTIAL {
            return TokenProblem::TooLarge.into();
        }
        let Ok(token) = presented.text() else { return Checked::Malformed };
        match Jws::parse(token) {
            Ok(jws) => self.check_jws(now, token, &jws).map_or_else(|checked| checked, Checked::Valid),
            // Not a JWT: somebody may know it nevertheless.
            Err(error @ (JwsError::Parts | JwsError::Base64 { .. } | JwsError::Header)) => {
                self.ask(now, token, 0).unwrap_or(error.into())
            }
            Err(error) => error.into(),
        }
    }

    /// A JWT: whose it says it is decides who checks it, and nothing else before its signature is good.
    fn check_jws(&mut self, now: Now, token: &str, jws: &Jws<'_>) -> Result<Arc<Grant>, Checked> {
        let payload = jws.unverified_payload()?;
        let claims = Claims::parse(&payload)?;
        let (index, server) = self.server_of(&claims)?;
        let Tokens::Jwt { algorithms, rfc9068, .. } = &server.config.tokens else {
            return Err(self.ask_one(now, token, index, Vec::new()));
        };
        let algorithm = jws.header().algorithm();
        if !algorithms.contains(&algorithm) {
            return Err(JwsError::AlgorithmForbidden(algorithm).into());
        }
        let Some(keys) = server.keys.as_ref().filter(|keys| keys.usable_until_ms > now.mono_ms) else {
            return Err(self.wait_for_keys(now, index));
        };
        let grant = jws.check_with(&keys.set, algorithms).map(|()| {
            let issuer = &server.config.issuer;
            self.grant_of(jws.header(), &claims, issuer, *rfc9068, now.unix_s)
        });
        if keys.fresh_until_ms <= now.mono_ms {
            self.refresh_keys(now, index);
        }
        if matches!(grant, Err(JwsError::UnknownKey)) {
            // The issuer may have new keys; it is asked, though not for every such token.
            return Err(self.wait_for_new_keys(now, index));
        }
        // Tokens that are no good are not remembered: anybody could fill the memory with them.
        let grant = Arc::new(grant??.with_claims(payload));
        let until_ms = now.mono_ms.saturating_add(self.options.recheck_ms);
        self.tokens.insert(token, Ok(Arc::clone(&grant)), until_ms);
        Ok(grant)
    }

    /// The server that the token says it is from.
    fn server_of(&self, claims: &Claims<'_>) -> Result<(usize, &Server), TokenProblem> {
        let issuer = claims.text("iss")?.ok_or(ClaimsError::Missing { claim: "iss" })?;
        let mut servers = self.servers.iter().enumerate();
        servers.find(|(_, server)| *server.config.issuer == *issuer).ok_or(TokenProblem::UnknownIssuer)
    }

    /// What the claims of a token grant whose signature is good.
    fn grant_of(
        &self,
        header: &Header,
        claims: &Claims<'_>,
        issuer: &str,
        rfc9068: bool,
        unix_s: u64,
    ) -> Result<Grant, ClaimsError> {
        let mut audiences: Vec<&str> = self.audiences.iter().map(|name| &**name).collect();
        let check = |audiences: &[&str]| {
            let leeway_s = self.options.leeway_s;
            let rules = AccessTokenRules { rfc9068, leeway_s, ..AccessTokenRules::new(issuer, audiences) };
            AccessToken::of_claims(header, claims, &rules, unix_s)
        };
        let token = match check(&audiences) {
            // The token may mean this resource under a name that is written in another way.
            Err(ClaimsError::Audience) => {
                let named = claims.audiences()?;
                let ours = |name: &&str| grant::is_ours(name, &self.audiences);
                audiences.extend(named.iter().map(|name| &**name).find(ours));
                check(&audiences)?
            }
            checked => checked?,
        };
        Grant::of_jwt(token, claims, |scopes| self.table.worth(scopes))
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
