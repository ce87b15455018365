//! Device authorization (RFC 8628): for hosts without a browser.
//!
//! ```
//! use grantor::wire::HttpResponse;
//! use grantor::wire::client_auth::Client;
//! use grantor::wire::device::{self, DeviceRequest};
//! use grantor::{Findings, Quirks, ScopeSet};
//!
//! let request = DeviceRequest {
//!     endpoint: &"https://as.example.com/device".parse()?,
//!     client: &Client::public("c1"),
//!     scope: &ScopeSet::parse("files:read")?,
//!     resource: Some("https://mcp.example.com/mcp"),
//!     assertion: None,
//! };
//! assert!(request.request(&Quirks::none()).body.expose().starts_with("scope=files%3Aread"));
//!
//! let headers = http::HeaderMap::from_iter([("content-type".parse()?, "application/json".parse()?)]);
//! let body = br#"{"device_code": "d1", "user_code": "WDJB-MJHT", "expires_in": 1800,
//!     "verification_uri": "https://as.example.com/device"}"#;
//! let response = HttpResponse { status: 200, headers: &headers, body };
//! let codes = device::read(&request, &response, &Quirks::none(), &mut Findings::new())?;
//! assert_eq!(&*codes.user_code, "WDJB-MJHT");
//! assert_eq!(codes.interval_s, 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use url::Url;

use crate::error::{Error, Exchange, Refused};
use crate::finding::{Findings, Handling, Problem};
use crate::limits;
use crate::quirks::Quirks;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::authorization::AuthorizationUrl;
use crate::wire::client_auth::Client;
use crate::wire::document::{Member, Reader, Use, members};
use crate::wire::form::Form;
use crate::wire::http::{HttpRequest, HttpResponse};
use crate::wire::token;

const EXCHANGE: Exchange = Exchange::DeviceAuthorization;

/// A request for codes (RFC 8628 3.1).
#[derive(Clone, Copy, Debug)]
pub struct DeviceRequest<'a> {
    /// The server's device authorization endpoint.
    pub endpoint: &'a Url,
    /// Who asks.
    pub client: &'a Client,
    /// The scopes to ask for; left out when there are none.
    pub scope: &'a ScopeSet,
    /// `resource`; left out when `None`.
    pub resource: Option<&'a str>,
    /// The client's assertion, when it [needs one](Client::needs_assertion).
    pub assertion: Option<&'a Secret>,
}

/// The codes (RFC 8628 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceCodes {
    /// What the client polls with.
    pub device_code: Secret,
    /// What the user types in.
    pub user_code: Box<str>,
    /// Where. It is http(s).
    pub verification_uri: AuthorizationUrl,
    /// The same with the code in it, for links and QR codes.
    pub verification_uri_complete: Option<AuthorizationUrl>,
    /// How long the codes are good, in seconds.
    pub expires_in_s: u64,
    /// The least time between two polls, in seconds; 5 when the server does not say.
    pub interval_s: u64,
}

/// What a poll that brought no token means (RFC 8628 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Poll {
    /// The user has not decided yet.
    Pending,
    /// The same, and all further polls have to be five seconds further apart.
    SlowDown,
}

impl Poll {
    /// Whether this error of the token endpoint means to go on polling.
    pub fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Refused(Refused::Token { code, .. }) if *code == "authorization_pending" => {
                Some(Self::Pending)
            }
            Error::Refused(Refused::Token { code, .. }) if *code == "slow_down" => Some(Self::SlowDown),
            _ => None,
        }
    }
}

impl DeviceRequest<'_> {
    /// Builds the request.
    pub fn request(&self, quirks: &Quirks) -> HttpRequest {
        let form = Form::new().add_scope(self.scope).add_some("resource", self.resource);
        self.client.post(EXCHANGE, self.endpoint, form, self.assertion, quirks)
    }
}

members! {
    pub(crate) struct Answer {
        "RFC 8628 section 3.2":
            device_code, user_code, verification_uri, verification_url, verification_uri_complete, expires_in,
            interval;
    }
}

/// Reads the answer.
///
/// # Errors
/// [`Refused::Token`] with the server's code; [`PeerMisbehaved`](crate::error::PeerMisbehaved) when the answer
/// breaks a rule, such as a URI that is not http(s).
pub fn read(
    request: &DeviceRequest<'_>,
    response: &HttpResponse<'_>,
    quirks: &Quirks,
    findings: &mut Findings,
) -> Result<DeviceCodes, Error> {
    let secrets: Vec<_> = request.client.secret.as_ref().into_iter().chain(request.assertion).collect();
    let mut reader = Reader::new(EXCHANGE, findings);
    reader.secrets = &secrets;
    if !response.is_success() {
        return Err(token::refused(response, &mut reader, quirks));
    }
    reader.note_status(response.status, &[200], "RFC 8628 section 3.2");
    let answer: Answer<'_> = reader.document(response, limits::DOCUMENT_BODY)?;
    // GitHub says 200 to everything.
    if !answer.device_code.has_value()
        && let Some(refused) = token::error_in(response, &mut reader, quirks)
    {
        return Err(refused.into());
    }
    // The name that it had in drafts, and has at Google.
    let stands_in = answer.verification_url.has_value() && !answer.verification_uri.has_value();
    let verification_uri = if stands_in {
        let problem = Problem::Named(answer.verification_url.name());
        reader.note(Some(answer.verification_uri.name()), problem, "RFC 8628 section 3.2", Handling::Read);
        &answer.verification_url
    } else {
        &answer.verification_uri
    };
    Ok(DeviceCodes {
        device_code: reader.required(code(&answer.device_code, limits::CREDENTIAL))?.into(),
        user_code: reader.required(code(&answer.user_code, limits::USER_CODE))?.into(),
        verification_uri: reader.required(page(verification_uri))?,
        verification_uri_complete: reader.optional(page(&answer.verification_uri_complete)),
        expires_in_s: reader.expected(answer.expires_in.seconds(limits::LIFETIME_S), limits::DEVICE_CODE_S),
        // RFC 8628 3.2: five seconds where the server does not say.
        interval_s: reader.optional(answer.interval.seconds(limits::POLL_S)).unwrap_or(5).max(1),
    })
}

fn code(member: &Member<'_>, most: usize) -> Use<String> {
    member.text(most).and_then(|code| match code.chars().any(char::is_control) {
        true => Err(Problem::Malformed),
        false => Ok(code.into_owned()),
    })
}

fn page(member: &Member<'_>) -> Use<AuthorizationUrl> {
    member
        .text(limits::AUTHORIZATION_URL)
        .and_then(|text| AuthorizationUrl::read(&text).ok_or(Problem::Malformed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::PeerMisbehaved;
    use crate::wire::testing::{Answer as Answered, url};

    fn read_answer(body: &serde_json::Value) -> Result<DeviceCodes, Error> {
        let (endpoint, client) = (url("https://as/device"), Client::public("id"));
        let scope = ScopeSet::new();
        let request = DeviceRequest {
            endpoint: &endpoint,
            client: &client,
            scope: &scope,
            resource: None,
            assertion: None,
        };
        assert_eq!(request.request(&Quirks::none()).body.expose(), "client_id=id");
        read(&request, &Answered::json(&body.to_string()).response(), &Quirks::none(), &mut Findings::new())
    }

    fn with(name: &str, value: impl Into<serde_json::Value>) -> serde_json::Value {
        let mut body = serde_json::json!({
            "device_code": "d", "user_code": "U", "verification_uri": "https://as/d", "expires_in": 60
        });
        body[name] = value.into();
        body
    }

    #[test]
    fn rfc8628_3_2_answer() {
        let codes = read_answer(&with("verification_uri_complete", "https://as/d?code=U")).unwrap();
        assert_eq!((codes.interval_s, codes.expires_in_s), (5, 60));
        assert_eq!(codes.verification_uri_complete.unwrap().as_str(), "https://as/d?code=U");
        assert_eq!(read_answer(&with("interval", 0)).unwrap().interval_s, 1, "no polling without a pause");
        assert!(!format!("{:?}", read_answer(&with("device_code", "planted"))).contains("planted"));
    }

    #[test]
    fn rfc8628_3_2_pages_of_another_scheme_and_codes_that_are_none() {
        for (field, value) in [
            ("verification_uri", "javascript:alert(1)"),
            ("verification_uri", "file:///etc/passwd"),
            ("user_code", "a\u{1b}[2J"),
        ] {
            let problem = Problem::Malformed;
            let refused = PeerMisbehaved::Unusable { exchange: EXCHANGE, field, problem };
            assert_eq!(read_answer(&with(field, value)), Err(refused.into()), "{value}");
        }
        for field in ["user_code", "device_code", "verification_uri"] {
            let missing = PeerMisbehaved::MissingField { exchange: EXCHANGE, field };
            assert_eq!(read_answer(&with(field, "")), Err(missing.into()));
        }
        let codes = read_answer(&with("verification_uri_complete", "x-evil:open")).unwrap();
        assert_eq!(codes.verification_uri_complete, None, "there is another page");
    }

    #[test]
    fn google_names_the_page_as_drafts_did() {
        let mut body = with("verification_url", "https://as/d2");
        assert_eq!(
            read_answer(&body).unwrap().verification_uri.as_str(),
            "https://as/d",
            "the real name wins"
        );
        body.as_object_mut().unwrap().remove("verification_uri");
        assert_eq!(read_answer(&body).unwrap().verification_uri.as_str(), "https://as/d2");
        body["verification_url"] = "javascript:alert(1)".into();
        let (field, problem) = ("verification_url", Problem::Malformed);
        let refused = PeerMisbehaved::Unusable { exchange: EXCHANGE, field, problem };
        assert_eq!(read_answer(&body), Err(refused.into()));
    }

    #[test]
    fn rfc8628_3_2_times_written_otherwise() {
        assert_eq!(read_answer(&with("interval", "5")).unwrap().interval_s, 5);
        assert_eq!(read_answer(&with("interval", "soon")).unwrap().interval_s, 5);
        assert_eq!(read_answer(&with("interval", 1e9)).unwrap().interval_s, limits::POLL_S);
        assert_eq!(read_answer(&with("expires_in", "1800")).unwrap().expires_in_s, 1800);
        assert_eq!(read_answer(&with("expires_in", 1800.0)).unwrap().expires_in_s, 1800);
        let none = serde_json::Value::Null;
        assert_eq!(read_answer(&with("expires_in", none)).unwrap().expires_in_s, limits::DEVICE_CODE_S);
    }

    #[test]
    fn rfc8628_3_5_polling() {
        let error = |code: &str| {
            let answer = Answered::new(400, "application/json", &format!(r#"{{"error":"{code}"}}"#));
            let mut findings = Findings::new();
            let mut reader = Reader::new(Exchange::DeviceToken, &mut findings);
            token::refused(&answer.response(), &mut reader, &Quirks::none())
        };
        assert_eq!(Poll::of(&error("authorization_pending")), Some(Poll::Pending));
        assert_eq!(Poll::of(&error("slow_down")), Some(Poll::SlowDown));
        assert_eq!(Poll::of(&error("expired_token")), None);
        assert_eq!(Poll::of(&error("access_denied")), None);
    }
}
