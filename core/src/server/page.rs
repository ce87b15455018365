//! What a page must show. The host shows it, in its own looks and language.

use std::fmt;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
};
use url::Url;

use super::records::User;
use super::wire::ErrorCode;
use crate::secret::Secret;

/// A page to show.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// The status code.
    pub status: u16,
    /// Headers that the answer must have: a cookie that binds the browser, no caching, and no frames, which could lay
    /// another page over this one (RFC 9700 4.16).
    pub headers: HeaderMap,
    /// What to show.
    pub content: PageContent,
}

/// What a page shows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PageContent {
    /// Sign in, then [`resume`](super::Provider::resume) the interaction.
    SignIn(ConsentRequest),
    /// Ask whether to allow what the client wants, and [`decide`](super::Provider::decide).
    Consent(ConsentRequest),
    /// The device has what it waited for, or was turned away.
    DeviceDone {
        /// Which of the two.
        allowed: bool,
    },
    /// The code that the user typed in is of no device (any more).
    UnknownUserCode,
    /// The client asked for what it cannot have, and the user has not answered anything. Nobody vouches for the place that
    /// it named, so the browser goes there by a link that the user follows (RFC 9700 4.11.2).
    GoBack {
        /// Who asks.
        client: ClientShown,
        /// Where the link leads: an https URL of the client's, with the error.
        to: Secret,
        /// What is wrong.
        code: ErrorCode,
        /// In words for the client's author; nothing of the request.
        description: &'static str,
    },
    /// Something is wrong, and there is nowhere to send the browser.
    Error {
        /// What.
        code: ErrorCode,
        /// In words for the client's author; nothing of the request.
        description: &'static str,
    },
}

/// What a client asks a user for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConsentRequest {
    /// Names the interaction: a hidden field of the form.
    pub interaction: Secret,
    /// The user, if they are signed in.
    pub user: Option<User>,
    /// Who the client expects to sign in. It is a guess of the client's, to fill in a field with.
    pub login_hint: Option<Box<str>>,
    /// How the user is to prove themselves, in order of preference; empty for any way.
    pub acr_values: Vec<Box<str>>,
    /// Who asks.
    pub client: ClientShown,
    /// Where the browser goes back to; `None` for a device.
    pub redirect_uri: Option<Box<str>>,
    /// What the client wants.
    pub scopes: Vec<ScopeShown>,
    /// For which resources: name, or URI.
    pub resources: Vec<Box<str>>,
    /// What the user should be told.
    pub warnings: Vec<Warning>,
}

/// A client, as users see it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientShown {
    /// Its id.
    pub id: Box<str>,
    /// Its name, as it calls itself unless the operator registered it.
    pub name: Option<Box<str>>,
    /// How it is known.
    pub known: Known,
    /// Its home page.
    pub uri: Option<Url>,
    /// Its logo. Whoever shows it lets the client see who is asked.
    pub logo: Option<Url>,
    /// Its privacy policy.
    pub policy: Option<Url>,
    /// Its terms of service.
    pub terms: Option<Url>,
}

/// How a client is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Known {
    /// The operator registered it.
    Registered,
    /// By its document at a web server of this host, which it therefore controls.
    Host(Box<str>),
    /// It registered itself: nobody knows whose it is.
    Unverified,
}

/// A scope, as users see it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeShown {
    /// The scope.
    pub token: Box<str>,
    /// What it allows.
    pub description: Box<str>,
    /// Whether the user allowed it to this client before.
    pub allowed_before: bool,
}

/// What the user should be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Any program on the user's machine can be the one that asks (RFC 8252 8.6).
    AnyLocalProgram,
    /// The code was typed in: somebody else may have handed it to the user (RFC 8628 5.4).
    CodeFromElsewhere,
    /// The client chose its name itself.
    NameIsNotVerified,
}

impl Page {
    pub(super) fn new(status: u16, content: PageContent) -> Self {
        Self { status, headers: Self::headers(), content }
    }

    /// The headers of every page about a user's access, those of a host's own among them: no caching, no frames, no
    /// script, and nothing for other sites of where it was.
    pub fn headers() -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"));
        let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        headers
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnyLocalProgram => "Any program on your computer can pretend to be this one. Continue only if you have just started it.",
            Self::CodeFromElsewhere => "Continue only if the code was shown to you by a device of your own.",
            Self::NameIsNotVerified => "Nobody has verified who made this program. It chose its name itself.",
        })
    }
}
