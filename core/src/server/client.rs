//! Clients: which there are, and whether one is who it says.

use url::Url;

use super::config::RegisteredClient;
use super::context::Cx;
use super::fetch::{Age, FetchError};
use super::metadata::grants;
use super::page::{ClientShown, Known};
use super::records::DynamicClient;
use super::store::Stored;
use super::wire::{ClientDescription, ErrorCode, MetadataRules, OAuthError};
use crate::effect::RecordKind;
use crate::error::Exchange;
use crate::jose::KeySet;
use crate::limits;
use crate::secret::Secret;
use crate::wire::client_auth::ClientAuthMethod;
use crate::wire::client_metadata::check_client_id;

/// A client that is known.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) id: Box<str>,
    pub(super) description: ClientDescription,
    pub(super) origin: Origin,
    /// Whether it may ask about the tokens of others.
    pub(super) introspects: bool,
    /// Whether it has proven that it is itself, in this request: a client of several methods may come with none.
    pub(super) authenticated: bool,
    pub(super) secret: Option<Secret>,
    keys: Option<KeySet>,
    /// What is stored of a client that registered itself.
    registration: Option<Box<Stored<DynamicClient>>>,
}

/// Where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Configured,
    Document,
    Dynamic,
}

/// The grants of clients that nobody vouches for. With a token of its own, such a client could do whatever the
/// resource allows, without any user's consent.
const GRANTS_OF_STRANGERS: [&str; 4] = [
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
];

pub(super) const UNKNOWN: OAuthError = OAuthError::new(ErrorCode::InvalidClient, "the client is not known");

impl Cx {
    /// The rules for clients that describe themselves.
    pub(super) fn metadata_rules<T>(
        &self,
        methods: &[ClientAuthMethod],
        with: impl FnOnce(&MetadataRules<'_>) -> T,
    ) -> T {
        let mut grants = grants(&self.provider.config);
        grants.retain(|grant| GRANTS_OF_STRANGERS.contains(grant));
        let redirect_schemes = &*self.provider.config.redirect_schemes;
        with(&MetadataRules { methods, grants: &grants, redirect_schemes })
    }

    /// The client of this id.
    ///
    /// # Errors
    /// `invalid_client` when there is none.
    pub(super) async fn client(&self, id: &str) -> Result<Client, OAuthError> {
        let config = &self.provider.config;
        if let Some(own) = config.clients.iter().find(|client| *client.id == *id) {
            return Ok(Client::configured(own));
        }
        if id.contains("://") {
            return if config.client_documents { self.client_of_document(id).await } else { Err(UNKNOWN) };
        }
        if config.registration.is_none() || id.len() > 64 {
            return Err(UNKNOWN);
        }
        let why = "the client may have registered itself";
        let stored = self.load::<DynamicClient>(RecordKind::Client, id, why).await?.ok_or(UNKNOWN)?;
        Ok(Client {
            id: id.into(),
            description: stored.value.description.clone(),
            origin: Origin::Dynamic,
            introspects: false,
            authenticated: false,
            secret: None,
            keys: None,
            registration: Some(Box::new(stored)),
        })
    }

    /// A registration that users consent to stays; one that is only asked about does not, since anybody can ask.
    pub(super) async fn renew(&self, client: &Client) {
        let Some(stored) = &client.registration else { return };
        let now = self.io.now_s();
        let lifetime = self.provider.config.lifetimes.registration.as_secs();
        if stored.value.until.saturating_sub(now) > lifetime / 2 {
            return;
        }
        let until = now.saturating_add(lifetime);
        let renewed = DynamicClient { until, ..stored.value.clone() };
        let expect = Some(stored.revision);
        let why = "a registration that is used stays";
        // If this fails, the next use renews it.
        let _ = self.save(RecordKind::Client, &client.id, &renewed, expect, until, why).await;
    }

    async fn client_of_document(&self, id: &str) -> Result<Client, OAuthError> {
        let unusable = |description| OAuthError::new(ErrorCode::InvalidClient, description);
        check_client_id(id)
            .map_err(|_| unusable("the client_id is no https URL with a path and without a fragment"))?;
        let url = Url::parse(id).map_err(|_| UNKNOWN)?;
        let document =
            self.document(&url, Exchange::ClientDocument, limits::CLIENT_DOCUMENT, Age::Fresh).await;
        let document = document.map_err(|error| match error {
            FetchError::Unusable => {
                unusable("the client_id leads to no client metadata document of at most 5 KiB")
            }
            FetchError::Unavailable => OAuthError::new(
                ErrorCode::TemporarilyUnavailable,
                "the client's metadata document cannot be had now",
            ),
        })?;
        // draft-ietf-oauth-client-id-metadata-document 4.1: no shared secret could be one.
        let methods = [ClientAuthMethod::None, ClientAuthMethod::PrivateKeyJwt];
        let names_itself = serde_json::from_str::<serde_json::Value>(&document)
            .is_ok_and(|value| value.get("client_id").and_then(|own| own.as_str()) == Some(id));
        if !names_itself {
            return Err(unusable("the client's metadata document has another client_id than its URL"));
        }
        let description = self
            .metadata_rules(&methods, |rules| ClientDescription::read(document.as_bytes(), rules))
            .map_err(|error| unusable(error.description))?;
        Ok(Client {
            id: id.into(),
            description,
            origin: Origin::Document,
            introspects: false,
            authenticated: false,
            secret: None,
            keys: None,
            registration: None,
        })
    }

    /// The keys that a client signs with.
    pub(super) async fn client_keys(&self, client: &Client, age: Age) -> Result<KeySet, OAuthError> {
        let none = OAuthError::new(ErrorCode::InvalidClient, "the client has no keys that can be used");
        if let Some(keys) = &client.keys {
            return Ok(keys.clone());
        }
        if let Some(jwks) = &client.description.jwks {
            return KeySet::parse(jwks.as_bytes()).map_err(|_| none);
        }
        let uri = client.description.jwks_uri.as_ref().ok_or(none)?;
        self.keys_at(uri, age).await.map_err(|error| match error {
            FetchError::Unusable => none,
            FetchError::Unavailable => {
                OAuthError::new(ErrorCode::TemporarilyUnavailable, "the client's keys cannot be had now")
            }
        })
    }

    pub(super) async fn keys_at(&self, uri: &Url, age: Age) -> Result<KeySet, FetchError> {
        let body = self.document(uri, Exchange::KeySet, limits::KEY_SET_BODY, age).await?;
        KeySet::parse(body.as_bytes()).map_err(|_| FetchError::Unusable)
    }
}

impl Client {
    fn configured(own: &RegisteredClient) -> Self {
        Self {
            id: own.id.clone(),
            description: own.description.clone(),
            origin: Origin::Configured,
            introspects: own.introspects,
            authenticated: false,
            secret: own.secret.clone(),
            keys: own.keys.clone(),
            registration: None,
        }
    }

    /// # Errors
    /// `unauthorized_client`.
    pub(super) fn may(&self, grant: &str) -> Result<(), OAuthError> {
        let description = "the client did not register for this grant";
        let allowed = self.description.allows_grant(grant);
        allowed.then_some(()).ok_or(OAuthError::new(ErrorCode::UnauthorizedClient, description))
    }

    pub(super) fn shown(&self) -> ClientShown {
        let description = &self.description;
        let host = || Url::parse(&self.id).ok().and_then(|url| url.host_str().map(Into::into));
        ClientShown {
            id: self.id.clone(),
            name: description.client_name.clone(),
            known: match self.origin {
                Origin::Configured => Known::Registered,
                Origin::Document => host().map_or(Known::Unverified, Known::Host),
                Origin::Dynamic => Known::Unverified,
            },
            uri: description.client_uri.clone(),
            logo: description.logo_uri.clone(),
            policy: description.policy_uri.clone(),
            terms: description.tos_uri.clone(),
        }
    }
}
