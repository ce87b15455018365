//! What a protected server may exchange the tokens of its users for, to call another on their behalf (RFC 8693).

use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use serde_json::Value;

use crate::limits;
use crate::scope::ScopeSet;

/// An exchange that the operator allows one client: its users' tokens for a resource, of which it is the server, for
/// tokens for another.
#[derive(Clone, Debug)]
pub struct Downstream {
    pub(super) from: Box<str>,
    pub(super) to: Box<str>,
    pub(super) scope: ScopeSet,
    pub(super) needs: ScopeSet,
}

impl Downstream {
    /// Tokens for `from`, which users gave to clients of it, are exchanged for tokens for `to` with at most these scopes.
    pub fn new(from: &str, to: &str, scope: ScopeSet) -> Self {
        Self { from: from.into(), to: to.into(), scope, needs: ScopeSet::default() }
    }

    /// Only tokens that have all of these scopes are.
    #[must_use]
    pub fn needs(mut self, scope: ScopeSet) -> Self {
        self.needs = scope;
        self
    }
}

/// Who acts for the user, the last one first (RFC 8693 4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Actors(pub(super) Vec<Box<str>>);

impl Actors {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of the claim `act`; `None` for what this provider never wrote.
    pub(super) fn read(claim: Option<&str>) -> Option<Self> {
        let mut actors = Vec::new();
        let mut next = claim.map(serde_json::from_str::<Value>).transpose().ok()?;
        while let Some(Value::Object(mut act)) = next {
            actors.push(act.get("sub")?.as_str()?.into());
            next = act.remove("act");
        }
        (next.is_none() && actors.len() <= limits::ACTORS).then_some(Self(actors))
    }
}

impl Serialize for Actors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        nested(&self.0, serializer)
    }
}

struct Rest<'a>(&'a [Box<str>]);

impl Serialize for Rest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        nested(self.0, serializer)
    }
}

fn nested<S: Serializer>(actors: &[Box<str>], serializer: S) -> Result<S::Ok, S::Error> {
    let Some((last, before)) = actors.split_first() else { return serializer.serialize_none() };
    let mut act = serializer.serialize_struct("act", 1 + usize::from(!before.is_empty()))?;
    act.serialize_field("sub", last)?;
    if !before.is_empty() {
        act.serialize_field("act", &Rest(before))?;
    }
    act.end()
}
