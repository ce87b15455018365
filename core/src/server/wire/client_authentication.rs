//! How a client says who it is (RFC 6749 2.3, RFC 7523 2.2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap};

use super::error::{ErrorCode, OAuthError};
use super::parameters::RequestParameters;
use crate::jose::ClientAssertion;
use crate::secret::Secret;
use crate::wire::client_auth::ClientAuthMethod;
use crate::wire::form;

/// What a client brought to show who it is; not checked yet.
#[non_exhaustive]
pub enum ClientAuthentication<'a> {
    /// Its name alone.
    None {
        /// The client.
        client_id: &'a str,
    },
    /// A secret.
    Secret {
        /// The client.
        client_id: String,
        /// The secret.
        secret: Secret,
        /// Whether it came in the header `Authorization`.
        by_header: bool,
    },
    /// A JWT that the client signed (`private_key_jwt`).
    Assertion {
        /// The client, if the request names it beside the assertion.
        client_id: Option<&'a str>,
        /// The assertion.
        assertion: &'a str,
    },
}

impl ClientAuthentication<'_> {
    /// By which of the registered methods it is.
    pub fn method(&self) -> ClientAuthMethod {
        match self {
            Self::None { .. } => ClientAuthMethod::None,
            Self::Secret { by_header: true, .. } => ClientAuthMethod::SecretBasic,
            Self::Secret { .. } => ClientAuthMethod::SecretPost,
            Self::Assertion { .. } => ClientAuthMethod::PrivateKeyJwt,
        }
    }
}

impl fmt::Debug for ClientAuthentication<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuthentication").field("method", &self.method()).finish_non_exhaustive()
    }
}

/// Reads what came.
///
/// # Errors
/// `invalid_request` for more than one method (RFC 6749 2.3) or two names, `invalid_client` for none.
pub fn read_client_authentication<'a>(
    headers: &HeaderMap,
    parameters: &'a RequestParameters,
) -> Result<ClientAuthentication<'a>, OAuthError> {
    let bad = |description| OAuthError::new(ErrorCode::InvalidRequest, description);
    let client_id = parameters.get("client_id")?;
    let secret = parameters.get("client_secret")?;
    let assertion = parameters.get("client_assertion")?;
    let basic = basic(headers)?;
    match (basic, secret, assertion) {
        (Some((client_id_in_header, secret)), None, None) => {
            // Many clients send their id in the body, too.
            if client_id.is_some_and(|client_id| client_id != client_id_in_header) {
                return Err(bad("header and body name two clients"));
            }
            Ok(ClientAuthentication::Secret { client_id: client_id_in_header, secret, by_header: true })
        }
        (None, Some(secret), None) => {
            let client_id = client_id.ok_or(bad("the client_id is missing"))?.to_owned();
            Ok(ClientAuthentication::Secret { client_id, secret: secret.into(), by_header: false })
        }
        (None, None, Some(assertion)) => {
            if parameters.get("client_assertion_type")? != Some(ClientAssertion::TYPE) {
                return Err(bad("the client_assertion_type is missing or unknown"));
            }
            Ok(ClientAuthentication::Assertion { client_id, assertion })
        }
        (None, None, None) => match client_id {
            Some(client_id) => Ok(ClientAuthentication::None { client_id }),
            None => Err(OAuthError::new(ErrorCode::InvalidClient, "the request names no client")),
        },
        _ => Err(bad("the client authenticates in more than one way")),
    }
}

/// `Basic`, with name and secret in form encoding (RFC 6749 2.3.1). Clients that leave the encoding out are understood
/// where that makes no difference.
fn basic(headers: &HeaderMap) -> Result<Option<(String, Secret)>, OAuthError> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = all.next() else { return Ok(None) };
    let invalid = OAuthError {
        by_header: true,
        ..OAuthError::new(ErrorCode::InvalidClient, "the header Authorization is no Basic authentication")
    };
    if all.next().is_some() {
        return Err(invalid);
    }
    let read = || {
        let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then_some(())?;
        let decoded = zeroize::Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
        let (client_id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some((
            form::decode(client_id).ok()?.into_owned(),
            Secret::from(form::decode(secret).ok()?.into_owned()),
        ))
    };
    read().map(Some).ok_or(invalid)
}
