//! One request to the provider, from its arrival to its answer.
//!
//! What an endpoint does is written down in a row, as an async function; its only awaits are effects. No
//! runtime polls it: [`Exchange::complete`] does, once for each effect.

// The two ends of one exchange share a slot. They have one owner, so nobody ever waits for the lock; it is what makes
// the exchange `Send`.
#![allow(clippy::disallowed_types)]

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use http::HeaderMap;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

use super::outcome::Outcome;
use crate::effect::{Completion, Effect, RecordRevision, StoreKey};
use crate::error::ApiMisuse;
use crate::jose::Algorithm;
use crate::limits;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::http::{HttpRequest, HttpResponse};

/// What an [`Exchange`] wants next.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "an exchange goes on only when its effect is completed"]
pub enum Step {
    /// Perform an effect, and hand its completion to [`Exchange::complete`].
    Perform {
        /// What to do.
        effect: Effect,
        /// When it counts as failed, in milliseconds from now.
        timeout_ms: u64,
        /// What for, in words.
        why: &'static str,
    },
    /// The end.
    Done(Outcome),
}

/// A request that is being answered. Dropping it gives up: what was saved stays saved.
pub struct Exchange {
    io: Io,
    running: Option<Running>,
}

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

impl Exchange {
    pub(super) fn start<F>(now: Now, entropy: [u8; 32], run: impl FnOnce(Io) -> F) -> (Self, Step)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let state = State::Working;
        let io = Io(Arc::new(Mutex::new(Slot { now, entropy: Entropy { seed: entropy, used: 0 }, state })));
        let mut exchange = Self { running: Some(Box::pin(run(io.clone()))), io };
        let step = exchange.advance();
        (exchange, step)
    }

    /// Takes the answer to the effect of the last step, and gives the next.
    ///
    /// # Errors
    /// [`ApiMisuse`] when nothing is waited for, or the effect is answered otherwise; nothing has happened then.
    pub fn complete(&mut self, now: Now, completion: Completion<'_>) -> Result<Step, ApiMisuse> {
        self.io.slot(|slot| {
            let State::Asked(kind) = slot.state else { return Err(ApiMisuse::UnknownOp) };
            slot.state = State::Answered(Reply::to(kind, completion).ok_or(ApiMisuse::WrongCompletion)?);
            slot.now = now;
            Ok(())
        })?;
        Ok(self.advance())
    }

    fn advance(&mut self) -> Step {
        let Some(running) = self.running.as_mut() else { return Step::Done(Outcome::internal_error()) };
        match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => {
                self.running = None;
                Step::Done(outcome)
            }
            Poll::Pending => self.io.slot(Slot::take_question),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("done", &self.running.is_none()).finish_non_exhaustive()
    }
}

/// What an endpoint has of the world.
#[derive(Clone)]
pub(super) struct Io(Arc<Mutex<Slot>>);

struct Slot {
    now: Now,
    entropy: Entropy,
    state: State,
}

enum State {
    Working,
    Question(Question),
    Asked(Kind),
    Answered(Reply),
}

struct Question {
    effect: Effect,
    timeout_ms: u64,
    why: &'static str,
}

impl Slot {
    fn take_question(&mut self) -> Step {
        match std::mem::replace(&mut self.state, State::Working) {
            State::Question(Question { effect, timeout_ms, why }) => {
                self.state = State::Asked(Kind::of(&effect));
                Step::Perform { effect, timeout_ms, why }
            }
            // Endpoints await nothing but effects.
            _ => Step::Done(Outcome::internal_error()),
        }
    }
}

/// Which answers an effect can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Delete,
    Http,
    Load,
    Save,
    Sign,
}

impl Kind {
    fn of(effect: &Effect) -> Self {
        match effect {
            Effect::Delete { .. } => Self::Delete,
            Effect::Load { .. } => Self::Load,
            Effect::Save { .. } => Self::Save,
            Effect::Sign { .. } => Self::Sign,
            _ => Self::Http,
        }
    }
}

/// A completion that outlives its call.
pub(super) enum Reply {
    Conflict,
    Deleted,
    Failed,
    Http(Response),
    Loaded(Option<Loaded>),
    Saved,
    Signed(Vec<u8>),
}

/// A record as it was loaded.
pub(super) struct Loaded {
    pub(super) text: Secret,
    pub(super) revision: RecordRevision,
}

/// A response as it was received.
pub(super) struct Response {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Response {
    pub(super) fn borrowed(&self) -> HttpResponse<'_> {
        HttpResponse { status: self.status, headers: &self.headers, body: &self.body }
    }
}

impl Reply {
    fn to(kind: Kind, completion: Completion<'_>) -> Option<Self> {
        Some(match (kind, completion) {
            (_, Completion::Failed(_)) => Self::Failed,
            (Kind::Delete, Completion::Deleted) => Self::Deleted,
            (Kind::Delete | Kind::Save, Completion::Conflict) => Self::Conflict,
            (Kind::Http, Completion::Http(HttpResponse { status, headers, body })) => {
                Self::Http(Response { status, headers: headers.clone(), body: body.to_vec() })
            }
            (Kind::Load, Completion::Loaded(None)) => Self::Loaded(None),
            (Kind::Load, Completion::Loaded(Some(stored))) => match std::str::from_utf8(stored.record) {
                Ok(text) => Self::Loaded(Some(Loaded { text: text.into(), revision: stored.revision })),
                Err(_) => Self::Failed,
            },
            (Kind::Save, Completion::Saved(_)) => Self::Saved,
            (Kind::Sign, Completion::Signed { signature }) => Self::Signed(signature.to_vec()),
            _ => return None,
        })
    }
}

/// An effect failed: the request is answered with 503, or as a `server_error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unavailable;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Saved,
    /// Somebody else was first.
    Conflict,
}

impl Io {
    fn slot<T>(&self, with: impl FnOnce(&mut Slot) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The time of the last input.
    pub(super) fn now_s(&self) -> u64 {
        self.slot(|slot| slot.now.unix_s)
    }

    /// Bytes that nobody can guess.
    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        self.slot(|slot| slot.entropy.bytes())
    }

    async fn perform(&self, effect: Effect, timeout_ms: u64, why: &'static str) -> Reply {
        self.slot(|slot| slot.state = State::Question(Question { effect, timeout_ms, why }));
        poll_fn(|_| {
            self.slot(|slot| match std::mem::replace(&mut slot.state, State::Working) {
                State::Answered(reply) => Poll::Ready(reply),
                other => {
                    slot.state = other;
                    Poll::Pending
                }
            })
        })
        .await
    }

    pub(super) async fn load(&self, key: StoreKey, why: &'static str) -> Result<Option<Loaded>, Unavailable> {
        match self.perform(Effect::Load { key: Box::new(key) }, limits::STORE_MS, why).await {
            Reply::Loaded(loaded) => Ok(loaded),
            _ => Err(Unavailable),
        }
    }

    pub(super) async fn save(
        &self,
        key: StoreKey,
        record: String,
        expect: Option<RecordRevision>,
        expires_at_s: u64,
        why: &'static str,
    ) -> Result<Written, Unavailable> {
        let effect = Effect::Save {
            key: Box::new(key),
            record: Secret::from(record),
            expect,
            expires_at_s: Some(expires_at_s),
        };
        match self.perform(effect, limits::STORE_MS, why).await {
            Reply::Saved => Ok(Written::Saved),
            Reply::Conflict => Ok(Written::Conflict),
            _ => Err(Unavailable),
        }
    }

    pub(super) async fn delete(
        &self,
        key: StoreKey,
        expect: RecordRevision,
        why: &'static str,
    ) -> Result<Written, Unavailable> {
        match self.perform(Effect::Delete { key: Box::new(key), expect }, limits::STORE_MS, why).await {
            Reply::Deleted => Ok(Written::Saved),
            Reply::Conflict => Ok(Written::Conflict),
            _ => Err(Unavailable),
        }
    }

    pub(super) async fn http(
        &self,
        request: HttpRequest,
        max_body: usize,
        why: &'static str,
    ) -> Result<Response, Unavailable> {
        let effect = Effect::Http { request: Box::new(request), max_body };
        match self.perform(effect, limits::PROVIDER_HTTP_MS, why).await {
            Reply::Http(response) => Ok(response),
            _ => Err(Unavailable),
        }
    }

    pub(super) async fn sign(
        &self,
        key: &str,
        algorithm: Algorithm,
        input: Vec<u8>,
        why: &'static str,
    ) -> Result<Vec<u8>, Unavailable> {
        match self.perform(Effect::Sign { key: key.into(), algorithm, input }, limits::SIGN_MS, why).await {
            Reply::Signed(signature) => Ok(signature),
            _ => Err(Unavailable),
        }
    }
}

/// The entropy of one exchange, stretched by SHA-256 in counter mode.
struct Entropy {
    seed: [u8; 32],
    used: u32,
}

impl Entropy {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(32) {
            let mut hasher = Sha256::new();
            hasher.update(self.seed);
            hasher.update(self.used.to_be_bytes());
            chunk.iter_mut().zip(hasher.finalize()).for_each(|(own, made)| *own = made);
            self.used += 1;
        }
        bytes
    }
}

impl Drop for Entropy {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}
