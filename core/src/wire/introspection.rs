//! Token introspection (RFC 7662): a resource server asks the authorization server what a token is.

use url::Url;

use crate::error::{Error, Exchange, PeerMisbehaved, PeerText, Refused};
use crate::finding::Findings;
#[cfg(feature = "crypto")]
use crate::jose::Claims;
use crate::limits;
use crate::quirks::Quirks;
use crate::secret::Secret;
use crate::wire::client_auth::Client;
use crate::wire::document::{Reader, members};
use crate::wire::form::Form;
use crate::wire::http::{HttpRequest, HttpResponse};

const EXCHANGE: Exchange = Exchange::Introspection;

/// Asks about an access token; `client` is who this resource server is at the authorization server.
///
/// ```
/// use grantor::wire::client_auth::{Client, ClientAuthMethod};
/// use grantor::wire::introspection;
/// let client = Client::confidential("mcp", "s3cr3t".into(), ClientAuthMethod::SecretPost);
/// let request = introspection::request("https://as.example.com/introspect".parse()?, "2YotnFZ", &client);
/// assert!(request.body.expose().starts_with("token=2YotnFZ&token_type_hint=access_token&client_id=mcp"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn request(endpoint: Url, token: &str, client: &Client) -> HttpRequest {
    let form = Form::new().add("token", token).add("token_type_hint", "access_token");
    client.post(EXCHANGE, &endpoint, form, None, &Quirks::none())
}

/// What an authorization server says of a token (RFC 7662 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Introspection<'a> {
    /// It is valid; the members of the answer are read like claims. The text is personal data.
    Active(&'a str),
    /// It is not valid; no word why.
    Inactive,
}

/// Reads the answer to [`request`].
///
/// # Errors
/// When the server failed, refused this client, or its answer breaks a rule.
pub fn read<'a>(
    response: &HttpResponse<'a>,
    token: &Secret,
    findings: &mut Findings,
) -> Result<Introspection<'a>, Error> {
    if response.is_unavailable() {
        let retry_after_s = response.retry_after_s();
        return Err(
            Refused::Unavailable { exchange: EXCHANGE, status: response.status, retry_after_s }.into()
        );
    }
    match response.status {
        _ if response.is_success() => {}
        400 | 401 | 403 => {
            let code = PeerText::new(&format!("introspection answered with status {}", response.status));
            return Err(Refused::Token { code, description: None }.into());
        }
        status => return Err(PeerMisbehaved::Status { exchange: EXCHANGE, status }.into()),
    }
    let secrets = [token];
    let mut reader = Reader::new(EXCHANGE, findings);
    reader.secrets = &secrets;
    reader.note_status(response.status, &[200], "RFC 7662 section 2.2");
    let body = reader.body(response, limits::TOKEN_BODY)?;
    let text = std::str::from_utf8(body).map_err(|_| PeerMisbehaved::Utf8 { exchange: EXCHANGE })?;
    let answer: Answer<'_> = reader.parse(body)?;
    // Only `true` is a promise.
    let active = reader.required(answer.active.strict_flag())?;
    Ok(if active { Introspection::Active(text) } else { Introspection::Inactive })
}

members! {
    pub(crate) struct Answer {
        "RFC 7662 section 2.2": active;
    }
}

/// Reads what a host says of a token that it checked: the members of an introspection answer, `active` among them
/// or not. A host that passes on what a server said may pass on that the token is not active, or an error.
#[cfg(feature = "crypto")]
pub(crate) fn of_host(json: &str) -> Introspection<'_> {
    let says_no = Claims::parse(json.as_bytes()).is_ok_and(|facts| {
        facts.has("active") && facts.raw("active") != Some("true") || facts.raw("error").is_some()
    });
    if says_no { Introspection::Inactive } else { Introspection::Active(json) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{JsonType, Problem};
    use crate::wire::client_auth::ClientAuthMethod;
    use crate::wire::testing::{Answer, url};

    fn read_json(json: &str) -> Result<String, Error> {
        read(&Answer::json(json).response(), &Secret::from("t"), &mut Findings::new()).map(|answer| {
            match answer {
                Introspection::Active(text) => text.to_owned(),
                Introspection::Inactive => String::new(),
            }
        })
    }

    #[test]
    fn rfc7662_2_1_request() {
        let client = Client::confidential("id", "s&t".into(), ClientAuthMethod::SecretBasic);
        let request = request(url("https://as/introspect"), "a+b", &client);
        assert_eq!(request.method, http::Method::POST);
        assert_eq!(request.body.expose(), "token=a%2Bb&token_type_hint=access_token");
        assert!(request.headers["authorization"].is_sensitive());
        assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    }

    #[test]
    fn rfc7662_2_2_answers() {
        assert_eq!(read_json(r#"{"active":true,"scope":"a"}"#).unwrap(), r#"{"active":true,"scope":"a"}"#);
        assert_eq!(read_json(r#"{"active":false}"#).unwrap(), "");
        let expected = JsonType::Boolean;
        let unusable = |problem| PeerMisbehaved::Unusable { exchange: EXCHANGE, field: "active", problem };
        let array = || PeerMisbehaved::NotAnObject { exchange: EXCHANGE, got: JsonType::Array };
        for (bad, error) in [
            ("{}", PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "active" }),
            ("[]", array()),
            ("[true]", array()),
            (r#"{"active":"true"}"#, unusable(Problem::Type { expected, got: JsonType::String })),
            (r#"{"active":1}"#, unusable(Problem::Type { expected, got: JsonType::Number })),
            (r#"{"active":true,"active":false}"#, unusable(Problem::Contradictory)),
        ] {
            assert_eq!(read_json(bad), Err(error.into()), "{bad}");
        }
    }

    #[test]
    fn rfc7662_2_3_errors_are_not_inactive_tokens() {
        let status = |status| {
            let mut answer = Answer::json(r#"{"active":false}"#);
            answer.status = status;
            read(&answer.response(), &Secret::from("t"), &mut Findings::new()).map(drop).unwrap_err()
        };
        assert!(matches!(status(401), Error::Refused(Refused::Token { .. })));
        assert!(matches!(status(503), Error::Refused(Refused::Unavailable { .. })));
        assert!(matches!(status(302), Error::PeerMisbehaved(PeerMisbehaved::Status { .. })));
    }
}
