//! Effects that nobody waits for: what their answers tell is noted.

use crate::client::engine::Engine;
use crate::client::output::Notice;
use crate::effect::{Completion, RecordKind};

impl Engine {
    pub(crate) fn on_detached(&mut self, kind: RecordKind, completion: Completion<'_>) {
        match (kind, completion) {
            // A lease that was renewed or released. If anything else has been written since, the next
            // write conflicts, and the record is looked at.
            (RecordKind::Grant, Completion::Saved(revision)) => self.grant.revision = Some(revision),
            (RecordKind::Pending, Completion::Saved(revision)) => {
                self.pending.revision = Some(revision);
                self.pending.loaded = true;
            }
            (RecordKind::Pending, Completion::Deleted) => {
                self.pending.revision = None;
                self.pending.loaded = true;
            }
            (RecordKind::Binding, completion @ (Completion::Saved(_) | Completion::Conflict)) => {
                self.on_pinned_late(&completion);
            }
            (RecordKind::Binding, completion) => {
                self.on_pinned_late(&completion);
                self.notice(Notice::StoreFailed { kind });
            }
            // Others write it too: it is loaded again when it is needed.
            (_, Completion::Conflict | Completion::Saved(_) | Completion::Deleted) => {}
            (kind, _) => self.notice(Notice::StoreFailed { kind }),
        }
    }
}
