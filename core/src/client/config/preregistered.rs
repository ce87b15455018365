//! Clients that were registered by hand.

use crate::key::Key;
use crate::secret::Secret;
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::server_metadata::Issuer;

/// A client that was registered by hand, and with which server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preregistered {
    pub(crate) issuer: Option<Issuer>,
    pub(crate) id: Box<str>,
    pub(crate) secret: Option<Secret>,
    pub(crate) method: Option<ClientAuthMethod>,
    pub(crate) key: Option<Key>,
}

impl Preregistered {
    /// A public client of the authorization server `issuer`.
    pub fn new(issuer: &str, client_id: &str) -> Self {
        Self { issuer: Some(Issuer::trusted(issuer)), ..Self::bound_on_first_use(client_id) }
    }

    /// A public client of whatever authorization server the resource names when it is first used. From
    /// then on it is bound to that one (MCP "Authorization Server Binding"). Name the issuer if you know
    /// it: until the first use, the resource decides who sees the client's secret.
    pub fn bound_on_first_use(client_id: &str) -> Self {
        Self { issuer: None, id: client_id.into(), secret: None, method: None, key: None }
    }

    /// The client's secret.
    #[must_use]
    pub fn secret(self, secret: Secret) -> Self {
        Self { secret: Some(secret), ..self }
    }

    /// The client's private key, for assertions instead of a secret (`private_key_jwt`, RFC 7523 2.2).
    #[must_use]
    pub fn key(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }

    /// How the client authenticates; by itself with its key if it has one, else with its secret the first
    /// way that the server supports, Basic before the body. `client_secret_jwt` is only used when it is
    /// set here.
    #[must_use]
    pub fn method(self, method: ClientAuthMethod) -> Self {
        Self { method: Some(method), ..self }
    }

    /// The client, for a server that supports these methods.
    pub(crate) fn client(&self, supported: &[ClientAuthMethod]) -> Option<Client> {
        self.by_methods(supported).map(|client| Client { configured: true, ..client })
    }

    fn by_methods(&self, supported: &[ClientAuthMethod]) -> Option<Client> {
        if self.key.is_some() && self.method.is_none_or(|method| method == ClientAuthMethod::PrivateKeyJwt) {
            return Some(Client::with_key(&self.id));
        }
        let Some(secret) = &self.secret else { return Some(Client::public(&self.id)) };
        let by_server = || {
            [ClientAuthMethod::SecretBasic, ClientAuthMethod::SecretPost]
                .into_iter()
                .find(|method| supported.contains(method))
        };
        let method = self.method.or_else(by_server)?;
        Some(Client::confidential(&self.id, secret.clone(), method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preregistered_methods() {
        use ClientAuthMethod::{None, SecretBasic, SecretPost};
        let public = Preregistered::new("https://as", "id");
        let client = public.client(&[SecretBasic]).unwrap();
        assert!(client.configured && client.secret.is_none() && client.method == None);
        let secret = public.secret(Secret::from("s"));
        assert_eq!(secret.client(&[SecretPost, SecretBasic]).unwrap().method, SecretBasic);
        assert_eq!(secret.client(&[None, SecretPost]).unwrap().method, SecretPost);
        assert_eq!(secret.client(&[None]), Option::None);
        assert_eq!(secret.method(SecretPost).client(&[]).unwrap().method, SecretPost);
    }
}
