//! The authorization server, for async hosts on whatever runtime.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future;
use grantor::error::FailureKind;
use grantor::server::{Browser, Exchange, Outcome, Provider, Request, Step, User, UserDecision};
use grantor::{Effect, Now};
use http::{HeaderMap, HeaderValue};

use crate::effects::{Performed, StoreOp};
use crate::http::HttpFailure;
use crate::nonblocking::{Host, elsewhere, send_checked};
use crate::sign::Signer;
use crate::state::Clock;
use crate::store::Store;

/// A [`Provider`] with its host and store. Clones are the same.
pub struct Provided<H: Host>(Arc<Shared<H>>);

struct Shared<H: Host> {
    provider: Provider,
    host: H,
    store: Arc<dyn Store>,
    signer: Option<Arc<dyn Signer>>,
    clock: Clock,
}

impl<H: Host> Provided<H> {
    /// A provider whose records are in this store. Several processes with the same store, issuer and secret are one
    /// server.
    pub fn new(host: H, provider: Provider, store: impl Store) -> Self {
        let clock = Clock::start();
        Self(Arc::new(Shared { provider, host, store: Arc::new(store), signer: None, clock }))
    }

    /// As [`new`](Self::new), for keys that are [held elsewhere](grantor::server::ProviderKey::external).
    pub fn with_signer(host: H, provider: Provider, store: impl Store, signer: impl Signer) -> Self {
        let clock = Clock::start();
        let signer: Option<Arc<dyn Signer>> = Some(Arc::new(signer));
        Self(Arc::new(Shared { provider, host, store: Arc::new(store), signer, clock }))
    }

    /// The provider.
    pub fn provider(&self) -> &Provider {
        &self.0.provider
    }

    /// The host.
    pub fn host(&self) -> &H {
        &self.0.host
    }

    /// The time.
    pub fn now(&self) -> Now {
        self.0.clock.now()
    }

    /// Answers a request to an endpoint ([`Provider::handle`]).
    pub async fn handle(&self, request: Request, user: Option<User>) -> Outcome {
        self.run(|provider, now, entropy| provider.handle(now, entropy, request, user)).await
    }

    /// Shows the page of an interaction again ([`Provider::resume`]).
    pub async fn resume(&self, browser: Browser<'_>, user: Option<User>) -> Outcome {
        self.run(|provider, now, entropy| provider.resume(now, entropy, browser, user)).await
    }

    /// Takes the user's answer ([`Provider::decide`]).
    pub async fn decide(&self, browser: Browser<'_>, user: User, decision: UserDecision) -> Outcome {
        self.run(|provider, now, entropy| provider.decide(now, entropy, browser, user, decision)).await
    }

    /// Takes the code of a device ([`Provider::enter_user_code`]).
    pub async fn enter_user_code(&self, user_code: &str, user: User) -> Outcome {
        self.run(|provider, now, entropy| provider.enter_user_code(now, entropy, user_code, user)).await
    }

    /// What a user has granted ([`Provider::grants_of`]).
    pub async fn grants_of(&self, subject: &str) -> Outcome {
        self.run(|provider, now, entropy| provider.grants_of(now, entropy, subject)).await
    }

    /// Takes back what a user granted ([`Provider::revoke_grant`]).
    pub async fn revoke_grant(&self, subject: &str, grant: &str) -> Outcome {
        self.run(|provider, now, entropy| provider.revoke_grant(now, entropy, subject, grant)).await
    }

    /// Who is signed in at a browser ([`Provider::signed_in`]).
    pub fn signed_in(&self, headers: &HeaderMap) -> Option<User> {
        self.0.provider.signed_in(self.now(), headers)
    }

    /// `Set-Cookie` for a user who has signed in ([`Provider::session_cookie`]).
    pub fn session_cookie(&self, user: &User) -> Option<HeaderValue> {
        self.0.provider.session_cookie(self.now(), user)
    }

    /// Whether a password may be tried for this name, which counts as a try ([`Provider::attempt_sign_in`]).
    pub async fn attempt_sign_in(&self, name: &str, headers: &HeaderMap) -> Outcome {
        self.run(|provider, now, entropy| provider.attempt_sign_in(now, entropy, name, headers)).await
    }

    /// `Set-Cookie` for a browser in which a user has signed in ([`Provider::known_browser_cookie`]).
    pub fn known_browser_cookie(&self, name: &str) -> Option<HeaderValue> {
        let mut entropy = [0; 32];
        getrandom::fill(&mut entropy).ok()?;
        self.0.provider.known_browser_cookie(entropy, name)
    }

    async fn run(&self, start: impl FnOnce(&Provider, Now, [u8; 32]) -> (Exchange, Step)) -> Outcome {
        let mut entropy = [0; 32];
        if getrandom::fill(&mut entropy).is_err() {
            return Outcome::internal_error(); // without entropy nothing can be done safely
        }
        let (mut exchange, mut step) = start(&self.0.provider, self.now(), entropy);
        loop {
            let (effect, timeout_ms) = match step {
                Step::Done(outcome) => return outcome,
                Step::Perform { effect, timeout_ms, .. } => (effect, timeout_ms),
                _ => return Outcome::internal_error(),
            };
            let performed = self.0.perform(effect, Duration::from_millis(timeout_ms)).await;
            step = match exchange.complete(self.now(), performed.completion()) {
                Ok(step) => step,
                Err(_) => {
                    let failed =
                        Performed::Failed(FailureKind::Other, "the driver gave a wrong answer".into());
                    match exchange.complete(self.now(), failed.completion()) {
                        Ok(step) => step,
                        Err(_) => return Outcome::internal_error(),
                    }
                }
            };
        }
    }
}

impl<H: Host> Shared<H> {
    async fn perform(&self, effect: Effect, timeout: Duration) -> Performed {
        match effect {
            Effect::Load { key } => self.stored(StoreOp::Load(key), timeout).await,
            Effect::Save { key, record, expect, expires_at_s } => {
                self.stored(StoreOp::Save(key, record, expect, expires_at_s), timeout).await
            }
            Effect::Delete { key, expect } => self.stored(StoreOp::Delete(key, expect), timeout).await,
            Effect::Http { request, max_body } => {
                let answer = send_checked(&self.host, &request, max_body);
                self.in_time(answer, timeout).await.map_or_else(Performed::from, Performed::Http)
            }
            Effect::Sign { key, algorithm, input } => match self.signer.clone() {
                Some(signer) => {
                    let signed = elsewhere(
                        |work| self.host.unblock(work),
                        move || signer.sign(&key, algorithm, &input),
                    );
                    let signed = async { Ok(signed.await) };
                    match self.in_time(signed, timeout).await {
                        Ok(Some(Ok(signature))) => Performed::Signed(signature),
                        Ok(Some(Err(words))) => Performed::Failed(FailureKind::Other, words),
                        Ok(None) => Performed::panicked(),
                        Err(failure) => failure.into(),
                    }
                }
                None => Performed::Failed(FailureKind::Impossible, "there is no signer".into()),
            },
            _ => Performed::unknown(),
        }
    }

    async fn stored(&self, operation: StoreOp, timeout: Duration) -> Performed {
        if !self.store.blocks() {
            return operation.perform(&*self.store);
        }
        let store = Arc::clone(&self.store);
        let stored = elsewhere(|work| self.host.unblock(work), move || operation.perform(&*store));
        let stored = async { Ok(stored.await.unwrap_or_else(Performed::panicked)) };
        self.in_time(stored, timeout).await.unwrap_or_else(Performed::from)
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, HttpFailure>>,
        timeout: Duration,
    ) -> Result<T, HttpFailure> {
        let late = async {
            self.host.sleep(timeout).await;
            Err(HttpFailure::timed_out())
        };
        future::or(work, late).await
    }
}

impl<H: Host> Clone for Provided<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H: Host> fmt::Debug for Provided<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Provided").field(&self.0.provider).finish()
    }
}
