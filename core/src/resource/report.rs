//! What an operator may want to know of a refusal.

use super::check::Operations;
use super::grant::Grant;
use super::mismatch::Mismatch;
use super::operation::Operation;
use super::request::RequestHead;
use crate::error::PeerText;
use crate::scope::ScopeSet;

/// What was refused, and to whom, for a log: names, cleaned and cut off, and never a token. Clients are not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusalReport {
    /// What the request wanted to do, as far as that was known by then: `tool write_file`, `method tools/list`,
    /// `http GET`. Several of a batch have commas between. Of a URI, query and fragment are left out.
    pub operation: Option<PeerText>,
    /// Who issued the token. This and what follows is there for tokens that were found to be good, which lack
    /// something else: of others nobody knows whether it is true.
    pub issuer: Option<PeerText>,
    /// `sub`.
    pub subject: Option<PeerText>,
    /// `client_id`.
    pub client_id: Option<PeerText>,
    /// The scopes that the operation needs.
    pub needed: ScopeSet,
    /// Those of them that the token lacks, by the hierarchy of the policy.
    pub missing: ScopeSet,
    /// Of a JWT that is for another resource, or from another issuer: what it names, and what it should. Of a
    /// token that a server was asked about, [`Notice::TokenMismatch`](super::Notice::TokenMismatch) says it.
    pub mismatch: Option<Mismatch>,
}

/// Operations that are named of a batch.
const NAMED: usize = 4;

impl RefusalReport {
    pub(super) fn new(
        request: &RequestHead<'_>,
        operations: Option<&Operations<'_>>,
        grant: Option<&Grant>,
        needed: ScopeSet,
        missing: ScopeSet,
    ) -> Self {
        let text = |text: &Option<Box<str>>| text.as_deref().map(PeerText::new);
        Self {
            operation: operation(request, operations),
            issuer: grant.map(|grant| PeerText::new(&grant.issuer)),
            subject: grant.and_then(|grant| text(&grant.subject)),
            client_id: grant.and_then(|grant| text(&grant.client_id)),
            needed,
            missing,
            mismatch: None,
        }
    }
}

fn operation(request: &RequestHead<'_>, operations: Option<&Operations<'_>>) -> Option<PeerText> {
    let mut shown = Vec::new();
    let mut more = false;
    let mut show = |operation: &Operation<'_>| match shown.len() {
        0..NAMED => shown.push(named(request, operation)),
        _ => more = true,
    };
    match operations {
        Some(Operations::Headers(operation)) => show(operation),
        Some(Operations::Messages(messages)) => {
            messages.iter().for_each(|message| show(&message.operation));
        }
        _ if *request.method != http::Method::POST => show(&Operation::Http(request.method.as_str().into())),
        _ => Operation::of_headers(request.headers).ok().flatten().iter().for_each(show),
    }
    if more {
        shown.push("…".to_owned());
    }
    (!shown.is_empty()).then(|| PeerText::without(&shown.join(", "), &[]))
}

/// A client may put its token anywhere.
fn named(request: &RequestHead<'_>, operation: &Operation<'_>) -> String {
    let (kind, name) = operation.parts();
    let name = match operation {
        Operation::Resource(uri) => uri.split(['?', '#']).next().unwrap_or_default(),
        _ => name,
    };
    let credentials = request.headers.get_all(http::header::AUTHORIZATION).iter();
    let mut tokens = credentials.filter_map(|value| value.to_str().ok()?.split(' ').next_back());
    let is_part =
        |token: &str| token.len() >= 8 && name.len() >= 8 && (name.contains(token) || token.contains(name));
    if tokens.any(is_part) { format!("{kind} …") } else { format!("{kind} {name}") }
}
