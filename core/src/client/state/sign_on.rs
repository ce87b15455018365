//! What an enterprise's sign-on brings together.

use crate::client::state::record::Subject;
use crate::client::state::user::User;
use crate::discover::Probe;
use crate::secret::Secret;
use crate::wire::server_metadata::ServerMetadata;
use crate::wire::token::TokenTypeUri;

/// What an enterprise's sign-on brings together.
#[derive(Debug, Default)]
pub(crate) struct SignOn {
    pub(crate) probe: Option<Probe<url::Url>>,
    pub(crate) provider: Option<Box<ServerMetadata>>,
    /// The user's assertion.
    pub(crate) subject: Option<(Secret, TokenTypeUri)>,
    /// Whether it was kept with tokens before; if the provider does not take it any more, the user is asked.
    pub(crate) was_kept: bool,
    /// Whether that has happened.
    pub(crate) kept_is_stale: bool,
    /// What is to be kept with the new tokens.
    pub(crate) kept: Option<Subject>,
    /// Who signed on.
    pub(crate) user: Option<Box<User>>,
}
