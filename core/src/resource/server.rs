//! What is known of an authorization server: its metadata and its keys, and how long that counts.

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};
use serde::Deserialize;
use url::Url;

use super::config::{AuthorizationServer, Tokens};
use super::output::CheckId;
use super::sought::SoughtKey;
use crate::address::{Reach, UrlPolicy};
use crate::error::{Error, Exchange, PeerIncompatible, PeerMisbehaved, PeerText};
use crate::jose::KeySet;
use crate::limits;
use crate::wire::http::HttpResponse;
use crate::wire::json::{self, Expect};
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
    /// After a failure, nothing is asked until then.
    pub(super) paused_until_ms: u64,
    /// The last key that was not in the set.
    pub(super) sought: SoughtKey,
}

/// What the metadata says, as far as a resource acts on it.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    pub(super) jwks_uri: Option<Url>,
    pub(super) introspection: Option<Url>,
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
    pub(super) fn new(config: AuthorizationServer, url: Url) -> Self {
        Self {
            config,
            url,
            endpoints: None,
            keys: None,
            fetching: false,
            waiting: Vec::new(),
            paused_until_ms: 0,
            sought: SoughtKey::default(),
        }
    }

    pub(super) fn issuer(&self) -> Issuer {
        Issuer::trusted(&self.config.issuer)
    }

    /// Where a request of this server may go. What its metadata names is from outside, unless it is on the
    /// host that the configuration names.
    pub(super) fn reach(&self, url: &Url) -> Reach {
        let named = |endpoints: &Endpoints| {
            [&endpoints.jwks_uri, &endpoints.introspection].into_iter().flatten().any(|named| named == url)
        };
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
        let left = self.paused_until_ms.saturating_sub(now_ms).div_ceil(1000);
        u32::try_from(left).unwrap_or(u32::MAX).max(1)
    }
}

#[derive(Deserialize)]
struct Document {
    issuer: Option<String>,
    jwks_uri: Option<String>,
    introspection_endpoint: Option<String>,
}

/// Reads the metadata of an authorization server (RFC 8414 3.3).
pub(super) fn read_metadata(
    server: &Server,
    asked: &Url,
    redirects: u8,
    response: &HttpResponse<'_>,
    urls: &UrlPolicy,
    now_ms: u64,
) -> Result<Found<Endpoints>, Error> {
    const EXCHANGE: Exchange = Exchange::ServerMetadata;
    match well_known::classify(asked, redirects, response, EXCHANGE)? {
        Status::Redirected(url) => return Ok(Found::Redirected(url)),
        Status::Nothing => return Ok(Found::Nothing),
        Status::Read => {}
    }
    if !json::is_json(response) {
        return Ok(Found::Nothing); // the page that this server shows for any path
    }
    let max_body = limits::DOCUMENT_BODY;
    let expect = Expect { exchange: EXCHANGE, max_body, any_content_type: false, secrets: &[] };
    let document: Document = json::read(response, expect)?;
    let Some(issuer) = document.issuer else {
        return Err(PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "issuer" }.into());
    };
    if issuer != *server.config.issuer {
        let expected = PeerText::new(&server.config.issuer);
        return Err(PeerMisbehaved::IssuerMismatch { expected, got: PeerText::new(&issuer) }.into());
    }
    let read =
        |text: Option<String>, field| text.map(|text| urls.read(&text, field, &server.url)).transpose();
    let fresh_ms = fresh_ms(response.headers);
    Ok(Found::Document(Box::new(Endpoints {
        jwks_uri: read(document.jwks_uri, "jwks_uri")?,
        introspection: read(document.introspection_endpoint, "introspection_endpoint")?,
        until_ms: now_ms.saturating_add(fresh_ms),
    })))
}

/// Reads a set of keys (RFC 7517 5).
pub(super) fn read_keys(response: &HttpResponse<'_>, now_ms: u64) -> Result<Keys, Error> {
    const EXCHANGE: Exchange = Exchange::KeySet;
    if response.is_unavailable() {
        let retry_after_s = response.retry_after_s();
        let status = response.status;
        return Err(crate::error::Refused::Unavailable { exchange: EXCHANGE, status, retry_after_s }.into());
    }
    if response.status != 200 {
        return Err(PeerMisbehaved::Status { exchange: EXCHANGE, status: response.status }.into());
    }
    if response.body.len() > limits::KEY_SET_BODY {
        return Err(PeerMisbehaved::BodyTooLarge { exchange: EXCHANGE, limit: limits::KEY_SET_BODY }.into());
    }
    // The type is not looked at: many serve this document as a plain file.
    let unacceptable = || PeerMisbehaved::Unacceptable { exchange: EXCHANGE, field: "keys" };
    let set = KeySet::parse(response.body).map_err(|_| unacceptable())?;
    if set.keys().is_empty() {
        return Err(unacceptable().into()); // an issuer without keys is one that has lost them
    }
    let fresh_until_ms = now_ms.saturating_add(fresh_ms(response.headers));
    let usable_until_ms = fresh_until_ms.saturating_add(limits::KEYS_STALE_MS);
    Ok(Keys { set, at_ms: now_ms, fresh_until_ms, usable_until_ms })
}

pub(super) fn no_endpoint(server: &Server) -> Error {
    PeerIncompatible::NoServerMetadata { issuer: PeerText::new(&server.config.issuer) }.into()
}

/// How long an answer is fresh by its headers (RFC 9111 4.2, 5.2.2), within bounds.
pub(super) fn fresh_ms(headers: &HeaderMap) -> u64 {
    let text =
        |name| headers.get_all(name).iter().filter_map(|value: &http::HeaderValue| value.to_str().ok());
    let mut fresh_s = None;
    for directive in text(CACHE_CONTROL).flat_map(|line| line.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => fresh_s = Some(0),
            "max-age" if fresh_s != Some(0) => fresh_s = value.trim().trim_matches('"').parse::<u64>().ok(),
            _ => {}
        }
    }
    let age_s = text(AGE).next().and_then(|age| age.trim().parse::<u64>().ok()).unwrap_or(0);
    let fresh_ms =
        fresh_s.map_or(limits::KEYS_FRESH_MS, |fresh| fresh.saturating_sub(age_s).saturating_mul(1000));
    fresh_ms.clamp(limits::KEYS_FRESH_MIN_MS, limits::KEYS_FRESH_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9111_4_2_freshness_within_bounds() {
        let fresh = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, http::HeaderValue::from_static(value));
            }
            fresh_ms(&headers)
        };
        assert_eq!(fresh(&[]), limits::KEYS_FRESH_MS);
        assert_eq!(fresh(&[("cache-control", "public, Max-Age=3600")]), 3_600_000);
        assert_eq!(fresh(&[("cache-control", "max-age=3600"), ("age", "600")]), 3_000_000);
        assert_eq!(fresh(&[("cache-control", "max-age=99999999999999999999")]), limits::KEYS_FRESH_MS);
        assert_eq!(fresh(&[("cache-control", "max-age=999999999")]), limits::KEYS_FRESH_MAX_MS);
        assert_eq!(fresh(&[("cache-control", "max-age=3600, no-cache")]), limits::KEYS_FRESH_MIN_MS);
        assert_eq!(
            fresh(&[("cache-control", "no-store"), ("cache-control", "max-age=9")]),
            limits::KEYS_FRESH_MIN_MS
        );
        assert_eq!(fresh(&[("cache-control", "max-age=0")]), limits::KEYS_FRESH_MIN_MS);
    }
}
