//! Forms that browsers send, and whether a page of this server sent them.

use http::{HeaderMap, header::ORIGIN};
use url::{Url, form_urlencoded};

/// The fields of a form.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().take(256).collect())
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Whether a page of the issuer's own origin sent a form, as far as the browser says.
pub(super) fn is_from_here(headers: &HeaderMap, issuer: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    // A browser too old for that names the origin; one that names none sends no cookie of ours either.
    let own = Url::parse(issuer).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    text(ORIGIN.as_str()).is_none_or(|origin| origin == own)
}
