//! One request, from its head to the decision.

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, Method};

use super::answer::Details;
use super::authentication::Authentication;
use super::config::ChallengeScopes;
use super::grant::Grant;
use super::guard::Guard;
use super::message::{self, Body, Message, MessageError};
use super::operation::{self, METHOD_HEADER, NAME_HEADER, Operation, VERSION_HEADER};
use super::output::{Answer, Decision};
use super::policy::{Arguments, Bits, Demand, Need, Table, without_offline_access};
use super::proof::Unproven;
use super::refusal::Refusal;
use super::report::RefusalReport;
use super::request::{self, Presented, RequestHead};
use super::token::{Checked, Signed, Unverified};
use crate::jose::dpop::Proof;
use crate::limits;
use crate::revision::Revision;
use crate::scope::ScopeSet;
use crate::time::Now;

/// A request that was examined, and what was found out about its token.
#[must_use = "the request is not decided"]
pub struct Examined<'r> {
    request: RequestHead<'r>,
    presented: Presented<'r>,
    found: Found<'r>,
}

enum Found<'r> {
    /// The token is new, and good.
    Signed(Signed<'r>),
    /// The token was seen before, the proof is good if it is new, and this follows if it is.
    Proven { proof: Proof, decision: Decision },
    /// Something has to be fetched first.
    Nothing,
}

/// The token is somebody's credential.
impl fmt::Debug for Examined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Examined").finish_non_exhaustive()
    }
}

impl Guard {
    /// Decides about a request. Give `body` when a decision before asked for it: the whole body.
    ///
    /// Nothing is remembered of a request: after [`Decision::NeedBody`] and [`Decision::Wait`], ask again
    /// with the same head. A host may stop asking at any time.
    pub fn check(&mut self, now: Now, request: &RequestHead<'_>, body: Option<&[u8]>) -> Decision {
        let body = body.map(Body::new);
        match self.examine(now, request, body.as_ref()) {
            Ok(decision) => decision,
            Err(examined) => self.conclude(now, examined, body.as_ref()),
        }
    }

    /// The part of [`check`](Self::check) that changes nothing, signatures included, so that many threads can
    /// do it at once. Most requests are decided by it: those with a token that was seen before, and those to
    /// be turned away. For the others [`conclude`](Self::conclude) is the rest.
    ///
    /// # Errors
    /// What was found out, where something has to be remembered or fetched.
    pub fn examine<'r>(
        &self,
        now: Now,
        request: &RequestHead<'r>,
        body: Option<&Body<'_>>,
    ) -> Result<Decision, Examined<'r>> {
        let presented = match self.presented(request, body) {
            Ok(presented) => presented,
            Err(decision) => return Ok(decision),
        };
        let examined = |found| {
            // Whoever concludes may hold a lock.
            if let Some(body) = body.filter(|_| *request.method == Method::POST) {
                let _ = body.messages();
            }
            Err(Examined { request: *request, presented, found })
        };
        let checked = match self.find_token(now, presented) {
            Some(checked) => checked,
            None => match self.verify(now, presented) {
                Ok(signed) => return examined(Found::Signed(signed)),
                Err(Unverified::Refused(checked)) => checked,
                Err(_) => return examined(Found::Nothing),
            },
        };
        let decided = self.grant_of_checked(request, presented, checked).and_then(|grant| {
            let operations = self.operations_of(now, request, body, presented, &grant)?;
            Ok((grant, operations))
        });
        let (grant, operations) = match decided {
            Ok(known) => known,
            Err(decision) => return Ok(decision),
        };
        let proven = match self.verify_proof(now, request, presented, &grant) {
            Ok(Some(proof)) => {
                let decision = self.permit(now, request, &operations, presented, grant, Ok(()));
                return examined(Found::Proven { proof, decision });
            }
            proven => proven.map(drop),
        };
        Ok(self.permit(now, request, &operations, presented, grant, proven))
    }

    /// The rest of [`check`](Self::check). Give the body that was given before.
    pub fn conclude(&mut self, now: Now, examined: Examined<'_>, body: Option<&Body<'_>>) -> Decision {
        let Examined { request, presented, found } = examined;
        let checked = match found {
            Found::Signed(signed) => Checked::Valid(self.remember(now, signed)),
            Found::Proven { proof, decision } => {
                let unproven = match self.use_proof(now, &proof) {
                    Ok(None) => return decision,
                    Ok(Some(check)) => return Decision::Wait(check),
                    Err(unproven) => unproven,
                };
                let is_message = *request.method == Method::POST;
                let messages = body.filter(|_| is_message).and_then(|body| body.messages().ok());
                let grant = if let Decision::Allow(grant) = &decision { grant.as_deref() } else { None };
                return self.refuse_unproven(&request, messages.and_then(id_of), presented, grant, unproven);
            }
            Found::Nothing => self.check_token(now, presented),
        };
        let decided = self.grant_of_checked(&request, presented, checked).and_then(|grant| {
            let operations = self.operations_of(now, &request, body, presented, &grant)?;
            let proof = self.verify_proof(now, &request, presented, &grant);
            let proven = proof.and_then(|proof| proof.map_or(Ok(None), |proof| self.use_proof(now, &proof)));
            if let Ok(Some(check)) = proven {
                return Err(Decision::Wait(check));
            }
            Ok(self.permit(now, &request, &operations, presented, grant, proven.map(drop)))
        });
        decided.unwrap_or_else(|decision| decision)
    }

    /// The token of a request, where one is needed.
    fn presented<'r>(
        &self,
        request: &RequestHead<'r>,
        body: Option<&Body<'_>>,
    ) -> Result<Presented<'r>, Decision> {
        let path = request.target.path();
        if self.answers.is_metadata(path) {
            return Err(Decision::Answer(Box::new(self.answers.metadata(request.method))));
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
                let mismatch = self.mismatch_of_token(problem, presented.token);
                let details = Details { scheme, mismatch, ..self.details_of_head(request) };
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
    fn check_anonymous(&self, request: &RequestHead<'_>, body: Option<&Body<'_>>) -> Decision {
        let wanted = self.details_of_head(request);
        if !self.table.has_public() {
            return self.refuse(request, Refusal::NoToken, wanted);
        }
        match self.operations(request, body) {
            Ok(Operations::NeedBody) => {
                // The headers may rule out that it is public.
                let named = Operation::of_headers(request.headers).ok().flatten();
                let is_public = |operation: &Operation<'_>| {
                    let mut public = true;
                    self.table.each_demand(operation, &mut |demand| public &= demand.is_public());
                    public
                };
                if named.is_some_and(|operation| !is_public(&operation)) {
                    return self.refuse(request, Refusal::NoToken, wanted);
                }
                // Nobody knows who would have it all kept in memory.
                Decision::NeedBody { max: self.options.max_body.min(limits::ANONYMOUS_BODY) }
            }
            Ok(operations) => {
                let demands = operations.demands(&self.table);
                if demands.iter().all(|demand| demand.is_public()) {
                    return Decision::Allow(None);
                }
                let scopes = self.table.needed(&Bits::default(), demands);
                let details = Details {
                    scopes: self.challenged(&scopes, None),
                    id: operations.id(),
                    operations: Some(&operations),
                    needed: scopes,
                    ..Details::default()
                };
                self.refuse(request, Refusal::NoToken, details)
            }
            Err(unread) => self.refuse_unread(request, unread),
        }
    }

    /// What a request with a good token wants to do, once that is known.
    fn operations_of<'r>(
        &self,
        now: Now,
        request: &RequestHead<'r>,
        body: Option<&'r Body<'_>>,
        presented: Presented<'_>,
        grant: &Grant,
    ) -> Result<Operations<'r>, Decision> {
        match self.operations(request, body) {
            Ok(Operations::NeedBody) => {
                // Where what the headers name is not allowed, no body can change that.
                let named = Operation::of_headers(request.headers).ok().flatten().map(Operations::Headers);
                let refused = named.and_then(|named| self.lacking(now, request, &named, presented, grant));
                Err(refused.unwrap_or(Decision::NeedBody { max: self.options.max_body }))
            }
            Ok(operations) => Ok(operations),
            Err(unread) => Err(self.refuse_unread(request, unread)),
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
    ) -> Decision {
        if let Err(unproven) = proven {
            return self.refuse_unproven(request, operations.id(), presented, Some(&grant), unproven);
        }
        let lacking = self.lacking(now, request, operations, presented, &grant);
        lacking.unwrap_or(Decision::Allow(Some(grant)))
    }

    fn refuse_unproven(
        &self,
        request: &RequestHead<'_>,
        id: Option<&str>,
        presented: Presented<'_>,
        grant: Option<&Grant>,
        Unproven { refusal, nonce }: Unproven,
    ) -> Decision {
        let scheme = Some(presented.scheme);
        // Where too many proofs are remembered, room comes back.
        let retry_after_s = (refusal == Refusal::Unavailable).then_some(1);
        let nonce = nonce.as_deref();
        let details = Details { scheme, nonce, id, retry_after_s, grant, ..Details::default() };
        self.refuse(request, refusal, details)
    }

    /// The refusal of a token that does not suffice. All that is lacking comes in one challenge, so that the
    /// user is sent to the browser once.
    fn lacking(
        &self,
        now: Now,
        request: &RequestHead<'_>,
        operations: &Operations<'_>,
        presented: Presented<'_>,
        grant: &Grant,
    ) -> Option<Decision> {
        let computed = operations.computed(&self.table);
        let nearest: Vec<_> = computed.iter().map(|need| self.table.nearest(&grant.scopes, need)).collect();
        let mut enough = nearest.iter().all(|(_, is_held)| *is_held);
        let mut nobody = computed.iter().any(Need::is_nobody);
        let mut authentication = Authentication::default();
        operations.each_demand(&self.table, &mut |demand| {
            enough &= self.table.suffices(&grant.worth, demand);
            nobody |= demand.is_nobody();
            authentication.demand(demand.max_age_s(), demand.acr_values());
        });
        computed.iter().for_each(|need| authentication.demand(need.max_age_s, &need.acr_values));
        let id = operations.id();
        let authenticated = authentication.is_met_by(grant, now.unix_s, self.options.leeway_s);
        if enough && authenticated {
            return None;
        }
        if nobody {
            return Some(self.refuse_unread(request, Unread { refusal: Refusal::Forbidden, id }));
        }
        if authentication.is_contradictory() {
            return Some(self.refuse_unread(request, Unread { id, ..MessageError::Contradictory.into() }));
        }
        let mut needed = self.table.needed(&grant.worth, operations.demands(&self.table));
        for (scopes, _) in &nearest {
            needed = needed.union(scopes);
        }
        let mut details = Details {
            scheme: Some(presented.scheme),
            scopes: self.challenged(&needed, Some(&grant.scopes)),
            id,
            grant: Some(grant),
            operations: Some(operations),
            needed,
            ..Details::default()
        };
        if authenticated {
            return Some(self.refuse(request, Refusal::InsufficientScope, details));
        }
        details.max_age_s = authentication.max_age_s;
        details.acr_values = authentication.acr_values();
        Some(self.refuse(request, Refusal::InsufficientAuthentication, details))
    }

    /// What the request wants to do.
    fn operations<'r>(
        &self,
        request: &RequestHead<'r>,
        body: Option<&'r Body<'_>>,
    ) -> Result<Operations<'r>, Unread<'r>> {
        if *request.method != Method::POST {
            return Ok(Operations::Headers(Operation::Http(request.method.as_str().into())));
        }
        let named = Operation::of_headers(request.headers).map_err(|_| Refusal::HeaderMismatch)?;
        let Some(body) = body else {
            if self.table.is_uniform() {
                return Ok(Operations::Any);
            }
            return match named {
                Some(operation) if self.options.trust_headers && are_decisive(request, &operation) => {
                    let by_arguments = self.table.demand_of(&operation).depends_on_arguments();
                    self.check_clear(&operation, None, false)?;
                    Ok(if by_arguments { Operations::NeedBody } else { Operations::Headers(operation) })
                }
                _ => Ok(Operations::NeedBody),
            };
        };
        let messages = body.messages()?;
        let id = id_of(messages);
        if !agree(request, messages) {
            return Err(Unread { refusal: Refusal::HeaderMismatch, id });
        }
        for message in messages {
            let is_template = message.method == operation::COMPLETE;
            for operation in std::iter::once(&message.operation).chain(&message.more) {
                let clear = self.check_clear(operation, message.arguments, is_template);
                clear.map_err(|error| Unread { refusal: error.into(), id })?;
            }
        }
        Ok(Operations::Messages(messages))
    }

    /// Whether the server behind sees what is seen here: in a URI that rules are about, and in arguments.
    fn check_clear(
        &self,
        operation: &Operation<'_>,
        arguments: Option<&str>,
        is_template: bool,
    ) -> Result<(), MessageError> {
        match (operation, arguments) {
            (Operation::Resource(uri), _) if !self.table.is_legible(uri, is_template) => {
                Err(MessageError::AmbiguousUri)
            }
            (Operation::Tool(_), Some(json)) if self.table.demand_of(operation).depends_on_arguments() => {
                message::check_arguments(json)
            }
            _ => Ok(()),
        }
    }

    /// What a refusal can say by the head alone: what the operation that the headers name needs, else
    /// what every operation needs.
    fn details_of_head<'d>(&self, request: &RequestHead<'_>) -> Details<'d> {
        let operation = match *request.method {
            Method::POST => Operation::of_headers(request.headers).ok().flatten(),
            _ => Some(Operation::Http(request.method.as_str().into())),
        };
        let scopes = match operation {
            Some(operation) => {
                let demands = Operations::Headers(operation).demands(&self.table);
                self.table.needed(&Bits::default(), demands)
            }
            None => self.table.policy().minimal(),
        };
        Details { scopes: self.challenged(&scopes, None), needed: scopes, ..Details::default() }
    }

    /// The scopes that a challenge names, by the strategy.
    fn challenged(&self, needed: &ScopeSet, granted: Option<&ScopeSet>) -> ScopeSet {
        let needed = without_offline_access(needed);
        let more = match (&self.options.challenge, granted) {
            (ChallengeScopes::Configured(always), _) => always,
            (ChallengeScopes::PlusGranted, Some(granted)) => granted,
            _ => return needed,
        };
        let all = without_offline_access(&more.union(&needed));
        let length: usize = all.iter().map(|scope| scope.len() + 1).sum();
        if length > limits::CHALLENGE_SCOPE { needed } else { all }
    }

    fn refuse_unread(&self, request: &RequestHead<'_>, Unread { refusal, id }: Unread<'_>) -> Decision {
        self.refuse(request, refusal, Details { id, ..Details::default() })
    }

    fn refuse(&self, request: &RequestHead<'_>, refusal: Refusal, details: Details<'_>) -> Decision {
        Decision::Answer(Box::new(self.turn_away(request, refusal, details)))
    }

    /// The answer that turns a request away, with a report for the log.
    pub(super) fn turn_away(
        &self,
        request: &RequestHead<'_>,
        refusal: Refusal,
        details: Details<'_>,
    ) -> Answer {
        let answer = self.answers.refuse(request, refusal, &details);
        let Details { grant, operations, needed, mismatch, .. } = details;
        let missing = grant.map(|grant| self.table.missing(&grant.scopes, &needed)).unwrap_or_default();
        let report = RefusalReport::new(request, operations, grant, needed, missing);
        Answer { report: Some(Box::new(RefusalReport { mismatch, ..report })), ..answer }
    }
}

/// Why it is not known what a request wants, and the `id` of its message if that is.
struct Unread<'r> {
    refusal: Refusal,
    id: Option<&'r str>,
}

impl<R: Into<Refusal>> From<R> for Unread<'_> {
    fn from(refusal: R) -> Self {
        Self { refusal: refusal.into(), id: None }
    }
}

/// Whether a server that compares headers and body, as it must, leaves nothing open that scopes depend on. The headers
/// name this operation.
fn are_decisive(request: &RequestHead<'_>, named: &Operation<'_>) -> bool {
    let header = |name| operation::single(request.headers, name).ok().flatten();
    let is_told = || match named {
        Operation::Prompt(_) | Operation::Tool(_) => true,
        _ => header(&METHOD_HEADER).is_some_and(operation::is_told_by_headers),
    };
    compares_headers(header(&VERSION_HEADER)) && is_told()
}

/// The revision that a header or a message names, if its servers compare headers and body (MCP "Server
/// Validation").
fn compares_headers(version: Option<&str>) -> bool {
    version.and_then(Revision::from_name).is_some_and(|revision| revision >= Revision::V2026_07_28)
}

/// MCP "Server Validation": headers that are there say what the body says, and those that must be there
/// are. A batch has none.
fn agree(request: &RequestHead<'_>, messages: &[Message<'_>]) -> bool {
    let has = |name: &HeaderName| request.headers.contains_key(name);
    let Ok(named) = operation::single(request.headers, &VERSION_HEADER) else { return false };
    let same_version = |message: &Message<'_>| match (named, message.version.as_deref()) {
        (Some(named), Some(own)) => named == own,
        (None, own) => !compares_headers(own),
        (Some(_), None) => true,
    };
    if !messages.iter().all(same_version) {
        return false;
    }
    if !has(&METHOD_HEADER) {
        // What notifications need is not defined.
        let is_request = messages.iter().any(|message| message.is_request);
        return !(compares_headers(named) && (is_request || has(&NAME_HEADER)));
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
                        || !compares_headers(named))
            }
        },
    }
}

/// What a request wants to do, as far as known.
pub(super) enum Operations<'a> {
    /// Whatever it is, it makes no difference.
    Any,
    Headers(Operation<'a>),
    Messages(&'a [Message<'a>]),
    NeedBody,
}

impl Operations<'_> {
    fn each_demand<'t>(&self, table: &'t Table, see: &mut dyn FnMut(&'t Demand)) {
        match self {
            Self::Any | Self::NeedBody => table.each_demand(&Operation::Method("".into()), see),
            Self::Headers(operation) => table.each_demand(operation, see),
            Self::Messages(messages) => messages.iter().for_each(|message| {
                table.each_demand(&message.operation, see);
                message.more.iter().for_each(|operation| table.each_demand(operation, see));
            }),
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

    /// The `id` to answer.
    fn id(&self) -> Option<&str> {
        if let Self::Messages(messages) = self { id_of(messages) } else { None }
    }
}

/// The `id` of the one message; a batch has none.
fn id_of<'a>(messages: &[Message<'a>]) -> Option<&'a str> {
    if let [message] = messages { message.id } else { None }
}
