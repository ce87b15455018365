//! The list of accounts of a resource: which there are, and whose.

use serde::{Deserialize, Serialize};

use crate::client::engine::Engine;
use crate::client::output::Notice;
use crate::client::state::ops::Owner;
use crate::client::state::record::{self, GrantRecord, Record, Text};
use crate::effect::{Completion, Effect, RecordKind, StoreKey, Stored};
use crate::error::RecordProblem;
use crate::limits;
use crate::scope::ScopeSet;
use crate::time::Now;

/// An account that is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Account {
    /// The host's name for it.
    pub name: Box<str>,
    /// What to show for it, when its token says who the user is
    /// ([`Engine::account_label`]).
    pub label: Option<Box<str>>,
    /// Its authorization server.
    pub issuer: Box<str>,
}

/// The accounts of a resource, from the record that [`StoreKey::accounts`] names. They are there when
/// [`Config::list_account`](crate::client::Config::list_account) says so.
///
/// # Errors
/// [`RecordProblem`] when the record cannot be read.
pub fn accounts(record: &[u8]) -> Result<Vec<Account>, RecordProblem> {
    record::read(record).map(|list: List| list.accounts)
}

/// What a stored grant holds, without its tokens: for a list of where somebody is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredGrant {
    /// The authorization server.
    pub issuer: Box<str>,
    /// The scopes that were granted; those that were asked for, where the server did not say.
    pub scopes: ScopeSet,
    /// When the access token expires, in seconds since 1970, if the server said so.
    pub expires_at_s: Option<u64>,
    /// Whether there is an access token; without one, the user has to log in again.
    pub usable: bool,
    /// Whether it can be renewed without the user.
    pub renewable: bool,
}

/// What a record of the kind [`Grant`](RecordKind::Grant) holds.
///
/// # Errors
/// [`RecordProblem`] when the record cannot be read.
pub fn stored_grant(record: &[u8]) -> Result<StoredGrant, RecordProblem> {
    record::read(record).map(GrantRecord::into_stored)
}

#[derive(Default, Deserialize)]
pub(crate) struct List {
    accounts: Vec<Account>,
}

impl Record for List {
    fn members(&self, text: &mut Text) {
        text.objects("accounts", self.accounts.iter(), |text, account| {
            text.text("name", &account.name);
            text.some_text("label", account.label.as_deref());
            text.text("issuer", &account.issuer);
        });
    }
}

/// The list is being brought up to date.
#[derive(Debug)]
pub(crate) struct Listing {
    rounds: u8,
}

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
