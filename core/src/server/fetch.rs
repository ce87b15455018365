//! Documents of others: a client's metadata, a set of keys. Their URLs come from outside, so the addresses are
//! checked, no redirect is followed, and what is fetched is bounded in size and time.

use sha2::{Digest as _, Sha256};
use url::Url;

use super::context::Cx;
use super::records::{Document, VERSION};
use crate::address::Reach;
use crate::effect::RecordKind;
use crate::error::Exchange;
use crate::jose::encode_base64url;
use crate::limits;
use crate::wire::freshness::fresh_ms;
use crate::wire::http::HttpRequest;

/// Why there is no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchError {
    /// The URL may not be fetched, or what is there is no document.
    Unusable,
    /// Nobody answers, or the store does not.
    Unavailable,
}

/// How old a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// As its headers say.
    Fresh,
    /// Fetched in the last minute: something is looked for that was not there.
    JustNow,
}

impl Cx {
    /// The document at a URL, from the store while it is fresh.
    pub(super) async fn document(
        &self,
        url: &Url,
        exchange: Exchange,
        max_body: usize,
        age: Age,
    ) -> Result<Box<str>, FetchError> {
        let provider = &self.provider;
        if provider.config.urls.check(url, &provider.issuer_url).is_err() {
            return Err(FetchError::Unusable);
        }
        let name = encode_base64url(Sha256::digest(url.as_str()));
        let why = "documents are fetched once while they are fresh";
        let stored = self
            .load::<Document>(RecordKind::Document, &name, why)
            .await
            .map_err(|_| FetchError::Unavailable)?;
        let now = self.io.now_s();
        let recent = |document: &Document| match age {
            Age::Fresh => now < document.until,
            Age::JustNow => now < document.fetched_at.saturating_add(limits::KEYS_FRESH_MIN_MS / 1000),
        };
        if let Some(stored) = &stored
            && recent(&stored.value)
            && stored.value.body.len() <= max_body
        {
            return Ok(stored.value.body.clone());
        }
        let mut request = HttpRequest::get_json(exchange, url.clone());
        if !provider.config.urls.allow_private_hosts {
            request.reach = Reach::of(&provider.issuer_url);
        }
        let why = "a client or an issuer names the document by its URL";
        let response = self.io.http(request, max_body, why).await.map_err(|_| FetchError::Unavailable)?;
        let response = response.borrowed();
        if response.is_unavailable() {
            return Err(FetchError::Unavailable);
        }
        let body = std::str::from_utf8(response.body).ok().filter(|body| body.len() <= max_body);
        let (200, Some(body)) = (response.status, body) else { return Err(FetchError::Unusable) };
        let until = now.saturating_add(fresh_ms(response.headers) / 1000);
        let document = Document { v: VERSION, fetched_at: now, until, body: body.into() };
        let expect = stored.map(|stored| stored.revision);
        // Whoever else fetched it at the same time has stored as good a copy.
        let why = "the document is fresh for a while";
        let _ = self.save(RecordKind::Document, &name, &document, expect, until, why).await;
        Ok(document.body)
    }
}
