//! The list of accounts of a resource: which there are, and whose.

use crate::client::engine::Engine;
use crate::client::output::Notice;
use crate::client::state::account::{Account, List, Listing};
use crate::client::state::ops::Owner;
use crate::client::state::record::{self};
use crate::effect::{Completion, Effect, RecordKind, StoreKey, Stored};
use crate::limits;
use crate::time::Now;

impl Engine {
    /// Brings the list up to date: this account is in it while it has tokens. Nobody waits for that.
    pub(crate) fn list_account(&mut self, now: Now) {
        if self.config.listed && self.listing.is_none() {
            self.listing = Some(Listing { rounds: 0 });
            self.load_list(now);
        }
    }

    fn load_list(&mut self, now: Now) {
        let key = Box::new(StoreKey::accounts(self.config.resource.as_str()));
        self.load(now, Owner::Listing, key, "the list of accounts is brought up to date");
    }

    pub(crate) fn on_listing(&mut self, now: Now, completion: Completion<'_>) {
        let Some(mut listing) = self.listing.take() else { return };
        match completion {
            Completion::Loaded(stored) => {
                if self.write_list(now, stored) {
                    self.listing = Some(listing);
                }
            }
            Completion::Saved(_) => {}
            Completion::Conflict if listing.rounds < limits::STORE_ROUNDS => {
                listing.rounds += 1;
                self.listing = Some(listing);
                self.load_list(now);
            }
            _ => self.notice(Notice::StoreFailed { kind: RecordKind::Accounts }),
        }
    }

    /// Whether there was anything to write.
    fn write_list(&mut self, now: Now, stored: Option<Stored<'_>>) -> bool {
        let mut list: List = stored.and_then(|stored| record::read(stored.record).ok()).unwrap_or_default();
        let before = list.accounts.clone();
        let own = self.grant.grant.as_deref().filter(|grant| grant.tokens.access.is_some());
        let own = own.map(|grant| Account {
            name: (&*self.config.account).into(),
            label: grant.user.as_ref().map(|user| user.label.clone()),
            issuer: grant.server.issuer().as_str().into(),
        });
        list.accounts.retain(|account| *account.name != *self.config.account);
        list.accounts.extend(own);
        list.accounts.sort_by(|a, b| a.name.cmp(&b.name));
        let surplus = list.accounts.len().saturating_sub(limits::ACCOUNTS);
        list.accounts.drain(..surplus);
        if list.accounts == before {
            return false;
        }
        let effect = Effect::Save {
            key: Box::new(StoreKey::accounts(self.config.resource.as_str())),
            record: record::write(&list),
            expect: stored.map(|stored| stored.revision),
            expires_at_s: None,
        };
        let why = "the list of accounts is brought up to date";
        self.perform(now, Owner::Listing, effect, limits::STORE_MS, why);
        true
    }
}
