//! A grant: tokens, and all that renewing them takes.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::client::output::Credentials;
use crate::client::state::record::Subject;
use crate::client::state::server::Server;
use crate::client::state::signing::Dpop;
use crate::client::state::user::User;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::token::{Issued, TokenType};

/// What an authorization server granted, to whom, and for what.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// Who granted it, and to which client.
    pub(crate) server: Server,
    /// The `resource` parameter that was sent.
    pub(crate) resource: Option<Box<str>>,
    pub(crate) tokens: Tokens,
    /// The key that the tokens are bound to (RFC 9449).
    pub(crate) dpop: Option<Arc<Dpop>>,
    pub(crate) user: Option<Box<User>>,
    /// What the enterprise's sign-on brought.
    pub(crate) subject: Option<Subject>,
    /// What was granted of a rich authorization request (RFC 9396 7).
    pub(crate) authorization_details: Option<Box<str>>,
    /// The scopes that the server said it granted; `None` when it granted what was asked for.
    pub(crate) granted: Option<ScopeSet>,
    /// The scopes that were asked for.
    pub(crate) requested: ScopeSet,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    /// `None` when it is known to be of no use any more.
    pub(crate) access: Option<AccessToken>,
    /// Seconds since 1970.
    pub(crate) expires_at: Option<u64>,
    /// The same on the monotonic clock of this engine, when the token was issued to it.
    pub(crate) expires_mono_ms: Option<u64>,
    pub(crate) lifetime_s: Option<u64>,
    pub(crate) refresh: Option<Secret>,
}

/// Whether a token can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    Fresh,
    /// Valid still, but to be renewed now.
    Expiring,
    Expired,
}

impl Tokens {
    pub(crate) fn issued(issued: &Issued, now: Now) -> Self {
        let lifetime_s = issued.expires_in_s;
        Self {
            access: AccessToken::new(issued.access_token.expose(), issued.token_type),
            expires_at: lifetime_s.map(|s| now.unix_s.saturating_add(s)),
            expires_mono_ms: lifetime_s.map(|s| now.mono_ms.saturating_add(s.saturating_mul(1000))),
            lifetime_s,
            refresh: issued.refresh_token.clone(),
        }
    }

    /// How fresh the access token is, when it counts as expiring `early_s` before its end, but at most a
    /// tenth of its lifetime.
    pub(crate) fn freshness(&self, now: Now, early_s: u32) -> Freshness {
        if self.access.is_none() {
            return Freshness::Expired;
        }
        let by_wall = self.expires_at.map(|at| at.saturating_sub(now.unix_s));
        let by_mono = self.expires_mono_ms.map(|at| at.saturating_sub(now.mono_ms) / 1000);
        let Some(left_s) = by_wall.into_iter().chain(by_mono).min() else { return Freshness::Fresh };
        let early_s = u64::from(early_s).min(self.lifetime_s.unwrap_or(u64::MAX) / 10);
        if left_s == 0 {
            Freshness::Expired
        } else if left_s <= early_s {
            Freshness::Expiring
        } else {
            Freshness::Fresh
        }
    }
}

impl Grant {
    /// The scopes of the token as far as anyone knows.
    pub(crate) fn effective_scopes(&self) -> &ScopeSet {
        self.granted.as_ref().unwrap_or(&self.requested)
    }

    /// Takes over a refreshed token. Without a new refresh token the old one stays (RFC 6749 6), and
    /// without a scope the granted ones do.
    pub(crate) fn renewed(&self, issued: &Issued, now: Now) -> Self {
        let mut tokens = Tokens::issued(issued, now);
        tokens.refresh = tokens.refresh.or_else(|| self.tokens.refresh.clone());
        Self {
            tokens,
            granted: issued.scope.clone().or_else(|| self.granted.clone()),
            dpop: self.dpop.clone().filter(|_| issued.token_type == TokenType::Dpop),
            authorization_details: issued
                .authorization_details
                .clone()
                .or_else(|| self.authorization_details.clone()),
            ..self.clone()
        }
    }

    /// What stays when the server took the grant back: what to ask for next time.
    pub(crate) fn revoked(&self) -> Self {
        Self { tokens: Tokens::default(), ..self.clone() }
    }
}

/// An access token, as the header that carries it: made once, shared by all requests, wiped after the
/// last of them.
#[derive(Clone, Debug)]
pub(crate) struct AccessToken {
    credentials: Credentials,
    scheme: &'static str,
}

impl AccessToken {
    /// `None` for a token that no header may carry.
    pub(crate) fn new(token: &str, token_type: TokenType) -> Option<Self> {
        let scheme = match token_type {
            TokenType::Bearer => "Bearer ",
            TokenType::Dpop => "DPoP ",
        };
        let mut text = Zeroizing::new(Vec::with_capacity(scheme.len() + token.len()));
        text.extend_from_slice(scheme.as_bytes());
        text.extend_from_slice(token.as_bytes());
        let mut header = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).ok()?;
        header.set_sensitive(true);
        Some(Self { credentials: Credentials::new(header), scheme })
    }

    pub(crate) fn expose(&self) -> &str {
        let header = self.credentials.authorization().and_then(|header| header.to_str().ok());
        header.and_then(|text| text.strip_prefix(self.scheme)).unwrap_or_default()
    }

    pub(crate) fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(expires_in_s: Option<u64>, now: Now) -> Tokens {
        let issued = Issued {
            access_token: Secret::from("t"),
            token_type: TokenType::Bearer,
            id_token: None,
            authorization_details: None,
            expires_in_s,
            refresh_token: None,
            scope: None,
        };
        Tokens::issued(&issued, now)
    }

    #[test]
    fn expiry_is_absolute_and_early() {
        let start = Now::new(5_000, 1_000_000);
        let tokens = tokens(Some(3600), start);
        let after = |s: u64| tokens.freshness(start.plus_ms(s * 1000), 60);
        assert_eq!(after(0), Freshness::Fresh);
        assert_eq!(after(3539), Freshness::Fresh);
        assert_eq!(after(3540), Freshness::Expiring);
        assert_eq!(after(3600), Freshness::Expired);
    }

    #[test]
    fn short_lifetimes_are_not_all_expiring() {
        let start = Now::new(0, 0);
        assert_eq!(tokens(Some(30), start).freshness(start, 60), Freshness::Fresh);
        assert_eq!(tokens(Some(30), start).freshness(start.plus_ms(27_000), 60), Freshness::Expiring);
        assert_eq!(tokens(Some(0), start).freshness(start, 60), Freshness::Expired);
        assert_eq!(tokens(None, start).freshness(Now::new(u64::MAX, u64::MAX), 60), Freshness::Fresh);
    }

    #[test]
    fn either_clock_can_say_expired() {
        let start = Now::new(1_000_000, 1_000_000);
        let tokens = tokens(Some(3600), start);
        assert_eq!(tokens.freshness(Now::new(1_000_000, 1_003_600), 60), Freshness::Expired, "slept");
        assert_eq!(tokens.freshness(Now::new(4_600_000, 0), 60), Freshness::Expired, "clock set back");
    }

    #[test]
    fn access_tokens_hide() {
        let token = AccessToken::new("planted", TokenType::Bearer).unwrap();
        assert!(!format!("{token:?} {:?}", token.credentials()).contains("planted"));
        assert_eq!(token.expose(), "planted");
        assert!(AccessToken::new("a\nb", TokenType::Dpop).is_none());
    }
}
