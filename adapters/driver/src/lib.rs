//! The loop that performs Grantor's effects, written once for async hosts and once for blocking ones.
//!
//! An adapter for an HTTP stack implements [`nonblocking::Host`] or [`blocking::Host`] and calls
//! [`Call::run`](nonblocking::Call::run) around each request. Everything else is here: the
//! [stores](store), the [browser] and its loopback receiver, deadlines, and waking those who
//! wait.
//!
//! For protected servers, [`guard::Guarded`] does the same around a
//! [`Guard`](grantor::resource::Guard); for authorization servers, [`provider::Provided`] around a
//! [`Provider`](grantor::server::Provider).
//!
//! No decision about OAuth is made here; those come from the [engine](grantor::client::Engine) and the
//! Guard.

#![deny(missing_docs)]

mod addresses;
pub mod blocking;
pub mod browser;
mod coding;
mod demand;
mod effects;
mod error;
mod event;
pub mod guard;
mod http;
pub mod nonblocking;
pub mod provider;
mod saved_head;
mod setup;
mod sign;
mod state;
pub mod store;
#[cfg(feature = "tracing")]
mod traced;

pub use crate::addresses::{Addresses, Resolver, admits};
pub use crate::browser::{Answer, Browser, InteractionFailure, Landing, PageRequest, UserAgent, Wait};
pub use crate::demand::{OnDemand, Recent};
pub use crate::effects::{Performed, interact, on_store};
pub use crate::error::CallError;
pub use crate::event::{Event, Observer};
pub use crate::http::{Arriving, HttpAnswer, HttpFailure};
pub use crate::saved_head::SavedHead;
pub use crate::setup::Setup;
pub use crate::sign::{Assertion, AssertionSource, Signer};
#[cfg(feature = "keyring")]
pub use crate::store::KeyringStore;
pub use crate::store::{FileStore, MemoryStore, Store};
#[cfg(feature = "tracing")]
pub use crate::traced::Traced;
pub use grantor;
