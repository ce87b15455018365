//! Whole flows with providers, as their own documentation shows metadata and answers, by the configuration that
//! the chapter `manual::providers` tells: from the challenge to stored tokens, and their renewal.

mod entra;
mod github;
mod google;
mod others;
mod slack;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use grantor::client::{Config, Preregistered};
use grantor::wire::client_metadata::ClientMetadata;
use grantor::{RecordKind, Secret};
use grantor_world::{Answered, Asked, Player, World, header, json as respond, text, with};
use http::{Method, StatusCode};
use serde_json::Value;
use url::{Url, form_urlencoded};

/// A request that a peer got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Method and URL without query.
    pub(crate) what: String,
    /// The parameters of its query or form.
    pub(crate) parameters: BTreeMap<String, String>,
    /// Its `Authorization`.
    pub(crate) authorization: Option<String>,
    pub(crate) user_agent: Option<String>,
    /// Its body, as JSON.
    pub(crate) json: Option<Value>,
}

impl Seen {
    pub(crate) fn of(request: &Asked) -> Self {
        let url = Url::parse(&request.uri().to_string()).unwrap();
        let is_form = header(request.headers(), "content-type") == Some("application/x-www-form-urlencoded");
        let form =
            if is_form { request.body().as_slice() } else { url.query().unwrap_or_default().as_bytes() };
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(form).into_owned() {
            assert!(parameters.insert(name.clone(), value).is_none(), "{name} is there twice: {request:?}");
        }
        let mut bare = url.clone();
        bare.set_query(None);
        Self {
            what: format!("{} {bare}", request.method()),
            parameters,
            authorization: header(request.headers(), "authorization").map(Into::into),
            user_agent: header(request.headers(), "user-agent").map(Into::into),
            json: serde_json::from_slice(request.body()).ok(),
        }
    }

    /// A parameter; empty when it is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", |value| value)
    }
}

type Answering = Box<dyn Fn(&Seen) -> Answered + Send>;

/// An MCP server and its authorization server, each answer as told.
pub(crate) struct Site {
    mcp: &'static str,
    challenge: Option<&'static str>,
    routes: Vec<(String, Answering)>,
    accepted: Vec<&'static str>,
}

/// What a site got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn note(&self, seen: Seen) {
        self.0.lock().unwrap().push(seen);
    }

    /// The requests to a URL.
    pub(crate) fn of(&self, what: &str) -> Vec<Seen> {
        self.all().into_iter().filter(|seen| seen.what == what).collect()
    }

    /// The one request to a URL.
    pub(crate) fn one(&self, what: &str) -> Seen {
        let mut all = self.of(what);
        assert_eq!(all.len(), 1, "{what}: {:#?}", self.all());
        all.remove(0)
    }
}

impl Site {
    /// An MCP server at this URL that accepts these tokens and challenges everything else.
    pub(crate) fn new(mcp: &'static str, accepted: &[&'static str]) -> Self {
        Self { mcp, challenge: None, routes: Vec::new(), accepted: accepted.to_vec() }
    }

    /// What it says in `WWW-Authenticate`.
    pub(crate) fn challenge(self, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    pub(crate) fn document(self, url: &str, document: Value) -> Self {
        self.on(&format!("GET {url}"), move |_| respond(StatusCode::OK, &document))
    }

    /// A page that agrees at once and redirects back, with these parameters beside code and state.
    pub(crate) fn page(self, url: &str, more: &'static [(&'static str, &'static str)]) -> Self {
        self.on(&format!("GET {url}"), move |seen| {
            let mut back = Url::parse(seen.get("redirect_uri")).unwrap();
            back.query_pairs_mut()
                .append_pair("code", "planted-code")
                .append_pair("state", seen.get("state"));
            back.query_pairs_mut().extend_pairs(more);
            with(text(StatusCode::FOUND, ""), "location", back.as_str())
        })
    }

    pub(crate) fn on(mut self, what: &str, answer: impl Fn(&Seen) -> Answered + Send + 'static) -> Self {
        self.routes.push((what.into(), Box::new(answer)));
        self
    }

    /// A player that uses it.
    pub(crate) fn player(self, config: Config) -> (Player, Log) {
        let log = Log::default();
        let mut world = World::new();
        world.mcp.resource = self.mcp.into();
        let seen_by = log.clone();
        world.intercept = Some(Box::new(move |request| {
            let seen = Seen::of(request);
            seen_by.note(seen.clone());
            let at_mcp = request.uri() == self.mcp || request.uri() == format!("{}/", self.mcp).as_str();
            if at_mcp && request.method() == Method::POST {
                let token = seen.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
                if token.is_some_and(|token| self.accepted.contains(&token)) {
                    return Some(text(StatusCode::OK, "served"));
                }
                let answer = text(StatusCode::UNAUTHORIZED, "");
                return Some(match self.challenge {
                    Some(challenge) => with(answer, "www-authenticate", challenge),
                    None => answer,
                });
            }
            let route = self.routes.iter().find(|(what, _)| *what == seen.what);
            Some(route.map_or_else(|| text(StatusCode::NOT_FOUND, ""), |(_, answer)| answer(&seen)))
        }));
        (Player::in_world(world, config).unwrap(), log)
    }

    /// The way from the challenge to stored tokens, and through their renewal after so many seconds.
    pub(crate) fn play(self, config: Config, lifetime_s: u64) -> Log {
        let (mut player, log) = self.player(config);
        assert_eq!(player.call("ping").delivered().body(), b"served");
        assert!(player.store.records().any(|(key, _)| key.kind == RecordKind::Grant));
        let before = log.all().len();
        player.restart();
        assert_eq!(player.call("ping").delivered().body(), b"served");
        assert_eq!(log.all().len(), before + 1, "the stored token is used");
        player.wait_s(lifetime_s);
        player.restart();
        assert_eq!(player.call("ping").delivered().body(), b"served");
        let pages =
            player.prompts.iter().filter(|prompt| matches!(prompt, grantor::Interaction::Authorize(_)));
        assert!(pages.count() <= 1, "the token is renewed without the user");
        for said in &player.said {
            assert!(!said.contains("planted"), "{said}");
        }
        log
    }

    /// The error without what the provider needs. Nothing is stored that gets in the way of a later success.
    pub(crate) fn fails(self, config: Config, mended: Config) -> grantor::Error {
        let (mut player, _) = self.player(config);
        let error = player.call("ping").failed();
        assert!(player.store.records().all(|(key, _)| key.kind != RecordKind::Grant), "no token is stored");
        player.restart_with(mended);
        assert_eq!(player.call("ping").delivered().body(), b"served");
        error
    }
}

/// A token endpoint: the first answer to codes and device codes, the second to the refresh token
/// `planted-refresh-1`.
pub(crate) fn tokens(first: Value, renewed: Value) -> impl Fn(&Seen) -> Answered + Send + 'static {
    move |seen| match seen.get("grant_type") {
        "refresh_token" => {
            assert_eq!(seen.get("refresh_token"), "planted-refresh-1");
            respond(StatusCode::OK, &renewed)
        }
        "authorization_code" => {
            assert_eq!(seen.get("code"), "planted-code");
            assert!(!seen.get("code_verifier").is_empty(), "PKCE");
            respond(StatusCode::OK, &first)
        }
        _ => respond(StatusCode::OK, &first),
    }
}

pub(crate) fn config(mcp: &str) -> Config {
    Config::new(mcp, ClientMetadata::named("Example")).unwrap()
}

/// A client that was registered by hand.
pub(crate) fn by_hand(issuer: &str) -> Preregistered {
    Preregistered::new(issuer, "app-1").secret(Secret::from("planted-secret"))
}
