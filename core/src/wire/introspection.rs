//! Token introspection (RFC 7662): a resource server asks the authorization server what a token is.

use serde_json::value::RawValue;
use url::Url;

use crate::error::{Error, Exchange, PeerMisbehaved, PeerText, Refused};
use crate::jose::Claims;
use crate::limits;
use crate::quirks::Quirks;
use crate::secret::Secret;
use crate::wire::client_auth::Client;
use crate::wire::form::Form;
use crate::wire::http::{HttpRequest, HttpResponse};
use crate::wire::json::{self, Expect};

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
pub fn read<'a>(response: &HttpResponse<'a>, token: &Secret) -> Result<Introspection<'a>, Error> {
    if response.is_unavailable() {
        let retry_after_s = response.retry_after_s();
        return Err(
            Refused::Unavailable { exchange: EXCHANGE, status: response.status, retry_after_s }.into()
        );
    }
    match response.status {
        200 => {}
        400 | 401 | 403 => {
            let code = PeerText::new(&format!("introspection answered with status {}", response.status));
            return Err(Refused::Token { code, description: None }.into());
        }
        status => return Err(PeerMisbehaved::Status { exchange: EXCHANGE, status }.into()),
    }
    let secrets = [token];
    let expect = Expect {
        exchange: EXCHANGE,
        max_body: limits::TOKEN_BODY,
        any_content_type: false,
        secrets: &secrets,
    };
    let text: &RawValue = json::read(response, expect)?;
    #[derive(serde::Deserialize)]
    struct Document {
        active: bool,
    }
    if !text.get().starts_with('{') {
        // serde would take the elements of an array for members.
        return Err(PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "active" }.into());
    }
    let document: Document = json::parse(text.get(), EXCHANGE)?;
    Ok(if document.active { Introspection::Active(text.get()) } else { Introspection::Inactive })
}

/// Reads what a host says of a token that it checked: the members of an introspection answer, `active` among them
/// or not. A host that passes on what a server said may pass on that the token is not active, or an error.
pub(crate) fn of_host(json: &str) -> Introspection<'_> {
    let says_no = Claims::parse(json.as_bytes()).is_ok_and(|facts| {
        facts.has("active") && facts.raw("active") != Some("true") || facts.raw("error").is_some()
    });
    if says_no { Introspection::Inactive } else { Introspection::Active(json) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client_auth::ClientAuthMethod;
    use crate::wire::testing::{Answer, url};

    fn read_json(json: &str) -> Result<String, Error> {
        read(&Answer::json(json).response(), &Secret::from("t")).map(|answer| match answer {
            Introspection::Active(text) => text.to_owned(),
            Introspection::Inactive => String::new(),
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
        for array in ["[]", "[true]"] {
            let missing = PeerMisbehaved::MissingField { exchange: EXCHANGE, field: "active" };
            assert_eq!(read_json(array), Err(missing.into()), "{array}");
        }
        for bad in ["{}", r#"{"active":"true"}"#, r#"{"active":1}"#, r#"{"active":true,"active":false}"#] {
            assert!(
                matches!(read_json(bad), Err(Error::PeerMisbehaved(PeerMisbehaved::Json { .. }))),
                "{bad}"
            );
        }
    }

    #[test]
    fn rfc7662_2_3_errors_are_not_inactive_tokens() {
        let status = |status| {
            let mut answer = Answer::json(r#"{"active":false}"#);
            answer.status = status;
            read(&answer.response(), &Secret::from("t")).map(drop).unwrap_err()
        };
        assert!(matches!(status(401), Error::Refused(Refused::Token { .. })));
        assert!(matches!(status(503), Error::Refused(Refused::Unavailable { .. })));
        assert!(matches!(status(302), Error::PeerMisbehaved(PeerMisbehaved::Status { .. })));
    }
}
