//! A protected MCP server with tools that need different scopes.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::authorization_server::Access;
use crate::grants::{presented, proven};
use crate::{Answered, Asked, text, with};

/// Which scopes a challenge for scope names (MCP "Runtime Insufficient Scope Errors").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// All that the operation needs.
    Needed,
    /// All that are missing.
    #[default]
    Missing,
    /// One that is missing, and the next one next time.
    OneByOne,
}

/// An MCP server and what it demands.
#[derive(Debug, Default)]
pub struct McpServer {
    /// The URL of its endpoint, which is its resource identifier.
    pub resource: String,
    /// What its metadata names.
    pub authorization_servers: Vec<String>,
    /// Members of its metadata that replace the usual ones; `null` removes.
    pub metadata: Value,
    /// Whether there is metadata at all, and challenges name it.
    pub has_metadata: bool,
    /// Whether challenges carry anything; if not, there is no header at all.
    pub challenges: bool,
    /// The scope that every request needs.
    pub base_scope: String,
    /// The scopes that tools need beside it.
    pub tools: BTreeMap<String, String>,
    /// Which scopes a challenge for scope names.
    pub names: Names,
    /// Whether every token is rejected.
    pub rejects_all: bool,
    /// The nonce that proofs have to carry (RFC 9449 9).
    pub dpop_nonce: Option<String>,
    /// How the user must have proved themselves (RFC 9470).
    pub acr: Option<String>,
    proofs_seen: BTreeSet<String>,
    /// How many requests were answered with 200.
    pub served: u64,
}

impl McpServer {
    /// A server with a tool `read`, which needs `files:read`, and a tool `write`, which needs
    /// `files:write`; every request needs `mcp:use`.
    pub fn new(resource: &str) -> Self {
        Self {
            resource: resource.into(),
            has_metadata: true,
            challenges: true,
            base_scope: "mcp:use".into(),
            tools: [("read", "files:read"), ("write", "files:write")]
                .map(|(tool, scope)| (tool.to_owned(), scope.to_owned()))
                .into(),
            ..Self::default()
        }
    }

    /// Where its metadata is.
    pub fn metadata_url(&self) -> String {
        let url = Url::parse(&self.resource).map(|url| {
            let path = if url.path() == "/" { "" } else { url.path() };
            format!("{}/.well-known/oauth-protected-resource{path}", url.origin().ascii_serialization())
        });
        url.unwrap_or_default()
    }

    /// Answers a request; `check` looks up tokens.
    pub fn answer(
        &mut self,
        unix_s: u64,
        request: &Asked,
        check: impl Fn(&str) -> Option<Access>,
    ) -> Answered {
        let answer = self.decide(unix_s, request, check);
        match &self.dpop_nonce {
            Some(nonce) => with(answer, "dpop-nonce", nonce),
            None => answer,
        }
    }

    fn decide(&mut self, unix_s: u64, request: &Asked, check: impl Fn(&str) -> Option<Access>) -> Answered {
        let url = request.uri().to_string();
        if self.has_metadata && *request.method() == Method::GET && url == self.metadata_url() {
            return crate::json(StatusCode::OK, &self.document());
        }
        if *request.method() != Method::POST || url != self.resource {
            return text(StatusCode::NOT_FOUND, "not here");
        }
        let presented = presented(request);
        let token = presented.map(|(_, token)| token);
        let access = token.and_then(check).filter(|access| {
            !self.rejects_all && (access.resource == self.resource || access.resource.is_empty())
        });
        let Some(access) = access else {
            let error = if token.is_some() { Some("invalid_token") } else { None };
            return self.challenge(StatusCode::UNAUTHORIZED, error, &self.base_scope);
        };
        if let Err(error) = self.check_proof(unix_s, request, presented, &access) {
            return self.challenge_with("DPoP", StatusCode::UNAUTHORIZED, Some(error), "", "");
        }
        if self.acr.is_some() && access.acr != self.acr {
            let acr = format!("acr_values=\"{}\", max_age=\"60\"", self.acr.as_deref().unwrap_or_default());
            let error = Some("insufficient_user_authentication");
            return self.challenge_with("Bearer", StatusCode::UNAUTHORIZED, error, "", &acr);
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let tool = body["params"]["name"].as_str().and_then(|name| self.tools.get(name));
        let needed: Vec<&str> =
            self.base_scope.split(' ').chain(tool.into_iter().flat_map(|scopes| scopes.split(' '))).collect();
        let has = |scope: &&&str| scope.is_empty() || access.scope.split(' ').any(|own| own == **scope);
        if !needed.iter().all(|scope| has(&scope)) {
            let mut missing: Vec<&str> =
                needed.iter().filter(|scope| self.names == Names::Needed || !has(scope)).copied().collect();
            if self.names == Names::OneByOne {
                missing.truncate(1);
            }
            return self.challenge(StatusCode::FORBIDDEN, Some("insufficient_scope"), &missing.join(" "));
        }
        self.served += 1;
        let text = format!("{} done", body["params"]["name"].as_str().unwrap_or("request"));
        let result = json!({ "content": [{ "type": "text", "text": text }], "resultType": "complete" });
        crate::json(StatusCode::OK, &json!({ "jsonrpc": "2.0", "id": body["id"], "result": result }))
    }

    fn document(&self) -> Value {
        let mut document = json!({
            "resource": self.resource,
            "authorization_servers": self.authorization_servers,
            "scopes_supported": self.base_scope.split(' ').filter(|s| !s.is_empty()).collect::<Vec<_>>(),
            "bearer_methods_supported": ["header"],
        });
        for (name, value) in self.metadata.as_object().into_iter().flatten() {
            if value.is_null() {
                document.as_object_mut().map(|document| document.remove(name));
            } else {
                document[name] = value.clone();
            }
        }
        document
    }

    /// A token that is bound to a key comes as `DPoP` and with a proof; any other comes as `Bearer`.
    fn check_proof(
        &mut self,
        unix_s: u64,
        request: &Asked,
        presented: Option<(bool, &str)>,
        access: &Access,
    ) -> Result<(), &'static str> {
        match (presented, &access.jkt) {
            (Some((false, _)), None) => Ok(()),
            (Some((true, token)), Some(jkt)) => {
                let nonce = self.dpop_nonce.clone();
                let seen = &mut self.proofs_seen;
                let proof = proven(request, unix_s, Some((token, jkt)), nonce.as_deref(), seen)?;
                proof.map(drop).ok_or("invalid_dpop_proof")
            }
            _ => Err("invalid_token"),
        }
    }

    fn challenge(&self, status: StatusCode, error: Option<&str>, scope: &str) -> Answered {
        self.challenge_with("Bearer", status, error, scope, "")
    }

    fn challenge_with(
        &self,
        scheme: &str,
        status: StatusCode,
        error: Option<&str>,
        scope: &str,
        more: &str,
    ) -> Answered {
        let answer = crate::json(status, &json!({ "error": error.unwrap_or("unauthorized") }));
        if !self.challenges {
            return answer;
        }
        let mut params = Vec::new();
        if self.has_metadata {
            params.push(format!("resource_metadata=\"{}\"", self.metadata_url()));
        }
        if let Some(error) = error {
            params.push(format!("error=\"{error}\""));
        }
        if !scope.is_empty() {
            params.push(format!("scope=\"{scope}\""));
        }
        if !more.is_empty() {
            params.push(more.to_owned());
        }
        with(answer, "www-authenticate", format!("{scheme} {}", params.join(", ")).trim())
    }
}

/// The body of a call of a tool.
pub fn tool_call(tool: &str) -> Vec<u8> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool } });
    body.to_string().into_bytes()
}

/// A call of a tool as clients of revision 2026-07-28 send it: headers and body.
///
/// # Panics
/// When the name cannot be in a header.
pub fn stateless_tool_call(tool: &str, arguments: &Value) -> (HeaderMap, String) {
    const REVISION: &str = "2026-07-28";
    let lines = [
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
        ("mcp-protocol-version", REVISION),
        ("mcp-method", "tools/call"),
        ("mcp-name", tool),
    ];
    let line = |(name, value): (&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header's value"))
    };
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    (lines.map(line).into_iter().collect(), body.to_string())
}
