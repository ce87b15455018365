//! How often an operation may lead to a step-up.

use crate::limits;
use crate::time::Now;

/// Step-ups that were tried, by operation (MCP "Step-Up Authorization Flow": clients track scope upgrade
/// attempts). Whatever scopes they were for: a server that names another one each time is asked no more
/// often.
#[derive(Debug, Default)]
pub(crate) struct StepUps(Vec<Attempts>);

#[derive(Debug)]
struct Attempts {
    operation: u64,
    count: u8,
    last_ms: u64,
}

impl StepUps {
    /// Counts an attempt; whether it is allowed.
    pub(crate) fn allow(&mut self, operation: u64, now: Now) -> bool {
        self.0.retain(|attempts| now.mono_ms.saturating_sub(attempts.last_ms) < limits::STEP_UP_WINDOW_MS);
        if let Some(attempts) = self.0.iter_mut().find(|attempts| attempts.operation == operation) {
            if attempts.count >= limits::STEP_UPS_PER_OPERATION {
                return false;
            }
            attempts.count += 1;
            attempts.last_ms = now.mono_ms;
            return true;
        }
        if self.0.len() >= limits::STEP_UP_OPERATIONS {
            // The oldest makes room: memory stays bounded, and what is tried now is what counts.
            if let Some(oldest) = (0..self.0.len()).min_by_key(|index| self.0.get(*index).map(|a| a.last_ms))
            {
                self.0.remove(oldest);
            }
        }
        self.0.push(Attempts { operation, count: 1, last_ms: now.mono_ms });
        true
    }

    /// A step-up has served its call.
    pub(crate) fn succeeded(&mut self, operation: u64) {
        self.0.retain(|attempts| attempts.operation != operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_per_operation() {
        let mut step_ups = StepUps::default();
        let now = Now::new(0, 0);
        for _ in 0..limits::STEP_UPS_PER_OPERATION {
            assert!(step_ups.allow(1, now));
        }
        assert!(!step_ups.allow(1, now));
        assert!(step_ups.allow(2, now), "others are not affected");
        assert!(step_ups.allow(1, now.plus_ms(limits::STEP_UP_WINDOW_MS)), "it is forgotten in time");
        step_ups.succeeded(2);
        for _ in 0..limits::STEP_UPS_PER_OPERATION {
            assert!(step_ups.allow(2, now));
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut step_ups = StepUps::default();
        for operation in 0..10_000 {
            assert!(step_ups.allow(operation, Now::new(operation, 0)));
        }
        assert_eq!(step_ups.0.len(), limits::STEP_UP_OPERATIONS);
    }
}
