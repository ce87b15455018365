//! Authorization server metadata.

use grantor::wire::server_metadata::{self, Found, Issuer, Rules, ServerMetadata};
use grantor::wire::token::GrantType;
use grantor::{Findings, UrlPolicy};
use url::Url;

use crate::input::{Input, check, quirks};

/// An answer to a request for authorization server metadata.
pub fn server_metadata(data: &[u8]) {
    let mut input = Input(data);
    let resource = input.pick(["http://127.0.0.1/mcp", "https://h/mcp"]);
    let (resource, urls) = (Url::parse(resource).expect("a URL"), UrlPolicy::default());
    let issuer = input.pick(["https://as.example/t", "https://as.example", "https://as.example/"]);
    let issuer = Issuer::read(issuer, &urls, &resource).expect("an issuer");
    let mut candidates = server_metadata::candidates(&issuer).expect("URLs");
    let asked = candidates.remove(input.pick([0, 1, 2]) % candidates.len());
    let (quirks, answer) = (quirks(&mut input), input.answer());
    let rules =
        Rules { urls: &urls, resource: &resource, quirks: &quirks, grant: GrantType::AuthorizationCode };
    match check(
        |findings: &mut Findings| {
            server_metadata::read(&issuer, &asked, 0, &answer.response(), rules, findings)
        },
        &[],
    ) {
        Ok(Found::Document(document)) => {
            assert!(matches!(answer.status, 200..=299), "{}", answer.status);
            check_document(&document, &issuer, rules);
        }
        Ok(Found::Redirected(url)) => {
            assert_eq!(url.origin(), asked.origin(), "redirects stay in the origin");
        }
        Ok(_) | Err(_) => {}
    }
    from_outside(&answer.body[..answer.body.len().min(512)], &urls, &resource);
}

fn check_document(document: &ServerMetadata, issuer: &Issuer, rules: Rules<'_>) {
    if rules.quirks.issuer_trailing_slash {
        let bare = |text: &str| text.trim_end_matches('/').to_owned();
        assert_eq!(bare(document.issuer.as_str()), bare(issuer.as_str()));
    } else {
        assert_eq!(document.issuer, *issuer, "RFC 8414 3.3");
    }
    let endpoints = [
        document.authorization_endpoint.as_ref(),
        Some(&document.token_endpoint),
        document.registration_endpoint.as_ref(),
        document.pushed_authorization_request_endpoint.as_deref(),
        document.device_authorization_endpoint.as_deref(),
        document.revocation_endpoint.as_deref(),
        document.introspection_endpoint.as_deref(),
        document.jwks_uri.as_deref(),
    ];
    for url in endpoints.into_iter().flatten() {
        check_url(url, rules.resource);
        assert!(rules.urls.read(url.as_str(), "endpoint", rules.resource).is_ok(), "{url}: accepted once");
    }
}

/// The policy of DESIGN: https, loopback excepted, no user info, no fragment.
fn check_url(url: &Url, resource: &Url) {
    let is_local = resource.host_str() == Some("127.0.0.1");
    assert!(url.scheme() == "https" || url.scheme() == "http" && is_local, "{url}");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{url}");
    assert!(is_local || !matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")), "{url}");
}

/// Issuers as resource metadata names them, in the place of the body.
fn from_outside(text: &[u8], urls: &UrlPolicy, resource: &Url) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(issuer) = Issuer::read(text, urls, resource) else { return };
    assert_eq!(issuer.as_str(), text, "nothing is normalized");
    let base = Url::parse(text).expect("a URL");
    check_url(&base, resource);
    for url in server_metadata::candidates(&issuer).expect("an issuer has well-known URLs") {
        assert_eq!(url.origin(), base.origin());
        assert!(url.path().contains("/.well-known/"), "{url}");
    }
}
