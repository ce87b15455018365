//! Resource URIs, as servers of many kinds read them.

mod readers;
mod tables;

use std::collections::BTreeSet;

use grantor::resource::{
    Answer, AuthorizationServer, Decision, Guard, GuardConfig, MessageError, Output, Refusal, RequestHead,
};
use grantor::wire::challenge::Challenges;
use grantor::{Completion, Effect, Now};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::{Value, json};

use self::readers::READERS;
use self::tables::{TABLES, Table};
use crate::input::Input;

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// A letter for the policy, one for how the URI is named, and the URI: whatever a reader makes of it, what the
/// rule for that needs is demanded, unless the URI is refused.
pub fn resource_uri(data: &[u8]) {
    let mut input = Input(data);
    let table = input.letter(TABLES.each_ref());
    let how = input.letter([How::Read, How::Listen, How::Complete, How::Other, How::Header]);
    let Ok(uri) = std::str::from_utf8(input.0) else { return };
    // A header's value has no spaces around it.
    let uri = if how == How::Header { uri.trim_matches([' ', '\t']) } else { uri };
    if how == How::Complete && uri.contains('{') {
        return; // a template is expanded before anybody reads it
    }
    let mut server = Server::new(table, how == How::Header);
    let Some(request) = Request::new(how, uri) else { return };
    let demanded = match server.ask(&request, Some("")) {
        Decision::Allow(_) => BTreeSet::new(),
        Decision::Answer(answer) => match answer.refusal {
            Some(Refusal::InsufficientScope) => scopes(&answer),
            Some(Refusal::Message(MessageError::AmbiguousUri | MessageError::TooLarge)) => return,
            // A header cannot hold it.
            Some(Refusal::HeaderMismatch) if how == How::Header => return,
            other => panic!("{other:?} for {uri:?}"),
        },
        other => panic!("{other:?} for {uri:?}"),
    };
    let named: Vec<&str> = demanded.iter().map(String::as_str).collect();
    let enough = server.ask(&request, Some(&named.join(" ")));
    assert!(matches!(enough, Decision::Allow(_)), "what was asked for suffices: {enough:?} for {uri:?}");
    let is_public = matches!(server.ask(&request, None), Decision::Allow(None));
    for reader in &READERS {
        for resource in (reader.read)(uri, table) {
            let Some(need) = table.need_of(&resource, reader.view) else { continue };
            assert!(
                need.is_empty() || demanded.contains(need),
                "{} reads {uri:?} as {resource:?}, which needs {need}, not only {demanded:?}",
                reader.name
            );
            assert!(need == tables::PUBLIC || !is_public, "{} reads {uri:?} as {resource:?}", reader.name);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Read,
    Listen,
    Complete,
    /// By a method of which the Guard knows nothing.
    Other,
    /// In a header that is trusted.
    Header,
}

struct Request {
    headers: HeaderMap,
    body: Option<String>,
}

impl Request {
    fn new(how: How, uri: &str) -> Option<Self> {
        let mut headers = HeaderMap::new();
        let (method, params): (&str, Value) = match how {
            How::Header => {
                let lines = [
                    ("mcp-protocol-version", "2026-07-28"),
                    ("mcp-method", "resources/read"),
                    ("mcp-name", uri),
                ];
                for (name, value) in lines {
                    headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
                }
                return Some(Self { headers, body: None });
            }
            How::Read => ("resources/read", json!({ "uri": uri })),
            How::Listen => {
                ("subscriptions/listen", json!({ "notifications": { "resourceSubscriptions": [uri] } }))
            }
            How::Complete => ("completion/complete", json!({ "ref": { "uri": uri } })),
            How::Other => ("skills/get", json!({ "uri": uri })),
        };
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        Some(Self { headers, body: Some(body.to_string()) })
    }
}

/// A Guard whose host believes tokens for the scopes that they spell.
struct Server(Guard);

impl Server {
    fn new(table: &Table, trust_headers: bool) -> Self {
        let server = AuthorizationServer::verified_by_host("https://as.example.com");
        let mut config = GuardConfig::new(RESOURCE, table.policy()).server(server);
        config.trust_headers = trust_headers;
        Self(Guard::new(config).expect("a configuration"))
    }

    fn ask(&mut self, request: &Request, scope: Option<&str>) -> Decision {
        let mut headers = request.headers.clone();
        if let Some(scope) = scope {
            let token = format!("Bearer t~{}", scope.replace(' ', "~"));
            headers.insert("authorization", token.parse().expect("a token"));
        }
        let (target, now) = (Uri::from_static("/mcp"), Now::new(0, 1_800_000_000));
        let head = RequestHead::new(&Method::POST, &target, &headers);
        loop {
            let decision = match self.0.check(now, &head, None) {
                Decision::NeedBody { .. } => {
                    let body = request.body.as_deref().expect("headers decide");
                    self.0.check(now, &head, Some(body.as_bytes()))
                }
                decision => decision,
            };
            let Decision::Wait(_) = decision else { return decision };
            while let Some(output) = self.0.poll_output() {
                if let Output::Perform { op, effect: Effect::CheckToken { token }, .. } = output {
                    let scope = token.expose().trim_start_matches("t~").replace('~', " ");
                    let said = json!({ "aud": RESOURCE, "scope": scope }).to_string();
                    let result = self.0.complete(now, op, Completion::TokenChecked(Some(&said)));
                    assert_eq!(result, Ok(()));
                }
            }
        }
    }
}

fn scopes(answer: &Answer) -> BTreeSet<String> {
    let (challenges, _) = Challenges::of(&answer.headers);
    let challenge = challenges.iter().next().expect("a challenge");
    challenge.get("scope").unwrap_or_default().split(' ').map(str::to_owned).collect()
}
