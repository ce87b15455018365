//! Which authorization server a resource is bound to, and what the host has approved.

use crate::client::state::record::{self, BindingRecord, PendingAuthorization};
use crate::effect::{RecordRevision, Stored};
use crate::limits;
use crate::scope::ScopeSet;
use crate::wire::server_metadata::Issuer;

/// The binding as this engine knows it.
#[derive(Debug, Default)]
pub(crate) struct Binding {
    pub(crate) record: BindingRecord,
    pub(crate) revision: Option<RecordRevision>,
    /// What is being written.
    pub(crate) writing: Option<BindingRecord>,
    /// Whether the issuer of the tokens in use is not pinned yet because writing that failed.
    pub(crate) due: bool,
}

impl Binding {
    /// Takes in what the store holds.
    pub(crate) fn load(&mut self, stored: Option<Stored<'_>>) {
        self.record = stored.and_then(|stored| record::read(stored.record).ok()).unwrap_or_default();
        self.revision = stored.map(|stored| stored.revision);
        self.writing = None;
    }

    /// Remembers the servers of authorizations that may have been answered by a process that died before it pinned
    /// their issuer: tokens of theirs may be stored, which nothing else would lead to.
    pub(crate) fn remember_asked(&mut self, authorizations: &[PendingAuthorization]) {
        for asked in authorizations.iter().filter(|asked| !asked.sign_on) {
            let issuer = asked.server.issuer();
            if self.record.issuer.as_deref() != Some(issuer) {
                self.record.remember(Some(issuer));
            }
        }
    }

    /// What was written is stored.
    pub(crate) fn written(&mut self, revision: RecordRevision) {
        self.revision = Some(revision);
        if let Some(record) = self.writing.take() {
            self.record = record;
        }
    }
}

/// What was approved: what is asked for later goes no further.
#[derive(Clone, Debug)]
pub(crate) struct Approved {
    pub(crate) issuer: Issuer,
    pub(crate) scopes: ScopeSet,
}

/// What the trust policy says about an issuer.
pub(crate) enum Trust {
    /// The host is to judge: another one is pinned.
    Changed,
    Trusted,
    Untrusted,
}

impl BindingRecord {
    /// The same, pinned to this issuer.
    pub(crate) fn pinned_to(&self, issuer: &Issuer) -> Self {
        let mut record = self.clone();
        record.remember(self.issuer.as_deref());
        record.former.retain(|former| **former != *issuer.as_str());
        record.issuer = Some(issuer.as_str().into());
        record
    }

    /// Remembers an issuer for which records may be stored.
    pub(crate) fn remember(&mut self, issuer: Option<&str>) {
        if let Some(issuer) = issuer
            && !self.former.iter().any(|former| **former == *issuer)
        {
            self.former.truncate(limits::FORMER_ISSUERS - 1);
            self.former.insert(0, issuer.into());
        }
    }
}

impl Approved {
    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Whether this server was.
    pub(crate) fn is_of(&self, issuer: &Issuer) -> bool {
        self.issuer == *issuer
    }

    /// Whether these scopes were approved.
    pub(crate) fn covers(&self, scopes: &ScopeSet) -> bool {
        self.scopes.covers(scopes)
    }
}
