//! A record that is being quarantined.

use std::fmt;

use zeroize::Zeroizing;

use crate::effect::{RecordKind, RecordRevision};

/// A record that is being quarantined. Its owner is answered when that is done.
pub(crate) struct Quarantined {
    pub(crate) kind: RecordKind,
    pub(crate) content: Zeroizing<Vec<u8>>,
    pub(crate) revision: RecordRevision,
}

impl fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quarantined").field("kind", &self.kind).finish_non_exhaustive()
    }
}
