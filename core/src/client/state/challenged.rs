//! What a challenge demands.

use url::Url;

use crate::error::PeerMisbehaved;
use crate::limits;
use crate::scope::ScopeSet;

/// What a challenge says that matters to the engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Challenged {
    /// `scope`; empty when there is none.
    pub(crate) scope: ScopeSet,
    /// `resource_metadata`, if it passes the policy.
    pub(crate) metadata_url: Option<Url>,
    pub(crate) insufficient_scope: bool,
    /// How the user is to prove themselves (RFC 9470 3).
    pub(crate) acr_values: Option<Box<str>>,
    pub(crate) max_age_s: Option<u64>,
    pub(crate) insufficient_authentication: bool,
    /// The proof needs another nonce, and nothing else is wrong (RFC 9449 9).
    pub(crate) wants_nonce: bool,
}

impl Challenged {
    /// Demands all that both do.
    pub(crate) fn join(&mut self, other: &Self) -> Result<(), PeerMisbehaved> {
        self.scope.extend(&other.scope).map_err(|_| too_many_scopes())?;
        if other.metadata_url.is_some() {
            self.metadata_url.clone_from(&other.metadata_url);
        }
        if other.acr_values.is_some() {
            self.acr_values.clone_from(&other.acr_values);
        }
        self.max_age_s = [self.max_age_s, other.max_age_s].into_iter().flatten().min();
        Ok(())
    }

    pub(crate) fn for_scope(scope: ScopeSet) -> Self {
        Self { scope, ..Self::default() }
    }
}

/// The error for scopes that do not fit in one set.
pub(crate) fn too_many_scopes() -> PeerMisbehaved {
    PeerMisbehaved::TooManyScopes { limit: limits::SCOPES }
}
