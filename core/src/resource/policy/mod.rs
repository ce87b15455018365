//! Which operation needs which scopes: a table.

mod ambiguity;
mod hierarchy;
mod need;
mod pattern;
mod print;
mod resources;
mod table;
mod uri;

use std::fmt;
use std::sync::Arc;

use hierarchy::Hierarchy;
pub use need::Need;
pub(super) use table::{Bits, Demand, Table};

use crate::scope::{ScopeError, ScopeSet};

/// What a host function sees of a call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Arguments<'a> {
    /// The name of the tool.
    pub tool: &'a str,
    /// `params.arguments` as JSON; `null` when there are none. Whoever may send anything wrote it.
    pub json: &'a str,
}

type NeedOf = Arc<dyn Fn(&Arguments<'_>) -> Need + Send + Sync>;

/// The table from operations to the scopes that they need.
///
/// Tools, prompts, resources and methods each have their own rules. A name with `*` is a pattern, in which
/// it stands for any text; a star cannot be escaped. Of several rules that fit, an exact name wins, then
/// the pattern that fixes most of it. Patterns that fix as much, can fit the same name and need different
/// things are [refused](PolicyError::Ambiguous), and so are rules that [never
/// apply](PolicyError::NeverApplies). What a rule says counts besides what [`every`](Self::every)
/// operation needs. Operations without a rule need what [`otherwise`](Self::otherwise) says: unless it says
/// something, any token that has what every operation needs.
///
/// ```
/// use grantor::resource::{Need, Policy};
/// let policy = Policy::new()
///     .every("mcp:use")?
///     .tool("read_*", Need::all("files:read")?)
///     .tool("write_file", Need::all("files:write")?)
///     .implies("files:write", "files:read")?;
/// assert!(policy.to_markdown().contains("| tool `write_file` | `mcp:use` and `files:write` |"));
/// # Ok::<(), grantor::ScopeError>(())
/// ```
#[derive(Clone)]
pub struct Policy {
    every: ScopeSet,
    otherwise: Need,
    rules: Vec<Rule>,
    hierarchy: Hierarchy,
    notes: Vec<(Box<str>, Box<str>)>,
}

#[derive(Clone)]
struct Rule {
    kind: Kind,
    name: Box<str>,
    need: Need,
    computed: Option<(NeedOf, Box<str>)>,
}

/// What a rule is about, in the order of the printed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Http,
    Method,
    Prompt,
    Resource,
    Tool,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Http, Self::Method, Self::Prompt, Self::Resource, Self::Tool];

    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Method => "method",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::Tool => "tool",
        }
    }

    /// What errors call a rule.
    fn title(self, name: &str) -> Box<str> {
        format!("{} {name}", self.name()).into()
    }
}

/// Why a table cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Two patterns that can fit the same name and fix as much of it, but need different things: which of
    /// them counts would be chance. A pattern with more text is more specific, such as `note://*private*`
    /// in place of `*private*` besides `note://*`.
    #[error(
        "{first} and {second} can fit the same name, and neither is more specific: make one so, or let \
         both need the same"
    )]
    Ambiguous {
        /// The rule that was given first.
        first: Box<str>,
        /// The other.
        second: Box<str>,
    },
    /// A scope that implies itself, over however many others.
    #[error("the scope {0:?} implies itself")]
    Cycle(Box<str>),
    /// A rule that no request comes to, so that what it should guard would stay open.
    #[error("the rule for {rule} never applies: {instead}")]
    NeverApplies {
        /// Which one.
        rule: Box<str>,
        /// What to write instead.
        instead: &'static str,
    },
    /// Two rules for the same operation.
    #[error("there are two rules for {0}")]
    Repeated(Box<str>),
    /// More different scopes than [`SCOPES`](crate::limits::SCOPES).
    #[error("the policy names too many scopes")]
    TooManyScopes,
}

impl Policy {
    /// A table in which every operation needs a token, of whatever scope.
    pub fn new() -> Self {
        Self {
            every: ScopeSet::new(),
            otherwise: Need::any_token(),
            rules: Vec::new(),
            hierarchy: Hierarchy::default(),
            notes: Vec::new(),
        }
    }

    /// Scopes that every operation needs besides its own, unless it is public.
    ///
    /// # Errors
    /// [`ScopeError`].
    pub fn every(mut self, scopes: &str) -> Result<Self, ScopeError> {
        self.every = ScopeSet::parse(scopes)?;
        Ok(self)
    }

    /// What operations without a rule need; [`Need::nobody`] closes them.
    #[must_use]
    pub fn otherwise(mut self, need: Need) -> Self {
        self.otherwise = need;
        self
    }

    /// What a tool needs, by name or pattern. A `*` cannot be escaped: a name that has one is a pattern,
    /// and stands for others, too.
    #[must_use]
    pub fn tool(self, name: &str, need: Need) -> Self {
        self.rule(Kind::Tool, name, need)
    }

    /// What a call of a tool needs, by its arguments; `described` says it in the printed table.
    ///
    /// The function is given what a client sent, for any token that is valid: an object whose members are
    /// there once, in one case of letters, and whose numbers every reader can hold; or `null`. What it needs
    /// of it counts besides what [`every`](Self::every) operation needs; a public need is taken for any
    /// token. It returns a [`Need`], or a `Result` of one: what cannot be made into a scope, nobody has. In
    /// `name` a `*` cannot be escaped.
    #[must_use]
    pub fn tool_by_arguments<N: Into<Need>>(
        mut self,
        name: &str,
        described: &str,
        need: impl Fn(&Arguments<'_>) -> N + Send + Sync + 'static,
    ) -> Self {
        let need: NeedOf = Arc::new(move |arguments| need(arguments).into());
        let computed = Some((need, described.into()));
        self.rules.push(Rule { kind: Kind::Tool, name: name.into(), need: Need::any_token(), computed });
        self
    }

    /// What a resource needs, by URI or pattern: reading it, subscribing to it, completing it, and any other
    /// method that names it by `uri`. A `*` cannot be escaped.
    ///
    /// Servers read URIs in many ways, and the Guard does not know in which. Where rules tell resources
    /// apart, a URI whose structure can be read in two ways is
    /// [refused](super::MessageError::AmbiguousUri): encoded `/ \ ? # %` or `;`, dot segments, empty
    /// segments, a `file:` URI that does not begin with `file:///`. One that differs by its letters needs
    /// what all its readings need: encoded or not, in capitals or not, with or without its query, fragment,
    /// port, user or last slash. A scheme that no rule names counts as any that one does.
    ///
    /// Write URIs as the server writes them. What is told apart by a query alone cannot be told apart here: a
    /// URI with a query needs what every rule with a query at its place needs.
    #[must_use]
    pub fn resource(self, uri: &str, need: Need) -> Self {
        self.rule(Kind::Resource, uri, need)
    }

    /// What a prompt needs, by name or pattern. A `*` cannot be escaped.
    #[must_use]
    pub fn prompt(self, name: &str, need: Need) -> Self {
        self.rule(Kind::Prompt, name, need)
    }

    /// What a JSON-RPC method needs, by name or pattern; `response` stands for answers to requests of the
    /// server. A `*` cannot be escaped. Not for `tools/call`, `prompts/get`, `resources/read` and
    /// subscribing: those go by what they are about. A rule with such a name is refused, and no pattern
    /// reaches them: `tools/*` is about `tools/list`.
    #[must_use]
    pub fn method(self, name: &str, need: Need) -> Self {
        self.rule(Kind::Method, name, need)
    }

    /// What an HTTP method other than POST needs, by name or pattern, such as `GET`, which opens a stream
    /// before 2026-07-28. It is written in capitals; a `*` cannot be escaped. What `GET` needs `HEAD` needs,
    /// too, unless a rule is more for `HEAD` itself.
    #[must_use]
    pub fn http(self, method: &str, need: Need) -> Self {
        self.rule(Kind::Http, method, need)
    }

    /// Whoever has `scope` has these, too, and what these imply. `files:*` on either side stands for every
    /// scope that begins with `files:`.
    ///
    /// # Errors
    /// [`ScopeError`].
    pub fn implies(mut self, scope: &str, implied: &str) -> Result<Self, ScopeError> {
        ScopeSet::parse(scope)?;
        self.hierarchy.imply(scope, &ScopeSet::parse(implied)?);
        Ok(self)
    }

    /// Lets a token carry `pattern`, such as `files:*`, for every scope that begins with `files:`. Without
    /// it a star in a token's scope is a letter like any other.
    ///
    /// # Errors
    /// [`ScopeError`].
    pub fn wildcard(mut self, pattern: &str) -> Result<Self, ScopeError> {
        ScopeSet::parse(pattern)?;
        self.hierarchy.wildcard(pattern);
        Ok(self)
    }

    /// Says in the printed table what a scope is for.
    #[must_use]
    pub fn note(mut self, scope: &str, text: &str) -> Self {
        self.notes.push((scope.into(), text.into()));
        self
    }

    fn rule(mut self, kind: Kind, name: &str, need: Need) -> Self {
        self.rules.push(Rule { kind, name: name.into(), need, computed: None });
        self
    }

    /// The scopes to advertise: what a client needs for a start, without `offline_access`, which is no
    /// business of a resource (MCP "Refresh Tokens").
    pub fn minimal(&self) -> ScopeSet {
        let otherwise = self.otherwise.alternatives.first().cloned().unwrap_or_default();
        without_offline_access(&self.every.union(&otherwise))
    }
}

/// MCP "Refresh Tokens": servers should not ask for it.
pub(super) fn without_offline_access(scopes: &ScopeSet) -> ScopeSet {
    const OFFLINE_ACCESS: &str = "offline_access";
    if !scopes.contains(OFFLINE_ACCESS) {
        return scopes.clone();
    }
    ScopeSet::from_tokens(scopes.iter().filter(|scope| *scope != OFFLINE_ACCESS)).unwrap_or_default()
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
