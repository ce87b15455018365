//! Dynamic client registration (RFC 7591).
//!
//! ```
//! use grantor::wire::HttpResponse;
//! use grantor::wire::client_auth::ClientAuthMethod;
//! use grantor::wire::client_metadata::ClientMetadata;
//! use grantor::wire::registration::{self, RegistrationRequest};
//! use grantor::wire::token::GrantType;
//! use grantor::{Quirks, ScopeSet};
//!
//! let request = RegistrationRequest {
//!     endpoint: &"https://as.example.com/register".parse()?,
//!     metadata: &ClientMetadata::named("Example"),
//!     grant: GrantType::AuthorizationCode,
//!     redirect_uri: Some("http://127.0.0.1:7000/callback"),
//!     method: ClientAuthMethod::None,
//!     scope: &ScopeSet::new(),
//!     initial_access_token: None,
//! };
//! assert!(request.request().body.expose().contains(r#""application_type":"native""#));
//!
//! let headers = http::HeaderMap::from_iter([("content-type".parse()?, "application/json".parse()?)]);
//! let body = br#"{"error": "invalid_redirect_uri"}"#;
//! let refusal = registration::read(&request, &HttpResponse { status: 400, headers: &headers, body }, &Quirks::none());
//! assert!(refusal.unwrap_err().to_string().starts_with("registration refused: invalid_redirect_uri"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use crate::error::{Error, Exchange, PeerIncompatible, PeerMisbehaved, PeerText, RedirectProblem, Refused};
use crate::limits;
use crate::quirks::Quirks;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::client_metadata::ClientMetadata;
use crate::wire::http::{HttpRequest, HttpResponse};
use crate::wire::json::{self, Expect};
use crate::wire::token::GrantType;

const EXCHANGE: Exchange = Exchange::Registration;

/// A registration request.
#[derive(Clone, Copy, Debug)]
pub struct RegistrationRequest<'a> {
    /// The server's registration endpoint.
    pub endpoint: &'a Url,
    /// What the client says about itself.
    pub metadata: &'a ClientMetadata,
    /// The grant that the client is going to use.
    pub grant: GrantType,
    /// Where the browser is to come back to, if the grant needs one.
    pub redirect_uri: Option<&'a str>,
    /// How the client wants to authenticate at the token endpoint.
    pub method: ClientAuthMethod,
    /// The scopes to register for; left out when there are none.
    pub scope: &'a ScopeSet,
    /// A token that permits registering, when the server wants one (RFC 7591 3).
    pub initial_access_token: Option<&'a Secret>,
}

impl RegistrationRequest<'_> {
    /// Builds the request.
    pub fn request(&self) -> HttpRequest {
        let uris = self.redirect_uri.as_slice();
        let complete = self.metadata.complete(uris, self.method, self.scope, self.grant);
        // Plain strings and lists: serializing them cannot fail.
        let body = serde_json::to_string(&complete).unwrap_or_default();
        let request =
            HttpRequest::post(EXCHANGE, self.endpoint.clone(), "application/json", Secret::from(body));
        let bearer = self.initial_access_token.and_then(|token| {
            let mut value =
                HeaderValue::from_str(&Zeroizing::new(format!("Bearer {}", token.expose()))).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        match bearer {
            Some(value) => request.with(AUTHORIZATION, value),
            None => request,
        }
    }
}

/// A client, as the server registered it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registered {
    /// Its credentials.
    pub client: Client,
    /// When the secret expires, in seconds since 1970; `None` when never.
    pub secret_expires_at: Option<u64>,
}

/// Picks how to authenticate from what the server supports: as a public client where that is possible, since a
/// secret that every copy of a program holds is none; else with the secret in the body, since some servers look
/// for the client's id there whatever the method.
///
/// # Errors
/// [`PeerIncompatible::NoClientAuthentication`] when nothing fits.
pub fn choose_method(supported: &[ClientAuthMethod]) -> Result<ClientAuthMethod, PeerIncompatible> {
    [ClientAuthMethod::None, ClientAuthMethod::SecretPost, ClientAuthMethod::SecretBasic]
        .into_iter()
        .find(|method| supported.contains(method))
        .ok_or(PeerIncompatible::NoClientAuthentication)
}

/// Reads the answer to a registration request.
///
/// # Errors
/// [`Refused::Registration`] with words that help; [`PeerMisbehaved`] when the answer breaks a rule.
pub fn read(
    request: &RegistrationRequest<'_>,
    response: &HttpResponse<'_>,
    quirks: &Quirks,
) -> Result<Registered, Error> {
    if response.is_redirect() {
        let problem = RedirectProblem::Unexpected;
        return Err(PeerMisbehaved::Redirect { exchange: EXCHANGE, problem }.into());
    }
    if response.is_unavailable() {
        let (status, retry_after_s) = (response.status, response.retry_after_s());
        return Err(Refused::Unavailable { exchange: EXCHANGE, status, retry_after_s }.into());
    }
    let secrets: Vec<&Secret> = request.initial_access_token.into_iter().collect();
    let expect = Expect {
        exchange: EXCHANGE,
        max_body: limits::DOCUMENT_BODY,
        any_content_type: quirks.any_content_type,
        secrets: &secrets,
    };
    match response.status {
        // RFC 7591 3.2.1 says 201; servers use 200 as well.
        200 | 201 => json::read::<Answer>(response, expect)?.into_registered(request.method),
        400..500 => Err(refusal(response, expect).into()),
        status => Err(PeerMisbehaved::Status { exchange: EXCHANGE, status }.into()),
    }
}

#[derive(Deserialize)]
struct Answer {
    client_id: Option<String>,
    client_secret: Option<Zeroizing<String>>,
    client_secret_expires_at: Option<u64>,
    token_endpoint_auth_method: Option<String>,
}

impl Answer {
    fn into_registered(self, requested: ClientAuthMethod) -> Result<Registered, Error> {
        let missing = |field| PeerMisbehaved::MissingField { exchange: EXCHANGE, field };
        let unacceptable = |field| PeerMisbehaved::Unacceptable { exchange: EXCHANGE, field };
        let id = self.client_id.filter(|id| !id.is_empty()).ok_or(missing("client_id"))?;
        if id.len() > limits::STRING {
            return Err(unacceptable("client_id").into());
        }
        // RFC 7591 3.2.1: the server may have chosen another method than the one asked for.
        let method = match self.token_endpoint_auth_method {
            Some(name) => {
                ClientAuthMethod::from_name(&name).ok_or(PeerIncompatible::NoClientAuthentication)?
            }
            None => requested,
        };
        if matches!(method, ClientAuthMethod::PrivateKeyJwt | ClientAuthMethod::SecretJwt) {
            return Err(unacceptable("token_endpoint_auth_method").into()); // no key was registered
        }
        if method == ClientAuthMethod::None {
            return Ok(Registered { client: Client::public(&id), secret_expires_at: None });
        }
        let secret =
            self.client_secret.filter(|secret| !secret.is_empty()).ok_or(missing("client_secret"))?;
        if secret.len() > limits::CREDENTIAL {
            return Err(unacceptable("client_secret").into());
        }
        Ok(Registered {
            client: Client::confidential(&id, Secret::from(secret.as_str()), method),
            secret_expires_at: self.client_secret_expires_at.filter(|at| *at != 0),
        })
    }
}

#[derive(Default, Deserialize)]
struct ErrorAnswer {
    error: Option<String>,
    error_description: Option<String>,
}

/// RFC 7591 3.2.2.
fn refusal(response: &HttpResponse<'_>, expect: Expect<'_>) -> Refused {
    let answer: ErrorAnswer = json::read(response, expect).unwrap_or_default();
    let secrets = expect.secrets;
    let status = format!("status {}", response.status);
    Refused::Registration {
        code: PeerText::without(answer.error.as_deref().unwrap_or(&status), secrets),
        description: answer.error_description.map(|text| PeerText::without(&text, secrets)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorReport;
    use crate::wire::testing;

    fn with_request<T>(method: ClientAuthMethod, then: impl FnOnce(&RegistrationRequest<'_>) -> T) -> T {
        then(&RegistrationRequest {
            endpoint: &testing::url("https://as/register"),
            metadata: &ClientMetadata::named("Example"),
            grant: GrantType::AuthorizationCode,
            redirect_uri: Some("http://127.0.0.1:1/callback"),
            method,
            scope: &ScopeSet::new(),
            initial_access_token: Some(&Secret::from("planted")),
        })
    }

    fn read_as(method: ClientAuthMethod, answer: &testing::Answer) -> Result<Registered, Error> {
        with_request(method, |request| read(request, &answer.response(), &Quirks::none()))
    }

    fn created(body: &str) -> testing::Answer {
        testing::Answer::new(201, "application/json", body)
    }

    #[test]
    fn rfc7591_3_1_request() {
        let request = with_request(ClientAuthMethod::None, |request| request.request());
        let body: serde_json::Value = serde_json::from_str(request.body.expose()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "client_name": "Example",
                "redirect_uris": ["http://127.0.0.1:1/callback"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "application_type": "native",
            })
        );
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["authorization"], "Bearer planted");
        assert!(!format!("{request:?}").contains("planted"));
    }

    #[test]
    fn rfc7591_3_2_1_answer() {
        let answer = created(
            r#"{"client_id":"id","client_secret":"s","client_secret_expires_at":1577858400,
                "token_endpoint_auth_method":"client_secret_post"}"#,
        );
        let registered = read_as(ClientAuthMethod::SecretBasic, &answer).unwrap();
        let client = Client::confidential("id", Secret::from("s"), ClientAuthMethod::SecretPost);
        assert_eq!(registered, Registered { client, secret_expires_at: Some(1_577_858_400) });
        let never = created(r#"{"client_id":"id","client_secret":"s","client_secret_expires_at":0}"#);
        assert_eq!(read_as(ClientAuthMethod::SecretBasic, &never).unwrap().secret_expires_at, None);
    }

    #[test]
    fn a_secret_that_was_not_asked_for_is_not_used() {
        let answer = created(r#"{"client_id":"id","client_secret":"s"}"#);
        assert_eq!(read_as(ClientAuthMethod::None, &answer).unwrap().client, Client::public("id"));
    }

    #[test]
    fn required_members() {
        let missing = |field| Err(PeerMisbehaved::MissingField { exchange: EXCHANGE, field }.into());
        assert_eq!(read_as(ClientAuthMethod::None, &created("{}")), missing("client_id"));
        let answer = created(r#"{"client_id":"id"}"#);
        assert_eq!(read_as(ClientAuthMethod::SecretPost, &answer), missing("client_secret"));
        let answer = created(r#"{"client_id":"id","token_endpoint_auth_method":"tls_client_auth"}"#);
        assert_eq!(
            read_as(ClientAuthMethod::None, &answer),
            Err(PeerIncompatible::NoClientAuthentication.into())
        );
        let answer = created(&format!(r#"{{"client_id":"{}"}}"#, "x".repeat(limits::STRING + 1)));
        assert_eq!(
            read_as(ClientAuthMethod::None, &answer),
            Err(PeerMisbehaved::Unacceptable { exchange: EXCHANGE, field: "client_id" }.into())
        );
    }

    #[test]
    fn rfc7591_3_2_2_refusals_help() {
        for (status, body, code, words) in [
            (
                400,
                r#"{"error":"invalid_redirect_uri","error_description":"no http"}"#,
                "invalid_redirect_uri",
                "application_type",
            ),
            (400, r#"{"error":"invalid_client_metadata"}"#, "invalid_client_metadata", "about itself"),
            (
                400,
                r#"{"error":"unapproved_software_statement"}"#,
                "unapproved_software_statement",
                "approved",
            ),
            (401, "{}", "status 401", "initial access token"),
            (403, "<html>", "status 403", "initial access token"),
            (404, "", "status 404", "by hand"),
            (400, r#"{"error":"planted is wrong"}"#, "… is wrong", "pre-registered"),
        ] {
            let answer = testing::Answer::new(status, "application/json", body);
            let error = read_as(ClientAuthMethod::None, &answer).unwrap_err();
            let Error::Refused(Refused::Registration { code: got, .. }) = &error else { panic!("{body}") };
            assert_eq!(*got, code);
            let hint = ErrorReport::from(error).hint().expect("a way out");
            assert!(hint.contains(words), "{hint}");
        }
        let answer = testing::Answer::new(201, "planted/html", "");
        let got = PeerText::new("…/html");
        assert_eq!(
            read_as(ClientAuthMethod::None, &answer),
            Err(PeerMisbehaved::ContentType { exchange: EXCHANGE, got }.into())
        );
        let answer = testing::Answer::new(307, "", "").header("location", "https://as/other");
        let problem = RedirectProblem::Unexpected;
        assert_eq!(
            read_as(ClientAuthMethod::None, &answer),
            Err(PeerMisbehaved::Redirect { exchange: EXCHANGE, problem }.into())
        );
    }

    #[test]
    fn methods_by_preference() {
        use ClientAuthMethod::{None, SecretBasic, SecretPost};
        assert_eq!(choose_method(&[SecretPost, SecretBasic, None]), Ok(None));
        assert_eq!(choose_method(&[SecretBasic, SecretPost]), Ok(SecretPost));
        assert_eq!(choose_method(&[SecretBasic]), Ok(SecretBasic));
        assert_eq!(choose_method(&[]), Err(PeerIncompatible::NoClientAuthentication));
    }
}
