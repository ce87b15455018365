//! A token request, whatever the grant.

use std::sync::Arc;

use crate::client::state::server::Server;
use crate::client::state::signing::{Dpop, Signatures};
use crate::error::{Error, Exchange, Refused};
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::pkce::Verifier;
use crate::wire::token::{self, TokenRequest, TokenTypeUri};

/// A token request: with whom, as whom, for what.
#[derive(Clone, Debug)]
pub(crate) struct TokenExchange {
    pub(crate) server: Server,
    pub(crate) resource: Option<Box<str>>,
    pub(crate) scopes: ScopeSet,
    pub(crate) ask: Ask,
    /// The key that the token is to be bound to.
    pub(crate) dpop: Option<Arc<Dpop>>,
    /// What the request that is under way carries.
    pub(crate) signatures: Signatures,
    /// Whether it was sent again with another nonce.
    pub(crate) nonce_retried: bool,
}

/// What is given for the token.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Assertion(Secret),
    ClientCredentials,
    Code { code: Secret, redirect_uri: Box<str>, verifier: Verifier },
    DeviceCode(Secret),
    Subject { token: Secret, kind: TokenTypeUri, audience: Box<str> },
}

impl TokenExchange {
    /// The request, for building it and for reading its answer.
    pub(crate) fn with<T>(&self, then: impl FnOnce(&TokenRequest<'_>) -> T) -> T {
        let scope = &self.scopes;
        let grant = match &self.ask {
            Ask::Assertion(assertion) => token::Grant::JwtBearer { assertion, scope },
            Ask::ClientCredentials => token::Grant::ClientCredentials { scope },
            Ask::Code { code, redirect_uri, verifier } => {
                token::Grant::AuthorizationCode { code, redirect_uri, verifier }
            }
            Ask::DeviceCode(device_code) => token::Grant::DeviceCode { device_code },
            Ask::Subject { token, kind, audience } => token::Grant::TokenExchange {
                subject_token: token,
                subject_token_type: *kind,
                requested_token_type: TokenTypeUri::IdJag,
                audience,
                scope,
            },
        };
        then(&TokenRequest {
            endpoint: self.server.token_endpoint(),
            client: self.server.client(),
            grant,
            resource: self.resource.as_deref(),
            assertion: self.signatures.assertion.as_ref(),
            proof: self.signatures.proof.as_ref(),
        })
    }

    /// Which exchange it is.
    pub(crate) fn exchange(&self) -> Exchange {
        self.with(|request| request.grant.exchange())
    }

    pub(crate) fn why(&self) -> &'static str {
        match self.ask {
            Ask::Assertion(_) => "the assertion is exchanged for a token",
            Ask::ClientCredentials => "the client asks for a token of its own",
            Ask::Code { .. } => "the code is exchanged for a token",
            Ask::DeviceCode(_) => "the user may have agreed on the other device",
            Ask::Subject { .. } => {
                "the identity provider is to vouch for the user at the authorization server"
            }
        }
    }
}

/// Whether an answer refuses the client rather than what it asked with: by its code, or by a bare 401, the status
/// for that (RFC 6749 5.2). A code says itself what is refused, whatever its status.
pub(crate) fn is_client_refused(error: &Error, status: u16) -> bool {
    let has_code = matches!(error, Error::Refused(Refused::Token { .. }));
    is_client_unknown(error) || (status == 401 && !has_code)
}

/// Whether a server does not know the client (RFC 6749 5.2). The MCP Python SDK's server says
/// `unauthorized_client` in its older releases, and only its words tell that the id is missing or unknown.
pub(crate) fn is_client_unknown(error: &Error) -> bool {
    let Error::Refused(Refused::Token { code, description, .. }) = error else { return false };
    let is_about_id = || description.as_ref().is_some_and(|text| text.as_str().contains("client_id"));
    match code.as_str() {
        "invalid_client" => true,
        "invalid_request" | "unauthorized_client" => is_about_id(),
        _ => false,
    }
}
