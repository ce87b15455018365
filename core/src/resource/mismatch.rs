//! What a token names in place of what it should.

use std::fmt;

use super::guard::Guard;
use super::refusal::TokenProblem;
use crate::error::PeerText;
use crate::jose::{Claims, ClaimsError, decode_base64url};
use crate::secret::Secret;

/// A token for another resource, or from another issuer: both names, cleaned and cut off, for a log. What the
/// token names is what it says of itself; nobody has vouched for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// `aud` or `iss`.
    pub claim: &'static str,
    /// What the token names; empty when it names nothing.
    pub named: Vec<PeerText>,
    /// What would be accepted.
    pub expected: Vec<PeerText>,
}

/// Names that are told of each side.
const NAMES: usize = 4;

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[PeerText]| names.iter().map(PeerText::as_str).collect::<Vec<_>>().join(", ");
        let (claim, expected) = (self.claim, list(&self.expected));
        match self.named.as_slice() {
            [] => write!(f, "`{claim}` is missing; it should be {expected}"),
            named => write!(f, "`{claim}` is {}; it should be {expected}", list(named)),
        }
    }
}

impl Guard {
    /// What a signed token names that was refused for its audience or issuer.
    pub(super) fn mismatch_of_token(&self, problem: TokenProblem, token: &[u8]) -> Option<Mismatch> {
        if !is_of_names(problem) {
            return None;
        }
        let token = std::str::from_utf8(token).ok()?;
        let payload = decode_base64url(token.split('.').nth(1)?)?;
        self.mismatch(problem, &payload, token)
    }

    /// The same by the claims themselves.
    pub(super) fn mismatch(&self, problem: TokenProblem, claims: &[u8], token: &str) -> Option<Mismatch> {
        let claims = Claims::parse(claims).ok()?;
        let token = [&Secret::from(token)];
        let clean = |name: &str| PeerText::without(name, &token);
        let issuer = claims.text("iss").ok().flatten();
        if is_of_issuer(problem) {
            let expected = self.servers.iter().map(|server| PeerText::new(&server.config.issuer));
            let named = issuer.iter().map(|issuer| clean(issuer)).collect();
            return Some(Mismatch { claim: "iss", named, expected: expected.take(NAMES).collect() });
        }
        if !is_of_names(problem) {
            return None;
        }
        let own = |issuer: &str| self.servers.iter().find(|server| server.is_named(issuer));
        let server = issuer.as_deref().and_then(own).or(self.servers.first())?;
        let named = claims.audiences().unwrap_or_default();
        Some(Mismatch {
            claim: "aud",
            named: named.iter().take(NAMES).map(|name| clean(name)).collect(),
            expected: server.audiences.iter().take(NAMES).map(|name| PeerText::new(name)).collect(),
        })
    }
}

fn is_of_issuer(problem: TokenProblem) -> bool {
    matches!(problem, TokenProblem::UnknownIssuer | TokenProblem::Claims(ClaimsError::Issuer))
}

fn is_of_names(problem: TokenProblem) -> bool {
    let of_audience = matches!(
        problem,
        TokenProblem::Claims(ClaimsError::Audience | ClaimsError::Missing { claim: "aud" })
    );
    of_audience || is_of_issuer(problem)
}
