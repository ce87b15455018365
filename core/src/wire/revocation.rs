//! Giving tokens back (RFC 7009).

use http::StatusCode;
use url::Url;

use crate::error::{Error, Exchange};
use crate::finding::Findings;
use crate::quirks::Quirks;
use crate::secret::Secret;
use crate::wire::client_auth::Client;
use crate::wire::document::Reader;
use crate::wire::form::Form;
use crate::wire::http::{HttpRequest, HttpResponse};
use crate::wire::token;

const EXCHANGE: Exchange = Exchange::Revocation;

/// A token to be given back.
///
/// ```
/// use grantor::wire::client_auth::Client;
/// use grantor::wire::revocation::{RevocationRequest, TokenHint};
/// use grantor::{Quirks, Secret};
/// let request = RevocationRequest {
///     endpoint: &"https://as.example.com/revoke".parse()?,
///     client: &Client::public("c1"),
///     token: &Secret::from("r1"),
///     hint: TokenHint::RefreshToken,
///     assertion: None,
/// };
/// assert_eq!(
///     request.request(&Quirks::none()).body.expose(),
///     "token=r1&token_type_hint=refresh_token&client_id=c1"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RevocationRequest<'a> {
    /// The server's revocation endpoint.
    pub endpoint: &'a Url,
    /// Whose token it is.
    pub client: &'a Client,
    /// The token. With a refresh token, the access tokens of the same grant go too (RFC 7009 2.1).
    pub token: &'a Secret,
    /// What kind of token it is.
    pub hint: TokenHint,
    /// The client's assertion, when it [needs one](Client::needs_assertion).
    pub assertion: Option<&'a Secret>,
}

/// `token_type_hint` (RFC 7009 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenHint {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
}

impl RevocationRequest<'_> {
    /// Builds the request.
    pub fn request(&self, quirks: &Quirks) -> HttpRequest {
        self.client.post(EXCHANGE, self.endpoint, self.form(), self.assertion, quirks)
    }

    /// The same with an empty `client_secret`, which may be left out (RFC 6749 2.3.1) and which some servers demand
    /// of clients that have none, or send theirs in the header.
    pub(crate) fn with_empty_secret(&self, quirks: &Quirks) -> HttpRequest {
        let form = self.form().add("client_secret", "");
        self.client.post(EXCHANGE, self.endpoint, form, self.assertion, quirks)
    }

    fn form(&self) -> Form<'_> {
        let hint = match self.hint {
            TokenHint::AccessToken => "access_token",
            TokenHint::RefreshToken => "refresh_token",
        };
        Form::new().add("token", self.token.expose()).add("token_type_hint", hint)
    }
}

/// Reads the answer: 200 also for a token that was not known (RFC 7009 2.2).
///
/// # Errors
/// [`Refused`](crate::error::Refused) when the server did not take the token back.
pub fn read(
    request: &RevocationRequest<'_>,
    response: &HttpResponse<'_>,
    quirks: &Quirks,
    findings: &mut Findings,
) -> Result<(), Error> {
    if StatusCode::from_u16(response.status).is_ok_and(|status| status.is_success()) {
        return Ok(());
    }
    let own = request.client.secret.as_ref();
    let secrets: Vec<_> = own.into_iter().chain(request.assertion).chain([request.token]).collect();
    let mut reader = Reader::new(EXCHANGE, findings);
    reader.secrets = &secrets;
    Err(token::refused(response, &mut reader, quirks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refused;
    use crate::wire::testing::{Answer, url};

    fn read_answer(answer: &Answer) -> Result<(), Error> {
        let (endpoint, client, token) =
            (url("https://as/revoke"), Client::public("id"), Secret::from("planted"));
        let request = RevocationRequest {
            endpoint: &endpoint,
            client: &client,
            token: &token,
            hint: TokenHint::AccessToken,
            assertion: None,
        };
        assert!(request.request(&Quirks::none()).body.expose().contains("token_type_hint=access_token"));
        read(&request, &answer.response(), &Quirks::none(), &mut Findings::new())
    }

    #[test]
    fn rfc7009_2_2_success_whatever_the_body() {
        assert_eq!(read_answer(&Answer::new(200, "text/html", "")), Ok(()));
        assert_eq!(read_answer(&Answer::new(204, "", "")), Ok(()));
    }

    #[test]
    fn rfc7009_2_2_1_errors() {
        let answer = Answer::new(
            400,
            "application/json",
            r#"{"error":"unsupported_token_type","error_description":"planted"}"#,
        );
        let Err(Error::Refused(Refused::Token { code, description })) = read_answer(&answer) else {
            panic!()
        };
        assert_eq!(code, "unsupported_token_type");
        assert!(!description.unwrap().to_string().contains("planted"));
        let unavailable = read_answer(&Answer::new(503, "text/html", ""));
        assert!(matches!(unavailable, Err(Error::Refused(Refused::Unavailable { status: 503, .. }))));
    }
}
