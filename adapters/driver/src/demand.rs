//! HTTP clients that are made when they are needed, and not kept by thousands of idle sessions.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// So many sessions of a process keep their clients.
const KEPT: usize = 16;

/// A client of an HTTP stack for Grantor's own requests, where those go by another than the caller's. It is
/// made when it is needed. Of many sessions in a process, those that needed theirs last keep it.
pub struct OnDemand<T: Send + Sync + 'static> {
    recent: &'static Recent<T>,
    own: Mutex<Weak<T>>,
}

/// The clients that were needed last: a static of the adapter.
pub struct Recent<T>(Mutex<VecDeque<Arc<T>>>);

impl<T> Recent<T> {
    /// None.
    pub const fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps this as the last one. What has to go for it is dropped after the lock.
    fn keep(&self, client: &Arc<T>) {
        let gone = {
            let mut kept = self.lock();
            kept.retain(|other| !Arc::ptr_eq(other, client));
            kept.push_back(Arc::clone(client));
            if kept.len() > KEPT { kept.pop_front() } else { None }
        };
        drop(gone);
    }

    fn forget(&self, client: &Arc<T>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, client));
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + Sync + 'static> OnDemand<T> {
    /// Not made yet.
    pub const fn new(recent: &'static Recent<T>) -> Self {
        Self { recent, own: Mutex::new(Weak::new()) }
    }

    /// The client, made by this if there is none.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn get<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let client = match own.upgrade() {
            Some(client) => client,
            None => Arc::new(make()?),
        };
        *own = Arc::downgrade(&client);
        self.recent.keep(&client);
        Ok(client)
    }
}

impl<T: Send + Sync + 'static> Drop for OnDemand<T> {
    fn drop(&mut self) {
        if let Some(client) = self.own.get_mut().unwrap_or_else(PoisonError::into_inner).upgrade() {
            self.recent.forget(&client);
        }
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for OnDemand<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnDemand")
    }
}

impl<T> fmt::Debug for Recent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recent")
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn the_last_ones_are_kept_and_none_outlives_its_session() {
        static RECENT: Recent<usize> = Recent::new();
        let sessions: Vec<_> = (0..3 * KEPT).map(|_| OnDemand::new(&RECENT)).collect();
        for (n, session) in sessions.iter().enumerate() {
            assert_eq!(*session.get(|| Ok::<_, Infallible>(n)).unwrap(), n);
            // The first one is needed again and again.
            assert_eq!(*sessions[0].get(|| Err(())).unwrap(), 0);
        }
        let kept = |session: &OnDemand<usize>| session.own.lock().unwrap().upgrade().is_some();
        assert_eq!(sessions.iter().filter(|session| kept(session)).count(), KEPT);
        assert!(!kept(&sessions[1]) && kept(&sessions[3 * KEPT - 1]));
        assert!(sessions[1].get(|| Err(())).is_err());
        assert_eq!(*sessions[1].get(|| Ok::<_, ()>(7)).unwrap(), 7, "made anew");
        drop(sessions);
        assert!(RECENT.lock().is_empty());
    }
}
