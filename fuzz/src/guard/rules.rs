//! Policies as plain tables, and what they demand, worked out without the Guard's own table.

use std::collections::{BTreeMap, BTreeSet};

use grantor::ScopeSet;
use grantor::resource::{Need, Policy};
use serde_json::Value;
use serde_json::value::RawValue;

/// What a request wants to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Op {
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// The arguments of a tool as JSON.
    pub(super) arguments: Option<String>,
}

pub(super) struct Table {
    every: &'static str,
    otherwise: Rule,
    rules: &'static [Rule],
    implies: &'static [(&'static str, &'static str)],
    wildcards: &'static [&'static str],
}

struct Rule {
    kind: &'static str,
    name: &'static str,
    what: What,
    max_age_s: Option<u64>,
    acr: &'static str,
}

enum What {
    Public,
    AnyOf(&'static [&'static str]),
    /// What [`by_arguments`] says.
    Computed,
}

const fn rule(kind: &'static str, name: &'static str, any_of: &'static [&'static str]) -> Rule {
    Rule { kind, name, what: What::AnyOf(any_of), max_age_s: None, acr: "" }
}

const fn public(kind: &'static str, name: &'static str) -> Rule {
    Rule { kind, name, what: What::Public, max_age_s: None, acr: "" }
}

/// All that a policy can say.
pub(super) static FULL: Table = Table {
    every: "mcp:use",
    otherwise: rule("", "", &[]),
    rules: &[
        public("method", "ping"),
        public("method", "notifications/*"),
        public("tool", "pub_*"),
        rule("tool", "read_*", &["files:read"]),
        rule("tool", "read_*_all", &["files:read audit", "root"]),
        rule("tool", "write", &["files:write"]),
        rule("tool", "either", &["files:write", "audit", "db:x"]),
        rule("tool", "offline", &["offline_access files:read"]),
        Rule {
            kind: "tool",
            name: "pay",
            what: What::AnyOf(&["pay"]),
            max_age_s: Some(300),
            acr: "mfa gold",
        },
        Rule { kind: "tool", name: "query*", what: What::Computed, max_age_s: None, acr: "" },
        public("resource", "file:///pub/*"),
        rule("resource", "file:///*", &["files:read"]),
        rule("resource", "file:///etc/*", &["root"]),
        rule("prompt", "*", &["prompts"]),
        rule("http", "GET", &["listen"]),
        public("http", "HEAD"),
    ],
    implies: &[
        ("files:write", "files:read"),
        ("admin", "files:* root"),
        ("db:*", "audit"),
        ("owner", "admin"),
    ],
    wildcards: &["files:*"],
};

/// One in which nobody has to know the operation.
pub(super) static UNIFORM: Table = Table {
    every: "mcp:use",
    otherwise: rule("", "", &["all"]),
    rules: &[rule("http", "GET", &["listen"])],
    implies: &[],
    wildcards: &[],
};

/// One in which no operation is public.
pub(super) static CLOSED: Table = Table {
    every: "",
    otherwise: rule("", "", &["rest"]),
    rules: &[rule("tool", "any", &[]), rule("tool", "write", &["files:write"])],
    implies: &[("rest", "files:write")],
    wildcards: &[],
};

/// One in which most are.
pub(super) static OPEN: Table = Table {
    every: "mcp:use offline_access",
    otherwise: public("", ""),
    rules: &[rule("tool", "write", &["files:write"]), rule("resource", "file:///etc/*", &["root", "admin"])],
    implies: &[],
    wildcards: &[],
};

impl Table {
    pub(super) fn policy(&self) -> Policy {
        let mut policy = Policy::new().every(self.every).expect("scopes").otherwise(self.otherwise.need());
        for rule in self.rules {
            policy = match (rule.kind, &rule.what) {
                ("tool", What::Computed) => policy.tool_by_arguments(rule.name, "", |arguments| {
                    computed_need(&by_arguments(arguments.json))
                }),
                ("tool", _) => policy.tool(rule.name, rule.need()),
                ("method", _) => policy.method(rule.name, rule.need()),
                ("resource", _) => policy.resource(rule.name, rule.need()),
                ("prompt", _) => policy.prompt(rule.name, rule.need()),
                _ => policy.http(rule.name, rule.need()),
            };
        }
        for (scope, implied) in self.implies {
            policy = policy.implies(scope, implied).expect("scopes");
        }
        self.wildcards.iter().fold(policy, |policy, pattern| policy.wildcard(pattern).expect("a scope"))
    }

    /// Whether all messages need the same.
    pub(super) fn is_uniform(&self) -> bool {
        self.rules.iter().all(|rule| rule.kind == "http")
    }

    fn rule(&self, op: &Op) -> &Rule {
        let of_kind = || self.rules.iter().filter(|rule| rule.kind == op.kind);
        if let Some(exact) = of_kind().find(|rule| !rule.name.contains('*') && rule.name == op.name) {
            return exact;
        }
        let mut best = &self.otherwise;
        for rule in of_kind().filter(|rule| rule.name.contains('*') && fits(rule.name, &op.name)) {
            if std::ptr::eq(best, &self.otherwise) || weight(rule.name) > weight(best.name) {
                best = rule;
            }
        }
        best
    }

    pub(super) fn is_public(&self, op: &Op) -> bool {
        matches!(self.rule(op).what, What::Public)
    }

    pub(super) fn depends_on_arguments(&self, op: &Op) -> bool {
        matches!(self.rule(op).what, What::Computed)
    }

    /// Whether these scopes suffice for the operation.
    pub(super) fn is_met(&self, scopes: &BTreeSet<String>, op: &Op) -> bool {
        let rule = self.rule(op);
        let held = self.worth(scopes);
        let covers =
            |set: &str| set.split(' ').filter(|scope| !scope.is_empty()).all(|scope| held.covers(scope));
        match rule.what {
            What::Public => true,
            What::AnyOf(sets) => {
                covers(self.every) && (sets.is_empty() || sets.iter().any(|set| covers(set)))
            }
            What::Computed => covers(self.every) && covers(&self.computed(op).scopes),
        }
    }

    /// How fresh and how strong the user's authentication must be.
    pub(super) fn authentication(&self, op: &Op) -> (Option<u64>, Vec<&'static str>) {
        let rule = self.rule(op);
        let max_age_s = match rule.what {
            What::Computed => self.computed(op).max_age_s,
            _ => rule.max_age_s,
        };
        (max_age_s, rule.acr.split(' ').filter(|acr| !acr.is_empty()).collect())
    }

    fn computed(&self, op: &Op) -> Computed {
        by_arguments(op.arguments.as_deref().unwrap_or("null"))
    }

    fn worth(&self, scopes: &BTreeSet<String>) -> Held {
        let mut held = Held(scopes.iter().map(|scope| (scope.clone(), false)).collect());
        for (scope, pattern) in &mut held.0 {
            *pattern = self.wildcards.contains(&scope.as_str());
        }
        // Long enough for the longest chain.
        for _ in self.implies {
            for (left, implied) in self.implies {
                let by_prefix = left.strip_suffix('*');
                let set_off = held.covers(left)
                    || by_prefix
                        .is_some_and(|prefix| held.0.iter().any(|(text, _)| text.starts_with(prefix)));
                if set_off {
                    held.0.extend(implied.split(' ').map(|scope| (scope.to_owned(), true)));
                }
            }
        }
        held
    }
}

/// Scopes, and whether a star at their end stands for more.
struct Held(Vec<(String, bool)>);

impl Held {
    fn covers(&self, scope: &str) -> bool {
        self.0.iter().any(|(own, pattern)| {
            own == scope || *pattern && own.strip_suffix('*').is_some_and(|prefix| scope.starts_with(prefix))
        })
    }
}

impl Rule {
    fn need(&self) -> Need {
        let sets = match self.what {
            What::Public => return Need::public(),
            What::Computed => &[][..],
            What::AnyOf(sets) => sets,
        };
        let mut need = match sets.split_first() {
            Some((first, rest)) => {
                rest.iter().fold(Need::all(first).expect("scopes"), |need, set| need.or(set).expect("scopes"))
            }
            None => Need::any_token(),
        };
        if let Some(seconds) = self.max_age_s {
            need = need.max_age_s(seconds);
        }
        need.acr(self.acr)
    }
}

/// What a host function asks for.
#[derive(Default)]
struct Computed {
    scopes: String,
    max_age_s: Option<u64>,
}

/// `table` names a scope, `deep` wants a fresh authentication, `keep` what no challenge may ask for.
fn by_arguments(json: &str) -> Computed {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).unwrap_or_default();
    let value = |name: &str| members.get(name).and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let mut scopes: Vec<String> = Vec::new();
    if let Some(Value::String(table)) = value("table") {
        scopes.push(format!("db:{table}"));
    }
    if value("keep").is_some() {
        scopes.push("offline_access".to_owned());
    }
    let named = ScopeSet::from_tokens(scopes.iter().map(String::as_str)).unwrap_or_default();
    Computed { scopes: named.to_string(), max_age_s: value("deep").map(|_| 60) }
}

fn computed_need(computed: &Computed) -> Need {
    let need = Need::from(ScopeSet::parse(&computed.scopes).unwrap_or_default());
    match computed.max_age_s {
        Some(seconds) => need.max_age_s(seconds),
        None => need,
    }
}

fn weight(pattern: &str) -> usize {
    pattern.len() - pattern.matches('*').count()
}

/// Whether a pattern fits, letter by letter.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    // Which beginnings of the name the pattern so far fits.
    let mut fits = vec![false; name.len() + 1];
    fits[0] = true;
    for letter in pattern {
        if *letter == b'*' {
            let from = fits.iter().position(|fits| *fits).unwrap_or(fits.len());
            fits[from..].fill(true);
        } else {
            for at in (0..name.len()).rev() {
                fits[at + 1] = fits[at] && name[at] == *letter;
            }
            fits[0] = false;
        }
    }
    fits[name.len()]
}
