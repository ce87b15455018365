//! What an operation needs of a token.

use std::fmt;

use crate::scope::{ScopeError, ScopeSet};

/// What an operation needs of a token: one of several sets of scopes, and how the user must have
/// authenticated.
///
/// ```
/// use grantor::resource::Need;
/// let need = Need::all("files:read audit")?.or("admin")?;
/// assert_eq!(need.to_string(), "`files:read` and `audit`, or `admin`");
/// # Ok::<(), grantor::ScopeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    pub(in crate::resource) public: bool,
    /// Each of them suffices; none is the same as one that is empty.
    pub(in crate::resource) alternatives: Vec<ScopeSet>,
    pub(in crate::resource) max_age_s: Option<u64>,
    pub(in crate::resource) acr_values: Vec<Box<str>>,
}

impl Need {
    /// No token at all. One that is sent is checked nevertheless, and the host sees its grant.
    pub fn public() -> Self {
        Self { public: true, ..Self::default() }
    }

    /// A token of any scope.
    pub fn any_token() -> Self {
        Self::default()
    }

    /// All of these scopes, separated by spaces.
    ///
    /// # Errors
    /// [`ScopeError`].
    pub fn all(scopes: &str) -> Result<Self, ScopeError> {
        Ok(Self { alternatives: vec![ScopeSet::parse(scopes)?], ..Self::default() })
    }

    /// One of these scopes. The first of those that a token is nearest to is the one that is asked for.
    ///
    /// # Errors
    /// [`ScopeError`].
    pub fn any(scopes: &str) -> Result<Self, ScopeError> {
        let alternatives = ScopeSet::parse(scopes)?;
        let alternatives = alternatives.iter().map(ScopeSet::parse).collect::<Result<_, _>>()?;
        Ok(Self { alternatives, ..Self::default() })
    }

    /// Or all of these instead.
    ///
    /// # Errors
    /// [`ScopeError`].
    pub fn or(mut self, scopes: &str) -> Result<Self, ScopeError> {
        self.alternatives.push(ScopeSet::parse(scopes)?);
        Ok(self)
    }

    /// The user must have authenticated at most this many seconds ago (RFC 9470 `max_age`).
    #[must_use]
    pub fn max_age_s(mut self, seconds: u64) -> Self {
        self.max_age_s = Some(seconds);
        self
    }

    /// The user must have authenticated in one of these ways (RFC 9470 `acr_values`), separated by spaces.
    #[must_use]
    pub fn acr(mut self, values: &str) -> Self {
        self.acr_values = values.split(' ').filter(|value| !value.is_empty()).map(Into::into).collect();
        self
    }
}

impl From<ScopeSet> for Need {
    fn from(scopes: ScopeSet) -> Self {
        Self { alternatives: vec![scopes], ..Self::default() }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.public {
            return f.write_str("nothing, public");
        }
        let mut named = self.alternatives.iter().filter(|set| !set.is_empty()).peekable();
        if named.peek().is_none() {
            f.write_str("any token")?;
        }
        let several = self.alternatives.iter().any(|set| set.len() > 1);
        for (index, set) in named.enumerate() {
            if index > 0 {
                f.write_str(if several { ", or " } else { " or " })?;
            }
            for (index, scope) in set.iter().enumerate() {
                write!(f, "{}`{scope}`", if index > 0 { " and " } else { "" })?;
            }
        }
        if let Some(seconds) = self.max_age_s {
            write!(f, "; authenticated at most {seconds} s ago")?;
        }
        for (index, acr) in self.acr_values.iter().enumerate() {
            write!(f, "{}`{acr}`", if index == 0 { "; authenticated by " } else { " or " })?;
        }
        Ok(())
    }
}
