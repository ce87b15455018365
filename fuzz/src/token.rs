//! Token answers.

use grantor::wire::client_auth::{Client, ClientAuthMethod};
use grantor::wire::pkce::Verifier;
use grantor::wire::token::{self, Grant, Issued, TokenRequest};
use grantor::{Findings, Secret, limits};
use http::HeaderValue;
use url::Url;

use crate::input::{Input, check, planted, quirks};

/// An answer to a token request.
pub fn token(data: &[u8]) {
    let mut input = Input(data);
    let (own, client_secret) = (planted(data, "code-or-refresh-token"), planted(data, "client-secret"));
    let credential = Secret::from(own.as_str());
    let verifier = Verifier::from_entropy(&[7; 32]);
    let grant = if input.flag() {
        Grant::AuthorizationCode {
            code: &credential,
            redirect_uri: "http://127.0.0.1:1/",
            verifier: &verifier,
        }
    } else {
        Grant::RefreshToken { refresh_token: &credential }
    };
    let client =
        Client::confidential("id", Secret::from(client_secret.as_str()), ClientAuthMethod::SecretPost);
    let endpoint = Url::parse("https://as/token").expect("a URL");
    let request = TokenRequest {
        endpoint: &endpoint,
        client: &client,
        grant,
        resource: None,
        assertion: None,
        proof: None,
    };
    let (quirks, answer) = (quirks(&mut input), input.answer());
    let read = |findings: &mut Findings| token::read(&request, &answer.response(), &quirks, findings);
    if let Ok(issued) = check(read, &[&own, &client_secret]) {
        assert!(matches!(answer.status, 200..=299), "{}", answer.status);
        check_issued(&issued);
    }
}

fn check_issued(issued: &Issued) {
    let access_token = issued.access_token.expose();
    assert!(!access_token.is_empty() && access_token.len() <= limits::CREDENTIAL);
    assert!(access_token.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(HeaderValue::from_str(&format!("Bearer {access_token}")).is_ok());
    assert!(issued.expires_in_s.is_none_or(|seconds| seconds <= limits::LIFETIME_S));
    if let Some(refresh_token) = &issued.refresh_token {
        assert!(!refresh_token.is_empty() && refresh_token.expose().len() <= limits::CREDENTIAL);
    }
    assert!(issued.scope.as_ref().is_none_or(|scope| scope.len() <= limits::SCOPES));
}
