//! Checking a token: by what is remembered, by its issuer's keys, or by asking.

use std::sync::Arc;

use super::config::{AudienceClaim, Tokens};
use super::grant::{self, FactRules, Grant};
use super::guard::Guard;
use super::output::{CheckId, Notice};
use super::refusal::TokenProblem;
use super::request::Presented;
use super::server::{Doubt, Server};
use crate::error::PeerText;
use crate::jose::{
    AccessToken, AccessTokenRules, Claims, ClaimsError, Header, Jws, JwsError, decode_base64url,
};
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

/// A token whose signature and claims are good.
pub(super) struct Signed<'r> {
    token: &'r str,
    server: usize,
    grant: Arc<Grant>,
}

/// Why a token is not verified, or not yet.
pub(super) enum Unverified {
    Refused(Checked),
    /// None that is checked by keys: whoever is asked about tokens may know it.
    Foreign,
    NoKeys(usize),
    UnknownKey(usize, Option<Box<str>>),
    /// The keys may have been replaced.
    WrongKey(usize, JwsError),
}

impl<P: Into<TokenProblem>> From<P> for Unverified {
    fn from(problem: P) -> Self {
        Self::Refused(problem.into().into())
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
            Err(Some(problem)) => (*problem).into(),
            Err(None) => Checked::Unavailable { retry_after_s: 1 },
        })
    }

    pub(super) fn check_token(&mut self, now: Now, presented: Presented<'_>) -> Checked {
        if let Some(checked) = self.find_token(now, presented) {
            return checked;
        }
        let Ok(token) = presented.text() else { return Checked::Malformed };
        match self.verify(now, presented) {
            Ok(signed) => Checked::Valid(self.remember(now, signed)),
            Err(Unverified::Refused(checked)) => checked,
            Err(Unverified::Foreign) => self.ask(now, token),
            Err(Unverified::NoKeys(index)) => self.wait_for_keys(now, index),
            Err(Unverified::WrongKey(index, error)) => self.wait_for_replaced_keys(now, index, error),
            // The issuer may have new keys; it is asked, though not for every such token.
            Err(Unverified::UnknownKey(index, kid)) => self.wait_for_new_keys(now, index, kid.as_deref()),
        }
    }

    /// Remembers a token that was verified. Those that are no good are not remembered: anybody could fill the
    /// memory with them.
    pub(super) fn remember(&mut self, now: Now, signed: Signed<'_>) -> Arc<Grant> {
        let Signed { token, server: index, grant } = signed;
        let until_ms = now.mono_ms.saturating_add(self.options.recheck_ms);
        self.tokens.insert(token, Ok(Arc::clone(&grant)), until_ms);
        let keys = self.servers.get(index).and_then(|server| server.keys.as_ref());
        if keys.is_some_and(|keys| keys.fresh_until_ms <= now.mono_ms) {
            self.refresh_keys(now, index);
        }
        grant
    }

    /// Verifies a token by what is there.
    pub(super) fn verify<'r>(&self, now: Now, presented: Presented<'r>) -> Result<Signed<'r>, Unverified> {
        if presented.token.len() > limits::CREDENTIAL {
            return Err(TokenProblem::TooLarge.into());
        }
        let verified = match std::str::from_utf8(presented.token) {
            Ok(token) => self.verify_jwt(now, token),
            Err(_) => Err(Unverified::Refused(Checked::Malformed)),
        };
        // What is verified is made of the right letters; of all else it has to be looked at.
        match verified {
            Err(_) if presented.text().is_err() => Err(Unverified::Refused(Checked::Malformed)),
            verified => verified,
        }
    }

    fn verify_jwt<'r>(&self, now: Now, token: &'r str) -> Result<Signed<'r>, Unverified> {
        let jws = Jws::parse(token).map_err(|error| match error {
            // Nobody accepts these: not signed, or by whoever sent it; two readers may read two headers.
            JwsError::AlgorithmNone | JwsError::EmbeddedKey | JwsError::HeaderRepeated => error.into(),
            // No JWT, or one that no public key checks.
            error => self.foreign(error),
        })?;
        let payload = jws.unverified_payload().map_err(|error| self.foreign(error))?;
        let claims = Claims::parse(&payload).map_err(|error| self.foreign(error))?;
        // Whose it says it is decides who checks it, and nothing else before its signature is good.
        let named = claims.text("iss").and_then(|issuer| issuer.ok_or(ClaimsError::Missing { claim: "iss" }));
        let named = named.map_err(|error| self.foreign(error))?;
        let mut servers = self.servers.iter().enumerate();
        let own = servers.find(|(_, server)| !server.is_asked() && server.is_named(&named));
        let (index, server) = own.ok_or_else(|| self.foreign(TokenProblem::UnknownIssuer))?;
        let Tokens::Jwt { algorithms, rfc9068, .. } = &server.config.tokens else {
            return Err(TokenProblem::UnknownIssuer.into());
        };
        let algorithm = jws.header().algorithm();
        if !algorithms.contains(&algorithm) {
            let error = JwsError::AlgorithmForbidden(algorithm);
            let both = self.servers.iter().any(|server| server.is_asked() && server.is_named(&named));
            return Err(if both { self.foreign(error) } else { error.into() });
        }
        let keys = server.keys.as_ref().filter(|keys| keys.usable_until_ms > now.mono_ms);
        let keys = keys.ok_or(Unverified::NoKeys(index))?;
        jws.check_with(&keys.set, algorithms).map_err(|error| match error {
            JwsError::UnknownKey => Unverified::UnknownKey(index, jws.header().kid().map(Into::into)),
            JwsError::Signature | JwsError::KeyAlgorithm if server.doubt(now.mono_ms) != Doubt::None => {
                Unverified::WrongKey(index, error)
            }
            error => error.into(),
        })?;
        let grant = self.grant_of(jws.header(), &claims, server, &named, *rfc9068, now.unix_s)?;
        Ok(Signed { token, server: index, grant: Arc::new(grant.with_claims(payload)) })
    }

    /// A token that no server with keys has made: for those that are asked about tokens, if there are any.
    fn foreign(&self, problem: impl Into<TokenProblem>) -> Unverified {
        if self.servers.iter().any(Server::is_asked) { Unverified::Foreign } else { problem.into().into() }
    }

    /// What the claims of a token grant whose signature is good.
    fn grant_of(
        &self,
        header: &Header,
        claims: &Claims<'_>,
        server: &Server,
        issuer: &str,
        rfc9068: bool,
        unix_s: u64,
    ) -> Result<Grant, ClaimsError> {
        let rules = AccessTokenRules {
            rfc9068,
            leeway_s: self.options.leeway_s,
            audience_claim: server.config.audience_claim.as_ref().map(AudienceClaim::parts),
            scope_claims: &server.config.scope_claims,
            ..AccessTokenRules::new(issuer, &[])
        };
        let ours = &server.audiences;
        let exactly = |audience: &str| ours.iter().any(|own| **own == *audience);
        let token = match AccessToken::of_claims(header, claims, &rules, exactly, unix_s) {
            // The token may mean this resource under a name that is written in another way.
            Err(ClaimsError::Audience) => {
                let alike = |audience: &str| grant::is_ours(audience, ours);
                AccessToken::of_claims(header, claims, &rules, alike, unix_s)?
            }
            checked => checked?,
        };
        let grant = Grant::of_jwt(token, claims, |scopes| self.table.worth(scopes))?;
        // A server with several names is one issuer of subjects.
        Ok(if *issuer == *server.config.issuer { grant } else { grant.by(&server.config.issuer) })
    }

    /// Asks those who are asked about tokens: the one that the token names, or else all.
    fn ask(&mut self, now: Now, token: &str) -> Checked {
        let asked = || self.servers.iter().enumerate().filter(|(_, server)| server.is_asked());
        let issuer = said_issuer(token);
        let named = asked().find(|(_, server)| issuer.as_deref().is_some_and(|name| server.is_named(name)));
        let servers = match named {
            Some((index, _)) => vec![index],
            None => asked().map(|(index, _)| index).collect(),
        };
        self.ask_these(now, token, servers)
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
            server: &server.config,
            audiences: &server.audiences,
            audience_demanded,
            leeway_s: self.options.leeway_s,
            unix_s: now.unix_s,
        };
        let outcome = match facts {
            Some(json) => Grant::of_facts(json, &rules, |scopes| self.table.worth(scopes))
                .map(Arc::new)
                .map_err(|error| Some(error.into())),
            None => Err(Some(TokenProblem::Inactive)),
        };
        if let (Err(Some(problem)), Some(json)) = (&outcome, facts)
            && let Some(mismatch) = self.mismatch(*problem, json, token)
        {
            let issuer = PeerText::new(&server.config.issuer);
            self.notice(Notice::TokenMismatch { issuer, mismatch: Box::new(mismatch) });
        }
        let seconds = if outcome.is_ok() { cache_s } else { cache_s.min(limits::INACTIVE_CACHE_S) };
        let until_ms = now.mono_ms.saturating_add(seconds.max(1).saturating_mul(1000));
        self.tokens.insert(token, outcome, until_ms);
    }
}

/// Whose token it says it is, if it is a JWT of any kind; nothing else is looked at.
fn said_issuer(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let payload = decode_base64url(payload)?;
    let claims = Claims::parse(&payload).ok()?;
    claims.text("iss").ok()?.map(Into::into)
}
