//! How the Guard is configured.

use grantor::ScopeSet;
use grantor::jose::{Algorithm, SigningKey};
use grantor::resource::{AuthorizationServer, ChallengeScopes, Cors, Dpop, Guard, GuardConfig, Tokens};
use grantor::wire::client_auth::{Client, ClientAuthMethod};
use url::Url;

use super::rules::{self, Table};
use crate::input::{self, Input};

pub(super) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(super) const ALIAS: &str = "urn:example:mcp";
pub(super) const METADATA_PATH: &str = "/.well-known/oauth-protected-resource/mcp";
pub(super) const PUBLIC_PATH: &str = "/health";
pub(super) const ISSUERS: [&str; 2] = ["https://as.example.com", "https://bs.example.com/t"];
/// Another name of the first.
pub(super) const OTHER_NAME: &str = "https://as.example.com/";
/// The client that stands for the resource.
pub(super) const CLIENT: &str = "c";
pub(super) const ORIGIN: &str = "https://app.example.com";
pub(super) const REALM: &str = "a \"realm\"";
pub(super) const START: u64 = 1_800_000_000;
pub(super) const LEEWAY_S: u64 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Jwt,
    Introspection,
    Host,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pages {
    Off,
    Any,
    Some,
}

/// What the letters of the first line picked.
pub(super) struct Setup {
    pub(super) kinds: &'static [Kind],
    /// Whether the profile of RFC 9068, or an audience, is demanded.
    pub(super) strict: bool,
    pub(super) cache_s: u64,
    pub(super) table: &'static Table,
    pub(super) trust_headers: bool,
    pub(super) challenge: ChallengeScopes,
    pub(super) bound_only: bool,
    pub(super) nonces: bool,
    pub(super) cors: Pages,
    pub(super) token_cache_bytes: usize,
    replay_cache_bytes: usize,
    /// Whether the metadata of a server has to say where its keys are.
    discover: bool,
    pub(super) realm: bool,
    pub(super) max_body: usize,
    pub(super) alias: bool,
    signed: bool,
    /// Whether the first server goes by another name, too, its tokens name the resource by `client_id`, and hold
    /// their scopes in `roles` and `scope`.
    pub(super) by_claims: bool,
    pub(super) twin: bool,
    pub(super) client_secret: String,
    pub(super) nonce_seed: String,
    basic: bool,
}

impl Setup {
    pub(super) fn read(data: &[u8], letters: &mut Input<'_>) -> Self {
        use Kind::{Host, Introspection, Jwt};
        let kinds: [&[Kind]; 7] = [
            &[Jwt],
            &[Introspection],
            &[Host],
            &[Jwt, Introspection],
            &[Introspection, Host],
            &[Jwt, Jwt],
            &[Host, Introspection],
        ];
        let kinds = letters.letter(kinds);
        let (strict, cache_s) = letters.letter([(true, 60), (false, 60), (true, 0), (false, 1)]);
        let table = letters.letter([&rules::FULL, &rules::UNIFORM, &rules::CLOSED, &rules::OPEN]);
        let trust_headers = letters.letter([false, true]);
        let scopes = |text: &str| ScopeSet::parse(text).expect("scopes");
        let challenge = match letters.letter([0, 1, 2]) {
            0 => ChallengeScopes::Minimal,
            1 => ChallengeScopes::Configured(scopes("extra offline_access mcp:use")),
            _ => ChallengeScopes::PlusGranted,
        };
        let (bound_only, nonces) =
            letters.letter([(false, false), (true, false), (false, true), (true, true)]);
        let cors = letters.letter([Pages::Off, Pages::Any, Pages::Some]);
        let (token_cache_bytes, replay_cache_bytes) =
            letters.letter([(1 << 20, 1 << 20), (2500, 2048), (1200, 128), (0, 0)]);
        let asked = kinds.iter().any(|kind| *kind != Jwt);
        let token_cache_bytes = if asked { grantor::limits::TOKEN_CACHE_ASKED } else { token_cache_bytes };
        let discover = letters.letter([false, true]);
        let (realm, max_body) =
            letters.letter([(false, 4096), (true, 4096), (false, 80), (true, 0), (false, 1 << 20)]);
        let (alias, signed, twin, basic) = letters.letter([
            (false, false, false, false),
            (true, false, false, true),
            (false, true, true, false),
            (true, false, true, true),
        ]);
        let by_claims = letters.letter([false, true]);
        let client_secret = input::planted(data, "secret");
        let nonce_seed = input::planted(data, "seed");
        Self {
            kinds,
            strict,
            cache_s,
            table,
            trust_headers,
            challenge,
            bound_only,
            nonces,
            cors,
            token_cache_bytes,
            replay_cache_bytes,
            discover,
            realm,
            max_body,
            alias,
            signed,
            by_claims,
            twin,
            client_secret,
            nonce_seed,
            basic,
        }
    }

    pub(super) fn has_room_for_proofs(&self) -> bool {
        self.replay_cache_bytes >= 1 << 20
    }

    pub(super) fn guard(&self) -> Guard {
        let mut config = GuardConfig::new(RESOURCE, self.table.policy()).public_path(PUBLIC_PATH);
        for (kind, issuer) in self.kinds.iter().zip(ISSUERS) {
            let server = self.server(*kind, issuer);
            config = config.server(if self.by_claims && issuer == ISSUERS[0] {
                server.known_as(OTHER_NAME).audience_by("client_id", [CLIENT]).scopes_in(["roles", "scope"])
            } else {
                server
            });
        }
        config.trust_headers = self.trust_headers;
        config.challenge = self.challenge.clone();
        config.dpop = Dpop::default();
        config.dpop.required = self.bound_only;
        config.dpop.nonce_seed = self.nonces.then(|| self.nonce_seed.as_str().into());
        config.cors = match self.cors {
            Pages::Off => Cors::Off,
            Pages::Any => Cors::Any,
            Pages::Some => Cors::Origins(vec![ORIGIN.into()]),
        };
        config.token_cache_bytes = self.token_cache_bytes;
        config.replay_cache_bytes = self.replay_cache_bytes;
        config.realm = self.realm.then(|| REALM.into());
        config.max_body = self.max_body;
        config.leeway_s = LEEWAY_S;
        if self.alias {
            config.audiences.push(ALIAS.into());
        }
        if self.signed {
            let key = SigningKey::generate(Algorithm::EdDsa, &[77; 32]).expect("a key");
            config.sign_metadata = Some((RESOURCE.into(), key));
        }
        Guard::new(config).expect("a configuration")
    }

    fn server(&self, kind: Kind, issuer: &str) -> AuthorizationServer {
        let at = |path: &str| {
            let url = Url::parse(&format!("{issuer}/{path}")).expect("a URL");
            (!self.discover).then_some(url)
        };
        let mut server = match kind {
            Kind::Jwt if self.strict => AuthorizationServer::jwt(issuer),
            Kind::Jwt => AuthorizationServer::jwt_without_profile(issuer),
            Kind::Host => AuthorizationServer::verified_by_host(issuer),
            Kind::Introspection => {
                let method =
                    if self.basic { ClientAuthMethod::SecretBasic } else { ClientAuthMethod::SecretPost };
                let client = Client::confidential("mcp", self.client_secret.as_str().into(), method);
                AuthorizationServer::introspection(issuer, client)
            }
        };
        match &mut server.tokens {
            Tokens::Jwt { jwks_uri, .. } => *jwks_uri = at("jwks"),
            Tokens::Introspection { endpoint, audience_demanded, cache_s, .. } => {
                *endpoint = at("introspect");
                (*audience_demanded, *cache_s) = (self.strict, self.cache_s);
            }
            Tokens::Host { audience_demanded, cache_s } => {
                (*audience_demanded, *cache_s) = (self.strict, self.cache_s);
            }
            _ => {}
        }
        server
    }

    /// What nobody may be shown, besides tokens.
    pub(super) fn secrets(&self) -> Vec<String> {
        use base64::Engine as _;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("mcp:{}", self.client_secret));
        vec![self.client_secret.clone(), self.nonce_seed.clone(), basic]
    }
}
