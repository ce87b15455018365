//! Dynamic client registration (RFC 7591).
//!
//! ```
//! use grantor::wire::HttpResponse;
//! use grantor::wire::client_auth::ClientAuthMethod;
//! use grantor::wire::client_metadata::ClientMetadata;
//! use grantor::wire::registration::{self, RegistrationRequest};
//! use grantor::wire::token::GrantType;
//! use grantor::{Findings, ScopeSet};
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
//! let response = HttpResponse { status: 400, headers: &headers, body };
//! let refusal = registration::read(&request, &response, &mut Findings::new());
//! assert!(refusal.unwrap_err().to_string().starts_with("registration refused: invalid_redirect_uri"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::header::{AUTHORIZATION, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use crate::error::{Error, Exchange, PeerIncompatible, PeerMisbehaved, PeerText, RedirectProblem, Refused};
use crate::finding::{Findings, Handling, Problem};
use crate::limits;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::client_metadata::ClientMetadata;
use crate::wire::document::{Reader, members};
use crate::wire::http::{HttpRequest, HttpResponse};
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
    findings: &mut Findings,
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
    let mut reader = Reader::new(EXCHANGE, findings);
    reader.secrets = &secrets;
    match response.status {
        400..500 => Err(refusal(response, &mut reader).into()),
        // RFC 7591 3.2.1 says 201; servers use 200 as well.
        status if response.is_success() => {
            reader.note_status(status, &[200, 201], "RFC 7591 section 3.2.1");
            let answer: Answer<'_> = reader.document(response, limits::DOCUMENT_BODY)?;
            if answer.error.has_value() && !answer.client_id.has_value() {
                return Err(refusal(response, &mut reader).into());
            }
            answer.into_registered(request.method, &mut reader)
        }
        status => Err(PeerMisbehaved::Status { exchange: EXCHANGE, status }.into()),
    }
}

members! {
    pub(crate) struct Answer {
        "RFC 7591 section 3.2.1":
            client_id, client_secret, client_secret_expires_at, token_endpoint_auth_method;
        "RFC 7591 section 3.2.2": error;
    }
}

impl Answer<'_> {
    fn into_registered(
        self,
        requested: ClientAuthMethod,
        reader: &mut Reader<'_>,
    ) -> Result<Registered, Error> {
        let id = reader.required(self.client_id.text(limits::STRING))?;
        let named = reader.optional(self.token_endpoint_auth_method.text(limits::STRING));
        let method = match named.as_deref() {
            // RFC 7591 3.2.1: the server may have chosen another method than the one asked for.
            Some(name) => {
                ClientAuthMethod::from_name(name).ok_or(PeerIncompatible::NoClientAuthentication)?
            }
            // RFC 7591 2: who names none and gives a secret means `client_secret_basic`.
            None if requested == ClientAuthMethod::None && self.client_secret.has_value() => {
                ClientAuthMethod::SecretBasic
            }
            None => requested,
        };
        if matches!(method, ClientAuthMethod::PrivateKeyJwt | ClientAuthMethod::SecretJwt) {
            // No key was registered.
            let (field, problem) = (self.token_endpoint_auth_method.name(), Problem::Unasked);
            return Err(PeerMisbehaved::Unusable { exchange: EXCHANGE, field, problem }.into());
        }
        // Who echoes a usual method to a client that asked for none, and gives no secret, registered a public one.
        let lacks_secret = requested == ClientAuthMethod::None && !self.client_secret.has_value();
        if lacks_secret && method != ClientAuthMethod::None {
            let (field, problem) = (self.token_endpoint_auth_method.name(), Problem::Unasked);
            reader.note(Some(field), problem, "RFC 7591 section 3.2.1", Handling::Absent);
        }
        if method == ClientAuthMethod::None || lacks_secret {
            return Ok(Registered { client: Client::public(&id), secret_expires_at: None });
        }
        let secret = reader.required(self.client_secret.text(limits::CREDENTIAL))?;
        let expires_at = reader.optional(self.client_secret_expires_at.seconds(limits::LATEST_TIME_S));
        Ok(Registered {
            client: Client::confidential(&id, Secret::from(secret.into_owned()), method),
            secret_expires_at: expires_at.filter(|at| *at != 0),
        })
    }
}

members! {
    pub(crate) struct ErrorAnswer {
        "RFC 7591 section 3.2.2": error, error_description;
    }
}

/// RFC 7591 3.2.2.
fn refusal(response: &HttpResponse<'_>, reader: &mut Reader<'_>) -> Refused {
    let answer: ErrorAnswer<'_> = reader.document(response, limits::DOCUMENT_BODY).unwrap_or_default();
    let error = reader.optional(answer.error.text(limits::STRING));
    let description = reader.optional(answer.error_description.text(limits::DOCUMENT_BODY));
    let secrets = reader.secrets;
    let status = format!("status {}", response.status);
    Refused::Registration {
        code: PeerText::without(error.as_deref().unwrap_or(&status), secrets),
        description: description.map(|text| PeerText::without(&text, secrets)),
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
        with_request(method, |request| read(request, &answer.response(), &mut Findings::new()))
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
    fn rfc7591_2_a_secret_without_a_method_is_for_basic() {
        let client = |asked, body: &str| read_as(asked, &created(body)).unwrap().client;
        let with_secret = |method| Client::confidential("id", Secret::from("s"), method);
        let secret = r#"{"client_id":"id","client_secret":"s"}"#;
        assert_eq!(client(ClientAuthMethod::None, secret), with_secret(ClientAuthMethod::SecretBasic));
        // Who asked for another method with a secret was not contradicted.
        assert_eq!(client(ClientAuthMethod::SecretPost, secret), with_secret(ClientAuthMethod::SecretPost));
        for none in [
            r#"{"client_id":"id","client_secret":"s","token_endpoint_auth_method":"none"}"#,
            r#"{"client_id":"id","client_secret":""}"#,
            r#"{"client_id":"id","client_secret":null}"#,
            r#"{"client_id":"id","client_secret":7,"token_endpoint_auth_method":"none"}"#,
        ] {
            assert_eq!(client(ClientAuthMethod::None, none), Client::public("id"), "{none}");
        }
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
            Err(PeerMisbehaved::Unusable {
                exchange: EXCHANGE,
                field: "client_id",
                problem: Problem::TooLarge
            }
            .into())
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
