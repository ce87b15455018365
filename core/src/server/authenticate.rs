//! Whether a client is who it says (RFC 6749 2.3, RFC 7523 2.2).

use super::assertion;
use super::client::{Client, Origin, UNKNOWN};
use super::context::Cx;
use super::credential::Use;
use super::request::Request;
use super::wire::{
    ClientAuthentication, ErrorCode, OAuthError, RequestParameters, read_client_authentication,
};
use crate::jose::decode_base64url;
use crate::secret::Secret;
use crate::wire::client_auth::ClientAuthMethod;

impl Cx {
    /// The client that sent a request, if it is the one.
    ///
    /// # Errors
    /// `invalid_client`; `invalid_request` for more than one authentication.
    pub(super) async fn authenticate(
        &self,
        request: &Request,
        parameters: &RequestParameters,
    ) -> Result<Client, OAuthError> {
        let presented = read_client_authentication(&request.headers, parameters)?;
        let by_header = matches!(presented, ClientAuthentication::Secret { by_header: true, .. });
        self.check_client(presented).await.map_err(|error| OAuthError { by_header, ..error })
    }

    async fn check_client(&self, presented: ClientAuthentication<'_>) -> Result<Client, OAuthError> {
        let failed = OAuthError::new(
            ErrorCode::InvalidClient,
            "the client is not known, or did not authenticate as it registered to",
        );
        let method = presented.method();
        let mut client = match &presented {
            ClientAuthentication::None { client_id } => self.client(client_id).await?,
            // Whoever tries secrets does not learn which clients there are.
            ClientAuthentication::Secret { client_id, .. } => {
                self.client(client_id).await.map_err(|error| if error == UNKNOWN { failed } else { error })?
            }
            ClientAuthentication::Assertion { client_id, assertion } => {
                let issuer = assertion::issuer(assertion).ok_or(failed)?;
                if client_id.is_some_and(|client_id| *client_id != *issuer) {
                    return Err(failed);
                }
                self.client(&issuer).await?
            }
        };
        let both = [ClientAuthMethod::SecretBasic, ClientAuthMethod::SecretPost];
        let registered = &client.description.methods;
        // Which of the two places holds the secret protects nobody, and clients mix them up.
        let allowed = registered.contains(&method)
            || both.contains(&method) && registered.iter().any(|own| both.contains(own));
        if !allowed {
            return Err(failed);
        }
        let proven = match &presented {
            ClientAuthentication::None { .. } => true,
            ClientAuthentication::Secret { secret, .. } => self.has_secret(&client, secret),
            ClientAuthentication::Assertion { assertion, .. } => {
                assertion::check_client(self, &client, assertion).await?;
                true
            }
        };
        client.authenticated = proven && !matches!(presented, ClientAuthentication::None { .. });
        if proven { Ok(client) } else { Err(failed) }
    }

    fn has_secret(&self, client: &Client, secret: &Secret) -> bool {
        match (&client.secret, client.origin) {
            (Some(own), _) => own.matches(secret.expose()),
            (None, Origin::Dynamic) => {
                let tag = decode_base64url(secret.expose()).unwrap_or_default();
                tag.len() == 32
                    && self.provider.secrets.made(Use::ClientSecret, &[client.id.as_bytes()], &tag)
            }
            (None, _) => false,
        }
    }
}
