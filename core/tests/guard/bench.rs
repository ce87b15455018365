//! A Guard, an issuer with keys, and a clock.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::jose::{Algorithm, SigningKey};
use grantor::resource::{
    Answer, AuthorizationServer, Body, Decision, Grant, Guard, GuardConfig, Need, Notice, Output, Policy,
    Refusal, RequestHead,
};
use grantor::wire::{HttpRequest, HttpResponse};
use grantor::{Completion, Effect, Now, OpId};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(crate) const ISSUER: &str = "https://as.example.com";
pub(crate) const START: u64 = 1_800_000_000;

pub(crate) fn policy() -> Policy {
    Policy::new()
        .every("mcp:use")
        .unwrap()
        .method("ping", Need::public())
        .tool("read_*", Need::all("files:read").unwrap())
        .tool("write", Need::all("files:write").unwrap())
        .tool("pay", Need::all("pay").unwrap().max_age_s(300).acr("mfa"))
        .resource("file:///*", Need::all("files:read").unwrap())
        .implies("files:write", "files:read")
        .unwrap()
}

pub(crate) fn config() -> GuardConfig {
    GuardConfig::new(RESOURCE, policy()).server(AuthorizationServer::jwt(ISSUER))
}

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::generate(Algorithm::Es256, &[n; 32]).unwrap().with_kid(&format!("k{n}"))
}

pub(crate) fn jwks(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            let mut jwk: Value = serde_json::from_str(&key.public().to_jwk()).unwrap();
            jwk["kid"] = json!(key.public().kid());
            jwk
        })
        .collect();
    json!({ "keys": keys }).to_string()
}

/// Good claims with these changed; `null` removes.
pub(crate) fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "alice", "client_id": "c1", "jti": "j1",
        "iat": START, "exp": START + 3600, "scope": "mcp:use",
    });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Any header and any payload, signed.
pub(crate) fn sign(header: &str, payload: &str, key: &SigningKey) -> String {
    let input = format!("{}.{}", b64(header), b64(payload));
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", b64(signature))
}

pub(crate) fn token_by(key: &SigningKey, changes: Value) -> String {
    let kid = key.public().kid().unwrap();
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid }).to_string();
    sign(&header, &claims(changes).to_string(), key)
}

/// A good token with these claims changed.
pub(crate) fn token(changes: Value) -> String {
    token_by(&key(1), changes)
}

pub(crate) fn with_scope(scope: &str) -> String {
    token(json!({ "scope": scope }))
}

/// A response as the test wants it.
pub(crate) type Reply = Result<(u16, Vec<(&'static str, String)>, String), ()>;

pub(crate) fn ok(body: impl Into<String>) -> Reply {
    Ok((200, vec![("content-type", "application/json".into())], body.into()))
}

type HostSays = Box<dyn FnMut(&str) -> Option<String>>;

pub(crate) struct Bench {
    pub(crate) guard: Guard,
    pub(crate) now: Now,
    /// Answers the Guard's requests.
    pub(crate) peer: Box<dyn FnMut(&HttpRequest) -> Reply>,
    /// What it asked for.
    pub(crate) asked: Vec<String>,
    pub(crate) notices: Vec<Notice>,
    /// What the host says of tokens.
    pub(crate) host: HostSays,
}

pub(crate) fn metadata() -> String {
    json!({
        "issuer": ISSUER,
        "jwks_uri": "https://as.example.com/jwks",
        "introspection_endpoint": "https://as.example.com/introspect",
    })
    .to_string()
}

pub(crate) fn usual_peer(request: &HttpRequest) -> Reply {
    match request.url.path() {
        "/.well-known/oauth-authorization-server" => ok(metadata()),
        "/jwks" => ok(jwks(&[&key(1)])),
        _ => Ok((404, Vec::new(), String::new())),
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: GuardConfig) -> Self {
        Self {
            guard: Guard::new(config).unwrap(),
            now: Now::new(1_000_000, START),
            peer: Box::new(usual_peer),
            asked: Vec::new(),
            notices: Vec::new(),
            host: Box::new(|_| None),
        }
    }

    pub(crate) fn pass_s(&mut self, seconds: u64) {
        self.now = self.now.plus_ms(seconds * 1000);
    }

    /// Decides, and does whatever the Guard asks for.
    pub(crate) fn decide(&mut self, request: &Request) -> Decision {
        for _ in 0..8 {
            let head = RequestHead::new(&request.method, &request.uri, &request.headers);
            let decision = match self.check(&head, None) {
                Decision::NeedBody { max } if request.body.len() > max => {
                    return Decision::Answer(Box::new(self.guard.too_large(&head)));
                }
                Decision::NeedBody { .. } => self.check(&head, Some(&request.body)),
                other => other,
            };
            match decision {
                Decision::Wait(_) => self.perform(),
                other => return other,
            }
        }
        panic!("it waits and waits");
    }

    /// Decides. Examining alone changes nothing, however often.
    fn check(&mut self, head: &RequestHead<'_>, body: Option<&[u8]>) -> Decision {
        let read = body.map(Body::new);
        let examined = self.guard.examine(self.now, head, read.as_ref());
        let decision = self.guard.check(self.now, head, body);
        let shown = |decision: &Decision| match decision {
            Decision::Answer(answer) => format!("{answer:?} {:?} {:?}", answer.headers, answer.body),
            other => format!("{other:?}"),
        };
        assert!(examined.is_err() || examined.is_ok_and(|decided| shown(&decided) == shown(&decision)));
        decision
    }

    pub(crate) fn perform(&mut self) {
        while let Some(output) = self.guard.poll_output() {
            match output {
                Output::Perform { op, effect, .. } => self.answer(op, effect),
                Output::Notice(notice) => self.notices.push(notice),
                _ => {}
            }
        }
    }

    pub(crate) fn answer(&mut self, op: OpId, effect: Effect) {
        match effect {
            Effect::Http { request, .. } => {
                self.asked.push(format!("{} {}", request.method, request.url));
                match (self.peer)(&request) {
                    Ok((status, lines, body)) => {
                        let mut headers = HeaderMap::new();
                        for (name, value) in lines {
                            headers.append(name, value.parse().unwrap());
                        }
                        let response = HttpResponse { status, headers: &headers, body: body.as_bytes() };
                        self.guard.complete(self.now, op, Completion::Http(response)).unwrap();
                    }
                    Err(()) => {
                        let failure =
                            grantor::error::Failure::new(grantor::error::FailureKind::Unreachable, "");
                        self.guard.complete(self.now, op, Completion::Failed(failure)).unwrap();
                    }
                }
            }
            Effect::CheckToken { token } => {
                let said = (self.host)(token.expose());
                self.guard.complete(self.now, op, Completion::TokenChecked(said.as_deref())).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn allow(&mut self, request: &Request) -> Option<Arc<Grant>> {
        match self.decide(request) {
            Decision::Allow(grant) => grant,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn refuse(&mut self, request: &Request) -> Answer {
        match self.decide(request) {
            Decision::Answer(answer) => *answer,
            other => panic!("{other:?}"),
        }
    }

    /// The status and the reason of a refusal.
    pub(crate) fn why(&mut self, request: &Request) -> (u16, Refusal) {
        let answer = self.refuse(request);
        (answer.status, answer.refusal.expect("a refusal"))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn post(body: impl Into<Vec<u8>>) -> Self {
        let uri = Uri::from_static("/mcp");
        Self { method: Method::POST, uri, headers: HeaderMap::new(), body: body.into() }
    }

    pub(crate) fn get(uri: &str) -> Self {
        Self { method: Method::GET, uri: uri.parse().unwrap(), headers: HeaderMap::new(), body: Vec::new() }
    }

    pub(crate) fn tool(name: &str) -> Self {
        Self::post(
            json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": name } })
                .to_string(),
        )
    }

    pub(crate) fn list() -> Self {
        Self::post(r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With the headers of 2026-07-28.
    pub(crate) fn named(self, method: &str, name: Option<&str>) -> Self {
        let with = self.header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
        match name {
            Some(name) => with.header("mcp-name", name),
            None => with,
        }
    }
}

/// A parameter of the challenge.
pub(crate) fn challenge(answer: &Answer, name: &str) -> Option<String> {
    let (challenges, error) = grantor::wire::challenge::Challenges::of(&answer.headers);
    assert_eq!(error, None);
    let challenge = challenges.iter().next()?;
    challenge.get(name).map(Into::into)
}
