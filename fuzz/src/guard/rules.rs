//! Policies as plain tables, and what they demand, worked out without the Guard's own table.

mod tables;

use std::collections::{BTreeMap, BTreeSet};

use grantor::ScopeSet;
use grantor::resource::{Need, Policy};
use serde_json::Value;
use serde_json::value::RawValue;

pub(super) use self::tables::{CLOSED, FULL, OPEN, UNIFORM};

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
        let own = self.rule_of(op.kind, &op.name);
        let rule = match (op.kind, &*op.name) {
            // Servers answer HEAD by what answers GET: the more specific of the two rules counts.
            ("http", "HEAD") => {
                let of_get = self.rule_of("http", "GET");
                own.filter(|own| of_get.is_none_or(|get| own.weight() >= get.weight())).or(of_get)
            }
            _ => own,
        };
        rule.unwrap_or(&self.otherwise)
    }

    fn rule_of(&self, kind: &str, name: &str) -> Option<&Rule> {
        let mut best: Option<&Rule> = None;
        for rule in self.rules.iter().filter(|rule| rule.kind == kind && rule.fits(name)) {
            if best.is_none_or(|best| rule.weight() > best.weight()) {
                best = Some(rule);
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
            What::Computed => {
                covers(self.every) && self.computed(op).scopes.is_some_and(|scopes| covers(&scopes))
            }
        }
    }

    /// How fresh and how strong the user's authentication must be for all of these: the least of the ages,
    /// and what all accept, where one demands something.
    pub(super) fn authentication(&self, ops: &[Op]) -> (Option<u64>, Option<Vec<&'static str>>) {
        let (mut max_age_s, mut acr): (Option<u64>, Option<Vec<&str>>) = (None, None);
        for op in ops {
            let rule = self.rule(op);
            let age = match rule.what {
                What::Computed => self.computed(op).max_age_s,
                _ => rule.max_age_s,
            };
            max_age_s = max_age_s.into_iter().chain(age).min();
            let own: Vec<&str> = rule.acr.split(' ').filter(|acr| !acr.is_empty()).collect();
            if !own.is_empty() {
                let before = acr.unwrap_or_else(|| own.clone());
                acr = Some(before.into_iter().filter(|acr| own.contains(acr)).collect());
            }
        }
        (max_age_s, acr)
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
    fn fits(&self, name: &str) -> bool {
        if self.name.contains('*') { fits(self.name, name) } else { self.name == name }
    }

    /// How much of a name it fixes; an exact one all of it.
    fn weight(&self) -> usize {
        let stars = self.name.matches('*').count();
        if stars == 0 { usize::MAX } else { self.name.len() - stars }
    }

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
    /// Nobody has what is no scope.
    scopes: Option<String>,
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
    let named = ScopeSet::from_tokens(scopes.iter().map(String::as_str)).ok();
    Computed { scopes: named.map(|named| named.to_string()), max_age_s: value("deep").map(|_| 60) }
}

fn computed_need(computed: &Computed) -> Need {
    let need = match computed.scopes.as_deref() {
        Some("") => Need::any_token(),
        Some(scopes) => Need::from(Need::all(scopes)),
        None => Need::nobody(),
    };
    match computed.max_age_s {
        Some(seconds) => need.max_age_s(seconds),
        None => need,
    }
}

/// Whether a pattern fits, letter by letter.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
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
