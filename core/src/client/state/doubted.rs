//! A client that its server may have forgotten.

use crate::client::state::server::Server;
use crate::secret::Secret;
use crate::wire::pkce::Verifier;
use crate::wire::token::{Grant, TokenRequest};

/// A client that a server may have forgotten.
#[derive(Clone, Debug)]
pub(crate) struct Doubted {
    pub(crate) server: Server,
    pub(crate) redirect_uri: Box<str>,
}

impl Doubted {
    pub(crate) fn new(server: Server, redirect_uri: Box<str>) -> Self {
        Self { server, redirect_uri }
    }

    /// Asks for a token with a code that nobody issued: a server that knows the client refuses the code
    /// (`invalid_grant`), one that does not refuses the client (RFC 6749 5.2).
    pub(crate) fn with<T>(&self, then: impl FnOnce(&TokenRequest<'_>) -> T) -> T {
        let code = Secret::from("is-this-client-known");
        let verifier = Verifier::from_record(Secret::from("this-code-was-never-issued-to-anybody-at-all-"));
        then(&TokenRequest {
            endpoint: self.server.token_endpoint(),
            client: self.server.client(),
            grant: Grant::AuthorizationCode {
                code: &code,
                redirect_uri: &self.redirect_uri,
                verifier: &verifier,
            },
            resource: None,
            assertion: None,
            proof: None,
        })
    }
}
