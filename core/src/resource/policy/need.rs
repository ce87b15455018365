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
///
/// There is no default, and nothing that fails becomes a weaker need: a list without a scope is an error
/// here, and an error [is a need](#impl-From<Result<Need,+ScopeError>>-for-Need) that nobody meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    pub(in crate::resource) public: bool,
    /// Each of them suffices; without any, nothing does.
    pub(in crate::resource) alternatives: Vec<ScopeSet>,
    pub(in crate::resource) max_age_s: Option<u64>,
    pub(in crate::resource) acr_values: Vec<Box<str>>,
}

impl Need {
    /// No token at all. One that is sent is checked nevertheless, and the host sees its grant.
    pub fn public() -> Self {
        Self { public: true, ..Self::nobody() }
    }

    /// A token of any scope.
    pub fn any_token() -> Self {
        Self::one_of(vec![ScopeSet::new()])
    }

    /// What nobody has: the operation is refused with 403, whatever the token, and no scope is asked for.
    /// With [`Policy::otherwise`](super::Policy::otherwise), what no rule names is closed:
    ///
    /// ```
    /// use grantor::resource::{Need, Policy};
    /// let policy = Policy::new()
    ///     .every("mcp:use")?
    ///     .tool("read_*", Need::all("files:read")?)
    ///     .method("*", Need::any_token()) // listing tools, to begin with
    ///     .otherwise(Need::nobody()); // no other tool, no resource, no prompt
    /// assert!(policy.to_markdown().contains("| any other | no token suffices |"));
    /// # Ok::<(), grantor::ScopeError>(())
    /// ```
    pub fn nobody() -> Self {
        Self::one_of(Vec::new())
    }

    /// All of these scopes, separated by spaces.
    ///
    /// # Errors
    /// [`ScopeError`], also when there is no scope: that would be [any token](Self::any_token).
    pub fn all(scopes: &str) -> Result<Self, ScopeError> {
        Ok(Self::one_of(vec![some(scopes)?]))
    }

    /// One of these scopes, separated by spaces. The first of those that a token is nearest to is the one
    /// that is asked for. A scope that is made from what a client sent belongs into
    /// [`scope`](Self::scope), since here a space in it would be another way in.
    ///
    /// # Errors
    /// [`ScopeError`], also when there is no scope.
    pub fn any(scopes: &str) -> Result<Self, ScopeError> {
        let alternatives = some(scopes)?;
        let alternatives = alternatives.iter().map(ScopeSet::parse).collect::<Result<_, _>>()?;
        Ok(Self::one_of(alternatives))
    }

    /// This one scope, for scopes that are made from arguments.
    ///
    /// ```
    /// use grantor::resource::{Need, Policy};
    /// let policy = Policy::new().tool_by_arguments("query", "`db:` and the table", |arguments| {
    ///     let arguments: serde_json::Value = serde_json::from_str(arguments.json).unwrap_or_default();
    ///     let Some(table) = arguments["table"].as_str() else { return Ok(Need::nobody()) };
    ///     Need::scope(&format!("db:{table}")) // an error is a need that nobody meets
    /// });
    /// ```
    ///
    /// # Errors
    /// [`ScopeError`] when it is no scope, or more than one.
    pub fn scope(scope: &str) -> Result<Self, ScopeError> {
        Ok(Self::one_of(vec![ScopeSet::from_tokens([scope])?]))
    }

    /// Or all of these instead.
    ///
    /// # Errors
    /// [`ScopeError`], also when there is no scope.
    pub fn or(mut self, scopes: &str) -> Result<Self, ScopeError> {
        self.alternatives.push(some(scopes)?);
        Ok(self)
    }

    fn one_of(alternatives: Vec<ScopeSet>) -> Self {
        Self { public: false, alternatives, max_age_s: None, acr_values: Vec::new() }
    }

    /// Whether no token meets it.
    pub(in crate::resource) fn is_nobody(&self) -> bool {
        !self.public && self.alternatives.is_empty()
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

/// All of these scopes. A set without scopes is a need that nobody meets, since it is what is left of one that
/// could not be read.
impl From<ScopeSet> for Need {
    fn from(scopes: ScopeSet) -> Self {
        Self::one_of([scopes].into_iter().filter(|scopes| !scopes.is_empty()).collect())
    }
}

/// What is no scope, nobody has.
impl From<Result<Need, ScopeError>> for Need {
    fn from(need: Result<Need, ScopeError>) -> Self {
        need.unwrap_or_else(|_| Self::nobody())
    }
}

fn some(scopes: &str) -> Result<ScopeSet, ScopeError> {
    let scopes = ScopeSet::parse(scopes)?;
    if scopes.is_empty() { Err(ScopeError::Syntax) } else { Ok(scopes) }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.public {
            return f.write_str("nothing, public");
        }
        if self.is_nobody() {
            return f.write_str("no token suffices");
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
