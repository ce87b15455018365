//! Records that cannot be read: quarantined before anything replaces them, or left where they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::client::engine::Engine;
use crate::client::output::Notice;
use crate::client::state::ops::{Op, Owner};
use crate::client::state::quarantined::Quarantined;
use crate::client::state::record;
use crate::effect::{Completion, Effect, StoreKey, Stored};
use crate::error::{Failure, FailureKind, RecordProblem};
use crate::limits;
use crate::policy::RecordPolicy;
use crate::secret::Secret;
use crate::time::Now;

impl Engine {
    /// Hands the answer to an effect to its owner; that of an unreadable record only when a copy of it is
    /// safe.
    pub(crate) fn on_answer(&mut self, now: Now, owner: Owner, op: Option<Op>, completion: Completion<'_>) {
        let (load, quarantined) = op.map(|op| (op.load, op.quarantined)).unwrap_or_default();
        match (load, quarantined, completion) {
            (Some(key), _, Completion::Loaded(Some(stored))) => {
                match record::check(key.kind, stored.record) {
                    Ok(()) => self.on_completion(now, owner, completion),
                    Err(problem) => self.on_unreadable(now, owner, &key, stored, problem),
                }
            }
            // A conflict: the very same content is there already.
            (_, Some(quarantined), Completion::Saved(_) | Completion::Conflict) => {
                let stored = Stored { record: &quarantined.content, revision: quarantined.revision };
                self.on_completion(now, owner, Completion::Loaded(Some(stored)));
            }
            (_, Some(quarantined), Completion::Failed(failure)) => {
                let detail = format!(
                    "the unreadable {} record could not be kept: {}",
                    quarantined.kind, failure.detail
                );
                let failure = Failure::new(failure.kind, &detail);
                self.on_completion(now, owner, Completion::Failed(failure));
            }
            _ => self.on_completion(now, owner, completion),
        }
    }

    fn on_unreadable(
        &mut self,
        now: Now,
        owner: Owner,
        key: &StoreKey,
        stored: Stored<'_>,
        problem: RecordProblem,
    ) {
        let kind = key.kind;
        self.notice(Notice::RecordUnreadable { kind, problem });
        if self.config.unreadable_records == RecordPolicy::Fail {
            let detail = format!("the {kind} record {problem}");
            let failure = Failure::new(FailureKind::Unreadable, &detail);
            return self.on_completion(now, owner, Completion::Failed(failure));
        }
        if stored.record.is_empty() {
            return self.on_completion(now, owner, Completion::Loaded(Some(stored)));
        }
        let effect = Effect::Save {
            key: Box::new(key.quarantine(record::hash(stored.record))),
            record: text(stored.record),
            expect: None,
            expires_at_s: None,
        };
        let why = "the record cannot be read; it is quarantined before another takes its place";
        let op = self.perform(now, owner, effect, limits::STORE_MS, why);
        let content = Zeroizing::new(stored.record.to_vec());
        self.ops.keeps(op, Box::new(Quarantined { kind, content, revision: stored.revision }));
    }
}

/// Content as a store takes it: text as it is, anything else in base64; of too much, the beginning.
fn text(content: &[u8]) -> Secret {
    if let Ok(text) = std::str::from_utf8(content) {
        let end = (0..=text.len().min(limits::RECORD)).rev().find(|at| text.is_char_boundary(*at));
        return Secret::from(end.and_then(|end| text.get(..end)).unwrap_or_default());
    }
    let beginning = content.get(..limits::RECORD / 4 * 3).unwrap_or(content);
    Secret::from(STANDARD.encode(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_aside_is_bounded_and_exact() {
        assert_eq!(text(b"{\"v\":2}").expose(), "{\"v\":2}");
        assert_eq!(STANDARD.decode(text(b"\xff\x00{").expose()).unwrap(), b"\xff\x00{");
        for huge in [vec![0xff; limits::RECORD + 1], "ü".repeat(limits::RECORD).into_bytes()] {
            let kept = text(&huge);
            assert!(kept.expose().len() <= limits::RECORD && kept.expose().len() > limits::RECORD - 4);
        }
    }
}
