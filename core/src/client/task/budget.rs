//! Charging effects where they leave, and ending what is over its budget.

use crate::client::engine::Engine;
use crate::client::output::CallId;
use crate::client::state::budget::Overdrawn;
use crate::client::state::calls::{Call, Stage};
use crate::client::state::ops::Owner;
use crate::error::{Error, Work};
use crate::time::Now;

impl Engine {
    /// Charges an effect to whoever needs it; whether it may leave.
    pub(crate) fn charge(&mut self, owner: Owner, work: Work) -> bool {
        let part = match owner {
            Owner::Acquisition | Owner::Prompt => self.budgets.acquisition.charge(work),
            Owner::LogOut => self.budgets.log_out.charge(work),
            Owner::Refresh => self.budgets.refresh.charge(work),
            Owner::Call(_) | Owner::Detached(_) | Owner::Listing | Owner::Startup => Ok(()),
        };
        let mut last = part.err();
        let mut affords = last.is_none();
        if affords {
            let overdrawn = &mut self.overdrawn;
            let mut waits = false;
            let mut can_pay = false;
            self.calls.each(|id, call| {
                if waits_for(owner, id, call) {
                    waits = true;
                    match call.budget.charge(work) {
                        Ok(()) => can_pay = true,
                        Err(endless) => {
                            overdrawn.push(Overdrawn::Call(id, endless.clone()));
                            last = Some(endless);
                        }
                    }
                }
            });
            affords = can_pay || !waits;
        }
        if let Some(endless) = last.filter(|_| !affords) {
            self.overdrawn.push(Overdrawn::Part(owner, endless));
        }
        affords
    }

    /// Ends what is over its budget. At the end of each input. Calls come first: the end of a part begins it
    /// anew for those who wait still.
    pub(crate) fn settle_budgets(&mut self, now: Now) {
        loop {
            let call = self.overdrawn.iter().position(|overdrawn| matches!(overdrawn, Overdrawn::Call(..)));
            let next = call.map(|index| self.overdrawn.swap_remove(index)).or_else(|| self.overdrawn.pop());
            match next {
                Some(Overdrawn::Call(call, endless)) => self.fail_call(call, endless),
                Some(Overdrawn::Part(owner, endless)) => self.end_part(now, owner, endless.into()),
                None => return,
            }
        }
    }

    fn end_part(&mut self, now: Now, owner: Owner, error: Error) {
        match owner {
            Owner::Acquisition | Owner::Prompt => self.exhaust_acquisition(now, error),
            Owner::Call(call) => self.fail_call(call, error),
            Owner::Detached(_) | Owner::Listing => {}
            Owner::LogOut => self.exhaust_log_out(now, error),
            Owner::Refresh => self.exhaust_refresh(now, error),
            Owner::Startup => self.fail_startup(error),
        }
    }
}

/// Whether a call waits for what this part does.
pub(crate) fn waits_for(owner: Owner, id: CallId, call: &Call) -> bool {
    match owner {
        Owner::Acquisition | Owner::Prompt => {
            let asked = matches!(call.stage, Stage::WaitingForAcquisition { .. } | Stage::WaitingForExchange);
            asked || matches!(call.stage, Stage::WaitingForCallback(_))
        }
        Owner::Call(own) => own == id,
        Owner::Detached(_) | Owner::Listing => false,
        Owner::LogOut => matches!(call.stage, Stage::WaitingForLogOut),
        Owner::Refresh => matches!(call.stage, Stage::WaitingForRefresh { .. }),
        Owner::Startup => call.stage.is_of_startup(),
    }
}
