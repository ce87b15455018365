//! Decisions, and what is said of those that say no.

use std::collections::BTreeSet;

use grantor::jose::JwsError;
use grantor::limits;
use grantor::resource::{Answer, Body, Decision, MessageError, Refusal, TokenProblem};
use grantor::wire::challenge::Challenges;

use super::Run;
use crate::guard::answer;
use crate::guard::request::Request;
use crate::guard::rules::Op;
use crate::guard::truth;

/// A decision, compared by all that is seen of it.
#[derive(Debug)]
struct Same(Decision);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Decision::Answer(own), Decision::Answer(other)) => own == other,
            (own, other) => format!("{own:?}") == format!("{other:?}"),
        }
    }
}

impl Run<'_> {
    /// Whether an answer says that the proof was used, as far as the room tells that.
    pub(super) fn is_used(&self, answer: &Answer) -> bool {
        match answer.refusal {
            Some(Refusal::ProofReplayed) => true,
            Some(Refusal::Unavailable) => !self.setup.has_room_for_proofs(),
            _ => false,
        }
    }

    pub(super) fn check(&mut self, request: &Request, body: Option<&[u8]>) -> Decision {
        let head = request.head();
        let read = body.map(Body::new);
        let examined = self.unchanged(|guard, now| guard.examine(now, &head, read.as_ref()).ok().map(Same));
        let decision = Same(self.guard.check(self.now, &head, body));
        assert!(examined.is_none_or(|examined| examined == decision), "examined as checked: {decision:?}");
        if let Some(twin) = &mut self.twin {
            let other = match twin.examine(self.now, &head, read.as_ref()) {
                Ok(decision) => decision,
                Err(examined) => twin.conclude(self.now, examined, read.as_ref()),
            };
            assert_eq!(decision, Same(other), "the same history, the same decision");
        }
        self.drain();
        decision.0
    }

    /// MCP "Scope Challenge Handling": what was asked for suffices, and it was not there before.
    pub(super) fn lacking(&self, answer: &Answer, request: &Request, ops: &[Op]) {
        let scopes_lack = match answer.refusal {
            Some(Refusal::InsufficientScope) => true,
            Some(Refusal::InsufficientAuthentication) => false,
            Some(Refusal::Message(MessageError::Contradictory)) => {
                return assert_eq!(self.setup.table.authentication(ops).1, Some(Vec::new()), "{ops:?}");
            }
            _ => return,
        };
        let said = self.truth.members_of(request);
        if let Some(said) = &said {
            let authenticated = truth::is_authenticated(said, ops, &self.setup, self.now);
            assert_eq!(authenticated, scopes_lack, "all that is lacking at once: {ops:?} by {said:?}");
        }
        let (challenges, _) = Challenges::of(&answer.headers);
        let challenge = challenges.iter().next().expect("one");
        let mut scopes = answer::scopes(challenge);
        // It cannot be asked for.
        scopes.insert("offline_access".to_owned());
        let met = |scopes: &BTreeSet<String>| ops.iter().all(|op| self.setup.table.is_met(scopes, op));
        assert!(met(&scopes), "{ops:?} with {scopes:?}");
        if !scopes_lack {
            let (max_age_s, acr) = self.setup.table.authentication(ops);
            assert_eq!(challenge.get("max_age"), max_age_s.map(|age| age.to_string()).as_deref());
            assert_ne!(acr, Some(Vec::new()), "nobody can be sent to what there is not");
            assert_eq!(challenge.get("acr_values"), acr.map(|acr| acr.join(" ")).as_deref());
        // Resources also need what other readings of their URI need.
        } else if let Some(said) = said
            && !ops.iter().any(|op| op.kind == "resource")
        {
            let held = truth::scopes(&said, truth::server_of(answer), &self.setup);
            assert!(!met(&held), "{ops:?} with {held:?}");
        }
    }

    /// Only who looked for a key says that there is none.
    pub(super) fn unknown_key(&self, answer: &Answer) {
        if answer.refusal == Some(Refusal::Token(TokenProblem::Jws(JwsError::UnknownKey))) {
            let fetched_ms = self.truth.keys_at_ms.expect("keys");
            assert!(self.now.mono_ms < fetched_ms + limits::KEYS_REFETCH_MS, "looked for just before");
        }
    }
}
