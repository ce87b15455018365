//! The table, compiled: scopes are numbers, rules are found without looking at all of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::pattern::Pattern;
use super::resources::Resources;
use super::{Arguments, Kind, Need, Policy, PolicyError, ambiguity, uri, without_offline_access};
use crate::limits;
use crate::resource::operation::Operation;
use crate::scope::ScopeSet;

const WORDS: usize = limits::SCOPES / 64;

/// A set of the policy's scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::resource) struct Bits([u64; WORDS]);

impl Bits {
    fn set(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    fn covers(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, other)| other & !own == 0)
    }

    fn without(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(own, other)| (own & !other).count_ones()).sum()
    }

    fn union(&self, other: &Self) -> Self {
        let mut all = *self;
        all.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
        all
    }
}

/// A need with its scopes as numbers.
#[derive(Debug)]
pub(in crate::resource) struct Demand {
    need: Need,
    alternatives: Vec<Bits>,
    computed: Option<usize>,
}

impl Demand {
    /// Whether no token is needed.
    pub(in crate::resource) fn is_public(&self) -> bool {
        self.need.public
    }

    pub(in crate::resource) fn depends_on_arguments(&self) -> bool {
        self.computed.is_some()
    }

    pub(in crate::resource) fn max_age_s(&self) -> Option<u64> {
        self.need.max_age_s
    }

    pub(in crate::resource) fn acr_values(&self) -> &[Box<str>] {
        &self.need.acr_values
    }

    /// Whether it makes no difference which of the two counts. Functions never say the same: who would know?
    fn is_same(&self, other: &Self) -> bool {
        let Need { public, alternatives: _, max_age_s, acr_values } = &other.need;
        self.need.public == *public
            && self.need.max_age_s == *max_age_s
            && self.need.acr_values == *acr_values
            && self.alternatives == other.alternatives
            && self.computed == other.computed
    }

    /// Whether no token meets it.
    pub(in crate::resource) fn is_nobody(&self) -> bool {
        self.need.is_nobody()
    }

    fn is_met_by(&self, held: &Bits) -> bool {
        self.alternatives.iter().any(|set| held.covers(set))
    }

    /// The alternative of which least is missing; the first of those.
    fn nearest(&self, held: &Bits) -> Bits {
        self.alternatives.iter().min_by_key(|set| set.without(held)).copied().unwrap_or_default()
    }
}

/// A policy, ready to be asked.
#[derive(Debug)]
pub(in crate::resource) struct Table {
    policy: Policy,
    /// All scopes of the policy; their places are their numbers.
    scopes: Vec<Box<str>>,
    every: Bits,
    otherwise: usize,
    demands: Vec<Demand>,
    exact: [BTreeMap<Box<str>, usize>; Kind::ALL.len()],
    /// The heaviest first.
    patterns: [Vec<(Pattern, usize)>; Kind::ALL.len()],
    /// The rules for resources, where they tell some apart.
    resources: Option<Resources>,
    /// Whether all messages need the same.
    uniform: bool,
}

impl Table {
    pub(in crate::resource) fn new(policy: Policy) -> Result<Self, PolicyError> {
        if let Some(scope) = policy.hierarchy.cycle() {
            return Err(PolicyError::Cycle(scope.into()));
        }
        let mut table = Self {
            scopes: Vec::new(),
            every: Bits::default(),
            otherwise: 0,
            demands: Vec::new(),
            exact: Default::default(),
            patterns: Default::default(),
            resources: None,
            uniform: policy.rules.iter().all(|rule| rule.kind == Kind::Http),
            policy: Policy::new(),
        };
        let (mut resources, mut told_apart) = (Resources::default(), false);
        table.every = table.bits(&policy.every)?;
        table.otherwise = table.demand(&policy.otherwise, None)?;
        for (index, rule) in policy.rules.iter().enumerate() {
            ambiguity::refuse_idle(rule)?;
            let demand = table.demand(&rule.need, rule.computed.as_ref().map(|_| index))?;
            if rule.kind == Kind::Resource {
                resources.push(&rule.name, demand);
                told_apart |= !table.demand_at(demand).is_same(table.demand_at(table.otherwise));
            }
            let repeated = || PolicyError::Repeated(rule.kind.title(&rule.name));
            let kind = rule.kind as usize;
            match Pattern::read(&rule.name) {
                Some(pattern) => {
                    let Some(patterns) = table.patterns.get_mut(kind) else { continue };
                    if patterns.iter().any(|(known, _)| *known == pattern) {
                        return Err(repeated());
                    }
                    patterns.push((pattern, demand));
                }
                None => {
                    let Some(exact) = table.exact.get_mut(kind) else { continue };
                    if exact.insert(rule.name.clone(), demand).is_some() {
                        return Err(repeated());
                    }
                }
            }
        }
        for (kind, patterns) in Kind::ALL.into_iter().zip(&mut table.patterns) {
            patterns.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.weight()));
            let demand = |index| table.demands.get(index).unwrap_or(&NOBODY);
            ambiguity::refuse_ambiguous(kind, patterns, |one, other| demand(one).is_same(demand(other)))?;
        }
        table.hold_head_to_get();
        table.resources = told_apart.then_some(resources);
        table.policy = policy;
        Ok(table)
    }

    /// Servers answer HEAD by what answers GET, so HEAD must not lead around a rule for GET.
    fn hold_head_to_get(&mut self) {
        const HEAD: &str = "HEAD";
        let weight = |(pattern, _): &(Option<&Pattern>, usize)| pattern.map_or(usize::MAX, Pattern::weight);
        // Of equals the last, which is the rule for HEAD itself.
        let rules = ["GET", HEAD].into_iter().filter_map(|name| self.rule_of(Kind::Http, name));
        let demand = rules.max_by_key(weight).map(|(_, demand)| demand);
        if let (Some(demand), Some(exact)) = (demand, self.exact.get_mut(Kind::Http as usize)) {
            exact.insert(HEAD.into(), demand);
        }
    }

    fn bits(&mut self, scopes: &ScopeSet) -> Result<Bits, PolicyError> {
        let mut bits = Bits::default();
        for scope in scopes.iter() {
            let known = self.scopes.iter().position(|own| **own == *scope);
            let index = known.unwrap_or(self.scopes.len());
            if index >= limits::SCOPES {
                return Err(PolicyError::TooManyScopes);
            }
            if known.is_none() {
                self.scopes.push(scope.into());
            }
            bits.set(index);
        }
        Ok(bits)
    }

    fn demand(&mut self, need: &Need, computed: Option<usize>) -> Result<usize, PolicyError> {
        let alternatives = need.alternatives.iter().map(|set| self.bits(set)).collect::<Result<_, _>>()?;
        self.demands.push(Demand { need: need.clone(), alternatives, computed });
        Ok(self.demands.len() - 1)
    }

    pub(in crate::resource) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether every message needs the same, so that nobody has to know which it is.
    pub(in crate::resource) fn is_uniform(&self) -> bool {
        self.uniform
    }

    /// Whether there are operations that need no token.
    pub(in crate::resource) fn has_public(&self) -> bool {
        self.demands.iter().any(Demand::is_public)
    }

    /// The scopes of the policy that these scopes are worth.
    pub(in crate::resource) fn worth(&self, scopes: &ScopeSet) -> Bits {
        let worth = self.policy.hierarchy.worth(scopes);
        let mut bits = Bits::default();
        for (index, scope) in self.scopes.iter().enumerate() {
            if worth.covers(scope) {
                bits.set(index);
            }
        }
        bits
    }

    /// What an operation needs in whatever way the server reads its name.
    pub(in crate::resource) fn each_demand<'t>(
        &'t self,
        operation: &Operation<'_>,
        see: &mut dyn FnMut(&'t Demand),
    ) {
        let (Some(resources), Operation::Resource(uri)) = (&self.resources, operation) else {
            return see(self.demand_of(operation));
        };
        let rule_of = |text: &str| {
            let (pattern, demand) = self.rule_of(Kind::Resource, text)?;
            Some((
                pattern.map_or_else(|| Cow::Owned(text.to_owned()), |own| Cow::Borrowed(own.as_str())),
                demand,
            ))
        };
        resources.each(uri, rule_of, &mut |demand| see(self.demand_at(demand.unwrap_or(self.otherwise))));
    }

    /// Whether the URI of a resource is one and the same for all servers, as far as this table minds.
    pub(in crate::resource) fn is_legible(&self, uri: &str, is_template: bool) -> bool {
        let is_legible = if is_template { uri::is_legible_template } else { uri::is_legible };
        self.resources.is_none() || is_legible(uri)
    }

    /// What the rule for an operation's name needs.
    pub(in crate::resource) fn demand_of(&self, operation: &Operation<'_>) -> &Demand {
        let (kind, name) = match operation {
            Operation::Http(name) => (Kind::Http, &**name),
            Operation::Method(name) => (Kind::Method, &**name),
            Operation::Prompt(name) => (Kind::Prompt, &**name),
            Operation::Resource(name) => (Kind::Resource, &**name),
            Operation::Tool(name) => (Kind::Tool, &**name),
        };
        let index = self.rule_of(kind, name).map_or(self.otherwise, |(_, index)| index);
        self.demand_at(index)
    }

    fn demand_at(&self, index: usize) -> &Demand {
        self.demands.get(index).unwrap_or(&NOBODY)
    }

    /// The demand of the rule for a name, and the pattern by which it is found, unless it is by the name.
    fn rule_of(&self, kind: Kind, name: &str) -> Option<(Option<&Pattern>, usize)> {
        if let Some(index) = self.exact.get(kind as usize).and_then(|exact| exact.get(name)) {
            return Some((None, *index));
        }
        let mut patterns = self.patterns.get(kind as usize)?.iter();
        patterns.find(|(pattern, _)| pattern.matches(name)).map(|(pattern, index)| (Some(pattern), *index))
    }

    /// Whether a token that is worth this much suffices.
    pub(in crate::resource) fn suffices(&self, held: &Bits, demand: &Demand) -> bool {
        demand.is_public() || held.covers(&self.every) && demand.is_met_by(held)
    }

    /// What the arguments of a call ask for, if a host function says it.
    pub(in crate::resource) fn computed(&self, demand: &Demand, arguments: &Arguments<'_>) -> Option<Need> {
        let rule = self.policy.rules.get(demand.computed?)?;
        let (need, _) = rule.computed.as_ref()?;
        Some(Need { public: false, ..need(arguments) })
    }

    /// Of a need that was computed: the alternative of which these scopes lack least, and whether they lack
    /// nothing.
    pub(in crate::resource) fn nearest(&self, scopes: &ScopeSet, need: &Need) -> (ScopeSet, bool) {
        let worth = self.policy.hierarchy.worth(scopes);
        let missing = |set: &ScopeSet| set.iter().filter(|scope| !worth.covers(scope)).count();
        let nearest =
            need.alternatives.iter().map(|set| (set, missing(set))).min_by_key(|(_, missing)| *missing);
        nearest.map_or_else(|| (ScopeSet::new(), false), |(set, missing)| (set.clone(), missing == 0))
    }

    /// Those of the scopes that are needed which these do not cover.
    pub(in crate::resource) fn missing(&self, held: &ScopeSet, needed: &ScopeSet) -> ScopeSet {
        let worth = self.policy.hierarchy.worth(held);
        let missing = needed.iter().filter(|scope| !worth.covers(scope));
        ScopeSet::from_tokens(missing).unwrap_or_default()
    }

    /// The scopes that these demands need together, by the alternatives that are nearest to what is held.
    pub(in crate::resource) fn needed<'a>(
        &self,
        held: &Bits,
        demands: impl IntoIterator<Item = &'a Demand>,
    ) -> ScopeSet {
        // What one demand needs anyway, the next may count as held.
        let (mut needed, mut held) = (Bits::default(), *held);
        for demand in demands {
            if !demand.is_public() {
                let set = self.every.union(&demand.nearest(&held));
                (needed, held) = (needed.union(&set), held.union(&set));
            }
        }
        let named = self.scopes.iter().enumerate().filter(|(index, _)| {
            let mut one = Bits::default();
            one.set(*index);
            needed.covers(&one)
        });
        let scopes = ScopeSet::from_tokens(named.map(|(_, scope)| &**scope)).unwrap_or_default();
        without_offline_access(&scopes)
    }
}

/// For an index that there is not.
static NOBODY: Demand = Demand {
    need: Need { public: false, alternatives: Vec::new(), max_age_s: None, acr_values: Vec::new() },
    alternatives: Vec::new(),
    computed: None,
};
