//! Every adapter behind one trait, for tests that hold for all of them.

mod adding;
mod asynchronous;
mod blocking;
pub mod support;
mod trusting;

use std::error::Error;
use std::time::Duration;

use grantor_driver::grantor;
use grantor_driver::grantor::client::{ConfigError, RequestHead};
use grantor_driver::grantor::wire::challenge::Challenges;
use grantor_driver::{CallError, Setup};
use http::HeaderMap;

pub use crate::adding::open_adding;
use crate::asynchronous::{Async, Smol, Tokio};
use crate::blocking::Ureq;
pub use crate::trusting::{open_trusting, trusting_agent};

/// The adapters' names.
pub const ADAPTERS: [&str; 4] = ["reqwest", "hyper", "smol", "ureq"];

/// A response with its body.
#[derive(Debug)]
pub struct Answered {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// Why there is no response.
#[derive(Debug)]
pub enum Failed {
    /// Authorization failed.
    Authorization(grantor::Error),
    /// Anything else.
    Other(Box<dyn Error + Send + Sync>),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Authorization(error) => error.fmt(f),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl Error for Failed {}

impl<E: Error + Send + Sync + 'static> From<CallError<E>> for Failed {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Authorization(report) => Self::Authorization(report.error),
            other => Self::Other(other.into()),
        }
    }
}

/// An authorized client of some HTTP stack.
pub trait Adapter: Send + Sync {
    /// Sends a POST and reads the whole response.
    ///
    /// # Errors
    /// [`Failed`].
    fn post(&self, url: &str, headers: &HeaderMap, body: &str) -> Result<Answered, Failed>;

    /// Takes in a callback that comes without its prompt.
    ///
    /// # Errors
    /// [`Failed`].
    fn callback(&self, url: &str) -> Result<(), Failed>;

    /// Gets a token if there is none.
    ///
    /// # Errors
    /// [`Failed`].
    fn log_in(&self) -> Result<(), Failed>;

    /// Gives the tokens back and forgets them.
    ///
    /// # Errors
    /// [`Failed`].
    fn log_out(&self) -> Result<(), Failed>;

    /// Goes after what challenges demand that came by another way than a response's headers.
    ///
    /// # Errors
    /// [`Failed`].
    fn step_up(&self, request: RequestHead<'_>, challenges: &Challenges) -> Result<(), Failed>;

    /// What to show for the account.
    fn account_label(&self) -> Option<String>;

    /// The same client for another account.
    ///
    /// # Errors
    /// When the name cannot be one.
    fn account(&self, name: &str) -> Result<Box<dyn Adapter>, ConfigError>;

    /// Sends many POSTs at once, each until it is answered or given up; the status codes of those that
    /// were not given up.
    fn burst(&self, url: &str, body: &str, calls: &[Patience]) -> Vec<Result<Option<u16>, Failed>>;

    /// How many tasks its runtime has, if that can be told.
    fn tasks(&self) -> Option<usize>;
}

/// When a caller gives up: the future is dropped. What blocks cannot be dropped; there a timeout of the
/// HTTP stack ends the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Never.
    Endless,
    /// After this many polls.
    Polls(u32),
    /// After this time.
    Until(Duration),
}

/// The adapter of this name with this setup.
///
/// # Errors
/// When there is none of that name, or the setup is refused.
pub fn open(name: &str, setup: Setup) -> Result<Box<dyn Adapter>, Box<dyn Error>> {
    Ok(match name {
        "hyper" => Box::new(Async(grantor_hyper::AuthorizedClient::new(setup)?, Tokio::start()?)),
        "reqwest" => Box::new(Async(grantor_reqwest::AuthorizedClient::new(setup)?, Tokio::start()?)),
        "smol" => Box::new(Async(grantor_smol::AuthorizedClient::new(setup)?, Smol)),
        "ureq" => {
            let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
            Box::new(Ureq(grantor_ureq::AuthorizedAgent::with_agent(setup, agent)?))
        }
        other => return Err(format!("unknown adapter {other}").into()),
    })
}

fn other(error: impl Error + Send + Sync + 'static) -> Failed {
    Failed::Other(error.into())
}

/// The programs of README and guides are compiled with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
#[doc = include_str!("../../../docs/client.md")]
#[doc = include_str!("../../../docs/server.md")]
struct Guides;
