//! One request, from its head to the decision.

use std::sync::Arc;

use http::{HeaderName, Method};

use super::answer::Details;
use super::config::ChallengeScopes;
use super::grant::Grant;
use super::guard::Guard;
use super::message::{self, Message};
use super::operation::{self, METHOD_HEADER, NAME_HEADER, Operation, VERSION_HEADER};
use super::output::{Answer, Decision};
use super::policy::{Arguments, Bits, Demand, Need, Table, without_offline_access};
use super::proof::Unproven;
use super::refusal::Refusal;
use super::request::{self, Presented, RequestHead, Scheme};
use super::token::Checked;
use crate::limits;
use crate::revision::Revision;
use crate::scope::ScopeSet;
use crate::time::Now;

impl Guard {
    /// Decides about a request. Give `body` when a decision before asked for it: the whole body.
    ///
    /// Nothing is remembered of a request: after [`Decision::NeedBody`] and [`Decision::Wait`], ask again
    /// with the same head. A host may stop asking at any time.
    pub fn check(&mut self, now: Now, request: &RequestHead<'_>, body: Option<&[u8]>) -> Decision {
        let presented = match self.presented(request, body) {
            Ok(presented) => presented,
            Err(decision) => return decision,
        };
        let checked = self.check_token(now, presented);
        let decision = self.grant_of_checked(request, presented, checked).and_then(|grant| {
            let operations = self.operations_of(request, body, presented, &grant)?;
            let proven = self.check_proof(now, request, presented, &grant);
            self.permit(now, request, &operations, presented, grant, proven)
        });
        decision.unwrap_or_else(|decision| decision)
    }

    /// The same where nothing has to be remembered or fetched for it, so that many threads can ask at once.
    /// `None` for a token that was not seen before or comes with a proof: that takes [`check`](Self::check).
    pub fn check_seen(&self, now: Now, request: &RequestHead<'_>, body: Option<&[u8]>) -> Option<Decision> {
        let presented = match self.presented(request, body) {
            Ok(presented) if presented.scheme == Scheme::Bearer => presented,
            Ok(_) => return None,
            Err(decision) => return Some(decision),
        };
        let checked = self.find_token(now, presented)?;
        let decision = self.grant_of_checked(request, presented, checked).and_then(|grant| {
            let operations = self.operations_of(request, body, presented, &grant)?;
            let proven = self.binding(presented, &grant).map(drop);
            self.permit(now, request, &operations, presented, grant, proven)
        });
        Some(decision.unwrap_or_else(|decision| decision))
    }

    /// The token of a request, where one is needed.
    fn presented<'r>(
        &self,
        request: &RequestHead<'r>,
        body: Option<&[u8]>,
    ) -> Result<Presented<'r>, Decision> {
        let path = request.target.path();
        if path == self.answers.metadata_path() {
            return Err(Decision::Answer(Box::new(self.answers.metadata(request))));
        }
        if self.options.public_paths.iter().any(|public| **public == *path) {
            return Err(Decision::Allow(None));
        }
        if let Some(answer) = self.answers.preflight(request) {
            return Err(Decision::Answer(Box::new(answer)));
        }
        match request::token(request) {
            Ok(Some(presented)) => Ok(presented),
            Ok(None) => Err(self.check_anonymous(request, body)),
            Err(refusal) => Err(self.refuse(request, refusal, Details::default())),
        }
    }

    fn grant_of_checked(
        &self,
        request: &RequestHead<'_>,
        presented: Presented<'_>,
        checked: Checked,
    ) -> Result<Arc<Grant>, Decision> {
        Err(match checked {
            Checked::Valid(grant) => return Ok(grant),
            Checked::Invalid(problem) => {
                let scheme = Some(presented.scheme);
                let details = Details { scheme, ..self.details_of_head(request) };
                self.refuse(request, Refusal::Token(problem), details)
            }
            Checked::Malformed => self.refuse(request, Refusal::MalformedAuthorization, Details::default()),
            Checked::Wait(check) => Decision::Wait(check),
            Checked::Unavailable { retry_after_s } => {
                let details = Details { retry_after_s: Some(retry_after_s), ..Details::default() };
                self.refuse(request, Refusal::Unavailable, details)
            }
        })
    }

    /// A request without a token.
    fn check_anonymous(&self, request: &RequestHead<'_>, body: Option<&[u8]>) -> Decision {
        let wanted = self.details_of_head(request);
        if !self.table.has_public() {
            return self.refuse(request, Refusal::NoToken, wanted);
        }
        match self.operations(request, body) {
            Ok(Operations::NeedBody) => {
                // The headers may rule out that it is public.
                let named = Operation::of_headers(request.headers).ok().flatten();
                if named.is_some_and(|operation| !self.table.demand_of(&operation).is_public()) {
                    return self.refuse(request, Refusal::NoToken, wanted);
                }
                Decision::NeedBody { max: self.options.max_body }
            }
            Ok(operations) => {
                let demands = operations.demands(&self.table);
                if demands.iter().all(|demand| demand.is_public()) {
                    return Decision::Allow(None);
                }
                let scopes = self.table.needed(&Bits::default(), demands);
                let details = Details {
                    scopes: self.challenged(scopes, None),
                    id: operations.id(),
                    ..Details::default()
                };
                self.refuse(request, Refusal::NoToken, details)
            }
            Err(refusal) => self.refuse(request, refusal, Details::default()),
        }
    }

    /// What a request with a good token wants to do, once that is known.
    fn operations_of<'r>(
        &self,
        request: &RequestHead<'r>,
        body: Option<&'r [u8]>,
        presented: Presented<'_>,
        grant: &Grant,
    ) -> Result<Operations<'r>, Decision> {
        match self.operations(request, body) {
            Ok(Operations::NeedBody) => {
                if let Ok(Some(operation)) = Operation::of_headers(request.headers) {
                    // What the headers name is not allowed: no body can change that.
                    self.check_scopes(request, &Operations::Headers(operation), presented, grant)?;
                }
                Err(Decision::NeedBody { max: self.options.max_body })
            }
            Ok(operations) => Ok(operations),
            Err(refusal) => Err(self.refuse(request, refusal, Details::default())),
        }
    }

    /// A good token, its proof looked at: is it good for this?
    fn permit(
        &self,
        now: Now,
        request: &RequestHead<'_>,
        operations: &Operations<'_>,
        presented: Presented<'_>,
        grant: Arc<Grant>,
        proven: Result<(), Unproven>,
    ) -> Result<Decision, Decision> {
        if let Err(Unproven { refusal, nonce }) = proven {
            let (scheme, nonce) = (Some(presented.scheme), nonce.as_deref());
            let details = Details { scheme, nonce, id: operations.id(), ..Details::default() };
            return Err(self.refuse(request, refusal, details));
        }
        self.check_scopes(request, operations, presented, &grant)?;
        self.check_authentication(now, request, operations, presented, &grant)?;
        Ok(Decision::Allow(Some(grant)))
    }

    fn check_scopes(
        &self,
        request: &RequestHead<'_>,
        operations: &Operations<'_>,
        presented: Presented<'_>,
        grant: &Grant,
    ) -> Result<(), Decision> {
        let computed = operations.computed(&self.table);
        let mut met = computed.iter().all(|need| self.table.lacks(&grant.scopes, need).is_none());
        operations.each_demand(&self.table, &mut |demand| met &= self.table.suffices(&grant.worth, demand));
        if met {
            return Ok(());
        }
        let mut needed = self.table.needed(&grant.worth, operations.demands(&self.table));
        for need in &computed {
            let lacks = self.table.lacks(&grant.scopes, need);
            let held = || need.alternatives.first().cloned().unwrap_or_default();
            needed = needed.union(&lacks.unwrap_or_else(held));
        }
        let scopes = self.challenged(needed, Some(&grant.scopes));
        let details =
            Details { scheme: Some(presented.scheme), scopes, id: operations.id(), ..Details::default() };
        Err(self.refuse(request, Refusal::InsufficientScope, details))
    }

    /// RFC 9470: the freshness and the strength that the operations demand.
    fn check_authentication(
        &self,
        now: Now,
        request: &RequestHead<'_>,
        operations: &Operations<'_>,
        presented: Presented<'_>,
        grant: &Grant,
    ) -> Result<(), Decision> {
        let mut max_age_s: Option<u64> = None;
        let mut met = true;
        let mut acr_values: Vec<Box<str>> = Vec::new();
        let computed = operations.computed(&self.table);
        let mut demand = |age: Option<u64>, acr: &[Box<str>]| {
            if let Some(age) = age {
                max_age_s = Some(max_age_s.map_or(age, |least| least.min(age)));
                let latest =
                    grant.auth_time_s.map(|at| at.saturating_add(age).saturating_add(self.options.leeway_s));
                met &= latest.is_some_and(|latest| latest >= now.unix_s);
            }
            if !acr.is_empty() {
                met &= grant.acr.as_ref().is_some_and(|own| acr.contains(own));
                acr_values.extend(acr.iter().cloned());
            }
        };
        operations.each_demand(&self.table, &mut |one| demand(one.max_age_s(), one.acr_values()));
        computed.iter().for_each(|need| demand(need.max_age_s, &need.acr_values));
        if met {
            return Ok(());
        }
        acr_values.dedup();
        let details = Details {
            scheme: Some(presented.scheme),
            id: operations.id(),
            max_age_s,
            acr_values: acr_values.iter().map(|acr| &**acr).collect(),
            ..Details::default()
        };
        Err(self.refuse(request, Refusal::InsufficientAuthentication, details))
    }

    /// What the request wants to do.
    fn operations<'r>(
        &self,
        request: &RequestHead<'r>,
        body: Option<&'r [u8]>,
    ) -> Result<Operations<'r>, Refusal> {
        if *request.method != Method::POST {
            return Ok(Operations::Headers(Operation::Http(request.method.as_str().into())));
        }
        let named = Operation::of_headers(request.headers).map_err(|_| Refusal::HeaderMismatch)?;
        let Some(body) = body else {
            if self.table.is_uniform() {
                return Ok(Operations::Any);
            }
            return match named {
                Some(operation) if self.options.trust_headers && validates_headers(request) => {
                    let by_arguments = self.table.demand_of(&operation).depends_on_arguments();
                    Ok(if by_arguments { Operations::NeedBody } else { Operations::Headers(operation) })
                }
                _ => Ok(Operations::NeedBody),
            };
        };
        let messages = message::read(body)?;
        if !agree(request, &messages) {
            return Err(Refusal::HeaderMismatch);
        }
        Ok(Operations::Messages(messages))
    }

    /// What a refusal can say by the head alone: what the operation that the headers name needs, else
    /// what every operation needs.
    fn details_of_head<'d>(&self, request: &RequestHead<'_>) -> Details<'d> {
        let operation = match *request.method {
            Method::POST => Operation::of_headers(request.headers).ok().flatten(),
            _ => Some(Operation::Http(request.method.as_str().into())),
        };
        let scopes = match operation {
            Some(operation) => self.table.needed(&Bits::default(), [self.table.demand_of(&operation)]),
            None => self.table.policy().minimal(),
        };
        Details { scopes: self.challenged(scopes, None), ..Details::default() }
    }

    /// The scopes that a challenge names, by the strategy.
    fn challenged(&self, needed: ScopeSet, granted: Option<&ScopeSet>) -> ScopeSet {
        let needed = without_offline_access(&needed);
        let more = match (&self.options.challenge, granted) {
            (ChallengeScopes::Configured(always), _) => always,
            (ChallengeScopes::PlusGranted, Some(granted)) => granted,
            _ => return needed,
        };
        let all = without_offline_access(&more.union(&needed));
        let length: usize = all.iter().map(|scope| scope.len() + 1).sum();
        if length > limits::CHALLENGE_SCOPE { needed } else { all }
    }

    fn refuse(&self, request: &RequestHead<'_>, refusal: Refusal, details: Details<'_>) -> Decision {
        let answer: Answer = self.answers.refuse(request, refusal, &details);
        Decision::Answer(Box::new(answer))
    }
}

/// Whether the revision is one whose servers compare headers and body (MCP "Server Validation").
fn validates_headers(request: &RequestHead<'_>) -> bool {
    let version = operation::single(request.headers, &VERSION_HEADER).ok().flatten();
    version.is_some_and(|version| version >= Revision::V2026_07_28.name() && version.len() == 10)
}

/// MCP "Server Validation": headers that are there say what the body says. A batch has none.
fn agree(request: &RequestHead<'_>, messages: &[Message<'_>]) -> bool {
    let has = |name: &HeaderName| request.headers.contains_key(name);
    if !has(&METHOD_HEADER) {
        return !(has(&NAME_HEADER) && validates_headers(request));
    }
    let [message] = messages else { return false };
    if operation::single(request.headers, &METHOD_HEADER) != Ok(Some(&*message.method)) {
        return false;
    }
    match &message.operation {
        Operation::Http(_) | Operation::Method(_) => true,
        own => match Operation::of_headers(request.headers) {
            Ok(Some(named)) => named == *own,
            // Subscribing has no name header; the others must have one.
            _ => {
                !has(&NAME_HEADER)
                    && (matches!(&*message.method, "resources/subscribe" | "resources/unsubscribe")
                        || !validates_headers(request))
            }
        },
    }
}

/// What a request wants to do, as far as known.
enum Operations<'a> {
    /// Whatever it is, it makes no difference.
    Any,
    Headers(Operation<'a>),
    Messages(Vec<Message<'a>>),
    NeedBody,
}

impl Operations<'_> {
    fn each_demand<'t>(&self, table: &'t Table, see: &mut dyn FnMut(&'t Demand)) {
        let mut both = |operation: &Operation<'_>| {
            see(table.demand_of(operation));
            if let Some(other) = Table::other_reading(operation) {
                see(table.demand_of(&other));
            }
        };
        match self {
            Self::Any | Self::NeedBody => both(&Operation::Method("".into())),
            Self::Headers(operation) => both(operation),
            Self::Messages(messages) => messages.iter().for_each(|message| both(&message.operation)),
        }
    }

    fn demands<'t>(&self, table: &'t Table) -> Vec<&'t Demand> {
        let mut demands = Vec::new();
        self.each_demand(table, &mut |demand| demands.push(demand));
        demands
    }

    /// What host functions say of the arguments.
    fn computed(&self, table: &Table) -> Vec<Need> {
        let Self::Messages(messages) = self else { return Vec::new() };
        let of = |message: &Message<'_>| {
            let Operation::Tool(tool) = &message.operation else { return None };
            let json = message.arguments.unwrap_or("null");
            table.computed(table.demand_of(&message.operation), &Arguments { tool, json })
        };
        messages.iter().filter_map(of).collect()
    }

    /// The `id` to answer; a batch has none.
    fn id(&self) -> Option<&str> {
        match self {
            Self::Messages(messages) => match &**messages {
                [message] => message.id,
                _ => None,
            },
            _ => None,
        }
    }
}
