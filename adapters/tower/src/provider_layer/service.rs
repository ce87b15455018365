//! The service: which requests are the provider's, and what they are answered.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use grantor_driver::grantor::server::{Browser, Outcome, PageContent, User, UserDecision};
use grantor_driver::grantor::{ScopeSet, limits, server};
use grantor_driver::nonblocking::Host;
use grantor_driver::provider::Provided;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::forms::{Form, is_from_here};
use super::pages::{TOO_MANY_CODES, TOO_MANY_PASSWORDS, UNKNOWN_CODE};
use super::users::{Shown, Users};
use crate::body::{self, GuardBody, Unread};
use crate::target;

/// How long a body may take to arrive, so that nobody holds a connection open by dripping.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A service behind an authorization server.
pub struct ProviderService<S, H: Host, U> {
    inner: S,
    server: Server<H, U>,
}

struct Server<H: Host, U> {
    provided: Provided<H>,
    users: Arc<U>,
}

impl<S, H: Host, U> ProviderService<S, H, U> {
    pub(super) fn new(inner: S, provided: Provided<H>, users: Arc<U>) -> Self {
        Self { inner, server: Server { provided, users } }
    }
}

impl<H: Host, U> Clone for Server<H, U> {
    fn clone(&self) -> Self {
        Self { provided: self.provided.clone(), users: Arc::clone(&self.users) }
    }
}

impl<S: Clone, H: Host, U> Clone for ProviderService<S, H, U> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), server: self.server.clone() }
    }
}

impl<S, H: Host, U> fmt::Debug for ProviderService<S, H, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderService").field("provided", &self.server.provided).finish_non_exhaustive()
    }
}

impl<S, H, U, B, R> Service<Request<B>> for ProviderService<S, H, U>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send,
    H: Host,
    U: Users,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Send,
    R: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<GuardBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = target::whole(request.uri(), request.extensions(), None).path().to_owned();
        let Some(place) = self.server.place(&path) else {
            let passed = self.inner.call(request);
            return Box::pin(async move { Ok(passed.await?.map(GuardBody::stream)) });
        };
        let server = self.server.clone();
        Box::pin(async move { Ok(server.answer(place, &path, request).await.map(GuardBody::read)) })
    }
}

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Account,
    Consent,
    Device,
    Endpoint,
    SignIn,
    SignOut,
}

impl<H: Host, U: Users> Server<H, U> {
    fn place(&self, path: &str) -> Option<Place> {
        let provider = self.provided.provider();
        if provider.serves(path) {
            return Some(Place::Endpoint);
        }
        Some(match path.strip_prefix(provider.path())? {
            "/account" => Place::Account,
            "/consent" => Place::Consent,
            "/device" => Place::Device,
            "/sign-in" => Place::SignIn,
            "/sign-out" => Place::SignOut,
            _ => return None,
        })
    }

    async fn answer<B: Body<Data = Bytes>>(
        &self,
        place: Place,
        path: &str,
        request: Request<B>,
    ) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let body = match self.read(body).await {
            Ok(body) => body,
            Err(status) => return plain(status),
        };
        let user = self.provided.signed_in(&parts.headers);
        if place == Place::Endpoint {
            // The target as the issuer has it, whatever a router in between cut off.
            let query = parts.uri.query().map_or_else(String::new, |query| format!("?{query}"));
            let Ok(target) = format!("{path}{query}").parse() else { return plain(StatusCode::BAD_REQUEST) };
            let request = server::Request::new(parts.method, target, parts.headers, body);
            return self.respond(self.provided.handle(request, user).await, &Said::default());
        }
        match parts.method {
            Method::GET if place == Place::Account => self.account(user, &Said::default()).await,
            Method::GET if place == Place::Device => {
                let query = Form::read(parts.uri.query().unwrap_or_default().as_bytes());
                self.device_page(user.as_ref(), query.get("user_code"), &Said::default())
            }
            Method::POST if is_from_here(&parts.headers, self.provided.provider().issuer()) => {
                self.form(place, &parts.headers, &Form::read(&body), user).await
            }
            Method::POST => plain(StatusCode::FORBIDDEN),
            _ => plain(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    async fn read<B: Body<Data = Bytes>>(&self, body: B) -> Result<Bytes, StatusCode> {
        let read = async { Some(body::read(body, limits::PROVIDER_BODY).await) };
        let late = async {
            self.provided.host().sleep(BODY_TIME).await;
            None
        };
        match futures_lite::future::or(read, late).await {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(Unread::TooLarge)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Some(Err(Unread::Broken(_))) => Err(StatusCode::BAD_REQUEST),
            None => Err(StatusCode::REQUEST_TIMEOUT),
        }
    }

    async fn form(
        &self,
        place: Place,
        headers: &HeaderMap,
        form: &Form,
        user: Option<User>,
    ) -> Response<Bytes> {
        let browser = Browser::new(form.get("interaction"), headers);
        match place {
            Place::SignIn => match self.sign_in(headers, form).await {
                Ok(user) => {
                    let outcome = self.provided.resume(browser, Some(user.clone())).await;
                    self.with_session(self.respond(outcome, &Said::default()), form, &user)
                }
                Err(refused) => {
                    let said = refused.said(form);
                    refused.status(self.respond(self.provided.resume(browser, None).await, &said))
                }
            },
            Place::Consent => match user {
                Some(user) => {
                    let outcome = self.provided.decide(browser, user, decision(form)).await;
                    self.respond(outcome, &Said::default())
                }
                None => {
                    let said = Said { problem: Some(EXPIRED), ..Said::default() };
                    self.respond(self.provided.resume(browser, None).await, &said)
                }
            },
            Place::Device => match self.known(headers, form, user).await {
                Ok((user, is_new)) => {
                    let outcome = self.provided.enter_user_code(form.get("user_code"), user.clone()).await;
                    let response = match outcome {
                        // Whoever is signed in is not asked again for who they are.
                        Outcome::Page(page) if matches!(page.content, PageContent::UnknownUserCode) => {
                            let (base, user_code) = (self.provided.provider().path(), form.get("user_code"));
                            let problem =
                                Some(if page.status == 429 { TOO_MANY_CODES } else { UNKNOWN_CODE });
                            let shown =
                                Shown::Device { base, user: Some(&user), user_code, name: "", problem };
                            self.html(status(page.status), page.headers, &shown)
                        }
                        other => self.respond(other, &Said::default()),
                    };
                    if is_new { self.with_session(response, form, &user) } else { response }
                }
                Err(refused) => {
                    let page = self.device_page(None, form.get("user_code"), &refused.said(form));
                    refused.status(page)
                }
            },
            Place::Account => match self.known(headers, form, user).await {
                Ok((user, is_new)) => {
                    if !form.get("revoke").is_empty() {
                        self.provided.revoke_grant(&user.subject, form.get("revoke")).await;
                    }
                    let response = self.account(Some(user.clone()), &Said::default()).await;
                    if is_new { self.with_session(response, form, &user) } else { response }
                }
                Err(refused) => refused.status(self.account(None, &refused.said(form)).await),
            },
            Place::SignOut => {
                let mut response = plain(StatusCode::SEE_OTHER);
                let back = format!("{}/account", self.provided.provider().path());
                if let Ok(back) = HeaderValue::from_str(&back) {
                    response.headers_mut().insert(LOCATION, back);
                }
                response
                    .headers_mut()
                    .extend(self.provided.provider().sign_out_cookie().map(|cookie| (SET_COOKIE, cookie)));
                response
            }
            Place::Endpoint => plain(StatusCode::NOT_FOUND),
        }
    }

    async fn sign_in(&self, headers: &HeaderMap, form: &Form) -> Result<User, Refused> {
        let (name, password) = (form.get("username"), form.get("password"));
        let is_sane = |text: &str| (1..=limits::STRING).contains(&text.len());
        if !is_sane(name) || !is_sane(password) {
            return Err(Refused::Wrong);
        }
        match self.provided.attempt_sign_in(name, headers).await {
            Outcome::Attempt { is_allowed: true } => {
                self.users.sign_in(name, password).await.ok_or(Refused::Wrong)
            }
            Outcome::Attempt { .. } => Err(Refused::TooOften),
            _ => Err(Refused::Unavailable),
        }
    }

    /// The user who is signed in, or signs in with this form: and whether they just did.
    async fn known(
        &self,
        headers: &HeaderMap,
        form: &Form,
        user: Option<User>,
    ) -> Result<(User, bool), Refused> {
        match user {
            Some(user) => Ok((user, false)),
            None => self.sign_in(headers, form).await.map(|user| (user, true)),
        }
    }

    async fn account(&self, user: Option<User>, said: &Said<'_>) -> Response<Bytes> {
        let base = self.provided.provider().path();
        let Some(user) = user else {
            let shown = Shown::SignIn { base, name: said.name, problem: said.problem };
            return self.html(StatusCode::OK, HeaderMap::new(), &shown);
        };
        match self.provided.grants_of(&user.subject).await {
            Outcome::Grants(grants) => {
                let shown = Shown::Account { base, user: &user, grants: &grants };
                self.html(StatusCode::OK, HeaderMap::new(), &shown)
            }
            other => self.respond(other, &Said::default()),
        }
    }

    fn device_page(&self, user: Option<&User>, user_code: &str, said: &Said<'_>) -> Response<Bytes> {
        let base = self.provided.provider().path();
        let shown = Shown::Device { base, user, user_code, name: said.name, problem: said.problem };
        self.html(StatusCode::OK, HeaderMap::new(), &shown)
    }

    fn respond(&self, outcome: Outcome, said: &Said<'_>) -> Response<Bytes> {
        match outcome {
            Outcome::Answer(answer) => {
                let mut response = plain(status(answer.status));
                *response.body_mut() = Bytes::copy_from_slice(answer.body.expose().as_bytes());
                *response.headers_mut() = answer.headers;
                response
            }
            Outcome::Page(page) => {
                // Words about a password belong on the page that asks for it.
                let problem = said.problem.filter(|_| matches!(page.content, PageContent::SignIn(_)));
                let base = self.provided.provider().path();
                let shown = Shown::Provider { base, content: &page.content, name: said.name, problem };
                self.html(status(page.status), page.headers, &shown)
            }
            _ => plain(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn html(&self, status: StatusCode, headers: HeaderMap, shown: &Shown<'_>) -> Response<Bytes> {
        let mut response = plain(status);
        *response.body_mut() = self.users.page(shown).into();
        *response.headers_mut() = server::Page::headers();
        response.headers_mut().extend(headers);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        response
    }

    fn with_session(&self, mut response: Response<Bytes>, form: &Form, user: &User) -> Response<Bytes> {
        let known = self.provided.known_browser_cookie(form.get("username"));
        let cookies = self.provided.session_cookie(user).into_iter().chain(known);
        for cookie in cookies {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}

/// What a page says besides its content.
#[derive(Default)]
struct Said<'a> {
    name: &'a str,
    problem: Option<&'a str>,
}

/// Why somebody is not signed in.
#[derive(Clone, Copy)]
enum Refused {
    TooOften,
    Unavailable,
    Wrong,
}

impl Refused {
    fn said(self, form: &Form) -> Said<'_> {
        let problem = match self {
            Self::TooOften => TOO_MANY_PASSWORDS,
            Self::Unavailable => "The server cannot answer now. Try again.",
            Self::Wrong => "Name or password is wrong.",
        };
        let name = form.get("username");
        Said { name: if name.len() > limits::STRING { "" } else { name }, problem: Some(problem) }
    }

    /// The page with the status that says so, too.
    fn status(self, mut response: Response<Bytes>) -> Response<Bytes> {
        if response.status() == StatusCode::OK {
            *response.status_mut() = match self {
                Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
                Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                Self::Wrong => StatusCode::OK,
            };
        }
        response
    }
}

const EXPIRED: &str = "You have been signed out. Sign in again.";

/// What the boxes of a consent say.
fn decision(form: &Form) -> UserDecision {
    if form.get("decision") != "allow" {
        return UserDecision::Deny;
    }
    ScopeSet::from_tokens(form.all("scope")).map_or(UserDecision::Deny, UserDecision::AllowOnly)
}

fn plain(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
