//! How far dynamic registration is.

use crate::effect::RecordRevision;
use crate::error::{Error, Refused};
use crate::scope::ScopeSet;
use crate::wire::client_auth::Client;

/// How far dynamic registration is.
#[derive(Debug, Default)]
pub(crate) struct RegistrationState {
    /// Whether the stored one was looked for.
    pub(crate) loaded: bool,
    pub(crate) revision: Option<RecordRevision>,
    /// The client that the store or the server names, and its redirect URI.
    pub(crate) found: Option<(Client, Box<str>)>,
    /// When its secret expires.
    pub(crate) secret_expires_at: Option<u64>,
    pub(crate) unsaved: bool,
    /// The scopes that are registered, where the server grants no others.
    pub(crate) scopes: ScopeSet,
    /// Whether the last page of the stored client led nowhere.
    pub(crate) doubtful: bool,
}

/// Whether a server refuses the scopes (RFC 6749 4.1.2.1, 5.2), such as those that the client has not registered.
pub(crate) fn is_invalid_scope(error: &Error) -> bool {
    match error {
        Error::Refused(Refused::Authorization { code, .. } | Refused::Token { code, .. }) => {
            *code == "invalid_scope"
        }
        _ => false,
    }
}
