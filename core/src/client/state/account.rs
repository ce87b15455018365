//! The list of accounts of a resource: which there are, and whose.

use serde::{Deserialize, Serialize};

use crate::scope::ScopeSet;

/// An account that is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Account {
    /// The host's name for it.
    pub name: Box<str>,
    /// What to show for it, when its token says who the user is
    /// ([`Engine::account_label`](crate::client::Engine::account_label)).
    pub label: Option<Box<str>>,
    /// Its authorization server.
    pub issuer: Box<str>,
}

/// What a stored grant holds, without its tokens: for a list of where somebody is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredGrant {
    /// The authorization server.
    pub issuer: Box<str>,
    /// The scopes that were granted; those that were asked for, where the server did not say.
    pub scopes: ScopeSet,
    /// When the access token expires, in seconds since 1970, if the server said so.
    pub expires_at_s: Option<u64>,
    /// Whether there is an access token; without one, the user has to log in again.
    pub usable: bool,
    /// Whether it can be renewed without the user.
    pub renewable: bool,
}

#[derive(Default, Deserialize)]
pub(crate) struct List {
    pub(crate) accounts: Vec<Account>,
}

/// The list is being brought up to date.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) rounds: u8,
}
