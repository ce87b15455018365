//! The provider: its configuration, and which endpoint a request is for.

use std::fmt;
use std::sync::Arc;

use super::answer::Answer;
use super::config::{ProviderConfig, ProviderConfigError};
use super::context::{Cx, Shared};
use super::endpoints::{Endpoint, Endpoints};
use super::exchange::{Exchange, Step};
use super::interaction::{Browser, UserDecision};
use super::outcome::Outcome;
use super::records::User;
use super::request::Request;
use super::{
    account, authorize, decision, device, guesses, introspect, pushed, register, revoke, session, token,
};
use crate::time::Now;
use http::Method;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, HeaderMap, HeaderValue,
};

/// An authorization server without its network, store and pages. Clones are the same provider.
///
/// Each method takes the time, 32 bytes of fresh entropy from the system, and what somebody wants; it gives an
/// [`Exchange`] and its first [`Step`].
#[derive(Clone)]
pub struct Provider(Arc<Shared>);

impl Provider {
    /// An authorization server of this configuration.
    ///
    /// # Errors
    /// [`ProviderConfigError`].
    pub fn new(config: ProviderConfig) -> Result<Self, ProviderConfigError> {
        Shared::new(config).map(|shared| Self(Arc::new(shared)))
    }

    /// Where the endpoints are.
    pub fn endpoints(&self) -> &Endpoints {
        &self.0.endpoints
    }

    /// Whether a path is one of the provider's.
    pub fn serves(&self, path: &str) -> bool {
        self.0.endpoints.find(path).is_some()
    }

    /// `Set-Cookie` for a user who has signed in; `None` for a subject that is too long for one. A host with sessions of
    /// its own needs none.
    pub fn session_cookie(&self, now: Now, user: &User) -> Option<HeaderValue> {
        session::cookie(&self.0, now, user)
    }

    /// `Set-Cookie` for a user who signs out at this browser.
    pub fn sign_out_cookie(&self) -> Option<HeaderValue> {
        session::no_cookie(&self.0)
    }

    /// Who is signed in at a browser, by the cookie of [`session_cookie`](Self::session_cookie).
    pub fn signed_in(&self, now: Now, headers: &HeaderMap) -> Option<User> {
        session::user(&self.0, now, headers)
    }

    /// Counts a try to sign in by a name and a password, before the password is looked at: ends with
    /// [`Outcome::Attempt`]. `headers` are those of the browser that sent the form. Tries are bounded for each name
    /// (RFC 6749 10.10); a browser with the cookie of [`known_browser_cookie`](Self::known_browser_cookie) has a count
    /// of its own, so that guesses of others lock nobody out of it.
    pub fn attempt_sign_in(
        &self,
        now: Now,
        entropy: [u8; 32],
        name: &str,
        headers: &HeaderMap,
    ) -> (Exchange, Step) {
        let counted = guesses::counted(&self.0, headers, name);
        self.start(now, entropy, move |cx| guesses::count(cx, counted))
    }

    /// `Set-Cookie` for a browser in which a user has signed in by this name.
    pub fn known_browser_cookie(&self, entropy: [u8; 32], name: &str) -> Option<HeaderValue> {
        guesses::cookie(&self.0, entropy, name)
    }

    /// The path of the issuer, without a slash at its end: pages of the host's own go below it.
    pub fn path(&self) -> &str {
        self.0.endpoints.path()
    }

    /// The configured issuer.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Answers a request to an endpoint. `user` is who is signed in at the browser that sent it, as the host knows by
    /// its own session; it counts at the authorization endpoint only.
    pub fn handle(
        &self,
        now: Now,
        entropy: [u8; 32],
        request: Request,
        user: Option<User>,
    ) -> (Exchange, Step) {
        let Some(endpoint) = self.0.endpoints.find(request.target.path()) else {
            return self.start(now, entropy, |_| async { Outcome::Answer(Answer::empty(404)) });
        };
        if endpoint == Endpoint::Authorization {
            return self.start(now, entropy, move |cx| authorize::answer(cx, request, user));
        }
        self.start(now, entropy, move |cx| async move {
            let mut answer = match (endpoint, &request.method) {
                (_, &Method::OPTIONS) => Answer::empty(204),
                (Endpoint::Metadata, &Method::GET | &Method::HEAD) => {
                    Answer::document(&cx.provider.metadata, "public, max-age=3600")
                }
                // Keys are published an hour before they sign, and for as long after.
                (Endpoint::Jwks, &Method::GET | &Method::HEAD) => {
                    Answer::document(&cx.provider.jwks, "public, max-age=600")
                }
                (Endpoint::Metadata | Endpoint::Jwks, _) => not_allowed("GET, HEAD, OPTIONS"),
                (_, &Method::POST) => post(&cx, endpoint, &request).await,
                _ => not_allowed("POST, OPTIONS"),
            };
            if request.method == Method::HEAD {
                answer.body = crate::secret::Secret::default();
            }
            add_cors(&mut answer);
            Outcome::Answer(answer)
        })
    }

    /// Shows the page of an interaction again, such as after the user has signed in.
    pub fn resume(
        &self,
        now: Now,
        entropy: [u8; 32],
        browser: Browser<'_>,
        user: Option<User>,
    ) -> (Exchange, Step) {
        let browser = browser.owned();
        self.start(now, entropy, move |cx| decision::resume(cx, browser, user))
    }

    /// Takes the user's answer, from the browser that was asked and no other.
    pub fn decide(
        &self,
        now: Now,
        entropy: [u8; 32],
        browser: Browser<'_>,
        user: User,
        decision: UserDecision,
    ) -> (Exchange, Step) {
        let browser = browser.owned();
        self.start(now, entropy, move |cx| decision::decide(cx, browser, user, decision))
    }

    /// Takes the code of a device that a user, who is signed in, typed in (RFC 8628 3.3).
    pub fn enter_user_code(
        &self,
        now: Now,
        entropy: [u8; 32],
        user_code: &str,
        user: User,
    ) -> (Exchange, Step) {
        let user_code = user_code.to_owned();
        self.start(now, entropy, move |cx| device::enter(cx, user_code, user))
    }

    /// What a user has granted: ends with [`Outcome::Grants`].
    pub fn grants_of(&self, now: Now, entropy: [u8; 32], subject: &str) -> (Exchange, Step) {
        let subject = subject.to_owned();
        self.start(now, entropy, move |cx| account::list(cx, subject))
    }

    /// Takes back what a user granted, by [`GrantShown::id`](super::GrantShown::id), and forgets that they consented:
    /// ends with the [`Outcome::Grants`] that are left.
    pub fn revoke_grant(&self, now: Now, entropy: [u8; 32], subject: &str, grant: &str) -> (Exchange, Step) {
        let (subject, grant) = (subject.to_owned(), grant.to_owned());
        self.start(now, entropy, move |cx| account::revoke(cx, subject, grant))
    }

    fn start<F>(&self, now: Now, entropy: [u8; 32], run: impl FnOnce(Cx) -> F) -> (Exchange, Step)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let provider = Arc::clone(&self.0);
        Exchange::start(now, entropy, |io| run(Cx { provider, io }))
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}

async fn post(cx: &Cx, endpoint: Endpoint, request: &Request) -> Answer {
    let answered = match endpoint {
        Endpoint::Token => token::answer(cx, request).await,
        Endpoint::Registration => register::answer(cx, request).await,
        Endpoint::Revocation => revoke::answer(cx, request).await,
        Endpoint::Introspection => introspect::answer(cx, request).await,
        Endpoint::PushedAuthorizationRequest => pushed::answer(cx, request).await,
        Endpoint::DeviceAuthorization => device::answer(cx, request).await,
        Endpoint::Authorization | Endpoint::Metadata | Endpoint::Jwks => return Answer::empty(404),
    };
    let mut answer = answered.unwrap_or_else(|error| cx.refuse(&error));
    if matches!(endpoint, Endpoint::Token | Endpoint::PushedAuthorizationRequest) {
        cx.add_nonce(request, &mut answer);
    }
    answer
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = Answer::empty(405);
    answer.headers.insert(ALLOW, HeaderValue::from_static(methods));
    answer
}

/// Clients that run in pages of any origin are clients, too. The authorization endpoint is for browsers alone
/// (RFC 9700 2.6), and nothing here goes by cookies.
fn add_cors(answer: &mut Answer) {
    let headers = &mut answer.headers;
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if answer.status == 204 {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        let allowed = "authorization, content-type, dpop, mcp-protocol-version";
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    } else {
        let exposed = "dpop-nonce, www-authenticate, retry-after";
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    }
}
