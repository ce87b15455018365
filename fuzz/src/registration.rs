//! Registration answers.

use grantor::wire::client_auth::ClientAuthMethod;
use grantor::wire::client_metadata::ClientMetadata;
use grantor::wire::registration::{self, RegistrationRequest};
use grantor::wire::token::GrantType;
use grantor::{Findings, ScopeSet, Secret, limits};
use url::Url;

use crate::input::{Input, check, planted, quirks};

/// An answer to a registration request.
pub fn registration(data: &[u8]) {
    let mut input = Input(data);
    let initial = planted(data, "initial-token");
    let method =
        input.pick([ClientAuthMethod::SecretPost, ClientAuthMethod::None, ClientAuthMethod::SecretBasic]);
    let request = RegistrationRequest {
        endpoint: &Url::parse("https://as/register").expect("a URL"),
        metadata: &ClientMetadata::named("Example"),
        grant: GrantType::AuthorizationCode,
        redirect_uri: Some("http://127.0.0.1:1/callback"),
        method,
        scope: &ScopeSet::new(),
        initial_access_token: Some(&Secret::from(initial.as_str())),
    };
    quirks(&mut input); // no rule of this answer bends; the corpus has a byte for it
    let answer = input.answer();
    let read = |findings: &mut Findings| registration::read(&request, &answer.response(), findings);
    let Ok(registered) = check(read, &[&initial]) else { return };
    assert!(matches!(answer.status, 200..=299), "{}", answer.status);
    let client = registered.client;
    assert!(!client.id.is_empty() && client.id.len() <= limits::STRING);
    assert_eq!(client.secret.is_some(), client.method != ClientAuthMethod::None);
    if let Some(secret) = client.secret {
        assert!(!secret.is_empty() && secret.expose().len() <= limits::CREDENTIAL);
    }
    assert_ne!(registered.secret_expires_at, Some(0), "0 means never (RFC 7591 3.2.1)");
}
