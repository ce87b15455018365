//! Pushed authorization requests (RFC 9126): the request goes to the server first, and the browser only
//! carries a reference to it.
//!
//! JWT-secured requests (RFC 9101) are out: a pushed request is authenticated by TLS and the client.
//!
//! ```
//! use grantor::wire::HttpResponse;
//! use grantor::wire::authorization::{AuthorizationRequest, Extras};
//! use grantor::wire::client_auth::Client;
//! use grantor::wire::pushed::{self, PushedRequest};
//! use grantor::{Findings, Quirks, ScopeSet};
//!
//! let authorization_endpoint = "https://as.example.com/authorize".parse()?;
//! let request = PushedRequest {
//!     endpoint: &"https://as.example.com/par".parse()?,
//!     client: &Client::public("c1"),
//!     authorization: AuthorizationRequest {
//!         redirect_uri: "http://127.0.0.1:7000/callback",
//!         state: "unguessable",
//!         code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
//!         scope: &ScopeSet::parse("files:read")?,
//!         endpoint: &authorization_endpoint,
//!         client_id: "c1",
//!         resource: None,
//!         extras: Extras::default(),
//!     },
//!     assertion: None,
//!     proof: None,
//! };
//! assert!(request.request(&Quirks::none()).body.expose().ends_with("&scope=files%3Aread&client_id=c1"));
//!
//! let headers = http::HeaderMap::from_iter([("content-type".parse()?, "application/json".parse()?)]);
//! let body = br#"{"request_uri": "urn:ietf:params:oauth:request_uri:1", "expires_in": 60}"#;
//! let response = HttpResponse { status: 201, headers: &headers, body };
//! let pushed = pushed::read(&request, &response, &Quirks::none(), &mut Findings::new())?;
//! assert_eq!(
//!     pushed.url(&authorization_endpoint, "c1").as_str(),
//!     "https://as.example.com/authorize?client_id=c1&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A1"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::header::{HeaderName, HeaderValue};
use url::Url;

use crate::error::{Error, Exchange};
use crate::finding::Findings;
use crate::limits;
use crate::quirks::Quirks;
use crate::secret::Secret;
use crate::wire::authorization::{AuthorizationRequest, AuthorizationUrl};
use crate::wire::client_auth::Client;
use crate::wire::document::{Reader, members};
use crate::wire::form::Form;
use crate::wire::http::{HttpRequest, HttpResponse};
use crate::wire::token;

const EXCHANGE: Exchange = Exchange::PushedAuthorization;

/// An authorization request to be pushed (RFC 9126 2.1).
#[derive(Clone, Copy, Debug)]
pub struct PushedRequest<'a> {
    /// The server's pushed authorization request endpoint.
    pub endpoint: &'a Url,
    /// Who asks.
    pub client: &'a Client,
    /// For what.
    pub authorization: AuthorizationRequest<'a>,
    /// The client's assertion, when it [needs one](Client::needs_assertion).
    pub assertion: Option<&'a Secret>,
    /// The `DPoP` proof for this endpoint: binds the code to its key (RFC 9449 10.1).
    pub proof: Option<&'a HeaderValue>,
}

/// A request that the server holds (RFC 9126 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pushed {
    request_uri: Box<str>,
    /// How long it is held, in seconds.
    pub expires_in_s: u64,
}

impl PushedRequest<'_> {
    /// Builds the request.
    pub fn request(&self, quirks: &Quirks) -> HttpRequest {
        let mut form = Form::new();
        // `client_id` is among them however the client authenticates; it must be there once.
        let once = self.client.has_id_in_body();
        for (name, value) in self.authorization.parameters() {
            if name != "client_id" || !once {
                form = form.add(name, value);
            }
        }
        let request = self.client.post(EXCHANGE, self.endpoint, form, self.assertion, quirks);
        match self.proof {
            Some(proof) => request.with(HeaderName::from_static("dpop"), proof.clone()),
            None => request,
        }
    }
}

impl Pushed {
    /// The URL for the browser (RFC 9126 4).
    pub fn url(&self, authorization_endpoint: &Url, client_id: &str) -> AuthorizationUrl {
        AuthorizationUrl::with(
            authorization_endpoint,
            [("client_id", client_id), ("request_uri", &self.request_uri)],
        )
    }
}

members! {
    pub(crate) struct Answer {
        "RFC 9126 section 2.2": request_uri, expires_in;
    }
}

/// Reads the answer.
///
/// # Errors
/// [`Refused::Token`](crate::error::Refused::Token) with the server's code (RFC 9126 2.3);
/// [`PeerMisbehaved`](crate::error::PeerMisbehaved) when the answer breaks a rule.
pub fn read(
    request: &PushedRequest<'_>,
    response: &HttpResponse<'_>,
    quirks: &Quirks,
    findings: &mut Findings,
) -> Result<Pushed, Error> {
    let secrets: Vec<_> = request.client.secret.as_ref().into_iter().chain(request.assertion).collect();
    let mut reader = Reader::new(EXCHANGE, findings);
    reader.secrets = &secrets;
    if !response.is_success() {
        return Err(token::refused(response, &mut reader, quirks));
    }
    // Servers use 200 as well.
    reader.note_status(response.status, &[200, 201], "RFC 9126 section 2.2");
    let answer: Answer<'_> = reader.document(response, limits::DOCUMENT_BODY)?;
    if !answer.request_uri.has_value()
        && let Some(refused) = token::error_in(response, &mut reader, quirks)
    {
        return Err(refused.into());
    }
    let request_uri = reader.required(answer.request_uri.text(limits::URL))?.into();
    let expires_in_s = reader.expected(answer.expires_in.seconds(limits::LIFETIME_S), limits::PUSHED_S);
    Ok(Pushed { request_uri, expires_in_s })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{PeerMisbehaved, Refused};
    use crate::finding::Problem;
    use crate::scope::ScopeSet;
    use crate::wire::authorization::Extras;
    use crate::wire::client_auth::ClientAuthMethod;
    use crate::wire::testing::{Answer as Answered, url};

    fn with_request<T>(client: &Client, then: impl FnOnce(&PushedRequest<'_>) -> T) -> T {
        let (endpoint, authorize) = (url("https://as/par"), url("https://as/authorize?tenant=1"));
        then(&PushedRequest {
            endpoint: &endpoint,
            client,
            authorization: AuthorizationRequest {
                redirect_uri: "http://127.0.0.1:1/callback",
                state: "s",
                code_challenge: "c",
                scope: &ScopeSet::parse("a b").unwrap(),
                resource: Some("https://mcp.example.com"),
                endpoint: &authorize,
                client_id: &client.id,
                extras: Extras::default(),
            },
            assertion: None,
            proof: None,
        })
    }

    fn read_answer(answer: &Answered) -> Result<Pushed, Error> {
        let client = Client::confidential("id", Secret::from("planted"), ClientAuthMethod::SecretPost);
        with_request(&client, |request| {
            read(request, &answer.response(), &Quirks::none(), &mut Findings::new())
        })
    }

    #[test]
    fn rfc9126_2_1_request_with_the_clients_authentication() {
        let basic = Client::confidential("id", Secret::from("s"), ClientAuthMethod::SecretBasic);
        let request = with_request(&basic, |request| request.request(&Quirks::none()));
        assert_eq!(request.headers["authorization"], "Basic aWQ6cw==");
        assert_eq!(
            request.body.expose(),
            "response_type=code&client_id=id&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback&state=s&code_challenge=c\
             &code_challenge_method=S256&scope=a+b&resource=https%3A%2F%2Fmcp.example.com"
        );
    }

    #[test]
    fn rfc9126_2_1_client_id_is_there_once_however_the_client_authenticates() {
        let with_secret = |method| Client::confidential("id", Secret::from("s"), method);
        for client in [
            Client::public("id"),
            Client::with_key("id"),
            with_secret(ClientAuthMethod::SecretBasic),
            with_secret(ClientAuthMethod::SecretJwt),
            with_secret(ClientAuthMethod::SecretPost),
        ] {
            let request = with_request(&client, |request| request.request(&Quirks::none()));
            assert_eq!(request.body.expose().matches("client_id=id").count(), 1, "{}", client.method);
        }
    }

    #[test]
    fn rfc9126_2_2_answer_and_4_the_url_for_the_browser() {
        let pushed = read_answer(&Answered::new(
            201,
            "application/json",
            r#"{"request_uri":"urn:x:1","expires_in":90}"#,
        ));
        let pushed = pushed.unwrap();
        assert_eq!(pushed.expires_in_s, 90);
        let authorize = url("https://as/authorize?tenant=1");
        let expected = "https://as/authorize?tenant=1&client_id=id&request_uri=urn%3Ax%3A1";
        assert_eq!(pushed.url(&authorize, "id").as_str(), expected);
    }

    #[test]
    fn rfc9126_2_3_errors() {
        let answer = Answered::new(
            400,
            "application/json",
            r#"{"error":"invalid_request","error_description":"planted"}"#,
        );
        let Err(Error::Refused(Refused::Token { code, description })) = read_answer(&answer) else {
            panic!()
        };
        assert_eq!(code, "invalid_request");
        assert!(!description.unwrap().to_string().contains("planted"));
        let long = format!(r#"{{"request_uri":"{}","expires_in":1}}"#, "x".repeat(limits::URL + 1));
        let (exchange, field, problem) = (EXCHANGE, "request_uri", Problem::TooLarge);
        for (body, error) in [
            (r#"{"request_uri":"","expires_in":1}"#, PeerMisbehaved::MissingField { exchange, field }),
            (&long, PeerMisbehaved::Unusable { exchange, field, problem }),
        ] {
            assert_eq!(read_answer(&Answered::new(201, "application/json", body)), Err(error.into()));
        }
    }
}
