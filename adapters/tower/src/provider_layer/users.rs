//! Who the users are, and what they see.

use std::future::Future;

use grantor_driver::grantor::server::{GrantShown, PageContent, User};

use super::pages;

/// The users of an authorization server.
pub trait Users: Send + Sync + 'static {
    /// The user of this name and password; `None` when there is none. It should take as long for a name that nobody has.
    /// How often a name is tried is bounded before this is called.
    fn sign_in(&self, name: &str, password: &str) -> impl Future<Output = Option<User>> + Send;

    /// A page as HTML, without script. By default a plain one that fits phones, the dark and screen readers.
    fn page(&self, shown: &Shown<'_>) -> String {
        pages::render(shown)
    }
}

/// What a page shows, and where its forms go.
#[derive(Debug)]
#[non_exhaustive]
pub enum Shown<'a> {
    /// What the user granted, each with a form to `{base}/account` that has the field `revoke`.
    Account {
        /// The path of the issuer.
        base: &'a str,
        /// Who they are.
        user: &'a User,
        /// What they granted.
        grants: &'a [GrantShown],
    },
    /// The page to type in the code of a device: a form to `{base}/device` with the field `user_code`; and `username` and
    /// `password`, unless a user is signed in.
    Device {
        /// The path of the issuer.
        base: &'a str,
        /// Who is signed in.
        user: Option<&'a User>,
        /// The code, if a link brought it.
        user_code: &'a str,
        /// The name that was typed in.
        name: &'a str,
        /// What was wrong.
        problem: Option<&'a str>,
    },
    /// What the provider wants shown. A sign-in is a form to `{base}/sign-in` with the fields `interaction`, `username`
    /// and `password`; a consent one to `{base}/consent` with `interaction`, `decision` (`allow` or `deny`), and `scope`
    /// for each scope that is allowed.
    Provider {
        /// The path of the issuer.
        base: &'a str,
        /// What.
        content: &'a PageContent,
        /// The name that was typed in.
        name: &'a str,
        /// What was wrong.
        problem: Option<&'a str>,
    },
    /// Sign in to see the account: a form to `{base}/account` with `username` and `password`.
    SignIn {
        /// The path of the issuer.
        base: &'a str,
        /// The name that was typed in.
        name: &'a str,
        /// What was wrong.
        problem: Option<&'a str>,
    },
}
