//! Who the user of an account is.

use serde::{Deserialize, Serialize};

use crate::error::PeerText;
use crate::jose::Claims;

/// The user whom an ID token names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    /// `sub`.
    pub(crate) subject: Box<str>,
    /// What to show for the account: a user name, an address or a name; the subject where there is none.
    pub(crate) label: Box<str>,
}

/// What people call themselves (`OpenID` Connect Core 5.1).
pub(crate) fn label(claims: &Claims<'_>) -> Option<Box<str>> {
    ["preferred_username", "email", "name"]
        .into_iter()
        .filter_map(|claim| claims.text(claim).ok().flatten())
        .map(|text| PeerText::new(&text).to_string())
        .find(|text| !text.trim().is_empty())
        .map(Into::into)
}
