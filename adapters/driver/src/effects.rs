//! Performing the effects that need no HTTP stack, and answers as values.

use grantor::error::{Failure, FailureKind};
use grantor::{Completion, Effect, Interaction, RecordRevision, Stored};

use crate::browser::{Answer, InteractionFailure, UserAgent, Wait};
use crate::http::{HttpAnswer, HttpFailure};
use crate::sign::Assertion;
use crate::store::{Record, Store, StoreError, Swap};

/// An answer to an effect, owned, on its way to the machine as a [`Completion`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Performed {
    /// The user agreed.
    Approved,
    /// The assertion, by whoever authenticates this client or its user.
    Assertion(Assertion),
    /// The redirect URI that the browser came to, with the answer in its query.
    Callback(String),
    /// The same of an authorization server that left `state` out, from a place where only this answer can be.
    CallbackWithoutState(String),
    /// The store held another revision than expected, and is unchanged.
    Conflict,
    /// The user did not agree.
    Declined,
    /// The record is gone.
    Deleted,
    /// Nothing came of it, and why: its kind, and words without secrets.
    Failed(FailureKind, String),
    /// The response.
    Http(HttpAnswer),
    /// The redirect URI at which answers are awaited from now on.
    Listening(String),
    /// What the store held.
    Loaded(Option<Record>),
    /// The record's new revision.
    Saved(RecordRevision),
    /// The signature's bytes.
    Signed(Vec<u8>),
}

impl Performed {
    /// For a store or user agent that panicked: the engine goes on.
    pub(crate) fn panicked() -> Self {
        Self::Failed(FailureKind::Other, "the host's code panicked".into())
    }

    /// For an effect that this driver is too old for.
    pub(crate) fn unknown() -> Self {
        Self::Failed(FailureKind::Impossible, "this driver is older than the engine".into())
    }

    /// The same, as machines take it.
    pub fn completion(&self) -> Completion<'_> {
        match self {
            Self::Approved => Completion::Approved,
            Self::Assertion(assertion) => {
                Completion::Assertion { token: assertion.token.expose(), kind: assertion.kind }
            }
            Self::Callback(url) => Completion::Callback { url },
            Self::CallbackWithoutState(url) => Completion::CallbackWithoutState { url },
            Self::Conflict => Completion::Conflict,
            Self::Declined => Completion::Declined,
            Self::Deleted => Completion::Deleted,
            Self::Failed(kind, detail) => Completion::Failed(Failure::new(*kind, detail)),
            Self::Http(answer) => Completion::Http(answer.response()),
            Self::Listening(redirect_uri) => Completion::Listening { redirect_uri },
            Self::Loaded(record) => Completion::Loaded(
                record.as_ref().map(|record| Stored { record: &record.content, revision: record.revision }),
            ),
            Self::Saved(revision) => Completion::Saved(*revision),
            Self::Signed(signature) => Completion::Signed { signature },
        }
    }
}

impl From<HttpFailure> for Performed {
    fn from(failure: HttpFailure) -> Self {
        Self::Failed(failure.kind, failure.detail)
    }
}

impl From<InteractionFailure> for Performed {
    fn from(failure: InteractionFailure) -> Self {
        Self::Failed(failure.kind, failure.detail)
    }
}

impl From<StoreError> for Performed {
    fn from(error: StoreError) -> Self {
        Self::Failed(FailureKind::Other, error.to_string())
    }
}

/// An operation on the store.
#[derive(Debug)]
pub(crate) enum StoreOp {
    Delete(Box<grantor::StoreKey>, RecordRevision),
    Load(Box<grantor::StoreKey>),
    Save(Box<grantor::StoreKey>, grantor::Secret, Option<RecordRevision>, Option<u64>),
}

impl StoreOp {
    pub(crate) fn perform(self, store: &dyn Store) -> Performed {
        let outcome = match self {
            Self::Delete(key, expect) => store.delete(&key, expect).map(|swap| match swap {
                Swap::Done(_) => Performed::Deleted,
                Swap::Conflict => Performed::Conflict,
            }),
            Self::Load(key) => store.load(&key).map(Performed::Loaded),
            Self::Save(key, record, expect, expires_at_s) => {
                let swap = match expires_at_s {
                    Some(at_s) => store.save_until(&key, &record, expect, at_s),
                    None => store.save(&key, &record, expect),
                };
                swap.and_then(|swap| match swap {
                    Swap::Done(Some(revision)) => Ok(Performed::Saved(revision)),
                    Swap::Done(None) => Err(StoreError::new("the store names no revision")),
                    Swap::Conflict => Ok(Performed::Conflict),
                })
            }
        };
        outcome.unwrap_or_else(Performed::from)
    }
}

/// Performs an effect on a store, for hosts with a loop of their own; `None` for effects of another kind. It may block.
pub fn on_store(store: &dyn Store, effect: &Effect) -> Option<Performed> {
    let op = match effect {
        Effect::Delete { key, expect } => StoreOp::Delete(key.clone(), *expect),
        Effect::Load { key } => StoreOp::Load(key.clone()),
        Effect::Save { key, record, expect, expires_at_s } => {
            StoreOp::Save(key.clone(), record.clone(), *expect, *expires_at_s)
        }
        _ => return None,
    };
    Some(op.perform(store))
}

/// Asks the user, for hosts with a loop of their own; `None` when the answer will come by another way. It blocks until
/// the user has answered, or the wait is over.
pub fn interact(user: &dyn UserAgent, interaction: &Interaction, wait: &Wait) -> Option<Performed> {
    Some(match interaction {
        Interaction::Listen { preferred } => match user.listen(preferred.as_deref()) {
            Ok(redirect_uri) => Performed::Listening(redirect_uri),
            Err(failure) => failure.into(),
        },
        Interaction::Approve(summary) => {
            if user.approve(summary) {
                Performed::Approved
            } else {
                Performed::Declined
            }
        }
        Interaction::Authorize(prompt) => match user.authorize(prompt, wait) {
            Ok(Answer::Callback(url)) => Performed::Callback(url),
            Ok(Answer::CallbackWithoutState(url)) => Performed::CallbackWithoutState(url),
            Ok(Answer::Declined) => Performed::Declined,
            Ok(Answer::Later) => return None,
            Err(failure) => failure.into(),
        },
        Interaction::Device(prompt) => match user.show_code(prompt, wait) {
            Ok(Answer::Later | Answer::Callback(_) | Answer::CallbackWithoutState(_)) => return None,
            Ok(Answer::Declined) => Performed::Declined,
            Err(failure) => failure.into(),
        },
        _ => Performed::unknown(),
    })
}
