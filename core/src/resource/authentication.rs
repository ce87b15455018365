//! How fresh and how strong the user's authentication has to be (RFC 9470).

use super::grant::Grant;

/// What all operations of a request demand together.
#[derive(Debug, Default)]
pub(super) struct Authentication<'a> {
    /// The least of the ages, in seconds.
    pub(super) max_age_s: Option<u64>,
    /// The contexts that each demand accepts.
    accepted: Option<Vec<&'a str>>,
}

impl<'a> Authentication<'a> {
    pub(super) fn demand(&mut self, max_age_s: Option<u64>, acr_values: &'a [Box<str>]) {
        self.max_age_s = self.max_age_s.into_iter().chain(max_age_s).min();
        if acr_values.is_empty() {
            return;
        }
        let accepts = |value: &&str| acr_values.iter().any(|own| **own == **value);
        self.accepted = Some(match self.accepted.take() {
            Some(before) => before.into_iter().filter(accepts).collect(),
            None => acr_values.iter().map(|value| &**value).collect(),
        });
    }

    /// Whether no authentication can be what all demand.
    pub(super) fn is_contradictory(&self) -> bool {
        self.accepted.as_ref().is_some_and(Vec::is_empty)
    }

    pub(super) fn is_met_by(&self, grant: &Grant, unix_s: u64, leeway_s: u64) -> bool {
        let fresh = self.max_age_s.is_none_or(|age| {
            let latest = grant.auth_time_s.map(|at| at.saturating_add(age).saturating_add(leeway_s));
            latest.is_some_and(|latest| latest >= unix_s)
        });
        let strong = self
            .accepted
            .as_ref()
            .is_none_or(|accepted| grant.acr.as_deref().is_some_and(|own| accepted.contains(&own)));
        fresh && strong
    }

    pub(super) fn acr_values(&self) -> Vec<&'a str> {
        self.accepted.clone().unwrap_or_default()
    }
}
