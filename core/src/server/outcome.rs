//! How an exchange ends.

use super::answer::Answer;
use super::page::Page;
use crate::scope::ScopeSet;

/// How an exchange ends.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Send this.
    Answer(Answer),
    /// Whether a password may be tried now ([`attempt_sign_in`](super::Provider::attempt_sign_in)).
    Attempt {
        /// If not, it has been tried too often: the status is 429, and the password is not looked at.
        is_allowed: bool,
    },
    /// What a user has granted ([`grants_of`](super::Provider::grants_of)).
    Grants(Vec<GrantShown>),
    /// Show a page to the user, with the headers that it names.
    Page(Box<Page>),
}

impl Outcome {
    /// The answer when the host cannot go on.
    pub fn internal_error() -> Self {
        Self::Answer(Answer::empty(500))
    }
}

/// Something that a user granted, for an account page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantShown {
    /// Names it, for [`revoke_grant`](super::Provider::revoke_grant).
    pub id: Box<str>,
    /// To which client.
    pub client_id: Box<str>,
    /// The client's name, as it was then.
    pub client_name: Option<Box<str>>,
    /// For what.
    pub scope: ScopeSet,
    /// For which resources.
    pub resources: Vec<Box<str>>,
    /// When, in seconds since 1970.
    pub created_at_s: u64,
    /// Until when at most, in seconds since 1970.
    pub ends_at_s: u64,
}
