//! The Guard: its state, and its inputs and outputs.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use http::{HeaderMap, HeaderName, Method};
use url::Url;

use super::answer::{Answers, Details};
use super::cache::TokenCache;
use super::config::{
    self, AuthorizationServer, ChallengeScopes, Dpop, GuardConfig, GuardConfigError, Tokens,
};
use super::fetch::Op;
use super::message::MessageError;
use super::output::{Answer, CheckId, Notice, Output};
use super::policy::{Policy, Table};
use super::refusal::Refusal;
use super::request::RequestHead;
use super::server::Server;
use super::tenants;
use super::used::Recorded;
use crate::address::UrlPolicy;
use crate::effect::OpId;
use crate::error::{Asked, PeerText};
use crate::finding::Findings;
use crate::jose::dpop::{self, ReplayCache};
use crate::limits;
use crate::time::Now;

/// Decides about the requests to one protected MCP server.
///
/// [`check`](Self::check) is asked for each request. What it needs of the world comes out of
/// [`poll_output`](Self::poll_output) and goes in by [`complete`](Self::complete). A Guard is plain data
/// without locks or clocks; a host with several threads puts it behind a lock.
pub struct Guard {
    pub(super) resource: Url,
    pub(super) table: Table,
    pub(super) answers: Answers,
    pub(super) servers: Vec<Server>,
    pub(super) tokens: TokenCache,
    pub(super) proofs: ReplayCache,
    pub(super) recorded: Recorded,
    pub(super) options: Options,
    pub(super) ops: BTreeMap<OpId, Op>,
    pub(super) outputs: VecDeque<Output>,
    /// The exchange whose answer is being processed: errors name it.
    pub(super) answering: Option<Asked>,
    pub(super) last_op: u64,
    pub(super) last_check: u64,
}

/// What is looked up while checking.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) challenge: ChallengeScopes,
    pub(super) dpop: Dpop,
    pub(super) public_paths: Vec<Box<str>>,
    pub(super) trust_headers: bool,
    pub(super) max_body: usize,
    pub(super) leeway_s: u64,
    pub(super) recheck_ms: u64,
    pub(super) urls: UrlPolicy,
}

impl Guard {
    /// A Guard for this configuration. Nothing is fetched before the first token comes.
    ///
    /// # Errors
    /// [`GuardConfigError`].
    pub fn new(mut config: GuardConfig) -> Result<Self, GuardConfigError> {
        config.servers = tenants::expand(config.servers)?;
        let resource = config::resource_url(&config.resource, &config.urls)?;
        let answers = Answers::new(&config, &resource)?;
        let audiences = audiences(&config, &resource);
        let mut servers: Vec<Server> = Vec::with_capacity(config.servers.len());
        for server in std::mem::take(&mut config.servers) {
            let url = config::issuer_url(&server.issuer, &config.urls)?;
            let asked = !matches!(server.tokens, Tokens::Jwt { .. });
            let names = || [&server.issuer].into_iter().chain(&server.known_as);
            let repeated =
                |known: &Server| known.is_asked() == asked && names().any(|name| known.is_named(name));
            if servers.iter().any(repeated) {
                return Err(GuardConfigError::IssuerRepeated(server.issuer));
            }
            if let Tokens::Introspection { client, .. } = &server.tokens
                && client.needs_assertion()
            {
                return Err(GuardConfigError::ClientAuthentication);
            }
            if matches!(&server.tokens, Tokens::Jwt { algorithms, .. } if algorithms.is_empty()) {
                return Err(GuardConfigError::NoAlgorithm(server.issuer));
            }
            if asked && config.token_cache_bytes < limits::TOKEN_CACHE_ASKED {
                return Err(GuardConfigError::TokenCache);
            }
            let audiences = audiences.iter().chain(&server.audiences).cloned().collect();
            servers.push(Server::new(server, url, audiences));
        }
        if !servers.iter().any(|server| server.config.advertised) {
            return Err(GuardConfigError::NoServer);
        }
        if config.public_paths.iter().any(|public| **public == *resource.path()) {
            return Err(GuardConfigError::PublicResource);
        }
        Ok(Self {
            resource,
            table: Table::new(config.policy)?,
            answers,
            servers,
            tokens: TokenCache::new(config.token_cache_bytes),
            proofs: ReplayCache::new(config.replay_cache_bytes),
            recorded: Recorded::default(),
            options: Options {
                challenge: config.challenge,
                dpop: config.dpop,
                public_paths: config.public_paths,
                trust_headers: config.trust_headers,
                max_body: config.max_body,
                leeway_s: config.leeway_s,
                recheck_ms: config.recheck_s.max(1).saturating_mul(1000),
                urls: config.urls,
            },
            ops: BTreeMap::new(),
            outputs: VecDeque::new(),
            answering: None,
            last_op: 0,
            last_check: 0,
        })
    }

    /// The next output. Outputs arise from inputs only.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        self.table.policy()
    }

    /// The authorization servers.
    pub fn servers(&self) -> impl Iterator<Item = &AuthorizationServer> {
        self.servers.iter().map(|server| &server.config)
    }

    /// The URL of the metadata, which challenges name.
    pub fn metadata_url(&self) -> &str {
        self.answers.metadata_url()
    }

    /// The path of that URL.
    pub fn metadata_path(&self) -> &str {
        self.answers.metadata_path()
    }

    /// The answer to a request for the metadata (RFC 9728 3.2), for hosts that route it past the
    /// [`check`](Self::check), which answers so by itself.
    pub fn metadata(&self, method: &Method) -> Answer {
        self.answers.metadata(method)
    }

    /// What the remembered tokens take, in bytes; about.
    pub fn token_cache_bytes(&self) -> usize {
        self.tokens.bytes()
    }

    /// Headers to add to the server's own answer: those by which pages of accepted origins may read it
    /// ([`Cors`](super::Cors)), and the nonce for the client's next proof (RFC 9449 8.2).
    pub fn answer_headers(&self, now: Now, request: &RequestHead<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        self.answers.add_cors(request, &mut headers);
        if request.headers.contains_key(dpop::HEADER)
            && let Some(nonce) = self.nonce(now)
        {
            headers.insert(HeaderName::from_static(dpop::NONCE_HEADER), nonce);
        }
        headers
    }

    /// Whether there can be such headers.
    pub fn has_answer_headers(&self) -> bool {
        self.answers.is_for_pages() || self.options.dpop.nonce_seed.is_some()
    }

    /// The answer to a request whose body is larger than [`NeedBody`](super::Decision::NeedBody) allows.
    pub fn too_large(&self, request: &RequestHead<'_>) -> Answer {
        self.turn_away(request, Refusal::BodyTooLarge, Details::default())
    }

    /// The answer to a request whose body broke off: what came is no message.
    pub fn unreadable(&self, request: &RequestHead<'_>) -> Answer {
        self.turn_away(request, Refusal::Message(MessageError::Syntax), Details::default())
    }

    /// The answer to a request whose check the host gives up.
    pub fn unavailable(&self, request: &RequestHead<'_>) -> Answer {
        let details = Details { retry_after_s: Some(1), ..Details::default() };
        self.turn_away(request, Refusal::Unavailable, details)
    }

    /// What the authorization servers' answers strayed in so far, and nobody was harmed: each once, at most
    /// [`limits::FINDINGS`] for each server.
    pub fn findings(&self) -> impl Iterator<Item = (&AuthorizationServer, &Findings)> {
        self.servers.iter().map(|server| (&server.config, &server.findings))
    }

    /// Keeps what an answer of a server strayed in, and tells of each once.
    pub(super) fn keep(&mut self, server: usize, findings: Findings) {
        let Some(server) = self.servers.get_mut(server) else { return };
        for finding in findings {
            if server.findings.add(&finding) {
                let issuer = PeerText::new(&server.config.issuer);
                self.outputs.push_back(Output::Notice(Notice::Finding { issuer, finding }));
            }
        }
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }

    pub(super) fn next_check(&mut self) -> CheckId {
        self.last_check += 1;
        CheckId(self.last_check)
    }
}

/// The names of this resource that tokens of any server may carry.
fn audiences(config: &GuardConfig, resource: &Url) -> Vec<Box<str>> {
    let mut audiences = vec![config.resource.clone()];
    let own = resource.as_str();
    // The empty path is written with and without its slash.
    let others = [Some(own), own.strip_suffix('/').filter(|_| resource.path() == "/")];
    for name in others.into_iter().flatten().chain(config.audiences.iter().map(|name| &**name)) {
        if !audiences.iter().any(|known| **known == *name) {
            audiences.push(name.into());
        }
    }
    audiences
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("resource", &self.resource.as_str())
            .field("servers", &self.servers.len())
            .finish_non_exhaustive()
    }
}
