//! What is stored, and how: JSON with a version and a checksum. Expiry is an absolute time; credentials stand with the
//! issuer they belong to.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::client::accounts::accounts;
use crate::client::config::Config;
use crate::client::grant::{AccessToken, Grant, Tokens};
use crate::client::identity::User;
use crate::client::seal::Dpop;
use crate::client::server::Server;
use crate::effect::RecordKind;
use crate::error::RecordProblem;
#[cfg(feature = "crypto")]
use crate::jose::Algorithm;
use crate::key::Key;
use crate::limits;
use crate::policy::DpopPolicy;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::authorization::AuthorizationUrl;
use crate::wire::client_auth::{Client, ClientAuthMethod};
use crate::wire::token::{TokenType, TokenTypeUri};

const VERSION: u32 = 1;

/// A record with the version that it is written in and a checksum. Records lie in files that people copy
/// and disks damage: with one bit changed, a refresh token could go to another host.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    record: &'a RawValue,
    #[serde(borrow)]
    sum: Cow<'a, str>,
}

/// What every version has.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

pub(crate) fn write<T: Serialize>(record: &T) -> Secret {
    // Room is taken once, so that growing leaves no copies of secrets behind. Strings, numbers and
    // lists: writing them to memory cannot fail.
    let mut length = Length(0);
    let _ = serde_json::to_writer(&mut length, record);
    let mut text = Vec::with_capacity(length.0 + 128);
    let _ = write!(text, "{{\"v\":{VERSION},\"record\":");
    let start = text.len();
    let _ = serde_json::to_writer(&mut text, record);
    let sum = checksum(text.get(start..).unwrap_or_default());
    let _ = write!(text, ",\"sum\":\"{sum}\"}}");
    Secret::from(String::from_utf8(text).unwrap_or_default())
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordProblem> {
    if bytes.len() > limits::RECORD {
        return Err(RecordProblem::TooLarge);
    }
    let version: Version = parse(bytes)?;
    if version.v != VERSION {
        return Err(RecordProblem::Version(version.v));
    }
    let envelope: Envelope<'_> = parse(bytes)?;
    let record = envelope.record.get().as_bytes();
    if checksum(record) != *envelope.sum {
        return Err(RecordProblem::Damaged);
    }
    parse(record)
}

/// Whether a record of this kind can be read.
pub(crate) fn check(kind: RecordKind, bytes: &[u8]) -> Result<(), RecordProblem> {
    match kind {
        RecordKind::Accounts => accounts(bytes).map(drop),
        RecordKind::Binding => read::<BindingRecord>(bytes).map(drop),
        RecordKind::Grant => read::<GrantRecord<'_>>(bytes)?.access().map(drop),
        RecordKind::Pending => read::<PendingRecord<'_>>(bytes).map(drop),
        RecordKind::Proof => Ok(()), // that there is one says it all
        RecordKind::Registration => read::<RegistrationRecord>(bytes).map(drop),
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RecordProblem> {
    serde_json::from_slice(bytes).map_err(|_| RecordProblem::Damaged)
}

/// The first half of a SHA-256, in hex.
pub(super) fn checksum(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    let hash = Sha256::digest(bytes);
    hash.iter().take(16).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Which issuer is trusted for the resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BindingRecord {
    /// The issuer whose tokens were accepted last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) issuer: Option<Box<str>>,
    /// The issuer to which pre-registered clients belong that were configured without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preregistered_with: Option<Box<str>>,
    /// Issuers that were pinned before, the last one first: a grant and a registration of theirs may be stored.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) former: Vec<Box<str>>,
}

/// A client that registered itself.
#[derive(Serialize, Deserialize)]
pub(crate) struct RegistrationRecord {
    pub(crate) client: ClientRecord,
    pub(crate) redirect_uri: Box<str>,
    pub(crate) secret_expires_at: Option<u64>,
    /// The scopes that were registered, where the server grants no others.
    #[serde(skip_serializing_if = "ScopeSet::is_empty", default)]
    pub(crate) scopes: ScopeSet,
    /// Whether its last page led nowhere.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) doubtful: bool,
}

/// A client. The secret of a pre-registered one stays in the configuration, where it can be changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClientRecord {
    id: Box<str>,
    #[serde(with = "optional_secret", skip_serializing_if = "Option::is_none", default)]
    secret: Option<Secret>,
    method: ClientAuthMethod,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    preregistered: bool,
    /// Whether the server looks for the id in the body as well.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    id_in_body: bool,
}

impl ClientRecord {
    pub(crate) fn of(client: &Client) -> Self {
        Self {
            id: client.id.clone(),
            secret: client.secret.clone().filter(|_| !client.configured),
            method: client.method,
            preregistered: client.configured,
            id_in_body: client.id_in_body,
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn is_preregistered(&self) -> bool {
        self.preregistered
    }

    /// The client at this server; `None` for a pre-registered one that is not configured there any more.
    pub(crate) fn into_client(self, config: &Config, issuer: &str) -> Option<Client> {
        let secret = if self.preregistered {
            let own = config.own_client(issuer, &self.id)?;
            if self.method == ClientAuthMethod::PrivateKeyJwt && own.key.is_none() {
                return None;
            }
            own.secret.clone()
        } else {
            self.secret
        };
        Some(Client {
            id: self.id,
            secret,
            method: self.method,
            configured: self.preregistered,
            id_in_body: self.id_in_body,
        })
    }
}

/// Tokens, and all that is needed to renew them without asking anyone but the token endpoint.
#[derive(Serialize, Deserialize)]
pub(crate) struct GrantRecord<'a> {
    issuer: Cow<'a, str>,
    token_endpoint: Cow<'a, Url>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    revocation_endpoint: Option<Cow<'a, Url>>,
    client: ClientRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Cow<'a, str>>,
    #[serde(with = "optional_secret", skip_serializing_if = "Option::is_none", default)]
    access_token: Option<Secret>,
    /// In seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime_s: Option<u64>,
    #[serde(with = "optional_secret", skip_serializing_if = "Option::is_none", default)]
    refresh_token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<ScopeSet>,
    requested: ScopeSet,
    /// The key that the tokens are bound to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    dpop: Option<KeyRecord>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    user: Option<Box<User>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    subject: Option<Subject>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    authorization_details: Option<Box<str>>,
    /// Until when one process may use the refresh token, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_until: Option<u64>,
}

impl<'a> GrantRecord<'a> {
    pub(crate) fn of(grant: &'a Grant, claimed_until: Option<u64>, config: &Config) -> Self {
        Self {
            issuer: grant.server.issuer().as_str().into(),
            token_endpoint: Cow::Borrowed(grant.server.token_endpoint()),
            client: ClientRecord::of(grant.server.client()),
            resource: grant.resource.as_deref().map(Cow::Borrowed),
            access_token: grant.tokens.access.as_ref().map(|access| Secret::from(access.expose())),
            expires_at: grant.tokens.expires_at,
            lifetime_s: grant.tokens.lifetime_s,
            refresh_token: grant.tokens.refresh.clone(),
            granted: grant.granted.clone(),
            requested: grant.requested.clone(),
            revocation_endpoint: grant.server.revocation_endpoint().map(Cow::Borrowed),
            dpop: grant.dpop.as_deref().map(|dpop| KeyRecord::of(&dpop.key, config)),
            user: grant.user.clone(),
            subject: grant.subject.clone(),
            authorization_details: grant.authorization_details.clone(),
            claimed_until,
        }
    }

    /// Whether its tokens are bound to a key.
    pub(crate) fn is_bound(&self) -> bool {
        self.dpop.is_some()
    }

    fn access(&self) -> Result<Option<AccessToken>, RecordProblem> {
        let Some(token) = &self.access_token else { return Ok(None) };
        let token_type = if self.dpop.is_some() { TokenType::Dpop } else { TokenType::Bearer };
        AccessToken::new(token.expose(), token_type).map(Some).ok_or(RecordProblem::Damaged)
    }

    /// The grant, and until when a process claims its refresh token.
    ///
    /// Tokens that are bound to a key are worthless without it, or when no proofs are to be made; tokens that
    /// are not are of no use where the policy demands it. What they were asked for stays.
    pub(crate) fn into_grant(self, config: &Config) -> Result<(Grant, Option<u64>), RecordProblem> {
        let usable = |record: &KeyRecord| {
            let wanted = config.dpop != DpopPolicy::Off;
            record.key(config.dpop_key.as_ref()).filter(|_| wanted).and_then(Dpop::new).map(Arc::new)
        };
        let dpop = self.dpop.as_ref().and_then(usable);
        let must_be_bound = self.dpop.is_some() || config.dpop == DpopPolicy::Required;
        let tokens = if must_be_bound && dpop.is_none() {
            Tokens::default()
        } else {
            Tokens {
                access: self.access()?,
                expires_at: self.expires_at,
                expires_mono_ms: None,
                lifetime_s: self.lifetime_s,
                refresh: self.refresh_token,
            }
        };
        let client = self.client.into_client(config, &self.issuer).ok_or(RecordProblem::UnknownClient)?;
        let grant = Grant {
            server: Server::recorded(
                &self.issuer,
                self.token_endpoint.into_owned(),
                self.revocation_endpoint.map(|url| Box::new(url.into_owned())),
                client,
            ),
            resource: self.resource.map(|resource| resource.into_owned().into()),
            tokens,
            dpop,
            user: self.user,
            subject: self.subject,
            authorization_details: self.authorization_details,
            granted: self.granted,
            requested: self.requested,
        };
        Ok((grant, self.claimed_until))
    }
}

/// The authorizations that wait for a browser; several when several processes ask at once.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct PendingRecord<'a> {
    pub(crate) authorizations: Cow<'a, [PendingAuthorization]>,
}

/// A server and its client, as records write them. The parts of one record stay together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ServerRecord {
    issuer: Box<str>,
    token_endpoint: Url,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    revocation_endpoint: Option<Box<Url>>,
    client: ClientRecord,
}

impl ServerRecord {
    pub(crate) fn of(server: &Server) -> Self {
        Self {
            issuer: server.issuer().as_str().into(),
            token_endpoint: server.token_endpoint().clone(),
            revocation_endpoint: server.revocation_endpoint().cloned().map(Box::new),
            client: ClientRecord::of(server.client()),
        }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) fn client(&self) -> &ClientRecord {
        &self.client
    }

    /// The server; `None` for a pre-registered client that is not configured there any more.
    pub(crate) fn into_server(self, config: &Config) -> Option<Server> {
        let client = self.client.into_client(config, &self.issuer)?;
        Some(Server::recorded(&self.issuer, self.token_endpoint, self.revocation_endpoint, client))
    }
}

/// What was recorded before the browser left (MCP "Authorization Response Validation"), and what is
/// needed to go on after a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PendingAuthorization {
    #[serde(with = "secret")]
    pub(crate) state: Secret,
    #[serde(with = "secret")]
    pub(crate) verifier: Secret,
    #[serde(with = "secret")]
    pub(crate) url: Secret,
    #[serde(flatten)]
    pub(crate) server: ServerRecord,
    pub(crate) iss_parameter_supported: bool,
    pub(crate) redirect_uri: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<Box<str>>,
    pub(crate) scopes: ScopeSet,
    /// The key that the token is to be bound to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) dpop: Option<KeyRecord>,
    /// Whether it is the enterprise's sign-on.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) sign_on: bool,
    /// Whether the server holds the request, and the page only refers to it (RFC 9126).
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) pushed: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) nonce: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) acr_values: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) max_age_s: Option<u64>,
    /// When it is worthless, in seconds since 1970.
    pub(crate) expires_at: u64,
}

impl PendingAuthorization {
    /// The page, if what was recorded is one.
    pub(crate) fn url(&self) -> Option<AuthorizationUrl> {
        AuthorizationUrl::read(self.url.expose())
    }
}

/// What the enterprise's sign-on brought, for tokens without the user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Subject {
    /// The identity provider that it is of, and that alone may see it.
    pub(crate) issuer: Box<str>,
    #[serde(with = "secret")]
    pub(crate) token: Secret,
    pub(crate) kind: TokenTypeUri,
}

/// A key that tokens are bound to: made for them and stored with them, or the configured one, which is not
/// stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    thumbprint: Box<str>,
    #[serde(with = "optional_secret", skip_serializing_if = "Option::is_none", default)]
    jwk: Option<Secret>,
}

impl KeyRecord {
    pub(crate) fn of(key: &Key, config: &Config) -> Self {
        let configured = config.dpop_key.as_ref() == Some(key);
        #[cfg(feature = "crypto")]
        let jwk = key.here().filter(|_| !configured).and_then(|key| key.to_jwk().ok());
        #[cfg(not(feature = "crypto"))]
        let jwk = {
            let _ = configured;
            None
        };
        Self { thumbprint: key.public().thumbprint().into(), jwk }
    }

    /// `None` when the key is lost: not stored, and not the configured one.
    pub(crate) fn key(&self, configured: Option<&Key>) -> Option<Key> {
        #[cfg(feature = "crypto")]
        if let Some(jwk) = &self.jwk {
            // Only keys of these two kinds are ever made.
            let read = |algorithm| crate::jose::SigningKey::from_jwk(jwk.expose(), algorithm);
            return read(Algorithm::Es256).or_else(|_| read(Algorithm::EdDsa)).ok().map(Key::local);
        }
        configured.filter(|key| *key.public().thumbprint() == *self.thumbprint).cloned()
    }
}

mod secret {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::secret::Secret;

    pub(super) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::from)
    }
}

mod optional_secret {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::secret::Secret;

    pub(super) fn serialize<S: Serializer>(
        secret: &Option<Secret>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => serializer.serialize_some(secret.expose()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(Secret::from))
    }
}
