//! The effects that are under way.

use crate::client::output::CallId;
use crate::client::state::quarantined::Quarantined;
use crate::effect::{Completion, Effect, Interaction, OpId, RecordKind, StoreKey};
use crate::error::{Asked, Exchange, Sent};
use crate::time::Now;

/// Which part of the engine waits for an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Acquisition,
    /// A call whose proof is signed elsewhere.
    Call(CallId),
    /// Nobody waits; the record's revision is taken note of.
    Detached(RecordKind),
    Listing,
    LogOut,
    /// A device code that is shown while the acquisition polls.
    Prompt,
    Refresh,
    Startup,
}

/// What may answer an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Approve,
    Assert,
    Authorize,
    CheckToken,
    Delete,
    Device,
    Http,
    Listen,
    Load,
    Save,
    Sign,
}

impl Kind {
    fn of(effect: &Effect) -> Self {
        match effect {
            Effect::Assert(_) => Self::Assert,
            Effect::CheckToken { .. } => Self::CheckToken,
            Effect::Delete { .. } => Self::Delete,
            Effect::Http { .. } => Self::Http,
            Effect::Interact(Interaction::Approve(_)) => Self::Approve,
            Effect::Interact(Interaction::Authorize(_)) => Self::Authorize,
            Effect::Interact(Interaction::Device(_)) => Self::Device,
            Effect::Interact(Interaction::Listen { .. }) => Self::Listen,
            Effect::Load { .. } => Self::Load,
            Effect::Save { .. } => Self::Save,
            Effect::Sign { .. } => Self::Sign,
        }
    }

    fn fits(self, completion: &Completion<'_>) -> bool {
        matches!(
            (self, completion),
            (_, Completion::Failed(_))
                | (Self::Approve, Completion::Approved | Completion::Declined)
                | (Self::Assert, Completion::Assertion { .. } | Completion::Declined)
                | (
                    Self::Authorize,
                    Completion::Callback { .. }
                        | Completion::CallbackWithoutState { .. }
                        | Completion::Declined
                )
                | (Self::CheckToken, Completion::TokenChecked(_))
                | (Self::Delete, Completion::Deleted | Completion::Conflict)
                | (Self::Device, Completion::Declined)
                | (Self::Http, Completion::Http(_))
                | (Self::Listen, Completion::Listening { .. } | Completion::Declined)
                | (Self::Load, Completion::Loaded(_))
                | (Self::Save, Completion::Saved(_) | Completion::Conflict)
                | (Self::Sign, Completion::Signed { .. })
        )
    }
}

#[derive(Debug)]
pub(crate) struct Op {
    id: OpId,
    pub(crate) owner: Owner,
    kind: Kind,
    deadline_ms: u64,
    /// Whether it is waited for beyond its deadline: the answer may hold the only refresh token.
    kept: bool,
    /// What is asked of whom, for the error that may come of it.
    pub(crate) asked: Option<Asked>,
    /// What that carries and no error may show.
    pub(crate) sent: Sent,
    /// The record to load.
    pub(crate) load: Option<Box<StoreKey>>,
    /// The record that is being quarantined, and that its owner waits for.
    pub(crate) quarantined: Option<Box<Quarantined>>,
}

impl Op {
    /// The exchange with its answer.
    pub(crate) fn answered(&mut self, with: &Completion<'_>) -> Option<Asked> {
        let asked = self.asked.take()?;
        Some(match with {
            Completion::Http(response) => asked.answered(response, &self.sent),
            _ => asked,
        })
    }
}

/// A handful at most: one for each part of the engine, and a few detached.
#[derive(Debug, Default)]
pub(crate) struct Ops {
    next: u64,
    open: Vec<Op>,
}

/// How an id stands to the effects that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpStatus {
    Fits(Owner),
    Settled,
    Unknown,
    WrongKind,
}

impl Ops {
    pub(crate) fn open(&mut self, owner: Owner, effect: &Effect, deadline_ms: u64, kept: bool) -> OpId {
        let id = self.skip();
        let load = match effect {
            Effect::Load { key } => Some(key.clone()),
            _ => None,
        };
        let (asked, sent) = match effect {
            Effect::Http { request, .. } => (Some(Asked::of(request)), Sent::of(request)),
            Effect::Interact(interaction) => (asked_of_user(interaction), Sent::default()),
            _ => (None, Sent::default()),
        };
        let kind = Kind::of(effect);
        self.open.push(Op { id, owner, kind, deadline_ms, kept, asked, sent, load, quarantined: None });
        id
    }

    /// The id of an effect that does not leave.
    pub(crate) fn skip(&mut self) -> OpId {
        let id = OpId(self.next);
        self.next += 1;
        id
    }

    /// Notes what an effect quarantines.
    pub(crate) fn keeps(&mut self, id: OpId, quarantined: Box<Quarantined>) {
        if let Some(op) = self.open.iter_mut().find(|op| op.id == id) {
            op.quarantined = Some(quarantined);
        }
    }

    pub(crate) fn status(&self, id: OpId, completion: &Completion<'_>) -> OpStatus {
        match self.open.iter().find(|op| op.id == id) {
            Some(op) if op.kind.fits(completion) => OpStatus::Fits(op.owner),
            Some(_) => OpStatus::WrongKind,
            None if id.0 < self.next => OpStatus::Settled,
            None => OpStatus::Unknown,
        }
    }

    /// Whether a part of the engine waits for an effect.
    pub(crate) fn waits(&self, owner: Owner) -> bool {
        self.open.iter().any(|op| op.owner == owner)
    }

    pub(crate) fn settle(&mut self, id: OpId) -> Option<Op> {
        let index = self.open.iter().position(|op| op.id == id)?;
        Some(self.open.remove(index))
    }

    /// Gives room back, if nothing is under way: an idle engine keeps none for effects.
    pub(crate) fn release(&mut self) {
        if self.open.is_empty() {
            self.open = Vec::new();
        }
    }

    /// Forgets what `owner` waits for; its answer will be ignored. Returns what need not be performed any
    /// further.
    pub(crate) fn settle_all(&mut self, owner: Owner) -> Vec<OpId> {
        let settled = self.open.extract_if(.., |op| op.owner == owner);
        settled.filter(|op| !op.kept).map(|op| op.id).collect()
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.open.iter().filter(|op| !op.kept).map(|op| op.deadline_ms).min()
    }

    /// One whose deadline has passed, settled thereby.
    pub(crate) fn expire(&mut self, now: Now) -> Option<Op> {
        let index = self.open.iter().position(|op| !op.kept && op.deadline_ms <= now.mono_ms)?;
        Some(self.open.remove(index))
    }

    /// What `owner` has asked and waits for.
    pub(crate) fn asked(&self, owner: Owner) -> Option<Asked> {
        self.open.iter().find(|op| op.owner == owner).and_then(|op| op.asked.clone())
    }
}

/// The page that the user is sent to, where there is one.
fn asked_of_user(interaction: &Interaction) -> Option<Asked> {
    let page = match interaction {
        Interaction::Authorize(prompt) => (Exchange::Authorization, &prompt.url),
        Interaction::Device(prompt) => (Exchange::Authorization, &prompt.verification_uri),
        Interaction::Approve(_) | Interaction::Listen { .. } => return None,
    };
    Some(Asked::new(page.0, page.1.url()))
}
