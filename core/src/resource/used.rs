//! Proofs whose use is recorded in the host's store, which all processes share (RFC 9449 11.1).

use std::collections::VecDeque;

use super::fetch::Task;
use super::guard::Guard;
use super::output::{CheckId, Notice};
use super::refusal::Refusal;
use crate::effect::{Completion, Effect, RecordKind, StoreKey};
use crate::error::{EffectError, ErrorReport, Failure, FailureKind, Work};
use crate::jose::dpop::{Proof, ProofHash, proof_hash};
use crate::jose::encode_base64url;
use crate::limits;
use crate::secret::Secret;
use crate::time::Now;

/// A proof whose use is being recorded.
#[derive(Debug)]
pub(super) struct Recording {
    proof: ProofHash,
    check: CheckId,
}

/// What became of recordings whose checks have not come back yet: the newest, since some never do. One that is
/// forgotten counts as a second use.
#[derive(Debug, Default)]
pub(super) struct Recorded(VecDeque<(ProofHash, Result<(), Refusal>)>);

impl Recorded {
    fn take(&mut self, proof: &ProofHash) -> Option<Result<(), Refusal>> {
        let at = self.0.iter().position(|(known, _)| known == proof)?;
        self.0.remove(at).map(|(_, outcome)| outcome)
    }

    fn put(&mut self, proof: ProofHash, outcome: Result<(), Refusal>) {
        if self.0.len() >= limits::CHECKS_ASKED {
            self.0.pop_front();
        }
        self.0.push_back((proof, outcome));
    }
}

impl Guard {
    /// What the store said of this proof, to the check that waited for it.
    pub(super) fn recorded(&mut self, proof: &Proof) -> Option<Result<(), Refusal>> {
        if !self.options.dpop.stored {
            return None;
        }
        self.recorded.take(&proof_hash(proof))
    }

    /// Records that a proof is used, unless another process was first.
    pub(super) fn record(&mut self, now: Now, proof: &Proof) -> Result<CheckId, Refusal> {
        if self.ops.len() >= limits::CHECKS_ASKED {
            return Err(Refusal::Unavailable);
        }
        let hash = proof_hash(proof);
        let name = encode_base64url(hash);
        // As long as anybody may accept it: their clocks may be behind.
        let until_s = proof.accepted_until_s.saturating_add(self.options.leeway_s);
        let effect = Effect::Save {
            key: Box::new(StoreKey::new(RecordKind::Proof, self.resource.as_str(), &name, None)),
            record: Secret::from(until_s.to_string()),
            expect: None,
            expires_at_s: Some(until_s),
        };
        let check = self.next_check();
        let task = Task::Record(Recording { proof: hash, check });
        self.start(now, 0, task, effect, "a proof is used once, whichever process it is sent to");
        Ok(check)
    }

    pub(super) fn settle_record(&mut self, recording: Recording, with: Completion<'_>) {
        let outcome = match with {
            Completion::Saved(_) => Ok(()),
            Completion::Conflict => Err(Refusal::ProofReplayed),
            other => {
                let failure = match other {
                    Completion::Failed(failure) => failure,
                    _ => Failure::new(FailureKind::Other, ""),
                };
                let error = ErrorReport::new(EffectError::new(Work::Store, failure).into(), None);
                self.notice(Notice::StoreFailed { error: Box::new(error) });
                Err(Refusal::Unavailable)
            }
        };
        self.recorded.put(recording.proof, outcome);
        self.ready(vec![recording.check]);
    }
}
