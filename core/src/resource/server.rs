//! What is known of an authorization server: its metadata and its keys, and how long that counts.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use url::Url;

use super::config::{AuthorizationServer, Tokens};
use super::missing_key::MissingKey;
use super::output::CheckId;
use crate::address::{Reach, UrlPolicy};
use crate::error::{Error, Exchange, PeerIncompatible, PeerMisbehaved, PeerText, Refused};
use crate::finding::{Findings, Problem};
use crate::jose::KeySet;
use crate::limits;
use crate::wire::document::{Reader, members};
use crate::wire::freshness::fresh_ms;
use crate::wire::http::HttpResponse;
use crate::wire::server_metadata::Issuer;
use crate::wire::well_known::{self, Found, Status};

/// An authorization server with what was fetched of it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) config: AuthorizationServer,
    pub(super) url: Url,
    pub(super) endpoints: Option<Endpoints>,
    pub(super) keys: Option<Keys>,
    /// Whether metadata or keys are being fetched, and who waits for that.
    pub(super) fetching: bool,
    pub(super) waiting: Vec<CheckId>,
    /// After metadata or keys could not be fetched, or where it said when to come back, nothing is asked
    /// until then.
    pub(super) paused_until_ms: u64,
    /// The last key that was not in the set.
    pub(super) missing_key: MissingKey,
    /// When keys were last fetched because a signature was wrong.
    pub(super) doubted_ms: Option<u64>,
    /// The names of this resource that its tokens may carry.
    pub(super) audiences: Vec<Box<str>>,
    /// The tokens about which it could not answer since it answered last, by hash.
    failed: Vec<u64>,
    pub(super) findings: Findings,
}

/// What the metadata says, as far as a resource acts on it.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    /// Where the keys are, or where to ask about tokens: whichever is needed.
    pub(super) needed: Url,
    pub(super) until_ms: u64,
}

#[derive(Debug)]
pub(super) struct Keys {
    pub(super) set: KeySet,
    /// When they were fetched.
    pub(super) at_ms: u64,
    pub(super) fresh_until_ms: u64,
    /// Used that long, should they not be had anew.
    pub(super) usable_until_ms: u64,
}

impl Server {
    pub(super) fn new(config: AuthorizationServer, url: Url, audiences: Vec<Box<str>>) -> Self {
        Self {
            config,
            url,
            endpoints: None,
            keys: None,
            fetching: false,
            waiting: Vec::new(),
            paused_until_ms: 0,
            missing_key: MissingKey::default(),
            doubted_ms: None,
            audiences,
            failed: Vec::new(),
            findings: Findings::new(),
        }
    }

    /// Whether it is asked about tokens, instead of having signed them.
    pub(super) fn is_asked(&self) -> bool {
        !matches!(self.config.tokens, Tokens::Jwt { .. })
    }

    /// Whether tokens and metadata may name it so.
    pub(super) fn is_named(&self, issuer: &str) -> bool {
        *self.config.issuer == *issuer || self.config.known_as.iter().any(|name| **name == *issuer)
    }

    /// Notes that it answered.
    pub(super) fn answered(&mut self) {
        self.failed.clear();
    }

    /// Notes that it could not answer about this token.
    pub(super) fn could_not_answer(&mut self, token: &str) {
        let mut hasher = DefaultHasher::new();
        token.hash(&mut hasher);
        let hash = hasher.finish();
        if !self.is_failing() && !self.failed.contains(&hash) {
            self.failed.push(hash);
        }
    }

    /// Whether it failed at several tokens in a row, so that no single one is to blame.
    pub(super) fn is_failing(&self) -> bool {
        self.failed.len() >= limits::SERVER_FAILURES
    }

    /// Whether a token with a wrong signature may be signed with a key that has replaced another of the same
    /// name since the keys were fetched.
    pub(super) fn doubt(&self, now_ms: u64) -> Doubt {
        let fetched_ms = self.keys.as_ref().map_or(0, |keys| keys.at_ms);
        let again_ms = self.doubted_ms.unwrap_or(0).max(fetched_ms).saturating_add(limits::KEYS_REFETCH_MS);
        if self.fetching || again_ms <= now_ms && self.paused_until_ms <= now_ms {
            Doubt::Look
        } else if self.doubted_ms.is_some_and(|at| at > fetched_ms) {
            Doubt::Open { retry_after_s: seconds(again_ms.saturating_sub(now_ms)) }
        } else {
            Doubt::None
        }
    }

    pub(super) fn issuer(&self) -> Issuer {
        Issuer::trusted(&self.config.issuer)
    }

    /// Where a request of this server may go. What its metadata names is from outside, unless it is on the
    /// host that the configuration names.
    pub(super) fn reach(&self, url: &Url) -> Reach {
        let named = |endpoints: &Endpoints| endpoints.needed == *url;
        match self.endpoints.as_ref().is_some_and(named) && url.host() != self.url.host() {
            true => Reach::of(&self.url),
            false => Reach::Anywhere,
        }
    }

    /// Whether its metadata has to say first where it is asked about tokens.
    pub(super) fn must_be_found(&self, now_ms: u64) -> bool {
        matches!(self.config.tokens, Tokens::Introspection { endpoint: None, .. })
            && self.endpoints.as_ref().is_none_or(|endpoints| endpoints.until_ms <= now_ms)
    }

    /// Seconds until it may be asked again, rounded up.
    pub(super) fn pause_s(&self, now_ms: u64) -> u32 {
        seconds(self.paused_until_ms.saturating_sub(now_ms))
    }
}

/// Rounded up, and never none.
fn seconds(ms: u64) -> u32 {
    u32::try_from(ms.div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

/// What a wrong signature may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// A forged token: the keys are those of just now.
    None,
    /// The keys may have been replaced: look.
    Look,
    /// The keys may have been replaced, and could not be fetched.
    Open { retry_after_s: u32 },
}

members! {
    pub(crate) struct Document {
        "RFC 8414 section 2": issuer, jwks_uri, introspection_endpoint;
    }
}

/// Reads the metadata of an authorization server (RFC 8414 3.3). Nothing but what is needed is looked at.
pub(super) fn read_metadata(
    server: &Server,
    (asked, redirects): (&Url, u8),
    response: &HttpResponse<'_>,
    urls: &UrlPolicy,
    now_ms: u64,
    findings: &mut Findings,
) -> Result<Found<Endpoints>, Error> {
    const EXCHANGE: Exchange = Exchange::ServerMetadata;
    match well_known::classify(asked, redirects, response, EXCHANGE) {
        Status::Redirected(url) => return Ok(Found::Redirected(url)),
        Status::Nothing(why) => return Ok(Found::Nothing(why)),
        Status::Read => {}
    }
    let mut reader = Reader::new(EXCHANGE, findings);
    reader.note_status(response.status, &[200], "RFC 8414 section 3.2");
    let document: Document<'_> = match reader.document(response, limits::DOCUMENT_BODY) {
        Ok(document) => document,
        Err(why) => return Ok(Found::Nothing(why.into())),
    };
    let issuer = reader.required(document.issuer.text(limits::URL))?;
    if !server.is_named(&issuer) {
        let expected = PeerText::new(&server.config.issuer);
        return Err(PeerMisbehaved::IssuerMismatch { expected, got: PeerText::new(&issuer) }.into());
    }
    let needed = if server.is_asked() { &document.introspection_endpoint } else { &document.jwks_uri };
    let needed = reader.required(needed.url(urls, &server.url))?;
    let until_ms = now_ms.saturating_add(fresh_ms(response.headers));
    Ok(Found::Document(Box::new(Endpoints { needed, until_ms })))
}

/// Reads a set of keys (RFC 7517 5).
pub(super) fn read_keys(
    response: &HttpResponse<'_>,
    now_ms: u64,
    findings: &mut Findings,
) -> Result<Keys, Error> {
    const EXCHANGE: Exchange = Exchange::KeySet;
    let status = response.status;
    if response.is_unavailable() {
        let retry_after_s = response.retry_after_s();
        return Err(Refused::Unavailable { exchange: EXCHANGE, status, retry_after_s }.into());
    }
    if !response.is_success() {
        return Err(PeerMisbehaved::Status { exchange: EXCHANGE, status }.into());
    }
    let mut reader = Reader::new(EXCHANGE, findings);
    reader.note_status(status, &[200], "RFC 8414 section 2");
    // The type is not looked at: many serve this document as a plain file.
    let text = reader.text(response, limits::KEY_SET_BODY)?;
    let set = KeySet::read(text, &mut reader)?;
    if set.keys().is_empty() {
        // An issuer without keys is one that has lost them.
        let problem = match set.refused().len() {
            0 => Problem::Empty,
            refused => Problem::Entries(refused),
        };
        return Err(PeerMisbehaved::Unusable { exchange: EXCHANGE, field: "keys", problem }.into());
    }
    let fresh_until_ms = now_ms.saturating_add(fresh_ms(response.headers));
    let usable_until_ms = fresh_until_ms.saturating_add(limits::KEYS_STALE_MS);
    Ok(Keys { set, at_ms: now_ms, fresh_until_ms, usable_until_ms })
}

pub(super) fn no_metadata(server: &Server) -> Error {
    PeerIncompatible::NoServerMetadata { issuer: PeerText::new(&server.config.issuer) }.into()
}
