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
use super::pages::{TOO_MANY_CODES, UNKNOWN_CODE};
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
            return self.respond(self.provided.handle(request, user).await, None);
        }
        match parts.method {
            Method::GET if place == Place::Account => self.account(user, None).await,
            Method::GET if place == Place::Device => {
                let query = Form::read(parts.uri.query().unwrap_or_default().as_bytes());
                self.device_page(user.as_ref(), query.get("user_code"), None)
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
            Place::SignIn => match self.sign_in(form).await {
                Some(user) => {
                    let outcome = self.provided.resume(browser, Some(user.clone())).await;
                    self.with_session(self.respond(outcome, None), &user)
                }
                None => self.respond(self.provided.resume(browser, None).await, Some(WRONG)),
            },
            Place::Consent => match user {
                Some(user) => self.respond(self.provided.decide(browser, user, decision(form)).await, None),
                None => self.respond(self.provided.resume(browser, None).await, Some(EXPIRED)),
            },
            Place::Device => match self.known(form, user).await {
                Some((user, is_new)) => {
                    let outcome = self.provided.enter_user_code(form.get("user_code"), user.clone()).await;
                    let response = match outcome {
                        // Whoever is signed in is not asked again for who they are.
                        Outcome::Page(page) if matches!(page.content, PageContent::UnknownUserCode) => {
                            let (base, user_code) = (self.provided.provider().path(), form.get("user_code"));
                            let problem =
                                Some(if page.status == 429 { TOO_MANY_CODES } else { UNKNOWN_CODE });
                            let shown = Shown::Device { base, user: Some(&user), user_code, problem };
                            self.html(status(page.status), page.headers, &shown)
                        }
                        other => self.respond(other, None),
                    };
                    if is_new { self.with_session(response, &user) } else { response }
                }
                None => self.device_page(None, form.get("user_code"), Some(WRONG)),
            },
            Place::Account => match self.known(form, user).await {
                Some((user, is_new)) => {
                    if !form.get("revoke").is_empty() {
                        self.provided.revoke_grant(&user.subject, form.get("revoke")).await;
                    }
                    let response = self.account(Some(user.clone()), None).await;
                    if is_new { self.with_session(response, &user) } else { response }
                }
                None => self.account(None, Some(WRONG)).await,
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

    async fn sign_in(&self, form: &Form) -> Option<User> {
        let (name, password) = (form.get("username"), form.get("password"));
        let sane =
            (1..=limits::STRING).contains(&name.len()) && (1..=limits::STRING).contains(&password.len());
        if sane { self.users.sign_in(name, password).await } else { None }
    }

    /// The user who is signed in, or signs in with this form: and whether they just did.
    async fn known(&self, form: &Form, user: Option<User>) -> Option<(User, bool)> {
        match user {
            Some(user) => Some((user, false)),
            None => self.sign_in(form).await.map(|user| (user, true)),
        }
    }

    async fn account(&self, user: Option<User>, problem: Option<&str>) -> Response<Bytes> {
        let base = self.provided.provider().path();
        let Some(user) = user else {
            return self.html(StatusCode::OK, HeaderMap::new(), &Shown::SignIn { base, problem });
        };
        match self.provided.grants_of(&user.subject).await {
            Outcome::Grants(grants) => {
                let shown = Shown::Account { base, user: &user, grants: &grants };
                self.html(StatusCode::OK, HeaderMap::new(), &shown)
            }
            other => self.respond(other, None),
        }
    }

    fn device_page(&self, user: Option<&User>, user_code: &str, problem: Option<&str>) -> Response<Bytes> {
        let shown = Shown::Device { base: self.provided.provider().path(), user, user_code, problem };
        self.html(StatusCode::OK, HeaderMap::new(), &shown)
    }

    fn respond(&self, outcome: Outcome, problem: Option<&str>) -> Response<Bytes> {
        match outcome {
            Outcome::Answer(answer) => {
                let mut response = plain(status(answer.status));
                *response.body_mut() = Bytes::copy_from_slice(answer.body.expose().as_bytes());
                *response.headers_mut() = answer.headers;
                response
            }
            Outcome::Page(page) => {
                // Words about a password belong on the page that asks for it.
                let problem = problem.filter(|_| matches!(page.content, PageContent::SignIn(_)));
                let base = self.provided.provider().path();
                let shown = Shown::Provider { base, content: &page.content, problem };
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

    fn with_session(&self, mut response: Response<Bytes>, user: &User) -> Response<Bytes> {
        response.headers_mut().extend(self.provided.session_cookie(user).map(|cookie| (SET_COOKIE, cookie)));
        response
    }
}

const WRONG: &str = "Name or password is wrong.";
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
