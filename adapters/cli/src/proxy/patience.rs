//! How long to wait before a stream is taken up again, and how often.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::endpoint::Ended;

/// The first pause, where the server names none.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest that a server can demand.
const RETRY: Duration = Duration::from_secs(600);
/// So often in a row a stream is taken up again that says nothing.
const VAIN: u32 = 5;
/// So often a request's stream is taken up again at all.
const RESUMES: u32 = 10_000;

/// The pauses of one stream: each longer than the one before, until something is heard.
#[derive(Debug, Default)]
pub(super) struct Patience {
    retry: Option<Duration>,
    vain: u32,
    resumes: u32,
}

impl Patience {
    /// Notes how a stream has ended; how long to wait now.
    pub(super) fn after(&mut self, ended: &Ended) -> Duration {
        self.retry = ended.retry.or(self.retry);
        self.vain = if ended.heard { 0 } else { self.vain.saturating_add(1) };
        self.resumes = self.resumes.saturating_add(1);
        let first = self.retry.unwrap_or(PAUSE).min(RETRY);
        let grown = first.saturating_mul(1 << self.vain.min(10));
        grown.min(LONGEST.max(first))
    }

    /// Whether a request has waited in vain.
    pub(super) fn is_over(&self) -> bool {
        self.vain > VAIN || self.resumes > RESUMES
    }
}

/// The requests that are under way, and which of them the client has given up.
#[derive(Debug, Default)]
pub(super) struct Requests {
    given_up: Mutex<BTreeMap<String, bool>>,
    changed: Condvar,
}

impl Requests {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, id: &Value) {
        self.lock().insert(id.to_string(), false);
    }

    pub(super) fn end(&self, id: &Value) {
        self.lock().remove(&id.to_string());
    }

    pub(super) fn cancel(&self, id: &Value) {
        if let Some(given_up) = self.lock().get_mut(&id.to_string()) {
            *given_up = true;
        }
        self.changed.notify_all();
    }

    /// Waits; whether the client still wants the answer then.
    pub(super) fn wait(&self, id: &Value, pause: Duration) -> bool {
        let id = id.to_string();
        let wanted = |given_up: &mut BTreeMap<String, bool>| given_up.get(&id) == Some(&false);
        let waited = self.changed.wait_timeout_while(self.lock(), pause, wanted);
        let (mut given_up, _) = waited.unwrap_or_else(PoisonError::into_inner);
        wanted(&mut given_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(heard: bool, retry: Option<u64>) -> Ended {
        Ended { heard, retry: retry.map(Duration::from_millis), last: None }
    }

    #[test]
    fn pauses_grow_while_nothing_is_heard() {
        let mut patience = Patience::default();
        let mut after = |heard| patience.after(&ended(heard, None)).as_millis();
        assert_eq!([after(true), after(false), after(false), after(true)], [500, 1000, 2000, 500]);
        for _ in 0..100 {
            assert!(after(false) <= 60_000);
        }
        assert_eq!(after(false), 60_000);
    }

    #[test]
    fn the_server_says_how_long_to_wait() {
        let mut patience = Patience::default();
        assert_eq!(patience.after(&ended(true, Some(20))).as_millis(), 20);
        assert_eq!(patience.after(&ended(true, None)).as_millis(), 20, "until it says otherwise");
        assert_eq!(
            patience.after(&ended(true, Some(120_000))).as_millis(),
            120_000,
            "longer than the growth goes"
        );
        assert_eq!(patience.after(&ended(true, Some(u64::MAX))), RETRY);
    }

    #[test]
    fn what_says_nothing_is_given_up_and_what_never_answers_too() {
        let mut patience = Patience::default();
        for _ in 0..VAIN {
            patience.after(&ended(false, None));
        }
        assert!(!patience.is_over());
        patience.after(&ended(true, None));
        assert!(!patience.is_over(), "something was heard");
        for _ in 0..RESUMES {
            patience.after(&ended(true, None));
        }
        assert!(patience.is_over());
        let mut patience = Patience::default();
        for _ in 0..=VAIN {
            patience.after(&ended(false, None));
        }
        assert!(patience.is_over());
    }

    #[test]
    fn a_request_that_is_given_up_waits_no_more() {
        let (requests, id, long) = (Requests::default(), Value::from(1), Duration::from_secs(3600));
        requests.begin(&id);
        assert!(requests.wait(&id, Duration::ZERO));
        requests.cancel(&Value::from("1"));
        assert!(requests.wait(&id, Duration::ZERO), "another id");
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| requests.wait(&id, long));
            requests.cancel(&id);
            assert!(!waits.join().unwrap());
        });
    }
}
