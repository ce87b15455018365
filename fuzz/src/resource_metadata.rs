//! Protected resource metadata.

use grantor::wire::resource_metadata::{self, Candidate, Found, ResourceMetadata};
use grantor::{Findings, Quirks, limits};
use url::Url;

use crate::input::{Input, check, quirks};

/// An answer to a request for protected resource metadata, at each kind of place.
pub fn resource_metadata(data: &[u8]) {
    let mut input = Input(data);
    let resource =
        input.pick(["https://h/", "https://h/mcp", "https://h:8443/a/mcp?x=y", "http://127.0.0.1/mcp"]);
    let resource = Url::parse(resource).expect("a URL");
    let challenged = input.pick([None, Some("/custom"), Some("/.well-known/oauth-protected-resource")]);
    let challenged = challenged.map(|path| resource.join(path).expect("a URL"));
    let mut candidates = resource_metadata::candidates(&resource, challenged.as_ref());
    let candidate = candidates.remove(input.pick([0, 1]) % candidates.len());
    let (quirks, answer) = (quirks(&mut input), input.answer());
    let read = |findings: &mut Findings| {
        resource_metadata::read(&candidate, &candidate.url, 0, &answer.response(), &quirks, findings)
    };
    match check(read, &[]) {
        Ok(Found::Document(document)) => {
            assert!(matches!(answer.status, 200..=299), "{}", answer.status);
            check_document(&document, &candidate, &resource, &quirks);
        }
        Ok(Found::Redirected(url)) => {
            assert_eq!(url.origin(), candidate.url.origin(), "redirects stay in the origin");
        }
        Ok(_) | Err(_) => {}
    }
}

fn check_document(document: &ResourceMetadata, candidate: &Candidate, resource: &Url, quirks: &Quirks) {
    let named = Url::parse(&document.resource).expect("a document names a URL");
    assert_eq!(named.origin(), candidate.resource.origin());
    if !quirks.resource_covers {
        // The place's own resource, or the one that was asked for, wherever its document stands.
        let is = |url: &Url| {
            named.path().trim_end_matches('/') == url.path().trim_end_matches('/')
                && named.query() == url.query()
        };
        assert!(is(&candidate.resource) || is(resource), "{named} at {}", candidate.url);
    }
    let servers = &document.authorization_servers;
    assert!((1..=limits::LIST).contains(&servers.len()));
    assert!(servers.iter().all(|server| server.len() <= limits::URL));
    assert!(document.scopes_supported.as_ref().is_none_or(|scopes| scopes.len() <= limits::SCOPES));
    let name = document.resource_name.as_ref();
    assert!(name.is_none_or(|name| name.as_str().chars().count() <= limits::PEER_TEXT_CHARS + 1));
}
