//! The authorizations that are pending.

use crate::client::state::record::PendingAuthorization;
use crate::effect::RecordRevision;
use crate::secret::Secret;
use crate::time::Now;

/// The pending authorizations as far as this engine knows them.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) loaded: bool,
    pub(crate) revision: Option<RecordRevision>,
    pub(crate) authorizations: Vec<PendingAuthorization>,
}

impl Pending {
    /// Those that are worth something still.
    pub(crate) fn drop_expired(&mut self, now: Now) {
        self.authorizations.retain(|pending| pending.expires_at > now.unix_s);
        self.authorizations.shrink_to_fit();
    }

    pub(crate) fn remove(&mut self, state: &Secret) {
        self.authorizations.retain(|pending| pending.state != *state);
        self.authorizations.shrink_to_fit(); // most of the time there are none
    }
}
