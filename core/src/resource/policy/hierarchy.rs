//! Scopes that imply others (MCP "Step-Up Authorization Flow": servers must account for hierarchies).

use crate::scope::ScopeSet;

/// Which scopes are worth more than their name says.
#[derive(Clone, Debug, Default)]
pub(super) struct Hierarchy {
    /// Left implies right. Either side may be a prefix pattern: `files:*`.
    implications: Vec<(Box<str>, Vec<Box<str>>)>,
    /// Patterns that a token may carry as a scope, and which then stand for all scopes that match.
    wildcards: Vec<Box<str>>,
}

/// A scope or a pattern of scopes, as a token or an implication grants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HeldScope<'a> {
    text: &'a str,
    /// Whether `*` at the end is a wildcard; in a token's scope it is one only where the policy says so.
    pattern: bool,
}

impl Hierarchy {
    pub(super) fn imply(&mut self, scope: &str, implied: &ScopeSet) {
        self.implications.push((scope.into(), implied.iter().map(Into::into).collect()));
    }

    pub(super) fn wildcard(&mut self, pattern: &str) {
        self.wildcards.push(pattern.into());
    }

    /// Scopes and what they include, for the printed table.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&str, &[Box<str>])> {
        self.implications.iter().map(|(scope, implied)| (&**scope, &**implied))
    }

    /// The first scope that implies itself, if any does.
    pub(super) fn cycle(&self) -> Option<&str> {
        // An implication leads to those that what it grants sets off; none may come back to itself.
        self.implications.iter().enumerate().find_map(|(start, (scope, _))| {
            let mut reached = vec![false; self.implications.len()];
            let mut open = vec![start];
            while let Some(at) = open.pop() {
                for next in self.set_off_by(at) {
                    if next == start {
                        return Some(&**scope);
                    }
                    if let Some(seen) = reached.get_mut(next).filter(|seen| !**seen) {
                        *seen = true;
                        open.push(next);
                    }
                }
            }
            None
        })
    }

    fn set_off_by(&self, at: usize) -> impl Iterator<Item = usize> {
        let granted = self.implications.get(at).map_or(&[][..], |(_, granted)| granted);
        self.implications.iter().enumerate().filter_map(move |(next, (left, _))| {
            // That `files:admin` is itself among the `files:*` that it implies is no circle.
            let leads = |text: &str| {
                *text == **left || next != at && HeldScope { text, pattern: true }.sets_off(left)
            };
            granted.iter().any(|text| leads(text)).then_some(next)
        })
    }

    /// Everything that these scopes are worth, ready to be asked.
    pub(super) fn worth<'a>(&'a self, scopes: &'a ScopeSet) -> Worth<'a> {
        let implied: usize = self.implications.iter().map(|(_, granted)| granted.len()).sum();
        let mut held: Vec<HeldScope<'a>> = Vec::with_capacity(scopes.len() + implied);
        let is_pattern = |text: &str| self.wildcards.iter().any(|known| **known == *text);
        held.extend(scopes.iter().map(|text| HeldScope { text, pattern: is_pattern(text) }));
        // Each implication is used once, so this ends.
        let mut unused: Vec<&(Box<str>, Vec<Box<str>>)> = self.implications.iter().collect();
        loop {
            let before = unused.len();
            unused.retain(|(left, granted)| {
                let used = held.iter().any(|held| held.sets_off(left));
                if used {
                    held.extend(granted.iter().map(|text| HeldScope { text, pattern: true }));
                }
                !used
            });
            if unused.len() == before {
                return Worth(held);
            }
        }
    }
}

impl HeldScope<'_> {
    fn prefix(&self) -> Option<&str> {
        self.text.strip_suffix('*').filter(|_| self.pattern)
    }

    fn covers(&self, scope: &str) -> bool {
        self.text == scope || self.prefix().is_some_and(|prefix| scope.starts_with(prefix))
    }

    /// Whether holding this uses an implication with this left side.
    fn sets_off(&self, left: &str) -> bool {
        self.covers(left) || left.strip_suffix('*').is_some_and(|prefix| self.text.starts_with(prefix))
    }
}

/// What a token's scopes are worth.
#[derive(Debug)]
pub(super) struct Worth<'a>(Vec<HeldScope<'a>>);

impl Worth<'_> {
    pub(super) fn covers(&self, scope: &str) -> bool {
        self.0.iter().any(|held| held.covers(scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    fn hierarchy(implications: &[(&str, &str)]) -> Hierarchy {
        let mut hierarchy = Hierarchy::default();
        for (left, right) in implications {
            hierarchy.imply(left, &set(right));
        }
        hierarchy
    }

    #[test]
    fn mcp_step_up_broader_scopes_imply_narrower_ones() {
        let hierarchy = hierarchy(&[("admin", "files:*"), ("files:write", "files:read"), ("owner", "admin")]);
        let covers = |token: &str, scope: &str| hierarchy.worth(&set(token)).covers(scope);
        assert!(covers("files:write", "files:read"));
        assert!(covers("owner", "files:anything"), "transitive, through a pattern");
        assert!(covers("x owner", "admin"));
        assert!(!covers("files:read", "files:write"));
        assert!(!covers("files", "files:read"));
        assert!(!covers("admin2", "files:read"));
    }

    #[test]
    fn a_star_in_a_token_is_a_wildcard_only_where_the_policy_says_so() {
        let mut hierarchy = hierarchy(&[]);
        assert!(!hierarchy.worth(&set("files:*")).covers("files:read"));
        assert!(hierarchy.worth(&set("files:*")).covers("files:*"));
        hierarchy.wildcard("files:*");
        assert!(hierarchy.worth(&set("files:*")).covers("files:read"));
        assert!(!hierarchy.worth(&set("*")).covers("files:read"));
    }

    #[test]
    fn patterns_on_the_left() {
        let hierarchy = hierarchy(&[("files:*", "list")]);
        assert!(hierarchy.worth(&set("files:read")).covers("list"));
        assert!(!hierarchy.worth(&set("file")).covers("list"));
    }

    #[test]
    fn cycles_are_found() {
        assert_eq!(hierarchy(&[("a", "b"), ("b", "c")]).cycle(), None);
        assert_eq!(hierarchy(&[("a", "a")]).cycle(), Some("a"));
        assert_eq!(hierarchy(&[("x", "a"), ("a", "b"), ("b", "c"), ("c", "a")]).cycle(), Some("a"));
        assert_eq!(hierarchy(&[("files:*", "files:*")]).cycle(), Some("files:*"));
        assert_eq!(hierarchy(&[("files:admin", "files:*"), ("files:write", "files:read")]).cycle(), None);
        assert_eq!(hierarchy(&[("f:admin", "f:*"), ("f:write", "f:admin")]).cycle(), Some("f:admin"));
        assert_eq!(hierarchy(&[("a", "b:*"), ("b:x", "a")]).cycle(), Some("a"));
    }
}
