//! An authorization server and the client that is registered there, as one value.

use url::Url;

use crate::wire::client_auth::Client;
use crate::wire::server_metadata::{Issuer, ServerMetadata};

/// What belongs to one issuer: its endpoints, and the client that it knows.
///
/// Whoever sends tokens, codes or client credentials takes this value whole, so that those of one server
/// cannot reach another's endpoint (MCP "Authorization Server Binding"). It comes from one validated
/// metadata document, from one record, or from the configuration; its parts cannot be replaced.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    issuer: Issuer,
    token_endpoint: Url,
    revocation_endpoint: Option<Box<Url>>,
    client: Client,
}

impl Server {
    /// The server that a validated document describes, with the client that was found for it.
    pub(crate) fn described(document: &ServerMetadata, client: Client) -> Self {
        Self {
            issuer: document.issuer.clone(),
            token_endpoint: document.token_endpoint.clone(),
            revocation_endpoint: document.revocation_endpoint.clone(),
            client,
        }
    }

    /// A server that publishes no metadata, with the token endpoint and the client configured for it.
    pub(crate) fn configured(issuer: Issuer, token_endpoint: Url, client: Client) -> Self {
        Self { issuer, token_endpoint, revocation_endpoint: None, client }
    }

    /// The server and the client that one record names.
    pub(crate) fn recorded(
        issuer: &str,
        token_endpoint: Url,
        revocation_endpoint: Option<Box<Url>>,
        client: Client,
    ) -> Self {
        Self { issuer: Issuer::trusted(issuer), token_endpoint, revocation_endpoint, client }
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    pub(crate) fn token_endpoint(&self) -> &Url {
        &self.token_endpoint
    }

    /// Where tokens are given back, if the server was known to have such a place.
    pub(crate) fn revocation_endpoint(&self) -> Option<&Url> {
        self.revocation_endpoint.as_deref()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The same client with its id in another place.
    pub(crate) fn with_id_in_body(&self) -> Option<Self> {
        Some(Self { client: self.client.with_id_in_body()?, ..self.clone() })
    }
}
