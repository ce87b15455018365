//! The calls that are open: where each of them stands.

use std::hash::{Hash, Hasher};

use http::{HeaderName, Method};
use url::Url;

use crate::client::output::{CallId, RequestHead};
use crate::client::state::budget::Budget;
use crate::jose::Unsigned;
use crate::scope::ScopeSet;
use crate::wire::callback::Callback;
use crate::wire::challenge::Challenges;

/// A call of the host.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) stage: Stage,
    pub(crate) purpose: Purpose,
    /// What a proof has to name (RFC 9449 4.2); kept where tokens are bound to a key.
    pub(crate) target: Option<Box<Target>>,
    /// Tells operations apart (MCP "Step-Up Authorization Flow": per resource and operation).
    pub(crate) operation: u64,
    /// How often it was sent.
    pub(crate) sends: u8,
    /// The generation of the token that it was sent with; 0 without.
    pub(crate) generation: u64,
    /// Whether a 401 to this call has led to a refresh.
    pub(crate) refreshed: bool,
    /// Whether this call has waited for an authorization.
    pub(crate) authorized: bool,
    /// Whether this call has led to a step-up.
    pub(crate) stepped_up: bool,
    /// Whether it was sent again because the resource wanted another nonce in the proof.
    pub(crate) nonce_retried: bool,
    /// What was done for it already.
    pub(crate) budget: Budget,
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The end of all that is known about the resource.
    Forget,
    /// A token, without a request to send.
    LogIn,
    /// The end of the tokens.
    LogOut,
    Request,
}

impl Purpose {
    /// Whether it ends the tokens.
    pub(crate) fn ends_tokens(self) -> bool {
        matches!(self, Self::Forget | Self::LogOut)
    }
}

/// Method and URL of a request.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) method: Method,
    pub(crate) url: Url,
}

/// Where a call stands.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Not decided yet.
    New,
    /// Sent; the response is awaited.
    Sent,
    /// To be sent; the signature of its proof is awaited.
    Signing(Box<Unsigned>),
    /// Waits for an authorization, and for these scopes in it.
    WaitingForAcquisition { needs: ScopeSet },
    /// A callback that came without its prompt; waits until it can be looked up.
    WaitingForCallback(Box<Callback>),
    /// Its callback is accepted; waits for the token to be stored.
    WaitingForExchange,
    /// Waits for the tokens to be gone: a log-out, or what came meanwhile.
    WaitingForLogOut,
    /// Waits for a refresh; whether a 401 made it wait.
    WaitingForRefresh { challenged: bool },
    /// Waits for the records to be loaded.
    WaitingForStartup,
    /// A log-out that waits for tokens that are on their way, to give them back as well.
    WaitingToLogOut,
    /// Challenges that came without a response; they wait for the records.
    WaitingToStepUp(Box<Challenges>),
}

impl Stage {
    pub(crate) fn acquisition() -> Self {
        Self::WaitingForAcquisition { needs: ScopeSet::new() }
    }

    /// Whether it waits for the records.
    pub(crate) fn is_of_startup(&self) -> bool {
        matches!(self, Self::WaitingForStartup | Self::WaitingForCallback(_) | Self::WaitingToStepUp(_))
    }
}

/// Calls by slot. An id is a slot and how often the slot was used, so that ids never repeat and calls
/// need no map.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Slot {
    uses: u32,
    call: Option<Call>,
}

impl Calls {
    /// Opens a call that sends nothing.
    pub(crate) fn open_for(&mut self, purpose: Purpose) -> CallId {
        let id = self.open(0);
        if let Some(call) = self.get_mut(id) {
            call.purpose = purpose;
        }
        id
    }

    pub(crate) fn open(&mut self, operation: u64) -> CallId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let Some(slot) = self.slots.get_mut(index as usize) else { return CallId(u64::MAX) };
        slot.uses = slot.uses.wrapping_add(1);
        slot.call = Some(Call {
            stage: Stage::New,
            purpose: Purpose::Request,
            target: None,
            operation,
            sends: 0,
            generation: 0,
            refreshed: false,
            authorized: false,
            stepped_up: false,
            nonce_retried: false,
            budget: Budget::default(),
        });
        CallId(u64::from(slot.uses) << 32 | u64::from(index))
    }

    pub(crate) fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        let slot = self.slots.get_mut(index_of(id))?;
        if slot.uses == uses_of(id) { slot.call.as_mut() } else { None }
    }

    /// Whether it was open.
    pub(crate) fn close(&mut self, id: CallId) -> bool {
        match self.slots.get_mut(index_of(id)) {
            Some(slot) if slot.uses == uses_of(id) && slot.call.is_some() => {
                slot.call = None;
                self.free.push(id.0 as u32);
                true
            }
            _ => false,
        }
    }

    /// The calls at a stage, in the order of their slots.
    pub(crate) fn at(&self, stage: impl Fn(&Stage) -> bool) -> Vec<CallId> {
        let ids = self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let call = slot.call.as_ref()?;
            stage(&call.stage).then_some(CallId(u64::from(slot.uses) << 32 | index as u64))
        });
        ids.collect()
    }

    pub(crate) fn each(&mut self, mut then: impl FnMut(CallId, &mut Call)) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if let Some(call) = &mut slot.call {
                then(CallId(u64::from(slot.uses) << 32 | index as u64), call);
            }
        }
    }

    pub(crate) fn any(&self, stage: impl Fn(&Stage) -> bool) -> bool {
        self.slots.iter().filter_map(|slot| slot.call.as_ref()).any(|call| stage(&call.stage))
    }
}

fn index_of(id: CallId) -> usize {
    (id.0 & u64::from(u32::MAX)) as usize
}

fn uses_of(id: CallId) -> u32 {
    (id.0 >> 32) as u32
}

/// What the operation of a request is told apart by: `Mcp-Method` and `Mcp-Name`, else method and URL.
pub(crate) fn operation(request: &RequestHead<'_>) -> u64 {
    const METHOD: HeaderName = HeaderName::from_static("mcp-method");
    const NAME: HeaderName = HeaderName::from_static("mcp-name");
    let mut hasher = Quick::default();
    let header = |name: HeaderName| request.headers.and_then(|headers| headers.get(name));
    match header(METHOD) {
        Some(method) => {
            method.as_bytes().hash(&mut hasher);
            header(NAME).map(http::HeaderValue::as_bytes).hash(&mut hasher);
            hasher.finish() | NAMED
        }
        None => {
            (request.method, request.url).hash(&mut hasher);
            hasher.finish() & !NAMED
        }
    }
}

/// A hash that is the same in every run, and quick for texts as short as these, of which each call has two: it takes
/// eight bytes at once.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            self.write_u64(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Marks operations that are told apart by name.
const NAMED: u64 = 1;

/// Whether an operation is one, and not all that have a URL in common.
pub(crate) fn is_named(operation: u64) -> bool {
    operation & NAMED != 0
}
