//! What is stored, and how: JSON with a version and a checksum. Expiry is an absolute time; credentials stand with the
//! issuer they belong to.

mod text;

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use url::Url;

pub(crate) use self::text::Text;
use crate::client::config::Config;
use crate::client::state::account::{Account, List, StoredGrant};
use crate::client::state::grant::{AccessToken, Grant, Tokens};
use crate::client::state::server::Server;
use crate::client::state::signing::Dpop;
use crate::client::state::user::User;
use crate::effect::{RecordKind, Stored};
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
use crate::wire::server_metadata::ServerMetadata;
use crate::wire::token::{TokenType, TokenTypeUri};

/// Version 1 had the first half of a SHA-256 for a checksum.
const VERSION: u32 = 2;

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

/// What is written as a record.
pub(crate) trait Record {
    fn members(&self, text: &mut Text);
}

pub(crate) fn write(record: &impl Record) -> Secret {
    let mut text = Text::new();
    text.push("{\"v\":2,\"record\":");
    let start = text.as_str().len();
    text.push("{");
    record.members(&mut text);
    text.push("}");
    let sum = checksum(text.as_str().get(start..).unwrap_or_default().as_bytes());
    text.push(",\"sum\":\"");
    text.push(&sum);
    text.push("\"}");
    text.finish()
}

pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordProblem> {
    if bytes.len() > limits::RECORD {
        return Err(RecordProblem::TooLarge);
    }
    let version: Version = parse(bytes)?;
    let sum_of: fn(&[u8]) -> String = match version.v {
        1 => hash,
        VERSION => checksum,
        other => return Err(RecordProblem::Version(other)),
    };
    let envelope: Envelope<'_> = parse(bytes)?;
    let record = envelope.record.get().as_bytes();
    if sum_of(record) != *envelope.sum {
        return Err(RecordProblem::Damaged);
    }
    parse(record)
}

/// Whether a record of this kind can be read.
pub(crate) fn check(kind: RecordKind, bytes: &[u8]) -> Result<(), RecordProblem> {
    match kind {
        RecordKind::Accounts => accounts(bytes).map(drop),
        RecordKind::Binding => read::<BindingRecord>(bytes).map(drop),
        RecordKind::Grant => read::<GrantRecord>(bytes)?.access().map(drop),
        RecordKind::Pending => read::<PendingRecord>(bytes).map(drop),
        RecordKind::Proof => Ok(()), // that there is one says it all
        RecordKind::Registration => read::<RegistrationRecord>(bytes).map(drop),
        // A provider's, which checks them itself.
        RecordKind::Assertion
        | RecordKind::Attempts
        | RecordKind::Client
        | RecordKind::Device
        | RecordKind::Document
        | RecordKind::Interaction
        | RecordKind::IssuedGrant
        | RecordKind::PushedRequest
        | RecordKind::UserCode
        | RecordKind::UserGrants => Ok(()),
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RecordProblem> {
    serde_json::from_slice(bytes).map_err(|_| RecordProblem::Damaged)
}

/// A CRC-32, in hex. It finds damage; against malice nothing in the store would help.
fn checksum(bytes: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(bytes))
}

/// The first half of a SHA-256, in hex.
pub(crate) fn hash(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    let hash = Sha256::digest(bytes);
    hash.iter().take(16).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Which issuer is trusted for the resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct BindingRecord {
    /// The issuer whose tokens were accepted last.
    pub(crate) issuer: Option<Box<str>>,
    /// The issuer to which pre-registered clients belong that were configured without one.
    pub(crate) preregistered_with: Option<Box<str>>,
    /// Issuers that were pinned before, the last one first: a grant and a registration of theirs may be stored.
    #[serde(default)]
    pub(crate) former: Vec<Box<str>>,
}

impl Record for BindingRecord {
    fn members(&self, text: &mut Text) {
        text.some_text("issuer", self.issuer.as_deref());
        text.some_text("preregistered_with", self.preregistered_with.as_deref());
        if !self.former.is_empty() {
            text.texts("former", self.former.iter().map(|issuer| &**issuer));
        }
    }
}

/// A client that registered itself.
#[derive(Deserialize)]
pub(crate) struct RegistrationRecord {
    pub(crate) client: ClientRecord,
    pub(crate) redirect_uri: Box<str>,
    pub(crate) secret_expires_at: Option<u64>,
    /// The scopes that were registered, where the server grants no others.
    #[serde(default)]
    pub(crate) scopes: ScopeSet,
    /// Whether its last page led nowhere.
    #[serde(default)]
    pub(crate) doubtful: bool,
}

/// A registration to be written.
pub(crate) struct Registration<'a> {
    pub(crate) client: &'a Client,
    pub(crate) redirect_uri: &'a str,
    pub(crate) secret_expires_at: Option<u64>,
    pub(crate) scopes: &'a ScopeSet,
    pub(crate) doubtful: bool,
}

impl Record for Registration<'_> {
    fn members(&self, text: &mut Text) {
        text.object("client", |text| Written::from(self.client).members(text));
        text.text("redirect_uri", self.redirect_uri);
        text.some_number("secret_expires_at", self.secret_expires_at);
        if !self.scopes.is_empty() {
            text.scopes("scopes", self.scopes);
        }
        text.set_flag("doubtful", self.doubtful);
    }
}

/// A client. The secret of a pre-registered one stays in the configuration, where it can be changed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ClientRecord {
    id: Box<str>,
    #[serde(deserialize_with = "optional_secret", default)]
    secret: Option<Secret>,
    method: ClientAuthMethod,
    #[serde(default)]
    preregistered: bool,
    /// Whether the server looks for the id in the body as well.
    #[serde(default)]
    id_in_body: bool,
}

/// A client as it is written.
struct Written<'a> {
    id: &'a str,
    secret: Option<&'a Secret>,
    method: ClientAuthMethod,
    preregistered: bool,
    id_in_body: bool,
}

impl<'a> From<&'a Client> for Written<'a> {
    fn from(client: &'a Client) -> Self {
        Self {
            id: &client.id,
            secret: client.secret.as_ref().filter(|_| !client.configured),
            method: client.method,
            preregistered: client.configured,
            id_in_body: client.id_in_body,
        }
    }
}

impl<'a> From<&'a ClientRecord> for Written<'a> {
    fn from(client: &'a ClientRecord) -> Self {
        Self {
            id: &client.id,
            secret: client.secret.as_ref(),
            method: client.method,
            preregistered: client.preregistered,
            id_in_body: client.id_in_body,
        }
    }
}

impl Written<'_> {
    fn members(&self, text: &mut Text) {
        text.text("id", self.id);
        text.some_text("secret", self.secret.map(Secret::expose));
        text.text("method", self.method.name());
        text.set_flag("preregistered", self.preregistered);
        text.set_flag("id_in_body", self.id_in_body);
    }
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
#[derive(Deserialize)]
pub(crate) struct GrantRecord {
    issuer: Box<str>,
    token_endpoint: Url,
    revocation_endpoint: Option<Box<Url>>,
    client: ClientRecord,
    resource: Option<Box<str>>,
    #[serde(deserialize_with = "optional_secret", default)]
    access_token: Option<Secret>,
    /// In seconds since 1970.
    expires_at: Option<u64>,
    lifetime_s: Option<u64>,
    #[serde(deserialize_with = "optional_secret", default)]
    refresh_token: Option<Secret>,
    granted: Option<ScopeSet>,
    requested: ScopeSet,
    /// The key that the tokens are bound to.
    dpop: Option<KeyRecord>,
    user: Option<Box<User>>,
    subject: Option<Subject>,
    authorization_details: Option<Box<str>>,
    /// Until when one process may use the refresh token, in seconds since 1970.
    claimed_until: Option<u64>,
}

/// A grant to be written, and until when its refresh token is leased.
pub(crate) struct Granted<'a> {
    pub(crate) grant: &'a Grant,
    pub(crate) claimed_until: Option<u64>,
    pub(crate) config: &'a Config,
}

impl Record for Granted<'_> {
    fn members(&self, text: &mut Text) {
        let Self { grant, claimed_until, config } = self;
        let Grant { server, tokens, .. } = grant;
        write_server(
            text,
            server.issuer().as_str(),
            server.token_endpoint(),
            server.revocation_endpoint(),
            &Written::from(server.client()),
        );
        text.some_text("resource", grant.resource.as_deref());
        text.some_text("access_token", tokens.access.as_ref().map(AccessToken::expose));
        text.some_number("expires_at", tokens.expires_at);
        text.some_number("lifetime_s", tokens.lifetime_s);
        text.some_text("refresh_token", tokens.refresh.as_ref().map(Secret::expose));
        if let Some(granted) = &grant.granted {
            text.scopes("granted", granted);
        }
        text.scopes("requested", &grant.requested);
        if let Some(dpop) = grant.dpop.as_deref() {
            text.object("dpop", |text| KeyRecord::of(&dpop.key, config).members(text));
        }
        if let Some(user) = grant.user.as_deref() {
            text.object("user", |text| {
                text.text("subject", &user.subject);
                text.text("label", &user.label);
            });
        }
        if let Some(subject) = &grant.subject {
            text.object("subject", |text| {
                text.text("issuer", &subject.issuer);
                text.text("token", subject.token.expose());
                text.text("kind", subject.kind.name());
            });
        }
        text.some_text("authorization_details", grant.authorization_details.as_deref());
        text.some_number("claimed_until", *claimed_until);
    }
}

fn write_server(
    text: &mut Text,
    issuer: &str,
    token_endpoint: &Url,
    revocation_endpoint: Option<&Url>,
    client: &Written<'_>,
) {
    text.text("issuer", issuer);
    text.text("token_endpoint", token_endpoint.as_str());
    text.some_text("revocation_endpoint", revocation_endpoint.map(Url::as_str));
    text.object("client", |text| client.members(text));
}

impl GrantRecord {
    /// What may be shown of it.
    pub(crate) fn into_stored(self) -> StoredGrant {
        StoredGrant {
            issuer: self.issuer,
            scopes: self.granted.unwrap_or(self.requested),
            expires_at_s: self.expires_at,
            usable: self.access_token.is_some(),
            renewable: self.refresh_token.is_some(),
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

    /// The grant, and until when a process has the lease of its refresh token.
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
            server: Server::recorded(&self.issuer, self.token_endpoint, self.revocation_endpoint, client),
            resource: self.resource,
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
#[derive(Default, Deserialize)]
pub(crate) struct PendingRecord {
    pub(crate) authorizations: Vec<PendingAuthorization>,
}

impl Record for Vec<PendingAuthorization> {
    fn members(&self, text: &mut Text) {
        text.objects("authorizations", self.iter(), |text, pending| pending.members(text));
    }
}

/// A server and its client, as records write them. The parts of one record stay together.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ServerRecord {
    issuer: Box<str>,
    token_endpoint: Url,
    revocation_endpoint: Option<Box<Url>>,
    client: ClientRecord,
}

impl ServerRecord {
    /// The server that a validated document describes, with the client that was found for it.
    pub(crate) fn described(document: &ServerMetadata, client: &Client) -> Self {
        Self {
            issuer: document.issuer.as_str().into(),
            token_endpoint: document.token_endpoint.clone(),
            revocation_endpoint: document.revocation_endpoint.clone(),
            client: ClientRecord::of(client),
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
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PendingAuthorization {
    #[serde(deserialize_with = "secret")]
    pub(crate) state: Secret,
    #[serde(deserialize_with = "secret")]
    pub(crate) verifier: Secret,
    #[serde(deserialize_with = "secret")]
    pub(crate) url: Secret,
    #[serde(flatten)]
    pub(crate) server: ServerRecord,
    pub(crate) iss_parameter_supported: bool,
    pub(crate) redirect_uri: Box<str>,
    pub(crate) resource: Option<Box<str>>,
    pub(crate) scopes: ScopeSet,
    /// The key that the token is to be bound to.
    pub(crate) dpop: Option<KeyRecord>,
    /// Whether it is the enterprise's sign-on.
    #[serde(default)]
    pub(crate) sign_on: bool,
    /// Whether the server holds the request, and the page only refers to it (RFC 9126).
    #[serde(default)]
    pub(crate) pushed: bool,
    pub(crate) nonce: Option<Box<str>>,
    pub(crate) acr_values: Option<Box<str>>,
    pub(crate) max_age_s: Option<u64>,
    /// When it is worthless, in seconds since 1970.
    pub(crate) expires_at: u64,
}

impl PendingAuthorization {
    fn members(&self, text: &mut Text) {
        let server = &self.server;
        text.text("state", self.state.expose());
        text.text("verifier", self.verifier.expose());
        text.text("url", self.url.expose());
        write_server(
            text,
            &server.issuer,
            &server.token_endpoint,
            server.revocation_endpoint.as_deref(),
            &Written::from(&server.client),
        );
        text.flag("iss_parameter_supported", self.iss_parameter_supported);
        text.text("redirect_uri", &self.redirect_uri);
        text.some_text("resource", self.resource.as_deref());
        text.scopes("scopes", &self.scopes);
        if let Some(dpop) = &self.dpop {
            text.object("dpop", |text| dpop.members(text));
        }
        text.set_flag("sign_on", self.sign_on);
        text.set_flag("pushed", self.pushed);
        text.some_text("nonce", self.nonce.as_deref());
        text.some_text("acr_values", self.acr_values.as_deref());
        text.some_number("max_age_s", self.max_age_s);
        text.some_number("expires_at", Some(self.expires_at));
    }

    /// The page, if what was recorded is one.
    pub(crate) fn url(&self) -> Option<AuthorizationUrl> {
        AuthorizationUrl::read(self.url.expose())
    }
}

/// What the enterprise's sign-on brought, for tokens without the user.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Subject {
    /// The identity provider that it is of, and that alone may see it.
    pub(crate) issuer: Box<str>,
    #[serde(deserialize_with = "secret")]
    pub(crate) token: Secret,
    pub(crate) kind: TokenTypeUri,
}

/// A key that tokens are bound to: made for them and stored with them, or the configured one, which is not
/// stored.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct KeyRecord {
    thumbprint: Box<str>,
    #[serde(deserialize_with = "optional_secret", default)]
    jwk: Option<Secret>,
}

impl KeyRecord {
    fn members(&self, text: &mut Text) {
        text.text("thumbprint", &self.thumbprint);
        text.some_text("jwk", self.jwk.as_ref().map(Secret::expose));
    }

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

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}

fn optional_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::from))
}

/// A record, if it can be read. That it cannot was told before.
pub(crate) fn read_stored<T: DeserializeOwned>(stored: Option<Stored<'_>>) -> Option<T> {
    read(stored?.record).ok()
}

/// The accounts of a resource, from the record that [`StoreKey::accounts`](crate::effect::StoreKey::accounts) names. They are there when
/// [`Config::list_account`](crate::client::Config::list_account) says so.
///
/// # Errors
/// [`RecordProblem`] when the record cannot be read.
pub fn accounts(record: &[u8]) -> Result<Vec<Account>, RecordProblem> {
    read(record).map(|list: List| list.accounts)
}

/// What a record of the kind [`Grant`](crate::effect::RecordKind::Grant) holds.
///
/// # Errors
/// [`RecordProblem`] when the record cannot be read.
pub fn stored_grant(record: &[u8]) -> Result<StoredGrant, RecordProblem> {
    read(record).map(GrantRecord::into_stored)
}

impl Record for List {
    fn members(&self, text: &mut Text) {
        text.objects("accounts", self.accounts.iter(), |text, account| {
            text.text("name", &account.name);
            text.some_text("label", account.label.as_deref());
            text.text("issuer", &account.issuer);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDING: &str = r#"{"issuer":"https://as.example.com"}"#;

    fn envelope(version: u32, sum: &str) -> String {
        format!(r#"{{"v":{version},"record":{BINDING},"sum":"{sum}"}}"#)
    }

    #[test]
    fn records_of_version_1_are_read() {
        let old = envelope(1, "79e98f2e841779da336053eedd4e5d56");
        let record: BindingRecord = read(old.as_bytes()).unwrap();
        assert_eq!(record.issuer.as_deref(), Some("https://as.example.com"));
        let new = envelope(1, &checksum(BINDING.as_bytes()));
        assert_eq!(read::<BindingRecord>(new.as_bytes()).err(), Some(RecordProblem::Damaged));
    }

    #[test]
    fn what_is_written_has_version_2_and_a_crc_32() {
        let binding =
            BindingRecord { issuer: Some("https://as.example.com".into()), ..BindingRecord::default() };
        let written = write(&binding);
        assert_eq!(written.expose(), envelope(2, "59a91a11"));
        assert_eq!(read::<BindingRecord>(written.expose().as_bytes()).unwrap(), binding);
        assert_eq!(read::<BindingRecord>(envelope(3, "").as_bytes()).err(), Some(RecordProblem::Version(3)));
    }

    #[test]
    fn every_name_reads_as_it_is_written() {
        for kind in [
            TokenTypeUri::IdJag,
            TokenTypeUri::IdToken,
            TokenTypeUri::Jwt,
            TokenTypeUri::RefreshToken,
            TokenTypeUri::Saml2,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        for method in ClientAuthMethod::ALL {
            assert_eq!(serde_json::to_value(method).unwrap(), method.name());
        }
    }
}
