//! The requests and answers of an authorization server, each as a pure function: usable alone, by whoever has a
//! server already.
//!
//! ```
//! use grantor::server::wire::{AuthorizationParameters, AuthorizationResponse, ErrorCode};
//!
//! let parameters = AuthorizationParameters::read("client_id=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A7000%2Fcb\
//!     &response_type=token&state=xyz")?;
//! assert_eq!(parameters.client_id()?, "c");
//! let redirect_uri = parameters.redirect_uri(["http://127.0.0.1/cb"])?; // any port (RFC 8252 7.3)
//! let response = AuthorizationResponse::new(&redirect_uri, &parameters, "https://as.example.com");
//! let error = parameters.request().unwrap_err();
//! assert_eq!(error.code, ErrorCode::UnsupportedResponseType);
//! assert!(response.error(&error).starts_with("http://127.0.0.1:7000/cb?error=unsupported_response_type"));
//! # Ok::<(), grantor::server::wire::OAuthError>(())
//! ```

mod authorization;
mod client_authentication;
mod client_metadata;
mod error;
mod parameters;
mod redirect_uri;
mod token;

pub use authorization::{
    AuthorizationParameters, AuthorizationRequest, AuthorizationResponse, Prompt, ResponseMode,
};
pub use client_authentication::{ClientAuthentication, read_client_authentication};
pub use client_metadata::{ClientDescription, MetadataRules};
pub use error::{ErrorCode, OAuthError};
pub use parameters::RequestParameters;
pub use redirect_uri::{RedirectKind, is_registered, redirect_kind};
pub use token::{TokenExchange, TokenGrant, TokenRequest};
