//! Policies for resources, and what they need, worked out without the Guard's own table.

use grantor::resource::{Need, Policy};

use crate::guard::fits;

pub(super) struct Table {
    /// A name or a pattern, and the scope that it needs.
    rules: &'static [(&'static str, &'static str)],
    otherwise: &'static str,
}

/// No token at all.
pub(super) const PUBLIC: &str = "";
/// A token of any scope.
const ANY: &str = "any";

pub(super) static TABLES: [Table; 6] = [
    Table {
        rules: &[
            ("file:///pub/*", PUBLIC),
            ("file:///private/*", "private"),
            ("file:///etc/passwd", "root"),
            ("file:///var/*/log", "log"),
        ],
        otherwise: ANY,
    },
    Table {
        rules: &[
            ("note://*", "notes"),
            ("note://private/*", "private"),
            ("note://pub/*", PUBLIC),
            ("note://list", "list"),
            ("https://docs.example/private/*", "docs"),
            ("https://127.0.0.1/*", "local"),
        ],
        otherwise: "rest",
    },
    Table { rules: &[("*.md", PUBLIC), ("file:///open/*", PUBLIC)], otherwise: "read" },
    Table {
        rules: &[
            ("file:///C:/Public/*", PUBLIC),
            ("file:///C:/Private/*", "private"),
            ("file:///C:/*", "c"),
            ("file:///*", "all"),
        ],
        otherwise: ANY,
    },
    Table {
        rules: &[
            ("note://café", "coffee"),
            ("note://a%20b/*", "spaced"),
            ("note://Straße/*", "street"),
            ("db://localhost:5432/*", "db"),
            ("db://t?x=secret*", "query"),
            ("db://me@host/*", "mine"),
            ("skill://*/SKILL.md", "skill"),
        ],
        otherwise: ANY,
    },
    Table {
        rules: &[
            ("*private*", "private"),
            ("notes:///secret/*", "secret"),
            ("urn:doc:secret", "doc"),
            ("file:///*", PUBLIC),
        ],
        otherwise: PUBLIC,
    },
];

impl Table {
    pub(super) fn policy(&self) -> Policy {
        let need = |scope: &str| match scope {
            PUBLIC => Need::public(),
            ANY => Need::any_token(),
            scope => Need::all(scope).expect("a scope"),
        };
        let policy = Policy::new().otherwise(need(self.otherwise));
        self.rules.iter().fold(policy, |policy, (name, scope)| policy.resource(name, need(scope)))
    }

    /// The scope that a resource needs, to a server that spells names this way; `None` for any token.
    pub(super) fn need_of(&self, resource: &str, view: fn(&str) -> String) -> Option<&'static str> {
        let resource = view(resource);
        let weight = |name: &str| match name.matches('*').count() {
            0 => usize::MAX,
            stars => name.len() - stars,
        };
        let mut best: Option<(&str, &'static str)> = None;
        for (name, scope) in self.rules {
            let own = view(name);
            let takes = if own.contains('*') { fits(&own, &resource) } else { own == resource };
            if takes && best.is_none_or(|(before, _)| weight(name) > weight(before)) {
                best = Some((name, scope));
            }
        }
        let scope = best.map_or(self.otherwise, |(_, scope)| scope);
        (scope != ANY).then_some(scope)
    }

    /// Whether a rule is for this name alone.
    pub(super) fn names(&self, name: &str) -> bool {
        self.rules.iter().any(|(own, _)| *own == name)
    }

    /// The schemes that rules name.
    pub(super) fn schemes(&self) -> Vec<&'static str> {
        let mut schemes: Vec<&str> =
            self.rules.iter().filter_map(|(name, _)| name.split_once(':')).map(|(s, _)| s).collect();
        schemes.dedup();
        schemes
    }

    /// Whether a rule is for all that a scheme has.
    pub(super) fn takes_all_of(&self, scheme: &str) -> bool {
        let all = [format!("{scheme}:*"), format!("{scheme}://*"), format!("{scheme}:///*")];
        self.rules.iter().any(|(name, _)| all.contains(&(*name).to_owned()))
    }
}
