//! What happens, for logs and progress displays.

use grantor::client::Notice;
use grantor::wire::HttpRequest;
use grantor::{AuthorizationPrompt, DevicePrompt, Summary};

use crate::http::{HttpAnswer, HttpFailure};

/// Something that happened, without a secret in it unless a field says so.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An HTTP exchange has ended.
    Exchanged {
        /// What was asked. Its `Debug` is safe to log.
        request: &'a HttpRequest,
        /// Why.
        why: &'a str,
        /// What came back.
        answer: Result<&'a HttpAnswer, &'a HttpFailure>,
    },
    /// A notice of the engine.
    Notice(&'a Notice),
    /// The user is asked whether to go on.
    WaitingForApproval {
        /// What about.
        summary: &'a Summary,
    },
    /// A page is open, and the user's answer is awaited. Show its URL where no browser can be opened; it
    /// holds `state`, so keep it out of logs.
    WaitingForBrowser {
        /// The page and what it is about.
        prompt: &'a AuthorizationPrompt,
        /// Why.
        why: &'a str,
    },
    /// A code is shown, and the user is to type it in on another device.
    WaitingForDevice {
        /// The code and where it goes.
        prompt: &'a DevicePrompt,
        /// Why.
        why: &'a str,
    },
}

/// Is told what happens. Called outside of all locks, from any thread; it should return soon.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}

impl<F: Fn(Event<'_>) + Send + Sync + 'static> Observer for F {
    fn event(&self, event: Event<'_>) {
        self(event);
    }
}

/// The observer of hosts that set none: says on standard error what a user must know to understand why nothing seems to
/// happen, or that a connection protects nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Essentials;

impl Observer for Essentials {
    fn event(&self, event: Event<'_>) {
        if let Event::Notice(notice) = event
            && notice.is_for_user()
        {
            eprintln!("{notice}");
        }
    }
}
